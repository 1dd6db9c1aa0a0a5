"""A whole aggregation in one process: what a member and the coordinator compute and send (ASA/1)."""

import secrets
from time import perf_counter

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from crypto.secagg import ring
from crypto.secagg.base import Aggregate, Chunk, Fetch, Masked, Setup, Step
from crypto.secagg.masking import Coordinator, member
from crypto.session import Message, Send, Session
from exchange.bench.measuring import Clock, forget_peak, peak_mib
from exchange.bench.record import Gap, Run

WIDTH, CAP = 32, 1000


def run(members: int, words: int, lost: int, seed: int) -> Run | Gap:
    """One aggregation; ``lost`` of the members fall silent before their vectors come.

    Seconds are of the processor, all threads: of one member, the mean, and of the coordinator. Bytes are what
    one member sends, and the coordinator to one member. The sum is compared with the plain one.
    """
    keys = [Ed25519PrivateKey.generate() for _ in range(members)]
    setup = Setup(
        context=secrets.token_bytes(32),
        identities=tuple(key.public_key().public_bytes_raw() for key in keys),
        minimum=3,
        size=words,
        width=WIDTH,
        cap=CAP,
    )
    rng = np.random.default_rng(seed)
    vectors = [rng.integers(0, CAP, words, dtype=np.uint32, endpoint=True) for _ in range(members)]
    return _Run(setup, keys, vectors, frozenset(range(lost))).finish()


class _Run:
    def __init__(
        self, setup: Setup, keys: list[Ed25519PrivateKey], vectors: list[np.ndarray], lost: frozenset[int]
    ) -> None:
        self._setup = setup
        self._inputs = vectors
        self._lost = lost
        self._clock = Clock()
        self._coordinator = Coordinator(setup)
        self._masked: dict[int, np.ndarray] = {}
        self._bytes = {"member": 0, "coordinator": 0}
        self._sessions = {
            i: Session(member(vector.copy(), setup, i, keys[i].sign)) for i, vector in enumerate(vectors)
        }

    def finish(self) -> Run | Gap:
        forget_peak()
        start = perf_counter()
        for session in self._sessions.values():
            self._advance(session, "begin")
        while self._coordinator.step < Step.DONE:
            self._step()
        total = perf_counter() - start
        watched = self._sessions[self._setup.n - 1]
        expected = sum(self._inputs[i].astype(np.uint64) for i in self._coordinator.survivors)
        if watched.step is not None or not np.array_equal(_words(watched.result), expected):
            return Gap("wrong: not the sum of those that stayed")
        parts = {
            "member": self._clock.of("member", self._setup.n),
            "coordinator": self._clock.of("coordinator"),
        }
        return Run(
            seconds={"total": total},
            phases=parts,
            bytes=self._bytes,
            cpu_s={party: sum(steps.values()) for party, steps in parts.items()},
            peak_mib={"all": peak_mib()},
        )

    def _step(self) -> None:
        coordinator, name = self._coordinator, self._coordinator.step.name.lower()
        for i in sorted(coordinator.owing):
            session = self._sessions[i]
            if i in self._lost and coordinator.step >= Step.MASKING:
                continue
            assert isinstance(session.step, Send)
            message = session.step.message
            if i == self._setup.n - 1:
                self._bytes["member"] += _size(message)
            self._advance(session, name)
            with self._clock.at("coordinator", name):
                coordinator.accept(i, message)
            if isinstance(message, Masked):
                self._masked[i] = message.vector
        with self._clock.at("coordinator", name):
            coordinator.close()
        for i, session in self._sessions.items():
            if i in self._lost and coordinator.step > Step.MASKING:
                continue
            for message in coordinator.replies(i):
                if i == self._setup.n - 1:
                    self._bytes["coordinator"] += _size(message)
                self._advance(session, name, message)
            while isinstance(session.step, Fetch):
                self._advance(session, "replay", self._fetched(session.step))

    def _fetched(self, want: Fetch) -> Message:
        if want.chunk is None:
            return self._coordinator.digests()
        start = want.chunk * ring.CHUNK_BYTES
        chunks = [
            self._masked[i].reshape(-1)[start : start + ring.CHUNK_BYTES] for i in self._coordinator.survivors
        ]
        return Chunk(np.ascontiguousarray(np.stack(chunks)))

    def _advance(self, session: Session[Aggregate], step: str, message: Message | None = None) -> None:
        with self._clock.at("member", step):
            session.advance(message)


def _words(result: Aggregate) -> np.ndarray:
    return result.vector.astype(np.uint64)


def _size(message: Message) -> int:
    return sum(memoryview(getattr(message, name)).nbytes for name in message.sizes())
