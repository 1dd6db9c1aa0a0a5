"""The indicators a node holds, who told it, and under which marking."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, Select, String, cast, exists, func, select

from crypto.hashing import HASH_BYTES
from crypto.rows import Rows
from exchange.errors import InputError, StoreError
from exchange.indicators import Batch, Indicator, IndicatorType, Tlp
from exchange.store.engine import create_tables, open_engine, reading, writing
from exchange.store.importer import Importer
from exchange.store.schema import PART, VERSION, indicator, observation, source, tables

_IDS_PER_QUERY = 10_000
_IDS_PER_SLICE = 1 << 16


@dataclass(slots=True)
class ImportReport:
    """What became of the values of one import: ``read == accepted + duplicates + sum(refused.values())``.

    Attributes:
        read: candidate values seen.
        accepted: indicators new to the store.
        duplicates: those it held already, from whatever source, and repetitions.
        refused: values that are no indicators, by reason.
        by_type: the accepted ones, by type.
    """

    read: int = 0
    accepted: int = 0
    duplicates: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    by_type: dict[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As ``cosight import --json`` prints it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Count:
    """How many indicators of a type a source gave us under a marking."""

    type: IndicatorType
    source: str
    tlp: Tlp
    count: int


@dataclass(frozen=True, slots=True)
class ItemSet:
    """What goes into a private matching.

    Attributes:
        rows: ``(n, 32)`` uint8, distinct, in an order that tells nothing about values, sources or times.
        ids: ``(n,)`` int64, the identifier of each in the store.
    """

    rows: Rows = field(repr=False)
    ids: NDArray[np.int64] = field(repr=False)


class Store:
    """The indicators of one node. Safe to use from several threads and processes at once."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @classmethod
    def open(cls, url: str) -> "Store":
        """Open the store, creating it when it is not there.

        Args:
            url: an SQLAlchemy URL, such as ``sqlite:////var/lib/cosight/store.db``.

        Raises:
            StoreError: the database cannot be used.
        """
        engine = open_engine(url, durable=False)
        create_tables(engine, tables, part=PART, version=VERSION)
        return cls(engine)

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def import_indicators(
        self,
        batches: Iterable[Batch],
        *,
        source: str,
        tlp: str,
        now: datetime,
        progress: Callable[[int], None] | None = None,
    ) -> ImportReport:
        """Take indicators from a source in one transaction: all of them or, whatever happens, none.

        What the source gave us before keeps the time of its first import and gets the marking of this one.

        Args:
            batches: from ``exchange.indicators.read``.
            source: who told us, in the operator's words.
            tlp: the marking of all of them, TLP 2.0.
            now: the time to note.
            progress: called after every batch with the number of values read so far.

        Raises:
            InputError: from the reader; or no such marking; or the source has no name. Nothing was changed.
            StoreError: the database refused. Nothing was changed.
        """
        marking = _marking(tlp)
        if not source.strip():
            raise InputError("the source of an import needs a name", hint="say --source NAME")
        read, refused = 0, Counter[str]()
        with writing(self._engine) as connection:
            importer = Importer(connection, source=source.strip(), tlp=marking, now=now)
            for batch in batches:
                read += len(batch)
                refused += batch.refused
                importer.add(batch)
                if progress:
                    progress(read)
            by_type = importer.finish()
        accepted = by_type.total()
        duplicates = read - refused.total() - accepted
        return ImportReport(
            read, accepted, duplicates, dict(sorted(refused.items())), dict(sorted(by_type.items()))
        )

    def counts(self) -> list[Count]:
        """What we hold, by type, source and marking; an indicator of two sources counts for both."""
        keys = (indicator.c.type, source.c.name, observation.c.tlp)
        query = select(*keys, func.count()).select_from(observation.join(indicator).join(source))
        with reading(self._engine) as connection:
            rows = connection.execute(query.group_by(*keys).order_by(*keys)).all()
        return [Count(IndicatorType(t), name, Tlp(tlp), n) for t, name, tlp, n in rows]

    def size(self, types: Collection[IndicatorType], *, tlp_ceiling: str | None = None) -> int:
        """How many items ``item_set`` would have.

        Raises:
            InputError: there is no such marking.
            StoreError: the database refused.
        """
        with reading(self._engine) as connection:
            query = select(func.count()).select_from(indicator).where(indicator.c.type.in_(_names(types)))
            if (closed := _closed(connection, tlp_ceiling)) is not None:
                query = query.where(indicator.c.id.not_in(closed))
            return connection.scalar(query) or 0

    def item_set(self, types: Collection[IndicatorType], *, tlp_ceiling: str | None = None) -> ItemSet:
        """The items of some types that at least one source lets travel.

        A marking binds what its source gave us: an indicator that a second source gave us more openly is as
        open as that.

        Args:
            types: which.
            tlp_ceiling: the most closed marking to include; ``None`` for all. RED is never included.

        Raises:
            InputError: there is no such marking.
            StoreError: the database refused.
        """
        with reading(self._engine) as connection:
            digests, ids = _packed(connection, types)
            closed = _closed(connection, tlp_ceiling)
            barred = connection.scalars(closed).all() if closed is not None else []
        # Digests are as good as random: sorting by any part of them hides the order of the imports.
        order = np.argsort(digests[:, :8].copy().view(np.uint64)[:, 0])
        if barred:
            order = order[np.isin(ids[order], np.array(barred), invert=True)]
        return ItemSet(digests[order], ids[order])

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


def _marking(tlp: str) -> Tlp:
    try:
        return Tlp.parse(tlp)
    except ValueError:
        raise InputError(f"there is no marking {tlp!r}", hint=f"one of: {', '.join(Tlp)}") from None


def _names(types: Collection[IndicatorType]) -> list[str]:
    return sorted(kind.value for kind in types)


def _closed(connection: Connection, ceiling: str | None) -> Select[tuple[int]] | None:
    """The identifiers that no source lets travel under this ceiling, or ``None`` when there are none."""
    allowed = [marking.value for marking in _marking(ceiling or Tlp.RED).up_to()]
    closed, opened = observation.alias("closed"), observation.alias("opened")
    is_closed = closed.c.tlp.not_in(allowed)
    # Most stores hold nothing above the ceiling, and to find that out is quick.
    if not connection.scalar(select(exists().where(is_closed))):
        return None
    elsewhere = exists().where(opened.c.indicator_id == closed.c.indicator_id, opened.c.tlp.in_(allowed))
    return select(closed.c.indicator_id).where(is_closed, ~elsewhere).distinct()


def _packed(connection: Connection, types: Collection[IndicatorType]) -> tuple[Rows, NDArray[np.int64]]:
    """Digests and identifiers, joined by the database: a million row objects would take far longer."""
    digest, number = indicator.c.digest, indicator.c.id
    hexed = func.hex(digest) if connection.dialect.name == "sqlite" else func.encode(digest, "hex")
    query = select(func.aggregate_strings(hexed, ""), func.aggregate_strings(cast(number, String), ","))
    last = connection.scalar(select(func.max(number))) or 0
    digests, ids = [], [np.empty(0, np.int64)]
    for start in range(1, last + 1, _IDS_PER_SLICE):
        of_slice = number.between(start, start + _IDS_PER_SLICE - 1)
        hexes, numbers = connection.execute(query.where(of_slice, indicator.c.type.in_(_names(types)))).one()
        digests.append(bytes.fromhex(hexes or ""))
        ids.append(np.fromstring(numbers or "", np.int64, sep=","))
    return np.frombuffer(b"".join(digests), np.uint8).reshape(-1, HASH_BYTES), np.concatenate(ids)
