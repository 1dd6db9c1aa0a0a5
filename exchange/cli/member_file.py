"""The file of a light member, as commands open it: never one that others can read."""

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from exchange.config import read_secret
from exchange.errors import ConfigError, MembershipError
from exchange.identity import files
from exchange.identity.light import LightMember
from exchange.light import LightHome, default_folder, unpack

PASSPHRASE_FILE = "COSIGHT_PASSPHRASE_FILE"  # noqa: S105 - a path
STATE = "COSIGHT_STATE"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO

PassphraseOption = Annotated[
    Path | None,
    typer.Option(
        envvar=PASSPHRASE_FILE,
        help="The passphrase of the file is in here (mode 0600); if left out, a person is asked for it.",
    ),
]
StateOption = Annotated[
    Path | None,
    typer.Option(envvar=STATE, help="The folder of what was asked; under XDG_STATE_HOME if left out."),
]


def open_light(file: Path) -> LightHome:
    """The home of a light member, where a command has nothing to say about it but its file.

    Raises:
        ConfigError, MembershipError, RosterError: as ``read_light`` and ``unpack``.
    """
    passphrase_file, state = (os.environ.get(name) for name in (PASSPHRASE_FILE, STATE))
    light = read_light(file, Path(passphrase_file) if passphrase_file else None, as_json=False)
    return unpack(light, state_folder(light, Path(state) if state else None))


def state_folder(light: LightMember, state: Path | None) -> Path:
    """The folder of what a light member asked: the one that somebody says, or the usual one.

    Raises:
        ConfigError: its keys are damaged.
    """
    return default_folder(light) if state is None else state.expanduser()


def read_light(file: Path, passphrase_file: Path | None, as_json: bool) -> LightMember:
    """The light member in a file; a person is asked for the passphrase where nothing else says it.

    Raises:
        ConfigError: the file cannot be read, or others can read it.
        MembershipError: it is no such file, damaged, or the passphrase is missing or another one.
    """
    return LightMember.read(secret_file(file), lambda: asked_passphrase(passphrase_file, as_json))


def secret_file(file: Path) -> bytes:
    """The bytes of the file; of one that is far too long, enough to be refused.

    Raises:
        ConfigError: it cannot be read, or others can read it.
    """
    try:
        with file.open("rb") as stream:
            exposed = stat.S_IMODE(os.fstat(stream.fileno()).st_mode) & _OTHERS
            data = b"" if exposed else stream.read(files.MAX_FILE_BYTES + 1)
    except OSError as e:
        raise ConfigError(f"cannot read {file}: {e.strerror}", code="file-unreadable") from e
    if exposed:
        raise ConfigError(
            f"{file} can be read by others than its owner", code="key-exposed", hint=f"run: chmod 600 {file}"
        )
    return data


def asked_passphrase(file: Path | None, as_json: bool, *, twice: bool = False) -> str:
    """What a file says or a person types.

    Raises:
        MembershipError: nobody can be asked.
        ConfigError: the file cannot be read, or others can read it.
    """
    if file is not None:
        return _line(file)
    if as_json or not sys.stderr.isatty():
        raise MembershipError(
            "the file needs a passphrase, and nobody can be asked", code="passphrase-missing",
            hint="say --passphrase-file FILE",
        )  # fmt: skip
    ask: Callable[..., str] = typer.prompt
    return ask("Passphrase of the file", hide_input=True, confirmation_prompt=twice, err=True)


def _line(file: Path) -> str:
    """The first line of a file that nobody else can read."""
    try:
        return read_secret(file).decode().partition("\n")[0].rstrip("\r")
    except UnicodeDecodeError:
        raise ConfigError(f"{file} holds no passphrase: not UTF-8") from None
