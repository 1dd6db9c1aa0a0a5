"""Which indicators may leave, now and under this ceiling; and which rule holds back the others.

What holds back is said of an observation: its marking, its embargo, its age. An indicator may leave if at
least one feed lets it. A warning list in mode ``block`` is said of the indicator itself.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, case, exists, func, select

from exchange.indicators import IndicatorType, Tlp
from exchange.store.sayings import RANK
from exchange.store.schema import context, delivery, indicator, listed, observation, warning_list

BLOCK = "block"
"""The mode of a warning list whose entries never enter a set."""

RULES = ("warning-list", "tlp", "embargo", "expired")
"""What may hold an indicator back, in the order in which it is counted."""

_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Terms:
    """Under what an indicator may leave.

    Attributes:
        ceiling: the most closed marking that may; RED never may.
        now: the time.
        expiry: after how many days without a sighting (without an import, where none is stated) a type is
            too old.
    """

    ceiling: Tlp
    now: datetime
    expiry: Mapping[IndicatorType, int]


def travels(connection: Connection, terms: Terms, rules: Collection[str] = RULES) -> ColumnElement[bool]:
    """The condition on ``indicator`` for leaving, as far as these rules go; it must be held in any case.

    Rules that bind nothing in this store are left out: to find that out is quick, to check a million is not.
    """
    conditions: list[ColumnElement[bool]] = [indicator.c.withdrawn.is_(None)]
    if "warning-list" in rules:
        blocking = select(listed.c.indicator_id).join(warning_list).where(warning_list.c.mode == BLOCK)
        if connection.scalar(select(exists(blocking))):
            conditions.append(~blocking.where(listed.c.indicator_id == indicator.c.id).exists())
    bars = [bar for rule in rules for bar in _bars(connection, terms, rule)]
    if bars:
        ours = observation.c.indicator_id == indicator.c.id
        conditions.append(exists().where(ours, *(~bar for bar in bars)))
    return and_(*conditions)


def _bars(connection: Connection, terms: Terms, rule: str) -> Sequence[ColumnElement[bool]]:
    """What of a rule bars an observation, if it bars any."""
    now = int(terms.now.timestamp())
    if rule == "tlp":
        closed = observation.c.tlp > min(RANK[terms.ceiling], RANK[Tlp.AMBER_STRICT])
        return [closed] if connection.scalar(select(exists().where(closed))) else []
    if rule == "embargo":
        return _said(connection, context.c.not_before > now)
    if rule == "expired":
        return [*_said(connection, context.c.valid_until <= now), *_aged(terms.expiry, now)]
    return []


def _said(connection: Connection, bar: ColumnElement[bool]) -> Sequence[ColumnElement[bool]]:
    if not connection.scalar(select(exists().where(bar))):
        return []
    return [exists().where(context.c.id == observation.c.context_id, bar)]


def _aged(expiry: Mapping[IndicatorType, int], now: int) -> Sequence[ColumnElement[bool]]:
    if not expiry:
        return []
    seen = select(context.c.last_seen).where(context.c.id == observation.c.context_id).scalar_subquery()
    came = select(delivery.c.at).where(delivery.c.id == observation.c.last_delivery).scalar_subquery()
    oldest = case({kind.value: now - days * _DAY_S for kind, days in expiry.items()}, value=indicator.c.type)
    return [and_(oldest.is_not(None), func.coalesce(seen, came) < oldest)]
