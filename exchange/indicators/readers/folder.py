"""The files behind the paths of a command: files as given, folders with all that is in them.

A feed is what is updated as a whole: a file, under its name; within a folder, under its path there. So a
later state of the same file replaces the earlier one, wherever it was fetched to.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os import stat_result
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from exchange.errors import InputError
from exchange.indicators.readers import misp, report
from exchange.indicators.readers.base import LEAST_SCORE
from exchange.indicators.readers.source import STANDARD_INPUT, Source

MAX_DEPTH = 32
"""Folders within folders that are looked into."""

_DOCUMENT = r"(?:[._-](?:md|txt|rst|adoc|asciidoc|html?|pdf))?"
_READ_ME = re.compile(rf"readme{_DOCUMENT}", re.IGNORECASE)
_NOT_DATA = re.compile(
    rf"(?:licen[cs]es?(?:-.*)?|copying|notice|changelog|changes|contributing|authors|security|code_of_conduct)"
    rf"{_DOCUMENT}|makefile|dockerfile"
    r"|.*\.(?:py|pyc|js|ts|go|rs|c|h|java|rb|sh|ps1|yara?|rules|html?|css|svg|asc|sig)",
    re.IGNORECASE,
)
_MANIFEST = re.compile(r"manifest\.json(?:\.gz)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Input:
    """One thing to import.

    Attributes:
        path: of the file; ``-`` for standard input.
        feed: what to call it among what its source publishes; ``-`` for what has no name, such as a pipe.
    """

    path: Path
    feed: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file in a folder that is not imported, and why."""

    path: Path
    why: str


def expand(paths: Sequence[Path]) -> Iterator[Input | Skipped]:
    """What there is to import, in order, folders in the order of their names.

    A file is imported as it is given. In a folder, hidden files, licences, programs and read-me files with no
    indicators are skipped; a folder that is a MISP feed is its events. What is missing or closed to us comes
    out as it is, for ``read`` to say so, and does not keep the rest from being imported.
    """
    found: list[Input | Skipped] = []
    seen: set[tuple[int, int]] = set()
    for one in (one for path in paths for one in _of_path(path)):
        status = _status(one.path) if isinstance(one, Input) else None
        if status is not None and (status.st_dev, status.st_ino) in seen:
            found.append(Skipped(one.path, "the same file as one before"))
            continue
        if status is not None:
            seen.add((status.st_dev, status.st_ino))
        found.append(one)
    # Two files of one name would be two states of one feed, and the later would undo the earlier.
    feeds = Counter(one.feed for one in found if isinstance(one, Input))
    for one in found:
        is_double = isinstance(one, Input) and feeds[one.feed] > 1
        yield Input(one.path, one.path.as_posix()) if is_double else one


def _of_path(path: Path) -> Iterator[Input | Skipped]:
    status = _status(path)
    if status is not None and S_ISDIR(status.st_mode):
        yield from _of_folder(path, path, ())
    else:
        has_name = path != STANDARD_INPUT and (status is None or S_ISREG(status.st_mode))
        yield Input(path, path.name if has_name else "-")


def _of_folder(folder: Path, root: Path, above: tuple[Path, ...]) -> Iterator[Input | Skipped]:
    try:
        real, entries = folder.resolve(), sorted(folder.iterdir())
    except OSError:
        yield Input(folder, _feed(folder, root))
        return
    if real in above or len(above) == MAX_DEPTH:
        yield Skipped(folder, "a link to a folder above it" if real in above else "too many folders deep")
        return
    events = _events_beside(entries)
    for entry in entries:
        status = _status(entry)
        if status is not None and S_ISDIR(status.st_mode) and not entry.name.startswith("."):
            yield from _of_folder(entry, root, (*above, real))
        elif entry not in events and (why := _why_not(entry, status, is_feed=bool(events))):
            yield Skipped(entry, why)
        else:
            yield Input(entry, _feed(entry, root))


def _why_not(path: Path, status: stat_result | None, *, is_feed: bool) -> str:
    if path.name.startswith("."):
        return "hidden"
    if status is None or not S_ISREG(status.st_mode):
        return "not a file, or a link to nothing"
    if is_feed:
        return "no event of the MISP feed"
    name = path.name.removesuffix(".gz")
    if _NOT_DATA.fullmatch(name) or (_READ_ME.fullmatch(name) and not _is_report(path)):
        return "not data, by its name"
    return ""


def _is_report(path: Path) -> bool:
    """Whether a read-me file has indicators in it: some producers publish nothing else."""
    try:
        with Source.open(path) as source:
            return report.FORMAT.score(source.sample) >= LEAST_SCORE
    except InputError:
        return False


def _events_beside(entries: list[Path]) -> set[Path]:
    """The events of the MISP feed that a folder is; none if it is none, or its manifest cannot be read."""
    for entry in entries:
        if _MANIFEST.fullmatch(entry.name) and (status := _status(entry)) and S_ISREG(status.st_mode):
            try:
                with Source.open(entry) as source:
                    is_feed = misp.is_manifest(source.sample)
                return set(misp.event_files(entry)) if is_feed else set()
            except InputError:
                return set()
    return set()


def _feed(path: Path, root: Path) -> str:
    return root.name if path == root else path.relative_to(root).as_posix()


def _status(path: Path) -> stat_result | None:
    if path == STANDARD_INPUT:
        return None
    try:
        return path.stat()
    except OSError:
        return None
