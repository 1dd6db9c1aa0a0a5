"""Turns what people write back into what they mean: invisible characters out, defanging undone.

This is step 1 of the profile: whatever it does is part of ``cti-c14n/1`` and cannot change under that name.
"""

import re
import unicodedata

from exchange.indicators.rules import Rule, run
from exchange.indicators.types import MAX_VALUE_CHARS, Refused

# Soft hyphen, zero-width, direction marks and BOM: invisible, pasted along from reports and chats.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]+"
)
_BREAKS = re.compile("[\t\r\n]+")
_NOT_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

# A run of brackets is undone at once, and looked at from its beginning alone: a hostile line of thousands of
# them costs no more than any other. The backslashes are those that Markdown puts before brackets. The first
# character comes before what is asked of it because the engine then skips to it.
_BRACKETED = re.compile(
    r"[\s\[({\\](?<![\s\[({\\]{2})(?:(?<=[\[({])|(?=[\s\\]*[\[({]))[\s\[({\\]*"
    r"(\.|dot|://|:|/|@|at)[\s\])}\\]*[\])}]\s*",
    re.IGNORECASE,
)
_ESCAPED_DOT = re.compile(r"(?<!\\)\\++\.")  # from the first of them: thousands are hostile
_SCHEME = re.compile(r"(?:(?:h(?!ttps?:)(?:[tx*_]{2}|\[tt\])p|meow)(?P<s>s?)|(?P<f>fxp))(?=:)", re.IGNORECASE)
_MEANING = {"dot": ".", "at": "@"}
_MARKS = re.compile(r"[\[({\\]")


def refang(text: str) -> str:
    r"""Undo defanging until none is left: ``[.] (.) {.} [dot] \. [:] [://] [/] [@] [at] hxxp h**p fxp``.

    One pass is not enough: ``[:[/]/]`` becomes ``[://]``, and a canonical form must not change when
    canonicalised again.
    """
    while _MARKS.search(text) or _SCHEME.match(text):
        plain = _BRACKETED.sub(lambda m: _MEANING.get(m[1].lower(), m[1]), text)
        plain = _ESCAPED_DOT.sub(".", plain)
        if scheme := _SCHEME.match(plain):
            plain = ("ftp" if scheme["f"] else "http" + scheme["s"].lower()) + plain[scheme.end() :]
        if plain == text:
            break
        text = plain
    return text


def defang(text: str) -> str:
    """Make a value safe to paste where software turns text into links: ``hxxp://evil[.]com``."""
    scheme, separator, rest = text.partition("://")
    if not separator:
        return text.replace(".", "[.]").replace("@", "[@]")
    return f"{scheme.replace('tt', 'xx').replace('ft', 'fx')}[:]//{rest.replace('.', '[.]')}"


def clean(text: str) -> str:
    """Strip, drop invisible characters, normalise to NFC, refang.

    Raises:
        Refused: ``empty``, ``too-long`` or ``bad-character``.
    """
    return run(CLEAN, text)


def _bounded(text: str) -> str:
    if len(text) > MAX_VALUE_CHARS:
        raise Refused("too-long")
    return text


def _visible(text: str) -> str:
    return text if text.isascii() and text.isprintable() else _INVISIBLE.sub("", text)


def _one_line(text: str) -> str:
    if text.isprintable() or not _BREAKS.search(text := text.strip()):
        return text
    first, *others = _BREAKS.split(text)
    if "//" not in first or any("://" in other for other in others):
        raise Refused("not-one-value")
    return "".join([first, *others])


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _characters(text: str) -> str:
    if not text.isprintable() and _NOT_TEXT.search(text):
        raise Refused("bad-character")
    return text


def _something(text: str) -> str:
    if not text:
        raise Refused("empty")
    return text


_LENGTH = Rule("length", "what is longer than any indicator is none", _bounded)
_INVISIBLES = Rule("invisible", "zero-width characters, soft hyphens and BOMs are pasted along", _visible)
_ONE_LINE = Rule(
    "one-line",
    "a tab or a line break divides values, but for one within a URL, which browsers drop",
    _one_line,
)
_NFC = Rule("nfc", "one spelling of composed characters (Unicode NFC)", _nfc)
_TRIM = Rule("trim", "white space around a value is layout", str.strip)
_CHARACTERS = Rule("characters", "control characters are no text", _characters)
_EMPTY = Rule("empty", "something must be left", _something)
_REFANG = Rule("refang", "brackets and misspelled schemes keep reports from being clicked on", refang)

RAW = (_LENGTH, _INVISIBLES, _ONE_LINE, _NFC, _TRIM, _CHARACTERS, _EMPTY)
"""Step 1 for names of files and mutexes, in which brackets and backslashes mean what they are."""

CLEAN = (*RAW[:-1], _REFANG, _TRIM, _EMPTY)
"""Step 1 for all other types."""
