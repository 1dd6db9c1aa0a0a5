"""Digests and fingerprints in hexadecimal digits: of files, of TLS and SSH handshakes, of certificates.

Source: FIPS 180-4 and RFC 1321 for the lengths of digests; salesforce/ja3, salesforce/jarm, salesforce/hassh
and Mandiant's imphash for those of fingerprints.
"""

import hashlib
import re

from exchange.indicators.rules import Rule, Rules
from exchange.indicators.types import IndicatorType, Refused

_T = IndicatorType
LENGTHS = {
    _T.MD5: (32,),
    _T.SHA1: (40,),
    _T.SHA224: (56,),
    _T.SHA256: (64,),
    _T.SHA384: (96,),
    _T.SHA512: (128,),
    _T.IMPHASH: (32,),
    _T.JA3: (32,),
    _T.JA3S: (32,),
    _T.HASSH: (32,),
    _T.JARM: (62,),
    _T.X509: (32, 40, 64),
}
"""Hexadecimal digits that a value of the type may have."""

BY_LENGTH = {
    LENGTHS[kind][0]: kind for kind in (_T.MD5, _T.SHA1, _T.SHA224, _T.SHA256, _T.SHA384, _T.SHA512, _T.JARM)
}
"""What a value is that nobody states the type of."""

MEANINGLESS = frozenset("0" * length for lengths in LENGTHS.values() for length in lengths) | {
    hashlib.new(name, b"", usedforsecurity=False).hexdigest()
    for name in ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")
}
"""All zeros, and the digests of nothing: every producer has them and they stand for nothing."""

_HEX = re.compile(r"[0-9a-f]+")
_SEPARATORS = str.maketrans("", "", ": -")


def _hexadecimal(text: str) -> str:
    if not _HEX.fullmatch(text):
        raise Refused("bad-digest")
    return text


def _meaningful(text: str) -> str:
    if text in MEANINGLESS:
        raise Refused("empty-digest")
    return text


def _unseparated(text: str) -> str:
    return text.translate(_SEPARATORS)


def _long_enough(kind: IndicatorType) -> Rule:
    lengths = LENGTHS[kind]

    def apply(text: str) -> str:
        if len(text) not in lengths:
            raise Refused("bad-digest-length")
        return text

    return Rule("digits", f"{kind} has {' or '.join(map(str, lengths))} hexadecimal digits", apply)


_CASE = Rule("case", "hexadecimal digits are compared without case", str.lower)
_DIGITS = Rule("hexadecimal", "nothing but hexadecimal digits", _hexadecimal)
_MEANING = Rule("meaning", "the digest of nothing is in every feed and stands for nothing", _meaningful)
_COLONS = Rule("separators", "colons between the octets of a fingerprint are layout", _unseparated)


def digest(kind: IndicatorType) -> Rules:
    """The rules of a type of ``LENGTHS``. Raise ``bad-digest``, ``bad-digest-length``, ``empty-digest``."""
    before = (_COLONS,) if kind is _T.X509 else ()
    return (*before, _CASE, _DIGITS, _long_enough(kind), _MEANING)
