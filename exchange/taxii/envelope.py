"""One page of objects, parsed as it comes: in memory is one object, never the page."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import ijson
from ijson.common import ObjectBuilder

from exchange.errors import InputError

MAX_DEPTH = 64
"""How deeply a page may nest. STIX needs about ten."""

MAX_TOKENS = 500_000
"""The most names, values and brackets of one object: what it takes in memory follows from it."""

_MAX_NEXT_CHARS = 4096
_OPEN, _CLOSE = {"start_map", "start_array"}, {"end_map", "end_array"}


class Readable(Protocol):
    """The body of an answer."""

    def read(self, size: int = -1, /) -> bytes:
        """Some of what comes next; nothing at the end."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a page says beside its objects (TAXII 2.1, section 3.7).

    Attributes:
        objects: how many there were.
        more: whether there is another page.
        next: what to ask for it with, or ``None``.
    """

    objects: int
    more: bool
    next: str | None


def parse(
    body: Readable, take: Callable[[dict[str, Any]], None], fail: Callable[[str], InputError]
) -> Envelope:
    """Parse a page and hand on every object of it.

    Args:
        body: the answer.
        take: is called with each object.
        fail: makes the error out of what is wrong.

    Raises:
        InputError: it is no envelope. What was taken before belongs to a damaged page.
    """
    parser = _Parser(take, fail)
    try:
        for event, value in ijson.basic_parse(body, use_float=True):
            parser.feed(event, value)
    except (ijson.JSONError, ValueError, OverflowError):
        # The parser's own text quotes what stands around the place.
        raise fail("answered with what is not JSON, or breaks off") from None
    return parser.envelope()


class _Parser:
    def __init__(self, take: Callable[[dict[str, Any]], None], fail: Callable[[str], InputError]) -> None:
        self._take, self._fail = take, fail
        self._depth = self._tokens = self._count = 0
        self._key = ""
        self._building: ObjectBuilder | None = None
        self._ours = self._foreign = False
        self._said: dict[str, Any] = {}

    def feed(self, event: str, value: Any) -> None:
        """Take one token. At depth 1 is the envelope, at depth 2 its list of objects."""
        if event in _CLOSE:
            self._depth -= 1
        if self._building is not None:
            self._build(event, value)
        elif self._depth == 0:
            self._outside(event)
        elif self._depth == 1:
            self._property(event, value)
        elif self._depth == 2 and self._key == "objects":  # noqa: PLR2004
            if event != "start_map":
                raise self._fail("sent an envelope with objects that are none")
            self._building, self._tokens = ObjectBuilder(), 0
            self._build(event, value)
        if event in _OPEN:
            self._depth += 1
            if self._depth > MAX_DEPTH:
                raise self._fail(f"sent JSON that nests more than {MAX_DEPTH} deep")

    def envelope(self) -> Envelope:
        """What the page said, once it is over."""
        if self._foreign and not self._ours:
            raise self._fail("answered with another resource than an envelope")
        more, token = self._said.get("more", False), self._said.get("next")
        if not isinstance(more, bool):
            raise self._fail('sent an envelope whose "more" is neither true nor false')
        if token is not None and not (isinstance(token, str) and 0 < len(token) <= _MAX_NEXT_CHARS):
            raise self._fail('sent an envelope whose "next" is no text, or too long a one')
        return Envelope(self._count, more, token)

    def _outside(self, event: str) -> None:
        if event not in {"start_map", "end_map"}:
            raise self._fail("answered with JSON that is no envelope")

    def _property(self, event: str, value: Any) -> None:
        if event == "map_key":
            self._key = value
            self._ours |= value in {"objects", "more"}
            self._foreign |= value not in {"objects", "more", "next"}
        elif self._key == "objects" and event not in {"start_array", "end_array", "null"}:
            raise self._fail('sent an envelope whose "objects" are no list')
        elif self._key in {"more", "next"}:
            self._said[self._key] = value if event in {"boolean", "string", "null"} else 0

    def _build(self, event: str, value: Any) -> None:
        assert self._building is not None
        self._tokens += 1
        if self._tokens > MAX_TOKENS:
            raise self._fail(f"sent an object of more than {MAX_TOKENS:,} parts")
        self._building.event(event, value)
        if event == "end_map" and self._depth == 2:  # noqa: PLR2004
            self._take(self._building.value)
            self._building = None
            self._count += 1
