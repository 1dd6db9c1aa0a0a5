"""The alliance in which discoveries are tried."""

import pytest

from tests.exchange.discovery.alliance import HELD, Alliance


@pytest.fixture
def alliance(tmp_path):
    """Five members, with what they hold."""
    return Alliance(tmp_path, HELD)
