r"""Reports: indicators in the running text, tables, lists and code of Markdown, AsciiDoc and other prose.

A report names the innocent beside the guilty: whom it thanks, what it links to, which site was misused. So:

- a digest is taken wherever it stands by itself;
- what is defanged (``evil[.]com``, ``hxxp://...``) is taken wherever it stands: its author marked it;
- what is not defanged is taken where it is all there is in a cell of a table, an item of a list or a line,
  and a name only if it does not look like a file (``run.sh``);
- of targets of links nothing is taken, and of sections and columns of references only what is defanged;
- cells of a column that describes a victim are refused as ``victim-field``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from exchange.indicators.batch import Candidate
from exchange.indicators.canonical import recognise
from exchange.indicators.readers.base import DESCRIBING, Format, Options
from exchange.indicators.readers.context_columns import is_victim, marked
from exchange.indicators.readers.source import Source
from exchange.indicators.readers.text import value_of
from exchange.indicators.types import Refused

_HEADING = re.compile(r"(?P<level>#{1,6}|={1,6})\s+(?P<title>.+)")
_FENCE = re.compile(r"(?P<mark>`{3,}|~{3,}|-{4,}|\.{4,})[\w-]*")
_MAY_PRECEDE_LISTING = ("=", "[", ".", "+", "*", "-")
_ADOC_TABLE = re.compile(r"[|,:!]={3,}")
_RULE = re.compile(r"\|?(?:\s*:?-{3,}:?\s*\|)+(?:\s*:?-{3,}:?\s*)?")
_ITEM = re.compile(r"(?:[-+•]|\*{1,5}|\.{1,5}|[0-9]{1,3}[.)])\s+(?P<text>.+)")
_REFERENCES = re.compile(
    r"(?:references?|bibliography|sources?|(?:further|related) reading|(?:external |useful |related )?links?"
    r"|resources|acknowledge?ments?|credits)\W*",
    re.IGNORECASE,
)
_COLUMN_OF_REFERENCES = re.compile(
    r"(?:references?|sources?|links?|reports?|blogs?|articles?|posts?|versions?)\W*", re.IGNORECASE
)
# The text of a link stays, its target goes; images and includes go whole. Defanging looks like an empty link.
_LINK_TEXT = r"(?:[^\[\]]++|\[[^\[\]]*+\])++"
_TARGET = r"[^\s\[\]]{1,2048}+"
_LINKS = re.compile(
    rf"!\[[^\[\]]*+\]\([^()\s]*+\)|(?<!\w)(?:image|include)::?{_TARGET}\[[^\[\]]*+\]"
    r"|<(?:https?|mailto):[^<>\s]*+>"
    rf"|\[(?P<markdown>{_LINK_TEXT})\]\([^()]*+\)"
    rf"|(?<![\w/:])(?:link:|xref:|https?://){_TARGET}\[(?!(?:\.|dot|:|/|@|at)\])(?P<adoc>[^\[\]]*+)\]",
    re.IGNORECASE,
)
_BAR = re.compile(r"(?<!\\)\|")
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_SPACED = re.compile(r"(?<!\s)\s*+([\[({]\s*+(?:\.|dot|@|at)\s*+[\])}])\s*+", re.IGNORECASE)
_DEFANGED = re.compile(
    r"[\[({]\s*+(?:\.|dot|:|://|/|@|at)\s*+[\])}]|\w\\\.\w|\b(?:h(?:xx|\*\*)ps?|f(?:x|\*)ps?)(?=\W)",
    re.IGNORECASE,
)
_MAY_BE_DEFANGED = re.compile(r"[\[({\\]|xp|\*p", re.IGNORECASE)
_DIGEST = re.compile(
    r"(?<![\w./=&?-])(?:[0-9a-f]{128}|[0-9a-f]{96}|[0-9a-f]{64}|[0-9a-f]{56}|[0-9a-f]{40}|[0-9a-f]{32})(?![\w/=-])",
    re.IGNORECASE,
)
_WRAPPING = "*_`\"'<>\u201c\u201d\u2018\u2019«»"
_TRAILING = ".,;:!?" + _WRAPPING
# Endings of files that are public suffixes, too.
_FILE_LIKE = re.compile(r"[^./@:]+\.(?:md|mov|pl|ps|py|rs|sh|so|zip)", re.IGNORECASE)
_STRONG = re.compile(r"\s*(?:`{3}|\|={3}|={1,6} [^\s=]|#{2,6} [^\s#]|\|.+\|)")
_PROSE = re.compile(r"(?<!\S)[^\W\d_][^\W\d_'\u2019-]*(?:-[^\W\d_]+)*[.,;:]?(?!\S)")
_PROSE_WORDS = 5
_MOST_LAYERS = 8
_MOST_COLUMNS = 256
_SAMPLE_LINES = 400


@dataclass(slots=True)
class _Place:
    """Where in a report the reading is.

    Attributes:
        fence: what ends the block of code, ``""`` outside.
        references: the level of the heading of references that we are under, 0 elsewhere.
        in_table: between the marks of a table of AsciiDoc, which blank lines do not end.
        columns: the names above the table that we are in, empty elsewhere.
        naming: AsciiDoc writes one cell a line, and these are still names.
        cells: how many cells of a table of AsciiDoc are done below its names.
        after_text: the line before holds text.
    """

    fence: str = ""
    references: int = 0
    in_table: bool = False
    columns: tuple[str, ...] = ()
    naming: bool = False
    cells: int = 0
    after_text: bool = False


def _candidates(source: Source, _options: Options) -> Iterator[Candidate]:
    place, context = _Place(), marked(source.sample)
    for line in source.lines():
        for found in _of_line(line.strip(), place):
            if isinstance(found, Refused):
                yield "", Refused(found.reason, f"line {source.line + 1}, {found.place}"), None
            else:
                yield found, None, context


def _of_line(line: str, place: _Place) -> Iterator[str | Refused]:
    after_text, place.after_text = place.after_text, bool(line) and not line.startswith(_MAY_PRECEDE_LISTING)
    if fence := _FENCE.fullmatch(line):
        # A line of dashes under a line of text makes that a heading.
        if line.startswith(place.fence) and (place.fence or not after_text or line[0] in "`~"):
            place.fence = "" if place.fence else fence["mark"]
    elif place.fence:
        yield from _of_text(line, whole=True)
    elif _ADOC_TABLE.fullmatch(line):
        place.in_table, place.columns = not place.in_table, ()
    else:
        yield from _of_prose(_LINKS.sub(lambda m: m["markdown"] or m["adoc"] or "", line), place)


def _of_prose(line: str, place: _Place) -> Iterator[str | Refused]:
    if line.startswith("|"):
        yield from _of_row(line, place)
        return
    if not place.in_table:
        place.columns = ()
    place.naming = False
    if heading := _HEADING.fullmatch(line):
        _enter(place, len(heading["level"]), heading["title"].strip("#= \t"))
    item = _ITEM.fullmatch(line)
    yield from _of_text(item["text"] if item else line, whole=not place.references)


def _enter(place: _Place, level: int, title: str) -> None:
    if not place.references or level <= place.references:
        place.references = level if _REFERENCES.fullmatch(title) else 0


def _of_row(line: str, place: _Place) -> Iterator[str | Refused]:
    if _RULE.fullmatch(line):
        return
    cells = [cell.strip() for cell in _BAR.split(line.removeprefix("|").removesuffix("|"))]
    is_header = (not place.columns or place.naming) and len(place.columns) < _MOST_COLUMNS
    if is_header:
        place.columns += tuple(
            "" if _is_value(cell) else cell.strip(_WRAPPING)[:64] for cell in cells[:_MOST_COLUMNS]
        )
        place.naming, place.cells = place.in_table and len(cells) == 1, 0
    for i, cell in enumerate(cells):
        name = ""
        if not is_header:
            at = place.cells if place.in_table else i
            name = place.columns[at % len(place.columns)] if place.in_table or at < len(place.columns) else ""
            place.cells += 1
        if is_victim(name):
            if cell.strip("- "):
                yield Refused("victim-field", f"column {name}")
            continue
        whole = not place.references and not _COLUMN_OF_REFERENCES.fullmatch(name)
        for part in _BREAK.split(cell):
            yield from _of_text(part.strip(), whole=whole)


def _of_text(text: str, *, whole: bool) -> Iterator[str]:
    """The values of a piece of text; one that is not defanged only if it may be, and is, the ``whole``."""
    if whole and (word := _trim(value_of(text))) and _is_value(word):
        yield word
        return
    if _MAY_BE_DEFANGED.search(text):
        for word in _SPACED.sub(r"\1", text).split():
            if _DEFANGED.search(word):
                parts = word.split(",") if "/" not in word else [word]
                yield from (value for part in parts if _DEFANGED.search(part) and (value := _trim(part)))
    for digest in _DIGEST.finditer(text):
        yield digest[0]


def _trim(word: str) -> str:
    """A word without the marks and the punctuation around it."""
    for _ in range(_MOST_LAYERS):
        before, word = word, word.strip(_WRAPPING).rstrip(_TRAILING)
        if word.startswith("(") and word.endswith(")"):
            word = word[1:-1]
        for opening, closing in ("()", "[]", "{}"):
            if word.startswith(opening) and word.count(opening) > word.count(closing):
                word = word[1:]
            elif word.endswith(closing) and word.count(closing) > word.count(opening):
                word = word[:-1]
        if word == before:
            break
    return word


def _is_value(word: str) -> bool:
    """Whether a word is an indicator, and not a file, nor what a report says about an indicator."""
    if len(word.split(maxsplit=1)) != 1 or (_FILE_LIKE.fullmatch(word) and not _DEFANGED.search(word)):
        return False
    try:
        return recognise(word).type not in DESCRIBING
    except Refused:
        return False


def _score(sample: str) -> float:
    """Much for marks of markup, less for sentences, next to nothing where no indicator is among them."""
    if sample.lstrip()[:1] in ("", "{", "[", "<"):
        return 0.0
    lines = [line for line in islice(sample.splitlines(), _SAMPLE_LINES) if line.strip()]
    strong = any(_STRONG.match(line) for line in lines)
    prose = sum(len(_PROSE.findall(line)) >= _PROSE_WORDS for line in lines)
    if not strong and not prose:
        return 0.0
    place = _Place()
    found = (one for line in lines for one in _of_line(line.strip(), place))
    if not any(isinstance(one, str) and _is_value(one) for one in found):
        return 0.02
    return 0.9 if strong else 0.5 * prose / len(lines)


FORMAT = Format("report", _score, _candidates)
