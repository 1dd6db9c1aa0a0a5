"""One well-formed entry of each kind, and a log in memory, for the tests beside this file."""

from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from exchange.ledger import (
    Checkpoint,
    Kind,
    Leaf,
    StoredCheckpoint,
    StoredLeaf,
    note,
    timestamp,
    tree,
    verify,
)
from exchange.ledger.leaf import FIRST, note_hash

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()

SESSION = {"session": "5e" * 32, "peer": "umbra", "direction": "initiator"}
AGREED = SESSION | {"agreement": "a9" * 32}
FIELDS: dict[Kind, dict[str, object]] = {
    Kind.OPENED: {"member": "acme", "origin": "cosight/acme", "log_key": PUBLIC.hex()},
    Kind.ROSTER: {"alliance": "threats.example", "epoch": 1, "roster": "70" * 32},
    Kind.REFUSED: SESSION | {"what": {"by": "us", "reason": "policy-refused", "rule": "p3-types"}},
    Kind.INTENT: SESSION | {
        "what": {
            "rung": "overlap", "output": "receiver", "types": ["domain", "ipv4"], "protocol": "voprf",
            "profile": "cti-c14n/1", "policy": "b0" * 32, "ours_padded": 1024,
        }
    },
    Kind.DISCLOSED: AGREED | {
        "what": {
            "learned_by_us": "overlap", "learned_by_peer": "size", "matched": 7, "peer_padded": 2048,
            "bytes_sent": 32768, "bytes_received": 81920, "messages_sent": 1,
        }
    },
    Kind.ABORTED: SESSION | {"what": {"reason": "peer-unavailable", "by": "us"}},
}  # fmt: skip


def leaf(kind: Kind, seq: int = 0, prev: str = FIRST, now: datetime = NOW, **fields: object) -> Leaf:
    return Leaf(seq, timestamp(now), kind, prev, FIELDS[kind] | fields)


class Log:
    """A log in memory, as a store would hold it."""

    def __init__(self, *entries: tuple[Kind, dict[str, object]], name: str = "cosight/acme") -> None:
        self.leaves: list[StoredLeaf] = []
        self.nodes: list[tree.Node] = []
        self.checkpoints: list[StoredCheckpoint] = []
        frontier, prev = tree.Frontier(), FIRST
        for seq, (kind, fields) in enumerate([(Kind.OPENED, {}), *entries]):
            entry = leaf(kind, seq, prev, NOW + timedelta(seconds=seq), **fields)
            body = entry.encode()
            self.leaves.append(StoredLeaf(seq, entry.time, kind, entry.session, entry.peer, body))
            self.nodes += frontier.append(tree.leaf_hash(body))
            name = "cosight/threats.example/acme" if kind is Kind.ROSTER else name
            signed = note.sign(Checkpoint(name, frontier.size, frontier.root()), KEY)
            self.checkpoints.append(StoredCheckpoint(frontier.size, signed))
            prev = note_hash(signed)

    def problems(self, **how: object) -> list[str]:
        found = verify(self.leaves, self.nodes, self.checkpoints, **how)  # type: ignore[arg-type]
        assert found.ok is not bool(found.problems)
        return [problem.what for problem in found.problems]
