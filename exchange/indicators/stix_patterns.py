"""STIX patterns, cut into what each alone makes them true: an equality of one path and one literal.

A pattern is a tree of AND, OR, FOLLOWEDBY and qualifiers over comparisons. What stands under ORs only is an
alternative: whoever sees that one value has seen what the pattern describes. Everything else is refused by
reason. The parser keeps a stack of its own and reads each character a bounded number of times, so that
neither the depth nor the length of a pattern can hurt.

Source: STIX 2.1 section 9 and its grammar of patterns; STIX 2.0 part 5 differs in nothing accepted here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from exchange.indicators.types import Refused

MAX_PATTERN_CHARS = 1 << 20

_TOKEN = re.compile(
    r"""
      (?P<skip>[ \t\r\n\x0b\x0c\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]++
             | /\*.*?\*/ | //[^\r\n]*+)
    | (?P<hex>h'(?:[0-9A-Fa-f]{2})*+')
    | (?P<binary>b'(?:[A-Za-z0-9+/]{4})*+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?')
    | (?P<time>t'[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])
              T(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]++)?Z')
    | (?P<string>'[^'\\]*+(?:\\['\\][^'\\]*+)*+')
    | (?P<float>[+-]?[0-9]*+\.[0-9]++)
    | (?P<int>[+-]?(?:0|[1-9][0-9]*+))
    | (?P<word>[A-Za-z_][A-Za-z0-9_-]*+)
    | (?P<sign>==?|!=|<>|<=|>=|[<>:.,()\[\]*])
    | (?P<invalid>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_NAMES_OF_KEYWORDS = """AND OR NOT FOLLOWEDBY LIKE MATCHES ISSUPERSET ISSUBSET EXISTS LAST IN START STOP
SECONDS WITHIN REPEATS TIMES true false"""
_KEYWORDS = frozenset(_NAMES_OF_KEYWORDS.split())
_ORDERABLE = frozenset({"int", "float", "string", "binary", "hex", "time"})
_BOOLEANS = frozenset({"true", "false"})
_EQUAL = frozenset({"=", "=="})
_UNEQUAL = frozenset({"!=", "<>"})
_ORDERED = frozenset({"<", ">", "<=", ">="})
_OF_TEXTS = frozenset({"LIKE", "MATCHES", "ISSUBSET", "ISSUPERSET"})
_END = "end"
# Most patterns of most feeds are one equality, and their paths are few.
_ONE_EQUALITY = re.compile(r"\[([^=\[\]()]{1,128})= *'([^'\\]*)'\]")


class Atom(NamedTuple):
    """One equality.

    Attributes:
        path: the type of the object and the steps below it, unquoted: ``("file", "hashes", "SHA-256")``.
        value: the literal without quotes and escapes.
        literal: what kind of literal it is: ``string int float hex binary time true false``.
    """

    path: tuple[str, ...]
    value: str
    literal: str = "string"


def alternatives(pattern: str) -> list[Atom | str]:
    """What each alone makes a pattern true: atoms, and reasons of ``REASONS`` for alternatives that are none.

    Raises:
        Refused: ``bad-pattern`` or ``too-long``.
    """
    if len(pattern) > MAX_PATTERN_CHARS:
        raise Refused("too-long")
    one = _ONE_EQUALITY.fullmatch(pattern)
    if one and (path := _path_of(one[1])):
        return [Atom(path, one[2])]
    return _Parser(pattern).alternatives()


@lru_cache(maxsize=1024)
def _path_of(before: str) -> tuple[str, ...] | None:
    """The path that stands before an equals sign, if that is all that stands there."""
    try:
        match _Parser(f"[{before}='']").alternatives():
            case [Atom(path=path)]:
                return path
    except Refused:
        pass
    return None


@dataclass(slots=True)
class _Frame:
    """An open bracket. Numbers are positions in the list of alternatives found so far.

    Attributes:
        bracket: ``(`` or ``[``; ``""`` for the whole pattern.
        start: where what it holds begins.
        group: where the operands of the AND that is being read begin.
        anded: whether there is an AND between them.
        followed: whether there is a FOLLOWEDBY in it.
    """

    bracket: str
    start: int
    group: int
    anded: bool = False
    followed: bool = False


class _Parser:
    """Reads tokens one after the other; each has a kind, which for signs and keywords is its text."""

    def __init__(self, pattern: str) -> None:
        self._tokens = _tokens(pattern)
        self._found: list[Atom | str] = []
        self._advance()

    def alternatives(self) -> list[Atom | str]:
        frames = [_Frame("", 0, 0)]
        inside = False  # square brackets
        while True:
            if self._kind == "(" or (self._kind == "[" and not inside):
                inside = inside or self._kind == "["
                frames.append(_Frame(self._advance(), len(self._found), len(self._found)))
                continue
            if not inside:
                raise Refused("bad-pattern")
            self._comparison()
            while self._kind in (")", "]"):
                inside = self._close(frames, inside=inside)
            if self._kind == _END and len(frames) == 1:
                self._end(frames[0])
                return self._found
            self._operator(frames[-1], inside=inside)

    def _close(self, frames: list[_Frame], *, inside: bool) -> bool:
        frame = frames.pop()
        if (frame.bracket, self._advance()) not in (("(", ")"), ("[", "]")):
            raise Refused("bad-pattern")
        self._end(frame)
        inside = inside and frame.bracket == "("
        while not inside and self._kind in ("WITHIN", "REPEATS", "START"):
            self._qualifier()
            self._collapse(frame.start, "pattern-qualifier")
        return inside

    def _operator(self, frame: _Frame, *, inside: bool) -> None:
        operator = self._advance()
        if operator == "AND":
            frame.anded = True
        elif operator == "OR" or (operator == "FOLLOWEDBY" and not inside):
            self._end_group(frame)
            frame.followed = frame.followed or operator == "FOLLOWEDBY"
        else:
            raise Refused("bad-pattern")

    def _end_group(self, frame: _Frame) -> None:
        if frame.anded:
            self._collapse(frame.group, "pattern-and")
        frame.group, frame.anded = len(self._found), False

    def _end(self, frame: _Frame) -> None:
        self._end_group(frame)
        if frame.followed:
            self._collapse(frame.start, "pattern-followedby")

    def _collapse(self, start: int, reason: str) -> None:
        self._found[start:] = [reason]

    def _comparison(self) -> None:
        if self._kind == "EXISTS":
            self._advance()
            self._path()
            self._found.append("pattern-comparison")
            return
        path = self._path()
        negated = self._kind == "NOT"
        if negated:
            self._advance()
        operator = self._advance()
        if operator == "IN":
            values = self._set()
        elif operator in _OF_TEXTS:
            values = [self._literal(frozenset({"string"}))]
        elif operator in _EQUAL | _UNEQUAL:
            values = [self._literal(_ORDERABLE | _BOOLEANS)]
        elif operator in _ORDERED:
            values = [self._literal(_ORDERABLE)]
        else:
            raise Refused("bad-pattern")
        if values and not negated and (operator == "IN" or operator in _EQUAL):
            self._found += [Atom(path, value, literal) for value, literal in values]
        else:
            self._found.append("pattern-comparison")

    def _path(self) -> tuple[str, ...]:
        steps = [self._text]
        self._expect("name", "hyphenated")
        self._expect(":")
        steps.append(self._step())
        while self._kind in (".", "["):
            if self._advance() == ".":
                steps.append(self._step())
            else:
                steps.append(f"[{self._text}]")
                self._expect("int", "*")
                self._expect("]")
        return tuple(steps)

    def _step(self) -> str:
        text = self._text
        self._expect("name", "string")
        return text

    def _set(self) -> list[tuple[str, str]]:
        self._expect("(")
        values: list[tuple[str, str]] = []
        while self._kind != ")" or values:
            values.append(self._literal(_ORDERABLE | _BOOLEANS))
            if self._kind == ")":
                break
            self._expect(",")
        self._expect(")")
        return values

    def _literal(self, allowed: frozenset[str]) -> tuple[str, str]:
        literal = self._text, self._kind
        self._expect(*allowed)
        return literal

    def _qualifier(self) -> None:
        match self._advance():
            case "WITHIN":
                self._positive("int", "float")
                self._expect("SECONDS")
            case "REPEATS":
                self._positive("int")
                self._expect("TIMES")
            case _:
                self._expect("time")
                self._expect("STOP")
                self._expect("time")

    def _positive(self, *kinds: str) -> None:
        if self._text.startswith("-"):
            raise Refused("bad-pattern")
        self._expect(*kinds)

    def _expect(self, *kinds: str) -> None:
        if self._kind not in kinds:
            raise Refused("bad-pattern")
        self._advance()

    def _advance(self) -> str:
        """Go to the next token; returns the kind of the one left behind."""
        left = getattr(self, "_kind", "")
        self._kind, self._text = next(self._tokens)
        return left


def _tokens(pattern: str) -> Iterator[tuple[str, str]]:
    """Kind and text of every token; at the end, ``_END`` for ever."""
    for found in _TOKEN.finditer(pattern):
        kind, text = str(found.lastgroup), found[0]
        match kind:
            case "skip":
                continue
            case "invalid":
                raise Refused("bad-pattern")
            case "sign":
                yield text, text
            case "string":
                yield kind, _ESCAPED.sub(r"\1", text[1:-1]) if "\\" in text else text[1:-1]
            case "hex" | "binary" | "time":
                yield kind, text[2:-1]
            case "word" if text in _KEYWORDS:
                yield text, text
            case "word":
                yield "hyphenated" if "-" in text else "name", text
            case _:
                yield kind, text
    while True:
        yield _END, ""
