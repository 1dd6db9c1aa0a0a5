"""What the calls need to know of the alliance, however it is kept."""

import hashlib
from collections.abc import Sequence
from typing import Protocol

from exchange.identity.certificates import Tls

HELLO_LABEL = b"cosight 2026 hello v1\0"
MAX_ROSTERS = 16
MAX_ROSTER_BYTES = 1 << 20


class Directory(Protocol):
    """The alliance as this node knows it; every method may read a file."""

    @property
    def alliance(self) -> str:
        """The alliance's name."""

    @property
    def member(self) -> str:
        """Our id."""

    def roster(self) -> tuple[int, bytes]:
        """Epoch and hash of the roster in force."""

    def newer(self, epoch: int) -> list[bytes]:
        """Signed rosters after this epoch, oldest first."""

    def adopt(self, rosters: Sequence[bytes]) -> None:
        """Take up newer rosters if they continue ours; raises ``CosightError`` if they do not."""

    def authorise(self, leaf_pem: bytes) -> str:
        """The member that a client certificate belongs to; raises ``CosightError`` with the code."""

    def check_member(self, peer: str) -> None:
        """Raise ``CosightError`` if that member is not on the roster in force."""

    def target(self, peer: str) -> str:
        """The DNS name in that member's certificate."""

    def tls(self) -> Tls:
        """Our current certificate, renewed when it is due."""

    def sign(self, data: bytes) -> bytes:
        """Our identity key's signature."""

    def verify(self, peer: str, data: bytes, signature: bytes) -> bool:
        """Whether it is that member's signature, under the roster in force."""


def hello_bytes(
    directory: Directory, client: str, server: str, nonces: tuple[bytes, bytes], roster_hash: bytes
) -> bytes:
    """What a server signs to prove its identity key: both names, both nonces, the roster it speaks for.

    A gRPC client in Python cannot read its peer's certificate, so TLS alone shows it a name and not the key
    that the roster holds.
    """
    parts = [directory.alliance.encode(), client.encode(), server.encode(), *nonces, roster_hash]
    joined = b"".join(len(part).to_bytes(2, "big") + part for part in parts)
    return HELLO_LABEL + hashlib.sha256(joined).digest()


def within_limits(rosters: Sequence[bytes]) -> list[bytes]:
    """As many rosters, oldest first, as one ``Hello`` carries."""
    chosen: list[bytes] = []
    for signed in rosters[:MAX_ROSTERS]:
        if sum(map(len, chosen)) + len(signed) > MAX_ROSTER_BYTES:
            break
        chosen.append(signed)
    return chosen
