"""A set that comes from the lines of a file, in place of a store: for researchers and scripts."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crypto import hashing, rows
from crypto.rows import Rows
from exchange.errors import InputError
from exchange.indicators import Indicator, IndicatorType
from exchange.indicators.context import Context
from exchange.policy import Offer

KIND = "line"


@dataclass(frozen=True, slots=True)
class Lines:
    """The distinct lines of a file that are not empty, in their order, each as it is but for its line end.

    Attributes:
        rows: the item of each.
        ids: its position.
    """

    rows: Rows = field(repr=False)
    ids: NDArray[np.int64] = field(repr=False)
    _text: bytes = field(repr=False)
    _starts: NDArray[np.uint64] = field(repr=False)
    _ends: NDArray[np.uint64] = field(repr=False)

    @classmethod
    def read(cls, path: Path) -> "Lines":
        """Read a file. Lines end with LF, CR LF or CR.

        Raises:
            InputError: the file cannot be read as UTF-8.
        """
        try:
            data = path.read_bytes()
            data.decode()
        except OSError as e:
            raise InputError(f"{path} cannot be read: {e.strerror}") from e
        except UnicodeDecodeError as e:
            raise InputError(f"{path} is not UTF-8 after {e.start} bytes") from e
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        breaks = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n"))
        text = data.replace(b"\n", b"")
        ends = np.append(breaks - np.arange(len(breaks)), len(text)).astype(np.uint64)
        starts = np.concatenate([np.zeros(1, np.uint64), ends[:-1]])
        filled = starts < ends
        starts, ends = starts[filled], ends[filled]  # what is empty takes nothing of the text away
        items = hashing.packed_item_rows(KIND, text, ends)
        first = rows.unique(items)
        if len(first) < len(items):
            items, starts, ends = items[first], starts[first], ends[first]
        return cls(items, np.arange(len(items)), text, starts, ends)

    def text(self, positions: NDArray[np.int64]) -> bytes:
        """The lines at these positions, each with an LF."""
        spans = zip(self._starts[positions].tolist(), self._ends[positions].tolist(), strict=True)
        return b"".join(self._text[start:end] + b"\n" for start, end in spans)

    def types(self, *, now: datetime) -> list[IndicatorType]:  # noqa: ARG002
        """All, if there is a line: lines are of any type."""
        return list(IndicatorType) if len(self.rows) else []

    def size(self, _types: Collection[IndicatorType], /, **_how: Any) -> int:
        """How many there are."""
        return len(self.rows)

    def offer(self, types: Collection[IndicatorType], /, **_how: Any) -> Offer:
        """All of them; lines are of any type, and count as the first."""
        return Offer({min(types): len(self.rows)} if len(self.rows) else {})

    def item_set(self, _types: Collection[IndicatorType], /, **_how: Any) -> "Lines":
        """All of them."""
        return self

    def said(self, _types: Collection[IndicatorType], /, **_how: Any) -> "Lines":
        """Nothing is said of a line."""
        return self

    def copies(self, _types: Collection[IndicatorType], /, **_how: Any) -> tuple[NDArray[np.int64], Rows]:
        """No line is anybody else's."""
        return np.zeros(0, np.int64), np.zeros((0, hashing.HASH_BYTES), np.uint8)

    def of(self, ids: NDArray[np.int64]) -> list[Context]:
        """Nothing, of each."""
        return [Context()] * len(ids)

    def state(self, *, now: datetime) -> None:
        """None: nobody commits to lines."""

    def values(self, _ids: NDArray[np.int64]) -> list[Indicator]:
        """None: lines are told by their positions."""
        return []
