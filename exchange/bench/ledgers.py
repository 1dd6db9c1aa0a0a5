"""A ledger: durable appends, one by one and in batches, and verifying all of it."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from exchange.bench.measuring import measured
from exchange.bench.record import Gap, Once, Run
from exchange.store.ledger import Draft, LedgerReader, LedgerStore

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
_WHAT = {
    "rung": "overlap", "output": "receiver", "types": ["domain", "ipv4"], "protocol": "voprf",
    "profile": "cti-c14n/1", "policy": "b0" * 32, "ours_padded": 1024, "at_stake": 900,
    "entered": {"domain": 600, "ipv4": 300}, "log_size": 70, "log_root": "10" * 32,
}  # fmt: skip
_PEERS = 50
APPENDS = 500
BATCH = 50


def intent(n: int) -> Draft:
    """An entry as they are before a session; of one of fifty peers."""
    return Draft(
        "intent",
        {"session": f"{n:064x}", "peer": f"member-{n % _PEERS}", "direction": "responder", "what": _WHAT},
    )


@contextmanager
def subjects(n: int, _seed: int) -> Iterator[dict[str, Once]]:
    """Subjects behind ``n`` entries.

    ``append`` and ``append in batches`` are of ``APPENDS`` entries, on the disk when they return; ``verify``
    is of all.
    """
    with tempfile.TemporaryDirectory(prefix="cosight-bench-") as name:
        path = Path(name) / "ledger.db"
        with LedgerStore.open(path, signer=Ed25519PrivateKey.generate(), origin="cosight/bench") as store:
            for first in range(0, n, 1000):
                store.append_all([intent(k) for k in range(first, min(n, first + 1000))], now=NOW)
            numbers = iter(range(n, 1 << 62))

            def append(batch: int) -> Run:
                def work() -> None:
                    for _ in range(0, APPENDS, batch):
                        store.append_all([intent(next(numbers)) for _ in range(batch)], now=NOW)

                return measured(work)

            def verify() -> Run | Gap:
                with LedgerReader.open_read_only(path) as reader:
                    found: list[int] = []
                    run = measured(lambda: found.append(reader.verify().leaves))
                return run if found[0] >= n else Gap(f"wrong: {found[0]} entries instead of {n}")

            yield {
                f"append {APPENDS}": lambda: append(1),
                f"append {APPENDS} in batches of {BATCH}": lambda: append(BATCH),
                "verify": verify,
            }
