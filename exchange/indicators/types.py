"""What an indicator is, and every reason for which a value is not one."""

from dataclasses import dataclass
from enum import StrEnum

PROFILE = "cti-c14n/1"
"""The canonical profile of this version. Two nodes match only under the same one: PSI is exact."""

MAX_VALUE_CHARS = 8192


class IndicatorType(StrEnum):
    """The types of the profile. The value is the ``kind`` under which an item is hashed."""

    IPV4 = "ipv4"
    IPV6 = "ipv6"
    CIDR = "cidr"
    DOMAIN = "domain"
    URL = "url"
    EMAIL = "email"
    MD5 = "md5"
    SHA1 = "sha1"
    SHA256 = "sha256"


@dataclass(frozen=True, slots=True)
class Indicator:
    """One indicator in canonical form: equal indicators have equal types and equal values."""

    type: IndicatorType
    value: str


REASONS = {
    "empty": "nothing is left once white space and invisible characters are gone",
    "too-long": f"longer than {MAX_VALUE_CHARS:,} characters, or than its type allows",
    "bad-character": "a control character or half a surrogate pair: not text",
    "not-one-value": "several words where one value was expected",
    "unsupported-type": "the type column names a type that this profile does not know",
    "bad-address": "not an address: strict dotted quad without leading zeros, or RFC 4291",
    "bad-port": "what follows the colon is not a port number",
    "bad-prefix": "the prefix length is not a number that the address family allows",
    "not-global": "not globally routable: private, loopback, link-local, multicast, documentation, reserved",
    "bad-domain": "not a domain name: an empty, over-long or malformed label, or an invalid A-label",
    "unknown-suffix": "under no suffix of the public suffix list: an internal name, a file name, a slip",
    "public-suffix": "itself a public suffix, under which anybody may register",
    "bad-url": "no URL by the WHATWG standard",
    "no-scheme": "a path without http://, https:// or ftp://: a URL whose scheme is not stated is two URLs",
    "unsupported-scheme": "a URL of another scheme than http, https and ftp",
    "bad-email": "not local@domain with an unquoted ASCII local part of at most 64 characters",
    "bad-digest": "a digest has hexadecimal digits only",
    "bad-digest-length": "an MD5 has 32, a SHA-1 40 and a SHA-256 64 hexadecimal digits",
    "empty-digest": "the digest of the empty file, or all zeros: it stands for no file",
}
"""Every reason a value can be refused for, stable and kebab-case, and what it means."""


class Refused(Exception):
    """A value is no indicator of the profile. Says why, never which value.

    Attributes:
        reason: a key of ``REASONS``.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason}: {REASONS[reason]}")
        self.reason = reason
