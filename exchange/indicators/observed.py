"""What a log names: addresses, domains, URLs, e-mail addresses and digests, wherever they stand in a line.

A log is no list of threats. It names whoever was talked to, so nothing is told apart here but indicators from
what is none, and of a line nothing is kept but the values in it. A value may be
defanged. The host of a URL is a value too, since that is what most feeds have.

What looks like a name and is none (``setup.py`` is one below a real suffix) is asked for nothing: that costs
little, and nobody learns it.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO

from exchange.errors import InputError
from exchange.indicators.canonical import recognise
from exchange.indicators.types import MAX_VALUE_CHARS, Indicator, IndicatorType, Refused
from exchange.indicators.urls import url_host

MAX_LINE_BYTES = 1 << 20
"""A longer line is left out; one that ends in the same block as it began may be twice as long."""
MAX_DISTINCT = 1 << 20
"""Different values of one log."""
LONG_LINE = "line-too-long"
"""The reason for which lines are left out; all others are those of values, of ``REASONS``."""

_T = IndicatorType
KINDS = frozenset(
    {
        _T.IPV4, _T.IPV6, _T.DOMAIN, _T.URL, _T.EMAIL,
        _T.MD5, _T.SHA1, _T.SHA224, _T.SHA256, _T.SHA384, _T.SHA512,
    }
)  # fmt: skip
"""The types that are told apart in a log. Others need a line of their own and a type."""

_BLOCK = 1 << 20
_SHORTEST_DIGEST = 32
_GZIP = b"\x1f\x8b"
_DOT = r"(?:\.|\[\.\]|\(\.\)|\[dot\]|\\\.)"
_LABEL = r"[\w-]{1,63}"
_HOST = rf"(?:{_LABEL}{_DOT}){{1,60}}[^\W\d_][\w-]{{1,62}}"
_VALUE = re.compile(
    rf"(?:h(?:tt|xx)ps?|ftp|fxp)(?::|\[:\])//[^\s\"'<>|`]{{1,{MAX_VALUE_CHARS}}}"
    rf"|(?<![\w.+@-])[\w.+-]{{1,64}}(?:@|\[@\]|\[at\]){_HOST}"
    rf"|(?<![\w.\]-])[0-9]{{1,3}}(?:{_DOT}[0-9]{{1,3}}){{3}}(?!\w|-(?!>)|\.[0-9])"
    r"|(?<![\w:.])(?=[0-9a-f:.]{0,45}::|(?:[0-9a-f]{1,4}:){7})[0-9a-f:.]{2,45}(?![\w:])"
    r"|(?<![\w/+-])(?:[0-9a-f]{128}|[0-9a-f]{96}|[0-9a-f]{64}|[0-9a-f]{56}|[0-9a-f]{40}|[0-9a-f]{32})(?![\w/+=-])"
    rf"|(?<![\w.@\\%-])(?<!(?<!/)/){_HOST}(?![\w@])",
    re.IGNORECASE,
)
_BEHIND = ".,;:!?)]}'*"


@dataclass(slots=True)
class Observed:
    """What was seen in a log.

    Attributes:
        indicators: in canonical form, each once.
        lines: how many there were.
        skipped: how many different values, and how many lines, were left out, by reason.
    """

    indicators: set[Indicator] = field(default_factory=set, repr=False)
    lines: int = 0
    skipped: Counter[str] = field(default_factory=Counter)


def observe(log: IO[bytes], *, progress: Callable[[int], None] | None = None) -> Observed:
    """Read a log to its end.

    Args:
        log: bytes, in UTF-8 where they are text; others do no harm.
        progress: called with the number of lines so far.

    Raises:
        InputError: it is compressed, or names more than ``MAX_DISTINCT`` values.
    """
    found = Observed()
    spelt: set[str] = set()
    for block in _blocks(log, found.skipped):
        found.lines += block.count("\n") + 1
        spelt |= _values(block)
        if len(spelt) > MAX_DISTINCT:
            raise InputError(
                f"the log names more than {MAX_DISTINCT:,} different values",
                code="lookup-too-many",
                hint="ask about a shorter time",
            )
        if progress:
            progress(found.lines)
    refused: dict[str, set[str]] = {}
    for text in spelt:
        try:
            found.indicators |= set(_indicators(text))
        except Refused as e:
            refused.setdefault(e.reason, set()).add(text)
    found.skipped.update({reason: len(texts) for reason, texts in refused.items()})
    return found


def _values(block: str) -> set[str]:
    """The values in some lines, as they are spelt. Words that stand there twice are looked at once."""
    if "\\/" in block:
        block = block.replace("\\/", "/")  # as JSON may write a slash
    words = "\n".join(word for word in set(block.split()) if _may_hold_one(word))
    return {text for match in _VALUE.findall(words) if (text := _stripped(match))}


def _may_hold_one(word: str) -> bool:
    """Whether it is worth looking closely: most words of most logs are not."""
    return "." in word or ":" in word or len(word) >= _SHORTEST_DIGEST or "]" in word


def _stripped(text: str) -> str:
    """A value without the punctuation of the line behind it; a bracket that was opened within stays."""
    while text and text[-1] in _BEHIND and not text.endswith("::"):
        if text[-1] == ")" and text.count("(") >= text.count(")"):
            break
        text = text[:-1]
    return text


def _indicators(text: str) -> Iterator[Indicator]:
    """What a value is; of a URL, its host too.

    Raises:
        Refused: it is none.
    """
    try:
        one = recognise(text)
    except Refused:
        if "://" not in text or "," not in text:
            raise
        one = recognise(text.partition(",")[0])  # of a table without quotes
    if one.type not in KINDS:
        raise Refused("unsupported-type")
    yield one
    if one.type is IndicatorType.URL:
        yield recognise(url_host(one).value)


def _blocks(log: IO[bytes], skipped: Counter[str]) -> Iterator[str]:
    """Whole lines, about a mebibyte at a time, without the last line break."""
    rest, first, within_long = b"", True, False
    while data := log.read(_BLOCK):
        if first and data.startswith(_GZIP):
            raise InputError("the log is compressed", hint="zcat FILE | cosight lookup --alliance FILE -")
        first = False
        if within_long:
            _, found, data = data.partition(b"\n")
            within_long = not found
        whole, found, tail = data.rpartition(b"\n")
        if found:
            yield _text(rest + whole)
        rest = tail if found else rest + tail
        if len(rest) > MAX_LINE_BYTES:
            skipped[LONG_LINE] += 1
            rest, within_long = b"", True
    if rest:
        yield _text(rest)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
