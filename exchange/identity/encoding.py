"""Canonical CBOR for everything that is signed, and the armour in which files travel by e-mail.

There is one encoding of every value. Decoding refuses all others, so that whoever relays a file cannot make a
second one that means the same. Faults are ``ValueError``: the caller knows which file it was reading.

Source: RFC 8949 section 4.2 (deterministic encoding).
"""

import base64
import binascii
import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, NoReturn

import cbor2

MAX_DEPTH = 8
_LINE = 76
_ARMOUR = re.compile(
    rb"^[> \t]*-----BEGIN COSIGHT ([A-Z ]{1,40})-----[ \t\r]*\n"
    rb"(.*?)"
    rb"^[> \t]*-----END COSIGHT \1-----[ \t\r]*$",
    re.MULTILINE | re.DOTALL,
)
_AROUND = b"> \t\r"  # what mail programs put around a line


class Kind(StrEnum):
    """What a file is; stands in its first line."""

    INVITATION = "INVITATION"
    JOIN_REQUEST = "JOIN REQUEST"
    PROPOSAL = "PROPOSED ROSTER"
    APPROVAL = "APPROVAL"


def _no_tags(*_: object) -> NoReturn:
    raise ValueError("tags have no place here")


# The library would run these decoders (dates, regular expressions, MIME, references) before we see the value.
_BUILT_IN = (0, 1, 2, 3, 4, 5, 25, 28, 29, 30, 35, 36, 37, 100, 256, 258, 260, 261, 1004, 43000, 55799)
_DECODERS = dict.fromkeys(_BUILT_IN, _no_tags)


def encode(value: object) -> bytes:
    """The one encoding of a value made of maps, lists, texts, bytes, whole numbers and nulls."""
    return cbor2.dumps(value, canonical=True)


def decode(data: bytes, *, limit: int) -> Any:
    """Decode what ``encode`` gives, and nothing else.

    Args:
        data: the bytes.
        limit: most bytes to look at.

    Raises:
        ValueError: the bytes are too many, no CBOR, not canonical, or tagged.
    """
    if len(data) > limit:
        raise ValueError(f"it is larger than {limit} bytes")
    try:
        value = cbor2.loads(
            data,
            max_depth=MAX_DEPTH,
            allow_indefinite=False,
            allow_duplicate_keys=False,
            strict_hashable_types=True,
            semantic_decoders=_DECODERS,
            tag_hook=_no_tags,
        )
        canonical = encode(value) == data
    except (cbor2.CBORError, ValueError) as e:
        raise ValueError("it cannot be decoded") from e
    if not canonical:
        raise ValueError("it is not in its canonical form")
    return value


def table(value: object, **kinds: type | tuple[type, ...]) -> dict[str, Any]:
    """The value as a map with exactly these keys, each of exactly one of these types.

    Raises:
        ValueError: it is something else. Names the key.
    """
    if not isinstance(value, dict) or value.keys() != kinds.keys():
        raise ValueError(f"a map of {', '.join(kinds)} was due")
    for name, kind in kinds.items():
        if type(value[name]) not in (kind if isinstance(kind, tuple) else (kind,)):
            raise ValueError(f"{name} is of the wrong type")
    return value


def all_of(kind: type, values: Iterable[object], name: str) -> None:
    """Check that a list holds one type alone.

    Raises:
        ValueError: it holds another. Names the list.
    """
    if any(type(value) is not kind for value in values):
        raise ValueError(f"{name} holds something of the wrong type")


def armour(kind: Kind, data: bytes) -> bytes:
    """Text that survives e-mail."""
    text = base64.b64encode(data)
    lines = [text[start : start + _LINE] for start in range(0, len(text), _LINE)]
    return b"\n".join(
        [f"-----BEGIN COSIGHT {kind}-----".encode(), *lines, f"-----END COSIGHT {kind}-----\n".encode()]
    )


def dearmour(text: bytes, *, limit: int) -> tuple[Kind, bytes]:
    """What a file is, and its bytes. Whatever a mail program put around the lines is left out.

    Args:
        text: the file.
        limit: most bytes that the file may have.

    Raises:
        ValueError: it holds no file of ours, or more than one, or a damaged one.
    """
    if len(text) > limit:
        raise ValueError(f"it is larger than {limit} bytes")
    found = _ARMOUR.findall(text)
    if len(found) != 1:
        raise ValueError(
            "it holds no whole COSIGHT block" if not found else "it holds more than one COSIGHT block"
        )
    name, body = found[0]
    encoded = b"".join(line.strip(_AROUND) for line in body.split(b"\n"))
    try:
        kind = Kind(name.decode())
        data = base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error) as e:
        raise ValueError("it is damaged, or from another version of cosight") from e
    if base64.b64encode(data) != encoded:
        raise ValueError("it is damaged")
    return kind, data
