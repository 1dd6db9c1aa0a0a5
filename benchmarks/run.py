"""All that a researcher would want to see again: ``python -m benchmarks.run [--full] [--out DIR]``.

Ours beside the others over links, in aggregations and in filters; discoveries, imports, a ledger, instruction
counts; then tables and pictures of what was measured. What fails is said, and the rest goes on. To
publish what was measured, copy the JSON into ``benchmarks/results`` and run ``benchmarks.model``,
``benchmarks.document`` and ``benchmarks.pictures``.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path
from time import perf_counter

from benchmarks.results import blocks

QUICK = {
    "secagg": ("--n", "10^5", "--members", "30", "--lost", "3"),
    "discover": ("--n", "10^4", "--repeat", "1"),
    "filter": ("--n", "10^6"),
    "import": ("--n", "50000", "--repeat", "1"),
    "ledger": ("--n", "20000", "--repeat", "2"),
}
FULL = {
    "secagg": ("--n", "10^5,10^6", "--members", "100", "--lost", "10", "--repeat", "3"),
    "discover": ("--n", "10^5", "--repeat", "2"),
    "filter": ("--n", "10^6,10^7"),
    "import": ("--n", "200000"),
    "ledger": ("--n", "10^5"),
}
BESIDE = {"secagg": "benchmarks.masking", "filter": "benchmarks.filters_beside"}
"""Where packages are measured in turn with ours; the rest is what ``cosight bench`` measures."""


def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/out/run"))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    python = [sys.executable, "-m"]
    compare = [*python, "benchmarks.compare", "--out", str(args.out / "compare.json")]
    steps = {"compare": [*compare, "--full"] if args.full else compare}
    for kind, words in (FULL if args.full else QUICK).items():
        module = BESIDE.get(kind)
        command = (module,) if module else ("exchange", "bench", kind)
        steps[kind] = [*python, *command, *words, "--out", str(args.out / f"{kind}.json")]
    if shutil.which("valgrind"):
        steps["instructions"] = [
            *python,
            "benchmarks.instructions",
            "--out",
            str(args.out / "instructions.json"),
        ]
    failed = []
    for name, command in steps.items():
        print(f"== {name}", flush=True)
        start = perf_counter()
        if subprocess.run(command, check=False).returncode:
            failed.append(name)
        print(f"   {name} took {perf_counter() - start:.0f} s", flush=True)
    if subprocess.run([*python, "benchmarks.model", str(args.out)], check=False).returncode:
        failed.append("model")
    made = blocks(args.out, pictures="")
    (args.out / "tables.md").write_text(
        "\n\n".join(f"## {name}\n\n{text}" for name, text in made.items()) + "\n"
    )
    if subprocess.run([*python, "benchmarks.pictures", str(args.out), str(args.out)], check=False).returncode:
        failed.append("pictures")
    print(f"JSON, tables.md and pictures are in {args.out}")
    missing = [] if shutil.which("valgrind") else ["instructions: there is no valgrind here"]
    for line in (*missing, *(f"{name}: failed, see above" for name in failed)):
        print(f"gap  {line}")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
