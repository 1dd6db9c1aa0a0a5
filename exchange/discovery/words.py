"""Released indicators in the words of those who hold them, where every member is to learn them.

Each is checked by whoever reads it: the helpers' answer for it has to give a tag and a secret that were
released. So nobody can pass off as found what was not, and who tries is named.
"""

from collections.abc import Iterable

from crypto.hashing import SEPARATOR
from exchange.indicators import Indicator, IndicatorType

MAX_VALUE = 4096
_LINE = b"\n"


def encode(indicators: Iterable[Indicator]) -> bytes:
    """One line each, ascending, each once."""
    lines = {str(one.type).encode() + SEPARATOR + one.value.encode() for one in indicators}
    return _LINE.join(sorted(lines))


def decode(text: bytes) -> list[Indicator]:
    """Read them strictly.

    Raises:
        ValueError: they are not in that one form.
    """
    if not text:
        return []
    found = [_indicator(line) for line in text.split(_LINE)]
    if encode(found) != text:
        raise ValueError("the words do not ascend")
    return found


def _indicator(line: bytes) -> Indicator:
    kind, separator, value = line.partition(SEPARATOR)
    text = value.decode()
    if not separator or not text.isprintable() or not 0 < len(text) <= MAX_VALUE:
        raise ValueError("a word is none")
    return Indicator(IndicatorType(kind.decode()), text)
