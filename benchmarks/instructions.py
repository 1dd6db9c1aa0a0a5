"""How many instructions the hot functions of the kernel take an item.

    python -m benchmarks.instructions [--check]

Counted by callgrind, which gives the same number whatever else the machine is doing, so a change of a per
cent shows that no clock would. Each function runs at two sizes; the difference, divided by the items
between them, is free of starting up. Counts depend on the compiler and on the instructions in use (valgrind
knows AVX2, not AVX-512), so they are compared only where both are as they were.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.results import RESULTS, ROOT

COMMITTED = RESULTS / "instructions.json"
TOLERANCE = 0.02
"""Of a count: what hash maps and threads that wait may change."""
SIZES = (1 << 15, 1 << 16)
"""So many that a thread that waits, for a while that no two runs share, does not show."""
OTHERS = dict.fromkeys(("oprf blind", "oprf evaluate", "curve25519 multiply"), (512, 1024)) | {
    "shamir split": (8, 16),
    "ring add masks": (1 << 20, 1 << 21),
    "field scale": (1 << 20, 1 << 21),
}
"""Where an item takes long enough for fewer, or so little that it takes more."""
NATIVE = ROOT / "crypto" / "native"


def built() -> Path:
    """The example ``hot``, compiled.

    Raises:
        subprocess.CalledProcessError: it does not compile.
    """
    subprocess.run(
        ["cargo", "build", "--release", "--locked", "--quiet", "--example", "hot"], cwd=NATIVE, check=True
    )
    target = Path(os.environ.get("CARGO_TARGET_DIR", NATIVE / "target"))
    return target / "release" / "examples" / "hot"


def counted(program: Path, *words: str) -> int:
    """Instructions of one run, all threads."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", str(program), *words]
        done = subprocess.run(
            command, env=os.environ | {"RAYON_NUM_THREADS": "1"}, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"valgrind ended with {done.returncode}: {done.stderr.strip()[-300:]}")
        return int(re.findall(r"^(?:summary|totals): (\d+)", out.read_text(), re.MULTILINE)[-1])


def measure(program: Path) -> dict[str, Any]:
    """Instructions an item of every function, with the compiler and the instructions in use."""
    said = subprocess.run(
        ["valgrind", "-q", "--tool=none", str(program)], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    rustc = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    counts = {}
    for name in said[1:]:
        few, many = OTHERS.get(name, SIZES)
        more = counted(program, name, str(many)) - counted(program, name, str(few))
        counts[name] = round(more / (many - few), 1)
        print(f"{name:24}{counts[name]:>14,.1f}", file=sys.stderr, flush=True)
    return {"rustc": rustc, "backends": said[0], "per_item": counts}


def worse(found: dict[str, Any], committed: dict[str, Any]) -> Sequence[str]:
    """What changed by more than the tolerance; both ways, so that a gain is written down too."""
    if (found["rustc"], found["backends"]) != (committed["rustc"], committed["backends"]):
        print("not compared: the compiler or the instructions in use are not those of the committed counts")
        return []
    before, now = committed["per_item"], found["per_item"]
    lines = [f"{name}: only on one side" for name in sorted(now.keys() ^ before.keys())]
    for name in sorted(now.keys() & before.keys()):
        change = now[name] / before[name] - 1
        if abs(change) > TOLERANCE:
            lines.append(
                f"{name}: {before[name]:,.1f} an item as committed, {now[name]:,.1f} now ({change:+.1%})"
            )
    return lines


def main() -> None:
    """Count, and compare or write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail if a count is not as committed")
    parser.add_argument("--out", type=Path, default=COMMITTED)
    args = parser.parse_args()
    if shutil.which("valgrind") is None:
        sys.exit("this needs valgrind (Debian: apt-get install valgrind)")
    found = measure(built())
    if not args.check:
        args.out.write_text(json.dumps(found, indent=1) + "\n")
        return
    changed = worse(found, json.loads(COMMITTED.read_text()))
    print("\n".join(changed) or "instruction counts are as committed")
    if changed:
        sys.exit("if that is meant: python -m benchmarks.instructions, and commit what it writes")


if __name__ == "__main__":
    main()
