"""How an import gets into the tables fast: in sorted runs, set by set instead of row by row."""

import json
from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    ColumnElement,
    Connection,
    LargeBinary,
    Table,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal,
    select,
    true,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from crypto import rows
from crypto.hashing import HASH_BYTES, item_rows
from exchange.indicators import Batch, IndicatorType
from exchange.store.sayings import NOTHING, Sayings
from exchange.store.schema import context, indicator, observation, revoked, staged, told

RUN_SIZE = 500_000
"""Values that are sorted and stored together: about 100 MB while they wait."""

RUN_SAYINGS = 25_000
"""Distinct contexts of a run, at most; they are ten times as large as values."""

RUN_CHARS = 48 << 20
"""The length of both, at most: values and contexts may be far longer than they mostly are."""

_WEIGHT_OF_SAID = 4  # repeated values may need a saying of their own, of all that is said of them
_ROWS_PER_STATEMENT = 200
_SAYINGS_PER_STATEMENT = 500
_VALUES_PER_STATEMENT = 2_000


@dataclass(slots=True)
class _Column:
    """The values of one type that wait, and the number of what is said of each."""

    values: list[str] = field(default_factory=list)
    told: "array[int]" = field(default_factory=lambda: array("q"))


class Importer:
    """What one import writes of its values into an open write transaction: ``add`` batches, then ``finish``.

    Args:
        connection: in the transaction.
        feed: the number of the feed.
        delivery: the number of this import.
        sayings: makes an empty collection of what is said, under the markings of this import.
    """

    def __init__(
        self, connection: Connection, *, feed: int, delivery: int, sayings: Callable[[], Sayings]
    ) -> None:
        self._connection = connection
        self._feed, self._delivery = feed, delivery
        self._sayings, self._new_sayings = sayings(), sayings
        self._insert: Callable[[Table], Any] = (
            sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
        )
        self._new = Counter[str]()
        self._run: dict[IndicatorType, _Column] = {}
        self._withdrawn: dict[IndicatorType, list[str]] = {}
        self._waiting = self._chars = self._written = self._runs = 0
        self._stage = _multi_insert(connection, staged)

    def add(self, batch: Batch) -> None:
        """Take the values of a batch; they are stored when enough have come together."""
        for kind, values in batch.values.items():
            column = self._run.setdefault(kind, _Column())
            start = len(column.values)
            column.values.extend(values)
            column.told.frombytes(bytes(column.told.itemsize * len(values)))
            contexts = batch.contexts.get(kind, {})
            for position, said in contexts.items():
                column.told[start + position] = self._sayings.number(said)
            self._waiting += len(values) + _WEIGHT_OF_SAID * len(contexts)
            self._chars += sum(map(len, values))
        for kind, values in batch.withdrawn.items():
            self._withdrawn.setdefault(kind, []).extend(values)
            self._waiting += len(values)
            self._chars += sum(map(len, values))
        if (
            self._waiting >= RUN_SIZE
            or len(self._sayings) >= RUN_SAYINGS
            or self._chars + self._sayings.chars >= RUN_CHARS
        ):
            self._store_run()

    def finish(self) -> Counter[str]:
        """Store what is left. Returns how many rows of indicators were made, by type."""
        self._store_run()
        return +self._new

    def _store_run(self) -> None:
        execute = self._connection.execute
        for kind, column in self._run.items():
            self._fill_staged(kind, column)
            self._write_sayings()
            found = select(literal(kind.value), staged.c.value, staged.c.digest).where(true())
            into = (indicator.c.type, indicator.c.value, indicator.c.digest)
            added = execute(self._insert(indicator).from_select(into, found).on_conflict_do_nothing())
            self._new[kind.value] += added.rowcount
            differing = (
                self._said_before() if self._runs and len(self._sayings) > 1 else np.empty((0, 3), int)
            )
            execute(self._note())
            for start in range(0, len(differing), _SAYINGS_PER_STATEMENT):
                self._say_together(differing[start : start + _SAYINGS_PER_STATEMENT].tolist())
            execute(delete(staged))
        for kind, values in self._withdrawn.items():
            items = item_rows(kind, values)
            for some in (
                items[i : i + _VALUES_PER_STATEMENT] for i in range(0, len(items), _VALUES_PER_STATEMENT)
            ):
                digests = [{"digest": row.tobytes()} for row in some]
                execute(self._insert(revoked).on_conflict_do_nothing(), digests)
        execute(delete(told))
        self._run, self._withdrawn, self._sayings = {}, {}, self._new_sayings()
        self._waiting = self._chars = self._written = 0
        self._runs += 1

    def _fill_staged(self, kind: IndicatorType, column: _Column) -> None:
        """Put the distinct ones of these values into ``staged``, by digest."""
        values, said = column.values, np.frombuffer(column.told, np.int64).copy()
        items = item_rows(kind, values)
        first = rows.unique(items)
        if len(first) < len(values) and said.any():
            self._merge_repeated(values, first, said)
        leading = items[first, :8].copy().view(">u8")[:, 0].astype(np.uint64)
        order = first[np.argsort(leading)]
        blob = items[order].tobytes()
        ordered = list(map(values.__getitem__, order.tolist()))
        if self._connection.dialect.name == "sqlite" and not said.any():
            self._stage_silent(ordered, blob)
            return
        cells: list[Any] = [None] * (3 * len(order))
        cells[0::3] = [blob[i : i + HASH_BYTES] for i in range(0, len(blob), HASH_BYTES)]
        cells[1::3] = ordered
        cells[2::3] = said[order].tolist()
        self._stage(cells)

    def _stage_silent(self, values: list[str], digests: bytes) -> None:
        """Stage values of which nothing is said, in a third of the time that parameters take."""
        each = func.json_each(bindparam("values")).table_valued("key", "value", name="each")
        digest = func.substr(bindparam("digests", type_=LargeBinary), each.c.key * HASH_BYTES + 1, HASH_BYTES)
        staging = insert(staged).from_select(
            staged.c.keys(), select(digest, each.c.value, literal(NOTHING)).select_from(each)
        )
        for i in range(0, len(values), _VALUES_PER_STATEMENT):
            some = {
                "values": json.dumps(values[i : i + _VALUES_PER_STATEMENT]),
                "digests": digests[HASH_BYTES * i : HASH_BYTES * (i + _VALUES_PER_STATEMENT)],
            }
            self._connection.execute(staging, some)

    def _merge_repeated(self, values: list[str], first: np.ndarray, said: np.ndarray) -> None:
        """Give the first of equal values what is said of all of them."""
        repeated = np.ones(len(values), bool)
        repeated[first] = False
        groups: dict[str, list[int]] = {values[i]: [] for i in np.flatnonzero(repeated)}
        for position, value in enumerate(values):
            if (group := groups.get(value)) is not None:
                group.append(position)
        for group in groups.values():
            said[group[0]] = self._sayings.merge(frozenset(said[group].tolist()))

    def _write_sayings(self) -> None:
        """Write what is said and was not written yet, a part at a time: written out, it is long."""
        while self._written < len(self._sayings):
            end = min(self._written + _SAYINGS_PER_STATEMENT, len(self._sayings))
            entries = [self._sayings.row(number) for number in range(self._written, end)]
            markings = [{name: row[name] for name in told.c.keys()} for row in entries]  # noqa: SIM118
            self._connection.execute(insert(told), markings)
            self._write_contexts([row for row in entries if row["digest"] is not None])
            self._written = end

    def _write_contexts(self, entries: Sequence[dict[str, Any]]) -> None:
        names = context.c.keys()
        found = [{"feed_id": self._feed, **row} for row in entries]
        if found:
            wanted = [{name: row[name] for name in names if name in row} for row in found]
            self._connection.execute(self._insert(context).on_conflict_do_nothing(), wanted)

    def _note(self) -> Any:
        """Note of everything staged that this delivery gave it, and what it said."""
        given = staged.join(indicator, staged.c.digest == indicator.c.digest)
        numbers = (literal(self._delivery), literal(self._delivery))
        if len(self._sayings) == 1:
            marking: ColumnElement[Any] = literal(self._sayings.row(NOTHING)["tlp"])
            said: ColumnElement[Any] = literal(None, context.c.id.type)
        else:
            given = given.join(told, told.c.number == staged.c.told).outerjoin(context, self._says())
            marking, said = told.c.tlp, context.c.id
        query = select(literal(self._feed), indicator.c.id, marking, said, *numbers).select_from(given)
        noted = self._insert(observation).from_select(list(observation.c.keys()), query.where(true()))
        # An earlier run of this import may have given it too; what the last import said is over.
        old, new = observation.c, noted.excluded
        again, said_now = old.last_delivery == self._delivery, new.context_id
        return noted.on_conflict_do_update(
            index_elements=[old.feed_id, old.indicator_id],
            set_={
                "tlp": case((and_(again, old.tlp > new.tlp), old.tlp), else_=new.tlp),
                "context_id": case((and_(again, new.context_id.is_(None)), old.context_id), else_=said_now),
                "last_delivery": new.last_delivery,
            },
        )  # fmt: skip

    def _says(self) -> ColumnElement[bool]:
        return and_(context.c.feed_id == self._feed, context.c.digest == told.c.digest)

    def _said_before(self) -> NDArray[np.int64]:
        """Of what is staged, what an earlier run of this import said something else of.

        Returns:
            ``(n, 3)``: the indicator, what is said of it now, and the context from before.
        """
        both = (
            staged.join(told, told.c.number == staged.c.told)
            .join(indicator, staged.c.digest == indicator.c.digest)
            .join(
                observation,
                and_(
                    observation.c.feed_id == self._feed,
                    observation.c.indicator_id == indicator.c.id,
                    observation.c.last_delivery == self._delivery,
                ),
            )
            .join(context, and_(context.c.id == observation.c.context_id, context.c.digest != told.c.digest))
        )
        found = array("q")
        query = select(indicator.c.id, staged.c.told, context.c.id).select_from(both)
        for some in self._connection.execute(query).partitions(_VALUES_PER_STATEMENT):
            for row in some:
                found.extend(row)
        return np.frombuffer(found, np.int64).reshape(-1, 3)

    def _say_together(self, differing: Sequence[tuple[int, int, int]]) -> None:
        """Give these indicators what both runs say together."""
        earlier = select(context.c.id, context.c.document)
        earlier = earlier.where(context.c.id.in_({before for _, _, before in differing}))
        documents = dict(self._connection.execute(earlier).all())
        both = {
            (now, before): self._sayings.row_with(now, documents[before])
            for now, before in {(now, before) for _, now, before in differing}
        }
        self._write_contexts(list(both.values()))
        which = and_(observation.c.feed_id == self._feed, observation.c.indicator_id == bindparam("which"))
        said = select(context.c.id).where(
            context.c.feed_id == self._feed, context.c.digest == bindparam("said")
        )
        self._connection.execute(
            update(observation).where(which).values(context_id=said.scalar_subquery()),
            [{"which": i, "said": both[now, before]["digest"]} for i, now, before in differing],
        )


def _multi_insert(connection: Connection, table: Table) -> Callable[[Sequence[Any]], None]:
    """A function that inserts rows, given cell after cell, many a statement: twice as fast as one by one.

    A statement is compiled once and handed to the driver as text, in the driver's way of naming parameters.
    """
    names = table.c.keys()

    def prepare(size: int) -> Callable[[Sequence[Any]], object]:
        compiled = insert(table).values([dict.fromkeys(names)] * size).compile(dialect=connection.dialect)
        text, run = str(compiled), connection.exec_driver_sql
        if compiled.positional:
            return lambda cells: run(text, tuple(cells))
        return lambda cells: run(text, dict(zip(compiled.params, cells, strict=True)))

    whole, width = prepare(_ROWS_PER_STATEMENT), _ROWS_PER_STATEMENT * len(names)

    def insert_all(cells: Sequence[Any]) -> None:
        end = len(cells) - len(cells) % width
        for start in range(0, end, width):
            whole(cells[start : start + width])
        if end < len(cells):
            prepare((len(cells) - end) // len(names))(cells[end:])

    return insert_all
