"""JSON of any size, value by value: what one value may take is bounded, what a file may take is not."""

import json
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import IO, Any

import ijson

from exchange.errors import InputError
from exchange.indicators.readers.source import Source

MAX_VALUE_BYTES = 16 << 20
"""The most bytes of JSON between two values: one object of a bundle, one attribute of an event."""

MAX_VALUE_PARTS = 1 << 19
"""The most entries of lists and objects between two values: an empty one has 3 bytes here, 140 in memory."""

END = object()
"""What ``picked`` yields where an object ends that was not picked itself."""

MAX_DEPTH = 64
"""The most objects and lists inside each other."""

_MOST_TO_LOCATE = 8 << 20  # what it takes as objects is 25 times that at worst
_BLOCK = 1 << 16
_TOKEN_BYTES = 64  # about what a value takes in memory beside its text
_SCALARS = frozenset({"string", "number", "boolean", "null"})
_FRESH: dict[str, Callable[[], Any]] = {"start_map": dict, "start_array": list}
_ENDS = frozenset({"end_map", "end_array"})
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_NO_BRACKETS = bytes(set(range(256)) - _STEPS.keys())

Event = tuple[str, str, Any]
"""Where (``Event.Attribute.item``), what (``start_map``, ``string``, ...), and the value."""


def items(source: Source, prefix: str) -> Iterator[Any]:
    """The values at a place of a document, such as ``objects.item``, from the beginning of the source.

    Raises:
        InputError: no JSON, which names the line; a single value of more than ``MAX_VALUE_BYTES``; or more
            than ``MAX_DEPTH`` levels.
    """
    return _translated(source, lambda stream: ijson.items(stream, prefix, use_float=True, buf_size=_BLOCK))


def events(source: Source) -> Iterator[Event]:
    """The tokens of a document with their places, from the beginning of the source.

    The bound on memory is the caller's business: a token is at most ``MAX_VALUE_BYTES``.

    Raises:
        InputError: no JSON, which names the line; a single token of more than ``MAX_VALUE_BYTES``; or more
            than ``MAX_DEPTH`` levels.
    """
    return _translated(source, lambda stream: ijson.parse(stream, use_float=True, buf_size=_BLOCK))


def picked(
    source: Source, wanted: Callable[[str], bool], *, without: str | None = None
) -> Iterator[tuple[str, Any]]:
    """The objects and scalars at some places, each with its place, in the order of the document.

    Lists are never picked, only what is in them. Where an object ends that is not part of a picked one comes
    its place and ``END``.

    Args:
        source: the document.
        wanted: whether what is at a place is picked.
        without: a key of scalars that are not kept, such as that of attached files.

    Raises:
        InputError: as ``events`` does.
    """
    tokens = events(source)
    for place, event, value in tokens:
        if event == "end_map":
            yield place, END
        elif event == "start_map" and wanted(place):
            yield place, _built(tokens, source, without)
        elif event in _SCALARS and wanted(place):
            yield place, value


def _built(tokens: Iterator[Event], source: Source, without: str | None) -> dict[str, Any]:
    """The object whose start was the last token."""
    root: dict[str, Any] = {}
    key, size = "", 0
    open_ones: list[Any] = [root]
    for _, event, value in tokens:
        if event == "map_key":
            key = value
        elif event in _ENDS:
            open_ones.pop()
            if not open_ones:
                break
            continue
        else:
            fresh = _FRESH.get(event)
            found = fresh() if fresh else "" if key == without else value
            inner = open_ones[-1]
            if isinstance(inner, dict):
                inner[key] = found
            else:
                inner.append(found)
            if fresh:
                open_ones.append(found)
            value = found  # noqa: PLW2901 (what is kept of it)
        size += _TOKEN_BYTES + (len(value) if isinstance(value, str) else 0)
        if size > MAX_VALUE_BYTES:
            raise _too_large(source)
    return root


class _Metered:
    """Counts what was read since the last value came out."""

    def __init__(self, stream: IO[bytes], source: Source) -> None:
        self._stream, self._source = stream, source
        self._nesting = _Nesting()
        self.since = self.parts = 0

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self.since += len(data)
        self.parts += data.count(b",") + data.count(b"[") + data.count(b"{")
        if self.since > MAX_VALUE_BYTES or self.parts > MAX_VALUE_PARTS:
            raise _too_large(self._source)
        if self._nesting.after(data) > MAX_DEPTH:
            raise InputError(
                f"{self._source.name}: JSON nested more than {MAX_DEPTH} deep", hint="no feed is like that"
            )
        return data


class _Nesting:
    """How deep JSON is nested, told before a parser sees it.

    A parser keeps the place of every level that is open, so that what it keeps grows with the square of the
    depth: 20 kB of brackets take it a gigabyte.
    """

    def __init__(self) -> None:
        self._depth, self._in_string, self._held = 0, False, b""

    def after(self, data: bytes) -> int:
        """The greatest depth in one more block."""
        data = self._held + data
        whole = data.rstrip(b"\\")
        self._held = data[len(whole) :]  # what it escapes is in the next block
        parts = whole.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')
        brackets = b"".join(parts[self._in_string :: 2]).translate(None, _NO_BRACKETS)
        self._in_string ^= len(parts) % 2 == 0
        depths = list(accumulate(map(_STEPS.__getitem__, brackets), initial=self._depth))
        self._depth = depths[-1]
        return max(depths)


def _translated(source: Source, parse: Callable[[_Metered], Iterator[Any]]) -> Iterator[Any]:
    metered = _Metered(source.binary(), source)
    try:
        for value in parse(metered):
            metered.since = metered.parts = 0
            yield value
    except (ijson.JSONError, UnicodeError, OverflowError, RecursionError):
        raise _not_json(source) from None  # the parser's own text quotes what stands around the place


def _too_large(source: Source) -> InputError:
    return InputError(
        f"{source.name}: a value of more than {MAX_VALUE_BYTES >> 20} MiB or {MAX_VALUE_PARTS:,} parts",
        hint="is it the right --format?",
    )


def _no_constant(_name: str) -> None:
    raise ValueError  # NaN and Infinity, which Python takes and JSON does not


def _not_json(source: Source) -> InputError:
    """The error with its place, and without the text around it, which may hold indicators."""
    hint = "fetch the file again, or ask its producer"
    text = source.binary().read(_MOST_TO_LOCATE)
    try:
        json.loads(text, parse_constant=_no_constant)
        return InputError(f"{source.name}: a number too large for 64 bits", hint="should it be a text?")
    except json.JSONDecodeError as e:
        if len(text) < _MOST_TO_LOCATE:
            return InputError(
                f"{source.name}, line {e.lineno}, column {e.colno}: not JSON: {e.msg}", hint=hint
            )
    except (UnicodeError, RecursionError, ValueError):
        pass
    return InputError(f"{source.name}: not JSON, or not in UTF-8", hint=hint)
