"""The files behind the paths of a command: files as given, folders with all that is in them.

A feed is what is updated as a whole: a file, under its name; within a folder, under its path there. So a
later state of the same file replaces the earlier one, wherever it was fetched to.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from exchange.errors import InputError
from exchange.indicators.readers import misp
from exchange.indicators.readers.source import STANDARD_INPUT, Source

MAX_DEPTH = 32
"""Folders within folders that are looked into."""

Identity: TypeAlias = tuple[int, int]

_NOT_DATA = re.compile(
    r"(?:readme|licen[cs]es?|copying|notice|changelog|changes|contributing|authors|security|code_of_conduct)"
    r"(?:[.-].*)?|makefile|dockerfile|.*\.(?:py|pyc|js|ts|go|rs|c|h|java|rb|sh|ps1|yar|yara|rules|html?|css|svg|asc|sig)",
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

    A file is imported as it is given; in a folder, hidden files, licences, read-me files and programs are
    skipped. A folder that is a MISP feed is its events. What is missing or closed to us comes out as it is,
    for ``read`` to say so, and does not keep the rest from being imported.
    """
    found = [one for path in paths for one in _of_path(path)]
    feeds = Counter(one.feed for one in found if isinstance(one, Input))
    seen: set[Identity] = set()
    for one in found:
        if isinstance(one, Input) and (identity := _identity(one.path)):
            if identity in seen:
                yield Skipped(one.path, "the same file as one before")
                continue
            seen.add(identity)
        if isinstance(one, Input) and feeds[one.feed] > 1:
            # Two files of one name would be two states of one feed, and the later would undo the earlier.
            yield replace(one, feed=one.path.as_posix())
        else:
            yield one


def _of_path(path: Path) -> Iterator[Input | Skipped]:
    if path == STANDARD_INPUT:
        yield Input(path, "-")
    elif path.is_dir():
        yield from _of_folder(path, path, ())
    else:
        yield Input(path, path.name if path.is_file() or not path.exists() else "-")


def _of_folder(folder: Path, root: Path, above: tuple[Identity | None, ...]) -> Iterator[Input | Skipped]:
    if (key := _identity(folder)) in above:
        yield Skipped(folder, "a link to a folder above it")
        return
    if len(above) == MAX_DEPTH:
        yield Skipped(folder, f"more than {MAX_DEPTH} folders deep")
        return
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        yield Input(folder, _feed(folder, root))
        return
    events = _events_beside(entries)
    for entry in entries:
        if entry in events:
            yield Input(entry, _feed(entry, root))
        elif entry.is_dir() and not entry.name.startswith("."):
            yield from _of_folder(entry, root, (*above, key))
        elif why := _why_not(entry, is_feed=bool(events)):
            yield Skipped(entry, why)
        else:
            yield Input(entry, _feed(entry, root))


def _why_not(path: Path, *, is_feed: bool) -> str:
    if path.name.startswith("."):
        return "hidden"
    if not path.is_file():
        return "a link to nothing" if path.is_symlink() else "not a file"
    if is_feed:
        return "no event of the MISP feed"
    return "not data, by its name" if _NOT_DATA.fullmatch(path.name.removesuffix(".gz")) else ""


def _events_beside(entries: list[Path]) -> set[Path]:
    """The events of the MISP feed that a folder is; none if it is none, or its manifest cannot be read."""
    for entry in entries:
        if _MANIFEST.fullmatch(entry.name) and entry.is_file():
            try:
                with Source.open(entry) as source:
                    is_feed = misp.is_manifest(source.sample)
                return set(misp.event_files(entry)) if is_feed else set()
            except InputError:
                return set()
    return set()


def _feed(path: Path, root: Path) -> str:
    return root.name if path == root else path.relative_to(root).as_posix()


def _identity(path: Path) -> Identity | None:
    if path == STANDARD_INPUT:
        return None
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
