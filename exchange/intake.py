"""Taking indicators in: what an operator names becomes deliveries of feeds, each whole or not at all.

One thing that cannot be read does not keep the others out.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

from exchange import taxii
from exchange.errors import InputError
from exchange.indicators.readers import read
from exchange.indicators.readers.base import Options
from exchange.indicators.readers.folder import Input, Skipped, expand
from exchange.indicators.readers.source import STANDARD_INPUT
from exchange.indicators.warninglists import WarningLists
from exchange.store import ImportReport, Store

Counting: TypeAlias = Callable[[str], AbstractContextManager[Callable[[int], None]]]
"""Shows that something goes on: given what, yields what to call with the count so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How deliveries are to be taken.

    Attributes:
        source: who told us; ``None`` for the name of the file, the folder or the server.
        feed: which of the source's streams, where one thing is imported; ``None`` for its own name.
        tlp: see ``Store.import_indicators``.
        own: these are our own sightings.
        keep: what a feed does not give again stays.
        full: read a TAXII collection from its beginning.
        format: of the files.
        options: of the readers.
        ca: certificates that a TAXII server's may be signed with, beside the usual ones.
    """

    source: str | None = None
    feed: str | None = None
    tlp: str | None = None
    own: bool = False
    keep: bool = False
    full: bool = False
    format: str = "auto"
    options: Options = field(default_factory=Options)
    ca: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of one of the things to import.

    Attributes:
        name: what the operator knows it by.
        source: who told us.
        feed: which of its streams.
        report: what went in; ``None`` if nothing did.
        error: why nothing did.
        skipped: why it was not even tried.
    """

    name: str
    source: str = ""
    feed: str = ""
    report: ImportReport | None = None
    error: InputError | None = None
    skipped: str = ""


def take(
    store: Store,
    lists: WarningLists,
    names: Sequence[str],
    terms: Terms,
    *,
    clock: Callable[[], datetime],
    counting: Counting,
) -> Iterator[Delivery]:
    """Import files, folders, standard input (``-``) and TAXII collections, one delivery after the other.

    Raises:
        InputError: the names and the terms do not go together; nothing was imported.
        StoreError: the database refused; the delivery at hand is undone, those before it stay.
    """
    wanted: list[Input | Skipped | str] = []
    for name in names:
        wanted.extend([name] if taxii.is_address(name) else [])
    paths = [Path(name) for name in names if not taxii.is_address(name)]
    wanted.extend(expand(paths))
    inputs = [one for one in wanted if not isinstance(one, Skipped)]
    if terms.feed is not None and len(inputs) > 1:
        raise InputError("--feed names one feed, and these are several", hint="import them one by one")
    for one in wanted:
        match one:
            case Skipped(path, why):
                yield Delivery(name=str(path), skipped=why)
            case Input(path, feed):
                yield _file(store, lists, one, _source(paths, path, feed), terms, clock, counting)
            case _:
                yield _collection(store, lists, one, terms, clock, counting)


def _file(
    store: Store,
    lists: WarningLists,
    one: Input,
    source: str,
    terms: Terms,
    clock: Callable[[], datetime],
    counting: Counting,
) -> Delivery:
    source, feed = terms.source or source, one.feed if terms.feed is None else terms.feed
    told = Delivery(name=str(one.path), source=source, feed=feed)
    if not source:
        return replace(
            told, error=InputError("what comes without a name needs a source", hint="say --source NAME")
        )
    try:
        with counting(f"importing {one.path.name}") as count:
            report = store.import_indicators(
                read(one.path, format=terms.format, options=terms.options),
                source=source, feed=feed, tlp=terms.tlp, own=terms.own, keep=terms.keep,
                now=clock(), progress=count, lists=lists,
            )  # fmt: skip
    except InputError as e:
        return replace(told, error=e)
    return replace(told, report=report)


def _collection(
    store: Store,
    lists: WarningLists,
    address: str,
    terms: Terms,
    clock: Callable[[], datetime],
    counting: Counting,
) -> Delivery:
    try:
        with taxii.connect(address, ca=terms.ca) as collection:
            source, feed = terms.source or collection.host, terms.feed or collection.address
            told = Delivery(name=collection.address, source=source, feed=feed)
            since = None if terms.full else store.cursor(source, feed)
            with counting(f"asking {collection.host}") as count:
                download = collection.download(since=since, progress=count)
                with download as got:
                    report = store.import_indicators(
                        got.batches(terms.options),
                        source=source, feed=feed, tlp=terms.tlp, own=terms.own,
                        keep=terms.keep or got.incremental,
                        now=clock(), progress=count, lists=lists, cursor=lambda: got.cursor,
                    )  # fmt: skip
    except InputError as e:
        return Delivery(name=address, source=terms.source or "", error=e)
    return replace(told, report=report)


def _source(paths: Sequence[Path], path: Path, feed: str) -> str:
    """The name of a source where none is given: of the folder that was named, or of the file."""
    if path == STANDARD_INPUT or feed == "-":
        return ""
    for named in paths:
        if named != path and named in path.parents:
            return named.resolve().name
    return path.name.split(".")[0] or path.name
