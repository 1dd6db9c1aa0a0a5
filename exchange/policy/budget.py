"""Rules on what has happened before: how often, how much, how much in all."""

import math
from datetime import datetime, timedelta

from exchange.agreement import Rung
from exchange.indicators import Tlp
from exchange.policy.admission import Admission
from exchange.policy.history import History
from exchange.policy.request import at_stake
from exchange.policy.rule import Case, Objection, Pending, Rule
from exchange.policy.terms import Terms

DAY = timedelta(hours=24)
YEAR = timedelta(days=365)


def _sessions(case: Case) -> Objection | None:
    began, allowed = case.history.sessions_since(case.now - DAY), case.terms.sessions_per_day
    if began < allowed:
        return None
    reason = f"{began} sessions with {case.request.peer} began in the last 24 hours"
    return Objection(f"{reason}, {allowed} are allowed", f"sessions_per_day = {began + 1}")


def _per_day(case: Case) -> Objection | Pending | None:
    return _values(case, case.terms.values_per_day, DAY, "values_per_day", "24 hours")


def _per_year(case: Case) -> Objection | Pending | None:
    return _values(case, case.terms.values_per_year, YEAR, "values_per_year", "365 days")


def _values(
    case: Case, most: int | None, span: timedelta, line: str, words: str
) -> Objection | Pending | None:
    request = case.request
    if most is None or not request.answers:
        return None
    spent = asked_since(case.history, case.now - span)
    more = request.asks
    if more is None and spent < most:
        return Pending("how many values the peer asks is known once it answers")
    total = spent + (more or 0)
    if total <= most and more is not None:
        return None
    reason = f"{request.peer} has asked {spent} values in {words} and would ask {more or 'more'}"
    return Objection(f"{reason}: {most} are allowed", f"{line} = {total + (more is None)}")


def asked_since(history: History, moment: datetime) -> int:
    """Return how many values the peer can have asked about since a moment: every one may be a new guess."""
    return sum(past.asked for past in history.since(moment))


def learned_since(history: History, moment: datetime) -> int:
    """Return the most items of ours that the peer can have learned of since a moment."""
    return sum(past.charge for past in history.since(moment))


def _share(case: Case) -> Objection | Pending | None:
    share, request = case.terms.share, case.request
    if share is None or not request.answers:
        return None
    if request.our_size is None:
        return Pending("our size is looked up once every other rule has passed")
    before = learned_since(case.history, case.now - timedelta(days=share.days))
    most = share.most * request.our_size
    if request.peer_size_padded is None and before <= most:
        return Pending("what is at stake is known once the peer answers")
    total = before + (0 if request.peer_size_padded is None else at_stake(request))
    if total <= most:
        return None
    part = total / request.our_size if request.our_size else math.inf
    reason = (
        f"{request.peer} may have learned {before} items of ours in {share.days} days and would have "
        f"{total} after this, {part:.1%} of our {request.our_size}: {share.most:.1%} are allowed"
    )
    if part > 1:
        return Objection(reason)
    return Objection(reason, f"share = {{ most = {math.ceil(part * 1000) / 1000}, days = {share.days} }}")


BUDGET = (
    Rule("p11-sessions-per-day", "no more than so many sessions in 24 hours", _sessions),
    Rule(
        "p11-values-per-day",
        "the peer asks no more than so many values in 24 hours",
        _per_day,
        ("values_per_day",),
    ),
    Rule(
        "p11-values-per-year",
        "the peer asks no more than so many values in 365 days",
        _per_year,
        ("values_per_year",),
    ),
    Rule("p12-share", "the peer learns no more than such a part of our set in all", _share, ("share",)),
)


def admission(terms: Terms, history: History, now: datetime) -> Admission:
    """Return under what an indicator of ours may enter a set for a peer now.

    A value that may enter a peer's sessions so many times has done so once it was there for all of the last
    so many sessions: it was first imported before the earliest of them began.
    """
    return Admission(
        tlp=terms.tlp or Tlp.CLEAR,
        pap=terms.pap,
        max_age_days=terms.max_age_days,
        own=terms.provenance == "own",
        imported_after=_spent(terms, history, now),
    )


def _spent(terms: Terms, history: History, now: datetime) -> datetime | None:
    limit = terms.entries_per_value
    if limit is None:
        return None
    window = history.since(now - timedelta(days=limit.days))
    began = sorted((past.began for past in window if past.rung is not Rung.SIZE), reverse=True)
    return began[limit.most - 1] if len(began) >= limit.most else None
