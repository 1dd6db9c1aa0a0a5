"""The golden cases, as tests use them."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from exchange.indicators import Indicator, IndicatorType, Refused, canonicalise, recognise

GOLDEN = Path(__file__).parent / "golden.tsv"


def _golden() -> Iterator[tuple[str, str, str]]:
    for line in GOLDEN.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            kind, written, expected = line.split("\t")
            yield kind, re.sub(r"\\u([0-9a-f]{4})", lambda m: chr(int(m[1], 16)), written), expected


CASES = list(_golden())
"""The type, or ``any``; the text; the value, as type:value where the type differs, or !reason."""


def digest() -> str:
    """What the file says, whatever the line ends of the checkout."""
    return hashlib.sha256("\n".join(map("\t".join, CASES)).encode(errors="surrogatepass")).hexdigest()


def canonical(kind: str, text: str) -> Indicator:
    """The canonical form of a text of a type, or of ``any``."""
    return recognise(text) if kind == "any" else canonicalise(IndicatorType(kind), text)


def outcome(kind: str, text: str) -> Indicator | str:
    """The canonical form, or the reason why there is none."""
    try:
        return canonical(kind, text)
    except Refused as e:
        return e.reason


def expected_outcome(kind: str, expected: str) -> Indicator | str:
    """What the third column means."""
    if expected.startswith("!"):
        return expected[1:]
    named, colon, value = expected.partition(":")
    if colon and named in set(IndicatorType):
        return Indicator(IndicatorType(named), value)
    return Indicator(IndicatorType(kind), expected)
