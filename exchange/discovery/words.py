"""Released indicators in the words of those who hold them, where every member is to learn them.

Each is checked by whoever reads it: the helpers' answer for it has to give a tag and a secret that were
released. So nobody can pass off as found what was not, and who tries is named.
"""

from collections.abc import Iterable

from crypto.hashing import SEPARATOR
from exchange.indicators import Indicator, IndicatorType, Refused, canonicalise
from exchange.indicators.canonical import cleaning
from exchange.indicators.rules import run

_LINE = b"\n"
_BY_SUFFIX = {"unknown-suffix", "public-suffix"}


class TooMany(ValueError):
    """There are more words than there can be."""


def encode(indicators: Iterable[Indicator]) -> bytes:
    """One line each, ascending, each once."""
    lines = {str(one.type).encode() + SEPARATOR + one.value.encode() for one in indicators}
    return _LINE.join(sorted(lines))


def decode(text: bytes, most: int | None = None) -> list[Indicator]:
    """Read them strictly.

    Args:
        text: of ``encode``.
        most: how many there can be, counted before any is read.

    Raises:
        TooMany: there are more.
        ValueError: they are not in that one form.
    """
    if not text:
        return []
    if most is not None and text.count(_LINE) >= most:
        raise TooMany("there are more words than there can be")
    found = [_indicator(line) for line in text.split(_LINE)]
    if encode(found) != text:
        raise ValueError("the words do not ascend")
    return found


def _indicator(line: bytes) -> Indicator:
    kind, _, value = line.partition(SEPARATOR)
    one = Indicator(IndicatorType(kind.decode()), value.decode())
    if not _is_canonical(one):
        raise ValueError("a word is none")
    return one


def _is_canonical(one: Indicator) -> bool:
    try:
        return canonicalise(one.type, one.value) == one
    except Refused as e:
        # Which suffixes there are depends on the list that a node has: a holder's may know more.
        return e.reason in _BY_SUFFIX and run(cleaning(one.type), one.value) == one.value
