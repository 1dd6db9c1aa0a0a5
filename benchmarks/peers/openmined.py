"""``openmined-psi``: ECDH on P-256 in C++, with three forms of the server's message."""

from functools import partial
from pathlib import Path

from benchmarks.peers.base import PARTIES, Peer, python, run_of, two
from exchange.bench.hosts import Place
from exchange.bench.record import Gap, Run

PINNED = ("openmined-psi==2.0.6",)


def _run(structure: str, place: Place, a: Path, b: Path, common: int) -> Run | Gap:
    words = [python("openmined", PINNED), str(PARTIES / "openmined_party.py")]
    told = {"structure": structure, "address": place.address("b")}
    found = two(place, words, told | {"lines": str(a)}, told | {"lines": str(b)})
    return run_of(found, common, exact=structure == "RAW")


def _peer(structure: str, words: str) -> Peer:
    return Peer(
        name=f"openmined {structure.lower()}",
        packages=PINNED,
        security="semi-honest, ECDH on P-256, 128 bits",
        settings=f"{words}; no transport of its own: here plain TCP",
        most=1 << 17,
        run=partial(_run, structure),
    )


PEERS = (
    _peer("RAW", "exact"),
    _peer("GCS", "false positives of 1e-9 in all"),
    _peer("BLOOM_FILTER", "false positives of 1e-9 in all"),
)
