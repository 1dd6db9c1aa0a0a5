"""From lists of bytes to packed rows and back."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from crypto.rows import Rows

VECTORS = Path(__file__).parent.parent / "vectors"


def packed(rows: Sequence[bytes], width: int | None = None) -> Rows:
    """``(n, w)`` uint8; ``width`` says what ``w`` is where there is no row."""
    w = len(rows[0]) if rows else width or 1
    return np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), w)


def unpacked(rows: Rows) -> list[bytes]:
    return [row.tobytes() for row in rows]


def fixed_rng(scalars: Sequence[int]) -> Callable[[int], bytes]:
    """An rng whose 64-byte draws reduce to these scalars, in this order, each once."""
    left = list(scalars)

    def rng(n: int) -> bytes:
        drawn = [left.pop(0) for _ in range(n // 64)]
        return b"".join(scalar.to_bytes(64, "little") for scalar in drawn)

    return rng
