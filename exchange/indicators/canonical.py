"""The canonical form of one value: of a stated type, or of whatever type it turns out to have."""

import re

from exchange.indicators.addresses import GLOBAL_QUAD, canonical_address
from exchange.indicators.digests import MEANINGLESS, canonical_digest
from exchange.indicators.names import (
    LABEL,
    MAX_DOMAIN_CHARS,
    canonical_domain,
    canonical_email,
    is_below_suffix,
)
from exchange.indicators.text import clean
from exchange.indicators.types import Indicator, IndicatorType, Refused
from exchange.indicators.urls import SCHEME, canonical_url

_ADDRESSES = frozenset({IndicatorType.IPV4, IndicatorType.IPV6, IndicatorType.CIDR})
_DIGESTS = frozenset({IndicatorType.MD5, IndicatorType.SHA1, IndicatorType.SHA256})
_CANONICAL = {
    IndicatorType.DOMAIN: canonical_domain,
    IndicatorType.URL: canonical_url,
    IndicatorType.EMAIL: canonical_email,
}

# Most lines of most feeds are canonical as they stand. One match finds that out.
_PLAIN = re.compile(
    rf"(?P<ipv4>{GLOBAL_QUAD})|(?P<sha256>[0-9a-f]{{64}})|(?P<sha1>[0-9a-f]{{40}})|(?P<md5>[0-9a-f]{{32}})"
    rf"|(?P<domain>(?!.*xn--)(?:{LABEL}\.)+[a-z]{{2,63}})"
)
_BY_NAME = {t.value: t for t in IndicatorType}
_HEX = re.compile(r"[0-9a-fA-F]{24,}")
_ADDRESS_LIKE = re.compile(r"\[.*|[0-9.]+(?:[:/][0-9]+)*|[0-9a-fA-F.:]*:[0-9a-fA-F.]*:[^/]*(?:/[0-9]*)?")


def canonicalise(wanted: IndicatorType, text: str) -> Indicator:
    """The canonical form of a value whose type is stated.

    The result may have another type of the same family: a ``/32`` network is an ``ipv4``, an IPv4-mapped
    ``ipv6`` is an ``ipv4``, an ``ipv4`` with a prefix length is a ``cidr``.

    Raises:
        Refused: with a reason of ``REASONS``.
    """
    if (found := _as_it_stands(text)) and found.type is wanted:
        return found
    text = clean(text)
    if wanted in _ADDRESSES:
        return canonical_address(text)
    if wanted in _DIGESTS:
        return canonical_digest(text, wanted)
    return _CANONICAL[wanted](text)


def recognise(text: str) -> Indicator:
    """The canonical form of a value of any type, defanged or not.

    A value with a scheme is a URL, even ``http://192.0.2.1``; an address with a port is the address.

    Raises:
        Refused: with a reason of ``REASONS``.
    """
    if found := _as_it_stands(text):
        return found
    text = clean(text)
    if SCHEME.match(text):
        return canonical_url(text)
    if len(text.split(maxsplit=1)) > 1:
        raise Refused("not-one-value")
    if _HEX.fullmatch(text):
        return canonical_digest(text)
    if "@" in text and "/" not in text:
        return canonical_email(text)
    if _ADDRESS_LIKE.fullmatch(text):
        return canonical_address(text)
    if "/" in text:
        raise Refused("no-scheme")
    return canonical_domain(text)


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
