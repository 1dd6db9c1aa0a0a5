"""Which of our items are copies, and of whose reports: copies of one report are one voice."""

from functools import lru_cache
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, select

from crypto import labels
from crypto.rows import Rows
from exchange.aggregation.vector import plainly
from exchange.store.known import Contexts
from exchange.store.schema import feed, indicator, observation, source
from exchange.store.travel import Bars

_HASH_BYTES = 32


def copied(
    connection: Connection, bars: Bars, of_types: ColumnElement[bool]
) -> tuple[NDArray[np.int64], Rows]:
    """The items that entered, of which none of our feeds says that we saw them ourselves.

    Of several origins one is taken, the same by every member that has the same ones.

    Returns:
        ``(k,)`` identifiers, ascending, and ``(k, 32)`` hashes of their origins: the producer that a feed
        names, or the source that we have it from.
    """
    contexts = Contexts(connection)
    query = (
        select(indicator.c.id, source.c.name, feed.c.own, observation.c.context_id)
        .select_from(
            indicator.join(observation, observation.c.indicator_id == indicator.c.id)
            .join(feed, feed.c.id == observation.c.feed_id)
            .join(source)
        )
        .where(of_types, bars.lets(), bars.travels())
    )
    own: set[int] = set()
    origins: dict[int, bytes] = {}
    for number, name, is_own, said in connection.execute(query).all():
        if is_own:
            own.add(number)
        else:
            hashed = _hashed(contexts.of(said).producer or name)
            origins[number] = min(hashed, origins.get(number, hashed))
    ids = sorted(origins.keys() - own)
    hashes = b"".join(origins[number] for number in ids)
    return np.array(ids, np.int64), np.frombuffer(hashes, np.uint8).reshape(-1, _HASH_BYTES)


@lru_cache(maxsize=4096)
def _hashed(origin: str) -> bytes:
    return sha256(labels.DISCOVERY_REPORT.encode() + b"\0" + plainly(origin).encode()).digest()
