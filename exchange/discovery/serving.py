"""All parts that a node has in discoveries: the calls that it answers, and what it brings further."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from crypto.rows import Rows
from exchange.aggregation.announced import Signed
from exchange.aggregation.lots import epoch_of
from exchange.aggregation.round import Round, day_of
from exchange.disclosure.drive import in_thread
from exchange.discovery import counting, relaying
from exchange.discovery.books import Books
from exchange.discovery.counting import Counting
from exchange.discovery.helping import Helping
from exchange.discovery.keeping import GIVE_UP, KEPT, RETRY_S
from exchange.discovery.kept import Own
from exchange.discovery.office import Office
from exchange.discovery.relaying import Relaying
from exchange.discovery.world import Collected, Deposit, HelperBooks, Kept, Shelf, Stage, State
from exchange.errors import ConfigError, CosightError, SessionRefused, StoreError, unforeseen

log = logging.getLogger(__name__)
SWEEP = timedelta(minutes=5)
LEFT_OVER = timedelta(days=1)
"""What no stage needs is left alone for so long: it may be under way."""
_UNFINISHED = {State.OPEN, State.CLOSED}


@contextmanager
def _disk() -> Iterator[None]:
    """What our disk does not let us do now, whoever asks may ask again."""
    try:
        yield
    except (ConfigError, StoreError) as e:
        log.warning("a call of a discovery is put off: %s", e)
        raise SessionRefused("our disk is in the way", code="not-ready") from e


class Service:
    """The parts of one node.

    Args:
        office: who we are.
        books: what a key helper keeps.
        shelf: what a relay or a counter keeps.
        cache: what we asked key helpers before; deleted when its epoch is over.
    """

    def __init__(self, office: Office, books: HelperBooks, shelf: Shelf, cache: Own) -> None:
        self._office = office
        self._cache = cache
        self._shelf = shelf
        self.helping = Helping(office, books)
        self._relaying = Relaying(office, shelf)
        self._counting = Counting(office, shelf, self.helping, cache)
        self._books = Books(office.desk, cache)
        self._going: dict[tuple[bytes, Stage], asyncio.Task[None]] = {}
        self._loop: asyncio.Task[None] | None = None
        self._swept = office.desk.clock() - 2 * SWEEP
        self._awake = asyncio.Event()

    def start(self) -> None:
        """Go on with what was not finished, and with what comes."""
        self._loop = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop; everything that was taken is on the disk."""
        tasks = [*self._going.values(), *([self._loop] if self._loop is not None else [])]
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task

    async def keys(self, caller: str, of: Round) -> Signed:
        """See ``Helping.keys``."""
        with _disk():
            return await self.helping.keys(caller, of)

    async def evaluate(self, caller: str, epoch: int, declared: int, blinded: Rows) -> tuple[Rows, bytes]:
        """See ``Helping.evaluate``."""
        with _disk():
            return await self.helping.evaluate(caller, epoch, declared, blinded)

    async def token(self, caller: str, of: Round, blinded: Rows) -> tuple[Rows, bytes]:
        """See ``Helping.token``."""
        with _disk():
            return await self.helping.token(caller, of, blinded)

    async def redeem(self, caller: str, of: Round, tokens: list[bytes], batches: list[bytes]) -> list[bool]:
        """See ``Helping.redeem``."""
        with _disk():
            return await self.helping.redeem(caller, of, tokens, batches)

    async def deposit(self, caller: str, deposit: Deposit, chunks: AsyncIterator[bytes]) -> None:
        """Take a batch, as the relay or as the counter.

        Raises:
            SessionRefused: we are neither, or it is not taken.
        """
        with _disk():
            await self._keeper(deposit.round).take(caller, deposit, chunks)
        self._awake.set()

    async def collect(self, caller: str, of: Round, stage: Stage, wait_s: int) -> Collected:
        """Say how far a stage is, as the relay or as the counter.

        Raises:
            SessionRefused: we are neither, or the caller is nobody to say it to.
        """
        with _disk():
            return await self._keeper(of).collect(caller, of, stage, wait_s)

    def _keeper(self, of: Round) -> Relaying | Counting:
        parts = of.parts.of(self._office.desk.member)
        if not of.keys or not {relaying.PART, counting.PART} & set(parts):
            raise SessionRefused("we neither relay nor count this discovery", code="not-drawn")
        return self._relaying if relaying.PART in parts else self._counting

    async def _run(self) -> None:
        while True:
            try:
                await self._sweep()
                for kept in await in_thread(self._shelf.unfinished):
                    self._go_on(kept)
            except CosightError as e:
                log.warning("discoveries are not brought further just now: %s", e)
            except Exception as e:  # noqa: BLE001  # whatever it is, it must not end all of them for good
                log.warning("discoveries are not brought further just now: %s", unforeseen(e))
            with suppress(TimeoutError):
                async with asyncio.timeout(RETRY_S):
                    await self._awake.wait()
            self._awake.clear()

    def _go_on(self, kept: Kept) -> None:
        """Bring one stage further beside the others, unless that is under way."""
        name = (kept.round.context, kept.stage)
        if name in self._going and not self._going[name].done():
            return

        async def go_on(keeper: Relaying | Counting) -> None:
            try:
                # Again: it may have ended, or gone on, since it was read.
                now = await in_thread(self._shelf.kept, *name)
                if now is not None and now.state in _UNFINISHED:
                    await keeper.go_on(now)
            except CosightError as e:
                log.warning("%s of %s is not brought further: %s", kept.stage, kept.round.session[:16], e)
            except Exception as e:  # noqa: BLE001  # whatever it is, it must not end all of them for good
                said = unforeseen(e)
                log.warning("%s of %s is not brought further: %s", kept.stage, kept.round.session[:16], said)
            else:
                return
            await self._stuck(keeper, kept)

        self._going[name] = asyncio.create_task(go_on(self._keeper(kept.round)))
        self._going[name].add_done_callback(lambda _task: self._going.pop(name, None))

    async def _stuck(self, keeper: Relaying | Counting, kept: Kept) -> None:
        """Give a stage up that has failed for long enough."""
        if self._office.desk.clock() <= kept.closes + GIVE_UP:
            return
        try:
            now = await in_thread(self._shelf.kept, kept.round.context, kept.stage)
            if now is not None and now.state in _UNFINISHED:
                await keeper.give_up(now, "failed")
        except CosightError as e:
            log.warning("%s of %s cannot be given up: %s", kept.stage, kept.round.session[:16], e)

    async def _sweep(self) -> None:
        """Now and then, delete keys and batches whose time is over, and close what nobody goes on with."""
        now = self._office.desk.clock()
        if now - self._swept < SWEEP:
            return
        self._swept = now
        await in_thread(self.helping.expire)
        await in_thread(self._shelf.expire, now - KEPT)
        await in_thread(self._shelf.tidy, now - LEFT_OVER)
        await in_thread(self._cache.expire, epoch_of(day_of(now) - 1))
        await in_thread(self._books.close_cut_off)
        async with self._relaying.turn, self._counting.turn:  # nothing begins that is not kept yet
            await in_thread(self._relaying.close_lost)
