"""A member's own part in a discovery: it asks the helpers, brings one batch, and reads what comes of it.

Whatever leaves is written down before, and is kept: run again, it goes on where it was, with the same batch.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from secrets import token_bytes
from time import perf_counter
from typing import Any, TypeVar

import numpy as np

from crypto import labels
from crypto.oprf import Reply
from crypto.rows import Rows
from crypto.secagg import helpers
from crypto.secagg.words import seal_words
from crypto.seeded import seeded
from exchange.aggregation.announced import Signed, Split
from exchange.aggregation.lots import epoch_of
from exchange.aggregation.round import Learns, Round, day_of
from exchange.agreement import size_class
from exchange.disclosure.asking import rows_of
from exchange.disclosure.drive import in_thread
from exchange.discovery import proof, signing, words
from exchange.discovery.announcing import announced
from exchange.discovery.books import Books
from exchange.discovery.bringing import bring
from exchange.discovery.checking import check_names, checked
from exchange.discovery.keeping import MOST_WAIT_S, TOO_FEW
from exchange.discovery.kept import Lines, Own, Parcel, pack, parcel, served
from exchange.discovery.meeting import answered, catch_up, explained, meet
from exchange.discovery.modes import mode_of
from exchange.discovery.office import Office
from exchange.discovery.outcome import Outcome
from exchange.discovery.preparing import Ours, cost_of, ours_of, plan_of
from exchange.discovery.search import Found, Search, Shared
from exchange.discovery.sizes import largest_brought, largest_outcome, root_bytes, words_size
from exchange.discovery.tagging import SPARE, asked_of
from exchange.discovery.words import TooMany
from exchange.discovery.world import (
    OTHERS,
    Collected,
    Deposit,
    Line,
    PartMisbehaved,
    Stage,
    State,
    pieces,
)
from exchange.errors import ConfigError, CosightError, PeerMisbehaved, PeerRefused, PolicyRefusal

log = logging.getLogger(__name__)
T = TypeVar("T")
MOST_ROSTERS = 5
"""How often we begin, each time under a newer roster."""
SEED, TOKEN = "seed", "token"
"""Among what we keep: of a plan what our token is drawn from, and of a session the token."""
OVER = {"discovery-broken"}
"""How a session ends that does not begin again."""
NEVER = {"too-large", "too-late", "second-batch", Split.CODE}
"""Refusals after which a relay has not taken what we bring, and never will."""


async def discover(
    office: Office, search: Search, own: Own, *, progress: Callable[[str], None] = lambda _what: None
) -> Found:
    """Take part in the discovery that is asked for, until its outcome is there.

    Args:
        office: who we are.
        search: what is asked.
        own: what we keep.
        progress: told what is done now.

    Raises:
        PolicyRefusal: our own policy does not allow it; the ledger says so, and nothing left.
        PeerError: somebody who has a part in it refused, is gone, or lied.
        CosightError: too few took part; run again, the batch is kept.
    """
    member = _Member(office, search, own, progress)
    return await member.run()


class _Member:
    """One run of one member."""

    def __init__(self, office: Office, search: Search, own: Own, progress: Callable[[str], None]) -> None:
        self._office = office
        self._desk = office.desk
        self._search = search
        self._own = own
        self._books = Books(office.desk, own)
        self._progress = progress
        self._lines = Lines(office)
        self._began = perf_counter()
        self._crypto_s = 0.0
        self._asked = 0
        self._keys: tuple[Signed, ...] = ()
        self._culprits: set[tuple[str, str]] = set()
        self._accused: set[tuple[str, str]] = set()
        self._told_all = 0
        self._apart = False

    async def run(self) -> Found:
        await in_thread(self._books.close_cut_off)
        with self._own.taking_part():
            await in_thread(self._own.expire, epoch_of(day_of(self._desk.clock()) - 1))
            for _ in range(MOST_ROSTERS):
                plan = await self._planned()
                try:
                    return await self._taken_part(plan)
                except (PolicyRefusal, PeerRefused, ConfigError) as e:
                    if e.code == "roster-mismatch":
                        await catch_up(self._lines)
                    if self._office.roster().hash == plan.roster_hash:
                        if isinstance(e, PeerRefused):
                            raise explained(e, plan) from e
                        raise
                self._progress("a newer roster came: beginning again")
        raise ConfigError(
            "a newer roster came whenever we began", code="roster-mismatch", hint="run the same again"
        )

    async def _planned(self) -> Round:
        """What is asked of whom; where we know of too few members for that, by a newer roster."""
        try:
            return await in_thread(plan_of, self._office, self._search)
        except CosightError as e:
            if e.code not in {"too-few-members", "bad-discovery"} or not await catch_up(self._lines):
                raise
        return await in_thread(plan_of, self._office, self._search)

    async def _taken_part(self, plan: Round) -> Found:
        """All that comes after the plan."""
        policy = await in_thread(self._books.allowed, plan)
        if plan.largest:
            self._progress(cost_of(plan))
        await meet(self._lines, plan, self._search.wait_s, self._progress)
        if self._office.roster().hash != plan.roster_hash:
            raise ConfigError("a newer roster came", code="roster-mismatch")
        self._progress("asking for keys")
        of, self._keys = await self._answered(
            plan, lambda: announced(self._office, self._lines, self._own, plan)
        )
        ours = await in_thread(ours_of, self._desk, policy, of)
        resumed = await in_thread(parcel, self._own, of, Stage.BATCHES) is not None
        put_in = await in_thread(self._books.joined, of, ours.put_in, policy)
        try:
            outputs = await self._outputs(of, ours.rows, size_class(len(ours.ids) + SPARE))
            outcome = await self._counted(of, outputs, ours)
            found = await self._learned(of, ours, outputs, outcome)
            if of.learns is Learns.ALL:
                found = await self._told(of, found, outcome)
        except PeerMisbehaved as e:
            if isinstance(e, PartMisbehaved):
                self._culprits.add((e.member, e.code))
            await in_thread(self._books.broken, of, e.code, self._named(), by="us")
            raise
        except CosightError as e:
            by = "peer" if isinstance(e, PeerRefused) or e.code == TOO_FEW else "us"
            await in_thread(self._books.broken, of, e.code, self._named(), by=by)
            raise
        told = {"told": self._told_all} if of.learns is Learns.ALL else {}
        await in_thread(self._books.counted, of, outcome.entry(of) | told, self._named())
        return Found(
            round=of, counted=outcome.counted, count=outcome.released, items=found, put_in=put_in,
            resumed=resumed, asked=self._asked, culprits=tuple(sorted(self._culprits)),
            accused=tuple(sorted(self._accused - self._culprits)), sent=self._lines.sent,
            received=self._lines.received, crypto_s=self._crypto_s, total_s=perf_counter() - self._began,
        )  # fmt: skip

    def _named(self) -> dict[str, list[str]]:
        """Who is to blame, as entries have it."""
        return proof.names({who for who, _ in self._culprits}, {who for who, _ in self._accused})

    async def _outputs(self, of: Round, rows: Rows, declared: int | None, *, always: bool = False) -> Rows:
        """Indicators under the helpers' keys."""
        what = f"asking the key helpers {' and '.join(of.parts.helpers)}"
        self._progress(what)

        def progress(count: int) -> None:
            self._progress(f"{what}: {count:,} of {len(rows):,}")

        async def ask() -> Rows:
            async with asked_of(self._lines.to, of, self._own, declared, progress) as tagging:
                try:
                    return await tagging.outputs(rows, always=always)
                finally:
                    self._crypto_s += tagging.crypto_s
                    self._asked += tagging.asked

        return await self._answered(of, ask)

    async def _answered(self, of: Round, ask: Callable[[], Awaitable[T]]) -> T:
        return await answered(self._lines, of, self._search.wait_s, self._progress, ask)

    async def _counted(self, of: Round, outputs: Rows, ours: Ours) -> Outcome:
        """Bring our batch, and check what relay and counter say of all of them."""
        sealed = await self._sealed(of, outputs, ours)
        await in_thread(self._books.brought, of)
        return await self._brought(of, Stage.BATCHES, sealed)

    async def _brought(self, of: Round, stage: Stage, what: Parcel, released: int = 0) -> Outcome:
        """Bring it, and check what comes of it; what cannot be of use any more is not kept."""
        most = largest_outcome(of, stage, largest_brought(of, stage, self._desk.limits), released)
        try:
            said = await self._collected(of, stage, what, most)
        except PeerRefused as e:
            if e.code in OVER and not self._apart:
                await in_thread(served, self._own, of, stage, what.digest)
            raise
        await in_thread(served, self._own, of, stage, what.digest)
        return await in_thread(self._checked, of, stage, what.digest, said)

    async def _learned(self, of: Round, ours: Ours, outputs: Rows, outcome: Outcome) -> Shared | None:
        """What of the outcome is ours."""
        if of.learns is Learns.COLLECTIVE:
            return None
        token = await self._token(of)
        brought = await in_thread(parcel, self._own, of, Stage.BATCHES)
        assert brought is not None
        mine, voices = await self._timed(mode_of(of).recognise, outputs, token, outcome, brought.digest)
        return Shared(await in_thread(self._desk.items.values, ours.ids[mine]), voices)

    async def _told(self, of: Round, found: Shared | None, outcome: Outcome) -> Shared:
        """Say what we recognised, and learn what others did, checked against the outcome."""
        assert found is not None
        self._told_all = len(found.indicators)
        what = await in_thread(parcel, self._own, of, Stage.WORDS)
        if what is None:
            text = words.encode(found.indicators)
            size = words_size(len(text), outcome.released)
            token = await self._token(of)
            sealed = await in_thread(seal_words, text, token, of.box, of.setup(), size=size)
            what = await in_thread(pack, self._own, of, Stage.WORDS, sealed)
        heard = await self._brought(of, Stage.WORDS, what, outcome.released)
        try:
            told = words.decode(heard.body, outcome.released)
        except TooMany as e:  # asking about them all would spend our questions
            raise PartMisbehaved(
                f"{of.parts.counter} passes on more than it released", of.parts.counter, code="poisoned-word"
            ) from e
        except ValueError as e:
            raise PartMisbehaved(
                f"{of.parts.counter} passes on no words: {e}", of.parts.counter, code="bad-words"
            ) from e
        if not told:
            return found
        # As many questions whatever we hold: helpers that are told the values would see who asks for none.
        # Whoever counts has asked so already.
        again = of.parts.counter != self._desk.member
        outputs = await self._outputs(of, await in_thread(rows_of, told), None, always=again)
        known = set(found.indicators)
        places = [place for place, one in enumerate(told) if one not in known]
        new = [told[place] for place in places]
        true, voices = await self._timed(mode_of(of).recognise, outputs[places], b"", outcome)
        if len(true) < len(new):  # the counter has asked about each, as we do now
            self._culprits.add((of.parts.counter, "poisoned-word"))
        return Shared(
            [*found.indicators, *(new[place] for place in true)], np.concatenate([found.voices, voices])
        )

    async def _sealed(self, of: Round, outputs: Rows, ours: Ours) -> Parcel:
        """Our one batch: the one that we kept, or a new one, kept before it leaves."""
        kept = await in_thread(parcel, self._own, of, Stage.BATCHES)
        if kept is not None:
            return kept
        self._progress("sealing our batch")
        token = await self._token(of)
        sealed, root = await self._timed(mode_of(of).seal, outputs, token, ours.copies, ours.put_in.padded)
        return await in_thread(pack, self._own, of, Stage.BATCHES, sealed, root)

    async def _token(self, of: Round) -> bytes:
        """The token that makes our batch one of a member's, and nobody's in particular: kept, or asked for.

        What it is drawn from is kept first, for the plan: a helper that answered one question answers no
        other, whatever the keys of another part have become.
        """
        kept = await in_thread(self._own.batch, of.context, TOKEN)
        if kept is not None:
            return kept
        seed = await in_thread(self._own.batch, of.plan, SEED)
        if seed is None:
            seed = token_bytes(helpers.NONCE_BYTES)
            await in_thread(self._own.keep_batch, of.plan, SEED, seed)
        nonce = helpers.random_rows(1, helpers.NONCE_BYTES, seeded(labels.DISCOVERY_NONCE, seed))
        question = await in_thread(helpers.ask, nonce, size=1, rng=seeded(labels.DISCOVERY_BLIND, seed))

        async def reply(place: int, member: str) -> Reply:
            async with self._lines.to(member) as line:
                return Reply(
                    *await line.token(of, question.blinded), of.keys[place][len(of.keys[place]) // 2 :]
                )

        replies = await self._answered(
            of,
            lambda: asyncio.gather(*(reply(place, name) for place, name in enumerate(of.parts.helpers))),
        )
        try:
            token = await in_thread(helpers.spendable, question, replies, [r.public_key for r in replies])
        except helpers.HelperFault as e:
            helper = of.parts.helpers[e.helper]
            raise PartMisbehaved(f"{helper} broke the protocol: {e}", helper, code="bad-proof") from e
        await in_thread(self._own.keep_batch, of.context, TOKEN, token)
        return token

    async def _collected(self, of: Round, stage: Stage, what: Parcel, most: int) -> Collected:
        """Bring what we have to the relay, and wait for what comes of it; go on if the line is lost."""
        root = what.root if root_bytes(of, stage) else b""
        deposit = Deposit(
            round=of, stage=stage, digest=what.digest, size=len(what.data or b""), root=root, keys=self._keys,
            signature=signing.sign_batch(self._desk.identity, of, stage, what.digest, root=root),
            wait_s=min(self._search.wait_s, MOST_WAIT_S),
        )  # fmt: skip

        async def take(line: Line) -> None:
            if what.data is None:
                return
            try:
                await line.deposit(deposit, pieces(what.data))
            except PeerRefused as e:
                if e.code in NEVER:
                    await in_thread(self._own.drop_batch, of.context, stage)
                self._apart = e.code == Split.CODE  # ours may be the one that stands, later
                if not self._apart:  # of that the relay has more to say
                    raise

        return await bring(
            self._lines, deposit, take, most=most, progress=self._progress,
            check=lambda said: self._check_going_on(of, said),
        )  # fmt: skip

    def _check_going_on(self, of: Round, said: Collected) -> None:
        if said.state is not State.BROKEN:
            return
        if said.code == TOO_FEW and not said.listed:
            raise CosightError(
                f"fewer than {of.minimum} of {len(of.members)} members asked the same in time",
                code=TOO_FEW, hint=_TOO_FEW_HINT.format(session=of.session[:16]),
            )  # fmt: skip
        self._blame(of, said)
        self._books.broken(of, said.code, self._named(), by="peer")
        named = ", ".join(f"{who} ({why})" for who, why in sorted(self._culprits))
        others = ", ".join(f"{who} ({why})" for who, why in sorted(self._accused - self._culprits))
        blamed = (f"; to blame: {named}" if named else "") + (f"; accused: {others}" if others else "")
        raise PeerRefused(
            f"the relay gave this discovery up: {said.code}{blamed}", code="discovery-broken",
            hint=f"ask again tomorrow (UTC), when others are drawn; or {OTHERS}",
        )  # fmt: skip

    def _checked(self, of: Round, stage: Stage, digest: bytes, said: Collected) -> Outcome:
        """Check what relay and counter say, and note whom they blame."""
        outcome = checked(self._desk.find, of, stage, digest, said)
        self._blame(of, said)
        named = {who for who, why in said.culprits if why != Split.CODE}
        if len(named) < len({name for name, _ in outcome.blamed}):
            self._culprits.add((of.parts.relay, "nameless-batch"))  # it took one from nobody
        return outcome

    def _blame(self, of: Round, said: Collected) -> None:
        """Whom the relay and the counter blame: proven, where what they hand on shows it to us."""
        check_names(of, said)
        self._culprits |= proof.proven(self._desk.find, of, said.proofs)
        self._accused |= set(said.culprits)

    async def _timed(self, work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        start = perf_counter()
        try:
            return await in_thread(work, *args, **kwargs)
        finally:
            self._crypto_s += perf_counter() - start


_TOO_FEW_HINT = (
    "run the same again, all at one time or with a longer --wait, or all with a lower --minimum; compare with"
    " the others the options and this session, {session}: who states another purpose, type, threshold or"
    " minimum is in another one"
)
