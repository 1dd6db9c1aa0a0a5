"""Deliveries of feeds, made by hand."""

from datetime import UTC, datetime
from typing import Any

from exchange.indicators import Batch, Indicator, IndicatorType, Refused
from exchange.indicators.context import Context
from exchange.store import Held, ImportReport, Store

NOW = datetime(2026, 8, 22, 12, tzinfo=UTC)
ALL = list(IndicatorType)
IPV4, DOMAIN, MD5 = IndicatorType.IPV4, IndicatorType.DOMAIN, IndicatorType.MD5


def batch(*values: str | tuple[str, Context | None], revoked: tuple[str, ...] = ()) -> Batch:
    """Values, each with or without a context, and values that their producer has withdrawn."""
    given = [value if isinstance(value, tuple) else (value, None) for value in values]
    return Batch.of(
        [(value, None, context) for value, context in given]
        + [(value, Refused("revoked", kind=IPV4), None) for value in revoked]
    )


def put(
    store: Store,
    *values: str | tuple[str, Context | None],
    source: str = "a",
    now: datetime = NOW,
    revoked: tuple[str, ...] = (),
    **how: Any,
) -> ImportReport:
    """Deliver them in one batch."""
    return store.import_indicators([batch(*values, revoked=revoked)], source=source, now=now, **how)


def travelling(
    store: Store, types: list[IndicatorType] = ALL, *, now: datetime = NOW, **how: Any
) -> set[str]:
    """The values that would enter a set."""
    items = store.item_set(types, now=now, **how)
    assert store.size(types, now=now, **how) == len(items.ids)
    return {indicator.value for indicator in store.values(items.ids)}


def told(store: Store, value: str) -> list[Held]:
    """What we know of an address."""
    [known] = store.held([Indicator(IPV4, value)])
    return known
