"""The canonical form of one value: of a stated type, or of whatever type it turns out to have."""

import re
from typing import TypeAlias

from exchange.indicators.addresses import ADDRESS, GLOBAL_QUAD, family
from exchange.indicators.artefacts import FILE_NAME, MUTEX
from exchange.indicators.bitcoin import BTC
from exchange.indicators.digests import BY_LENGTH, LENGTHS, MEANINGLESS, digest
from exchange.indicators.identifiers import ASN, CVE, JA4, MAC
from exchange.indicators.names import DOMAIN, EMAIL, LABEL, MAX_DOMAIN_CHARS, is_below_suffix
from exchange.indicators.rules import Rules, run
from exchange.indicators.text import CLEAN, RAW
from exchange.indicators.types import Indicator, IndicatorType, Refused
from exchange.indicators.urls import SCHEME, URL, URL_HOST

_T = IndicatorType
RULES: dict[IndicatorType, Rules] = {
    **dict.fromkeys((_T.IPV4, _T.IPV6, _T.CIDR), ADDRESS),
    _T.DOMAIN: DOMAIN,
    _T.URL: URL,
    _T.URL_HOST: URL_HOST,
    _T.EMAIL: EMAIL,
    **{kind: digest(kind) for kind in LENGTHS},
    _T.JA4: JA4,
    _T.MAC: MAC,
    _T.ASN: ASN,
    _T.CVE: CVE,
    _T.BTC: BTC,
    _T.MUTEX: MUTEX,
    _T.FILE_NAME: FILE_NAME,
}
"""The rules of each type, which follow those of ``cleaning``."""

# Most lines of most feeds are canonical as they stand. One match finds that out.
_PLAIN = re.compile(
    rf"(?P<ipv4>{GLOBAL_QUAD})|(?P<sha256>[0-9a-f]{{64}})|(?P<sha1>[0-9a-f]{{40}})|(?P<md5>[0-9a-f]{{32}})"
    rf"|(?P<domain>(?!.*xn--)(?:{LABEL}\.)+[a-z]{{2,63}})"
)
_BY_NAME = {t.value: t for t in IndicatorType}
_HEX = re.compile(r"[0-9a-fA-F]{24,}")
_ADDRESS_LIKE = re.compile(r"\[.*|[0-9.]+(?:[:/][0-9]+)*|[0-9a-fA-F.:]*:[0-9a-fA-F.]*:[^/]*(?:/[0-9]*)?")

# Shapes without a dot, which no address, domain or digest has. A MAC address in groups of four may be a
# domain (dead.beef.cafe), and without separators it may be anything: both need their type stated.
_DOTLESS = re.compile(
    r"(?P<cve>cve[-\u2010-\u2015\u2212][0-9].*)|(?P<asn>asn?[0-9]+)"
    r"|(?P<mac>(?:[0-9a-f]{2}:){5}[0-9a-f]{2}|(?:[0-9a-f]{2}-){5}[0-9a-f]{2})"
    r"|(?P<ja4>[tqd][0-9s][0-9][di][0-9]{4}[0-9a-z]{2}_[0-9a-f]{12}_[0-9a-f]{12})"
    r"|(?P<btc>(?:bitcoin:)?(?:[13][1-9a-z]{25,34}|bc1[0-9a-z]{11,87}))",
    re.IGNORECASE,
)

Guess: TypeAlias = tuple[IndicatorType, str]
"""The type that a value turns out to have, and by what one sees it, in words."""


def cleaning(kind: IndicatorType) -> Rules:
    """The rules that come before those of a type."""
    return RAW if kind in {_T.MUTEX, _T.FILE_NAME} else CLEAN


_ALL_RULES = {kind: cleaning(kind) + rules for kind, rules in RULES.items()}


def canonicalise(wanted: IndicatorType, text: str) -> Indicator:
    """The canonical form of a value whose type is stated.

    The result may have another type of the same family: a ``/32`` network is an ``ipv4``, an IPv4-mapped
    ``ipv6`` is an ``ipv4``, an ``ipv4`` with a prefix length is a ``cidr``.

    Raises:
        Refused: with a reason of ``REASONS``.
    """
    if (found := _as_it_stands(text)) and found.type is wanted:
        return found
    return of_kind(wanted, run(_ALL_RULES[wanted], text))


def recognise(text: str) -> Indicator:
    """The canonical form of a value of any type that can be told by its looks, defanged or not.

    A value with a scheme is a URL, even ``http://192.0.2.1``; an address with a port is the address; 32
    hexadecimal digits are an MD5.

    Raises:
        Refused: with a reason of ``REASONS``.
    """
    if found := _as_it_stands(text):
        return found
    text = run(CLEAN, text)
    kind, _ = guess(text)
    return of_kind(kind, run(RULES[kind], text))


def guess(text: str) -> Guess:
    """The type of a cleaned value by its looks alone: its rules may still refuse it.

    Raises:
        Refused: ``not-one-value``, ``bad-digest-length``, ``no-scheme``.
    """
    if SCHEME.match(text):
        return _T.URL, "a URL: it has a scheme"
    if len(text.split(maxsplit=1)) > 1:
        raise Refused("not-one-value")
    if _HEX.fullmatch(text):
        if len(text) not in BY_LENGTH:
            raise Refused("bad-digest-length")
        return BY_LENGTH[len(text)], f"{BY_LENGTH[len(text)]}: it has {len(text)} hexadecimal digits"
    if "@" in text and "/" not in text:
        return _T.EMAIL, "an e-mail address: it has an @ and no slash"
    if "." not in text and (shape := _DOTLESS.fullmatch(text)):
        return _BY_NAME[str(shape.lastgroup)], f"{shape.lastgroup}: nothing else is written like it"
    if _ADDRESS_LIKE.fullmatch(text):
        return _T.IPV4, "an address or a network: numbers with dots or colons"
    if "/" in text:
        raise Refused("no-scheme")
    return _T.DOMAIN, "a domain: it is nothing else"


def of_kind(kind: IndicatorType, value: str) -> Indicator:
    """A value that the rules of a type have made. Within the family of addresses it tells its own type."""
    return Indicator(family(value) if RULES[kind] is ADDRESS else kind, value)


def _as_it_stands(text: str) -> Indicator | None:
    """The value itself if it is canonical already; ``None`` sends it the long way, which knows reasons."""
    plain = _PLAIN.fullmatch(text)
    if plain is None:
        return None
    kind = _BY_NAME[str(plain.lastgroup)]
    if kind is IndicatorType.DOMAIN:
        canonical = len(text) <= MAX_DOMAIN_CHARS and is_below_suffix(text)
    else:
        canonical = text not in MEANINGLESS
    return Indicator(kind, text) if canonical else None
