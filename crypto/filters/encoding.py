"""The bytes that every filter begins with, and what every filter checks."""

import math
import struct

import numpy as np
from numpy.typing import NDArray

from crypto import rows
from crypto.errors import DecodeError, ParameterError
from crypto.rows import Rows

TAG_BYTES = 16
HEAD_BYTES = 32
BLOOM, GOLOMB, SORTED, DELTA = 1, 2, 3, 4

_MAGIC = b"CSFT"
_VERSION = 1
_HEAD = struct.Struct("<4sBBBxQQQ")

Answers = NDArray[np.bool_]


def check(tags: Rows, fpr: float, *, lowest: float) -> None:
    """Refuse what no filter is made of.

    Raises:
        ParameterError: the array is no table of tags, or the rate is below the lowest or above 1/2.
    """
    rows.check(tags, width=TAG_BYTES)
    if not lowest <= fpr <= 1 / 2:
        raise ParameterError(f"the rate of false positives is between 2^{math.log2(lowest):.0f} and 1/2")


def encoded(kind: int, parameter: int, numbers: tuple[int, int, int], body: bytes) -> bytes:
    """Head and body."""
    return _HEAD.pack(_MAGIC, _VERSION, kind, parameter, *numbers) + body


def decoded(kind: int, data: bytes) -> tuple[int, tuple[int, int, int], bytes]:
    """Parameter, numbers and body of one kind; the first number is always how many items there are.

    Raises:
        DecodeError: the bytes are of another kind or version, or shorter than a head.
    """
    if len(data) < HEAD_BYTES:
        raise DecodeError("a filter begins with a head of 32 bytes")
    magic, version, found, parameter, *numbers = _HEAD.unpack_from(data)
    if (magic, version, found, data[7]) != (_MAGIC, _VERSION, kind, 0):
        raise DecodeError("the bytes are of another kind or of a version that is not known")
    if numbers[0] > rows.MAX_ROWS:
        raise DecodeError("a filter has fewer than 2^32 items")
    return parameter, (numbers[0], numbers[1], numbers[2]), data[HEAD_BYTES:]
