"""A whole alliance in memory, for tests of discovery: honest unless a test makes somebody lie."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from crypto.rows import Rows
from crypto.secagg import batches, discovery, helpers
from crypto.secagg.batches import Batch, Envelope
from crypto.secagg.counting import Outcome, count
from crypto.secagg.discovery import Copies, Setup
from tests.reference.arrays import packed, unpacked

E = TypeVar("E", bound=Envelope)
Items = Mapping[bytes, bytes | None]
"""Of a member: each item, and from which report it was copied, if it was."""


def item(number: int) -> bytes:
    return number.to_bytes(32, "big")


def own(*numbers: int) -> Items:
    return {item(number): None for number in numbers}


def number(row: Rows) -> int:
    return int.from_bytes(row.tobytes(), "little")


def nonce() -> Rows:
    return packed([secrets.token_bytes(32)])


@dataclass
class Alliance:
    """Keys of the helpers and the counter, for one session."""

    members: int
    threshold: int
    helpers: int = 2
    seeds: list[bytes] = field(default_factory=list)
    counter: X25519PrivateKey = field(default_factory=X25519PrivateKey.generate)

    def __post_init__(self) -> None:
        self.seeds = self.seeds or [secrets.token_bytes(32) for _ in range(self.helpers)]
        self.setup = Setup(
            context=secrets.token_bytes(32),
            threshold=self.threshold,
            members=self.members,
            helpers=self.helpers,
        )
        self.epoch_keys = [helpers.epoch_key(seed, b"epoch") for seed in self.seeds]
        self.token_keys = [helpers.token_key(seed, self.setup.context) for seed in self.seeds]
        self.spent: list[set[bytes]] = [set() for _ in self.seeds]

    def outputs(self, items: Sequence[bytes]) -> Rows:
        """A member's questions and what it learns."""
        question = helpers.ask(packed(items, 32), size=len(items) + 3)
        replies = [helpers.evaluate(key, question.blinded) for key in self.epoch_keys]
        return helpers.learn(question, replies, [key.public_key for key in self.epoch_keys])

    def token(self) -> bytes:
        question = helpers.ask(nonce(), size=1)
        replies = [helpers.evaluate(key, question.blinded) for key in self.token_keys]
        return helpers.spendable(question, replies, [key.public_key for key in self.token_keys])

    def records(self, items: Items, token: bytes) -> Rows:
        copied = {at: origin for at, origin in enumerate(items.values()) if origin is not None}
        copies = Copies(np.array(list(copied), np.int64), packed(list(copied.values()), 32))
        return discovery.records(
            self.outputs(list(items)), self.setup, token, size=len(items) + 5, copies=copies
        )

    def seal(self, token: bytes, records: Rows) -> bytes:
        return batches.seal(token, records, self.counter.public_key().public_bytes_raw(), self.setup)

    def batch(self, items: Items) -> bytes:
        """An honest member's batch."""
        token = self.token()
        return self.seal(token, self.records(items, token))

    def opened(self, sealed: Sequence[bytes]) -> list[Batch]:
        """The counter: what the relay forwards, as far as it is good."""
        return self.confirmed([batches.open_batch(one, self.counter, self.setup) for one in sealed])

    def confirmed(self, found: list[E]) -> list[E]:
        """The batches whose tokens every helper confirms."""
        good = np.ones(len(found), np.bool_)
        for helper, key in enumerate(self.token_keys):
            tokens = packed([batch.for_helper(helper) for batch in found], 64)
            nonces = [token[:32] for token in unpacked(tokens)]
            unspent = np.array([nonce not in self.spent[helper] for nonce in nonces], np.bool_)
            confirmed = helpers.confirm(key, tokens) & unspent
            self.spent[helper] |= {nonce for nonce, new in zip(nonces, confirmed, strict=True) if new}
            good &= confirmed
        return [batch for batch, is_good in zip(found, good, strict=True) if is_good]

    def count(self, sealed: Sequence[bytes]) -> Outcome:
        return count(self.opened(sealed), self.setup)

    def recognised(self, items: Items, outcome: Outcome) -> dict[bytes, int]:
        """What a member makes of the outcome: its own items that are released, and their voices."""
        discovery.check_released(outcome.released, outcome.voices, self.setup)
        own = discovery.pairs(self.outputs(list(items)), self.setup)
        mine, theirs = discovery.recognise(own, outcome.released)
        names = list(items)
        return {
            names[at]: voices
            for at, voices in zip(mine.tolist(), outcome.voices[theirs].tolist(), strict=True)
        }


def wrong_share(alliance: Alliance, items: Items, *, first: bool = True) -> bytes:
    """A batch whose shares are wrong; its points are the least there are, so that they are tried first."""
    token = alliance.token()
    table = alliance.records(items, token).copy()
    table[:, 32] ^= 1
    if first:
        table[:, 16:32] = 0
        table[:, 16] = 1
    return alliance.seal(token, table)
