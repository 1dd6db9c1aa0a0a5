"""The floor: both sides' items as plain hashes, with no privacy at all."""

import sys
from pathlib import Path

from benchmarks.peers.base import PARTIES, Peer, run_of, two
from exchange.bench.hosts import Place
from exchange.bench.record import Gap, Run


def _run(place: Place, a: Path, b: Path, common: int) -> Run | Gap:
    words = [sys.executable, str(PARTIES / "plain_party.py")]
    told = {"address": place.address("b")}
    return run_of(two(place, words, told | {"lines": str(a)}, told | {"lines": str(b)}), common)


PEERS = (
    Peer(
        name="plain hashes",
        packages=(),
        security="NONE: the sender shows a hash of each item, which anybody can try values against",
        most=1 << 24,
        run=_run,
        settings="10 bytes of each, over plain TCP",
    ),
)
