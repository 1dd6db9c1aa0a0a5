"""Plain text: one value a line, defanged or not; ``#``, ``;`` and ``//`` start comments.

A comment that says ``TLP:AMBER`` says it of the whole file.
"""

import re
from collections.abc import Iterator
from itertools import islice

from exchange.indicators.batch import Candidate
from exchange.indicators.canonical import recognise
from exchange.indicators.readers.base import Format, Options
from exchange.indicators.readers.context_columns import is_victim, marked
from exchange.indicators.readers.source import Source
from exchange.indicators.types import Refused

# A "#" inside a URL starts its fragment, so a trailing comment needs white space before it.
_COMMENT = re.compile(r"(?:^|\s)(?:[#;]|//).*")
_COMMENT_MARKS = ("#", ";", "//")
_BARE = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._:/?=&@%-]*")
_LIST_MARK = re.compile(r"^(?:[-*•]\s+)?")
_WRAPPING = "\"'`<>,"
_SAMPLE_LINES = 200


def value_of(line: str) -> str:
    """The value of a line, or ``""``: no comment, no bullet, no quotes, no trailing comma."""
    line = line.strip()
    if _BARE.fullmatch(line):
        return line
    line = line.replace("\t", " ")  # between two values; the profile drops those within one
    if "#" in line or ";" in line or "//" in line:
        line = _COMMENT.sub("", line)
    return _LIST_MARK.sub("", line).strip().strip(_WRAPPING).strip()


def _candidates(source: Source, _options: Options) -> Iterator[Candidate]:
    context = marked(comments(source.sample))
    victims = _victims(source.sample)
    for line in source.lines():
        if value := value_of(line):
            yield ("", victims, None) if victims else (value, None, context)


def _victims(sample: str) -> Refused | None:
    """The refusal of all there is, where the first line names it a list of victims."""
    name = next(filter(None, map(value_of, sample.splitlines())), "")
    return Refused("victim-field", f"column {name}") if is_victim(name) and not _is_value(name) else None


def comments(sample: str) -> str:
    """The lines of comment of a sample."""
    return "\n".join(line for line in sample.splitlines() if line.lstrip().startswith(_COMMENT_MARKS))


def _score(sample: str) -> float:
    """The share of lines that are one value. Never 0: what is nothing else is text."""
    values = list(islice(filter(None, map(value_of, sample.splitlines())), _SAMPLE_LINES))
    return max(sum(map(_is_value, values)) / len(values) if values else 0.0, 0.01)


def _is_value(text: str) -> bool:
    try:
        recognise(text)
    except Refused:
        return False
    return True


FORMAT = Format("text", _score, _candidates)
