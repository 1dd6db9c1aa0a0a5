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
from exchange.indicators.rules import Rule, run
from exchange.indicators.types import Refused

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
    return run(HOST, text)


def _undotted(text: str) -> str:
    return text.strip(".")


def _lower(text: str) -> str:
    # Beyond ASCII that is UTS #46: Python would write a capital sigma at the end of a word as another letter.
    return text.lower() if text.isascii() else text


def _ascii(text: str) -> str:
    return text if text.isascii() else _to_ascii(text).strip(".")


def _labels(host: str) -> str:
    if len(host) > MAX_DOMAIN_CHARS:
        raise Refused("too-long")
    if not _DOMAIN.fullmatch(host):
        raise Refused("bad-domain")
    if "xn--" in host and not _round_trips(host):
        raise Refused("bad-domain")
    return host


def _registered(host: str) -> str:
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


def _portless(text: str) -> str:
    name, colon, port = text.partition(":")
    if colon:
        check_port(port)
    return name


def _local_part(text: str) -> str:
    local, at, name = text.rpartition("@")
    local = local.lower()
    if not at or len(local) > _MAX_LOCAL_CHARS or not _LOCAL.fullmatch(local):
        raise Refused("bad-email")
    return f"{local}@{name}"


def _domain_part(text: str) -> str:
    local, _, name = text.rpartition("@")
    return f"{local}@{canonical_host(name)}"


def _short_enough(email: str) -> str:
    if len(email) > MAX_EMAIL_CHARS:
        raise Refused("too-long")
    return email


HOST = (
    Rule("dots", "a dot at the end says that the name is whole, which it is", _undotted),
    Rule("case", "names are compared without case", _lower),
    Rule("a-labels", "what the DNS is asked for: UTS #46, non-transitional, like browsers", _ascii),
    Rule("labels", "letters, digits, hyphens and underscores; labels to 63, names to 253", _labels),
    Rule(
        "suffix",
        "below a suffix of the public suffix list: neither internal nor a whole registry",
        _registered,
    ),
)
"""The rules of a host name. Raise ``bad-domain``, ``too-long``, ``unknown-suffix``, ``public-suffix``."""

DOMAIN = (Rule("port", "the same host on another port is the same host", _portless, lossy=True), *HOST)
"""The rules of ``domain``. Raise ``bad-port``, or what those of a host name do."""

EMAIL = (
    Rule("local part", "unquoted; lower case, though a server may tell them apart", _local_part, lossy=True),
    Rule("domain part", "as the domain would be written alone", _domain_part),
    Rule("mailbox length", "no path of RFC 5321 is longer", _short_enough),
)
"""The rules of ``email``. Raise ``bad-email``, ``too-long``, or what those of a host name do."""
