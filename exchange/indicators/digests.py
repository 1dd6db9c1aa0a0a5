"""Digests of files: ``md5``, ``sha1``, ``sha256``. Others differ by length, so the length tells the type."""

import re

from exchange.indicators.types import Indicator, IndicatorType, Refused

BY_LENGTH = {32: IndicatorType.MD5, 40: IndicatorType.SHA1, 64: IndicatorType.SHA256}
MEANINGLESS = frozenset("0" * n for n in BY_LENGTH) | {
    "d41d8cd98f00b204e9800998ecf8427e",
    "da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
}
"""All zeros, and the digests of the empty file: every producer has them and they stand for nothing."""

_HEX = re.compile(r"[0-9a-f]+")


def canonical_digest(text: str, wanted: IndicatorType | None = None) -> Indicator:
    """A digest in lower case, of the wanted type if one is given.

    Args:
        text: already cleaned.
        wanted: the type it was said to have.

    Raises:
        Refused: ``bad-digest``, ``bad-digest-length``, ``empty-digest``.
    """
    digest = text.lower()
    if not _HEX.fullmatch(digest):
        raise Refused("bad-digest")
    found = BY_LENGTH.get(len(digest))
    if found is None or wanted not in (None, found):
        raise Refused("bad-digest-length")
    if digest in MEANINGLESS:
        raise Refused("empty-digest")
    return Indicator(found, digest)
