"""Ours beside the others, in turn, on the same items at the ends of the same link.

    python -m benchmarks.compare [--full] [--ours vole,voprf] [--also sum] [--sizes 2^10,2^14]
        [--links lan wan] [--repeat R] [--budget S] [--out FILE] [--go-on]

Ours are whole sessions: two node processes, mutual TLS, policy, agreement, ledger and receipts. What the
others do not do is not added to theirs: their settings and their security stand beside their numbers. The
base of the ratios is ``vole``. All our protocols are run, but in the short form only the usual ones over
every link, the rest over the first. The file is written after every size, so a run that is stopped leaves
what it has, and one with ``--go-on`` measures the sizes and links that are not in it yet.
"""

import argparse
import json
import sys
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import ours
from benchmarks.peers import NOT_HERE, PEERS
from benchmarks.runs import sizes
from crypto.psi import DISCOVERED
from exchange.bench import machine
from exchange.bench.hosts import place
from exchange.bench.links import Link, link_of
from exchange.bench.psi import sessions
from exchange.bench.runner import document, in_turn, keep, place_facts
from exchange.planning import measure

ALL = ",".join(DISCOVERED)
BASE = "cosight vole"
QUICK: dict[str, Any] = {
    "ours": ",".join(ours.USUAL),
    "also": ALL,
    "sizes": "2^10,2^14",
    "links": ["loopback", "wan"],
    "repeat": 3,
    "budget": 10.0,
}
FULL: dict[str, Any] = {
    "ours": ALL,
    "also": "",
    "sizes": "2^10,2^14,2^17,2^20,2^22,2^24",
    "links": ["lan", "wan", "wan-slow", "mobile"],
    "repeat": 5,
    "budget": 120.0,
}


def cell(
    result: dict[str, Any], names: list[str], link: Link, n: int, *, repeat: int, budget_s: float
) -> None:
    """One size on one link: these of ours and all others that can be run, in turn."""
    with place(link, seed=result["seed"]) as at, sessions(at, n, result["seed"]) as nodes:
        if all(known["name"] != link.name for known in result["links"]):
            result["links"].append(place_facts(at))
        subjects = {f"cosight {name}": partial(nodes.run, name) for name in names if n <= ours.most(name)}
        for name, peer in PEERS.items():
            if n <= peer.most and not peer.missing():
                subjects[name] = partial(peer.run, at, *nodes.files, nodes.common)
        for run in in_turn(subjects, repeat, at, budget_s=budget_s):
            told = run.get("gap") or f"{run['seconds']['total']:.3f} s"
            print(
                f"{link.name:9} {n:>9,} {run['repeat']} {run['subject']:26} {told}",
                file=sys.stderr,
                flush=True,
            )
            result["runs"].append({"n": n, "link": link.name, **run})


def subjects(names: list[str]) -> dict[str, dict[str, Any]]:
    """What was measured: its packages, settings, security; and why it could not be, where it could not."""
    found: dict[str, dict[str, Any]] = {}
    for name in DISCOVERED:
        found[f"cosight {name}"] = ours.facts(name) | ({} if name in names else {"missing": "not asked for"})
    for name, peer in PEERS.items():
        found[name] = {
            "packages": list(peer.packages),
            "settings": peer.settings,
            "security": peer.security,
            "most": peer.most,
        }
        if why := peer.missing():
            found[name]["missing"] = why
    return found | {name: {"missing": why} for name, why in NOT_HERE.items()}


def begun(out: Path) -> dict[str, Any]:
    """What a run before has measured.

    Raises:
        SystemExit: with another version: what is compared has to be the same.
    """
    found: dict[str, Any] = json.loads(out.read_text())
    here = machine.facts()
    if any(found["machine"][name] != here[name] for name in ("commit", "cpu", "cores", "python", "rustc")):
        sys.exit(f"{out} was measured with another version, or elsewhere: begin another file")
    return found


def protocols(text: str) -> list[str]:
    """Protocols of ours, in their order.

    Raises:
        argparse.ArgumentTypeError: one is not known.
    """
    asked = set(filter(None, text.split(",")))
    if unknown := asked - DISCOVERED.keys():
        raise argparse.ArgumentTypeError(f"there is no protocol {min(unknown)!r}; there are: {ALL}")
    return [name for name in DISCOVERED if name in asked]


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="all of ours at all sizes over all links: hours")
    parser.add_argument("--ours", help="protocols of ours, over every link")
    parser.add_argument("--also", help="more of them, over the first link")
    parser.add_argument("--sizes")
    parser.add_argument("--links", nargs="+")
    parser.add_argument("--repeat", type=int)
    parser.add_argument("--budget", type=float, help="seconds for a subject at one size and link")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/out/compare.json"))
    parser.add_argument("--go-on", action="store_true", help="with what the file has not yet")
    args = parser.parse_args()
    given = {name: value for name, value in vars(args).items() if value is not None and name in FULL}
    chosen = (FULL if args.full else QUICK) | ({"also": ""} if "ours" in given else {}) | given
    try:
        everywhere, once = (protocols(chosen[name]) for name in ("ours", "also"))
    except argparse.ArgumentTypeError as e:
        parser.error(str(e))
    first = [name for name in DISCOVERED if name in {*everywhere, *once}]
    result = begun(args.out) if args.go_on and args.out.exists() else None
    if result is None:
        computing = {name: asdict(measure(DISCOVERED[name])) for name in first}
        result = document("compare", args.seed, links=[], subjects=subjects(first), computing=computing)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with suppress(KeyboardInterrupt):
        for number, link in enumerate(chosen["links"]):
            for n in sizes(chosen["sizes"]):
                if args.go_on and any((run["n"], run["link"]) == (n, link) for run in result["runs"]):
                    continue
                names = everywhere if number else first
                cell(result, names, link_of(link), n, repeat=chosen["repeat"], budget_s=chosen["budget"])
                keep(result, BASE, args.out)
    for row in result.get("summary", ()):
        told = row.get("gap") or f"{row['seconds']['median']:10.3f} s"
        ratio = f"{row['ratio']['median']:8.2f} x" if "ratio" in row else ""
        print(f"{row['link']:9} {row['n']:>9,} {row['subject']:26} {told} {ratio}")


if __name__ == "__main__":
    main()
