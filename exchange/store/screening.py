"""Warning lists against what we hold: each indicator is looked up once for each state of the lists."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from itertools import groupby
from typing import Protocol

from sqlalchemy import Connection, delete, func, insert, select

from exchange.indicators import IndicatorType
from exchange.store.schema import delivery, indicator, listed, observation, screened, warning_list

_IDS_PER_SLICE = 1 << 16


class WarningLists(Protocol):
    """Lists of what is no indicator, or a doubtful one; ``exchange.indicators.warninglists`` reads them."""

    @property
    def digest(self) -> str:
        """Changes with every name, version, mode and entry."""

    @property
    def modes(self) -> Mapping[str, str]:
        """What each list is for, by its name: ``block`` or ``inform``."""

    def screen(self, kind: IndicatorType, values: Sequence[str], /) -> Mapping[str, Sequence[int]]:
        """The positions of the canonical values that are on each list."""


def is_current(connection: Connection, lists: WarningLists) -> bool:
    """Whether every indicator has been looked up in these lists."""
    return connection.scalar(select(screened.c.digest)) == lists.digest


def outdate(connection: Connection) -> None:
    """Note that there are indicators that were looked up nowhere."""
    connection.execute(delete(screened))


def screen_all(
    connection: Connection, lists: WarningLists, progress: Callable[[int], None] | None = None
) -> None:
    """Look everything up anew."""
    for table in (listed, warning_list, screened):
        connection.execute(delete(table))
    rows = [{"name": name, "mode": str(mode)} for name, mode in sorted(lists.modes.items())]
    if rows:
        connection.execute(insert(warning_list), rows)
    connection.execute(insert(screened).values(digest=lists.digest))
    screen_after(connection, lists, 0, progress)


def screen_after(
    connection: Connection,
    lists: WarningLists,
    last: int,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Look up every indicator with a number above ``last``."""
    numbers = dict(connection.execute(select(warning_list.c.name, warning_list.c.id)).all())
    query = select(indicator.c.type, indicator.c.id, indicator.c.value)
    highest = connection.scalar(select(func.max(indicator.c.id))) or 0
    done = 0
    for start in range(last + 1, highest + 1, _IDS_PER_SLICE):
        of_slice = indicator.c.id.between(start, start + _IDS_PER_SLICE - 1)
        rows = connection.execute(query.where(of_slice).order_by(indicator.c.type)).all()
        for kind, group in groupby(rows, key=lambda row: row[0]):
            _, ids, values = zip(*group, strict=True)
            hits = lists.screen(IndicatorType(kind), values)
            found = [
                {"indicator_id": ids[position], "list_id": numbers[name]}
                for name, positions in hits.items()
                for position in positions
            ]
            if found:
                connection.execute(insert(listed), found)
        done += len(rows)
        if progress:
            progress(done)


def hits(connection: Connection, feed_id: int | None = None) -> dict[str, dict[str, int]]:
    """How many indicators are on each list, by mode and list: those of one feed, or all that we hold."""
    query = select(warning_list.c.mode, warning_list.c.name, func.count()).select_from(
        listed.join(warning_list)
    )
    if feed_id is None:
        query = query.join(indicator, indicator.c.id == listed.c.indicator_id).where(
            indicator.c.withdrawn.is_(None)
        )
    else:
        query = query.join(observation, observation.c.indicator_id == listed.c.indicator_id).where(
            observation.c.feed_id == feed_id
        )
    found: dict[str, dict[str, int]] = {}
    keys = (warning_list.c.mode, warning_list.c.name)
    for mode, name, count in connection.execute(query.group_by(*keys).order_by(*keys)):
        found.setdefault(mode, {})[name] = count
    return found


def state(connection: Connection, now: datetime) -> bytes:
    """32 bytes that change with every import, list and day: what may enter a set changes with these."""
    newest, deliveries = connection.execute(select(func.max(delivery.c.id), func.count(delivery.c.id))).one()
    lists = connection.scalar(select(screened.c.digest))
    return sha256(f"{newest} {deliveries} {lists} {now.astimezone(UTC).date()}".encode()).digest()
