"""Identifiers with a syntax of their own: MAC addresses, AS numbers, CVE ids, JA4 fingerprints.

Source: IEEE 802-2014 section 8 and RFC 9542 (MAC); RFC 5396, RFC 6793 and the IANA registries of special AS
numbers (RFC 5398, 6996, 7300, 7607); CVE Program, CVE ID syntax of 2014; FoxIO JA4, technical details.
"""

import re
import unicodedata

from exchange.indicators.rules import Rule
from exchange.indicators.types import Refused

_OCTETS = re.compile(r"([0-9a-f]{1,2})([:-])(?:[0-9a-f]{1,2}\2){4}[0-9a-f]{1,2}")
_GROUPS = re.compile(r"[0-9a-f]{4}([.:-])[0-9a-f]{4}\1[0-9a-f]{4}|[0-9a-f]{6}[:-]?[0-9a-f]{6}")
_GROUP_BIT = 1

_ASN = re.compile(r"(?:ASN?[ ]?)?([0-9]{1,10}|[0-9]{1,5}\.[0-9]{1,5})", re.IGNORECASE)
_MAX_ASN = 2**32 - 1
_NOT_GLOBAL_ASN = (
    (0, 0),  # RFC 7607
    (23456, 23456),  # AS_TRANS, RFC 6793
    (64496, 131071),  # documentation, private, reserved: RFC 5398, RFC 6996, RFC 7300, IANA
    (4200000000, _MAX_ASN),  # private, and the last: RFC 6996, RFC 7300
)

_CVE = re.compile(r"CVE-(?:1999|2[0-9]{3})-(?:[0-9]{4}|[1-9][0-9]{4,18})")
_MINUS = "\u2212"

# Protocol, version, SNI, numbers of ciphers and extensions, ALPN; then two truncated digests.
_JA4 = re.compile(r"[tqd](?:1[0-3]|s[23]|d[1-3]|00)[di][0-9]{4}[0-9a-z]{2}_[0-9a-f]{12}_[0-9a-f]{12}")


def _octets(text: str) -> str:
    if _OCTETS.fullmatch(text):
        return ":".join(octet.zfill(2) for octet in re.split("[:-]", text))
    if not _GROUPS.fullmatch(text):
        raise Refused("bad-mac")
    digits = re.sub("[.:-]", "", text)
    return ":".join(digits[i : i + 2] for i in range(0, len(digits), 2))


def _one_station(mac: str) -> str:
    if int(mac[:2], 16) & _GROUP_BIT or mac == "00:00:00:00:00:00":
        raise Refused("not-global")
    return mac


def _number(text: str) -> str:
    parts = _ASN.fullmatch(text)
    if not parts:
        raise Refused("bad-asn")
    high, dot, low = parts[1].rpartition(".")
    number = (int(high) << 16 | int(low)) if dot else int(low)
    if number > _MAX_ASN or (dot and max(int(high), int(low)) >= 1 << 16):
        raise Refused("bad-asn")
    return str(number)


def _public_asn(number: str) -> str:
    if any(first <= int(number) <= last for first, last in _NOT_GLOBAL_ASN):
        raise Refused("not-global")
    return number


def _hyphens(text: str) -> str:
    return "".join("-" if c == _MINUS or unicodedata.category(c) == "Pd" else c for c in text)


def _cve(text: str) -> str:
    if not _CVE.fullmatch(text):
        raise Refused("bad-cve")
    return text


def _ja4(text: str) -> str:
    if not _JA4.fullmatch(text):
        raise Refused("bad-fingerprint")
    return text


_HEX_CASE = Rule("case", "hexadecimal digits are compared without case", str.lower)

MAC = (
    _HEX_CASE,
    Rule("octets", "six octets of two digits, colons between them", _octets),
    Rule("one station", "zeros, broadcast and multicast are no one's", _one_station),
)
"""The rules of ``mac``. Raise ``bad-mac``, ``not-global``. Locally administered addresses are taken."""

ASN = (
    Rule("number", "the number alone: asplain, without AS or leading zeros", _number),
    Rule("public", "private and reserved numbers mean something else everywhere", _public_asn),
)
"""The rules of ``asn``. Raise ``bad-asn``, ``not-global``."""

CVE = (
    Rule("hyphens", "typesetting turns hyphens into dashes", _hyphens),
    Rule("case", "ids are compared without case", str.upper),
    Rule("syntax", "CVE, a year since 1999, four digits or more", _cve),
)
"""The rules of ``cve``. Raise ``bad-cve``."""

JA4 = (
    _HEX_CASE,
    Rule("shape", "ten characters and two digests of twelve, as FoxIO has it", _ja4),
)
"""The rules of ``ja4``. Raise ``bad-fingerprint``."""
