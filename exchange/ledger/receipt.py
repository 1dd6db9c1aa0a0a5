"""The receipt of a session: what both parties sign when it is over, the same bytes in both ledgers.

The initiator signs its part, the responder checks that, adds its own part and signs both. A part holds how
the session ended for its party, and the state of that party's log with the entry that says so. So neither
side can deny a receipt, and each signature also witnesses a log: the responder's that of the initiator as it
has just been checked, the initiator's that of the responder as it had last been shown.

Each part follows from its party's ledger alone. A receipt whose exchange was cut off is asked for again, with
the same bytes. Pure: values in, bytes out.

Source: RFC 8949 section 4.2 (deterministic encoding); ISO/IEC 13888-3 (evidence of both sides).
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Self, TypeVar

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from crypto import labels
from exchange.agreement import Agreement
from exchange.errors import PeerMisbehaved
from exchange.identity import keys
from exchange.ledger.leaf import MAX_RECEIPT_BYTES

OUTCOMES = ("disclosed", "aborted", "open")
"""``open``: this party's ledger holds no result, because its node was stopped in the middle."""
Part = TypeVar("Part", "InitiatorPart", "ResponderPart")
HASH_BYTES = 32
NOTHING = bytes(HASH_BYTES)
"""In place of a transcript, where a run did not come to its end."""
_MAX_SIZE = 2**53
_SIGNATURE_BYTES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class InitiatorPart:
    """What the initiator states.

    Attributes:
        agreement: the canonical bytes of the agreement.
        outcome: how the session ended for it, one of ``OUTCOMES``.
        transcript: hash of all messages of the run, 32 bytes; ``NOTHING`` where none ended.
        told: how many items are shared, as far as the receiver tells the sender; None where it does not.
        time: when its ledger says so, RFC 3339.
        size: length of its log with that entry.
        root: root of its log at that length, 32 bytes.
        peer_size: length of the responder's log when it was last shown, before the run.
        peer_root: its root at that length, 32 bytes.
    """

    agreement: bytes
    outcome: str
    transcript: bytes
    told: int | None
    time: str
    size: int
    root: bytes
    peer_size: int
    peer_root: bytes

    def encode(self) -> bytes:
        """The canonical bytes, which the initiator signs behind a label."""
        return _encode(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponderPart:
    """What the responder adds: see ``InitiatorPart``."""

    outcome: str
    time: str
    size: int
    root: bytes

    def encode(self) -> bytes:
        """The canonical bytes."""
        return _encode(self)


@dataclass(frozen=True, slots=True)
class Receipt:
    """Both parts with their signatures, 64 bytes each."""

    initiator: InitiatorPart
    initiator_signature: bytes
    responder: ResponderPart
    responder_signature: bytes

    def encode(self) -> bytes:
        """The bytes that both ledgers hold."""
        parts = (
            self.initiator.encode(),
            self.initiator_signature,
            self.responder.encode(),
            self.responder_signature,
        )
        return cbor2.dumps(list(parts), canonical=True)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a receipt: its one encoding and nothing else. No signature is checked.

        Raises:
            PeerMisbehaved: it is anything else.
        """
        try:
            first, first_signature, second, second_signature = cbor2.loads(data[: MAX_RECEIPT_BYTES + 1])
            receipt = cls(initiator_part(first), first_signature, responder_part(second), second_signature)
            sizes = {len(s) if type(s) is bytes else 0 for s in (first_signature, second_signature)}
            valid = sizes == {_SIGNATURE_BYTES} and receipt.encode() == data
        except PeerMisbehaved:
            raise
        except Exception as e:  # whatever a decoder can raise on arbitrary bytes means the same here
            raise PeerMisbehaved("a receipt cannot be decoded") from e
        if not valid:
            raise PeerMisbehaved("a receipt is not in its canonical form")
        return receipt

    def check(self, initiator_key: bytes, responder_key: bytes) -> bool:
        """Say whether these identity keys (32 bytes each) signed it, and it is of one agreement."""
        before = _before(self.initiator, self.initiator_signature)
        body = before + self.responder.encode()
        return verify_initiator(self.initiator, self.initiator_signature, initiator_key) and keys.verify(
            responder_key, labels.RECEIPT_RESPONDER, body, self.responder_signature
        )


def sign_initiator(part: InitiatorPart, key: Ed25519PrivateKey) -> bytes:
    """Return the initiator's signature over its part."""
    return keys.sign(key, labels.RECEIPT_INITIATOR, part.encode())


def verify_initiator(part: InitiatorPart, signature: bytes, public_key: bytes) -> bool:
    """Say whether the initiator's identity key signed its part."""
    return keys.verify(public_key, labels.RECEIPT_INITIATOR, part.encode(), signature)


def countersign(
    part: InitiatorPart, signature: bytes, answer: ResponderPart, key: Ed25519PrivateKey
) -> Receipt:
    """Return the receipt: the initiator's signed part, which was checked before, and ours over both."""
    body = _before(part, signature) + answer.encode()
    return Receipt(part, signature, answer, keys.sign(key, labels.RECEIPT_RESPONDER, body))


def transcript(initiator_sent: bytes, responder_sent: bytes) -> bytes:
    """Return the hash that names all messages of a run, from the SHA-256 of each direction's frames."""
    return sha256(labels.TRANSCRIPT.encode() + b"\x00" + initiator_sent + responder_sent).digest()


def initiator_part(data: bytes) -> InitiatorPart:
    """Read an initiator's part strictly.

    Raises:
        PeerMisbehaved: it is malformed.
    """
    part = _decode(InitiatorPart, data)
    Agreement.from_bytes(part.agreement)
    if not (
        _is_hash(part.transcript)
        and (part.outcome == "disclosed" or part.transcript == NOTHING)
        and (part.told is None or _is_size(part.told))
        and _is_size(part.peer_size)
        and _is_hash(part.peer_root)
    ):
        raise PeerMisbehaved("a receipt's part is malformed")
    return part


def responder_part(data: bytes) -> ResponderPart:
    """Read a responder's part strictly.

    Raises:
        PeerMisbehaved: it is malformed.
    """
    return _decode(ResponderPart, data)


def _encode(part: InitiatorPart | ResponderPart) -> bytes:
    return cbor2.dumps({name: getattr(part, name) for name in part.__slots__}, canonical=True)


def _decode(kind: type[Part], data: bytes) -> Part:
    try:
        raw: dict[str, Any] = cbor2.loads(
            data[: MAX_RECEIPT_BYTES + 1], allow_indefinite=False, allow_duplicate_keys=False, max_depth=2
        )
        part = kind(**raw)
        valid = (
            part.encode() == data
            and part.outcome in OUTCOMES
            and type(part.time) is str
            and _is_size(part.size)
            and _is_hash(part.root)
        )
    except Exception as e:  # whatever a decoder can raise on arbitrary bytes means the same here
        raise PeerMisbehaved("a receipt's part cannot be decoded") from e
    if not valid:
        raise PeerMisbehaved("a receipt's part is malformed")
    return part


def _before(part: InitiatorPart, signature: bytes) -> bytes:
    """What the responder signs of the initiator's part."""
    return sha256(part.encode() + signature).digest()


def _is_size(value: object) -> bool:
    return type(value) is int and 0 <= value < _MAX_SIZE


def _is_hash(value: object) -> bool:
    return type(value) is bytes and len(value) == HASH_BYTES
