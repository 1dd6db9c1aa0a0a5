"""Seals of a log: each must be of a state that the log was in shortly before, by one key that it names."""

from collections import deque
from collections.abc import Iterator

from exchange.audit.log import Log
from exchange.audit.papers import FOLDER, LEAVES, Found, name_of
from exchange.audit.sessions import moment
from exchange.errors import LedgerError
from exchange.ledger import seal
from exchange.ledger.leaf import Kind, Leaf
from exchange.ledger.note import parse

RECENT = 256
"""So many entries may have come between a state and its seal: others write meanwhile."""


class Seals:
    """Looks at every seal of a log."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._notes: deque[str] = deque(maxlen=RECENT)
        self._key = ""
        self.named: set[str] = set()

    def entry(self, leaf: Leaf, note: str | None) -> Iterator[Found]:
        """Look at one entry, and at the checkpoint after it."""
        if leaf.kind is Kind.SEAL:
            yield from self._seal(leaf)
        self._notes.append(note or "")

    def _seal(self, leaf: Leaf) -> Iterator[Found]:
        key, sealed, size = str(leaf.fields["key"]), leaf.fields["seal"], leaf.what["size"]
        assert isinstance(sealed, bytes)  # the schema says so
        assert isinstance(size, int)
        self.named.add(key)
        public = self._log.documents.get(key)
        if public is None:
            yield f"{FOLDER}/{key}", "the key of a seal is missing"
            return
        if self._key not in {"", key}:
            yield LEAVES, "the log was sealed with another key before"
        self._key = key
        if len(public) != seal.KEY_BYTES:
            yield name_of(key), "it is no ML-DSA-44 key"
            return
        back = leaf.seq - size
        if not 0 <= back < len(self._notes):
            yield LEAVES, "the seal is not of a state of the log shortly before it"
            return
        try:
            checkpoint = parse(self._notes[-1 - back])
        except LedgerError:
            return  # said where checkpoints are looked at
        time = int(moment(leaf.time).timestamp())
        same = (checkpoint.size, checkpoint.root.hex()) == (size, leaf.what["root"])
        if not same or not seal.check(checkpoint, time, public, sealed):
            yield LEAVES, "the seal is not of this log at that length, by the key that it names"
