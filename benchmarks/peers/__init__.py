"""Other systems beside ours: each in an environment of its own, at the same ends of the same link."""

from benchmarks.peers import openmined, plain, spu
from benchmarks.peers.base import NOT_HERE, Peer

PEERS: dict[str, Peer] = {peer.name: peer for peer in (*plain.PEERS, *openmined.PEERS, *spu.PEERS)}
"""By name."""

__all__ = ["NOT_HERE", "PEERS", "Peer"]
