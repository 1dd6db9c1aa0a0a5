"""What goes into a private matching, out of the database in bulk."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, String, cast, func, select

from crypto.hashing import HASH_BYTES
from crypto.rows import Rows
from exchange.store.schema import indicator

_IDS_PER_SLICE = 1 << 16


@dataclass(frozen=True, slots=True)
class ItemSet:
    """What goes into a private matching.

    Attributes:
        rows: ``(n, 32)`` uint8, distinct, in an order that tells nothing about values, sources or times.
        ids: ``(n,)`` int64, the identifier of each in the store.
    """

    rows: Rows = field(repr=False)
    ids: NDArray[np.int64] = field(repr=False)


def packed(connection: Connection, travels: ColumnElement[bool]) -> tuple[Rows, NDArray[np.int64]]:
    """Digests and identifiers, joined by the database: a million row objects would take far longer."""
    digest, number = indicator.c.digest, indicator.c.id
    hexed = func.hex(digest) if connection.dialect.name == "sqlite" else func.encode(digest, "hex")
    query = select(func.aggregate_strings(hexed, ""), func.aggregate_strings(cast(number, String), ","))
    query = query.where(travels)
    last = connection.scalar(select(func.max(number))) or 0
    digests, ids = [], [np.empty(0, np.int64)]
    for start in range(1, last + 1, _IDS_PER_SLICE):
        of_slice = number.between(start, start + _IDS_PER_SLICE - 1)
        hexes, numbers = connection.execute(query.where(of_slice)).one()
        digests.append(bytes.fromhex(hexes or ""))
        ids.append(np.fromstring(numbers or "", np.int64, sep=","))
    return np.frombuffer(b"".join(digests), np.uint8).reshape(-1, HASH_BYTES), np.concatenate(ids)
