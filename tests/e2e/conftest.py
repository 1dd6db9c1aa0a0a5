"""A passing alliance with small feeds, for every test its own."""

from hashlib import sha256
from pathlib import Path

import pytest

from exchange.config import Home
from tests.e2e.nodes import import_values, members


def feed(*numbers: int) -> list[str]:
    """One indicator of every kind of value for each number; the same number, the same indicators."""
    return [
        value
        for n in numbers
        for value in (
            f"host-{n}.example.com",
            f"https://example.com/{n}",
            f"sender-{n}@example.com",
            f"8.8.{n // 256}.{n % 256}",
            sha256(b"sample %d" % n).hexdigest(),
        )
    ]


@pytest.fixture
def homes(tmp_path: Path) -> tuple[Home, ...]:
    """alice and bob, without indicators."""
    return members(tmp_path, "alice", "bob")


@pytest.fixture
def filled(homes: tuple[Home, ...]) -> tuple[Home, ...]:
    """alice holds 1 to 40, bob 31 to 80: they share ten times five indicators."""
    alice, bob = homes
    import_values(alice, feed(*range(1, 41)))
    import_values(bob, feed(*range(31, 81)))
    return homes
