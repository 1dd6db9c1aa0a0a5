"""The dictionary of a run: the indicators that are counted, which all members see.

One encoding: ``type 0x1f value 0x0a`` for each, in ascending order of these bytes, none twice, all canonical.
Its root is in the opening, so that nobody can be given a dictionary of its own.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cached_property
from hashlib import sha256
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from crypto import labels
from exchange.aggregation.opening import MAX_ENTRIES, Opening
from exchange.errors import InputError, PeerMisbehaved
from exchange.indicators import Indicator, IndicatorType, Refused, canonicalise

SEPARATOR, END = b"\x1f", b"\n"
MAX_BYTES = 1 << 30
_LINE = re.compile(rb"([a-z0-9-]+)\x1f([^\x1f\n]+)")


class Dictionary:
    """Indicators in their order; position 0 is the first.

    Args:
        lines: the lines without their ends, sorted, distinct, well-formed.
    """

    __slots__ = ("__dict__", "_lines")

    def __init__(self, lines: list[bytes]) -> None:
        self._lines = lines

    @classmethod
    def of(cls, indicators: Iterable[Indicator]) -> "Dictionary":
        """The dictionary of some canonical indicators, in whatever order and however often they come.

        Raises:
            InputError: there is none, or there are too many.
        """
        lines = sorted({_line(one) for one in indicators})
        if not 1 <= len(lines) <= MAX_ENTRIES:
            raise InputError(
                f"a dictionary has 1 to {MAX_ENTRIES:,} indicators, not {len(lines):,}",
                hint="what was left out of the file stands on standard error, by reason",
            )
        return cls(lines)

    @classmethod
    def decode(cls, encoded: bytes) -> "Dictionary":
        """Read a dictionary: its one encoding and nothing else.

        Raises:
            PeerMisbehaved: it is anything else, or an entry is not canonical.
        """
        if not encoded.endswith(END) or len(encoded) > MAX_BYTES:
            raise PeerMisbehaved("the dictionary is malformed: its length or its end")
        lines = encoded[:-1].split(END)
        if len(lines) > MAX_ENTRIES or any(a >= b for a, b in pairwise(lines)):
            raise PeerMisbehaved("the dictionary is malformed: its order or its size")
        if not all(map(_is_canonical, lines)):
            raise PeerMisbehaved("the dictionary is malformed: an entry is not canonical")
        return cls(lines)

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, position: int) -> Indicator:
        kind, _, value = self._lines[position].partition(SEPARATOR)
        return Indicator(IndicatorType(kind.decode()), value.decode())

    def __iter__(self) -> Iterator[Indicator]:
        return map(self.__getitem__, range(len(self)))

    @cached_property
    def encoded(self) -> bytes:
        """The canonical bytes."""
        return b"".join(line + END for line in self._lines)

    @cached_property
    def root(self) -> bytes:
        """SHA-256 over the label and the canonical bytes, 32 bytes."""
        return sha256(labels.AGGREGATE_DICTIONARY.encode() + b"\x00" + self.encoded).digest()

    @cached_property
    def by_type(self) -> dict[IndicatorType, int]:
        """How many entries of each type."""
        found = Counter(line.partition(SEPARATOR)[0] for line in self._lines)
        return {IndicatorType(kind.decode()): n for kind, n in sorted(found.items())}

    def subset(self, positions: NDArray[np.int64]) -> "Dictionary":
        """The entries at these ascending positions.

        Raises:
            InputError: there are none.
        """
        if not len(positions):
            raise InputError(
                "no entry is left: there is nothing to add up",
                hint="with fewer --reporters more are left; or count a longer window first",
            )
        return Dictionary([self._lines[position] for position in positions])

    def check(self, opening: Opening) -> None:
        """Check that this is the dictionary of a run.

        Raises:
            PeerMisbehaved: it is another one.
        """
        if (self.root, len(self), tuple(self.by_type)) != (
            opening.dictionary,
            opening.entries,
            opening.types,
        ):
            raise PeerMisbehaved("the dictionary is not the one of the opening")


def repeated(dictionary: Dictionary, earlier: Iterable[Dictionary | None]) -> int:
    """Return how many entries may have been counted before on days of the window.

    Args:
        dictionary: that of the run that is asked for.
        earlier: those of the runs that ``exchange.policy.aggregation.meeting`` names; None for one that is
            not kept any more, which may have held every entry.
    """
    again: set[bytes] = set()
    lines = frozenset(dictionary.encoded.split(END)[:-1])
    for one in earlier:
        if one is None:
            return len(dictionary)
        again |= lines.intersection(one.encoded.split(END))
    return len(again)


def _line(indicator: Indicator) -> bytes:
    return indicator.type.encode() + SEPARATOR + indicator.value.encode()


def _is_canonical(line: bytes) -> bool:
    form = _LINE.fullmatch(line)
    if form is None:
        return False
    try:
        kind, value = IndicatorType(form[1].decode()), form[2].decode()
        return canonicalise(kind, value) == Indicator(kind, value)
    except (ValueError, Refused):
        return False
