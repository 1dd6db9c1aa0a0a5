"""Reading single values strictly: whatever is not known is refused, with its place."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, TypeVar

from exchange.agreement import MAX_ROWS, MAX_TEXT
from exchange.errors import ConfigError
from exchange.policy.terms import Bounds, Validity

T = TypeVar("T")
Place = tuple[str, ...]
"""The keys that lead to a value."""
Read = Callable[[Place, Any], Any]


class Values:
    """Readers of single values: each takes a place and a value, and returns what is meant or refuses it.

    Args:
        where: what a message calls a place.
        quoted: whether days stand as text, for want of anything better: in JSON.
    """

    def __init__(self, where: Callable[[Place], str], *, quoted: bool) -> None:
        self._where = where
        self._quoted = quoted

    def fault(self, at: Place, fault: str) -> ConfigError:
        """The error that names a place and what is wrong there."""
        return ConfigError(f"{self._where(at).rstrip()} {fault}", hint="docs/policy.md describes the file")

    def table(self, at: Place, raw: object) -> dict[str, Any]:
        """A table, whatever it holds."""
        if isinstance(raw, dict) and all(isinstance(key, str) for key in raw):
            return raw
        raise self.fault(at, "must be a table")

    def named(self, at: Place, raw: object, name: re.Pattern[str], what: str, read: Read) -> dict[str, Any]:
        """A table of which each key is a name of the operator's."""
        for key in (found := self.table(at, raw)):
            if not name.fullmatch(key):
                raise self.fault((*at, key), f"is no {what}")
        return {key: read((*at, key), value) for key, value in found.items()}

    def stated(self, at: Place, raw: object, readers: Mapping[str, Read], *also: str) -> dict[str, Any]:
        """Those of the known keys that a table has; ``also`` are read elsewhere."""
        known = (*readers, *also)
        for key in (found := self.table(at, raw)):
            if key not in known:
                raise self.fault((*at, key), f"is not known here; known are: {', '.join(known)}")
        return {key: read((*at, key), found[key]) for key, read in readers.items() if key in found}

    def words(self, known: Sequence[str]) -> Read:
        """A list of known words."""
        one = self.word(known)
        return lambda at, value: frozenset(self.each(at, value, one))

    def matching(self, pattern: re.Pattern[str], what: str) -> Read:
        """A list of texts of one form."""
        one = self.text(pattern, what)
        return lambda at, value: frozenset(self.each(at, value, one))

    def each(self, at: Place, value: object, read: Callable[[Place, Any], T]) -> list[T]:
        """A list without repetition."""
        if not isinstance(value, list):
            raise self.fault(at, "must be a list, in [ ]")
        items = [read((*at[:-1], f"{at[-1]}[{i}]"), item) for i, item in enumerate(value)]
        if len(set(items)) != len(items):
            raise self.fault(at, "holds a value twice")
        return items

    def word(self, known: Sequence[str]) -> Callable[[Place, Any], str]:
        """One of the known words."""

        def read(at: Place, value: object) -> str:
            if isinstance(value, str) and value in known:
                return str(value)
            raise self.fault(at, f"must be one of: {', '.join(known)}")

        return read

    def text(self, pattern: re.Pattern[str], what: str) -> Callable[[Place, Any], str]:
        """A printable text of one form."""

        def read(at: Place, value: object) -> str:
            if isinstance(value, str) and pattern.fullmatch(value) and value.isprintable():
                return value
            raise self.fault(at, f"must be {what}")

        return read

    def line(self, most: int = MAX_TEXT) -> Callable[[Place, Any], str]:
        """A printable text of any form."""
        return self.text(re.compile(rf".{{1,{most}}}"), f"a text of 1 to {most} characters")

    def parsed(self, parse: Callable[[str], T], what: str) -> Callable[[Place, Any], T]:
        """A text that something else reads."""

        def read(at: Place, value: object) -> T:
            try:
                if isinstance(value, str):
                    return parse(value)
            except ValueError:
                pass
            raise self.fault(at, f"must be {what}")

        return read

    def flag(self, at: Place, value: object) -> bool:
        """True or false."""
        if isinstance(value, bool):
            return value
        raise self.fault(at, "must be true or false")

    def number(self, most: int, least: int = 0) -> Callable[[Place, Any], int]:
        """A whole number."""

        def read(at: Place, value: object) -> int:
            if type(value) is int and least <= value <= most:
                return value
            raise self.fault(at, f"must be a whole number from {least} to {most}")

        return read

    def real(self, least: float, most: float) -> Callable[[Place, Any], float]:
        """A number."""

        def read(at: Place, value: object) -> float:
            if isinstance(value, int | float) and type(value) is not bool and least <= value <= most:
                return float(value)
            raise self.fault(at, f"must be a number from {least:g} to {most:g}")

        return read

    def bounds(self, at: Place, raw: object) -> Bounds:
        """A smallest and a largest number of items."""
        if not isinstance(raw, dict) or raw.keys() != {"min", "max"}:
            raise self.fault(at, "must be { min = NUMBER, max = NUMBER }")
        least, most = (self.number(MAX_ROWS)((*at, key), raw[key]) for key in ("min", "max"))
        if least > most:
            raise self.fault(at, "has a min above its max")
        return Bounds(least, most)

    def whole(self, at: Place, raw: object, form: str, readers: Mapping[str, Read]) -> dict[str, Any]:
        """An inline table that states all that it can state."""
        if not isinstance(raw, dict) or raw.keys() != readers.keys():
            raise self.fault(at, f"must be {form}")
        return self.stated(at, raw, readers)

    def validity(self, at: Place, raw: Mapping[str, Any]) -> Validity:
        """The days ``valid_from`` and ``valid_until`` of a table."""
        return self._ends(at, raw, ("valid_from", "valid_until"), self._day)

    def instants(self, at: Place, raw: Mapping[str, Any]) -> Validity:
        """The ``start_date`` and ``end_date`` of an IEP: days or exact times, null for none."""
        return self._ends(at, raw, ("start_date", "end_date"), self._instant)

    def _ends(
        self, at: Place, raw: Mapping[str, Any], keys: tuple[str, str], read: Callable[[Place, Any], date]
    ) -> Validity:
        first, last = (None if raw.get(key) is None else read((*at, key), raw[key]) for key in keys)
        found = Validity(first, last)
        if first is not None and last is not None and not _ordered(first, last):
            raise self.fault((*at, keys[1]), f"is before {keys[0]}")
        return found

    def _day(self, at: Place, value: object) -> date:
        if self._quoted and isinstance(value, str):
            return self.parsed(_plain_day, "a day, such as 2026-12-31")(at, value)
        if isinstance(value, date) and not isinstance(value, datetime):
            return value
        quotes = "" if self._quoted else ", without quotes"
        raise self.fault(at, f"must be a day, such as 2026-12-31{quotes}")

    def _instant(self, at: Place, value: object) -> date:
        what = "a day or a time with its zone, such as 2026-12-31 or 2026-12-31T23:59:59Z"
        if isinstance(value, str) and self._quoted:
            value = self.parsed(_moment, what)(at, value)
        if isinstance(value, datetime) and value.tzinfo is not None and math.isfinite(_seconds(value)):
            return value.astimezone(UTC)
        if isinstance(value, date) and not isinstance(value, datetime):
            return value
        raise self.fault(at, f"must be {what}")


_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def _plain_day(text: str) -> date:
    if not _DAY.fullmatch(text):
        raise ValueError("no day")
    return date.fromisoformat(text)


def _moment(text: str) -> date:
    return date.fromisoformat(text) if _DAY.fullmatch(text) else datetime.fromisoformat(text)


def _seconds(moment: datetime) -> float:
    """Seconds since 1970; infinite for a time that UTC has no year for."""
    try:
        return moment.astimezone(UTC).timestamp()
    except OverflowError:
        return math.inf


def _ordered(first: date, last: date) -> bool:
    if isinstance(first, datetime) and isinstance(last, datetime):
        return first <= last
    return date(first.year, first.month, first.day) <= date(last.year, last.month, last.day)
