"""Keeps the ledger: an append-only SQLite database, and beside it the file that remembers its newest state.

Appending one entry is one durable transaction: the entry, the tree hashes it completes and a signed
checkpoint. Several processes may append to one ledger at once (``serve`` and ``match`` do).
"""

from exchange.store.ledger.reader import LedgerReader, Session, head_path
from exchange.store.ledger.writer import LedgerStore

__all__ = ["LedgerReader", "LedgerStore", "Session", "head_path"]
