"""What the ledger's tests write, and what somebody who owns the file can do to it."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from exchange.ledger import Kind
from exchange.store.ledger import LedgerReader, LedgerStore

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
ORIGIN = "cosight/acme"
INTENT = {
    "rung": "overlap",
    "output": "receiver",
    "types": ["ipv4"],
    "protocol": "voprf",
    "ours_padded": 1024,
}
DISCLOSED = {"learned_by_us": "overlap", "learned_by_peer": "size", "matched": 7}


def session(n: int) -> str:
    return f"{n:064x}"


def intend(
    store: LedgerStore,
    n: int,
    *,
    peer: str = "umbra",
    now: datetime = NOW,
    direction: str = "initiator",
    **what: object,
) -> int:
    fields = {"session": session(n), "peer": peer, "direction": direction}
    return store.append("intent", now=now, what=INTENT | what, **fields)


def disclose(
    store: LedgerStore,
    n: int,
    *,
    peer: str = "umbra",
    now: datetime = NOW,
    direction: str = "initiator",
    **what: object,
) -> int:
    fields = {"session": session(n), "peer": peer, "direction": direction, "agreement": "a9" * 32}
    return store.append(Kind.DISCLOSED, now=now, what=DISCLOSED | what, **fields)


def settle(
    store: LedgerStore, n: int, receipt: bytes = b"receipt", *, direction: str = "initiator", **what: object
) -> int:
    fields = {"session": session(n), "peer": "umbra", "direction": direction, "agreement": "a9" * 32}
    shown = {"log_size": 4, "log_root": "10" * 32}
    return store.append(Kind.RECEIPT, now=NOW, receipt=receipt, what=shown | what, **fields)


def adopt(store: LedgerStore, epoch: int = 1, alliance: str = "threats.example") -> int:
    return store.append("roster", now=NOW, alliance=alliance, epoch=epoch, roster="70" * 32)


def fill(store: LedgerStore) -> None:
    adopt(store)
    intend(store, 1)
    disclose(store, 1)
    intend(store, 2)


def problems(path: Path) -> list[str]:
    with LedgerReader.open_read_only(path) as reader:
        found = reader.verify(public_key=PUBLIC)
    assert found.ok is not bool(found.problems)
    return [problem.what for problem in found.problems]


def unlocked(path: Path) -> sqlite3.Connection:
    """A connection of somebody who owns the file: the triggers are gone."""
    db = sqlite3.connect(path, isolation_level=None)
    for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        db.execute(f"DROP TRIGGER {name}")
    return db


def cut(path: Path, size: int) -> None:
    with closing(unlocked(path)) as db:
        db.execute("DELETE FROM leaf WHERE seq >= ?", (size,))
        db.execute("DELETE FROM node WHERE ((idx + 1) << level) > ?", (size,))
        db.execute("DELETE FROM checkpoint WHERE size > ?", (size,))
