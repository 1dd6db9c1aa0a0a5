"""Where the values of an import wait to be stored, and how they get into the order of their digests."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, LargeBinary, Table, bindparam, delete, func, insert, literal, select

from crypto.hashing import HASH_BYTES
from crypto.rows import Rows
from exchange.indicators import IndicatorType
from exchange.store.sayings import NOTHING
from exchange.store.schema import in_order, staged

_ROWS_PER_STATEMENT = 200
_VALUES_PER_STATEMENT = 2_000


class Stage:
    """What waits in an open transaction.

    Attributes:
        count: how many values.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sqlite = connection.dialect.name == "sqlite"
        self._insert = _multi_insert(connection, staged)
        self._parts = 0
        self.count = 0

    def put(self, kind: IndicatorType, values: list[str], items: Rows, said: NDArray[np.int64]) -> None:
        """Add a part.

        Args:
            kind: the type of all of them.
            values: distinct.
            items: their digests.
            said: the number of what is said of each.
        """
        order = np.argsort(items[:, :8].copy().view(">u8")[:, 0].astype(np.uint64))
        digests, ordered = items[order].tobytes(), list(map(values.__getitem__, order.tolist()))
        if self._sqlite and not said.any():
            self._put_silent(kind, ordered, digests)
        else:
            cells: list[Any] = [kind.value] * (4 * len(order))
            cells[1::4] = [digests[i : i + HASH_BYTES] for i in range(0, len(digests), HASH_BYTES)]
            cells[2::4] = ordered
            cells[3::4] = said[order].tolist()
            self._insert(cells)
        self._parts += 1
        self.count += len(order)

    def by_digest(self) -> Table:
        """A table of all that waits, in order."""
        if self._parts <= 1:
            return staged
        waiting = select(staged).order_by(staged.c.digest)
        self._connection.execute(insert(in_order).from_select(list(staged.c.keys()), waiting))
        return in_order

    def clear(self) -> None:
        """Let it go."""
        for table in (staged, in_order):
            self._connection.execute(delete(table))
        self._parts = self.count = 0

    def _put_silent(self, kind: IndicatorType, values: list[str], digests: bytes) -> None:
        """Add values of which nothing is said, in a third of the time that parameters take."""
        each = func.json_each(bindparam("values")).table_valued("key", "value", name="each")
        digest = func.substr(bindparam("digests", type_=LargeBinary), each.c.key * HASH_BYTES + 1, HASH_BYTES)
        cells = select(literal(kind.value), digest, each.c.value, literal(NOTHING)).select_from(each)
        staging = insert(staged).from_select(list(staged.c.keys()), cells)
        for i in range(0, len(values), _VALUES_PER_STATEMENT):
            some = {
                "values": json.dumps(values[i : i + _VALUES_PER_STATEMENT]),
                "digests": digests[HASH_BYTES * i : HASH_BYTES * (i + _VALUES_PER_STATEMENT)],
            }
            self._connection.execute(staging, some)


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
