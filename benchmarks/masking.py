"""Masked vectors: what members and the coordinator of a secure aggregation compute, beside Flower's SecAgg+.

    python -m benchmarks.masking [--repeat 5] [--no-peer] [--json]

Words of 32 bits. ``member``: a self mask and one for each of the other members. ``coordinator``: with 100
members of whom ten have dropped out, the self masks of those that are left and their masks with those that
are not: 990. Ours is measured as the machine has it and on the path for any machine, each on one core in a
process of its own; Flower's functions for the same number of masks and words, in theirs. They draw masks
from a Mersenne Twister with a seed of 32 bits; ours are AES-256 under a seed of 256. Rounds alternate;
seconds are the medians of processor time, the ratio is the median of the ratios of a round. What else a run
computes on vectors and secrets is given apart.
"""

import argparse
import json
import statistics
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.environment import interpreter
from benchmarks.runs import in_child, random_rows, size
from benchmarks.sum import fastest
from crypto import _native
from crypto.secagg import ring, shamir
from exchange.bench import machine

PEER = "flwr==1.42.0"
WORDS = (10**5, 10**6)
MEMBERS = (10, 30, 100)
DROPPED = 10
"""Of the largest number of members."""
LEFT = MEMBERS[-1] - DROPPED
ROUNDS = 2
THRESHOLD = 2 * MEMBERS[-1] // 3 + 1


def cases(words: list[int]) -> dict[str, tuple[int, int]]:
    """Masks and words of each case."""
    members = {f"member, {n} members, {d:,} words": (n, d) for n in MEMBERS for d in words}
    return members | {f"coordinator, {d:,} words": (LEFT * (1 + DROPPED), d) for d in words}


def engine(words: list[int]) -> dict[str, Any]:
    """Processor seconds of each case and of what else there is; this process should have one thread."""
    seconds = {}
    for name, (masks, d) in cases(words).items():
        vector, seeds = np.zeros(d, ring.WORDS[32]), random_rows(masks)
        signs = [1 if index % 2 else -1 for index in range(masks)]
        seconds[name] = fastest(lambda v=vector, s=seeds, g=signs: ring.add_masks(v, s, g), rounds=ROUNDS)
        for _ in range(ROUNDS):
            ring.add_masks(vector, seeds, [-sign for sign in signs])
        assert not vector.any()
    vector = np.zeros(words[-1], ring.WORDS[32])
    places = bytes(range(1, MEMBERS[-1] + 1))
    secret = bytes(range(shamir.SECRET_BYTES))
    shares = shamir.split(secret, THRESHOLD, places)
    some = shares[:THRESHOLD]
    assert shamir.reconstruct(places[:THRESHOLD], some) == secret
    return {
        "backend": _native.kernel_backends()["prg"],
        "seconds": seconds,
        "beside": {
            f"hash {words[-1]:,} words": fastest(lambda: ring.digests(vector)),
            f"check {words[-1]:,} words": fastest(lambda: ring.checked(vector, 1)),
            f"share a secret, {THRESHOLD} of {MEMBERS[-1]}": fastest(
                lambda: shamir.split(secret, THRESHOLD, places)
            ),
            f"reconstruct it of {THRESHOLD}": fastest(lambda: shamir.reconstruct(places[:THRESHOLD], some)),
        },
    }


def beside(words: list[int]) -> dict[str, float]:
    """The same cases by Flower."""
    script = Path(__file__).with_name("flower.py")
    command = [interpreter("flower", PEER), script, json.dumps(cases(words))]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def peer() -> str:
    """Empty if Flower can be measured, or why not."""
    try:
        interpreter("flower", PEER)
    except (OSError, subprocess.SubprocessError) as error:
        return f"{PEER} cannot be installed here: {error}"
    return ""


def measure(words: list[int], repeat: int, *, with_peer: bool) -> dict[str, Any]:
    """All rounds, summed up."""
    skipped = peer() if with_peer else f"{PEER} was not asked for"
    rounds: dict[str, list[dict[str, Any]]] = {"": [], "portable": []}
    theirs = []
    sizes = [str(d) for d in words]
    for _ in range(repeat):
        for kernel, found in rounds.items():
            environment = {"RAYON_NUM_THREADS": "1", "COSIGHT_KERNEL": kernel}
            found.append(in_child("benchmarks.masking", "--words", *sizes, **environment))
        if not skipped:
            theirs.append(beside(words))
    result: dict[str, Any] = {"cases": {}, "skipped": skipped}
    for name, (masks, d) in cases(words).items():
        ours, portable = ([one["seconds"][name] for one in found] for found in rounds.values())
        row = {
            "masks": masks,
            "seconds": statistics.median(ours),
            "gigabytes_per_s": 4 * masks * d / statistics.median(ours) / 1e9,
            "portable_s": statistics.median(portable),
        }
        if theirs:
            times = [one[name] for one in theirs]
            row["theirs_s"] = statistics.median(times)
            row["ratio"] = statistics.median(b / a for a, b in zip(ours, times, strict=True))
        result["cases"][name] = row
    result["beside"] = {
        name: statistics.median(one["beside"][name] for one in rounds[""]) for name in rounds[""][0]["beside"]
    }
    result["backends"] = [found[0]["backend"] for found in rounds.values()]
    return result


def table(result: dict[str, Any]) -> str:
    """The results for people."""
    lines = [
        machine.describe(result["machine"]),
        f"\n{'':38}{'ours ms':>10}{'GB/s':>8}{'portable ms':>13}{'flower ms':>12}{'ratio':>8}",
    ]
    for name, row in result["cases"].items():
        theirs = f"{1e3 * row['theirs_s']:12.1f}{row['ratio']:8.0f}" if "ratio" in row else f"{'skipped':>12}"
        lines.append(
            f"{name:38}{1e3 * row['seconds']:10.2f}{row['gigabytes_per_s']:8.2f}"
            f"{1e3 * row['portable_s']:13.2f}{theirs}"
        )
    lines += [f"{name:38}{1e3 * seconds:10.3f}" for name, seconds in result["beside"].items()]
    if result["skipped"]:
        lines.append(f"skipped: {result['skipped']}")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.masking", description="Masked vectors.")
    parser.add_argument(
        "--words",
        type=size,
        nargs="+",
        default=list(WORDS),
        help="of a vector (default: 100,000 and a million)",
    )
    parser.add_argument("--repeat", type=int, default=5, help="rounds (default: 5)")
    parser.add_argument("--no-peer", action="store_true", help="without Flower")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(engine(arguments.words)))
        return
    result = {
        "benchmark": "masking",
        "machine": machine.facts(),
        **measure(arguments.words, arguments.repeat, with_peer=not arguments.no_peer),
    }
    print(json.dumps(result) if arguments.json else table(result))


if __name__ == "__main__":
    main()
