"""Which indicators may enter a set, now and for this peer; and which rule holds back the others.

Most of what holds back is said of an observation: its marking, its embargo, its age, its feed. An indicator
may enter if at least one feed lets it. Two rules are said of the indicator itself: it is on a warning list in
mode ``block``, or it has entered as many sessions as it may.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    Select,
    and_,
    case,
    cast,
    exists,
    func,
    or_,
    select,
    true,
)

from exchange.indicators import IndicatorType, Tlp
from exchange.indicators.context import Pap
from exchange.policy.admission import ADMISSION_RULES, Admission
from exchange.store.sayings import RANK
from exchange.store.schema import context, delivery, feed, indicator, listed, observation, warning_list

BLOCK = "block"
"""The mode of a warning list whose entries never enter a set."""

ENTERS = len(ADMISSION_RULES)
"""What ``verdict`` gives for an indicator that no rule holds back."""

_DAY_S = 86_400
_PAPS = list(Pap)
_OF_INDICATOR = ("p15-warning-list", "p11-per-value")


@dataclass(frozen=True, slots=True)
class Terms:
    """Under what an indicator may enter a set.

    Attributes:
        now: the time.
        expiry: after how many days without a sighting (without an import, where none is stated) a type is
            too old for anybody.
        admission: what else the policy asks for.
    """

    now: datetime
    expiry: Mapping[IndicatorType, int]
    admission: Admission

    @property
    def seconds(self) -> int:
        """The time, as the tables have it."""
        return int(self.now.timestamp())


class Bars:
    """The rules that hold anything back in this store.

    The others are left out of every query: to find out that a rule binds nothing is quick, to check a million
    indicators against it is not.
    """

    def __init__(self, connection: Connection, terms: Terms) -> None:
        found = {rule: or_(*bars) for rule in ADMISSION_RULES if (bars := [*_BARS[rule](connection, terms)])}
        self._observed = {rule: bar for rule, bar in found.items() if rule not in _OF_INDICATOR}
        self._listed, self._repeated = (found.get(rule) for rule in _OF_INDICATOR)

    def travels(self) -> ColumnElement[bool]:
        """The condition on ``indicator`` for entering a set."""
        conditions: list[ColumnElement[bool]] = [indicator.c.withdrawn.is_(None)]
        conditions += [~bar for bar in (self._listed, self._repeated) if bar is not None]
        if self._observed:
            ours = observation.c.indicator_id == indicator.c.id
            conditions.append(exists().where(ours, *(~bar for bar in self._observed.values())))
        return and_(*conditions)

    def lets(self) -> ColumnElement[bool]:
        """The condition on ``observation`` for letting its indicator enter."""
        return and_(true(), *(~bar for bar in self._observed.values()))

    def verdict(self) -> ColumnElement[int]:
        """Which rule holds a held ``indicator`` back, as its place in ``ADMISSION_RULES``; else ``ENTERS``.

        Of an observation it is the first rule that bars it; of an indicator, what is said of the observation
        that comes furthest. So it is the first rule with which none of its observations is left.
        """
        enters: ColumnElement[int] = cast(ENTERS, indicator.c.id.type)
        if self._repeated is not None:
            enters = case((self._repeated, _place("p11-per-value")), else_=enters)
        if self._observed:
            reached = case(*((bar, _place(rule)) for rule, bar in self._observed.items()), else_=enters)
            ours = observation.c.indicator_id == indicator.c.id
            enters = select(func.max(reached)).where(ours).correlate(indicator).scalar_subquery()
        if self._listed is not None:
            enters = case((self._listed, _place("p15-warning-list")), else_=enters)
        return enters


def _place(rule: str) -> int:
    return ADMISSION_RULES.index(rule)


def _warned(connection: Connection, _terms: Terms) -> Iterator[ColumnElement[bool]]:
    blocking = select(listed.c.indicator_id).join(warning_list).where(warning_list.c.mode == BLOCK)
    if connection.scalar(select(blocking.exists())):
        yield blocking.where(listed.c.indicator_id == indicator.c.id).correlate(indicator).exists()


def _closed(connection: Connection, terms: Terms) -> Iterator[ColumnElement[bool]]:
    closed = observation.c.tlp > min(RANK[terms.admission.tlp], RANK[Tlp.AMBER_STRICT])
    if connection.scalar(select(exists().where(closed))):
        yield closed


def _not_permitted(connection: Connection, terms: Terms) -> Iterator[ColumnElement[bool]]:
    if terms.admission.pap is None:
        return
    document = context.c.document
    sqlite = connection.dialect.name == "sqlite"
    pap = func.json_extract(document, "$.pap") if sqlite else cast(document, JSON)["pap"].as_string()
    yield from _said(connection, pap.in_(_PAPS[_PAPS.index(terms.admission.pap) + 1 :]))


def _copied(connection: Connection, terms: Terms) -> Iterator[ColumnElement[bool]]:
    copied = select(feed.c.id).where(~feed.c.own)
    if terms.admission.own and connection.scalar(select(copied.exists())):
        yield observation.c.feed_id.in_(copied)


def _embargoed(connection: Connection, terms: Terms) -> Iterator[ColumnElement[bool]]:
    yield from _said(connection, context.c.not_before > terms.seconds)


def _expired(connection: Connection, terms: Terms) -> Iterator[ColumnElement[bool]]:
    yield from _said(connection, context.c.valid_until <= terms.seconds)
    yield from _aged(connection, terms.expiry, terms.seconds)


def _old(connection: Connection, terms: Terms) -> Iterator[ColumnElement[bool]]:
    yield from _aged(connection, terms.admission.max_age_days, terms.seconds)


def _repeated(connection: Connection, terms: Terms) -> Iterator[ColumnElement[bool]]:
    """The first import counts, of whichever feed: what a second feed gives again is not new to the peer."""
    moment = terms.admission.imported_after
    if moment is None:
        return
    before = select(delivery.c.id).where(delivery.c.at <= int(moment.timestamp()))
    if connection.scalar(select(before.exists())):
        earlier = observation.alias()
        ours = earlier.c.indicator_id == indicator.c.id
        yield exists().where(ours, earlier.c.first_delivery.in_(before)).correlate(indicator)


def _said(connection: Connection, bar: ColumnElement[bool]) -> Iterator[ColumnElement[bool]]:
    if connection.scalar(select(exists().where(bar))):
        yield exists().where(context.c.id == observation.c.context_id, bar)


def _aged(
    connection: Connection, days: Mapping[IndicatorType, int], now: int
) -> Iterator[ColumnElement[bool]]:
    limits = {kind.value: now - most * _DAY_S for kind, most in days.items()}
    # Where nothing is older than the latest limit, none binds. Deliveries and contexts are fewer than items.
    if not limits or not connection.scalar(_older_than(max(limits.values()))):
        return
    seen = select(context.c.last_seen).where(context.c.id == observation.c.context_id).scalar_subquery()
    came = select(delivery.c.at).where(delivery.c.id == observation.c.last_delivery).scalar_subquery()
    oldest = case(limits, value=indicator.c.type)
    yield and_(oldest.is_not(None), func.coalesce(seen, came) < oldest)


def _older_than(moment: int) -> Select[tuple[bool]]:
    return select(or_(exists().where(context.c.last_seen < moment), exists().where(delivery.c.at < moment)))


_BARS: Mapping[str, Callable[[Connection, Terms], Iterator[ColumnElement[bool]]]] = {
    "p15-warning-list": _warned,
    "p4-tlp": _closed,
    "p5-pap": _not_permitted,
    "p18-provenance": _copied,
    "p14-embargo": _embargoed,
    "expired": _expired,
    "p13-age": _old,
    "p11-per-value": _repeated,
}
"""What of a rule bars an observation, or an indicator, if it bars any."""
