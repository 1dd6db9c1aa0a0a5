"""What discovery takes: of a member and of a helper on the first day and the next, and of the counter.

    python -m benchmarks.discovery [--members 10] [--items 100000] [--threshold 3] [--churn 0.02]
        [--pool 10] [--json]

All parties run in one process, without a network; the result is compared with a plain count. Seconds are
processor seconds of all threads, the mean of the members, and of a helper's for all of them. Sets are drawn
from a pool, by default of ten times their size: more in common than public feeds have. On the second day a
part of each set is new: helpers are asked about those only, and the rest of a session is done again.

``strict`` is a session of the mode that shows nothing of what fewer hold, with outputs that are drawn: what
helpers do is the same. A twentieth of the items is common to one member more than the threshold says.
"""

import argparse
import json
import secrets
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from benchmarks import machine
from benchmarks.runs import peak_mib, random_rows, size
from crypto.oprf import PrivateKey
from crypto.rows import Rows
from crypto.secagg import batches, counting, discovery, helpers, strict
from crypto.secagg.discovery import Setup
from crypto.secagg.strict import Strict
from exchange.agreement import size_class

HELPERS = 2
LIMITS = {"member": 10.0, "helper": 30.0, "second_day": 0.05, "strict counter": 10.0}
"""The goal at the default sizes: seconds, and a part of the first day's."""


class Clock:
    """Processor seconds by party and step."""

    def __init__(self) -> None:
        self.steps: dict[tuple[str, str], float] = defaultdict(float)

    @contextmanager
    def at(self, party: str, step: str) -> Iterator[None]:
        """Count what runs inside."""
        start = time.process_time()
        yield
        self.steps[party, step] += time.process_time() - start

    def of(self, party: str, share: int) -> dict[str, float]:
        """One party's steps, divided by how many of them there are."""
        return {step: seconds / share for (who, step), seconds in self.steps.items() if who == party}


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
        with clock.at("helpers", "evaluate"):
            replies = [helpers.evaluate(key, question.blinded) for key in keys]
        with clock.at("member", "learn"):
            found = helpers.learn(question, replies, [key.public_key for key in keys])
            self.outputs = np.concatenate([self.outputs, found])


def day(members: list[Member], setup: Setup, seeds: list[bytes]) -> dict[str, Any]:
    """One session of all."""
    clock, counter = Clock(), X25519PrivateKey.generate()
    keys = [helpers.epoch_key(seed, b"epoch") for seed in seeds]
    token_keys = [helpers.token_key(seed, setup.context) for seed in seeds]
    public = counter.public_key().public_bytes_raw()
    sealed, asked = [], 0
    for member in members:
        asked += size_class(len(member.items) - len(member.outputs))
        member.learn(keys, clock)
        with clock.at("member", "token"):
            question = helpers.ask(random_rows(1), size=1)
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
    held = Counter(row.tobytes() for member in members for row in member.items)
    for member in members:
        with clock.at("member", "recognise"):
            discovery.check_released(outcome.released, outcome.voices, setup)
            own = discovery.pairs(member.outputs, setup)
            mine, theirs = discovery.recognise(own, outcome.released)
        expected = [held[row.tobytes()] for row in member.items]
        assert outcome.voices[theirs].tolist() == [expected[at] for at in mine]
        assert len(mine) == sum(count >= setup.threshold for count in expected)
    parts = {
        "member": clock.of("member", len(members)),
        "helper": clock.of("helpers", len(seeds)),
        "counter": clock.of("counter", 1),
    }
    return {
        "asked": asked // len(members),
        "released": len(outcome.released),
        "sealed_bytes": len(sealed[0]),
        "seconds": {party: {**steps, "all": sum(steps.values())} for party, steps in parts.items()},
    }


def measure(count: int, items: int, threshold: int, churn: float, pool_size: int) -> dict[str, Any]:
    """Both days."""
    generator = np.random.default_rng()
    pool, fresh = random_rows(pool_size * items), round(churn * items)
    drawn = (generator.choice(len(pool), items, replace=False) for _ in range(count))
    members = [Member(pool[chosen]) for chosen in drawn]
    seeds = [secrets.token_bytes(32) for _ in range(HELPERS)]
    days = []
    for number in range(2):
        if number:
            new = random_rows(pool_size * fresh)
            for member in members:
                member.change(new[generator.choice(len(new), fresh, replace=False)])
        context = secrets.token_bytes(32)
        setup = Setup(context=context, threshold=threshold, members=count, helpers=HELPERS)
        days.append(day(members, setup, seeds))
    first, second = ({who: found["seconds"][who]["all"] for who in found["seconds"]} for found in days)
    return {
        "members": count,
        "items": items,
        "threshold": threshold,
        "churn": churn,
        "pool": pool_size,
        "days": days,
        "second_day": {who: second[who] / first[who] for who in ("member", "helper")},
    }


def strict_session(count: int, items: int, threshold: int) -> dict[str, Any]:
    """One session of the strict mode."""
    clock, counter = Clock(), X25519PrivateKey.generate()
    setup = Setup(context=secrets.token_bytes(32), threshold=threshold, members=count, helpers=HELPERS)
    agreed = Strict(setup=setup, items=items)
    public, common = counter.public_key().public_bytes_raw(), _outputs(items // 20)
    holders, made, sealed = min(threshold + 1, count), [], []
    for number in range(count):
        shared = common if number < holders else common[:0]
        outputs = np.concatenate([shared, _outputs(items - len(shared))])
        token = secrets.token_bytes(setup.token_bytes)
        with clock.at("member", "write"):
            tables = strict.write(outputs, token, agreed)
        with clock.at("member", "seal"):
            sealed.append(strict.seal(token, tables, public, agreed))
        made.append((outputs, tables))
    with clock.at("counter", "open"):
        handed = [strict.open_tables(one, counter, agreed) for one in sealed]
    start = time.perf_counter()
    with clock.at("counter", "count"):
        outcome = strict.count(handed, agreed)
    wall = time.perf_counter() - start
    for number, (outputs, tables) in enumerate(made):
        with clock.at("member", "recognise"):
            strict.check_outcome(outcome, agreed)
            mine, voices = strict.recognise(outputs, tables, outcome, agreed)
        assert mine.tolist() == list(range(len(common) if number < holders else 0))
        assert set(voices.tolist()) <= {holders}
    parts = {"member": clock.of("member", count), "counter": clock.of("counter", 1)}
    return {
        "sealed_bytes": agreed.sealed_bytes,
        "released_bytes": outcome.released.nbytes,
        "predicted_s": strict.predict(agreed),
        "count_wall_s": wall,
        "seconds": {party: {**steps, "all": sum(steps.values())} for party, steps in parts.items()},
    }


def _outputs(count: int) -> Rows:
    return random_rows(2 * count).reshape(count, 64)


def table(result: dict[str, Any]) -> str:
    """The results for people."""
    found = result["discovery"]
    lines = [machine.describe(result["machine"])]
    lines.append(
        f"\n{found['members']} members with {found['items']:,} items each, at least {found['threshold']},"
        f" {HELPERS} helpers; processor seconds"
    )
    for number, one in enumerate(found["days"], 1):
        lines.append(
            f"\nday {number}: {one['asked']:,} rows asked, {one['sealed_bytes']:,} bytes a batch,"
            f" {one['released']:,} released"
        )
        lines += _steps(one["seconds"])
    one = result["strict"]
    lines.append(
        f"\nstrict: {one['sealed_bytes']:,} bytes a batch, {one['released_bytes']:,} bytes released;"
        f" search predicted {one['predicted_s']:.2f}, {one['count_wall_s']:.2f} on the clock"
    )
    lines += _steps(one["seconds"])
    ratios = ", ".join(f"{who} {part:.1%}" for who, part in found["second_day"].items())
    lines.append(f"\nsecond day of the first: {ratios}")
    goal = ", ".join(f"{name} {limit}" for name, limit in LIMITS.items())
    lines.append(f"the goal at the default sizes, at most: {goal}; peak {result['peak_rss_mib']:.0f} MiB")
    return "\n".join(lines)


def _steps(seconds: dict[str, dict[str, float]]) -> list[str]:
    shown = {
        party: "  ".join(f"{step} {spent:.3f}" for step, spent in steps.items())
        for party, steps in seconds.items()
    }
    return [f"  {party:8}{steps}" for party, steps in shown.items()]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.discovery", description="Discovery without a dictionary."
    )
    parser.add_argument("--members", type=int, default=10, help="members (default: 10)")
    parser.add_argument("--items", type=size, default=100_000, help="items of each (default: 100000)")
    parser.add_argument("--threshold", type=int, default=3, help="holders of what is released (default: 3)")
    parser.add_argument("--churn", type=float, default=0.02, help="part that is new (default: 0.02)")
    parser.add_argument("--pool", type=int, default=10, help="times the items, to draw from (default: 10)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    arguments = parser.parse_args()
    found = measure(arguments.members, arguments.items, arguments.threshold, arguments.churn, arguments.pool)
    result = {
        "benchmark": "discovery",
        "machine": machine.facts(),
        "discovery": found,
        "strict": strict_session(arguments.members, arguments.items, arguments.threshold),
        "peak_rss_mib": peak_mib(),
    }
    print(json.dumps(result) if arguments.json else table(result))


if __name__ == "__main__":
    main()
