"""URLs.

Source: WHATWG URL standard through ada. Beyond it: a fragment and credentials never reach a server's logs, so
they are dropped, as are the dots after a host and an empty query. Kept as they are: order of the query, case
of the path, double slashes, percent-encoding.
"""

import re

from ada_url import parse_url

from exchange.indicators.addresses import canonical_address
from exchange.indicators.names import canonical_host
from exchange.indicators.types import MAX_VALUE_CHARS, Indicator, IndicatorType, Refused

SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_SCHEMES = frozenset({"http", "https", "ftp"})
_QUAD_LIKE = re.compile(r"[0-9]+(?:\.[0-9]+){3}")
_PARTS = ("protocol", "hostname", "port", "pathname", "search")


def canonical_url(text: str) -> Indicator:
    """An ``http``, ``https`` or ``ftp`` URL whose host is a global address or under a known suffix.

    Args:
        text: already cleaned.

    Raises:
        Refused: ``no-scheme``, ``unsupported-scheme``, ``bad-url``, ``too-long``, or a reason of its host.
    """
    scheme = SCHEME.match(text)
    if not scheme:
        raise Refused("no-scheme")
    if scheme[1].lower() not in _SCHEMES:
        raise Refused("unsupported-scheme")
    try:
        parts = parse_url(text, attributes=_PARTS)
    except ValueError:
        raise Refused("bad-url") from None
    port = f":{parts['port']}" if parts["port"] else ""
    url = f"{parts['protocol']}//{_host(parts['hostname'])}{port}{parts['pathname']}{parts['search']}"
    if len(url) > MAX_VALUE_CHARS:
        raise Refused("too-long")
    return Indicator(IndicatorType.URL, url)


def url_host(url: Indicator) -> Indicator:
    """The host of a canonical URL as an item of its own type, for matching at that granularity."""
    host = parse_url(url.value, attributes=("hostname",))["hostname"]
    return Indicator(IndicatorType.URL_HOST, host)


def _host(host: str) -> str:
    if host.startswith("[") or _QUAD_LIKE.fullmatch(host):
        address = canonical_address(host)
        return f"[{address.value}]" if address.type is IndicatorType.IPV6 else address.value
    return canonical_host(host)
