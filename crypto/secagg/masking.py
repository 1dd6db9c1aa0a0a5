"""``masking`` (ASA/1): the sum of many members' vectors; nothing on a single one, and members may drop out.

Learns: every member and the coordinator, the sum over the survivors, and who they are; nobody, anything else.

Adversary: malicious, the coordinator and up to ``floor((n-1)/3)`` members together: what they learn of the
others is the sum of all honest survivors' vectors, once. They can make the run fail. A member can put in what
it likes: no proof says that an input is true, or that it keeps to the cap (docs/protocols/masking.md). In the
random-oracle model, under gap Diffie-Hellman on Curve25519 and ristretto255, with AES-256 a pseudo-random
generator, AES-GCM an authenticated encryption, and Ed25519 unforgeable.

Cost: six steps, each one message up and its answer down. A member sends ``d`` words, ``144 |U1| + 32 |U2|``
bytes and 576 more; it expands ``|U2| * d`` words of masks. The exact bytes are ``traffic``.

Source: Bonawitz, Ivanov, Kreuter, Marcedone, McMahan, Patel, Ramage, Segal, Seth, "Practical Secure
Aggregation for Privacy-Preserving Machine Learning", CCS 2017, for the malicious server, on the complete
graph. Here the signatures of every step cover all that was seen before (``crypto.secagg.view``), shares are
committed to and bad ones blamed (``crypto.secagg.boxes``), and members check the result against the vectors
that were signed before they sign it (``crypto.secagg.masks``).
"""

from collections.abc import Callable, Sequence
from secrets import randbelow, token_bytes
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from crypto.errors import Blamed, ParameterError, VerificationError
from crypto.group import Rng
from crypto.hashing import HASH_BYTES
from crypto.rows import Rows
from crypto.secagg import boxes, keys, masks, ring
from crypto.secagg.base import (
    SIGNATURE_BYTES,
    Aggregate,
    Agreed,
    Agreements,
    Chunk,
    Dealing,
    Dealings,
    Digests,
    Fetch,
    Joins,
    Masked,
    Opened,
    Receipts,
    Roll,
    Roots,
    Setup,
    Shares,
    Signed,
    Step,
    roll_bytes,
    unpack_roll,
)
from crypto.secagg.coordinator import Coordinator
from crypto.secagg.keys import SECRET_BYTES, Secrets
from crypto.secagg.view import (
    JOIN_BYTES,
    KEYS_BYTES,
    ROOT_BYTES,
    View,
    body_of,
    result_statement,
    to_join,
    verify_receipt,
)
from crypto.session import Message, Role, receive, send, wait

__all__ = ["Coordinator", "Setup", "Sign", "fetched", "member", "traffic", "verify_receipt"]

M = TypeVar("M", bound=Message)
Sign: TypeAlias = Callable[[bytes], bytes]
"""Makes the identity key's signature over bytes that carry their own label."""


def member(
    vector: NDArray[Any],
    setup: Setup,
    position: int,
    sign: Sign,
    *,
    noise: NDArray[Any] | None = None,
    sample: int | None = None,
    rng: Rng = token_bytes,
) -> Role[Aggregate]:
    """One member.

    Whoever drives it must let one message leave for each place in the run, whatever happens to the process:
    with the same ``vector`` and an ``rng`` that gives the same bytes again, the role says the same again.

    Args:
        vector: ``(d,)`` unsigned integers of ``setup.width`` bits, none above ``setup.cap``.
        setup: what all agreed on.
        position: ours.
        sign: signs for our identity.
        noise: ``(d,)`` signed integers to be added, none beyond ``setup.reserve``.
        sample: how many chunks of the result to compute anew before signing it, drawn at random; all of them
            by default. They are asked for by ``Fetch``.
        rng: randomness.

    Raises:
        ParameterError: our vector or noise does not fit the setup.
        Blamed: somebody lies; the culprits are named, the coordinator by no position.
        ProtocolError: a message is missing or misshapen, or the result is larger than it can be.
    """
    if not 0 <= position < setup.n or (sample is not None and sample < 1):
        raise ParameterError("a position is that of a member, and a sample has at least one chunk")
    words = masks.own_words(setup, vector, noise)
    secrets = Secrets.draw(rng)
    try:
        return (yield from _Member(setup, position, sign, secrets, rng).run(words, sample))
    finally:
        secrets.wipe()


def traffic(
    setup: Setup, *, joined: int, dealt: int, survivors: int, agreed: int, signed: int
) -> tuple[int, int]:
    """Payload bytes ``(sent, received)`` of a member in a run to the end, what it fetches not counted.

    Args:
        setup: of the run.
        joined: ``|U1|``.
        dealt: ``|U2|``.
        survivors: ``|U3|``.
        agreed: ``|U4|``.
        signed: how many signed the result.
    """
    vector = setup.size * setup.word_bytes
    sent = JOIN_BYTES + boxes.ROW_BYTES * joined + vector + SECRET_BYTES * dealt + 5 * SIGNATURE_BYTES
    received = (
        5 * roll_bytes(setup.n)
        + JOIN_BYTES * joined
        + (boxes.ROW_BYTES + HASH_BYTES * joined + SIGNATURE_BYTES) * dealt
        + ROOT_BYTES * survivors
        + SIGNATURE_BYTES * (agreed + signed)
        + SECRET_BYTES * dealt
        + vector
    )
    return sent, received


def fetched(setup: Setup, *, survivors: int, sample: int | None = None) -> int:
    """Most payload bytes that a member fetches to compute the result, or a sample of its chunks, anew."""
    count, vector = masks.chunks(setup), setup.size * setup.word_bytes
    part = vector if sample is None else min(sample * ring.CHUNK_BYTES, vector)
    return survivors * (HASH_BYTES * count + part)


class _Member:
    """The steps of a member, and what they have in common."""

    def __init__(self, setup: Setup, position: int, sign: Sign, secrets: Secrets, rng: Rng) -> None:
        self._setup, self._position, self._sign = setup, position, sign
        self._secrets, self._rng = secrets, rng
        self._view = View(setup)

    def run(self, words: ring.Vector, sample: int | None) -> Role[Aggregate]:
        """All steps, in order. The paper numbers them 0 to 4, and has no last one."""
        yield from self._join()
        shares = yield from self._deal()
        try:
            root = yield from self._mask(words)
            yield from self._agree(root)
            yield from self._unmask(shares)
        finally:
            shares.fill(0)
        vector, root = yield from self._check_result(sample)
        return (yield from self._sign_result(vector, root))

    def _join(self) -> Role[None]:
        secrets, view = self._secrets, self._view
        own = (
            secrets.box.public_key
            + keys.public_key(secrets.mask)
            + keys.commit(self._setup.context, self._position, secrets.own)
            + keys.possession(self._setup.context, self._position, secrets.box, rng=self._rng)
        )
        mine = own + self._signed(Step.JOINING, own)
        yield from send(to_join(mine))

        joined = yield from self._roll(range(self._setup.n), self._setup.least)
        rows = (yield from receive(Joins, rows=(len(joined), JOIN_BYTES))).rows
        for position, row in zip(joined, rows, strict=True):
            join = to_join(row.tobytes())
            _relayed(view.is_signed(Step.JOINING, position, join.signature, body_of(join)), "bad-signature")
            view.check_keys(position, join)
        _relayed(rows[joined.index(self._position)].tobytes() == mine, "swapped-keys")
        view.add_joins(joined, rows[:, :KEYS_BYTES])

    def _deal(self) -> Role[Rows]:
        """Returns the shares of all that dealt, ``(|U2|, 64)``."""
        view = self._view
        dealt = boxes.deal(view, self._position, self._secrets, rng=self._rng)
        mine = boxes.digests(view, self._position, dealt)
        yield from send(Dealing(dealt, self._signed(Step.DEALING, mine)))
        del dealt

        dealers = yield from self._roll(view.joined, self._setup.least)
        came = yield from receive(
            Dealings,
            rows=(len(dealers), boxes.ROW_BYTES),
            digests=(len(dealers), len(view.joined) * HASH_BYTES),
            signatures=(len(dealers), SIGNATURE_BYTES),
        )
        place = HASH_BYTES * view.joined.index(self._position)
        for at, dealer in enumerate(dealers):
            listed = came.digests[at].tobytes()
            signed = view.is_signed(Step.DEALING, dealer, came.signatures[at].tobytes(), listed)
            digest = boxes.digest(view, dealer, self._position, came.rows[at])
            _relayed(signed, "bad-signature")
            _relayed(listed.startswith(digest, place), "altered-dealing")
            _relayed(dealer != self._position or listed == mine, "altered-dealing")
        view.add_dealings(dealers, came.digests)

        shares, bad = boxes.open_all(view, self._position, self._secrets, came.rows, rng=self._rng)
        if bad is not None:
            accused, code = bad
            yield from send(boxes.complain(view, accused, self._secrets, rng=self._rng))
            raise Blamed([accused], code)
        return shares

    def _mask(self, words: ring.Vector) -> Role[bytes]:
        """Returns the root of the masked vector."""
        masks.put_on(self._view, self._position, self._secrets, words)
        root = ring.root(ring.digests(words))
        yield from send(Masked(ring.to_rows(words), self._signed(Step.MASKING, root)))
        return root

    def _agree(self, mine: bytes) -> Role[None]:
        view = self._view
        survivors = yield from self._roll(view.dealt, self._setup.least)
        rows = (yield from receive(Roots, rows=(len(survivors), ROOT_BYTES))).rows
        for position, row in zip(survivors, rows, strict=True):
            root, signature = row[:HASH_BYTES].tobytes(), row[HASH_BYTES:].tobytes()
            _relayed(view.is_signed(Step.MASKING, position, signature, root), "bad-signature")
            _relayed(position != self._position or root == mine, "swapped-roots")
        view.add_roots(survivors, rows[:, :HASH_BYTES])
        yield from send(Agreed(self._signed(Step.AGREEING)))

        agreed = yield from self._roll(survivors, self._setup.threshold)
        rows = (yield from receive(Agreements, rows=(len(agreed), SIGNATURE_BYTES))).rows
        for position, row in zip(agreed, rows, strict=True):
            _relayed(view.is_signed(Step.AGREEING, position, row.tobytes()), "split-view")

    def _unmask(self, shares: Rows) -> Role[None]:
        """Give one share of every member that dealt: which of the two, the agreed survivors decide."""
        rows = np.array([
            row[:SECRET_BYTES] if dealer in self._view.survivors else row[SECRET_BYTES:]
            for dealer, row in zip(self._view.dealt, shares, strict=True)
        ])  # fmt: skip
        yield from send(Shares(rows, self._signed(Step.UNMASKING, boxes.shares_digest(rows))))

    def _check_result(self, sample: int | None) -> Role[tuple[NDArray[Any], bytes]]:
        """Check what was opened; compute the result, or a sample of it, from the vectors that were signed."""
        view, setup = self._view, self._setup
        opened = yield from receive(
            Opened, seeds=(len(view.dealt), SECRET_BYTES), vector=(setup.size, setup.word_bytes)
        )
        left = masks.rest(view, opened.seeds)
        words = ring.from_rows(opened.vector)
        vector = masks.result(setup, len(view.survivors), words)

        count, survivors = masks.chunks(setup), len(view.survivors)
        digests = (yield from _fetch(Digests, None, (survivors, count * HASH_BYTES))).rows
        masks.check_digests(view, digests)
        for chunk in _drawn(count, sample):
            where = masks.chunk_words(setup, chunk)
            size = (survivors, (where.stop - where.start) * setup.word_bytes)
            masked = (yield from _fetch(Chunk, chunk, size)).rows
            masks.replay(view, left, chunk, masked, digests=digests, vector=words)
        return vector, ring.root(ring.digests(words))

    def _sign_result(self, vector: NDArray[Any], root: bytes) -> Role[Aggregate]:
        setup, survivors = self._setup, self._view.survivors
        yield from send(Signed(self._sign(result_statement(setup, self._position, survivors, root))))
        signers = unpack_roll((yield from receive(Roll, members=roll_bytes(setup.n))).members, setup.n)
        rows = (yield from receive(Receipts, rows=(len(signers), SIGNATURE_BYTES))).rows
        signatures = {signer: row.tobytes() for signer, row in zip(signers, rows, strict=True)}
        try:
            verify_receipt(setup, survivors, root, signatures)
        except VerificationError:
            raise Blamed((), "bad-receipt") from None
        return Aggregate(vector=vector, survivors=survivors, digest=root, signatures=signatures)

    def _signed(self, step: Step, body: bytes = b"") -> bytes:
        return self._sign(self._view.statement(step, self._position, body))

    def _roll(self, among: Sequence[int], least: int) -> Role[tuple[int, ...]]:
        """Who took part in the step that ended.

        Raises:
            Blamed: the coordinator goes on with too few, with one who was not there before, or without us.
        """
        came = unpack_roll(
            (yield from receive(Roll, members=roll_bytes(self._setup.n))).members, self._setup.n
        )
        _relayed(set(came) <= set(among), "bad-roll")
        _relayed(self._position in came, "left-out")
        _relayed(len(came) >= least, "too-few")
        return came


def _relayed(is_true: bool, code: str) -> None:  # noqa: FBT001 - the condition that is checked
    """Blame the coordinator for what an honest one would not have relayed."""
    if not is_true:
        raise Blamed((), code)


def _fetch(kind: type[M], chunk: int | None, size: tuple[int, int]) -> Role[M]:
    return wait(Fetch(kind, {"rows": size}, chunk=chunk), kind)


def _drawn(count: int, sample: int | None) -> list[int]:
    """Which chunks to compute anew. Not from the member's seed: after a restart that would foretell it."""
    left = list(range(count))
    if sample is None or sample >= count:
        return left
    return sorted(left.pop(randbelow(len(left))) for _ in range(sample))
