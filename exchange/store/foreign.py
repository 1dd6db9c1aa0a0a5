"""Filters of other tools in a home: their files as they came, and what they do not say of themselves."""

import json
import re
import secrets
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from exchange.config import Home, read_file, read_secret, sync_directory, write_atomic
from exchange.errors import ConfigError, InputError
from exchange.interchange.bloom_filter2 import Probes
from exchange.interchange.foreign import ForeignFilter, Form, Numbers, read
from exchange.interchange.pss import FILTER, LIST, META

MAX_BYTES = 512 << 20
"""Of all files of one filter together."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_ABOUT, _KEY, _DATA = "about.json", "key", "filter"
_PSS_FILES = (META, LIST, FILTER)


def read_path(path: Path) -> dict[str, bytes]:
    """The files of a filter, by name: a file, or a folder of a Private Search Set.

    Raises:
        InputError: it cannot be read, or is larger than ``MAX_BYTES``.
    """
    try:
        paths = (
            [found for name in _PSS_FILES if (found := path / name).is_file()] if path.is_dir() else [path]
        )
        files, left = {}, MAX_BYTES
        for one in paths:
            with one.open("rb") as file:
                files[one.name] = file.read(left + 1)
            left -= len(files[one.name])
            if left < 0:
                raise InputError(
                    f"{path} is larger than {MAX_BYTES >> 20} MiB: we do not read that",
                    code="filter-unsupported",
                )
    except OSError as e:
        raise InputError(f"{path} cannot be read: {e.strerror or e}") from e
    if not files:
        raise InputError(f"{path} holds no {META}", code="filter-malformed")
    return files


@dataclass(frozen=True, slots=True)
class ForeignFilters:
    """Those of one home, a folder each.

    Args:
        home: the node's home.
    """

    home: Home

    @property
    def folder(self) -> Path:
        """Where they are."""
        return self.home.path / "foreign-filters"

    def names(self) -> list[str]:
        """The names of those that are there."""
        found = self.folder.iterdir() if self.folder.is_dir() else iter(())
        return sorted(path.name for path in found if _NAME.fullmatch(path.name))

    def put(
        self, name: str, files: Mapping[str, bytes], *, numbers: Numbers | None, key: str
    ) -> ForeignFilter:
        """Read a filter and keep it. One of the same name goes.

        Args:
            name: what to call it.
            files: as ``read_path`` gives them.
            numbers: of a ``bloom-filter2`` file.
            key: of a Private Search Set.

        Raises:
            InputError: it is no filter that we read.
            ConfigError: the name is not possible, or the home cannot be written.
        """
        if not _NAME.fullmatch(name):
            raise ConfigError(
                "a filter cannot be called that",
                hint="lower-case letters, digits, dots and hyphens: say --name NAME",
            )
        found = read(files, numbers=numbers, key=key)
        kept = dict(files) if found.form is Form.PSS else {_DATA: next(iter(files.values()))}
        about: dict[str, object] = {"form": str(found.form)}
        if numbers is not None and found.form is Form.BLOOM_FILTER2:
            about |= {
                "capacity": numbers.capacity, "error_rate": numbers.error_rate, "probes": str(numbers.probes),
            }  # fmt: skip
        kept[_ABOUT] = json.dumps(about).encode()
        if found.form is Form.PSS:
            kept[_KEY] = key.encode()
        self._keep(name, kept)
        return found

    def open(self, name: str) -> ForeignFilter:
        """One that was kept.

        Raises:
            ConfigError: there is none of that name, or its files are damaged or gone.
            InputError: its files are no filter any more.
        """
        if name not in self.names():
            known = ", ".join(self.names())
            raise ConfigError(
                f"there is no filter {name!r}",
                code="no-filter",
                hint=f"there are: {known}" if known else "run: cosight filter import FILE",
            )
        folder = self.folder / name
        try:
            about = json.loads(read_file(folder / _ABOUT))
            form = Form(about["form"])
            numbers = None
            if form is Form.BLOOM_FILTER2:
                numbers = Numbers(about["capacity"], about["error_rate"], Probes(about["probes"]))
        except (ValueError, KeyError, TypeError):
            raise ConfigError(f"{folder / _ABOUT} is damaged", hint="import the filter again") from None
        if form is Form.PSS:
            return read(read_path(folder), key=read_secret(folder / _KEY).decode())
        return read(read_path(folder / _DATA), numbers=numbers)

    def _keep(self, name: str, files: Mapping[str, bytes]) -> None:
        """Put a folder in place of another: a reader sees the one, the other, or for a moment none."""
        made, gone = (self.folder / f".{name}.{secrets.token_hex(8)}" for _ in range(2))
        target = self.folder / name
        try:
            made.mkdir(mode=0o700, parents=True)
            for file, data in files.items():
                write_atomic(made / file, data)
            if target.exists():
                target.rename(gone)
            made.rename(target)
            sync_directory(self.folder)
        except OSError as e:
            with suppress(OSError):  # unless another is in its place by now
                gone.rename(target)
            raise ConfigError(f"cannot write {target}: {e.strerror or e}") from e
        finally:
            for left in (made, gone):
                shutil.rmtree(left, ignore_errors=True)
