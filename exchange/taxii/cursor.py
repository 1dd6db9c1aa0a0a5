"""How far a collection has been read: the time up to which the server had added objects (``added_after``)."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from exchange.errors import InputError

SETTLING = timedelta(minutes=5)
"""A cursor stays so far behind the server's clock.

Objects that are just being added may carry a time that we have read past: those of one delivery share their
time, and a database shows a row only when its transaction is over. Asking for the last minutes again costs
little, and an object that is read twice changes nothing.
"""

_LAST = "X-TAXII-Date-Added-Last"
_FIRST = "X-TAXII-Date-Added-First"


def parse(text: str) -> datetime:
    """The time that a stored cursor says.

    Raises:
        InputError: it is none.
    """
    when = _time(text)
    if when is None:
        raise InputError(
            "what was remembered of this collection is no time",
            code="taxii-cursor", hint="read it from the beginning: --full",
        )  # fmt: skip
    return when


def write(when: datetime) -> str:
    """A time as TAXII has it (section 3.1), in microseconds."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def added(headers: Mapping[str, str]) -> tuple[datetime, datetime] | None:
    """When the first and the last object of a page were added, if the server says so (section 3.2)."""
    first, last = (_time(headers.get(name, "")) for name in (_FIRST, _LAST))
    return None if first is None or last is None or first > last else (first, last)


def advance(since: datetime | None, last: datetime | None, now: datetime) -> datetime | None:
    """The cursor after a download: never behind the one before, never ahead of what has settled.

    Args:
        since: the cursor that the download began with.
        last: when the last object that came was added.
        now: the server's time when the download began.
    """
    if last is None:
        return since
    settled = min(last, now - SETTLING)
    return settled if since is None else max(since, settled)


def _time(text: str) -> datetime | None:
    try:
        when = datetime.fromisoformat(text)
        return when.astimezone(UTC) if when.tzinfo else None
    except (ValueError, OverflowError):
        return None
