"""The whole protocol beside openmined-psi, in one run: ``python -m benchmarks.peers [--n N] [--repeat 5]``.

Ours: two processes over loopback gRPC with mutual TLS, agreement, policy and ledger included (``cosight psi
--transport grpc``). Theirs: two processes over a socket pair, without TLS or any of these. Runs alternate
(A B A B); the ratio is the median of the ratios of neighbours. Each side may use both cores.
"""

import argparse
import json
import secrets
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import machine
from benchmarks.environment import interpreter

PINNED = "openmined-psi==2.0.6"


def ours(n: int) -> dict[str, float]:
    """One run of ours."""
    shared = [secrets.token_hex(16) for _ in range(n // 2)]
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for name in "ab":
            own = shared + [secrets.token_hex(16) for _ in range(n - len(shared))]
            files.append(Path(folder) / name)
            files[-1].write_text("\n".join(own))
        command = [sys.executable, "-m", "exchange", "psi", *files, "--transport", "grpc", "--json"]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    result = json.loads(done.stdout)
    assert result["intersection"]["count"] == len(shared)
    return {
        "seconds": result["seconds"]["total"],
        "bytes": result["bytes"]["receiver_sent"] + result["bytes"]["sender_sent"],
    }


def theirs(n: int, structure: str) -> dict[str, float]:
    """One run of openmined-psi."""
    script = Path(__file__).with_name("openmined.py")
    command = [interpreter("openmined", PINNED), script, "--n", str(n), "--structure", structure]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result = json.loads(done.stdout)
    assert result["exact"] or structure != "RAW"
    return {"seconds": result["seconds"], "bytes": result["server_sent"] + result["client_sent"]}


def main() -> None:
    """Run, print a table, and write the JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=1 << 14)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--structures", default="GCS,RAW")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    facts = machine.facts()
    print("\n".join(f"{key:12} {value}" for key, value in facts.items()))
    result = {"machine": facts, "n": args.n, "repeat": args.repeat, "peer": PINNED, "against": {}}
    print(
        f"\n{'against':14}{'ours s':>9}{'theirs s':>10}{'ratio':>8}{'ours B/item':>13}{'theirs B/item':>15}"
    )
    for structure in args.structures.split(","):
        pairs = [(ours(args.n), theirs(args.n, structure)) for _ in range(args.repeat)]
        ratios = [b["seconds"] / a["seconds"] for a, b in pairs]
        row = {
            "ours_s": statistics.median(a["seconds"] for a, _ in pairs),
            "theirs_s": statistics.median(b["seconds"] for _, b in pairs),
            "ratio": statistics.median(ratios),
            "ratio_min": min(ratios),
            "ratio_max": max(ratios),
            "ours_bytes_per_item": pairs[0][0]["bytes"] / args.n,
            "theirs_bytes_per_item": pairs[0][1]["bytes"] / args.n,
        }
        result["against"][structure] = row
        print(
            f"{structure:14}{row['ours_s']:9.3f}{row['theirs_s']:10.3f}{row['ratio']:8.2f}"
            f"{row['ours_bytes_per_item']:13.1f}{row['theirs_bytes_per_item']:15.1f}"
            f"   (ratio {row['ratio_min']:.2f}..{row['ratio_max']:.2f})"
        )
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
