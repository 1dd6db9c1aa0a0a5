"""How the entries of a warning list are compared with canonical values: a class for each type of list.

A matcher looks at many values at once, because a million of them come by and next to none is listed. The
union of several matchers finds those few; then each list is asked about them alone.

Source: MISP, app/Model/Warninglist.php; docs/warninglists.md says where this differs.
"""

import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Protocol, Self

import numpy as np
from ada_url import idna
from numpy.typing import NDArray

from exchange.indicators.canonical import canonicalise, recognise
from exchange.indicators.types import IndicatorType, Refused

_RECOGNISED = frozenset(
    {
        IndicatorType.IPV4, IndicatorType.IPV6, IndicatorType.CIDR, IndicatorType.DOMAIN, IndicatorType.URL,
        IndicatorType.EMAIL, IndicatorType.MD5, IndicatorType.SHA1, IndicatorType.SHA256,
    }
)  # fmt: skip
"""Types whose values can be told from what they look like."""

_DELIMITED = re.compile(r"/(?P<pattern>.*)/(?P<flags>[a-zA-Z]*)", re.DOTALL)
# u is how Python reads text anyway; g is no flag of PCRE, but stands in published lists.
_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE, "u": 0, "g": 0}

_GRAM_BYTES = 4
_TABLE_BITS = 20
_SPREAD = np.uint32(2654435761)  # Knuth's multiplier: neighbours end far apart


class BadEntry(Exception):
    """An entry is not what the type of its list says. Says where and what, never the entry."""

    def __init__(self, position: int, what: str) -> None:
        super().__init__(what)
        self.position = position


class Matcher(Protocol):
    """What every type of list can do."""

    @classmethod
    def of(cls, entries: Sequence[str], kinds: frozenset[IndicatorType]) -> Self:
        """Take the entries of a list that applies to these types.

        Raises:
            BadEntry: one of them is not what the type of the list says.
        """

    @classmethod
    def union(cls, parts: Sequence[Self]) -> Self:
        """A matcher that hits what any of the parts hits."""

    def hits(self, kind: IndicatorType, values: Sequence[str]) -> list[int]:
        """The positions of the values, canonical and all of one type, that are listed; ascending."""


class Strings:
    """``string``: the value as a whole, in canonical form on both sides."""

    def __init__(self, forms: Iterable[str]) -> None:
        self.forms = frozenset(forms)

    @classmethod
    def of(cls, entries: Sequence[str], kinds: frozenset[IndicatorType]) -> Self:
        """Take entries in any spelling that an import would take."""
        return cls(chain.from_iterable(_forms(entry, kinds) for entry in entries))

    @classmethod
    def union(cls, parts: Sequence[Self]) -> Self:
        """What is in any of the parts."""
        return cls(chain.from_iterable(part.forms for part in parts))

    def hits(self, kind: IndicatorType, values: Sequence[str]) -> list[int]:  # noqa: ARG002 (as all matchers)
        """The positions of the values that are listed, ascending."""
        forms = self.forms
        if forms.isdisjoint(values):  # nearly always, and far quicker to find out
            return []
        return [i for i, value in enumerate(values) if value in forms]


class Hostnames:
    """``hostname``: a listed host or one below it; of a URL its host, of an e-mail address its domain."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = frozenset(names)

    @classmethod
    def of(cls, entries: Sequence[str], kinds: frozenset[IndicatorType]) -> Self:  # noqa: ARG003 (as all)
        """Take names in any case, with or without outer dots, in Unicode or not.

        Raises:
            BadEntry: one is no name.
        """
        return cls(_a_label(n, entry) for n, entry in enumerate(entries))

    @classmethod
    def union(cls, parts: Sequence[Self]) -> Self:
        """What is in any of the parts."""
        return cls(chain.from_iterable(part.names for part in parts))

    def hits(self, kind: IndicatorType, values: Sequence[str]) -> list[int]:
        """The positions of the values that are listed, ascending."""
        names, found = self.names, []
        for i, host in enumerate(_hosts(kind, values)):
            name = host
            while name not in names:
                _, dot, name = name.partition(".")
                if not dot:
                    break
            else:
                found.append(i)
        return found


class Substrings:
    """``substring``: the value contains an entry, in whatever case.

    Every entry is filed under a gram, a few of its bytes. All values are one text, and a table says of each
    position whether one of those grams may begin there: the number of entries does not slow that down.
    """

    def __init__(self, entries: Iterable[bytes]) -> None:
        self.entries = frozenset(entries)
        self._width = min([_GRAM_BYTES, *map(len, self.entries)])
        self._filed: dict[bytes, list[tuple[int, bytes]]] = {}
        for entry in sorted(self.entries):
            at = self._rarest(entry)
            self._filed.setdefault(entry[at : at + self._width], []).append((at, entry))
        self._mask = np.uint32((1 << 8 * self._width) - 1)
        self._table = np.zeros(1 << _TABLE_BITS, bool)
        self._table[self._slots(b"".join(gram.ljust(_GRAM_BYTES) for gram in self._filed), 0)] = True

    @classmethod
    def of(cls, entries: Sequence[str], kinds: frozenset[IndicatorType]) -> Self:  # noqa: ARG003 (as all)
        """Take pieces of text."""
        return cls(entry.lower().encode() for entry in entries)

    @classmethod
    def union(cls, parts: Sequence[Self]) -> Self:
        """What is in any of the parts."""
        return cls(chain.from_iterable(part.entries for part in parts))

    def hits(self, kind: IndicatorType, values: Sequence[str]) -> list[int]:  # noqa: ARG002 (as all matchers)
        """The positions of the values that are listed, ascending."""
        # No canonical value has a line break; those at the end let every gram be read in full.
        text = "\n".join([*values, _GRAM_BYTES * "\n"]).lower().encode()
        ends = np.flatnonzero(np.frombuffer(text, np.uint8) == ord("\n"))
        found = set()
        for lag in range(_GRAM_BYTES):
            for word in np.flatnonzero(self._table[self._slots(text, lag)]).tolist():
                start = _GRAM_BYTES * word + lag
                for offset, entry in self._filed.get(text[start : start + self._width], ()):
                    if start >= offset and text.startswith(entry, start - offset):
                        found.add(int(np.searchsorted(ends, start, side="right")))
        return sorted(found)

    def _rarest(self, entry: bytes) -> int:
        """Where in the entry the gram stands under which the fewest are filed yet: many begin alike."""
        starts = range(len(entry) - self._width + 1)
        return min(starts, key=lambda at: len(self._filed.get(entry[at : at + self._width], ())))

    def _slots(self, text: bytes, lag: int) -> NDArray[np.uint32]:
        """The slots in the table of the grams at every fourth position, the first of them ``lag``."""
        words = np.frombuffer(text, "<u4", count=(len(text) - lag) // _GRAM_BYTES, offset=lag)
        return ((words & self._mask) * _SPREAD) >> np.uint32(32 - _TABLE_BITS)


class Patterns:
    """``regex``: a regular expression is found somewhere in the value."""

    def __init__(self, patterns: Iterable[re.Pattern[str]]) -> None:
        self.patterns = tuple(patterns)

    @classmethod
    def of(cls, entries: Sequence[str], kinds: frozenset[IndicatorType]) -> Self:  # noqa: ARG003 (as all)
        """Take expressions as PHP writes them, ``/abc/i``, or bare.

        Raises:
            BadEntry: one is none that Python knows.
        """
        return cls(_pattern(n, entry) for n, entry in enumerate(entries))

    @classmethod
    def union(cls, parts: Sequence[Self]) -> Self:
        """What is in any of the parts."""
        return cls(chain.from_iterable(part.patterns for part in parts))

    def hits(self, kind: IndicatorType, values: Sequence[str]) -> list[int]:  # noqa: ARG002 (as all matchers)
        """The positions of the values that are listed, ascending."""
        return [i for i, value in enumerate(values) if any(p.search(value) for p in self.patterns)]


def _forms(entry: str, kinds: frozenset[IndicatorType]) -> Iterator[str]:
    """The canonical forms that an entry may have; as it stands in lower case if it has none."""
    try:
        found = recognise(entry)
    except Refused:
        found = None
    if found and found.type in kinds:
        yield found.value
        return
    yield entry.lower()
    for kind in kinds - _RECOGNISED:
        try:
            yield canonicalise(kind, entry).value
        except Refused:
            continue


def _a_label(position: int, entry: str) -> str:
    name = entry.strip(".").lower()
    if name.isascii():
        return name
    try:
        return str(idna.encode(name).decode("ascii"))
    except ValueError:
        raise BadEntry(position, "no name of a host") from None


def _hosts(kind: IndicatorType, values: Sequence[str]) -> Iterable[str]:
    if kind is IndicatorType.URL:
        return (value.split("/", 3)[2].partition(":")[0] for value in values)
    if kind is IndicatorType.EMAIL:
        return (value.rpartition("@")[2] for value in values)
    return values


def _pattern(position: int, entry: str) -> re.Pattern[str]:
    delimited = _DELIMITED.fullmatch(entry)
    text, letters = (delimited["pattern"], delimited["flags"]) if delimited else (entry, "")
    if unknown := set(letters) - set(_FLAGS):
        raise BadEntry(position, f"flags of a regular expression that are not known: {', '.join(unknown)}")
    flags = 0
    for letter in letters:
        flags |= _FLAGS[letter]
    try:
        with warnings.catch_warnings(action="ignore"):  # of what a later Python may read differently
            return re.compile(text, flags)
    except (re.error, OverflowError, RecursionError):
        raise BadEntry(position, "no regular expression that Python knows") from None
