"""A victim's node, an honest member and a hostile one; after every attack the victim must be unharmed."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import pytest

from exchange.agreement import Rung
from exchange.config import Home
from exchange.disclosure import Outcome, Wish
from exchange.disclosure.settling import SETTLE_WITHIN
from exchange.indicators import IndicatorType
from exchange.node import Node
from exchange.store.home import verify_ledger
from tests.e2e.conftest import feed
from tests.e2e.nodes import Served, configure, entries, import_values, members, serve, story
from tests.hostile.peer import Caller, Member

MAX_MIB = 300
OURS, THEIRS, SHARED = range(1, 11), range(6, 16), range(6, 11)


@dataclass(frozen=True, slots=True)
class House:
    """The victim's home and node, and two members that call it."""

    home: Home
    node: Served
    honest: Member
    hostile: Member

    def caller(self, member: Member | None = None) -> Caller:
        return Caller(member or self.hostile, self.home.member, self.node.address)

    def story(self, session: bytes) -> list[tuple[str, str]]:
        return story(self.home, session.hex())

    def sent(self, session: bytes) -> int:
        """How many messages of a session left the house, by the ledger."""
        told = [e.what.get("messages_sent", 0) for e in entries(self.home) if e.session == session.hex()]
        assert all(isinstance(n, int) for n in told)
        return max(told)  # type: ignore[type-var]

    async def match(self) -> Outcome:
        """An honest match, which must work."""
        with Node(self.honest.home) as node:
            wish = Wish(rung=Rung.OVERLAP, types=tuple(sorted(IndicatorType)))
            return await node.match(self.home.member, wish, address=self.node.address)

    def check(self) -> None:
        """The node serves, its memory is bounded and its ledger verifies."""
        found = asyncio.run(self.match()).matches
        assert found is not None
        assert {m.value for m in found} == set(feed(*SHARED))
        assert self.node.peak_mib() < MAX_MIB
        assert verify_ledger(self.home).ok
        assert "Traceback" not in self.node.log.read_text()


def build(folder: Path, **limits: int) -> tuple[Home, Member, Member]:
    """The homes: the victim's, the honest and the hostile member's."""
    victim, honest, hostile = members(folder, "victim", "honest", "hostile")
    import_values(victim, feed(*OURS))
    import_values(honest, feed(*THEIRS))
    return configure(victim, **limits), Member.of(honest), Member.of(hostile)


@pytest.fixture(scope="module")
def shared_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], House]]:
    """One node for many attacks; another one before the receipts that they owe it are overdue."""
    patient = {"idle_s": 6, "max_sessions": 1000, "max_sessions_per_peer": 1000}
    with ExitStack() as stack:

        @contextmanager
        def built() -> Iterator[House]:
            home, honest, hostile = build(tmp_path_factory.mktemp("house"), **patient)
            with serve(home) as node:
                yield House(home, node, honest, hostile)

        until, current = 0.0, None

        def house() -> House:
            nonlocal until, current
            if current is None or monotonic() > until:
                stack.close()
                current = stack.enter_context(built())
                until = monotonic() + SETTLE_WITHIN.total_seconds() / 2
            return current

        yield house


@pytest.fixture
def house(shared_house: Callable[[], House]) -> Iterator[House]:
    """A node that must be unharmed after the attack."""
    house = shared_house()
    yield house
    house.check()


@pytest.fixture
def own_house(tmp_path: Path) -> Iterator[House]:
    """A node for one attack, with the limits as they come."""
    home, honest, hostile = build(tmp_path)
    with serve(home) as node:
        house = House(home, node, honest, hostile)
        yield house
        house.check()
