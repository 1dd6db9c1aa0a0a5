"""How an import gets into the tables fast: in sorted runs, set by set instead of row by row."""

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    bindparam,
    case,
    delete,
    insert,
    literal,
    select,
    true,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from crypto import rows
from crypto.hashing import item_rows
from exchange.indicators import Batch, IndicatorType
from exchange.store.sayings import NOTHING, Sayings
from exchange.store.schema import context, indicator, observation, revoked, told
from exchange.store.staging import Stage

RUN_SIZE = 500_000
"""Values that are sorted and stored together: about 100 MB while they wait."""

PASS_SIZE = 4_000_000
"""Values that are put into the tables together if nothing is said of them: half a gigabyte of temporary file.

Each pass touches every page of a large index, so that a large file must not make many.
"""

RUN_SAYINGS = 25_000
"""Distinct contexts of a run, at most; they are ten times as large as values."""

RUN_CHARS = 48 << 20
"""The length of both, at most: values and contexts may be far longer than they mostly are."""

_WEIGHT_OF_SAID = 4  # repeated values may need a saying of their own, of all that is said of them
_SAYINGS_PER_STATEMENT = 500
_DIGESTS_PER_STATEMENT = 2_000


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
        self._run: dict[IndicatorType, _Column] = {}
        self._withdrawn: dict[IndicatorType, list[str]] = {}
        self._waiting = self._chars = self._written = 0
        self._stage, self._passed = Stage(connection), False

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

    def finish(self) -> None:
        """Store what is left."""
        self._store_run()
        self._store_staged()

    def _store_run(self) -> None:
        """Stage what waits, and store it unless more can wait with it."""
        talks = len(self._sayings) > 1
        for kind, column in self._run.items():
            values, said = column.values, np.frombuffer(column.told, np.int64).copy()
            items = item_rows(kind, values)
            first = rows.unique(items)
            if len(first) < len(values):
                if talks:
                    self._merge_repeated(values, first, said)
                values, items, said = [values[i] for i in first.tolist()], items[first], said[first]
            self._stage.put(kind, values, items, said)
        for kind, values in self._withdrawn.items():
            self._withdraw(kind, values)
        self._run, self._withdrawn = {}, {}
        self._waiting = self._chars = 0
        if talks or self._stage.count >= PASS_SIZE or self._connection.dialect.name != "sqlite":
            self._store_staged()

    def _store_staged(self) -> None:
        """Store what is staged, with what is said of it."""
        if not self._stage.count:
            return
        execute = self._connection.execute
        self._write_sayings()
        given = self._stage.by_digest()
        found = select(given.c.type, given.c.value, given.c.digest).where(true())
        into = (indicator.c.type, indicator.c.value, indicator.c.digest)
        execute(self._insert(indicator).from_select(into, found).on_conflict_do_nothing())
        talks = len(self._sayings) > 1
        differing = self._said_before(given) if talks and self._passed else np.empty((0, 3), np.int64)
        execute(self._note(given))
        for start in range(0, len(differing), _SAYINGS_PER_STATEMENT):
            self._say_together(differing[start : start + _SAYINGS_PER_STATEMENT].tolist())
        self._stage.clear()
        execute(delete(told))
        self._sayings, self._written, self._passed = self._new_sayings(), 0, True

    def _withdraw(self, kind: IndicatorType, values: list[str]) -> None:
        items = item_rows(kind, values)
        for start in range(0, len(items), _DIGESTS_PER_STATEMENT):
            digests = [{"digest": row.tobytes()} for row in items[start : start + _DIGESTS_PER_STATEMENT]]
            self._connection.execute(self._insert(revoked).on_conflict_do_nothing(), digests)

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

    def _note(self, waiting: Table) -> Any:
        """Note of everything that waits that this delivery gave it, and what it said."""
        given = waiting.join(indicator, waiting.c.digest == indicator.c.digest)
        numbers = (literal(self._delivery), literal(self._delivery))
        if len(self._sayings) == 1:
            marking: ColumnElement[Any] = literal(self._sayings.row(NOTHING)["tlp"])
            said: ColumnElement[Any] = literal(None, context.c.id.type)
        else:
            given = given.join(told, told.c.number == waiting.c.told).outerjoin(context, self._says())
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

    def _said_before(self, waiting: Table) -> NDArray[np.int64]:
        """Of what waits, what an earlier run of this import said something else of.

        Returns:
            ``(n, 3)``: the indicator, what is said of it now, and the context from before.
        """
        both = (
            waiting.join(told, told.c.number == waiting.c.told)
            .join(indicator, waiting.c.digest == indicator.c.digest)
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
        query = select(indicator.c.id, waiting.c.told, context.c.id).select_from(both)
        for some in self._connection.execute(query).partitions(_DIGESTS_PER_STATEMENT):
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
