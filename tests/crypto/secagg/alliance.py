"""A whole alliance in memory: members, coordinator, and whoever drops out or lies on the way."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from crypto.secagg import ring
from crypto.secagg.base import Aggregate, Chunk, Fetch, Masked, Setup, Step
from crypto.secagg.masking import Coordinator, member
from crypto.session import Message, Receive, Send, Session
from tests.crypto.psi.parties import deterministic_rng

CONTEXT = hashlib.sha256(b"an opening").digest()
Tamper = Callable[[int, Message], Message | None]
"""What arrives of a message, by the position of the member that sent or gets it; None where nothing does."""


def as_is(_: int, message: Message) -> Message:
    return message


def identity(position: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"identity%d" % position).digest())


def setup(n: int, **changes: Any) -> Setup:
    values: dict[str, Any] = {
        "context": CONTEXT,
        "identities": tuple(identity(i).public_key().public_bytes_raw() for i in range(n)),
        "minimum": 3,
        "size": 5,
        "width": 32,
        "cap": 1000,
    }
    return Setup(**(values | changes))


def vectors(agreed: Setup, seed: int = 7) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [
        rng.integers(0, agreed.cap, agreed.size, dtype=np.uint64, endpoint=True).astype(agreed.words)
        for _ in range(agreed.n)
    ]


def plain_sum(agreed: Setup, inputs: list[np.ndarray], survivors: tuple[int, ...]) -> list[int]:
    return [sum(int(inputs[i][word]) for i in survivors) for word in range(agreed.size)]


@dataclass
class Alliance:
    """One run, step by step; ``finish`` does all that are left."""

    setup: Setup
    inputs: list[np.ndarray]
    drops: Mapping[int, Step] = field(default_factory=dict)
    """At which step each of these falls silent, for good."""
    up: Tamper = as_is
    down: Tamper = as_is
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.coordinator = Coordinator(self.setup)
        self.wire: list[tuple[int, Message]] = []
        self.vectors: dict[int, np.ndarray] = {}
        self.errors: dict[int, Exception] = {}
        self.sessions: dict[int, Session[Aggregate]] = {
            i: Session(self.role(i, self.inputs[i])) for i in range(self.setup.n)
        }
        for i, session in self.sessions.items():
            self._advance(i, session)

    def role(self, i: int, vector: np.ndarray, **options: Any):
        options = {"rng": deterministic_rng(b"member%d" % i)} | dict(self.options) | options
        return member(vector, self.setup, i, identity(i).sign, **options)

    @property
    def step(self) -> Step:
        return self.coordinator.step

    def silent(self, i: int) -> bool:
        return i in self.errors or (i in self.drops and self.drops[i] <= self.step)

    def collect(self) -> None:
        """Let everybody say what it owes."""
        for i in sorted(self.coordinator.owing):
            if self.silent(i):
                continue
            session = self.sessions[i]
            assert isinstance(session.step, Send)
            message = self.up(i, session.step.message)
            self._advance(i, session)
            if message is None:
                continue
            self.wire.append((i, message))
            self.coordinator.accept(i, message)
            if isinstance(message, Masked):
                self.vectors[i] = message.vector

    def tell(self) -> None:
        """Send everybody what begins the next step, and serve what they fetch."""
        for i, session in self.sessions.items():
            for message in self.coordinator.replies(i):
                self._deliver(i, session, message)
            while not self.silent(i) and isinstance(session.step, Fetch):
                self._deliver(i, session, self.fetched(session.step))

    def finish(self, until: Step = Step.DONE) -> "Alliance":
        while self.step < until:
            self.collect()
            self.coordinator.close()
            self.tell()
        return self

    @property
    def results(self) -> dict[int, Aggregate]:
        return {i: s.result for i, s in self.sessions.items() if s.step is None and i not in self.errors}

    def fetched(self, want: Fetch) -> Message:
        if want.chunk is None:
            return self.coordinator.digests()
        start = want.chunk * ring.CHUNK_BYTES
        chunks = [
            self.vectors[i].reshape(-1)[start : start + ring.CHUNK_BYTES] for i in self.coordinator.survivors
        ]
        return Chunk(np.ascontiguousarray(np.stack(chunks)))

    def _deliver(self, i: int, session: Session[Aggregate], message: Message) -> None:
        if self.silent(i) or not isinstance(session.step, Receive):
            return
        delivered = self.down(i, message)
        if delivered is not None:
            self.wire.append((i, delivered))
            self._advance(i, session, delivered)

    def _advance(self, i: int, session: Session[Aggregate], message: Message | None = None) -> None:
        try:
            session.advance(message)
        except Exception as error:  # noqa: BLE001 - tests look at what it was
            self.errors[i] = error
            session.step = None


def run(agreed: Setup, **how: Any) -> Alliance:
    inputs = how.pop("inputs", None) or vectors(agreed)
    return Alliance(agreed, inputs, **how).finish()
