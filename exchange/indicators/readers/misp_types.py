"""The attribute types of MISP: which are types of the profile, which come in pairs, which name victims.

Source: MISP core format (draft-dulaunoy-misp-core-format), sections 2.4 (attribute) and 2.6 (object); the
types in use are those of ``describeTypes.json``.
"""

import re
from collections.abc import Iterator

from exchange.indicators.readers.context_columns import is_victim
from exchange.indicators.types import IndicatorType, Refused

_UNSUPPORTED = Refused("unsupported-type")
_DIGESTS = {
    "md5": IndicatorType.MD5,
    "sha1": IndicatorType.SHA1,
    "sha224": IndicatorType.SHA224,
    "sha256": IndicatorType.SHA256,
    "sha384": IndicatorType.SHA384,
    "sha512": IndicatorType.SHA512,
    "imphash": IndicatorType.IMPHASH,
}
_ONE = _DIGESTS | {
    "ip-src": IndicatorType.IPV4,  # or IPv6, or a network: the canonical form tells
    "ip-dst": IndicatorType.IPV4,
    "domain": IndicatorType.DOMAIN,
    "hostname": IndicatorType.DOMAIN,
    "url": IndicatorType.URL,
    "uri": IndicatorType.URL,
    "email": IndicatorType.EMAIL,
    "email-src": IndicatorType.EMAIL,
    "email-dst": IndicatorType.EMAIL,
    "email-reply-to": IndicatorType.EMAIL,
    "dns-soa-email": IndicatorType.EMAIL,
    "whois-registrant-email": IndicatorType.EMAIL,
    "filename": IndicatorType.FILE_NAME,
    "email-attachment": IndicatorType.FILE_NAME,
    "ja3-fingerprint-md5": IndicatorType.JA3,
    "jarm-fingerprint": IndicatorType.JARM,
    "hassh-md5": IndicatorType.HASSH,
    "x509-fingerprint-md5": IndicatorType.X509,
    "x509-fingerprint-sha1": IndicatorType.X509,
    "x509-fingerprint-sha256": IndicatorType.X509,
    "mac-address": IndicatorType.MAC,
    "AS": IndicatorType.ASN,
    "vulnerability": IndicatorType.CVE,
    "btc": IndicatorType.BTC,
    "mutex": IndicatorType.MUTEX,
}
# Objects for JA3S carry it in an attribute of the type of JA3.
_BY_RELATION = {"ja3s-fingerprint-md5": IndicatorType.JA3S}
_PORTS = {"ip-src|port": "ip-src", "ip-dst|port": "ip-dst", "hostname|port": "hostname"}
_FILE_AND_DIGEST = {"malware-sample": "md5"}
_PORT = re.compile(r"[0-9]{1,5}")
_MAX_PORT = 65535

_VICTIM_OBJECTS = frozenset({"victim", "corporate-asset", "target-system", "employee"})
# Whom a message was sent to. An attribute email-dst outside an object is where malware sends to.
_RECIPIENTS = frozenset({"to", "cc", "bcc", "to-display-name", "cc-display-name", "bcc-display-name"})
_TARGETING = "Targeting data"

Part = tuple[str, IndicatorType | Refused]


def parts(kind: str, value: str, relation: str) -> Iterator[Part]:
    """The values in the value of an attribute, each with its type or with why it is none.

    Both halves of ``domain|ip`` and of ``filename|sha256`` are values of their own. A port is dropped.

    Args:
        kind: the type of the attribute.
        value: as it stands there.
        relation: what the attribute is in its object, or ``""``.
    """
    if kind in _PORTS:
        host, _, port = value.rpartition("|")
        valid = host.strip() and _PORT.fullmatch(port.strip()) and int(port) <= _MAX_PORT
        yield (host, _ONE[_PORTS[kind]]) if valid else ("", Refused("bad-composite"))
    elif kind == "domain|ip":
        yield from _both(value, IndicatorType.DOMAIN, IndicatorType.IPV4)
    elif kind.startswith("filename|") or kind in _FILE_AND_DIGEST:
        digest = _FILE_AND_DIGEST.get(kind, kind.partition("|")[2])
        yield from _both(value, IndicatorType.FILE_NAME, _DIGESTS.get(digest, _UNSUPPORTED))
    else:
        yield value, _BY_RELATION.get(relation, _ONE.get(kind, _UNSUPPORTED))


def is_of_victim(category: str, kind: str, relation: str, holder: str) -> bool:
    """Whether an attribute tells who was attacked.

    Args:
        category: of the attribute, such as ``Targeting data``.
        kind: its type, such as ``target-email``.
        relation: what it is in its object, or ``""``.
        holder: the name of its object, or ``""``.
    """
    return (
        category == _TARGETING
        or kind.startswith("target-")
        or holder in _VICTIM_OBJECTS
        or (holder == "email" and relation in _RECIPIENTS)
        or is_victim(relation)
    )


def _both(value: str, first: IndicatorType, second: IndicatorType | Refused) -> Iterator[Part]:
    left, bar, right = value.rpartition("|")  # a digest and an address have no bar, a file name may
    if not (bar and left.strip() and right.strip()):
        yield "", Refused("bad-composite")
        return
    yield left, first
    yield right, second
