"""Nobody waits long in these tests."""

import pytest

from exchange.counting import taking_part
from exchange.disclosure import patience


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking_part, "WAIT_S", 0.1)
    monkeypatch.setattr(patience, "PAUSES_S", (0.01,))
