"""One warning list: a file in the JSON format of MISP, bounded and checked before anything relies on it.

Source: MISP/misp-warninglists, schema.json; MISP, app/Model/Warninglist.php for what may be left out.
"""

import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from io import BytesIO
from pathlib import Path
from typing import Any, Self

from exchange.errors import InputError
from exchange.indicators.types import MAX_VALUE_CHARS, IndicatorType
from exchange.indicators.warninglists.matchers import (
    BadEntry,
    Hostnames,
    Matcher,
    Patterns,
    Strings,
    Substrings,
)
from exchange.indicators.warninglists.networks import Networks

MAX_LIST_BYTES = 64 << 20
MAX_ENTRIES = 1_000_000
MAX_TITLE_CHARS = 256
GZIP = b"\x1f\x8b"
_LIKE_ADDRESS = re.compile(r"[][0-9a-fA-F:./]*")
_SLUG = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


class ListType(StrEnum):
    """How the entries of a list are compared."""

    STRING = "string"
    SUBSTRING = "substring"
    HOSTNAME = "hostname"
    CIDR = "cidr"
    REGEX = "regex"


_MATCHERS: dict[ListType, type[Matcher]] = {
    ListType.STRING: Strings,
    ListType.SUBSTRING: Substrings,
    ListType.HOSTNAME: Hostnames,
    ListType.CIDR: Networks,
    ListType.REGEX: Patterns,
}

_T = IndicatorType
_HOSTS = frozenset({_T.DOMAIN, _T.URL_HOST})
# Types of attributes of MISP; of composites such as domain|ip and filename|md5 each part counts.
_ATTRIBUTES: dict[str, frozenset[IndicatorType]] = {
    name: frozenset(kinds)
    for names, kinds in (
        ("ip ip-src ip-dst", (_T.IPV4, _T.IPV6, _T.CIDR, _T.URL_HOST)),
        ("domain hostname", _HOSTS),
        ("url uri link", (_T.URL,)),
        ("email email-src email-dst email-reply-to target-email whois-registrant-email dns-soa-email",
         (_T.EMAIL,)),
        ("md5", (_T.MD5,)),
        ("sha1", (_T.SHA1,)),
        ("sha224", (_T.SHA224,)),
        ("sha256", (_T.SHA256,)),
        ("sha384", (_T.SHA384,)),
        ("sha512", (_T.SHA512,)),
        ("imphash", (_T.IMPHASH,)),
        ("ja3-fingerprint-md5", (_T.JA3, _T.JA3S)),
        ("jarm-fingerprint", (_T.JARM,)),
        ("hassh-md5 hasshserver-md5", (_T.HASSH,)),
        ("x509-fingerprint-md5 x509-fingerprint-sha1 x509-fingerprint-sha256", (_T.X509,)),
        ("mac-address", (_T.MAC,)),
        ("AS", (_T.ASN,)),
        ("vulnerability", (_T.CVE,)),
        ("btc", (_T.BTC,)),
        ("mutex", (_T.MUTEX,)),
        ("filename", (_T.FILE_NAME,)),
        ("malware-sample", (_T.FILE_NAME, _T.MD5)),
    )
    for name in names.split()
}  # fmt: skip
_ADDRESSES = frozenset({_T.IPV4, _T.IPV6, _T.CIDR})
_COMPARABLE = {
    ListType.HOSTNAME: _HOSTS | {_T.URL, _T.EMAIL},
    ListType.CIDR: _ADDRESSES | {_T.URL_HOST},
}
"""Types of indicators that such a list can hit, whatever it says: a composite names both of its parts."""


@dataclass(frozen=True, slots=True)
class WarningList:
    """Values that are no threats, or say little.

    Attributes:
        name: what settings and reports call it: the name of its file or folder.
        title: what its maintainers call it.
        description: what is on it, in their words.
        version: theirs.
        type: how entries are compared.
        category: ``false_positive`` or ``known``, or ``""`` if they do not say.
        kinds: the types of indicators it applies to; of what else it applies to, we hold none.
        size: its entries.
        digest: SHA-256 of its content, in hexadecimal.
        matcher: finds what is listed.
    """

    name: str
    title: str
    description: str
    version: int
    type: ListType
    category: str
    kinds: frozenset[IndicatorType]
    size: int
    digest: str
    matcher: Matcher = field(repr=False, compare=False)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a list from a file, gzipped or not.

        Raises:
            InputError: it cannot be read, is too large, or is no warning list; names the place.
        """
        content = unzipped(read_bytes(path), path)
        table = _parsed(content, path)
        try:
            return cls._of(table, list_name(path), _digest(content))
        except ValueError as e:
            raise InputError(f"{path}: {e}", hint="no warning list as MISP writes them") from None

    @classmethod
    def _of(cls, table: dict[str, Any], name: str, digest: str) -> Self:
        title = _text(table, "name", MAX_TITLE_CHARS)
        if not title:
            raise ValueError("name is missing")
        stated = table.get("type") or ListType.STRING  # as MISP takes them
        if isinstance(stated, list) and stated:
            stated = stated[0]
        if not isinstance(stated, str) or stated not in list(ListType):
            raise ValueError(f"type is none of {', '.join(ListType)}")
        kind = ListType(stated)
        kinds = _kinds(table.get("matching_attributes"), kind)
        entries = list(_entries(table.get("list")))
        if kind in {ListType.STRING, ListType.SUBSTRING} and not any(
            _LIKE_ADDRESS.fullmatch(entry) for _, entry in entries
        ):
            kinds -= _ADDRESSES
        try:
            matcher = _MATCHERS[kind].of([entry for _, entry in entries], kinds)
        except BadEntry as e:
            raise ValueError(f"list[{entries[e.position][0]}] is {e}") from None
        return cls(
            name, title, _text(table, "description", MAX_VALUE_CHARS), _version(table.get("version")), kind,
            _text(table, "category", MAX_TITLE_CHARS), kinds, len(entries), digest, matcher,
        )  # fmt: skip


def digest_of(path: Path) -> str:
    """The digest of the list in a file, which is not parsed.

    Raises:
        InputError: it cannot be read, or is too large.
    """
    return _digest(unzipped(read_bytes(path), path))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def list_name(path: Path) -> str:
    """The name of a list: that of its folder if the file is ``list.json``, else its own without endings.

    Raises:
        InputError: it has none that a setting could have.
    """
    stem = path.name.removesuffix(".gz").removesuffix(".json")
    name = (path.absolute().parent.name if stem == "list" else stem).lower()
    if not _SLUG.fullmatch(name):
        raise InputError(f"{path} has no name to call a list by", hint="letters, digits, dots and hyphens")
    return name


def by_name(path: Path) -> dict[str, Path]:
    """The files of lists in a folder by the names of the lists.

    They are its own ``NAME.json``, and ``NAME/list.json`` in it or, as MISP publishes them, in its ``lists``;
    gzipped or not.

    Raises:
        InputError: there is no such folder, it cannot be read, or two lists have one name.
    """
    found: dict[str, Path] = {}
    for file in list_files(path):
        name = list_name(file)
        if name in found:
            raise InputError(f"{found[name]} and {file} are both called {name}", hint="remove one")
        found[name] = file
    return found


def list_files(path: Path) -> list[Path]:
    """The files that ``by_name`` names, in alphabetical order.

    Raises:
        InputError: there is no such folder, or it cannot be read.
    """
    try:
        places = [path, *(p for p in sorted(path.iterdir()) if p.is_dir())]
        if (path / "lists").is_dir():
            places = [p for p in sorted((path / "lists").iterdir()) if p.is_dir()]
        files = [f for p in places for f in sorted(p.iterdir()) if f.name.endswith((".json", ".json.gz"))]
    except OSError as e:
        raise InputError(f"{path} cannot be read: {e.strerror}") from e
    return [f for f in files if f.parent == path or f.name.startswith("list.json")]


def read_bytes(path: Path) -> bytes:
    """A file as it is.

    Raises:
        InputError: it cannot be read, or is larger than any list.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_LIST_BYTES + 1)
    except OSError as e:
        raise InputError(f"{path} cannot be read: {e.strerror}") from e
    return _bounded(data, path)


def unzipped(data: bytes, path: Path) -> bytes:
    """The content of a file, which may be gzipped.

    Raises:
        InputError: the gzip data are damaged, or larger than any list.
    """
    if not data.startswith(GZIP):
        return data
    try:
        with gzip.GzipFile(fileobj=BytesIO(data)) as file:
            return _bounded(file.read(MAX_LIST_BYTES + 1), path)
    except (EOFError, zlib.error, OSError) as e:
        raise InputError(f"{path}: the gzip data are damaged", hint="fetch the file again") from e


def _bounded(data: bytes, path: Path) -> bytes:
    if len(data) > MAX_LIST_BYTES:
        raise InputError(f"{path} is larger than {MAX_LIST_BYTES >> 20} MiB: no warning list")
    return data


def _parsed(content: bytes, path: Path) -> dict[str, Any]:
    try:
        table = json.loads(content)
    except json.JSONDecodeError as e:
        raise InputError(f"{path}, line {e.lineno}, column {e.colno}: not JSON: {e.msg}") from None
    except (ValueError, RecursionError):
        raise InputError(f"{path} is not JSON in UTF-8") from None
    if not isinstance(table, dict):
        raise InputError(f"{path} is no warning list: not a JSON object")
    return table


def _text(table: dict[str, Any], key: str, most: int) -> str:
    value = table.get(key, "")
    if not isinstance(value, str) or len(value) > most or not value.replace("\n", " ").isprintable():
        raise ValueError(f"{key} is no text of at most {most:,} characters")
    return value.strip()


def _version(value: object) -> int:
    if value is None:
        return 1
    digits = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not re.fullmatch(r"[0-9]{1,18}", digits):
        raise ValueError("version is no whole number")
    return int(digits)


def _kinds(attributes: object, list_type: ListType) -> frozenset[IndicatorType]:
    """The types of indicators that a list is for; all if it does not say, as in MISP."""
    if attributes is None or attributes == []:
        attributes = ["ALL"]
    if not isinstance(attributes, list) or not all(isinstance(a, str) for a in attributes):
        raise ValueError("matching_attributes is no list of texts")
    parts = {part for attribute in attributes for part in attribute.split("|")}
    kinds = {found for part in parts for found in _ATTRIBUTES.get(part, ())}
    if "ALL" in attributes:
        kinds = set(IndicatorType)
    if list_type is ListType.HOSTNAME and IndicatorType.URL in kinds:
        kinds.add(IndicatorType.URL_HOST)
    return frozenset(kinds) & _COMPARABLE.get(list_type, frozenset(IndicatorType))


def _entries(found: object) -> Iterator[tuple[int, str]]:
    """The entries of a list, or of one with comments, which is a table, numbered; empty ones do not count."""
    if not isinstance(found, list | dict):
        raise ValueError("list is no list")  # noqa: TRY004 (of the file, not of this program)
    if len(found) > MAX_ENTRIES:
        raise ValueError(f"list has more than {MAX_ENTRIES:,} entries")
    for n, entry in enumerate(found):
        text = str(entry) if type(entry) is int else entry  # the numbers of AS
        if not isinstance(text, str) or len(text) > MAX_VALUE_CHARS or not text.strip().isprintable():
            raise ValueError(f"list[{n}] is no text of at most {MAX_VALUE_CHARS:,} characters")
        if text := text.strip():
            yield n, text
