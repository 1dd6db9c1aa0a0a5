"""CIRCL's Private Search Set (PSS): a folder of keyed hashes, as a list, as a ``dcso-v1`` filter, or both.

WHOEVER CAN ASK IT CAN TEST GUESSES: see ``WARNING``. All who ask share the key; all know its default.

What is published is a description (README of hashlookup/private-search-set, version 1 of the metadata) and a
program, and they differ. What is written here is what the program reads, as of its commit 5f0f153 of 2024:

* ``private-search-set.json``: eight keys, no more: the program refuses others, ``name`` and ``filter`` of the
  description among them. What is read may have the ``format`` list of the description's sample instead of
  ``bloomfilter``, and underscores for hyphens, as the program writes it;
* ``private-search-set.pss``: a line for each value, BLAKE2b of 64 bytes under the key, in hexadecimal;
* ``private-search-set.bloom``: a ``dcso-v1`` filter over these lines.

Refused: the algorithms Blake3, HMAC-SHA-256 and HMAC-SHA-512 and the filter ``poppy-v2``, for which the
program has no code and the description no encoding; a ``match-count`` above 1; a set with neither file, as a
``misp-feed-cache`` may be. ``canonicalization-format`` is kept as text and never run, nor does the program
run it: values come canonical and stay as they are. Not read: ``openpgp-encrypted-key``,
``misp-object-template``, and other keys. Watermarks are described, but not how to make one.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from exchange.errors import InputError
from exchange.interchange import SHARED_KEY
from exchange.interchange.dcso import DcsoFilter

WARNING = SHARED_KEY

META, LIST, FILTER = (f"private-search-set.{suffix}" for suffix in ("json", "pss", "bloom"))
DEFAULT_KEY = "infected"
"""The key that the description publishes for whoever names no other."""

_VERSION = 1
_ALGORITHMS = ("Blake2", "Blake2b")
_DCSO = "dcso-v1"
_DIGEST = re.compile(r"[0-9a-f]{128}")
_MAX_META_BYTES = 1 << 16
_MAX_KEY_BYTES = 64
_TEXTS = ("keyid", "description", "canonicalization-format")


@dataclass(frozen=True, slots=True)
class Meta:
    """What a set says of itself.

    Attributes:
        keyid: the name of the key.
        description: for people.
        generated: when it was made.
        canonicalization: what was done to values, in words or in Python.
        misp_types: types of attributes in MISP's words.
    """

    keyid: str
    description: str
    generated: datetime
    canonicalization: str = ""
    misp_types: tuple[str, ...] = ("text",)


@dataclass(frozen=True, slots=True)
class PrivateSearchSet:
    """A set.

    Attributes:
        meta: what it says of itself.
        capacity: of the filter.
        fpr: of the filter.
        digests: the list, sorted, or ``None`` where there is none.
        bloom: the filter, or ``None``.
    """

    meta: Meta
    capacity: int
    fpr: float
    digests: tuple[str, ...] | None = field(repr=False)
    bloom: DcsoFilter | None = field(repr=False)

    @classmethod
    def build(cls, values: Sequence[str], meta: Meta, *, key: str, capacity: int, fpr: float) -> Self:
        """Make a set with both files.

        Args:
            values: canonical, in any order.
            meta: what the set says of itself.
            key: 1 to 64 bytes of UTF-8.
            capacity: of the filter.
            fpr: of the filter.

        Raises:
            InputError: the key has another length, or the filter is refused.
        """
        digests = tuple(sorted(set(_hashed(values, key))))
        return cls(meta, capacity, fpr, digests, DcsoFilter.build(digests, capacity=capacity, fpr=fpr))

    @property
    def rate(self) -> float:
        """How likely a value that is not in seems to be; 0 where the list is there."""
        return 0.0 if self.bloom is None or self.digests is not None else self.bloom.rate

    def contains(self, values: Sequence[str], *, key: str) -> NDArray[np.bool_]:
        """Which values are in: by the list, or where there is none by the filter, which may err.

        Raises:
            InputError: the key is too long or empty. Another key than that of the set finds nothing.
        """
        asked = _hashed(values, key)
        if self.digests is None:
            assert self.bloom is not None
            return self.bloom.contains(asked)
        held = frozenset(self.digests)
        return np.fromiter((digest in held for digest in asked), np.bool_, len(asked))

    def files(self) -> dict[str, bytes]:
        """The files of the folder, by name."""
        out = {META: json.dumps(_metadata(self), indent=2, ensure_ascii=False).encode() + b"\n"}
        if self.digests is not None:
            out[LIST] = "".join(f"{digest}\n" for digest in self.digests).encode()
        if self.bloom is not None:
            out[FILTER] = self.bloom.to_bytes()
        return out

    @classmethod
    def read(cls, files: Mapping[str, bytes]) -> Self:
        """Read a folder.

        Args:
            files: its files, by name; others are left alone.

        Raises:
            InputError: a file is missing, damaged, or of a kind that is not supported.
        """
        told = _parsed(files.get(META))
        capacity, fpr = _filter_of(told)
        digests, bloom = _digests(files.get(LIST)), None
        if FILTER in files:
            bloom = DcsoFilter.from_bytes(files[FILTER])
            if (bloom.capacity, bloom.fpr) != (capacity, fpr):
                raise _malformed("the filter is not the one that the metadata describe")
        if digests is None and bloom is None:
            raise _malformed(f"there is neither {LIST} nor {FILTER}")
        return cls(_meta(told), capacity, fpr, digests, bloom)


def _malformed(why: str) -> InputError:
    return InputError(f"no Private Search Set: {why}", code="filter-malformed")


def _unsupported(what: str) -> InputError:
    return InputError(
        f"this Private Search Set needs {what}, which is not supported", code="filter-unsupported"
    )


def _hashed(values: Sequence[str], key: str) -> list[str]:
    secret = key.encode()
    if not 1 <= len(secret) <= _MAX_KEY_BYTES:
        raise InputError(f"a key has 1 to {_MAX_KEY_BYTES} bytes", code="filter-parameters")
    return [blake2b(value.encode(), key=secret).hexdigest() for value in values]


def _metadata(made: PrivateSearchSet) -> dict[str, Any]:
    return {
        "algorithm": _ALGORITHMS[0],
        "bloomfilter": {"capacity": made.capacity, "format": _DCSO, "fp-probability": made.fpr},
        "canonicalization-format": made.meta.canonicalization,
        "description": made.meta.description,
        "generated-timestamp": int(made.meta.generated.timestamp()),
        "keyid": made.meta.keyid,
        "misp-attribute-types": list(made.meta.misp_types),
        "version": _VERSION,
    }


def _parsed(data: bytes | None) -> dict[str, Any]:
    """The metadata with hyphens in their keys, of a version and an algorithm that we know."""
    if data is None:
        raise _malformed(f"there is no {META}")
    if len(data) > _MAX_META_BYTES:
        raise _malformed(f"{META} is larger than {_MAX_META_BYTES >> 10} KiB")
    try:
        read = json.loads(data)
    except (ValueError, RecursionError):
        raise _malformed(f"{META} is not JSON") from None
    if not isinstance(read, dict):
        raise _malformed(f"{META} is no object")
    told = {name.replace("_", "-"): value for name, value in read.items()}
    if len(told) != len(read):
        raise _malformed("a key stands there twice")
    if told.get("version") != _VERSION:
        raise _unsupported("another version of the metadata")
    if told.get("algorithm") not in _ALGORITHMS:
        raise _unsupported("another algorithm than Blake2")
    return told


def _filter_of(told: Mapping[str, Any]) -> tuple[int, float]:
    """Capacity and rate of the filter that the metadata describe."""
    described = told.get("bloomfilter")
    if described is None and isinstance(told.get("format"), list):
        described = next((one["bloomfilter"] for one in told["format"] if _has_filter(one)), None)
    if not isinstance(described, dict):
        raise _malformed("the metadata describe no filter")
    if described.get("format") != _DCSO:
        raise _unsupported(f"another filter than {_DCSO}")
    if described.get("match-count", 1) != 1:
        raise _unsupported("several matches for one answer")
    capacity, fpr = described.get("capacity"), described.get("fp-probability")
    if type(capacity) is not int or type(fpr) is not float or capacity < 1 or not 0 < fpr < 1:
        raise _malformed("capacity or probability is no number of a filter")
    return capacity, fpr


def _has_filter(one: object) -> bool:
    return isinstance(one, dict) and "bloomfilter" in one


def _meta(told: Mapping[str, Any]) -> Meta:
    texts = [told.get(name) for name in _TEXTS]
    types = told.get("misp-attribute-types", ["text"])
    if not all(isinstance(text, str) for text in texts):
        raise _malformed(f"{', '.join(_TEXTS)} are texts")
    if not isinstance(types, list) or not all(isinstance(one, str) for one in types):
        raise _malformed("the attribute types are no list of texts")
    try:
        generated = datetime.fromtimestamp(told["generated-timestamp"], UTC)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        raise _malformed("there is no time at which it was made") from None
    keyid, description, canonicalization = map(str, texts)
    return Meta(keyid, description, generated, canonicalization, tuple(types))


def _digests(data: bytes | None) -> tuple[str, ...] | None:
    if data is None:
        return None
    lines = data.decode("latin-1").splitlines()
    if not all(map(_DIGEST.fullmatch, lines)):
        raise _malformed(f"a line of {LIST} is no digest of 64 bytes in lower case")
    return tuple(sorted(set(lines)))
