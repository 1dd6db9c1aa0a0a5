"""Errors of the cryptographic core. The type says whose fault it is.

``ParameterError`` is the caller's; ``DecodeError``, ``ProtocolError`` and ``VerificationError`` are the
peer's; ``EncodingFailed`` and ``TooFew`` are nobody's. No message ever holds an item, a key or a share.
"""

from collections.abc import Iterable


class CryptoError(Exception):
    """Base of every error that the cryptographic core raises on purpose."""


class ParameterError(CryptoError, ValueError):
    """An argument is outside what the function accepts: a mistake on our side, nothing was computed."""


class PeerFault(CryptoError):
    """Base of the errors that only the other party can have caused."""


class DecodeError(PeerFault):
    """Bytes of the peer are no valid encoding: a non-canonical point, the identity, a scalar out of range."""


class ProtocolError(PeerFault):
    """The peer sent a message of the wrong kind, shape or order, or none where one was due."""


class Blamed(ProtocolError):
    """Of many parties, these did not follow the protocol, and what they sent shows it.

    Attributes:
        positions: the culprits, ascending; none where it is the coordinator.
        code: what they did, in kebab-case.
    """

    def __init__(self, positions: Iterable[int], code: str) -> None:
        self.positions = tuple(sorted(positions))
        self.code = code
        culprits = ", ".join(map(str, self.positions))
        super().__init__(f"{f'position {culprits}' if culprits else 'the coordinator'}: {code}")


class VerificationError(PeerFault):
    """A proof of the peer does not verify: what it sent was not computed with the key it announced."""


class EncodingFailed(CryptoError):
    """A randomised encoding did not exist for these inputs; run again with fresh randomness."""


class TooFew(CryptoError):
    """Members dropped out, and the rest are too few to go on: nothing is opened.

    Attributes:
        left: how many are there.
        needed: how many it takes.
    """

    def __init__(self, left: int, needed: int) -> None:
        self.left, self.needed = left, needed
        super().__init__(f"{left} members are left, {needed} are needed")
