"""One file per format. A module of this folder is a format if it has ``FORMAT``; nothing else lists it."""

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from itertools import islice
from pathlib import Path
from pkgutil import iter_modules

from exchange.errors import InputError
from exchange.indicators.batch import Batch, Candidate
from exchange.indicators.readers.base import LEAST_SCORE, Format, Options
from exchange.indicators.readers.source import Source

BATCH_SIZE = 50_000
BATCH_CHARS = 8 << 20
"""A batch ends early when its values, and what is said of them, are longer than that."""

_SPECIAL = {"text": 0, "csv": 1}
"""Who stands back where several formats fit: a table can be read as text, and some formats are tables too."""
_NOT_READ = {
    re.compile(r"\s*<(?:!doctype\s+)?html", re.IGNORECASE): (
        "a web page, and no list of indicators",
        "was it fetched through a page of login or of consent?",
    ),
    re.compile(r"\s*<[?!a-zA-Z]"): ("XML that is no OpenIOC", "ask its producer for STIX, MISP or CSV"),
    re.compile(r'\s*(?:\{\s*["}]|\[\s*[\[{\]"0-9])'): (
        "JSON of a kind that is not known",
        "known are STIX, MISP, and objects with a value and a type",
    ),
}
"""Beginnings of what would be read as text otherwise, with nothing but refusals to show for it."""


@cache
def _formats() -> dict[str, Format]:
    modules = (import_module(f"{__name__}.{m.name}") for m in iter_modules(__path__))
    found = (getattr(module, "FORMAT", None) for module in modules)
    return {f.name: f for f in found if isinstance(f, Format)}


def formats() -> list[str]:
    """The names of the formats that can be read, in alphabetical order."""
    return sorted(_formats())


def detect(source: Source, options: Options = Options()) -> str:  # noqa: B008 (frozen)
    """The name of the format that the first lines of an input fit best.

    Raises:
        InputError: it is JSON or markup of a kind that no reader knows.
    """
    if options.columns:
        return "csv"
    scores = {f.name: f.score(source.sample) for f in _formats().values()}
    best = max(scores, key=lambda name: (scores[name], _SPECIAL.get(name, len(_SPECIAL))))
    if scores[best] < LEAST_SCORE:
        for beginning, (kind, hint) in _NOT_READ.items():
            if beginning.match(source.sample):
                raise InputError(f"{source.name}: {kind}", hint=hint)
    return best


def read(
    path: Path,
    *,
    format: str = "auto",  # noqa: A002 (the word of the command line)
    options: Options = Options(),  # noqa: B008 (frozen)
) -> Iterator[Batch]:
    """Read a file of indicators as a stream of batches; memory does not grow with the file.

    Args:
        path: a file, gzipped or not, in UTF-8 or (with a byte order mark) UTF-16; ``-`` for standard input.
        format: one of ``formats()``, or ``auto`` to tell it from the first lines.
        options: what the operator wants of the readers.

    Raises:
        InputError: the file cannot be read, is not text, or the format is unknown. What was yielded before
            belongs to a damaged file: whoever stores it must be able to undo that.
    """
    if format not in ("auto", *_formats()):
        raise InputError(f"there is no format {format!r}", hint=f"one of: auto, {', '.join(formats())}")
    with Source.open(path) as source:
        chosen = detect(source, options) if format == "auto" else format
        candidates = _formats()[chosen].candidates(source, options)
        while True:
            batch = Batch.of(_portion(candidates), url_hosts=options.url_hosts)
            batch.notes, source.notes = source.notes, Counter()
            if not batch and not batch.notes:
                return
            yield batch


def _portion(candidates: Iterator[Candidate]) -> Iterator[Candidate]:
    """The candidates of one batch: so many, or so long."""
    chars, last = 0, None
    for candidate in islice(candidates, BATCH_SIZE):
        yield candidate
        text, _, context = candidate
        chars += len(text)
        if context is not last and context is not None:
            chars += context.chars
            last = context
        if chars > BATCH_CHARS:
            return
