"""Keeps the ledger: an append-only SQLite database, and beside it the file that remembers its newest state.

Appending one entry is one durable transaction: the entry, the tree hashes it completes and a signed
checkpoint. Several processes may append to one ledger at once (``serve`` and ``match`` do).
"""

from exchange.audit.dealings import PeerCommitment
from exchange.audit.sessions import Session
from exchange.ledger.document import Document, DocumentKind
from exchange.ledger.draft import Draft
from exchange.ledger.tree import Seen
from exchange.store.ledger.reader import LedgerReader, head_path
from exchange.store.ledger.writer import LedgerStore

__all__ = [
    "Document",
    "DocumentKind",
    "Draft",
    "LedgerReader",
    "LedgerStore",
    "PeerCommitment",
    "Seen",
    "Session",
    "head_path",
]
