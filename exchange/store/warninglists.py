"""The warning lists of a node: the shipped ones, its own in its home, and the modes in its configuration."""

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from exchange.config import Home, make_folder, read_file, write_atomic
from exchange.errors import ConfigError, InputError
from exchange.indicators.warninglists import Mode, WarningList, WarningLists, shipped_folder
from exchange.indicators.warninglists.lists import GZIP, by_name, list_files, list_name, read_bytes

_ENDINGS = (".json", ".json.gz")
_HEADER = re.compile(r"\s*\[\s*warning_lists\s*\]\s*(?:#.*)?")
_ANY_HEADER = re.compile(r"\s*\[")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def node_lists(home: Home) -> WarningLists:
    """The lists that a node goes by.

    Raises:
        InputError: a list cannot be read; names the file and the place.
        ConfigError: a mode is set for a list that is not there.
    """
    return WarningLists.load(folder=home.warning_lists, modes=home.settings.warning_lists)


def add_lists(home: Home, path: Path) -> list[WarningList]:
    """Take a list, or all lists of a folder, into a home: all of them or, if one is none, none.

    A list takes the place of an earlier one of its name. Files are kept as they are.

    Args:
        home: whose.
        path: a file, a folder of files, or a copy of MISP's repository.

    Returns:
        The new lists, in the order of their names.

    Raises:
        InputError: there is no list, or one cannot be read; names the file and the place.
        ConfigError: the home cannot be written.
    """
    files = by_name(path) if path.is_dir() else {list_name(path): path}
    if not files:
        raise InputError(f"{path} holds no warning list", hint="a list is NAME.json or NAME/list.json")
    found = [WarningList.read(files[name]) for name in sorted(files)]
    make_folder(home.warning_lists)
    for one in found:
        data = read_bytes(files[one.name])
        kept = home.warning_lists / f"{one.name}{_ENDINGS[data.startswith(GZIP)]}"
        write_atomic(kept, data)
        _delete([f for f in _own_files(home, one.name) if f != kept])
    return found


def remove_list(home: Home, name: str) -> None:
    """Take a list that was added out of a home, and its mode, unless a shipped namesake comes back.

    Raises:
        ConfigError: there is no such list, it is a shipped one, or the home cannot be written.
    """
    shipped = by_name(shipped_folder())
    if not (files := _own_files(home, name)):
        raise ConfigError(
            f"{name!r} is shipped and stays" if name in shipped else f"there is no warning list {name!r}",
            hint=f"cosight warninglists set {name} off" if name in shipped else "cosight warninglists list",
        )
    if name in home.settings.warning_lists and name not in shipped:
        _write_modes(home, [name], None)
    _delete(files)


def set_modes(home: Home, names: Sequence[str], mode: Mode) -> None:
    """Write into the configuration what follows from some lists.

    Raises:
        ConfigError: there is no such list, or the configuration cannot be edited or written.
        InputError: a list cannot be read.
    """
    known = node_lists(home).modes
    if unknown := [name for name in names if name not in known]:
        raise ConfigError(f"there is no warning list {unknown[0]!r}", hint="cosight warninglists list")
    _write_modes(home, names, mode)


def _own_files(home: Home, name: str) -> list[Path]:
    """The files of the lists of that name; more than one only after something was cut off."""
    folder = home.warning_lists
    return [f for f in list_files(folder) if list_name(f) == name] if folder.is_dir() else []


def _delete(files: list[Path]) -> None:
    for file in files:
        try:
            file.unlink()
        except OSError as e:
            raise ConfigError(f"cannot remove {file}: {e.strerror}") from e


def _write_modes(home: Home, names: Sequence[str], mode: Mode | None) -> None:
    """Edit ``config.toml`` as a person would, and let nothing else of it change."""
    text = read_file(home.config_file).decode()
    wanted: dict[str, Any] = tomllib.loads(text)
    modes = wanted.setdefault("warning_lists", {})
    edited = text
    for name in names:
        modes[name] = str(mode)
        if mode is None:
            del modes[name]
        edited = _edited(edited, name, mode)
    try:
        as_wanted = tomllib.loads(edited) == wanted
    except tomllib.TOMLDecodeError:
        as_wanted = False
    if not as_wanted:
        raise ConfigError(
            f"{home.config_file} is written in a way that this cannot edit",
            hint="write it yourself, under [warning_lists]: see docs/warninglists.md",
        )
    write_atomic(home.config_file, edited.encode())


def _edited(text: str, name: str, mode: Mode | None) -> str:
    lines = text.splitlines()
    start = next((n for n, line in enumerate(lines) if _HEADER.fullmatch(line)), None)
    if start is None:
        lines += ["", "[warning_lists]"]
        start = len(lines) - 1
    after = (n for n in range(start + 1, len(lines)) if _ANY_HEADER.match(lines[n]))
    end = next(after, len(lines))
    same = [n for n in range(start + 1, end) if _sets(lines[n], name)]
    at = same[0] if same else start + 1
    lines[at : at + len(same)] = [] if mode is None else [f'{_key(name)} = "{mode}"']
    return "\n".join(lines) + "\n"


def _sets(line: str, name: str) -> bool:
    try:
        return name in tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return False


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else f'"{name}"'
