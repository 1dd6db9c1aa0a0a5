"""Counting together at a node: what it convenes, what it joins, carries on, and what came of it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from secrets import token_bytes

import numpy as np

from crypto import labels
from crypto.secagg.base import LEAST, threshold
from crypto.secagg.noise import Noise, honest
from exchange.aggregation.dictionary import Dictionary
from exchange.aggregation.opening import SUM_WIDTH, Measure, Opening, Visibility
from exchange.aggregation.release import Released, goes_on, release, shown
from exchange.aggregation.vector import fill
from exchange.counting.books import CoordinatorsBooks, MembersBooks
from exchange.counting.taking_part import Input, Part, TakingPart
from exchange.counting.world import Counted, Progress
from exchange.errors import ConfigError, InputError, PeerMisbehaved, PolicyRefusal
from exchange.identity import keys
from exchange.identity.roster import Role
from exchange.indicators import PROFILE
from exchange.node import Node, checked
from exchange.policy import Policy
from exchange.policy import aggregation as rules
from exchange.rpc.coordinator_link import CoordinatorLink
from exchange.store.aggregations import Aggregations
from exchange.store.contributions import Contribution, Contributions
from exchange.store.journal import Journal

SLOTS = 8
SUM_CAP = 1 << 20
"""The most that one member adds to a sum: what is more is cut down to it."""
WHOLE_BYTES = 64 << 20
"""A result of so many masked bytes is computed anew whole; of a larger one, as much of it drawn at random."""
CHUNK_BYTES = 1 << 16
LEAST_CHUNKS = 16
ANYWHERE = ("0.0.0.0", "[::]")  # noqa: S104  # what a server listens on, and nobody can dial


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be counted.

    Attributes:
        dictionary: over which indicators; None where it follows from a count.
        measure: what.
        window: first and last day.
        purpose: why.
        members: who is asked; everybody on the roster where nobody is named.
        minimum: the least number of members whose sum is opened; as many as open one where it is left out.
        reporters: the least number of reporters behind a released number.
        step_s: how long each step waits.
        max_age_days: on one of so many last days of the window, or None.
        epsilon_milli: noise, in thousandths; 0 for exact numbers.
        visibility: who sees the numbers.
        base: the count that a sum goes on from.
    """

    dictionary: Dictionary | None
    measure: Measure
    window: tuple[date, date]
    purpose: str
    members: Sequence[str] = ()
    minimum: int | None = None
    reporters: int = 3
    step_s: int = 600
    max_age_days: int | None = None
    epsilon_milli: int = 0
    visibility: Visibility = Visibility.EVERYONE
    base: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A run that a coordinator asks us to join.

    Attributes:
        opening: what it asks.
        progress: how far it has come.
        ours: what we keep of it, if we have joined.
    """

    opening: Opening
    progress: Progress
    ours: Contribution | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run.

    Attributes:
        opening: what was asked.
        dictionary: over what.
        counted: the sum and what was signed.
        released: which numbers may be shown at all.
        visible: which of them to us, ``(entries,)``.
    """

    opening: Opening
    dictionary: Dictionary
    counted: Counted
    released: Released
    visible: np.ndarray[tuple[int], np.dtype[np.bool_]] = field(repr=False)


class Together:
    """The aggregations of a node, from both sides.

    Args:
        node: the node.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._home = node.home
        self._kept = Contributions(node.home)

    def convene(self, plan: Plan) -> Opening:
        """Open an aggregation; ``cosight serve`` of this home coordinates it from now on.

        Raises:
            InputError: what is planned cannot be counted, or its window was counted.
            ConfigError: the disk is in the way.
            LedgerError: the ledger cannot be written.
        """
        node, now = self._node, self._node.desk.clock()
        roster = node.alliance.current()
        members = tuple(sorted(set(plan.members))) or tuple(member.id for member in roster.members)
        if unknown := [name for name in members if name not in roster.by_id]:
            raise InputError(f"{unknown[0]} is not on the roster", hint="see: cosight alliance roster")
        try:
            dictionary, base = self._over(plan, members)
            opening = self._opening(plan, members, dictionary, base)
            node.setup(opening)
        except PeerMisbehaved as e:
            raise InputError(f"this cannot be counted: {e}", code="aggregation-malformed") from e
        signature = keys.sign(node.desk.identity, labels.AGGREGATE_SIGNATURE, opening.context)
        books = CoordinatorsBooks(node.ledger, node.desk.clock, lambda: None)
        Aggregations(self._home).convene(
            opening.context, opening.encoded, signature, dictionary.encoded,
            now=now, before=lambda: books.convened(opening),
        )  # fmt: skip
        return opening

    def _over(self, plan: Plan, members: tuple[str, ...]) -> tuple[Dictionary, bytes]:
        """Over which indicators is counted, and the count before it, if there is one."""
        if plan.dictionary is not None:
            return plan.dictionary, b""
        count = self.result(plan.base)
        minimum = plan.minimum or least(len(members))
        positions = goes_on(
            count.opening, count.counted.vector, count.counted.tally.survivors,
            members=members, minimum=minimum, reporters=plan.reporters,
        )  # fmt: skip
        return count.dictionary.subset(positions), count.opening.context

    def _opening(self, plan: Plan, members: tuple[str, ...], dictionary: Dictionary, base: bytes) -> Opening:
        node, counting = self._node, plan.measure is Measure.COUNT
        roster = node.alliance.current()
        n, minimum = len(members), plan.minimum or least(len(members))
        width = 8 if counting else SUM_WIDTH
        if plan.epsilon_milli:
            sure = honest(max(threshold(n), minimum), (n - 1) // 3)
            width = Noise(epsilon_milli=plan.epsilon_milli, cap=1, honest=sure).width(n)
        opening = Opening(
            alliance=roster.alliance, roster_epoch=roster.epoch, roster_hash=roster.hash,
            coordinator=self._home.member, members=members, session=token_bytes(32), purpose=plan.purpose,
            measure=plan.measure, profile=PROFILE, types=tuple(dictionary.by_type), dictionary=dictionary.root,
            entries=len(dictionary), window=plan.window, max_age_days=plan.max_age_days,
            slots=SLOTS if counting and not plan.epsilon_milli else 1, width=width,
            cap=1 if counting else SUM_CAP, minimum=minimum, reporters=plan.reporters,
            epsilon_milli=plan.epsilon_milli, base=base, visibility=plan.visibility, step_s=plan.step_s,
            software=node.desk.software, abandons=(),
        )  # fmt: skip
        return self._after(opening)

    def _after(self, opening: Opening) -> Opening:
        """The same with the earlier attempts that it gives up."""
        key, given_up = rules.key_of(opening), set[bytes]()
        store = Aggregations(self._home)
        for context in store.contexts():
            folder = store.find(context)
            if folder is None or not rules.key_of(Opening.decode(folder.opening)).overlaps(key):
                continue
            ending = folder.ended()
            if ending is None:
                raise InputError(
                    f"aggregation {context.hex()[:16]} over the same window is running", code="aggregation-running",
                    hint="wait for its end",
                )  # fmt: skip
            if not ending.code:
                raise InputError(
                    f"this window was counted, by {context.hex()[:16]}", code="window-counted",
                    hint="a second sum would differ by single members: choose days that were not counted",
                )  # fmt: skip
            given_up.add(context)
        ours = self._node.ledger.runs().in_the_way(key)
        given_up |= {bytes.fromhex(found.run.session) for found in ours if found.reason == "unfinished"}
        return replace(opening, abandons=tuple(sorted(given_up)))

    async def asked(self, coordinator: str, *, address: str | None = None) -> list[Asked]:
        """What a coordinator asks us to take part in.

        Raises:
            PeerRefused, PeerUnavailable: it does not say.
            PeerMisbehaved: it shows something that it did not sign, or that is no opening.
        """
        async with self._connect(coordinator, address)() as link:
            listed = [
                (self._read(coordinator, c.opening, c.signature), c.progress) for c in await link.convened()
            ]
        kept = {c.context: c for c in self._kept.all()}
        return [Asked(opening, progress, kept.get(opening.context)) for opening, progress in listed]

    async def take_up(self, opening: Opening, *, address: str | None = None) -> Contribution:
        """Fetch what belongs to a run that we want to join, ask our policy, and keep it.

        Raises:
            PolicyRefusal: our policy does not allow it; the ledger says so.
            PeerMisbehaved: the coordinator gives another dictionary than the one that it opened.
            PeerRefused, PeerUnavailable: it gives none.
        """
        peer = opening.coordinator
        async with self._connect(peer, address)() as link:
            convening, encoded = await link.opening(opening.context)
        if convening.opening != opening.encoded:
            raise PeerMisbehaved(f"{peer} shows another opening than it listed")
        dictionary = await asyncio.to_thread(Dictionary.decode, encoded)
        dictionary.check(opening)
        await asyncio.to_thread(self.decide, opening, dictionary)
        return self._kept.begin(opening.context, opening.encoded, convening.signature, encoded)

    def decide(self, opening: Opening, dictionary: Dictionary) -> Policy:
        """Ask our policy; a refusal is written down.

        Raises:
            PolicyRefusal: it does not allow it.
        """
        node, now = self._node, self._node.desk.clock()
        policy, (epoch, roster_hash) = node.load_policy(), node.desk.roster()
        convening = rules.Convening(
            opening=opening, us=self._home.member, roster_epoch=epoch, roster_hash=roster_hash,
            by_type=dictionary.by_type, derived=self._derived(opening),
        )  # fmt: skip
        quarantined = node.ledger.history(opening.coordinator, now).quarantined
        past = rules.Together(runs=node.ledger.runs(), quarantined=quarantined or "")
        decision = rules.decide(policy, convening, past, now)
        if not decision.allowed:
            node.ledger.append(
                "refused", now=now, peer=opening.coordinator, direction="responder", session=opening.name,
                what={"by": "us", "reason": "policy-refused", "rule": decision.rule},
            )  # fmt: skip
            raise PolicyRefusal(decision.explanation, code="policy-refused")
        return policy

    def _derived(self, opening: Opening) -> bytes | None:
        """What a sum has to run over, by our own copy of the count before it."""
        if opening.measure is Measure.COUNT:
            return None
        count = self.result(opening.base.hex())
        positions = goes_on(
            count.opening, count.counted.vector, count.counted.tally.survivors,
            members=opening.members, minimum=opening.minimum, reporters=opening.reporters,
        )  # fmt: skip
        return count.dictionary.subset(positions).root

    async def go_on(
        self,
        kept: Contribution,
        *,
        address: str | None = None,
        only_join: bool = False,
        told: Callable[[Progress], None] = lambda _progress: None,
    ) -> None:
        """Take part in what we have taken up: to the end, or for now by joining only.

        Raises:
            Broken: it was broken off.
            PeerRefused, PeerUnavailable: the coordinator does not want us, or is out of reach.
            CosightError: we may not say what we would have to say.
        """
        opening = self._read(None, kept.opening, kept.signature)
        with kept.alone():
            if kept.ended is not None:
                raise InputError(
                    "this aggregation is over for us", code="aggregation-over",
                    hint="see: cosight aggregate result",
                )  # fmt: skip
            journal = await asyncio.to_thread(Journal.open, self._kept.journal_file)
            try:
                part = TakingPart(
                    self._part(opening, kept, journal), self._connect(opening.coordinator, address), told
                )
                if only_join:
                    await part.join()
                else:
                    await part.run()
            finally:
                journal.close()

    def _part(self, opening: Opening, kept: Contribution, journal: Journal) -> Part:
        node, dictionary = self._node, Dictionary.decode(kept.dictionary)
        position = opening.position(self._home.member)
        if position is None:
            raise ConfigError("we are not among the members of this aggregation")
        books = MembersBooks(
            node.ledger, lambda: self.decide(opening, dictionary), node.desk.clock, node.seal
        )

        def count() -> Input:
            admitted = node.load_policy().aggregate
            if admitted is None:
                raise PolicyRefusal("our policy lets nothing be counted any more", code="policy-refused")
            known = node.store.known(dictionary, now=node.desk.clock(), admission=admitted.admission())
            return Input(fill(opening, dictionary, known.seen), known.withheld)

        masked = len(opening.members) * opening.size * opening.width // 8
        sample = max(LEAST_CHUNKS, WHOLE_BYTES // (CHUNK_BYTES * len(opening.members)))
        return Part(
            opening=opening, setup=node.setup(opening), position=position, kept=kept, journal=journal,
            books=books, sign=node.desk.identity.sign, count=count,
            sample=None if masked <= WHOLE_BYTES else sample,
        )  # fmt: skip

    def joined(self) -> list[tuple[Opening, Contribution]]:
        """What we have taken up, the newest first.

        Raises:
            StoreError: what is kept is damaged.
        """
        return [(Opening.decode(kept.opening), kept) for kept in self._kept.all()]

    def find(self, beginning: str) -> Contribution:
        """What we have taken up whose name begins so.

        Raises:
            InputError: there is none, or more than one.
        """
        return self._kept.find(beginning)

    def result(self, beginning: str) -> Outcome:
        """What came of a run, as a member or as its coordinator.

        Raises:
            InputError: we know no such run, or nothing came of it.
        """
        store = Aggregations(self._home)
        found: dict[bytes, tuple[bytes, bytes, Counted | None]] = {
            context: (folder.opening, folder.dictionary().read(), folder.counted())
            for context in store.contexts()
            if context.hex().startswith(beginning) and (folder := store.find(context)) is not None
        }
        found |= {
            kept.context: (kept.opening, kept.dictionary, kept.counted())
            for kept in self._kept.all()
            if kept.context.hex().startswith(beginning)
        }
        if len(found) != 1:
            how_many = "more than one aggregation has" if found else "no aggregation has"
            raise InputError(
                f"{how_many} a name that begins with {beginning!r}", hint="see: cosight aggregate result"
            )
        [(encoded, dictionary, counted)] = found.values()
        if counted is None:
            raise InputError(
                "nothing came of this aggregation yet", code="no-result",
                hint="go on with it: cosight aggregate run",
            )  # fmt: skip
        opening = Opening.decode(encoded)
        released = release(opening, counted.vector, len(counted.tally.survivors))
        administrators = [m.id for m in self._node.alliance.current().members if m.role is Role.ADMINISTRATOR]
        visible = shown(opening, self._home.member, administrators, counted.ours)
        return Outcome(opening, Dictionary.decode(dictionary), counted, released, visible)

    def _read(self, coordinator: str | None, encoded: bytes, signature: bytes) -> Opening:
        """An opening that its coordinator signed.

        Raises:
            PeerMisbehaved: it is none, or another's.
        """
        opening = Opening.decode(encoded)
        peer, alliance = opening.coordinator, self._node.alliance
        member = alliance.find(peer)
        if (coordinator not in {None, peer}) or opening.alliance != alliance.alliance or member is None:
            raise PeerMisbehaved(f"{coordinator or peer} shows the opening of somebody else")
        if not keys.verify(member.identity_key, labels.AGGREGATE_SIGNATURE, opening.context, signature):
            raise PeerMisbehaved(f"{peer} shows an opening that it did not sign", code="bad-signature")
        return opening

    def _connect(
        self, coordinator: str, address: str | None
    ) -> Callable[[], AbstractAsyncContextManager[CoordinatorLink]]:
        node = self._node
        where = checked(address or self._address(coordinator))

        @asynccontextmanager
        async def connect() -> AsyncIterator[CoordinatorLink]:
            idle_s = self._home.settings.limits.idle_s
            async with CoordinatorLink(node.alliance, coordinator, where, idle_s=idle_s) as link:
                await link.hello()
                yield link

        return connect

    def _address(self, coordinator: str) -> str:
        """Where a coordinator is reached; our own node where we coordinate ourselves."""
        if coordinator != self._home.member:
            return self._node.alliance.address(coordinator)
        host, _, port = self._home.settings.listen.rpartition(":")
        if port == "0":
            raise ConfigError(
                "our own node listens on a port that it chooses", code="no-address",
                hint="give it with --address",
            )  # fmt: skip
        return f"{'127.0.0.1' if host in ANYWHERE else host}:{port}"


def least(n: int) -> int:
    """The least number of members whose sum is opened, where nothing is said: as many as it takes to open one."""
    return max(LEAST, threshold(n))
