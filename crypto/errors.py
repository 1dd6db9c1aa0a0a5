"""Errors of the cryptographic core. The type says whose fault it is.

``ParameterError`` is the caller's; ``DecodeError``, ``ProtocolError`` and ``VerificationError`` are the
peer's; ``EncodingFailed`` is nobody's. No message ever holds an item, a key or a share.
"""


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


class VerificationError(PeerFault):
    """A proof of the peer does not verify: what it sent was not computed with the key it announced."""


class EncodingFailed(CryptoError):
    """A randomised encoding did not exist for these inputs; run again with fresh randomness."""
