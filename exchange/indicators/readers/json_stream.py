"""JSON of any size, value by value: what one value may take is bounded, what a file may take is not."""

import json
from collections.abc import Callable, Iterator
from typing import IO, Any

import ijson

from exchange.errors import InputError
from exchange.indicators.readers.source import Source

MAX_VALUE_BYTES = 16 << 20
"""The most bytes of JSON between two values: one object of a bundle, one attribute of an event."""

_MOST_TO_LOCATE = 32 << 20
_BLOCK = 1 << 16

Event = tuple[str, str, Any]
"""Where (``Event.Attribute.item``), what (``start_map``, ``string``, ...), and the value."""


def items(source: Source, prefix: str) -> Iterator[Any]:
    """The values at a place of a document, such as ``objects.item``, from the beginning of the source.

    Raises:
        InputError: no JSON, which names the line; or a single value of more than ``MAX_VALUE_BYTES``.
    """
    return _translated(source, lambda stream: ijson.items(stream, prefix, use_float=True, buf_size=_BLOCK))


def events(source: Source) -> Iterator[Event]:
    """The tokens of a document with their places, from the beginning of the source.

    The bound on memory is the caller's business: a token is at most ``MAX_VALUE_BYTES``.

    Raises:
        InputError: no JSON, which names the line; or a single token of more than ``MAX_VALUE_BYTES``.
    """
    return _translated(source, lambda stream: ijson.parse(stream, use_float=True, buf_size=_BLOCK))


class _Metered:
    """Counts the bytes read since the last value came out."""

    def __init__(self, stream: IO[bytes], source: Source) -> None:
        self._stream, self._source = stream, source
        self.since = 0

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self.since += len(data)
        if self.since > MAX_VALUE_BYTES:
            raise InputError(
                f"{self._source.name}: a single value of more than {MAX_VALUE_BYTES >> 20} MiB of JSON",
                hint="is it the right --format?",
            )
        return data


def _translated(source: Source, parse: Callable[[_Metered], Iterator[Any]]) -> Iterator[Any]:
    metered = _Metered(source.binary(), source)
    try:
        for value in parse(metered):
            metered.since = 0
            yield value
    except (ijson.JSONError, UnicodeError, OverflowError, RecursionError) as e:
        raise _not_json(source) from e


def _not_json(source: Source) -> InputError:
    """The error with its place, and without the text around it, which may hold indicators."""
    hint = "fetch the file again, or ask its producer"
    text = source.binary().read(_MOST_TO_LOCATE)
    try:
        json.loads(text)
    except json.JSONDecodeError as e:
        if len(text) < _MOST_TO_LOCATE:
            return InputError(
                f"{source.name}, line {e.lineno}, column {e.colno}: not JSON: {e.msg}", hint=hint
            )
    except (UnicodeError, RecursionError, ValueError):
        pass
    return InputError(f"{source.name}: not JSON, or not in UTF-8", hint=hint)
