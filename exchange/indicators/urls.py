"""URLs, and their hosts.

Source: WHATWG URL standard through ada. Beyond it: a fragment and credentials never reach a server's logs, so
they are dropped, as are the dots after a host and an empty query. Kept as they are: order of the query, case
of the path, double slashes, percent-encoding.
"""

import re

from ada_url import parse_url

from exchange.indicators.addresses import ADDRESS
from exchange.indicators.names import canonical_host
from exchange.indicators.rules import Rule, run
from exchange.indicators.types import MAX_VALUE_CHARS, Indicator, IndicatorType, Refused

SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_SCHEMES = re.compile(r"(?:https?|ftp)://", re.IGNORECASE)
_ANOTHER = re.compile(r"\s(?:h\S\Sps?|f\Sp)://", re.IGNORECASE)
_QUAD_LIKE = re.compile(r"[0-9]+(?:\.[0-9]+){3}")
_BARE_V6 = re.compile(r"[0-9a-f.]*:[0-9a-f.]*:[0-9a-f:.]*", re.IGNORECASE)
_NOT_IN_HOST = re.compile(r"[\s/?#@\\]")
_HREF = ("href",)


def url_host(url: Indicator) -> Indicator:
    """The host of a canonical URL as an item of its own type, for matching at that granularity."""
    return Indicator(IndicatorType.URL_HOST, _host_of(url.value))


def _split(url: str) -> tuple[str, str, str]:
    """A URL as WHATWG writes it, into scheme and slashes, authority, path and query."""
    head, slashes, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return head + slashes, authority, slash + path


def _has_scheme(text: str) -> str:
    if not _SCHEMES.match(text):
        raise Refused("unsupported-scheme" if SCHEME.match(text) else "no-scheme")
    if _ANOTHER.search(text):
        raise Refused("not-one-value")
    return text


def _parsed(text: str) -> str:
    try:
        return str(parse_url(text, attributes=_HREF)["href"])
    except ValueError:
        raise Refused("bad-url") from None


def _without_credentials(url: str) -> str:
    if "@" not in url:
        return url
    head, authority, path = _split(url)
    return head + authority.rpartition("@")[2] + path


def _without_fragment(url: str) -> str:
    return url.partition("#")[0]


def _without_empty_query(url: str) -> str:
    return url[:-1] if url.endswith("?") and url.count("?") == 1 else url


def _canonical_authority(url: str) -> str:
    head, authority, path = _split(url)
    host, port = _host_and_port(authority)
    if host.startswith("[") or _QUAD_LIKE.fullmatch(host):
        host = run(ADDRESS, host)
        host = f"[{host}]" if ":" in host else host
    else:
        host = canonical_host(host)
    return head + host + port + path


def _host_and_port(authority: str) -> tuple[str, str]:
    host, colon, port = authority.rpartition(":")
    return (host, colon + port) if colon and not port.endswith("]") else (authority, "")


def _short_enough(url: str) -> str:
    if len(url) > MAX_VALUE_CHARS:
        raise Refused("too-long")
    return url


def _as_url(text: str) -> str:
    if SCHEME.match(text):
        return text
    if _NOT_IN_HOST.search(text):
        raise Refused("bad-domain")
    return f"http://[{text}]/" if _BARE_V6.fullmatch(text) else f"http://{text}/"


def _host_of(url: str) -> str:
    host, _ = _host_and_port(_split(url)[1])
    return host.strip("[]")


URL = (
    Rule("scheme", "http, https or ftp; without it a text is two URLs", _has_scheme),
    Rule(
        "whatwg",
        "what a browser asks for: host, port, dots in the path and encoding as WHATWG has it",
        _parsed,
    ),
    Rule("credentials", "they are of who fetched it, not of what is there", _without_credentials, lossy=True),
    Rule("fragment", "no server ever sees it", _without_fragment, lossy=True),
    Rule("empty query", "a question mark without a question", _without_empty_query),
    Rule("host", "as the same address or domain would be written alone", _canonical_authority),
    Rule("url length", "what is longer than any indicator is none", _short_enough),
)
"""The rules of ``url``.

Raise ``no-scheme``, ``unsupported-scheme``, ``not-one-value``, ``bad-url``, ``too-long``, or a reason of its
host.
"""

URL_HOST = (
    Rule("as a url", "a host stated alone is read like the host of a URL", _as_url),
    *URL,
    Rule("only the host", "the type says: the host is what is compared", _host_of, lossy=True),
)
"""The rules of ``url-host``, given a URL or a host. Raise what those of ``url`` do."""
