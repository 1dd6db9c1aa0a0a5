"""A whole discovery in one process, on two days: what a member, a helper and the counter compute (ATR/1)."""

import secrets
from collections import Counter
from dataclasses import dataclass

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from crypto.oprf import PrivateKey
from crypto.rows import Rows
from crypto.secagg import batches, counting, discovery, helpers, strict
from crypto.secagg.discovery import Setup
from crypto.secagg.strict import Strict
from exchange.agreement import size_class
from exchange.bench.measuring import Clock, forget_peak, peak_mib
from exchange.bench.record import Gap, Run

HELPERS = 2
POOL = 10
"""Times the items of a member, from which they are drawn: more in common than public feeds have."""
COMMON = 20
"""In the strict mode, one item in so many is held by one member more than the threshold says."""


class Member:
    """Its items, and what it keeps of the epoch."""

    def __init__(self, items: Rows) -> None:
        self.items = items
        self.outputs = np.empty((0, 64), np.uint8)

    def change(self, new: Rows) -> None:
        """Let new items take the place of the last ones, whose outputs are forgotten."""
        kept = len(self.items) - len(new)
        self.items, self.outputs = np.concatenate([self.items[:kept], new]), self.outputs[:kept]

    def learn(self, keys: list[PrivateKey], clock: Clock) -> None:
        """Ask the helpers about items without an output."""
        new = np.ascontiguousarray(self.items[len(self.outputs) :])
        with clock.at("member", "ask"):
            question = helpers.ask(new, size=size_class(len(new)))
        with clock.at("helper", "evaluate"):
            replies = [helpers.evaluate(key, question.blinded) for key in keys]
        with clock.at("member", "learn"):
            found = helpers.learn(question, replies, [key.public_key for key in keys])
            self.outputs = np.concatenate([self.outputs, found])


@dataclass(slots=True)
class Alliance:
    """Members that discover together, day after day under one epoch's keys.

    Attributes:
        threshold: holders of what is released.
        members: with their items, drawn from one pool.
        seeds: of the helpers.
        rng: of the items.
    """

    threshold: int
    members: list[Member]
    seeds: list[bytes]
    rng: np.random.Generator

    @classmethod
    def of(cls, members: int, n: int, threshold: int, seed: int) -> "Alliance":
        """So many members with ``n`` items each."""
        rng = np.random.default_rng(seed)
        pool = random_rows(rng, POOL * n)
        drawn = [Member(pool[rng.choice(len(pool), n, replace=False)]) for _ in range(members)]
        return cls(threshold, drawn, [secrets.token_bytes(32) for _ in range(HELPERS)], rng)

    def churn(self, share: float) -> None:
        """A part of each member's items is new."""
        fresh = max(1, round(share * len(self.members[0].items)))
        new = random_rows(self.rng, POOL * fresh)
        for member in self.members:
            member.change(new[self.rng.choice(len(new), fresh, replace=False)])

    def day(self) -> Run | Gap:
        """One session of all. The result is compared with a plain count.

        Seconds are of the processor, all threads: of one member, the mean, of one helper for all members, and
        of the counter. Bytes are of one member's batch, and of its questions to one helper.
        """
        forget_peak()
        count, clock, counter = len(self.members), Clock(), X25519PrivateKey.generate()
        setup = Setup(
            context=secrets.token_bytes(32), threshold=self.threshold, members=count, helpers=HELPERS
        )
        keys = [helpers.epoch_key(seed, b"epoch") for seed in self.seeds]
        token_keys = [helpers.token_key(seed, setup.context) for seed in self.seeds]
        public = counter.public_key().public_bytes_raw()
        sealed, asked = [], 0
        for member in self.members:
            asked += size_class(len(member.items) - len(member.outputs))
            member.learn(keys, clock)
            with clock.at("member", "token"):
                question = helpers.ask(random_rows(self.rng, 1), size=1)
                replies = [helpers.evaluate(key, question.blinded) for key in token_keys]
                token = helpers.spendable(question, replies, [key.public_key for key in token_keys])
            with clock.at("member", "records"):
                table = discovery.records(member.outputs, setup, token, size=size_class(len(member.items)))
            with clock.at("member", "seal"):
                sealed.append(batches.seal(token, table, public, setup))
        with clock.at("counter", "open"):
            opened = [batches.open_batch(one, counter, setup) for one in sealed]
        with clock.at("counter", "count"):
            outcome = counting.count(opened, setup)
        held = Counter(row.tobytes() for member in self.members for row in member.items)
        for member in self.members:
            with clock.at("member", "recognise"):
                discovery.check_released(outcome.released, outcome.voices, setup)
                own = discovery.pairs(member.outputs, setup)
                mine, theirs = discovery.recognise(own, outcome.released)
            expected = [held[row.tobytes()] for row in member.items]
            many = sum(holders >= setup.threshold for holders in expected)
            if outcome.voices[theirs].tolist() != [expected[at] for at in mine] or len(mine) != many:
                return Gap("wrong: not the plain count")
        parts = {
            "member": clock.of("member", count),
            "helper": clock.of("helper", HELPERS),
            "counter": clock.of("counter"),
        }
        return _run(parts, {"batch": len(sealed[0]), "question": 32 * asked // count})


def strict_session(members: int, n: int, threshold: int, seed: int) -> Run | Gap:
    """One session of the strict mode, with outputs that are drawn: what helpers do is the same as above."""
    forget_peak()
    rng, clock, counter = np.random.default_rng(seed), Clock(), X25519PrivateKey.generate()
    setup = Setup(context=secrets.token_bytes(32), threshold=threshold, members=members, helpers=HELPERS)
    agreed = Strict(setup=setup, items=n)
    public, common = counter.public_key().public_bytes_raw(), _outputs(rng, n // COMMON)
    holders, made, sealed = min(threshold + 1, members), [], []
    for number in range(members):
        shared = common if number < holders else common[:0]
        outputs = np.concatenate([shared, _outputs(rng, n - len(shared))])
        token = secrets.token_bytes(setup.token_bytes)
        with clock.at("member", "write"):
            tables = strict.write(outputs, token, agreed)
        with clock.at("member", "seal"):
            sealed.append(strict.seal(token, tables, public, agreed))
        made.append((outputs, tables))
    with clock.at("counter", "open"):
        handed = [strict.open_tables(one, counter, agreed) for one in sealed]
    with clock.at("counter", "count"):
        outcome = strict.count(handed, agreed)
    for number, (outputs, tables) in enumerate(made):
        with clock.at("member", "recognise"):
            strict.check_outcome(outcome, agreed)
            mine, voices = strict.recognise(outputs, tables, outcome, agreed)
        if mine.tolist() != list(range(len(common) if number < holders else 0)) or set(voices.tolist()) - {
            holders
        }:
            return Gap("wrong: not what was put in common")
    parts = {"member": clock.of("member", members), "counter": clock.of("counter")}
    return _run(parts, {"batch": agreed.sealed_bytes, "released": outcome.released.nbytes})


def _run(parts: dict[str, dict[str, float]], sizes: dict[str, int]) -> Run:
    spent = {party: sum(steps.values()) for party, steps in parts.items()}
    return Run(
        seconds={"total": sum(spent.values())},
        phases=parts,
        bytes=sizes,
        cpu_s=spent,
        peak_mib={"all": peak_mib()},
    )


def random_rows(rng: np.random.Generator, n: int) -> Rows:
    """``(n, 32)`` bytes."""
    return rng.integers(0, 256, (n, 32), dtype=np.uint8)


def _outputs(rng: np.random.Generator, count: int) -> Rows:
    return rng.integers(0, 256, (count, 64), dtype=np.uint8)
