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
RUN = {"session": "c0" * 32, "peer": "umbra"}
ASKED = {
    "measure": "count", "types": ["domain", "ipv4"], "purpose": "b9" * 32, "profile": "cti-c14n/1",
    "dictionary": "d1" * 32, "entries": 5000, "first": "2026-02-01", "last": "2026-02-28", "members": 5,
    "minimum": 4, "reporters": 3, "visibility": "everyone", "policy": "b0" * 32,
}  # fmt: skip
AGREED = SESSION | {"agreement": "a9" * 32}
FIELDS: dict[Kind, dict[str, object]] = {
    Kind.OPENED: {"member": "acme", "origin": "cosight/acme", "log_key": PUBLIC.hex()},
    Kind.ROSTER: {"alliance": "threats.example", "epoch": 1, "roster": "70" * 32},
    Kind.REFUSED: SESSION | {"what": {"by": "us", "reason": "policy-refused", "rule": "p3-types"}},
    Kind.INTENT: SESSION | {
        "what": {
            "rung": "overlap", "output": "receiver", "types": ["domain", "ipv4"], "protocol": "voprf",
            "profile": "cti-c14n/1", "policy": "b0" * 32, "ours_padded": 1024, "stage": "whole",
            "entered": {"domain": 600, "ipv4": 300}, "withheld": {"p4-tlp": {"ipv4": 12}},
            "canaries": 8, "at_stake": 900, "below": "be" * 32, "log_size": 7, "log_root": "10" * 32,
            "peer_epoch": 2, "peer_set": "5c" * 32, "peer_set_padded": 2048,
        }
    },
    Kind.DISCLOSED: AGREED | {
        "what": {
            "learned_by_us": "overlap", "learned_by_peer": "size", "matched": 7, "peer_padded": 2048,
            "transcript": "7a" * 32, "told": 9,
            "bytes_sent": 32768, "bytes_received": 81920, "messages_sent": 1,
        }
    },
    Kind.ABORTED: SESSION | {"what": {"reason": "peer-unavailable", "by": "us", "learned_by_peer": "size"}},
    Kind.RECEIPT: AGREED | {"receipt": b"signed by both", "what": {"log_size": 9, "log_root": "10" * 32}},
    Kind.POLICY: {"policy": "b0" * 32, "what": {"revision": 3}},
    Kind.COMMITMENT: {"what": {"epoch": 1, "root": "5c" * 32, "padded": 1024, "state": "57" * 32}},
    Kind.ALARM: {
        "peer": "umbra", "session": "5e" * 32, "what": {"guard": "canary", "count": 1, "digest": "d1" * 32}
    },
    Kind.QUARANTINE: {"peer": "umbra", "what": {"reason": "canary"}},
    Kind.LIFT: {"peer": "umbra", "what": {"reason": "explained"}},
    Kind.APPROVAL: {
        "peer": "umbra",
        "what": {
            "request": "4e" * 32, "rung": "overlap", "types": ["ipv4"], "approver": "dana",
            "expires": "2026-03-08T12:00:00.000000Z", "signature": "51" * 64,
        }
    },
    Kind.SEAL: {"key": "6b" * 32, "seal": b"s" * 2420, "what": {"size": 1, "root": "70" * 32}},
    Kind.REPORT: {"session": "5e" * 32, "peer": "umbra", "what": {"digest": "d2" * 32, "scope": "session"}},
    Kind.CONVENED: {"session": "c0" * 32, "what": ASKED},
    Kind.JOINED: RUN | {
        "what": ASKED | {"abandons": ["ab" * 32, "ac" * 32], "base": "ba" * 32}
        | {"threshold": 3, "plan": "b1" * 32}
    },
    Kind.BROUGHT: RUN | {"what": {"policy": "90" * 32}},
    Kind.MASKED: RUN | {
        "what": {"entered": {"domain": 7}, "withheld": {"p4-tlp": {"ipv4": 12}}, "clipped": 2}
    },
    Kind.SHARED: RUN | {"what": {"survivors": 4}},
    Kind.COUNTED: RUN | {
        "what": {
            "survivors": 4, "digest": "d3" * 32, "tally": "7a" * 32, "released": 17, "epsilon_milli": 500
        }
    },
    Kind.HELPED: {"peer": "umbra", "what": {"epoch": 2900, "padded": 1024, "count": 1126}},
    Kind.ERASED: {"what": {"epoch": 2899}},
    Kind.BROKEN: RUN | {"culprits": ["globex", "initech"], "what": {"reason": "bad-share", "by": "peer"}},
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
