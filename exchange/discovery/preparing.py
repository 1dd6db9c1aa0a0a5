"""Before anything leaves: what is asked of whom, whether it can be afforded, and what of ours goes in."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from crypto.rows import Rows
from crypto.secagg import discovery as atr
from crypto.secagg.strict import Strict, TooCostly, check_cost, predict, predict_member
from exchange.aggregation.lots import draw
from exchange.aggregation.round import Round, day_of, usual_minimum
from exchange.agreement import size_class
from exchange.config import Limits
from exchange.disclosure.desk import Desk
from exchange.discovery.modes import strict_of
from exchange.discovery.office import Office
from exchange.discovery.search import PutIn, Search
from exchange.errors import ConfigError, PolicyRefusal
from exchange.indicators import IndicatorType
from exchange.policy import Discover, Policy
from exchange.policy.discovery import PERSONAL_RULE, TYPES_RULE, entering

MEMORY_RATIO = 6
"""How many times the bytes of all batches a counter needs at most, measured for both modes."""


@dataclass(frozen=True, slots=True)
class Ours:
    """What of ours goes in.

    Attributes:
        rows: ``(n, 32)`` uint8, distinct items.
        ids: ``(n,)`` the identifier of each.
        copies: which of them others reported first.
        put_in: the same in numbers.
    """

    rows: Rows
    ids: NDArray[np.int64]
    copies: atr.Copies
    put_in: PutIn


def plan_of(office: Office, search: Search) -> Round:
    """What is asked of whom, before any key is known.

    Raises:
        PolicyRefusal: it cannot be asked.
        ConfigError: there are too few members to draw from, or the counter would take too long.
    """
    roster, day = office.roster(), day_of(office.desk.clock())
    types = tuple(sorted(search.types))
    parts = search.parts
    if parts is None:
        reachable = [m.id for m in roster.members if m.address is not None]
        parts = draw(reachable, alliance=roster.alliance, before=roster.previous, day=day)
    try:
        plan = Round(
            alliance=roster.alliance, roster_epoch=roster.epoch, roster_hash=roster.hash,
            members=tuple(m.id for m in roster.members), day=day, types=types, threshold=search.threshold,
            minimum=search.minimum or usual_minimum(len(roster.members), search.threshold),
            purpose=search.purpose, learns=search.learns, largest=search.largest, parts=parts,
        )  # fmt: skip
    except ValueError as e:
        raise PolicyRefusal(
            f"this cannot be asked: {e}", code="bad-discovery", hint="see: cosight discover --help"
        ) from e
    if plan.largest:
        _check_cost(strict_of(plan), search, office.desk.limits)
    return plan


def _check_cost(strict: Strict, search: Search, limits: Limits) -> None:
    """Refuse what the counter could not do in the time and the memory that it is given."""
    less = "ask without --strict, with a lower --threshold or --largest, or allow more: "
    try:
        check_cost(strict, search.max_seconds)
    except TooCostly as e:
        raise ConfigError(f"{e}", code="too-costly", hint=less + "--max-seconds") from e
    each, most = strict.sealed_bytes, limits.max_discovery_mib
    every = each * strict.setup.members
    if every > most << 20:
        raise ConfigError(
            f"each batch would have {_mib(each)} MiB, and all of them {_mib(every)} MiB, for which the"
            f" counter needs about {_mib(MEMORY_RATIO * every)} MiB of memory; {most:,} MiB of batches"
            " are allowed",
            code="too-costly", hint=less + "limits.max_discovery_mib, here and at the counter",
        )  # fmt: skip


def cost_of(plan: Round) -> str:
    """What a strict discovery takes each side, in words."""
    strict = strict_of(plan)
    counter, member, each = predict(strict), predict_member(strict), _mib(strict.sealed_bytes)
    return f"strict takes about {member:.0f} s here, {counter:.0f} s at the counter, {each} MiB to the relay"


def _mib(size: int) -> str:
    return f"{-(-size >> 20):,}"


def ours_of(desk: Desk, policy: Policy, of: Round) -> Ours:
    """What of ours goes in.

    Raises:
        ConfigError: it is more than a strict discovery was agreed on for.
    """
    now = desk.clock()
    types, admission = entering(policy, of, now)
    items = desk.items.item_set(types, now=now, admission=admission)
    ids, origins = desk.items.copies(types, now=now, admission=admission)
    order = np.argsort(items.ids)
    places = np.searchsorted(items.ids, ids, sorter=order)
    there = places < len(order)
    there[there] = items.ids[order[places[there]]] == ids[there]
    copies = atr.Copies(order[places[there]], np.ascontiguousarray(origins[there]))
    if of.largest and len(items.rows) > of.largest:
        raise ConfigError(
            f"we would put in {len(items.rows):,} indicators, and {of.largest:,} are the most agreed on",
            code="set-too-large", hint="everybody has to state a larger --largest",
        )  # fmt: skip
    offer = desk.items.offer(types, now=now, admission=admission).as_json()
    put_in = PutIn(
        at=now, padded=size_class(len(items.rows)), copies=len(copies.positions), entered=offer["entered"],
        withheld=_merged(offer["withheld"], _barred(desk, policy, of, types, now)),
    )  # fmt: skip
    return Ours(items.rows, items.ids, copies, put_in)


def _barred(
    desk: Desk, policy: Policy, of: Round, types: Collection[IndicatorType], now: datetime
) -> dict[str, dict[str, int]]:
    """How many that we hold stay out because of their type, by rule and type."""
    terms, others = policy.discover or Discover(), set(of.types).difference(types)
    by_rule = {PERSONAL_RULE: others & terms.types, TYPES_RULE: others - terms.types}
    found = {
        rule: desk.items.offer(kinds, now=now, admission=terms.admission()).as_json()["entered"]
        for rule, kinds in by_rule.items()
        if kinds
    }
    return {rule: counts for rule, counts in found.items() if counts}


def _merged(one: dict[str, dict[str, int]], other: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """By rule and type; no type is in both."""
    return {rule: one.get(rule, {}) | other.get(rule, {}) for rule in (one | other)}
