"""What several commands do with a home: open it, read and write the files that travel, ask a person."""

import os
import sys
from pathlib import Path

import typer

from exchange.agreement import MAX_TEXT, is_text
from exchange.cli.member_file import open_light
from exchange.cli.output import say, stderr
from exchange.clock import utc_now
from exchange.config import Home, write_atomic
from exchange.errors import ConfigError, MembershipError
from exchange.identity import files
from exchange.identity.keys import NodeKeys
from exchange.store.alliance import Alliance, node_keys


def open_home(path: Path) -> Home:
    """The home at this path, ``~`` and all; of the file of a light member, the one that belongs to it.

    Raises:
        ConfigError: there is none, or it is not usable.
    """
    at = path.expanduser()
    return open_light(at) if at.is_file() else Home.open(at)


def open_keys(path: Path) -> tuple[Home, NodeKeys]:
    """The home at this path, and its keys.

    Raises:
        ConfigError: there is no home, or a key is missing or exposed.
    """
    home = open_home(path)
    return home, node_keys(home)


def open_alliance(path: Path) -> Alliance:
    """The alliance that the home at this path is in.

    Raises:
        ConfigError: there is no home, or it is in no alliance.
    """
    return Alliance(*open_keys(path), utc_now)


def read_file(path: Path) -> bytes:
    """A file of the alliance; of one that is far too long, enough to be refused.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(2 * files.MAX_FILE_BYTES + 1)
    except OSError as e:
        raise ConfigError(f"cannot read {path}: {e.strerror}", code="file-unreadable") from e


def write_file(path: Path, data: bytes) -> None:
    """Write a file that travels: no secret is in it.

    Raises:
        ConfigError: it cannot be written.
    """
    write_atomic(path, data, mode=0o644)


def check_writable(path: Path) -> None:
    """Find out before a session whether its result can be written: afterwards it is spent.

    Raises:
        ConfigError: it cannot.
    """
    if path.is_dir() or not os.access(path.absolute().parent, os.W_OK):
        raise ConfigError(f"cannot write {path}", hint="choose another --out")


def check_purpose(purpose: str) -> None:
    """Refuse a purpose that no agreement can hold.

    Raises:
        typer.BadParameter: it is too long, or not printable.
    """
    if not is_text(purpose):
        raise typer.BadParameter(f"at most {MAX_TEXT} printable characters", param_hint="--purpose")


def confirm(
    what: str, yes: bool, as_json: bool, *, asking: str = "Is that what you were told by telephone?"
) -> None:
    """Have a person look before something is trusted.

    Raises:
        MembershipError: nobody can be asked, and ``--yes`` was not given.
    """
    if not as_json:
        say(what, on=stderr)
    if yes:
        return
    if as_json or not sys.stdin.isatty():
        raise MembershipError(
            f"this needs a person's word: {what}" if as_json else "this needs a person's word",
            code="unconfirmed",
            hint="look at it, compare fingerprints by telephone, then add --yes",
        )
    typer.confirm(asking, abort=True, err=True)
