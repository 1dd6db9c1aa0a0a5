"""Secure aggregation: a whole one of ours, and its masks beside those of Flower's SecAgg+.

    python -m benchmarks.masking [--n 10^5,10^6] [--members 100] [--lost 10] [--repeat 3] [--no-peer]
        [--out FILE]

Words of 32 bits. A member puts a self mask and one for each of the other members on its vector; the
coordinator takes off the self masks of those that are left and their masks with those that are lost. Ours is
measured as the machine has it and on the path for any machine, each on one core in a process of its own;
Flower's own functions for as many masks and words, in theirs. Seconds are of the processor.
"""

import argparse
import json
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.beside import Group, measure, parser, told
from benchmarks.environment import interpreter
from benchmarks.peers.base import installed
from benchmarks.runs import in_child, random_rows
from benchmarks.sum import fastest
from crypto import _native
from crypto.secagg import ring
from exchange.bench import secagg
from exchange.bench.measuring import peak_mib
from exchange.bench.record import Gap, Once, Run

PEER = "flwr==1.42.0"
ROUNDS = 2
SYSTEMS = {
    "cosight": {
        "packages": ["cosight"],
        "settings": "masks of AES-256 in counter mode under seeds of 256 bits",
        "security": "malicious: the coordinator with a third of the members (docs/protocols/masking.md)",
    },
    "flwr": {
        "packages": [PEER],
        "settings": "SecAgg+ with all members as neighbours; the masks alone, by its own functions",
        "security": "semi-honest; masks of a Mersenne Twister with a seed of 32 bits, which can be searched",
    },
}


def engine(masks: int, words: int) -> dict[str, Any]:
    """Processor seconds of so many masks on a vector; this process should have one thread."""
    vector, seeds = np.zeros(words, ring.WORDS[32]), random_rows(masks)
    signs = [1 if index % 2 else -1 for index in range(masks)]
    seconds = fastest(lambda: ring.add_masks(vector, seeds, signs), rounds=ROUNDS)
    for _ in range(ROUNDS):
        ring.add_masks(vector, seeds, [-sign for sign in signs])
    assert not vector.any()
    return {"seconds": seconds, "peak_mib": peak_mib(), "backend": _native.kernel_backends()["prg"]}


def ours(kernel: str, masks: int, words: int) -> Run | Gap:
    """On this path of the kernel; an empty one is the machine's."""
    try:
        found = in_child(
            "benchmarks.masking", str(masks), str(words), RAYON_NUM_THREADS="1", COSIGHT_KERNEL=kernel
        )
    except subprocess.CalledProcessError as e:
        return Gap(f"it ended with status {e.returncode}")
    return _run(found)


def theirs(masks: int, words: int) -> Run | Gap:
    """By Flower."""
    script = Path(__file__).with_name("flower.py")
    command = [interpreter("flower", PEER), script, str(masks), str(words)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        return Gap((done.stderr.strip() or f"it ended with status {done.returncode}").splitlines()[-1])
    return _run(json.loads(done.stdout.splitlines()[-1]))


def _run(found: dict[str, Any]) -> Run:
    seconds = found["seconds"]
    return Run(
        seconds={"total": seconds}, cpu_s={"process": seconds}, peak_mib={"process": found["peak_mib"]}
    )


def groups(words: int, *, members: int, lost: int, seed: int, with_peer: bool) -> Iterator[Group]:
    """A whole aggregation; the masks of a member, and those that the coordinator takes off."""
    whole = partial(secagg.run, members, words, lost, seed)
    yield Group({f"cosight, {members} members, {lost} lost": whole}, alone=True)
    for what, masks in (("a member's", members), ("the coordinator's", (members - lost) * (1 + lost))):
        name = f"{what} {masks} masks"
        subjects: dict[str, Once] = {
            f"cosight, {name}": partial(ours, "", masks, words),
            f"cosight, {name}, any machine": partial(ours, "portable", masks, words),
        }
        if with_peer:
            subjects[f"flwr, {name}"] = partial(theirs, masks, words)
        yield Group(subjects)


def main() -> None:
    """Measure, print, and write."""
    made = parser(str(__doc__), "10^5,10^6")
    made.add_argument("--members", type=int, default=100)
    made.add_argument("--lost", type=int, default=10)
    made.add_argument("--no-peer", action="store_true", help="without Flower")
    made.add_argument("--child", nargs=2, type=int, help=argparse.SUPPRESS)
    args = made.parse_args()
    if args.child:
        print(json.dumps(engine(*args.child)))
        return
    missing = "not asked for" if args.no_peer else installed("flower", (PEER,))
    systems = {name: dict(told) for name, told in SYSTEMS.items()}
    if missing:
        systems["flwr"]["missing"] = missing
    chosen = partial(groups, members=args.members, lost=args.lost, seed=args.seed, with_peer=not missing)
    print(*told(measure("secagg", args, chosen, systems, members=args.members, lost=args.lost)), sep="\n")


if __name__ == "__main__":
    main()
