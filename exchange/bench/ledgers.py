"""A ledger: durable appends, one by one and in batches, and verifying all of it."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from exchange.bench.measuring import measured
from exchange.bench.record import Gap, Once, Run
from exchange.store.ledger import Draft, LedgerStore

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
    is of a log of ``n``.
    """
    with tempfile.TemporaryDirectory(prefix="cosight-bench-") as folder, ExitStack() as stack:
        grows, stays = (stack.enter_context(_log(Path(folder) / f"{name}.db", n)) for name in ("a", "b"))
        numbers = count(n)

        def append(batch: int) -> Run:
            def work() -> None:
                for _ in range(0, APPENDS, batch):
                    grows.append_all([intent(next(numbers)) for _ in range(batch)], now=NOW)

            return measured(work, APPENDS)

        def verify() -> Run | Gap:
            found: list[int] = []
            run = measured(lambda: found.append(stays.verify().leaves))
            return run if found == [n + 1] else Gap(f"wrong: {found} entries, not {n} and that it began")

        yield {
            f"append {APPENDS}": lambda: append(1),
            f"append {APPENDS} in batches of {BATCH}": lambda: append(BATCH),
            "verify": verify,
        }


@contextmanager
def _log(path: Path, n: int) -> Iterator[LedgerStore]:
    """A ledger with ``n`` entries."""
    with LedgerStore.open(path, signer=Ed25519PrivateKey.generate(), origin="cosight/bench") as store:
        for first in range(0, n, 1000):
            store.append_all([intent(k) for k in range(first, min(n, first + 1000))], now=NOW)
        yield store
