"""The one agreement that both sides pin before a session: who, what, how much, under which policies.

Its hash names everything that was agreed. It goes into the hashes and seeds of a run, so two parties that
hold different agreements find nothing rather than something wrong; a run that goes on from another one, and a
lease, keep those of their epoch, and are bound by signatures and transcript. Pure: values in, bytes out.

Source: RFC 8949 section 4.2 (deterministic encoding); Nikitin et al., PETS 2019 (Padmé).
"""

import re
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cached_property
from hashlib import sha256
from typing import Any, Self

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from crypto import labels
from crypto.psi import Output
from crypto.psi.base import MAX_EPSILON_MILLI, MAX_LABEL_BYTES, are_bands
from exchange.errors import PeerMisbehaved
from exchange.indicators import IndicatorType

VERSION = 1
MAX_BYTES = 16_384
MAX_TEXT = 200
MAX_ROWS = 1 << 32
SMALLEST_CLASS = 32
MAX_REVISION = 1 << 31
OVER = ("sightings", "confidence")
"""What of an indicator's context can be added up."""
MAX_FRAME_BYTES = 2 << 20
"""Most bytes of one message of the transport: a chunk of 1 MiB and its head."""
_HASH_BYTES = 32
MEMBER = re.compile(r"[a-z0-9-]{1,40}")
"""What the id of a member looks like."""
_WORD = re.compile(r"[a-z][a-z0-9-]{0,30}")
PROFILE_FORM = re.compile(r"[a-z][a-z0-9-]{0,23}/[0-9]{1,4}")
"""What the name of a canonical profile looks like."""


class Rung(StrEnum):
    """The ladder: how much the receiver learns. ``level`` orders it."""

    SIZE = "size"
    ESTIMATE = "estimate"
    CARDINALITY = "cardinality"
    SUM = "sum"
    OVERLAP = "overlap"
    CONTEXT = "context"

    @property
    def level(self) -> int:
        """Its place on the ladder, 0 for the least."""
        return list(Rung).index(self)


class Stage(StrEnum):
    """How much of a protocol a session runs."""

    WHOLE = "whole"
    AHEAD = "ahead"
    """Only what depends on nobody's items: nothing is learned."""
    ONLINE = "online"
    """The rest, with what a session ahead has made."""


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """What both sides agreed on. Everything of ours is checked before; a fault in it is the peer's.

    Attributes:
        version: of this structure.
        alliance: the alliance whose roster holds both.
        roster_epoch: epoch of that roster.
        roster_hash: its hash, 32 bytes.
        initiator: the member that dialled.
        responder: the other one.
        receiver: which of the two learns the result.
        output: whether the other learns it too.
        rung: what is learned.
        protocol: name of the protocol.
        stage: how much of it is run.
        correlation: where that is ``ONLINE``, the session that made what is used: 32 bytes, otherwise none.
        below: the session on the rung below that this one climbs from: 32 bytes, or none.
        base: the session whose state this one goes on from: 32 bytes, or none.
        initiator_new: rows that the initiator may add to that state; 0 where there is none.
        responder_new: the same of the responder.
        over: where a sum is asked for, what is added up: ``sightings`` or ``confidence``; otherwise ``""``.
        label_bytes: bytes that each context of the sender is filled up to; 0 where none are sent.
        bands: the least number of every band that the receiver may learn of a count, ascending from 0.
        epsilon_milli: privacy loss that the sender's noise allows, in thousandths; 0 where there is none.
        profile: canonical profile of the indicators.
        types: types of indicators, sorted, without repetition.
        initiator_padded: declared size of the initiator's set, padded, in items.
        responder_padded: the same of the responder.
        initiator_nonce: 32 random bytes; they name the session.
        responder_nonce: 32 random bytes.
        stat_sec: statistical security in bits.
        purpose: why, in at most 200 characters, or ``""``.
        initiator_policy: hash of the initiator's policy, 32 bytes.
        responder_policy: the same of the responder.
        initiator_revision: the number that the initiator's policy gives itself.
        responder_revision: the same of the responder.
        initiator_set: the initiator's commitment to its set, 32 bytes, or none.
        responder_set: the same of the responder.
        deadline_s: when the session is over at the latest, in seconds from its start.
        max_frame_bytes: largest message of the transport.
        initiator_software: name and version of the initiator's software.
        responder_software: the same of the responder.

    Raises:
        PeerMisbehaved: a value is not of its type or out of range, the two members are the same, or the
            receiver is neither.
    """

    version: int = VERSION
    alliance: str
    roster_epoch: int
    roster_hash: bytes
    initiator: str
    responder: str
    receiver: str
    output: Output
    rung: Rung
    protocol: str
    stage: Stage = Stage.WHOLE
    correlation: bytes = b""
    below: bytes = b""
    base: bytes = b""
    initiator_new: int = 0
    responder_new: int = 0
    over: str = ""
    label_bytes: int = 0
    bands: tuple[int, ...] = ()
    epsilon_milli: int = 0
    profile: str
    types: tuple[IndicatorType, ...]
    initiator_padded: int
    responder_padded: int
    initiator_nonce: bytes
    responder_nonce: bytes
    stat_sec: int
    purpose: str
    initiator_policy: bytes
    responder_policy: bytes
    initiator_revision: int = 0
    responder_revision: int = 0
    initiator_set: bytes = b""
    responder_set: bytes = b""
    deadline_s: int
    max_frame_bytes: int = MAX_FRAME_BYTES
    initiator_software: str
    responder_software: str

    def __post_init__(self) -> None:
        for name, valid in self._checks().items():
            if not valid:
                raise PeerMisbehaved(f"the agreement is malformed: {name}")

    def _checks(self) -> dict[str, bool]:
        hashes = (self.roster_hash, self.initiator_policy, self.responder_policy)
        nonces = (self.initiator_nonce, self.responder_nonce)
        sizes = (self.initiator_padded, self.responder_padded)
        revisions = (self.initiator_revision, self.responder_revision)
        references = (self.below, self.base, self.initiator_set, self.responder_set)
        new = ((self.initiator_new, self.initiator_padded), (self.responder_new, self.responder_padded))
        return {
            "version": is_int(self.version, VERSION, VERSION),
            "alliance": is_text(self.alliance) and bool(self.alliance),
            "roster_epoch": is_int(self.roster_epoch, 1, 1 << 53),
            "members": matches(MEMBER, self.initiator, self.responder) and self.initiator != self.responder,
            "receiver": self.receiver in {self.initiator, self.responder},
            "output or rung": isinstance(self.output, Output) and isinstance(self.rung, Rung),
            "protocol": matches(_WORD, self.protocol),
            "stage": isinstance(self.stage, Stage)
            and (self.stage is not Stage.AHEAD or self.rung is Rung.SIZE),
            "correlation": type(self.correlation) is bytes
            and len(self.correlation) == _HASH_BYTES * (self.stage is Stage.ONLINE),
            "profile": matches(PROFILE_FORM, self.profile),
            "types": is_types(self.types),
            "padded sizes": all(is_int(size, 1, MAX_ROWS) for size in sizes),
            "hashes or nonces": all(type(h) is bytes and len(h) == _HASH_BYTES for h in hashes + nonces),
            "revisions": all(is_int(revision, 0, MAX_REVISION) for revision in revisions),
            "new rows": all(is_int(n, 0, size if self.base else 0) for n, size in new),
            "over": self.over in OVER if self.rung is Rung.SUM else self.over == "",
            "label_bytes": is_int(self.label_bytes, 0, MAX_LABEL_BYTES),
            "bands": _is_bands(self.bands),
            "epsilon_milli": is_int(self.epsilon_milli, 0, MAX_EPSILON_MILLI),
            "below, base or sets": all(type(h) is bytes and len(h) in {0, _HASH_BYTES} for h in references),
            "stat_sec": is_int(self.stat_sec, 40, 128),
            "deadline_s": is_int(self.deadline_s, 1, 1 << 31),
            "max_frame_bytes": is_int(self.max_frame_bytes, 1, 1 << 31),
            "texts": all(map(is_text, (self.purpose, self.initiator_software, self.responder_software))),
        }

    @cached_property
    def encoded(self) -> bytes:
        """The canonical bytes; both sides compute the same."""
        return cbor2.dumps({f.name: plain(getattr(self, f.name)) for f in fields(self)}, canonical=True)

    @cached_property
    def hash(self) -> bytes:
        """SHA-256 over the label and the canonical bytes, 32 bytes."""
        return sha256(labels.AGREEMENT.encode() + b"\x00" + self.encoded).digest()

    @property
    def session(self) -> str:
        """The session's id: the initiator's nonce in hex, 64 characters."""
        return self.initiator_nonce.hex()

    @property
    def signed_bytes(self) -> bytes:
        """What both sides sign with their identity keys: a label, then the hash."""
        return labels.AGREEMENT_SIGNATURE.encode() + b"\x00" + self.hash

    def padded_of(self, member: str) -> int:
        """Return the declared size of one party's set.

        Raises:
            KeyError: the member is no party.
        """
        return {self.initiator: self.initiator_padded, self.responder: self.responder_padded}[member]

    def new_of(self, member: str) -> int:
        """Return how many rows one party may add to what the session goes on from.

        Raises:
            KeyError: the member is no party.
        """
        return {self.initiator: self.initiator_new, self.responder: self.responder_new}[member]

    @classmethod
    def from_bytes(cls, encoded: bytes) -> Self:
        """Read an agreement: its one encoding and nothing else.

        Raises:
            PeerMisbehaved: the bytes are no such encoding.
        """
        try:
            agreement = cls(**cls._fields_in(encoded))
        except PeerMisbehaved:
            raise
        except Exception as e:  # whatever a decoder can raise on arbitrary bytes means the same here
            raise PeerMisbehaved("the agreement is malformed: its encoding") from e
        if agreement.encoded != encoded:
            raise PeerMisbehaved("the agreement is malformed: not in its canonical form")
        return agreement

    @staticmethod
    def _fields_in(encoded: bytes) -> dict[str, Any]:
        if len(encoded) > MAX_BYTES:
            raise PeerMisbehaved("the agreement is malformed: its length")
        raw = cbor2.loads(encoded, allow_indefinite=False, allow_duplicate_keys=False, max_depth=4)
        if not isinstance(raw, dict) or raw.keys() != {f.name for f in fields(Agreement)}:
            raise PeerMisbehaved("the agreement is malformed: its fields")
        tuples = {"types": tuple(map(IndicatorType, raw["types"])), "bands": tuple(raw["bands"])}
        words = {"output": Output(raw["output"]), "rung": Rung(raw["rung"]), "stage": Stage(raw["stage"])}
        return raw | words | tuples


def sign(agreement: Agreement, key: Ed25519PrivateKey) -> bytes:
    """Return the signature of an identity key over an agreement, 64 bytes."""
    return key.sign(agreement.signed_bytes)


def verify(agreement: Agreement, signature: bytes, public_key: bytes) -> bool:
    """Say whether this identity key (32 bytes) signed this agreement."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, agreement.signed_bytes)
    except (InvalidSignature, ValueError):
        return False
    return True


def padme(n: int) -> int:
    """Return the Padmé class of ``n``: the next number with a mantissa as short as its exponent.

    At most 12 % more than ``n``, and only O(log log n) bits of it remain visible.
    """
    if n <= 1:
        return n
    exponent = n.bit_length() - 1
    spare = exponent - exponent.bit_length()
    low = (1 << spare) - 1
    return (n + low) & ~low


def size_class(n: int) -> int:
    """Return the size that is declared for a set of ``n`` items: its Padmé class.

    Sets of up to ``SMALLEST_CLASS`` items, the empty one included, all look alike.
    """
    return padme(max(n, SMALLEST_CLASS))


def is_int(value: object, least: int, most: int) -> bool:
    """Whether it is a whole number within these bounds."""
    return type(value) is int and least <= value <= most


def is_text(value: object) -> bool:
    """Whether it is a line that an agreement can hold, such as a purpose."""
    return type(value) is str and len(value) <= MAX_TEXT and value.isprintable()


def matches(pattern: re.Pattern[str], *values: object) -> bool:
    """Whether all are texts of this form."""
    return all(type(value) is str and pattern.fullmatch(value) is not None for value in values)


def is_types(value: object) -> bool:
    """Whether they are types of indicators, sorted, at least one."""
    if not isinstance(value, tuple) or not value:
        return False
    return all(isinstance(t, IndicatorType) for t in value) and list(value) == sorted(set(value))


def _is_bands(value: object) -> bool:
    return isinstance(value, tuple) and all(is_int(edge, 0, MAX_ROWS) for edge in value) and are_bands(value)


def plain(value: object) -> object:
    """Return a field as CBOR has it: a list for a tuple, text for a word."""
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, StrEnum) else value
