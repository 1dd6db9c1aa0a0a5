"""The indicators a node holds, who told it, and under which marking."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Engine, and_, func, select

from crypto.rows import Rows
from exchange.aggregation.dictionary import Dictionary
from exchange.errors import InputError, StoreError
from exchange.indicators import Batch, Indicator, IndicatorType, Tlp
from exchange.indicators.tlp import UNMARKED
from exchange.policy.admission import ADMISSION_RULES, EVERYTHING, Admission, Offer
from exchange.store import feeds, screening
from exchange.store.engine import create_tables, erasing, open_engine, reading, writing
from exchange.store.feeds import FeedInfo, Forgotten
from exchange.store.held import Held, held
from exchange.store.importer import Importer
from exchange.store.items import ItemSet, packed
from exchange.store.known import Known, known
from exchange.store.migration import migrate
from exchange.store.origins import copied
from exchange.store.report import ImportReport, Seen
from exchange.store.said import Said, said
from exchange.store.sayings import Sayings
from exchange.store.schema import (
    PART,
    VERSION,
    feed,
    indicator,
    observation,
    scratch,
    source,
    tables,
)
from exchange.store.screening import WarningLists
from exchange.store.travel import ENTERS, Bars, Terms

_IDS_PER_QUERY = 10_000


@dataclass(frozen=True, slots=True)
class Count:
    """How many indicators of a type a source gave us under a marking."""

    type: IndicatorType
    source: str
    tlp: Tlp
    count: int


class Store:
    """The indicators of one node. Safe to use from several threads and processes at once.

    Args:
        engine: the database, with its tables in place.
        expiry: after how many days without a sighting (without an import, where none is stated) an indicator
            of a type no longer enters a set.
    """

    def __init__(self, engine: Engine, *, expiry: Mapping[IndicatorType, int] = MappingProxyType({})) -> None:
        self._engine = engine
        self._expiry = expiry

    @classmethod
    def open(cls, url: str, *, expiry: Mapping[IndicatorType, int] = MappingProxyType({})) -> "Store":
        """Open the store, creating it when it is not there.

        Args:
            url: an SQLAlchemy URL, such as ``sqlite:////var/lib/cosight/store.db``.
            expiry: in days, by type.

        Raises:
            StoreError: the database cannot be used.
        """
        engine = open_engine(url, durable=False)
        create_tables(engine, tables, part=PART, version=VERSION, migrate=migrate)
        return cls(engine, expiry=expiry)

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def import_indicators(
        self,
        batches: Iterable[Batch],
        *,
        source: str,
        feed: str = "",
        tlp: str | None = None,
        own: bool = False,
        keep: bool = False,
        now: datetime,
        progress: Callable[[int], None] | None = None,
        lists: WarningLists | None = None,
        cursor: Callable[[], str | None] | None = None,
    ) -> ImportReport:
        """Take one delivery of a feed in one transaction: all of it or, whatever happens, nothing.

        What the feed gives now replaces what it gave before: what it no longer gives leaves, and what it says
        now of the rest counts. What it says several times of one indicator is merged (``sayings.merged``);
        what its producer has withdrawn leaves even if the same delivery gives it elsewhere.

        Args:
            batches: from ``exchange.indicators.read``.
            source: who told us, in the operator's words.
            feed: which of the source's streams; ``""`` if it has one.
            tlp: the marking of what is not marked, and the most open one that any of it may have: a stated
                marking is only ever tightened. ``None``: what is stated stands, and unmarked is AMBER.
            own: these are our own sightings, and not copied from anybody.
            keep: what is not given again stays, for deliveries that hold nothing but changes.
            now: the time to note.
            progress: called after every batch with the number of values read so far.
            lists: every new indicator is looked up in these, and all of them when the lists have changed.
            cursor: called when all is read: where the next delivery goes on.

        Raises:
            InputError: from the reader; or no such marking; or the source has no name. Nothing was changed.
            StoreError: the database refused. Nothing was changed.
        """
        unmarked, floor = (UNMARKED, Tlp.CLEAR) if tlp is None else (_marking(tlp),) * 2
        if not source.strip():
            raise InputError("the source of an import needs a name", hint="say --source NAME")
        seconds = int(now.timestamp())
        seen = Seen()
        with writing(self._engine) as connection, scratch(connection):
            last = connection.scalar(select(func.max(indicator.c.id))) or 0
            feed_id, number = feeds.begin(
                connection, source_name=source.strip(), feed_name=feed, own=own, now=seconds
            )
            importer = Importer(
                connection,
                feed=feed_id,
                delivery=number,
                sayings=lambda: Sayings(unmarked=unmarked, floor=floor),
            )
            for batch in batches:
                seen.add(batch)
                importer.add(batch)
                if progress:
                    progress(seen.read)
            importer.finish()
            delta = feeds.settle(
                connection,
                feed_id=feed_id,
                number=number,
                last_before=last,
                keep=keep,
                now=seconds,
            )
            feeds.purge(connection, now=seconds)
            if cursor is not None:
                feeds.set_cursor(connection, feed_id, cursor())
            if lists is None:
                if delta.new:
                    screening.outdate(connection)
            elif screening.is_current(connection, lists):
                screening.screen_after(connection, lists, last)
            else:
                screening.screen_all(connection, lists)
            hits = {} if lists is None else screening.hits(connection, feed_id)
        accepted, refused = delta.new.total(), seen.refused
        return ImportReport(
            read=seen.read,
            accepted=accepted,
            duplicates=seen.read - refused.total() - accepted,
            refused=dict(sorted(refused.items())),
            by_type=dict(sorted(delta.new.items())),
            added=delta.added,
            removed=delta.removed,
            unchanged=delta.unchanged,
            blocked=hits.get("block", {}),
            informed=hits.get("inform", {}),
            places=dict(sorted(seen.places.items())),
            notes=dict(sorted(seen.notes.items())),
        )

    def cursor(self, source: str, feed: str = "") -> str | None:
        """Where the next delivery of a feed goes on; ``None`` if it never came, or comes whole every time."""
        with reading(self._engine) as connection:
            return feeds.cursor(connection, source, feed)

    def feeds(self) -> list[FeedInfo]:
        """Every feed that was imported and not forgotten, by source and name."""
        with reading(self._engine) as connection:
            return feeds.listing(connection)

    def forget(self, source: str, feed: str | None = None) -> Forgotten:
        """Erase all that a feed gave, or a whole source; what other feeds give too stays theirs.

        A match that is running now can no longer name what is erased.

        Raises:
            InputError: there is no such feed.
            StoreError: the database refused. Nothing was changed.
        """
        with erasing(self._engine) as connection, scratch(connection):
            forgotten = feeds.forget(connection, source_name=source, feed_name=feed)
        if forgotten is None:
            raise InputError("nothing was ever imported from there", hint="see: cosight indicators")
        return forgotten

    def screen(
        self, lists: WarningLists, *, progress: Callable[[int], None] | None = None
    ) -> dict[str, dict[str, int]]:
        """Look every indicator up in the warning lists, unless that was done with the same ones.

        Returns:
            How many are on each list, by mode and list.

        Raises:
            StoreError: the database refused. Nothing was changed.
        """
        with reading(self._engine) as connection:
            if screening.is_current(connection, lists):
                return screening.hits(connection)
        with writing(self._engine) as connection:
            screening.screen_all(connection, lists, progress)
            return screening.hits(connection)

    def held(self, indicators: Sequence[Indicator]) -> list[list[Held]]:
        """What each feed says of some indicators, in their order; nothing of what we do not hold."""
        with reading(self._engine) as connection:
            return held(connection, indicators)

    def known(self, dictionary: Dictionary, /, *, now: datetime, admission: Admission = EVERYTHING) -> Known:
        """What our feeds say of the entries of a dictionary, as far as the policy lets it enter."""
        with reading(self._engine) as connection:
            return known(connection, Bars(connection, self._terms(now, admission)), dictionary)

    def counts(self) -> list[Count]:
        """What we hold, by type, source and marking; an indicator of two sources counts for both."""
        keys = (indicator.c.type, source.c.name, observation.c.tlp)
        query = select(*keys, func.count(func.distinct(indicator.c.id))).select_from(
            observation.join(indicator, indicator.c.id == observation.c.indicator_id)
            .join(feed, feed.c.id == observation.c.feed_id)
            .join(source)
        )
        markings = list(Tlp)
        with reading(self._engine) as connection:
            rows = connection.execute(query.group_by(*keys).order_by(*keys)).all()
        return [Count(IndicatorType(t), name, markings[tlp], n) for t, name, tlp, n in rows]

    def types(self, *, now: datetime, admission: Admission = EVERYTHING) -> list[IndicatorType]:
        """The types of which at least one item enters a set, in their order.

        Raises:
            StoreError: the database refused.
        """
        with reading(self._engine) as connection:
            travels = Bars(connection, self._terms(now, admission)).travels()
            found = set(connection.scalars(select(indicator.c.type).where(travels).distinct()))
        return [kind for kind in IndicatorType if kind in found]

    def size(
        self, types: Collection[IndicatorType], /, *, now: datetime, admission: Admission = EVERYTHING
    ) -> int:
        """How many items ``item_set`` would have.

        Raises:
            StoreError: the database refused.
        """
        query = select(func.count()).select_from(indicator).where(_of(types))
        with reading(self._engine) as connection:
            travels = Bars(connection, self._terms(now, admission)).travels()
            return connection.scalar(query.where(travels)) or 0

    def offer(
        self, types: Collection[IndicatorType], /, *, now: datetime, admission: Admission = EVERYTHING
    ) -> Offer:
        """How many items ``item_set`` would have, by type, and what holds back the others.

        Where several rules do, the first in the order of ``ADMISSION_RULES`` counts: of each type, these
        numbers add up to what we hold.

        Raises:
            StoreError: the database refused.
        """
        with reading(self._engine) as connection:
            verdict = Bars(connection, self._terms(now, admission)).verdict().label("verdict")
            held = select(indicator.c.type, verdict).where(_of(types), indicator.c.withdrawn.is_(None))
            given = held.subquery()
            keys = (given.c.verdict, given.c.type)
            rows = connection.execute(select(*keys, func.count()).group_by(*keys).order_by(*keys)).all()
        entered = {IndicatorType(kind): n for rule, kind, n in rows if rule == ENTERS}
        withheld: dict[str, dict[IndicatorType, int]] = {}
        for rule, kind, n in rows:
            if rule != ENTERS:
                withheld.setdefault(ADMISSION_RULES[rule], {})[IndicatorType(kind)] = n
        return Offer(entered, withheld)

    def item_set(
        self, types: Collection[IndicatorType], /, *, now: datetime, admission: Admission = EVERYTHING
    ) -> ItemSet:
        """The items of some types that at least one feed lets travel, and no warning list keeps.

        A marking binds what its feed gave us: an indicator that a second feed gave us more openly is as open
        as that. The same holds of embargo, expiry, age, permitted actions and provenance; one feed has to
        let it pass all of them.

        Args:
            types: which.
            now: the time that embargoes, expiry and age are judged by.
            admission: what the policy asks for. RED is never included.

        Raises:
            StoreError: the database refused.
        """
        with reading(self._engine) as connection:
            travels = Bars(connection, self._terms(now, admission)).travels()
            digests, ids = packed(connection, and_(_of(types), travels))
        # Digests are as good as random: sorting by any part of them hides the order of the imports.
        order = np.argsort(digests[:, :8].copy().view(np.uint64)[:, 0])
        return ItemSet(digests[order], ids[order])

    def said(
        self, types: Collection[IndicatorType], /, *, now: datetime, admission: Admission = EVERYTHING
    ) -> Said:
        """What the feeds that let an item of ``item_set`` enter say of it.

        Raises:
            StoreError: the database refused.
        """
        with reading(self._engine) as connection:
            bars = Bars(connection, self._terms(now, admission))
            return said(connection, bars, _of(types))

    def copies(
        self, types: Collection[IndicatorType], /, *, now: datetime, admission: Admission = EVERYTHING
    ) -> tuple[NDArray[np.int64], Rows]:
        """The items of ``item_set`` that we did not see ourselves, and whose report each was taken from.

        Raises:
            StoreError: the database refused.
        """
        with reading(self._engine) as connection:
            return copied(connection, Bars(connection, self._terms(now, admission)), _of(types))

    def state(self, *, now: datetime) -> bytes:
        """32 bytes that change with every import, list and day: what may enter changes with these.

        Raises:
            StoreError: the database refused.
        """
        with reading(self._engine) as connection:
            return screening.state(connection, now)

    def values(self, ids: NDArray[np.int64]) -> list[Indicator]:
        """The indicators with these identifiers, in the order of these.

        Raises:
            StoreError: the store holds no such indicator, or the database refused.
        """
        wanted = [int(i) for i in ids]
        found: dict[int, Indicator] = {}
        query = select(indicator.c.id, indicator.c.type, indicator.c.value)
        with reading(self._engine) as connection:
            for start in range(0, len(wanted), _IDS_PER_QUERY):
                chunk = wanted[start : start + _IDS_PER_QUERY]
                for i, kind, value in connection.execute(query.where(indicator.c.id.in_(chunk))):
                    found[i] = Indicator(IndicatorType(kind), value)
        if len(found) < len(set(wanted)):
            raise StoreError("the store does not hold an indicator it was asked for", hint="was it replaced?")
        return [found[i] for i in wanted]

    def _terms(self, now: datetime, admission: Admission) -> Terms:
        return Terms(now, self._expiry, admission)


def _marking(tlp: str) -> Tlp:
    try:
        return Tlp.parse(tlp)
    except ValueError:
        raise InputError(f"there is no marking {tlp!r}", hint=f"one of: {', '.join(Tlp)}") from None


def _of(types: Collection[IndicatorType]) -> ColumnElement[bool]:
    return indicator.c.type.in_(sorted(kind.value for kind in types))
