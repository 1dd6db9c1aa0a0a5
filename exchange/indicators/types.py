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
    URL_HOST = "url-host"
    SHA224 = "sha224"
    SHA384 = "sha384"
    SHA512 = "sha512"
    IMPHASH = "imphash"
    JA3 = "ja3"
    JA3S = "ja3s"
    JA4 = "ja4"
    JARM = "jarm"
    HASSH = "hassh"
    X509 = "x509-fingerprint"
    MAC = "mac"
    ASN = "asn"
    CVE = "cve"
    BTC = "btc"
    MUTEX = "mutex"
    FILE_NAME = "file-name"


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
    "not-global": "means nothing outside one network: private, local, multicast, documentation, reserved",
    "bad-domain": "not a domain name: an empty, over-long or malformed label, or an invalid A-label",
    "unknown-suffix": "under no suffix of the public suffix list: an internal name, a file name, a slip",
    "public-suffix": "itself a public suffix, under which anybody may register",
    "bad-url": "no URL by the WHATWG standard",
    "no-scheme": "a path without http://, https:// or ftp://: a URL whose scheme is not stated is two URLs",
    "unsupported-scheme": "a URL of another scheme than http, https and ftp",
    "bad-email": "not local@domain with an unquoted ASCII local part of at most 64 characters",
    "bad-digest": "a digest has hexadecimal digits only",
    "bad-digest-length": "not as many hexadecimal digits as its type has: an MD5 32, a SHA-256 64",
    "empty-digest": "the digest of nothing, or all zeros: it stands for no file and no server",
    "bad-fingerprint": "not a JA4 of a TLS client as FoxIO writes it: ten characters, two digests of twelve",
    "bad-mac": "not six octets in hexadecimal digits",
    "bad-asn": "no number of an autonomous system, neither asplain nor asdot",
    "bad-cve": "not CVE, a year since 1999 and a number of at least four digits",
    "bad-btc": "no Bitcoin address of the main network, or its checksum is wrong",
    "bad-name": "no name of a mutex or a file: nothing is left of it, or it has wildcards or separators",
    "victim-field": "a field that describes a victim or a customer: such things never enter a set",
    "not-for-detection": "its producer does not mean it for detection (to_ids is false)",
    "revoked": "withdrawn by its producer; what we had of it from this feed goes as well",
    "pattern-and": "a STIX pattern whose conditions must hold together: no single value stands for it",
    "pattern-followedby": "a STIX pattern over an order of events",
    "pattern-comparison": "a STIX pattern with a comparison other than equality: LIKE, MATCHES, <, NOT",
    "pattern-qualifier": "a STIX pattern with WITHIN, REPEATS or START: a value alone does not say that",
    "pattern-language": "a pattern in another language than STIX: Snort, YARA, Sigma",
    "bad-pattern": "no STIX pattern",
    "bad-object": "no object of STIX or attribute of MISP: not a JSON object that says its type",
    "bad-composite": "a composite of MISP whose parts are not what its type says",
}
"""Every reason a value can be refused for, stable and kebab-case, and what it means."""


class Refused(Exception):
    """A value is no indicator of the profile. Says why and perhaps where, never which value.

    Attributes:
        reason: a key of ``REASONS``.
        place: where in its file the value stands, in the words of the format: a path, an identifier, a
            column; ``""`` where the reader does not say. Never a value.
        kind: the type of a value that is an indicator, but a revoked one.
    """

    def __init__(self, reason: str, place: str = "", *, kind: IndicatorType | None = None) -> None:
        super().__init__(f"{reason}: {REASONS[reason]}")
        self.reason = reason
        self.place = place
        self.kind = kind
