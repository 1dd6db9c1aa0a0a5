"""``spu`` (SecretFlow's PSI, C++): ECDH on Curve25519, KKRT and RR22, from CSV to CSV."""

import socket
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.peers.base import PARTIES, Peer, python, run_of, two
from exchange.bench.hosts import Place
from exchange.bench.links import LOOPBACK
from exchange.bench.record import Gap, Run

PINNED = ("spu==0.9.5",)
PORTS = (41101, 41102)
"""At the two hosts of a link, where nobody else listens."""


def _run(protocol: str, place: Place, a: Path, b: Path, common: int) -> Run | Gap:
    words = [python("spu", PINNED), str(PARTIES / "spu_party.py")]
    ports = free_ports() if place.link.name == LOOPBACK else PORTS
    parties = [f"{place.address(side)}:{port}" for side, port in zip("ab", ports, strict=True)]
    with tempfile.TemporaryDirectory(prefix="cosight-spu-") as folder:
        told = {"protocol": protocol, "parties": parties, "folder": folder}
        found = two(place, words, told | {"lines": str(a)}, told | {"lines": str(b)})
        if isinstance(found, Gap):
            return Gap(f"{found.why}; its logs end: {_complaint(Path(folder))}")
        return run_of(found, common)


def _complaint(folder: Path) -> str:
    """The last line of either log: the library ends its process without a word elsewhere."""
    logs = (log.read_text(errors="replace").strip() for log in sorted(folder.glob("log?")))
    return "; ".join(text.rpartition("\n")[2][:150] for text in logs)


def free_ports() -> tuple[int, int]:
    """Two ports of loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        return one.getsockname()[1], other.getsockname()[1]


def _peer(protocol: str, words: str, most: int) -> Peer:
    return Peer(
        name=f"spu {protocol}",
        packages=PINNED,
        security=f"semi-honest, {words}",
        settings="a plain link of its own; its time contains reading and writing CSV",
        most=most,
        run=partial(_run, protocol),
    )


PEERS = (
    _peer("ecdh", "ECDH on Curve25519 with a hash as first coordinate", 1 << 20),
    _peer("kkrt", "KKRT16", 1 << 20),
    _peer("rr22", "RR22 with 40 bits of statistical security", 1 << 20),
)
