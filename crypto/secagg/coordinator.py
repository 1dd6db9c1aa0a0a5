"""The coordinator of ``masking``: what it accepts from whom, when a step ends, and what it sends then.

A state machine without clock or transport. Whoever drives it gives it the messages of the members, ends each
step when all came or its time is over, and can begin anew with the same messages in the same order. It keeps
no masked vector, only their sum: whoever drives it keeps them, for members that replay.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from crypto.errors import Blamed, ProtocolError, TooFew
from crypto.hashing import HASH_BYTES
from crypto.rows import Rows, table
from crypto.secagg import boxes, masks, ring, shamir
from crypto.secagg.base import (
    SIGNATURE_BYTES,
    Aggregate,
    Agreed,
    Agreements,
    Complaint,
    Dealing,
    Dealings,
    Digests,
    Join,
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
    pack_roll,
)
from crypto.secagg.boxes import MASK, OWN
from crypto.secagg.keys import SECRET_BYTES
from crypto.secagg.view import (
    JOIN_BYTES,
    JOIN_SIZES,
    KEYS_BYTES,
    View,
    body_of,
    is_signed,
    result_statement,
)
from crypto.session import Message, Receive, Size

Replies: TypeAlias = Callable[[int], tuple[Message, ...]]
_NO_ROWS = np.empty((0, 0), np.uint8)


class Coordinator:
    """One run.

    Attributes:
        step: what members owe now.
        outcome: the result with its receipt, when ``step`` is ``DONE``.
    """

    def __init__(self, setup: Setup) -> None:
        self.step = Step.JOINING
        self.outcome: Aggregate | None = None
        self._setup, self._view = setup, View(setup)
        self._parties: tuple[int, ...] = tuple(range(setup.n))
        self._arrived: dict[int, Message] = {}
        self._replies: Replies = lambda _: ()
        self._dealings: dict[int, Rows] = {}
        self._sum = np.zeros(setup.size, setup.words)
        self._digests: dict[int, Rows] = {}
        self._words: ring.Vector
        self._root = b""

    @property
    def owing(self) -> frozenset[int]:
        """Who has not sent yet what this step takes."""
        return frozenset(p for p in self._parties if p not in self._arrived and self.step is not Step.DONE)

    def due(self, position: int) -> Receive | None:
        """What this member owes in this step, None if nothing; for ``Masked``, a ``Complaint`` can come."""
        if position not in self.owing:
            return None
        joined, dealt = len(self._view.joined), len(self._view.dealt)
        kinds: dict[Step, tuple[type[Message], Mapping[str, Size]]] = {
            Step.JOINING: (Join, JOIN_SIZES),
            Step.DEALING: (Dealing, {"rows": (joined, boxes.ROW_BYTES)}),
            Step.MASKING: (Masked, {"vector": (self._setup.size, self._setup.word_bytes)}),
            Step.AGREEING: (Agreed, {}),
            Step.UNMASKING: (Shares, {"rows": (dealt, SECRET_BYTES)}),
            Step.SIGNING: (Signed, {}),
        }
        kind, sizes = kinds[self.step]
        return Receive(kind, {**sizes, "signature": SIGNATURE_BYTES})

    def accept(self, position: int, message: Message) -> None:
        """Take a message of a member that proved who it is.

        Raises:
            ProtocolError: it owes none, or another one.
            Blamed: the member lies; the message is not taken. A ``Complaint`` always ends in this, for
                one of the two lies, and the run cannot go on.
        """
        want = self.due(position)
        if want is None:
            raise ProtocolError("no message of this member is due")
        if self.step is Step.MASKING and isinstance(message, Complaint):
            complaint().check(message)
            raise self._judged(position, message)
        want.check(message)
        match message:
            case Join():
                self._take_join(position, message)
            case Dealing():
                listed = boxes.digests(self._view, position, message.rows)
                self._check_signature(position, message.signature, listed)
                self._dealings[position] = message.rows
            case Masked():
                self._take_masked(position, message)
                message = replace(message, vector=_NO_ROWS)  # it is in the sum; a vector of each is too much
            case Agreed():
                self._check_signature(position, message.signature)
            case Shares():
                self._take_shares(position, message)
            case Signed():
                signed = result_statement(self._setup, position, self._view.survivors, self._root)
                if not is_signed(self._setup, position, signed, message.signature):
                    raise Blamed([position], "bad-signature")
        self._arrived[position] = message

    def close(self) -> None:
        """End the step: all came, or its time is over.

        Raises:
            TooFew: the run cannot go on. Nothing more is opened.
            Blamed: shares that are what their dealer committed to give another secret: the dealer lies.
            ProtocolError: the run is over, or the result is larger than it can be.
        """
        came = tuple(sorted(self._arrived))
        early = self.step in {Step.JOINING, Step.DEALING, Step.MASKING}
        needed = self._setup.least if early else self._setup.threshold
        if self.step is Step.DONE:
            raise ProtocolError("the run is over")
        if len(came) < needed:
            raise TooFew(len(came), needed)
        end = {
            Step.JOINING: self._end_joining,
            Step.DEALING: self._end_dealing,
            Step.MASKING: self._end_masking,
            Step.AGREEING: self._end_agreeing,
            Step.UNMASKING: self._end_unmasking,
            Step.SIGNING: self._end_signing,
        }[self.step]
        self._replies = end(came)
        self._arrived = {}
        # Who was shown the result gets the receipt too, whether its own signature came in time or not.
        self._parties = self._parties if self.step is Step.SIGNING else came
        self.step = Step(self.step + 1)

    def replies(self, position: int) -> tuple[Message, ...]:
        """What this member is sent now that the step has begun; nothing if it dropped out."""
        return self._replies(position) if position in self._parties else ()

    def digests(self) -> Digests:
        """The digests of the survivors' masked vectors, for ``Fetch``. From ``AGREEING`` on."""
        return Digests(np.stack([self._digests[position].reshape(-1) for position in self._view.survivors]))

    @property
    def survivors(self) -> tuple[int, ...]:
        """Whose masked vectors are in the sum; nobody before ``AGREEING``."""
        return self._view.survivors

    def _take_join(self, position: int, join: Join) -> None:
        self._check_signature(position, join.signature, body_of(join))
        self._view.check_keys(position, join)
        taken = {value for other in self._joins().values() for value in _values(other)}
        if taken & set(_values(join)):
            raise Blamed([position], "same-keys")

    def _take_masked(self, position: int, masked: Masked) -> None:
        words = ring.from_rows(masked.vector)
        digests = ring.digests(words)
        self._check_signature(position, masked.signature, ring.root(digests))
        ring.add(self._sum, words)
        self._digests[position] = digests

    def _take_shares(self, position: int, shares: Shares) -> None:
        self._check_signature(position, shares.signature, boxes.shares_digest(shares.rows))
        for dealer, share in zip(self._view.dealt, shares.rows, strict=True):
            which = OWN if dealer in self._view.survivors else MASK
            if not boxes.is_share(self._view, dealer, position, which, share, self._row(dealer, position)):
                raise Blamed([position], "bad-share")

    def _judged(self, complainer: int, said: Complaint) -> Blamed:
        accused = said.accused[0]
        if accused == complainer or accused not in self._view.dealt:
            return Blamed([complainer], "false-complaint")
        liar, code = boxes.judge(self._view, complainer, said, self._row(accused, complainer))
        return Blamed([liar], code)

    def _check_signature(self, position: int, signature: bytes, body: bytes = b"") -> None:
        if not self._view.is_signed(self.step, position, signature, body):
            raise Blamed([position], "bad-signature")

    def _row(self, dealer: int, recipient: int) -> Rows:
        row: Rows = self._dealings[dealer][self._view.joined.index(recipient)]
        return row

    def _joins(self) -> dict[int, Join]:
        return {position: m for position, m in self._arrived.items() if isinstance(m, Join)}

    def _roll(self, positions: Iterable[int]) -> Roll:
        return Roll(pack_roll(positions, self._setup.n))

    def _end_joining(self, came: tuple[int, ...]) -> Replies:
        joins = self._joins()
        rows = table((body_of(joins[p]) + joins[p].signature for p in came), JOIN_BYTES)
        self._view.add_joins(came, rows[:, :KEYS_BYTES])
        return lambda _: (self._roll(came), Joins(rows))

    def _end_dealing(self, came: tuple[int, ...]) -> Replies:
        width = HASH_BYTES * len(self._view.joined)
        listed = table((boxes.digests(self._view, p, self._dealings[p]) for p in came), width)
        signatures = self._signatures(came)
        self._view.add_dealings(came, listed)

        def replies(position: int) -> tuple[Message, ...]:
            rows = np.stack([self._row(dealer, position) for dealer in came])
            return self._roll(came), Dealings(rows, listed, signatures)

        return replies

    def _end_masking(self, came: tuple[int, ...]) -> Replies:
        roots = table((ring.root(self._digests[p]) for p in came), HASH_BYTES)
        rows = np.concatenate([roots, self._signatures(came)], axis=1)
        self._view.add_roots(came, roots)
        return lambda _: (self._roll(came), Roots(rows))

    def _end_agreeing(self, came: tuple[int, ...]) -> Replies:
        rows = self._signatures(came)
        return lambda _: (self._roll(came), Agreements(rows))

    def _end_unmasking(self, came: tuple[int, ...]) -> Replies:
        places = bytes(position + 1 for position in came)
        given = np.stack([m.rows for _, m in sorted(self._arrived.items()) if isinstance(m, Shares)])
        seeds = np.empty((len(self._view.dealt), SECRET_BYTES), np.uint8)
        for place, dealer in enumerate(self._view.dealt):
            secret = shamir.reconstruct(places, np.ascontiguousarray(given[:, place]))
            if not masks.is_opened(self._view, dealer, secret):
                raise Blamed([dealer], "bad-dealing")
            seeds[place] = np.frombuffer(secret, np.uint8)
        words = self._sum.copy()
        masks.rest(self._view, seeds).take_off(words)
        masks.result(self._setup, len(self._view.survivors), words)
        self._words, self._root = words, ring.root(ring.digests(words))
        opened = Opened(seeds, ring.to_rows(words))
        return lambda _: (opened,)

    def _end_signing(self, came: tuple[int, ...]) -> Replies:
        rows = self._signatures(came)
        self.outcome = Aggregate(
            vector=masks.result(self._setup, len(self._view.survivors), self._words),
            survivors=self._view.survivors,
            digest=self._root,
            signatures={position: row.tobytes() for position, row in zip(came, rows, strict=True)},
        )
        return lambda _: (self._roll(came), Receipts(rows))

    def _signatures(self, came: tuple[int, ...]) -> Rows:
        return table((self._arrived[p].signature for p in came), SIGNATURE_BYTES)  # type: ignore[attr-defined]


def complaint() -> Receive:
    """What a ``Complaint`` measures, which may come in place of ``Masked``."""
    return Receive(Complaint, boxes.COMPLAINT_SIZES)


def _values(join: Join) -> tuple[bytes, bytes, bytes]:
    return join.key, join.mask_key, join.commitment
