"""Domain names and e-mail addresses.

Source: UTS #46 (non-transitional, as browsers do it) through ada, so that a domain and the host of a URL have
one form; the public suffix list bundled with ``publicsuffixlist``; RFC 1035 for lengths. The list has
``.onion`` (RFC 7686), so an onion service needs one label in front of it like any other name.
"""

import re
from functools import cache

from ada_url import idna
from publicsuffixlist import PublicSuffixList

from exchange.indicators.addresses import check_port
from exchange.indicators.types import Indicator, IndicatorType, Refused

MAX_DOMAIN_CHARS = 253
MAX_EMAIL_CHARS = 254

LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
"""A regular expression of one label in canonical spelling. Underscores stay: names in use have them."""

_DOMAIN = re.compile(rf"{LABEL}(?:\.{LABEL})+")
# RFC 5322 atext but "/", and dots. Slashes and quoted parts are legal, and have not been seen in a feed.
_LOCAL = re.compile(r"[a-z0-9!#$%&'*+=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+=?^_`{|}~-]+)*")
_MAX_LOCAL_CHARS = 64


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList(accept_unknown=False, only_icann=True)


def is_below_suffix(host: str) -> bool:
    """Whether a canonical name has a label in front of a public suffix.

    Only the suffixes of registries count. Those of companies change weekly, and their wildcards
    (``*.compute-1.amazonaws.com``) cover single machines, which feeds name for good reason.
    """
    return _suffixes().privatesuffix(host) is not None


def canonical_host(text: str) -> str:
    """The A-label form of a host name: lower case, no outer dots, below a public suffix.

    Raises:
        Refused: ``bad-domain``, ``too-long``, ``unknown-suffix``, ``public-suffix``.
    """
    host = text.strip(".").lower()
    if not host.isascii():
        host = _to_ascii(host).strip(".")
    if len(host) > MAX_DOMAIN_CHARS:
        raise Refused("too-long")
    if not _DOMAIN.fullmatch(host):
        raise Refused("bad-domain")
    if "xn--" in host and not _round_trips(host):
        raise Refused("bad-domain")
    if not is_below_suffix(host):
        raise Refused("public-suffix" if _suffixes().publicsuffix(host) else "unknown-suffix")
    return host


def _round_trips(host: str) -> bool:
    """Whether every A-label is one. ada takes any that looks like one, and decodes a false one to itself."""
    name = idna.decode(host)
    return not any(label.startswith("xn--") for label in name.split(".")) and _to_ascii(name) == host


def _to_ascii(text: str) -> str:
    try:
        return str(idna.encode(text).decode("ascii"))
    except ValueError:
        raise Refused("bad-domain") from None


def canonical_domain(text: str) -> Indicator:
    """A domain or host name; a port is dropped.

    Args:
        text: already cleaned.

    Raises:
        Refused: ``bad-domain``, ``too-long``, ``bad-port``, ``unknown-suffix``, ``public-suffix``.
    """
    name, colon, port = text.partition(":")
    if colon:
        check_port(port)
    return Indicator(IndicatorType.DOMAIN, canonical_host(name))


def canonical_email(text: str) -> Indicator:
    """An e-mail address, all lower case: lossy for the few servers whose local parts differ by case only.

    Args:
        text: already cleaned.

    Raises:
        Refused: ``bad-email``, ``too-long``, or a reason of its domain.
    """
    local, at, name = text.rpartition("@")
    local = local.lower()
    if not at or len(local) > _MAX_LOCAL_CHARS or not _LOCAL.fullmatch(local):
        raise Refused("bad-email")
    email = f"{local}@{canonical_host(name)}"
    if len(email) > MAX_EMAIL_CHARS:
        raise Refused("too-long")
    return Indicator(IndicatorType.EMAIL, email)
