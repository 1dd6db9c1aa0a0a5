"""Which paths of STIX objects hold indicators, and of which type.

A pattern says ``file:hashes.MD5 = '...'``, an observable ``{"type": "file", "hashes": {"MD5": "..."}}``: the
same path, so both are looked up here, and a bundle gives the same indicators in either form.

Source: STIX 2.1 section 6 and 2.0 part 4; beyond them, objects that OpenCTI, MISP and MVT write.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from exchange.indicators.readers.base import type_name
from exchange.indicators.readers.context_columns import is_victim
from exchange.indicators.stix_patterns import Atom
from exchange.indicators.types import IndicatorType, Refused

_T = IndicatorType
_KINDS: dict[tuple[str, ...], IndicatorType | None] = {
    ("ipv4-addr", "value"): _T.IPV4,
    ("ipv6-addr", "value"): _T.IPV6,
    ("domain-name", "value"): _T.DOMAIN,
    ("hostname", "value"): _T.DOMAIN,
    ("x-opencti-hostname", "value"): _T.DOMAIN,
    ("url", "value"): _T.URL,
    ("email-addr", "value"): _T.EMAIL,
    ("email-message", "from_ref", "value"): _T.EMAIL,
    ("email-message", "sender_ref", "value"): _T.EMAIL,
    # An address or a name: what it refers to says which.
    ("network-traffic", "dst_ref", "value"): None,
    ("network-traffic", "src_ref", "value"): None,
    ("network-traffic", "extensions", "http-request-ext", "request_header", "Host"): None,
    ("network-traffic", "extensions", "http-request-ext", "request_value"): _T.URL,
    ("file", "name"): _T.FILE_NAME,
    ("process", "name"): _T.FILE_NAME,
    ("process", "image_ref", "name"): _T.FILE_NAME,
    ("process", "binary_ref", "name"): _T.FILE_NAME,
    ("file", "extensions", "windows-pebinary-ext", "imphash"): _T.IMPHASH,
    ("mutex", "name"): _T.MUTEX,
    ("mac-addr", "value"): _T.MAC,
    ("autonomous-system", "number"): _T.ASN,
    ("vulnerability", "name"): _T.CVE,
    ("cryptocurrency-wallet", "value"): _T.BTC,
    ("cryptocurrency-wallet", "address"): _T.BTC,
    ("x-cosight-url-host", "value"): _T.URL_HOST,  # what exchange.export writes
}
_DIGESTS = {
    kind.value: kind
    for kind in (_T.MD5, _T.SHA1, _T.SHA224, _T.SHA256, _T.SHA384, _T.SHA512, _T.IMPHASH, _T.JARM, _T.HASSH)
}
_CERTIFICATES = frozenset({("x509-certificate", "hashes"), ("app", "cert")})
_OF_CERTIFICATES = frozenset({"md5", "sha1", "sha256"})
_OF_TRAFFIC = {kind.value: kind for kind in (_T.JA3, _T.JA3S, _T.JA4, _T.JARM, _T.HASSH)}

# To whom a message went is who was attacked.
RECIPIENTS = frozenset({"to_refs", "cc_refs", "bcc_refs"})
ID = re.compile(r"[a-z0-9-]{1,64}--[0-9a-fA-F-]{36}")
_PROPERTY = re.compile(r"[a-z0-9_-]{1,64}")

_UNSUPPORTED = Refused("unsupported-type")
_MOST_HASHES = 64
_MOST_STEPS = 16
_MAX_NAME_CHARS = 250
# Objects of objects: what they are made of stands beside them, as objects of their own.
COMPOSED = frozenset({"network-traffic", "email-message"})
_SIMPLE = """artifact autonomous-system cryptocurrency-wallet directory domain-name email-addr file hostname
ipv4-addr ipv6-addr mac-addr mutex process software url user-account user-agent windows-registry-key
x-opencti-hostname x509-certificate"""
OBSERVABLES = COMPOSED | frozenset(_SIMPLE.split())


def kind_of(atom: Atom) -> IndicatorType | Refused | None:
    """The type that an atom's path says its value has; ``None`` where the value says it."""
    path = atom.path
    if len(path) > _MOST_STEPS or max(map(len, path)) > _MAX_NAME_CHARS:
        return _UNSUPPORTED
    if path[1] in RECIPIENTS or any(map(is_of_victims, path)):
        return Refused("victim-field", f"{path[0]}:{property_name(path[1])}")
    kind = _KINDS[path] if path in _KINDS else _hash_of(path)
    if kind is IndicatorType.ASN:
        return kind if atom.literal in ("int", "string") else _UNSUPPORTED
    if atom.literal == "hex":
        return kind if "hashes" in path else _UNSUPPORTED
    return kind if atom.literal == "string" else _UNSUPPORTED


def is_of_victims(name: str) -> bool:
    """Whether what a property holds or refers to is whom an attack has hit, or who received or saw it."""
    return _is_of_victims(name[:_MAX_NAME_CHARS])


@lru_cache(maxsize=4096)
def _is_of_victims(name: str) -> bool:
    return name in RECIPIENTS or name == "where_sighted_refs" or is_victim(name)


def property_name(name: str) -> str:
    """A property as a place may name it: one that is written unlike any could be a value itself."""
    return name if _PROPERTY.fullmatch(name) else "a property of another name than STIX allows"


def atoms_of(thing: Mapping[str, object]) -> Iterator[Atom]:
    """The values of an observable that may be indicators, as a pattern would write them.

    A hash of a kind that the profile does not know is among them; a size or a description is not.
    """
    kind = str(thing["type"])
    for name, value in thing.items():
        if isinstance(value, bool):
            continue
        if isinstance(value, str | int):
            if (kind, name) in _KINDS:
                yield Atom((kind, name), str(value), "int" if isinstance(value, int) else "string")
        elif name == "hashes" and isinstance(value, dict):
            for key, digest in list(value.items())[:_MOST_HASHES]:
                if isinstance(digest, str):
                    yield Atom((kind, name, key), digest)
        elif name == "extensions" and isinstance(value, dict):
            extension = value.get("windows-pebinary-ext")
            digest = extension.get("imphash") if isinstance(extension, dict) else None
            if isinstance(digest, str):
                yield Atom((kind, name, "windows-pebinary-ext", "imphash"), digest)


def _hash_of(path: tuple[str, ...]) -> IndicatorType | Refused:
    name = type_name(path[-1])
    if path[:2] in _CERTIFICATES:
        return IndicatorType.X509 if name in _OF_CERTIFICATES else _UNSUPPORTED
    if path[0] == "network-traffic" and "extensions" in path:
        return _OF_TRAFFIC.get(name.removeprefix("x"), _UNSUPPORTED)
    # A section or a stream of a file is not the file.
    if path[-2] == "hashes" and "extensions" not in path:
        return _DIGESTS.get(name, _UNSUPPORTED)
    return _UNSUPPORTED
