"""The result of a match or a discovery as ``--json`` printed it, read back with suspicion."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from exchange.errors import InputError
from exchange.indicators import Indicator, IndicatorType, Refused, canonicalise
from exchange.indicators.context import Context
from exchange.names import is_member_id

_HINT = (
    "it must be the object that cosight match --json or cosight discover --json prints, whole and unchanged"
)
_TYPES = frozenset(IndicatorType)
_MAX_SESSION_CHARS = 128


@dataclass(frozen=True, slots=True)
class MatchResult:
    """What an export needs of a result.

    Attributes:
        session: identifies the session in both ledgers.
        peer: the other member; ``""`` of a discovery, in which nobody learns who.
        items: the shared indicators, each once.
        contexts: what the peer says of each of them, in their order; ``None`` where it says nothing.
    """

    session: str
    peer: str
    items: tuple[Indicator, ...]
    contexts: tuple[Context | None, ...]

    @classmethod
    def of(
        cls,
        session: str,
        peer: str,
        items: Sequence[Indicator] | None,
        contexts: Sequence[Context | None] | None = None,
    ) -> Self:
        """What a session told: without items or contexts where its rung tells none."""
        found = tuple(items or ())
        return cls(session, peer, found, (None,) * len(found) if contexts is None else tuple(contexts))

    @classmethod
    def parse(cls, data: bytes, *, name: str) -> Self:
        """Read a result.

        Args:
            data: JSON in UTF-8.
            name: of the file, for the error.

        Raises:
            InputError: it is no result of a match, or one that tells no items; names the place.
        """
        try:
            found = json.loads(data)
        except (ValueError, RecursionError) as e:
            place = f", line {e.lineno}" if isinstance(e, json.JSONDecodeError) else ""
            raise InputError(f"{name}{place}: not JSON", hint=_HINT) from None
        result = found.get("result") if isinstance(found, dict) else None
        if not isinstance(found, dict) or not isinstance(result, dict) or "items" not in result:
            raise InputError(f"{name}: not the result of a match", hint=_HINT)
        # A discovery has a threshold, and no peer.
        session, peer, items = found.get("session"), found.get("peer"), result["items"]
        is_discovery = "threshold" in found and "peer" not in found
        if not isinstance(session, str) or not 0 < len(session) <= _MAX_SESSION_CHARS:
            raise InputError(f"{name}, session: not the name of a session", hint=_HINT)
        if not is_discovery and (not isinstance(peer, str) or not is_member_id(peer)):
            raise InputError(f"{name}, peer: not a member id", hint=_HINT)
        if items is None:
            again = (
                "discover with: --learn individual" if is_discovery else "match again with: --reveal overlap"
            )
            what = "discovery" if is_discovery else "match"
            raise InputError(f"{name}: this {what} told no items", hint=again)
        if not isinstance(items, list):
            raise InputError(f"{name}, result.items: not a list", hint=_HINT)
        read: dict[Indicator, Context | None] = {}
        for i, item in enumerate(items):
            place = f"{name}, result.items[{i}]"
            read.setdefault(_indicator(item, place), _context(item, place))
        return cls(session, "" if is_discovery else str(peer), tuple(read), tuple(read.values()))


def _indicator(item: Any, place: str) -> Indicator:
    """One item, which must stand there as a match writes it: anything else did not come from one."""
    kind, value = (item.get("type"), item.get("value")) if isinstance(item, dict) else (None, None)
    if not isinstance(kind, str) or kind not in _TYPES:
        raise InputError(f"{place}: not an indicator of a type that we know", hint=_HINT)
    if not isinstance(value, str):
        raise InputError(f"{place}.value: not a text", hint=_HINT)
    indicator = Indicator(IndicatorType(kind), value)
    try:
        canonical = canonicalise(indicator.type, value)
    except Refused:
        canonical = None
    if canonical != indicator:
        raise InputError(f"{place}: not in canonical form", hint=_HINT)
    return indicator


def _context(item: Any, place: str) -> Context | None:
    """What the peer says of one item. A marking that cannot be read would count as none: refused."""
    told = item.get("context")
    if told is None:
        return None
    context = Context.stated(told) if isinstance(told, dict) else None
    if context is None or context.to_json().keys() != told.keys():
        raise InputError(f"{place}.context: not what a match tells of an item", hint=_HINT)
    return context or None
