"""Opens a database, and turns what goes wrong with it into ``StoreError``.

Everything above uses ``reading`` and ``writing``: one transaction each, all or nothing, also when the process
is killed in the middle. SQLite is the embedded default; any other SQLAlchemy URL passes through unchanged.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from urllib.parse import quote, unquote

from sqlalchemy import (
    URL,
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    insert,
    make_url,
    select,
    update,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from exchange.errors import StoreError

BUSY_TIMEOUT_S = 15.0
_RETRY_S = 0.02

_versions = MetaData()
_meta = Table(
    "meta",
    _versions,
    Column("part", String, primary_key=True),
    Column("version", Integer, nullable=False),
)

# The primary result code of SQLite (the low byte of the extended one), what it means, and what helps.
_SQLITE = {
    sqlite3.SQLITE_BUSY: ("is in use by another process", "wait for it to finish, then run this again"),
    sqlite3.SQLITE_LOCKED: ("is in use by another transaction", "wait for it to finish, then run this again"),
    sqlite3.SQLITE_FULL: ("does not fit on the disk", "free some space; nothing was changed"),
    sqlite3.SQLITE_CORRUPT: ("is damaged", "restore it from a backup"),
    sqlite3.SQLITE_NOTADB: ("is not a SQLite database", "check the path, or restore it from a backup"),
    sqlite3.SQLITE_READONLY: ("is read-only", "check who owns the file and its folder"),
    sqlite3.SQLITE_PERM: ("may not be accessed", "check who owns the file and its folder"),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", "check that the folder exists and who owns it"),
    sqlite3.SQLITE_IOERR: ("cannot be read or written", "check the disk; nothing was changed"),
}


def open_engine(url: str, *, durable: bool, read_only: bool = False) -> Engine:
    """Open a database; a SQLite file that does not exist is created, readable by its owner alone.

    Args:
        url: an SQLAlchemy URL, such as ``sqlite:////var/lib/cosight/store.db``.
        durable: a commit that returned survives a power cut (``synchronous=FULL``), which a ledger needs.
            Without it a commit survives a killed process, but a power cut may undo the last ones whole.
        read_only: nothing can be written, and nothing is created.

    Raises:
        StoreError: the URL names no database, or the file cannot be opened.
    """
    try:
        parsed = make_url(url)
        sqlite = parsed.get_backend_name() == "sqlite"
        if sqlite:
            parsed = _sqlite_file(parsed, read_only=read_only)
        # Parameters are indicators: they must never reach the text of an error.
        engine = create_engine(parsed, hide_parameters=True)
    except (ArgumentError, NoSuchModuleError, ImportError) as e:
        raise StoreError("the database URL cannot be used", hint="for example sqlite:///store.db") from e
    if sqlite:
        _configure_sqlite(engine, durable=durable, read_only=read_only)
    with _translated(engine), engine.connect():
        return engine


def _sqlite_file(url: URL, *, read_only: bool) -> URL:
    """Prepare the file behind a SQLite URL: private when new, opened read-only on request."""
    path = url.database
    if path in (None, "", ":memory:") or str(path).startswith("file:"):
        return url
    if read_only:
        return url.set(database=f"file:{quote(str(path))}", query={"mode": "ro", "uri": "true"})
    try:
        os.close(os.open(Path(str(path)), os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as e:
        raise StoreError(
            f"the database {path} cannot be opened: {e.strerror}", hint=_SQLITE[sqlite3.SQLITE_CANTOPEN][1]
        ) from e
    return url


def _configure_sqlite(engine: Engine, *, durable: bool, read_only: bool) -> None:
    """Set the pragmas of every new connection, and let SQLAlchemy, not the driver, begin transactions."""
    pragmas = [f"busy_timeout = {int(BUSY_TIMEOUT_S * 1000)}", "foreign_keys = ON"]
    if read_only:
        pragmas.append("query_only = ON")
    else:
        pragmas += ["journal_mode = WAL", f"synchronous = {'FULL' if durable else 'NORMAL'}"]

    @event.listens_for(engine, "connect")
    def _connect(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        for pragma in pragmas:
            _set(connection, pragma)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A writer that begins as a reader cannot wait for its turn: it fails when it first writes.
        write = connection.get_execution_options().get("cosight_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _set(connection: sqlite3.Connection, pragma: str) -> None:
    """Set a pragma. SQLite does not wait by itself where several processes turn a new file to WAL at once."""
    deadline = monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute(f"PRAGMA {pragma}")
        except sqlite3.OperationalError as e:
            if e.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or monotonic() > deadline:
                raise
            sleep(_RETRY_S)
        else:
            return


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One read transaction: a stable view, whatever others write meanwhile.

    Raises:
        StoreError: the database refused.
    """
    with _translated(engine), engine.begin() as connection:
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One write transaction: committed at the end, undone by any exception.

    Raises:
        StoreError: the database refused; nothing was changed.
    """
    with _translated(engine), engine.execution_options(cosight_write=True).begin() as connection:
        yield connection


@contextmanager
def erasing(engine: Engine) -> Iterator[Connection]:
    """One write transaction after which the files hold nothing of what it deleted.

    Otherwise SQLite only marks space as free, and its log keeps the old pages. If somebody is reading the old
    state at this moment, the log keeps them until a later write begins it anew.

    Raises:
        StoreError: the database refused; nothing was changed.
    """
    sqlite = engine.dialect.name == "sqlite"
    with writing(engine) as connection:
        if sqlite:
            connection.exec_driver_sql("PRAGMA secure_delete = ON")
        yield connection
        if sqlite:
            connection.exec_driver_sql("PRAGMA secure_delete = OFF")
    if sqlite:
        with _translated(engine), engine.connect() as idle:
            driver = idle.connection.driver_connection
            if isinstance(driver, sqlite3.Connection):
                driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def create_tables(
    engine: Engine,
    tables: MetaData,
    *,
    part: str,
    version: int,
    migrate: Callable[[Connection, int], bool] = lambda _connection, _version: False,
) -> None:
    """Create the tables of one part of the store where they are missing, and check its schema version.

    Args:
        engine: the database.
        tables: what to create.
        part: which part of the store they are.
        version: of these tables.
        migrate: brings the tables of an older version up to this one, if there is a way, and says whether.

    Raises:
        StoreError: a newer cosight wrote this database, or an older one whose schema has no migration.
    """
    with writing(engine) as connection:
        _versions.create_all(connection)
        found = connection.scalar(select(_meta.c.version).where(_meta.c.part == part))
        if found is None:
            tables.create_all(connection)
            connection.execute(insert(_meta).values(part=part, version=version))
        elif found < version and migrate(connection, found):
            connection.execute(update(_meta).where(_meta.c.part == part).values(version=version))
        elif found != version:
            raise StoreError(
                f"the database {_name(engine)} has version {found} of the {part} tables, not {version}",
                hint="upgrade cosight on this machine"
                if found > version
                else "start a new database; this one has no way up",
            )


@contextmanager
def _translated(engine: Engine) -> Iterator[None]:
    """Raise ``StoreError`` in the operator's words for whatever SQLAlchemy or the driver raises."""
    try:
        yield
    except DBAPIError as e:
        raise _store_error(engine, e.orig) from e
    except (SQLAlchemyError, sqlite3.Error) as e:
        raise _store_error(engine, e) from e


def _store_error(engine: Engine, error: BaseException | None) -> StoreError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    what, hint = _SQLITE.get(code, (f"refused ({type(error).__name__})", ""))
    return StoreError(f"the database {_name(engine)} {what}", hint=hint)


def _name(engine: Engine) -> str:
    """The database as the operator knows it: a path, or a URL without its password."""
    url = engine.url
    if url.get_backend_name() == "sqlite":
        path = url.database or ":memory:"
        return unquote(path.removeprefix("file:")) if path.startswith("file:") else path
    return url.render_as_string(hide_password=True)
