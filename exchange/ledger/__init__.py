"""The ledger, as pure data: tree, entries, signed checkpoints, and the verification of all of it.

What is appended to a member's ledger is what left the house: an ``intent`` before the first secret-dependent
byte, then what was ``disclosed``, or that the session was ``aborted``. ``exchange.store.ledger`` keeps it.
"""

from exchange.ledger.leaf import RESULTS, Kind, Leaf, decode, timestamp
from exchange.ledger.note import Checkpoint, origin, verifier_key
from exchange.ledger.tree import Seen
from exchange.ledger.verify import Problem, StoredCheckpoint, StoredLeaf, Verification, verify

__all__ = [
    "RESULTS",
    "Checkpoint",
    "Kind",
    "Leaf",
    "Problem",
    "Seen",
    "StoredCheckpoint",
    "StoredLeaf",
    "Verification",
    "decode",
    "origin",
    "timestamp",
    "verifier_key",
    "verify",
]
