"""A disk that is full for a while, wherever somebody writes who has a part in a discovery: it goes on."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from exchange.disclosure import patience
from exchange.errors import ConfigError, CosightError
from exchange.store.discovery.helper import HelperBooks
from exchange.store.discovery.member import Asked
from exchange.store.discovery.stages import Stages
from tests.exchange.disclosure.desks import Books
from tests.exchange.discovery.alliance import ALL, HELD, NAMES, Alliance, accused, culprits, refused, values

MOMENTS = {
    "relay and counter": [
        *((Stages, "plan", n) for n in (1, 2)),
        *((Stages, "put", n) for n in (1, 5, 6, 10)),
        *((Stages, "keep", n) for n in (1, 5, 6, 7, 9, 14)),
        *((Stages, "put_outcome", n) for n in (1, 2, 3, 4)),
    ],
    "helper": [
        (HelperBooks, "seed", 1),
        *((HelperBooks, name, 2) for name in ("declare", "charge", "issue")),
        *((HelperBooks, "spend", n) for n in (1, 7)),
    ],
    "member": [(Asked, "keep", 3), *((Asked, "keep_batch", n) for n in (1, 8, 14, 20, 24, 29, 34, 40))],
    "ledger": [(Books, "append", n) for n in (2, 10, 11, 12, 14, 18)],
}
EACH = [moment for moments in MOMENTS.values() for moment in moments]
OFTEN = 3
"""Writes in a row that fail."""


@pytest.mark.parametrize(("owner", "name", "number"), EACH, ids=lambda v: getattr(v, "__name__", v))
async def test_a_disk_that_is_full_for_a_while(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, owner: type, name: str, number: int
) -> None:
    alliance = Alliance(tmp_path, HELD)
    inner, calls = getattr(owner, name), 0

    def write(self: Any, *arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if number <= calls < number + OFTEN:
            raise ConfigError("cannot write: no space left on device")
        return inner(self, *arguments, **named)

    monkeypatch.setattr(owner, name, write)
    monkeypatch.setattr(patience, "PAUSES_S", (0.01,))
    monkeypatch.setattr("exchange.discovery.serving.RETRY_S", 0.05)
    async with alliance.serving():
        found = await asyncio.gather(*(insist(alliance, name) for name in NAMES))
    assert calls >= number + OFTEN, "the disk was full for one of them, and not for ever"
    for result in found:
        assert values(result) == alliance.expected()
        assert (result.counted, result.culprits, result.accused) == (5, (), ())
    for member in NAMES:
        assert not culprits(alliance, member, "counted")
        # A member that was put off has an end of that attempt in its ledger; no part gave anything up.
        assert not [leaf for leaf in alliance.members[member].told("broken") if not leaf.peer]
        assert not culprits(alliance, member, "broken") + accused(alliance, member, "broken")
        assert not refused(alliance, member)
        mine = [leaf for leaf in alliance.members[member].told("counted") if leaf.peer]
        assert len(mine) == 1
    for part in ("alice", "bob"):  # the relay and the counter
        mine = [leaf for leaf in alliance.members[part].told("counted") if not leaf.peer]
        assert (len(mine), len(alliance.members[part].told("convened"))) == (1, 1)
    left = [
        path for member in alliance.members.values() for path in member.home.path.rglob("discoveries/*/.*")
    ]
    assert left == [], "nothing half written stays"


async def insist(alliance: Alliance, name: str) -> Any:
    """Ask until there is an answer, as an operator would."""
    for _ in range(8):
        try:
            return await alliance.ask(name, replace(ALL, wait_s=30))
        except CosightError as e:
            assert "no space left" in str(e) or e.code == "not-ready"  # noqa: PT017
            await asyncio.sleep(0.05)
    raise AssertionError("there is no answer")
