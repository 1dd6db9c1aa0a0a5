"""The composition root: the only place that builds objects out of a home."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import TracebackType
from typing import Self

from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from crypto.psi import PROTOCOLS, Output
from crypto.secagg.base import Setup
from exchange.aggregation.opening import Opening
from exchange.agreement import Rung, size_class
from exchange.clock import utc_now
from exchange.config import Home
from exchange.counting.books import CoordinatorsBooks
from exchange.counting.coordinating import Coordinating
from exchange.disclosure import (
    Desk,
    Items,
    Outcome,
    Warmed,
    Wish,
    allows,
    commit,
    epochs,
    greet,
    judge_peer,
    match,
    ours_for,
    warm,
)
from exchange.disclosure.asking import Answered, ask
from exchange.disclosure.publishing import Built, Edition, publish
from exchange.discoveries import service
from exchange.errors import ConfigError, CosightError, LedgerError, PeerRefused, PolicyRefusal
from exchange.indicators import Indicator
from exchange.ledger.document import Document, DocumentKind
from exchange.ledger.seal import ALGORITHM
from exchange.names import is_address
from exchange.planning import AUTO, COUNTS, DEFAULTS, Measured, Plan, choose, machine
from exchange.policy import Condition, Past, Policy
from exchange.rpc.client import PeerLink
from exchange.rpc.server import Server
from exchange.store import Store
from exchange.store.aggregations import Aggregations
from exchange.store.alliance import Alliance, home_ledger, node_keys
from exchange.store.correlations import Correlations
from exchange.store.epochs import Epochs
from exchange.store.fetched import Fetched
from exchange.store.guard import guard_key, seal_seed
from exchange.store.home import open_store
from exchange.store.policies import home_policy
from exchange.store.publications import Publications
from exchange.store.results import Results
from exchange.store.sketches import SketchFiles
from exchange.store.warninglists import node_lists
from exchange.version import SOFTWARE

WITH_CONTEXTS = "-context"
"""What the names of the engines end with where they carry contexts."""
_FASTEST = {Rung.OVERLAP, Rung.CONTEXT}
"""The rungs of which every protocol tells the same, so that the fastest is taken."""


class Node:
    """One member's node, built from its home. Close it, or use it as ``with``.

    Args:
        home: its home.
        items: our set, where it does not come from the store.
        clock: the time, UTC.

    Raises:
        ConfigError: the home, a key, the policy or a roster is not usable.
        StoreError, LedgerError: a database cannot be opened.
    """

    def __init__(
        self, home: Home, *, items: Items | None = None, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self.home = home
        own = node_keys(home)
        self.alliance = Alliance(home, own, clock)
        self._clock = clock
        self._server: Server | None = None
        home_policy(home)  # a policy that cannot be read is found now, not at the first proposal
        self._store: Store | None = None
        if items is None:
            items = self._store = open_store(home)
            self._store.screen(node_lists(home))  # nothing to do unless a list or its mode has changed
        self.ledger = home_ledger(home, own, self.alliance.alliance)
        sealed = home.settings.seal == ALGORITHM
        self._seal_key = MLDSA44PrivateKey.from_seed_bytes(seal_seed(home)) if sealed else None
        self._recorded = Recorded(self.ledger.roster_epoch(), self.ledger.policy())
        self.publications = Publications(home)
        self.counts = Coordinating(
            Aggregations(home), self.setup, CoordinatorsBooks(self.ledger, clock, self.seal), clock
        )
        self.desk = Desk(
            member=home.member,
            alliance=self.alliance.alliance,
            roster=self._roster,
            identity=own.identity,
            find=self.alliance.find,
            policy=self.load_policy,
            items=items,
            ledger=self.ledger,
            stash=Correlations(home),
            sketches=SketchFiles(home),
            epochs=Epochs(home),
            clock=clock,
            software=SOFTWARE,
            limits=home.settings.limits,
            guard_key=guard_key(home),
            seal=self.seal,
            keep=Results(home).keep,
            shelf=self.publications,
        )
        epochs.expire(self.desk)
        self._measured = Measured(home.path / "measured.json", machine(SOFTWARE))
        self._roster()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the databases."""
        self.ledger.close()
        if self._store is not None:
            self._store.close()

    def load_policy(self) -> Policy:
        """The policy as the file says it now: editing it needs no restart. A new one goes into the ledger.

        Raises:
            ConfigError: the file is missing or not a valid policy.
            LedgerError: the ledger cannot be written.
        """
        _, found = home_policy(self.home)
        name = found.hash.hex()
        if name != self._recorded.policy:
            documents = [Document(DocumentKind.POLICY, found.encoded)]
            what = {"revision": found.revision}
            self.ledger.append("policy", now=self._clock(), documents=documents, policy=name, what=what)
            self._recorded.policy = name
        return found

    def setup(self, opening: Opening) -> Setup:
        """What an opening means to the scheme: its members' keys are those of its roster.

        Raises:
            PeerMisbehaved: its members are not on that roster, or it cannot be run.
            RosterError: we do not hold that roster.
        """
        return opening.setup(self.alliance.identities(opening.roster_epoch, opening.members))

    def seal(self) -> None:
        """Seal the ledger, where the configuration says so: after every session."""
        if self._seal_key is not None:
            self.ledger.seal(self._seal_key, now=self._clock())

    async def serve(self, listen: str | None = None) -> int:
        """Serve until ``stop``. Returns the port.

        Raises:
            ConfigError: it is no address, or cannot be bound.
        """
        parts, idle_s = service(self.home, self.alliance, self.desk), self.home.settings.limits.idle_s
        self._server = Server(self.desk, self.alliance, self.counts, idle_s=idle_s, service=parts)
        return await self._server.start(checked(listen or self.home.settings.listen))

    async def stop(self) -> None:
        """Stop serving; running sessions get a moment to end."""
        if self._server is not None:
            await self._server.stop()

    async def match(self, peer: str, wish: Wish, *, address: str | None = None) -> Outcome:
        """One session with a peer.

        Args:
            peer: its member id.
            wish: what we want to know.
            address: its ``HOST:PORT``, where the roster and the configuration are not to be asked.

        Raises:
            PolicyRefusal: our own policy does not allow it.
            PeerError: the peer refused, is gone, lied, or exceeded a limit.
        """
        async with self._link(peer, address) as link:
            await asyncio.to_thread(commit, self.desk)
            outcome = await self._match(peer, wish, link)
        await asyncio.to_thread(self._measured.remember, peer, outcome.peer_padded, outcome.bytes_per_s)
        if outcome.ids is None:
            return outcome
        # Only now, with the link closed: this takes the longer the more there is to look up.
        matches = await asyncio.to_thread(self.desk.items.values, outcome.ids)
        findings = await asyncio.to_thread(judge_peer, self.desk, peer, outcome.session, outcome.ids)
        return replace(outcome, matches=matches, alarms=tuple(finding.kind for finding in findings))

    async def plan(self, peer: str, wish: Wish, *, address: str | None = None) -> Plan:
        """What a match would cost, predicted. The peer is greeted, and nothing is proposed.

        Raises:
            PolicyRefusal: our own policy allows no protocol of this rung that the peer has.
            PeerError: the peer is gone, or does not prove who it is.
        """
        async with self._link(peer, address) as link:
            ours = await asyncio.to_thread(ours_for, self.desk, peer, wish.types)
            await link.hello()
            names = await self._allowed(peer, wish, ours.offer.size, link)
            if not names:
                raise PolicyRefusal(
                    f"our policy allows no session at the rung {wish.rung} with a protocol that {peer} has",
                    code="policy-refused", hint=f"see: cosight policy explain {peer} --reveal {wish.rung}",
                )  # fmt: skip
            return await self._plan(peer, wish, names, ours.offer.size, link)

    async def match_both_ways(
        self, peer: str, wish: Wish, *, address: str | None = None
    ) -> tuple[Outcome, Outcome | CosightError]:
        """A session with a peer, and a second one in which the peer is the receiver.

        Each side then has its result from its own run, and neither depends on what the other hands back. Each
        can still leave items out of its own set, and we could stop after the first run.

        Returns:
            The first outcome, which is ours, and what we know of the second, or why there is none.

        Raises:
            PolicyRefusal, PeerError: as for a match, if the first session came to nothing.
        """
        ours = await self.match(peer, wish, address=address)
        turned = replace(wish, turned=True, protocol=ours.protocol or wish.protocol)
        try:
            return ours, await self.match(peer, turned, address=address)
        except CosightError as e:
            return ours, e

    async def climb(
        self, peer: str, wish: Wish, condition: Condition, *, address: str | None = None
    ) -> tuple[Outcome, Outcome | None]:
        """The rung that a condition speaks of; then, if its result fulfils it, the rung that is wanted.

        Returns:
            The lower session, and the higher one if it was run.

        Raises:
            PolicyRefusal, PeerError: as for a match; what was run before is in the ledger.
        """
        first = replace(wish, rung=condition.rung, protocol=AUTO, output=Output.RECEIVER)
        lower = await self.match(peer, first, address=address)
        past = Past(
            session=lower.session, began=self._clock(), direction="initiator", rung=lower.rung,
            types=lower.types, ours=lower.ours, peer_padded=lower.peer_padded,
            **lower.found.known(),
        )  # fmt: skip
        if not condition.holds(past):
            return lower, None
        below = bytes.fromhex(lower.session)
        return lower, await self.match(peer, replace(wish, below=below), address=address)

    async def warm(self, peer: str, wish: Wish, n: int, *, address: str | None = None) -> Warmed:
        """Do ahead what a match of up to ``n`` items can do ahead.

        Raises:
            ConfigError: it is ourselves, or the protocol has no such part.
            PolicyRefusal: our own policy does not allow it.
            PeerError: the peer refused, is gone, lied, or exceeded a limit.
        """
        async with self._link(peer, address) as link:
            return await warm(self.desk, peer, wish, n, link)

    async def query(
        self,
        peer: str,
        questions: Sequence[Indicator],
        *,
        purpose: str = "",
        confirm: bool = False,
        address: str | None = None,
        progress: Callable[[int], None] = lambda _count: None,
    ) -> Answered:
        """Ask the filter that a peer publishes, at least one question: see ``exchange.disclosure.asking``.

        Raises:
            PolicyRefusal, PeerError: as for a match.
        """
        distinct = list(dict.fromkeys(questions))
        async with self._link(peer, address) as link:
            await asyncio.to_thread(commit, self.desk)
            return await ask(
                self.desk, peer, distinct, link, Fetched(self.home),
                purpose=purpose, confirm=confirm, progress=progress,
            )  # fmt: skip

    def publish(self, edition: Edition, *, progress: Callable[[int], None] = lambda _count: None) -> Built:
        """Publish our set as a filter, or the next filter of the epoch.

        Raises:
            PolicyRefusal: our policy lets nobody ask, or not as is asked for.
            ConfigError, StoreError: the home cannot be written, or another process publishes just now.
        """
        others = [m.id for m in self.alliance.current().members if m.id != self.home.member]
        return publish(self.desk, self.publications, edition, others, progress=progress)

    def _link(self, peer: str, address: str | None) -> PeerLink:
        if peer == self.home.member:
            raise ConfigError("a match needs another member", hint="see: cosight alliance roster")
        self.alliance.member_named(peer)
        where = checked(address or self.alliance.address(peer))
        return PeerLink(self.alliance, peer, where, idle_s=self.home.settings.limits.idle_s)

    async def _match(self, peer: str, wish: Wish, link: PeerLink) -> Outcome:
        """One session, with the protocol that is asked for or the best that there is."""
        if wish.protocol != AUTO:
            return await match(self.desk, peer, wish, link)
        if wish.rung is Rung.SIZE:
            return await match(self.desk, peer, replace(wish, protocol=DEFAULTS[wish.rung]), link)
        ours = await asyncio.to_thread(ours_for, self.desk, peer, wish.types)
        contact = await greet(self.desk, peer, link)
        names = await self._allowed(peer, wish, ours.offer.size, link)
        plan = None
        if wish.rung in _FASTEST and names:
            plan = await self._plan(peer, wish, names, ours.offer.size, link)
            names = [plan.protocol]
        for name in names[:-1]:
            try:
                return await match(
                    self.desk, peer, replace(wish, protocol=name), link, ours=ours, contact=contact
                )
            except PeerRefused as e:
                if e.code != "policy-refused":
                    raise  # the peer may give a count that says less
        last = names[-1] if names else DEFAULTS[wish.rung]
        outcome = await match(self.desk, peer, replace(wish, protocol=last), link, ours=ours, contact=contact)
        return replace(outcome, plan=plan)

    async def _allowed(self, peer: str, wish: Wish, ours: int, link: PeerLink) -> list[str]:
        """The protocols of a rung that the peer said it has and that our policy allows; the best first."""
        known: Collection[str] = {
            Rung.CARDINALITY: COUNTS,
            Rung.OVERLAP: PROTOCOLS,
            Rung.CONTEXT: [name + WITH_CONTEXTS for name in PROTOCOLS],
        }.get(wish.rung, [DEFAULTS[wish.rung]])
        if wish.protocol != AUTO:
            known = [wish.protocol]
        return [
            name
            for name in known
            if name in link.protocols
            and await asyncio.to_thread(allows, self.desk, peer, replace(wish, protocol=name), ours)
        ]

    async def _plan(self, peer: str, wish: Wish, names: Sequence[str], ours: int, link: PeerLink) -> Plan:
        """What a session costs with each protocol; the first is taken where they tell different things."""
        n_r = size_class(ours)
        known = self._measured.padded(peer)
        line = self._measured.line(peer, await link.round_trip_s())
        computing = await asyncio.to_thread(self._measured.computing, names)
        plan = choose(names, computing, line, n_r, known or n_r, wish.output)
        taken = plan.protocol if wish.rung in _FASTEST else names[0]
        return replace(plan, protocol=taken, peer_known=known is not None)

    def _roster(self) -> tuple[int, bytes]:
        """The roster in force; a new one is written into the ledger when it is first used."""
        epoch, roster_hash = self.alliance.roster()
        if epoch > self._recorded.epoch:
            named, roster = self.alliance.alliance, roster_hash.hex()
            try:
                self.ledger.append("roster", now=self._clock(), alliance=named, epoch=epoch, roster=roster)
            except LedgerError:  # another process of this home may have been first
                if epoch > self.ledger.roster_epoch():
                    raise
            self._recorded.epoch = epoch
        return epoch, roster_hash


@dataclass(slots=True)
class Recorded:
    """What our ledger says is in force."""

    epoch: int
    policy: str


def checked(address: str) -> str:
    """The address, if it is one: gRPC takes port 99999 for another and a bare name for port 443."""
    if not is_address(address):
        raise ConfigError(f"{address!r} is no address", hint="write HOST:PORT, such as 127.0.0.1:7443")
    return address
