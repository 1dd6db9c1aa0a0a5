"""Ours beside the others, in turn, on the same items at the ends of the same link.

    python -m benchmarks.compare [--full] [--sizes 2^10,2^14] [--links lan wan] [--repeat R] [--out FILE]

Ours are whole sessions: two node processes, mutual TLS, policy, agreement, ledger and receipts. What the
others do not do is not added to theirs: their settings and their security stand beside their numbers. The
base of the ratios is ``vole``. The file is written after every size, so a run that is stopped leaves what
it has.
"""

import argparse
import json
import sys
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.peers import NOT_HERE, PEERS
from benchmarks.runs import size
from crypto.psi import DISCOVERED
from exchange.bench.hosts import place
from exchange.bench.links import Link, link_of
from exchange.bench.psi import sessions
from exchange.bench.runner import document, in_turn, place_facts, summary
from exchange.config import write_atomic
from exchange.planning import measure

OURS = ("vole", "voprf", "cardinality", "estimate")
BASE = "cosight vole"
QUICK = {"sizes": "2^10,2^14", "links": ["loopback", "wan"], "repeat": 3, "budget": 10.0}
FULL = {
    "sizes": "2^10,2^14,2^17,2^20,2^22,2^24",
    "links": ["lan", "wan", "wan-slow", "mobile"],
    "repeat": 5,
    "budget": 120.0,
}
MOST = {"vole": 1 << 24, "estimate": 1 << 24, "voprf": 1 << 20, "cardinality": 1 << 20}
"""The largest set that a protocol of ours is run with here; above, ``vole`` is what anybody would choose."""


def cell(result: dict[str, Any], link: Link, n: int, repeat: int, budget_s: float) -> None:
    """One size on one link: all that can be run, in turn."""
    with place(link, seed=result["seed"]) as at, sessions(at, n, result["seed"]) as nodes:
        if all(known["name"] != link.name for known in result["links"]):
            result["links"].append(place_facts(at))
        subjects = {f"cosight {name}": partial(nodes.run, name) for name in OURS if n <= MOST[name]}
        for name, peer in PEERS.items():
            if n <= peer.most and not peer.missing():
                subjects[name] = partial(peer.run, at, *nodes.files, nodes.common)
        for run in in_turn(subjects, repeat, at, budget_s=budget_s):
            told = run.get("gap") or f"{run['seconds']['total']:.3f} s"
            print(
                f"{link.name:9} {n:>9,} {run['repeat']} {run['subject']:24} {told}",
                file=sys.stderr,
                flush=True,
            )
            result["runs"].append({"n": n, "link": link.name, **run})


def subjects() -> dict[str, dict[str, Any]]:
    """What was measured: its packages, its security, and why it could not be, where it could not."""
    found: dict[str, dict[str, Any]] = {}
    for name in OURS:
        says = (
            DISCOVERED[name].receiver.__module__ and sys.modules[DISCOVERED[name].receiver.__module__].__doc__
        ) or ""
        found[f"cosight {name}"] = {"packages": ["cosight"], "security": _adversary(says), "most": MOST[name]}
    for name, peer in PEERS.items():
        found[name] = {"packages": list(peer.packages), "security": peer.security, "most": peer.most}
        if why := peer.missing():
            found[name]["missing"] = why
    return found | {name: {"missing": why} for name, why in NOT_HERE.items()}


def _adversary(text: str) -> str:
    """The paragraph of a protocol's page that says against whom it is secure."""
    found = next((part for part in text.split("\n\n") if part.startswith("Adversary: ")), "")
    return " ".join(found.removeprefix("Adversary: ").split())


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="all sizes and links: hours")
    parser.add_argument("--sizes")
    parser.add_argument("--links", nargs="+")
    parser.add_argument("--repeat", type=int)
    parser.add_argument("--budget", type=float, help="seconds for a subject at one size and link")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/out/compare.json"))
    args = parser.parse_args()
    chosen = (FULL if args.full else QUICK) | {
        k: v for k, v in vars(args).items() if v is not None and k in FULL
    }
    computing = {name: asdict(measure(DISCOVERED[name])) for name in OURS}
    result = document("compare", args.seed, links=[], subjects=subjects(), computing=computing)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with suppress(KeyboardInterrupt):
        for link in chosen["links"]:
            for n in map(size, str(chosen["sizes"]).split(",")):
                cell(result, link_of(link), n, int(chosen["repeat"]), float(chosen["budget"]))
                result["summary"] = summary(result["runs"], BASE)
                write_atomic(args.out, json.dumps(result, indent=1).encode() + b"\n", mode=0o644)
    for row in result["summary"]:
        told = row.get("gap") or f"{row['seconds']['median']:10.3f} s"
        ratio = f"{row['ratio']['median']:8.2f} x" if "ratio" in row else ""
        print(f"{row['link']:9} {row['n']:>9,} {row['subject']:24} {told} {ratio}")


if __name__ == "__main__":
    main()
