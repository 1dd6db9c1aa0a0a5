"""A node's home: where its files are, what its configuration says, and how files are written safely.

Nothing here knows what a key or a roster means: bytes go in and out. A home counts as made once its
``config.toml`` exists, which ``Home.init`` writes last.
"""

import os
import secrets
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from exchange.errors import ConfigError
from exchange.names import is_address, is_member_id

DEFAULT_LISTEN = "127.0.0.1:7443"
NODE_KEYS = IDENTITY_KEY, LOG_KEY, CA_KEY = "identity", "log", "ca"
SEALS = ("off", "ml-dsa-44")
WARNING_LIST_MODES = ("block", "inform", "off")
ROOT_KEY = "root"
"""The founder's; it may live offline and be put in place only to admit a member."""

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_MAX_BYTES = 1 << 20
_MAX_DAYS = 36_500

_TEMPLATE = """\
# What this node is and how it may be reached. Anything left out has the value shown in docs/operations.md.
member = "{member}"
listen = "{listen}"

# Where peers are reached, where it differs from what the roster says.
[peers]

[limits]
"""


def write_atomic(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Write a file so that a reader, or a crash, sees all of it or the one before.

    Raises:
        ConfigError: the disk or a permission is in the way.
    """
    try:
        temporary = _write_temporary(path, data, mode)
        try:
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        sync_directory(path.parent)
    except OSError as e:
        raise _cannot("write", path, e) from e


def write_once(path: Path, data: bytes, *, mode: int = 0o600) -> bool:
    """Write a file unless it exists; of two processes at once, exactly one succeeds.

    Returns:
        Whether it was written. An existing file is never touched.

    Raises:
        ConfigError: the disk or a permission is in the way.
    """
    try:
        temporary = _write_temporary(path, data, mode)
        try:
            os.link(temporary, path)  # a hard link never replaces, unlike a rename
        except FileExistsError:
            return False
        finally:
            temporary.unlink(missing_ok=True)
        sync_directory(path.parent)
    except OSError as e:
        raise _cannot("write", path, e) from e
    return True


def make_folder(path: Path, *, parents: bool = False, hint: str = "") -> None:
    """Make a folder that only its owner can enter, unless it is there.

    Args:
        path: where.
        parents: whether to make what lies above it too.
        hint: what to do where that fails.

    Raises:
        ConfigError: the disk or a permission is in the way.
    """
    try:
        path.mkdir(mode=0o700, parents=parents, exist_ok=True)
    except OSError as e:
        raise _cannot("make", path, e, hint=hint) from e


def read_file(path: Path) -> bytes:
    """Read a small file.

    Raises:
        ConfigError: it is missing, unreadable or larger than anything that we write.
    """
    return _read(path, secret=False)


def read_secret(path: Path) -> bytes:
    """Read a small file that nobody but its owner may be able to read.

    Raises:
        ConfigError: it is missing, unreadable or too large, or others can read it.
    """
    return _read(path, secret=True)


@dataclass(frozen=True, slots=True)
class Limits:
    """What peers may cost this node.

    Attributes:
        deadline_s, idle_s: longest duration of a session, and longest silence in it, in seconds.
        max_rows: most rows that a peer may declare.
        max_sessions, max_sessions_per_peer: most sessions at once, in all and with one peer.
        max_context_mib: most MiB that the contexts of a session may take.
        max_discovery_mib: most MiB that the batches may take of a discovery that we count, and of all of one
            relay that are not finished.
        epoch_days, epoch_runs: how old a key of ``voprf-epoch`` gets, and how many sessions it is for.
    """

    deadline_s: int = 600
    idle_s: int = 30
    max_rows: int = 1 << 22
    max_sessions: int = 4
    max_sessions_per_peer: int = 2
    max_context_mib: int = 4096
    max_discovery_mib: int = 1024
    epoch_days: int = 7
    epoch_runs: int = 50


@dataclass(frozen=True, slots=True)
class Settings:
    """What ``config.toml`` says.

    Attributes:
        member: this node's member id.
        listen: ``HOST:PORT`` to serve on.
        store: database URL, or ``""`` for the SQLite file in the home.
        peers: ``HOST:PORT`` by member id; goes before the address in the roster.
        limits: what peers may cost this node.
        expiry: after how many days without news an indicator of a type no longer enters a set.
        seal: ``ml-dsa-44`` where the ledger is sealed after every session, or ``off``.
        warning_lists: ``block``, ``inform`` or ``off`` by the name of a list, where it is not the default.
    """

    member: str
    listen: str = DEFAULT_LISTEN
    store: str = field(default="", repr=False)  # a URL may hold a password
    peers: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    expiry: Mapping[str, int] = field(default_factory=dict)
    warning_lists: Mapping[str, str] = field(default_factory=dict)
    seal: str = "off"


@dataclass(frozen=True, slots=True)
class Home:
    """The directory of one node and what its configuration says.

    Attributes:
        path: the directory.
        settings: the configuration as it was when the home was opened.
    """

    path: Path
    settings: Settings

    @classmethod
    def init(
        cls, path: Path, member: str, *, keys: Mapping[str, bytes], listen: str = DEFAULT_LISTEN
    ) -> Self:
        """Make a home.

        Args:
            path: a directory that does not hold a home yet.
            member: this node's member id.
            keys: PEM by name, at least ``NODE_KEYS``.
            listen: ``HOST:PORT`` to serve on.

        Raises:
            ConfigError: a name is not possible, there is a home already, or the disk is in the way.
        """
        if not is_member_id(member):
            raise ConfigError(
                f"{member!r} cannot be a member id: a lower-case DNS label of 1 to 40 characters is needed",
                hint="use a-z, 0-9 and inner hyphens, such as: cosight init --member acme-cert",
            )
        if not is_address(listen):
            raise ConfigError(
                f"{listen!r} is no address to listen on", hint="write HOST:PORT, such as 0.0.0.0:7443"
            )
        if missing := set(NODE_KEYS) - set(keys):
            raise ConfigError(f"a node needs the keys {', '.join(sorted(missing))} too")
        home = cls(path, Settings(member, listen))
        if home.config_file.exists():
            raise ConfigError(
                f"{path} holds a node already", code="home-exists", hint="choose another --home"
            )
        for folder in (path, home.key_file("").parent, home.rosters):
            make_folder(folder, parents=True)
        for name, pem in keys.items():
            if not write_once(home.key_file(name), pem):
                raise ConfigError(
                    f"{home.key_file(name)} exists, but {path} is not the home of a node",
                    code="home-exists",
                    hint="remove the keys folder if an earlier init was interrupted, or use another --home",
                )
        write_atomic(home.config_file, _TEMPLATE.format(member=member, listen=listen).encode())
        return cls.open(path)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a home that was made before.

        Raises:
            ConfigError: there is none, or its ``config.toml`` is not usable; names the place.
        """
        file = path / "config.toml"
        try:
            with file.open("rb") as stream:
                table = tomllib.load(stream)
        except FileNotFoundError:
            raise ConfigError(
                f"{path} is not the home of a node", code="no-home", hint="run: cosight init --member NAME"
            ) from None
        except OSError as e:
            raise _cannot("read", file, e) from e
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
            raise ConfigError(f"{file} is not valid TOML: {e}") from e
        try:
            return cls(path, _settings(table))
        except ValueError as e:
            raise ConfigError(f"{file}: {e}") from e

    @property
    def member(self) -> str:
        """This node's member id."""
        return self.settings.member

    @property
    def config_file(self) -> Path:
        """What ``settings`` was read from."""
        return self.path / "config.toml"

    @property
    def policy_file(self) -> Path:
        """What this node allows."""
        return self.path / "policy.toml"

    @property
    def ledger_file(self) -> Path:
        """What this node disclosed."""
        return self.path / "ledger.db"

    @property
    def store_url(self) -> str:
        """Where the indicators are, as a database URL."""
        return self.settings.store or f"sqlite:///{(self.path / 'store.db').absolute()}"

    @property
    def rosters(self) -> Path:
        """Directory of the signed rosters, one file an epoch."""
        return self.path / "rosters"

    @property
    def warning_lists(self) -> Path:
        """Directory of the node's own warning lists; made when there is one."""
        return self.path / "warninglists"

    def key_file(self, name: str) -> Path:
        """Where a private key is."""
        return self.path / "keys" / f"{name}.pem"

    def key(self, name: str) -> bytes:
        """A private key, PEM.

        Raises:
            ConfigError: it is missing, or others can read it.
        """
        return read_secret(self.key_file(name))

    def keys(self) -> dict[str, bytes]:
        """The node's own private keys, PEM by name.

        Raises:
            ConfigError: one is missing, or others can read it.
        """
        return {name: self.key(name) for name in NODE_KEYS}


def _settings(table: dict[str, Any]) -> Settings:
    _check_table("", table, Settings)
    _check_table("limits.", table.get("limits", {}), Limits)
    settings = Settings(**{**table, "limits": Limits(**table.get("limits", {}))})
    if not is_member_id(settings.member):
        raise ValueError("member is not a lower-case DNS label of at most 40 characters")
    if not is_address(settings.listen):
        raise ValueError("listen is not HOST:PORT")
    _check_named(settings)
    for limit in fields(Limits):
        if not 0 < getattr(settings.limits, limit.name) < 1 << 31:
            raise ValueError(f"limits.{limit.name} is not a positive number below 2^31")
    return settings


def _check_named(settings: Settings) -> None:
    """Refuse what the tables cannot hold whose keys are the operator's."""
    for peer, address in settings.peers.items():
        if not is_member_id(peer):
            raise ValueError(f"peers.{peer} is not a member id")
        if not isinstance(address, str) or not is_address(address):
            raise ValueError(f"peers.{peer} is not HOST:PORT")
    for name, mode in settings.warning_lists.items():
        if mode not in WARNING_LIST_MODES:
            raise ValueError(f"warning_lists.{name} is none of {', '.join(WARNING_LIST_MODES)}")
    if settings.seal not in SEALS:
        raise ValueError(f"seal is none of {', '.join(SEALS)}")
    for name, days in settings.expiry.items():
        if type(days) is not int or not 0 < days <= _MAX_DAYS:
            raise ValueError(f"expiry.{name} is not a number of days from 1 to {_MAX_DAYS:,}")


def _check_table(prefix: str, table: dict[str, Any], kind: type[Settings | Limits]) -> None:
    """Refuse unknown and missing keys, and values of another type than the dataclass declares."""
    known = {f.name: f.type for f in fields(kind)}
    for name, value in table.items():
        if name not in known:
            raise ValueError(f"unknown key {prefix}{name} (known: {', '.join(known)})")
        want = next((simple for simple in (str, int) if known[name] is simple), dict)
        if type(value) is not want:  # bool is an int to isinstance
            raise ValueError(f"{prefix}{name} is not {_NAMED[want]}")
    if kind is Settings and "member" not in table:
        raise ValueError("member is missing")


_NAMED: dict[type, str] = {str: "a text in quotes", int: "a whole number", dict: "a table"}


def _read(path: Path, *, secret: bool) -> bytes:
    try:
        with path.open("rb") as file:
            # Asked of the open file: the name may mean another one by now.
            exposed = secret and stat.S_IMODE(os.fstat(file.fileno()).st_mode) & _OTHERS
            data = b"" if exposed else file.read(_MAX_BYTES + 1)
    except OSError as e:
        raise _cannot("read", path, e, hint="restore it from your backup") from e
    if exposed:
        raise ConfigError(
            f"{path} can be read by others than its owner", code="key-exposed", hint=f"run: chmod 600 {path}"
        )
    if len(data) > _MAX_BYTES:
        raise ConfigError(f"{path} is larger than it can be")
    return data


def _write_temporary(path: Path, data: bytes, mode: int) -> Path:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def sync_directory(path: Path) -> None:
    """Make what was made, renamed or deleted in a directory outlast a power failure."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _cannot(verb: str, path: Path, error: OSError, *, hint: str = "") -> ConfigError:
    return ConfigError(f"cannot {verb} {path}: {error.strerror or error}", hint=hint)
