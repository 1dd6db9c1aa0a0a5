"""What the operator writes: ``taxii+https://HOST/API-ROOT/collections/ID/``, and what it stands for."""

import ipaddress
import re

import httpx

from exchange.errors import InputError

SCHEMES = ("taxii+https://", "taxii+http://")

_IDENTIFIER = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._~-]{1,128}")
_COLLECTION = re.compile(rf"(/.*)?/collections/({_IDENTIFIER.pattern})/(?:objects/)?")
_ROOT = re.compile(r"(/.*)?/collections/")
_MAX_CHARS = 2048
_EXAMPLE = "write it as taxii+https://HOST/API-ROOT/collections/ID/"


def is_address(text: str) -> bool:
    """Whether the text means a TAXII server, and no file."""
    return text.lower().startswith(SCHEMES)


def parse(text: str) -> httpx.URL:
    """The URL behind an address, ending in a slash.

    Plain HTTP goes to this machine alone, and credentials never stand in a URL: it lands in shell histories
    and in process lists.

    Raises:
        InputError: ``taxii-address``; what is wrong with it, without quoting it.
    """
    if not is_address(text) or len(text) > _MAX_CHARS:
        raise _bad("that is no address of a TAXII server")
    try:
        url = httpx.URL(text[len("taxii+") :])
        host = url.host
    except (httpx.InvalidURL, ValueError):  # an impossible host name is a ValueError of the IDNA library
        raise _bad("the address of the TAXII server is no URL") from None
    if url.userinfo:
        raise _bad(
            "credentials do not belong into an address",
            "put them into COSIGHT_TAXII_USER and COSIGHT_TAXII_PASSWORD, or into ~/.netrc",
        )
    if not host or not (url.port is None or 0 < url.port < 1 << 16):
        raise _bad("the address of the TAXII server lacks a host, or has no possible port")
    if url.query or url.fragment:
        raise _bad("the address of the TAXII server has a query or a fragment")
    if url.scheme == "http" and not _is_loopback(host):
        raise _bad(
            "plain HTTP shows credentials and indicators to everybody on the way", "use taxii+https://"
        )
    return _with_path(url, _path(url))


def split(url: httpx.URL) -> tuple[httpx.URL, str] | None:
    """The API root and the identifier, if the URL is a collection's or its objects'."""
    if match := _COLLECTION.fullmatch(_path(url)):
        return _with_path(url, match[1] or ""), match[2]
    return None


def root_of_collections(url: httpx.URL) -> httpx.URL | None:
    """The API root, if the URL is that of its list of collections."""
    if match := _ROOT.fullmatch(_path(url)):
        return _with_path(url, match[1] or "")
    return None


def join(root: httpx.URL, *parts: str) -> httpx.URL:
    """A resource under an API root; its path ends in a slash, as all of TAXII's do (section 3.2)."""
    return _with_path(root, "/".join((_path(root).rstrip("/"), *parts)))


def written(url: httpx.URL) -> str:
    """The address that an operator may write for a URL."""
    return f"taxii+{url}"


def is_identifier(text: object) -> bool:
    """Whether a server's name for a collection can be a segment of a path, and nothing more."""
    return isinstance(text, str) and _IDENTIFIER.fullmatch(text) is not None


def same_origin(a: httpx.URL, b: httpx.URL) -> bool:
    """Whether both lead to the same server: scheme, host and port."""
    return (a.scheme, a.raw_host, a.port) == (b.scheme, b.raw_host, b.port)


def _path(url: httpx.URL) -> str:
    return url.raw_path.partition(b"?")[0].decode("ascii")


def _with_path(url: httpx.URL, path: str) -> httpx.URL:
    return url.copy_with(raw_path=path.rstrip("/").encode("ascii") + b"/")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _bad(what: str, hint: str = _EXAMPLE) -> InputError:
    return InputError(what, code="taxii-address", hint=hint)
