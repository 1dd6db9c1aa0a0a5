"""A member's side: takes part in one aggregation to its end, and can be killed at any moment.

All that is random in a run comes from one stored seed, and our words are stored before the first message
leaves. So a member that starts again computes the same messages, is told again what it was told, and goes on
where it was. The journal sees to it that it never says anything else in a place where it has spoken.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from crypto import labels
from crypto.errors import Blamed, PeerFault, TooFew
from crypto.secagg.base import Aggregate, Fetch, Masked, Roll, Setup, Shares, Step
from crypto.secagg.masking import member
from crypto.seeded import seeded
from crypto.session import Message, Receive, Send, Session
from exchange import wire
from exchange.aggregation.opening import Opening
from exchange.aggregation.tally import Tally
from exchange.aggregation.vector import Filled
from exchange.counting.broken import Broken
from exchange.counting.world import (
    PROTOCOL,
    Collected,
    Contributed,
    Contribution,
    Coordinated,
    Counted,
    Journal,
    Progress,
)
from exchange.disclosure.drive import in_thread
from exchange.disclosure.patience import patiently
from exchange.errors import CosightError, PeerRefused, StoreError
from exchange.identity import encoding
from exchange.indicators import IndicatorType

T = TypeVar("T")
WAIT_S = 20.0
"""How long one call waits for a step to begin."""
PATIENCE = 3
"""How many times as long as a step lasts we wait for its end: after a restart it begins anew."""
LOST = {"step-over": "too-late", "session-unknown": "forgotten"}
"""Refusals after which a run is over for us, and what the ledger says then: the others have gone on, or the
coordinator knows nothing of it any more."""
_MORE = 1 << 12

Connect = Callable[[], AbstractAsyncContextManager[Coordinated]]


@dataclass(frozen=True, slots=True)
class Input:
    """What we put in.

    Attributes:
        filled: our vector, and what the ledger says of it.
        withheld: by rule, how many of each type of what we hold of the dictionary it held back.
    """

    filled: Filled
    withheld: Mapping[str, Mapping[IndicatorType, int]] = field(default_factory=dict)


class Books(Protocol):
    """What of it is written into our ledger; each once, however often it is asked for."""

    def joined(self, opening: Opening) -> None:
        """Before we say that we take part."""

    def masked(self, opening: Opening, put_in: Input) -> None:
        """Before our vector leaves: from here on the window is used."""

    def shared(self, opening: Opening, survivors: int) -> None:
        """Before our shares leave, with which the sum of so many is opened."""

    def counted(self, opening: Opening, vector: NDArray[Any], tally: Tally) -> None:
        """It came to its end."""

    def broken(self, opening: Opening, code: str, culprits: tuple[str, ...], *, by: str) -> None:
        """It did not, why, who is to blame by our own finding, and who gave it up: ``us`` or ``peer``."""


@dataclass(frozen=True, slots=True)
class Part:
    """What we take part with.

    Attributes:
        opening: what is asked.
        setup: the same for the scheme.
        position: ours.
        kept: where it is kept.
        journal: what we have said.
        books: our ledger.
        sign: our identity key's signature.
        count: finds out what we put in; asked once.
        sample: how many chunks of the result we compute anew; None for all of them.
    """

    opening: Opening
    setup: Setup
    position: int
    kept: Contribution
    journal: Journal
    books: Books
    sign: Callable[[bytes], bytes] = field(repr=False)
    count: Callable[[], Input] = field(repr=False)
    sample: int | None = None


class TakingPart:
    """One member in one aggregation.

    Args:
        part: what it takes part with.
        connect: opens a connection to the coordinator, which has proved its identity.
        told: called with how far it has come, now and then.
    """

    def __init__(
        self, part: Part, connect: Connect, told: Callable[[Progress], None] = lambda _progress: None
    ) -> None:
        self._part = part
        self._connect = connect
        self._told = told
        self._line: Coordinated | None = None
        self._open = AsyncExitStack()
        self._collected: Collected | None = None
        self._collecting = AsyncExitStack()
        self._said = 0
        self._have = 0
        self._asked = False
        self._survivors = 0
        self._input: Input
        self._contact = self._spoke = monotonic()

    async def join(self) -> None:
        """Say that we take part, and no more for now.

        Raises:
            PeerRefused: the coordinator does not want us, or it is too late.
            PeerUnavailable: it cannot be reached in the time that the step has.
        """
        await self._go(only_join=True)

    async def run(self) -> Aggregate:
        """Take part to the end. What came of it is in our ledger and kept.

        Raises:
            Broken: it was broken off; our ledger says why, and who is to blame.
            PeerError: the coordinator cannot be reached any more, or does not want us.
            CosightError: we may not say here what we would have to say.
        """
        aggregate = await self._go()
        assert aggregate is not None
        return aggregate

    async def _go(self, *, only_join: bool = False) -> Aggregate | None:
        part = self._part
        try:
            self._input = await in_thread(_put_in, part)
            seed = await in_thread(part.kept.seed)
            await in_thread(part.books.joined, part.opening)
            noise = await in_thread(_noise, part, seed)
            role = member(
                self._input.filled.words, part.setup, part.position, part.sign,
                noise=noise, sample=part.sample, rng=seeded(labels.AGGREGATE_SEED, seed),
            )  # fmt: skip
            session: Session[Aggregate] = Session(role)
            try:
                await self._drive(session, only_join=only_join)
            finally:
                session.close()
            if not only_join:
                await in_thread(_finish, part, self._input, session.result)
                return session.result
        except Broken as e:
            await in_thread(_break, part, e)
            raise
        except PeerRefused as e:
            if (reason := LOST.get(e.code)) is None:
                raise
            broken = await self._told_of_a_loss(reason)
            await in_thread(_break, part, broken)
            if broken.reason == reason:
                raise
            raise broken from e
        except Blamed as e:
            culprits = tuple(part.opening.members[p] for p in e.positions)
            raise await self._found(e.code, *(culprits or [part.opening.coordinator])) from e
        except TooFew as e:
            raise await self._found("too-few") from e
        except PeerFault as e:
            raise await self._found("bad-message", part.opening.coordinator) from e
        finally:
            await self._hang_up()
        return None

    async def _drive(self, session: Session[Aggregate], *, only_join: bool) -> None:
        await in_thread(session.advance)
        while (step := session.step) is not None:
            if isinstance(step, Send):
                await self._say(step.message)
                if only_join:
                    return
                await in_thread(session.advance)
            elif isinstance(step, Fetch):
                message = await self._patiently(partial(self._fetch, step))
                await in_thread(session.advance, message)
            else:
                message = await self._patiently(partial(self._hear, step))
                await in_thread(session.advance, message)

    async def _say(self, message: Message) -> None:
        """Say the message of the next step: on record first, then as often as it takes to be heard."""
        part, step = self._part, Step(self._said + 1)
        digest = await in_thread(wire.digest, PROTOCOL, message)
        if isinstance(message, Masked):
            await in_thread(part.books.masked, part.opening, self._input)
        elif isinstance(message, Shares):
            await in_thread(part.books.shared, part.opening, self._survivors)
        abandons = part.opening.abandons if step is Step.JOINING else ()
        await in_thread(part.journal.speak, part.opening.context, int(step), digest, abandons=abandons)
        contributed = Contributed(part.opening.context, int(step), type(message).__name__, digest)
        await self._hush()

        async def say() -> None:
            line = await self._reach()
            await line.contribute(contributed, message)

        await self._patiently(say)
        self._said, self._have, self._spoke, self._asked = int(step), 0, monotonic(), False

    async def _hear(self, want: Receive) -> Message:
        """The next message of the step that follows the one in which we spoke last."""
        while self._collected is None:
            if monotonic() - self._spoke > PATIENCE * self._part.opening.step_s + WAIT_S:
                raise PeerRefused(
                    "the coordinator does not go on", code="peer-stalled",
                    hint="ask it whether its node runs; then go on: cosight aggregate run",
                )  # fmt: skip
            line, wait_s = await self._reach(), WAIT_S if self._asked else 0  # at first, how it stands
            waiting = line.collect(self._part.opening.context, self._said + 1, have=self._have, wait_s=wait_s)
            collected = await self._collecting.enter_async_context(waiting)
            self._contact = monotonic()
            self._asked = True
            self._told(collected.progress)
            if collected.progress.broken:
                raise self._told_of_its_end(collected.progress)
            if collected.progress.step > self._said:
                self._collected = collected
            else:
                await self._hush()
        message = await self._collected.receive(want)
        self._have += 1
        if isinstance(message, Roll) and self._said == Step.MASKING:
            self._survivors = int.from_bytes(message.members, "little").bit_count()
        return message

    def _told_of_its_end(self, progress: Progress) -> Broken:
        """What the coordinator says of the end; whoever blames somebody who is not in it lies."""
        opening = self._part.opening
        if set(progress.culprits) <= {*opening.members, opening.coordinator}:
            return self._broken(progress.broken, *progress.culprits)
        return self._broken("bad-message", opening.coordinator, found=True)

    async def _told_of_a_loss(self, reason: str) -> Broken:
        """How a run ended that does not take us any more: it may be over for all."""
        with suppress(CosightError):
            line, context = await self._reach(), self._part.opening.context
            async with line.collect(context, Step.DONE, have=0, wait_s=0) as collected:
                if collected.progress.broken:
                    return self._told_of_its_end(collected.progress)
        return self._broken(reason)

    async def _found(self, code: str, *culprits: str) -> Broken:
        """Our own role cannot go on: on record, with who is to blame."""
        broken = self._broken(code, *culprits, found=True)
        await in_thread(_break, self._part, broken)
        return broken

    def _broken(self, reason: str, *culprits: str, found: bool = False) -> Broken:
        spoken = self._part.journal.spoken(self._part.opening.context)  # before a restart, too
        return Broken(reason, culprits, found=found, shared=Step.UNMASKING in spoken)

    async def _fetch(self, want: Fetch) -> Message:
        line = await self._reach()
        return await line.replay(self._part.opening.context, want, want.chunk)

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        """Try until it is done, or the coordinator was out of reach for as long as a step takes."""
        step_s = self._part.opening.step_s
        result = await patiently(work, until=lambda: self._contact + step_s, failed=self._hang_up)
        self._contact = monotonic()
        return result

    async def _reach(self) -> Coordinated:
        """The open connection, or a new one."""
        if self._line is None:
            self._line = await self._open.enter_async_context(self._connect())
        return self._line

    async def _hush(self) -> None:
        """End the call by which messages are collected."""
        self._collected = None
        await self._collecting.aclose()

    async def _hang_up(self) -> None:
        """Close the connection."""
        await self._hush()
        self._line = None
        await self._open.aclose()


def _put_in(part: Part) -> Input:
    """What we put in: what we kept of it, or what we find now, and keep before anything leaves."""
    if (kept := part.kept.vector()) is None:
        found = part.count()
        told = {
            "words": found.filled.words.astype(part.setup.words).tobytes(),
            "entered": _plain(found.filled.entered),
            "clipped": found.filled.clipped,
            "withheld": {rule: _plain(types) for rule, types in found.withheld.items()},
        }
        part.kept.put_vector(encoding.encode(told))
        kept = part.kept.vector()
    limit = part.setup.size * part.setup.word_bytes + _MORE
    try:
        read = encoding.table(
            encoding.decode(kept or b"", limit=limit), words=bytes, entered=dict, clipped=int, withheld=dict
        )
        words = np.frombuffer(read["words"], part.setup.words)
        filled = Filled(words, _types(read["entered"]), read["clipped"])
        return Input(filled, {rule: _types(types) for rule, types in read["withheld"].items()})
    except ValueError as e:
        raise StoreError("what we put into this aggregation is damaged") from e


def _plain(types: Mapping[IndicatorType, int]) -> dict[str, int]:
    return {str(kind): n for kind, n in types.items()}


def _types(plain: Mapping[str, int]) -> dict[IndicatorType, int]:
    return {IndicatorType(kind): n for kind, n in plain.items()}


def _noise(part: Part, seed: bytes) -> NDArray[Any] | None:
    """What we add beside our numbers, where the run has noise: the same after a restart."""
    noise = part.opening.noise
    return None if noise is None else noise.draw(part.setup.size, rng=seeded(labels.AGGREGATE_NOISE, seed))


def _finish(part: Part, put_in: Input, aggregate: Aggregate) -> None:
    """Keep what came of it, write it into the ledger, and delete our secrets of it."""
    tally = Tally.of(part.opening.context, aggregate)
    part.kept.finish(Counted(aggregate.vector, tally, put_in.filled.ours(part.opening.words)))
    part.books.counted(part.opening, aggregate.vector, tally)
    part.kept.end("", ())


def _break(part: Part, broken: Broken) -> None:
    """It is over and nothing came of it: on record, and our secrets of it are deleted.

    Whom the coordinator blames is its word, of which we have no proof: our records name whom we caught.
    """
    culprits = broken.culprits if broken.found else ()
    part.books.broken(part.opening, broken.reason, culprits, by="us" if broken.found else "peer")
    part.kept.end(broken.reason, culprits)
