"""Noise that members make together: ``python -m benchmarks.noise [--json]``.

What one member spends on a million words: the table, once for each opening, and the draws. The best of some
calls in one process, which has one thread for it.
"""

import argparse
import json
from typing import Any

from benchmarks.runs import timed
from crypto.secagg.noise import MOST_SCALE, Noise
from exchange.bench import machine

WORDS = 1_000_000
CALLS = 5
SETTINGS = (
    ("count, epsilon 1", 1000, 1),
    ("count, epsilon 0.1", 100, 1),
    ("largest table", 1000, MOST_SCALE),
)


def measured(honest: int = 12) -> list[dict[str, Any]]:
    """Seconds for each setting; ``h`` is that of 30 members unless another is given."""
    rows = []
    for name, epsilon_milli, cap in SETTINGS:
        made = [
            timed(lambda e=epsilon_milli, c=cap: Noise(epsilon_milli=e, cap=c, honest=honest))
            for _ in range(2)
        ]
        noise = Noise(epsilon_milli=epsilon_milli, cap=cap, honest=honest)
        rows.append({
            "setting": name,
            "entries": noise.furthest,
            "table_s": round(min(made), 4),
            "draws_s": round(min(timed(lambda n=noise: n.draw(WORDS)) for _ in range(CALLS)), 4),
        })  # fmt: skip
    return rows


def table(result: dict[str, Any]) -> str:
    """The results for people."""
    lines = [machine.describe(result["machine"])]
    lines.append(f"\n{'noise':22}{'entries':>10}{'table, s':>12}{f'{WORDS:,} words, s':>22}")
    lines += [
        f"{row['setting']:22}{row['entries']:10,}{row['table_s']:12.4f}{row['draws_s']:22.3f}"
        for row in result["noise"]
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.noise", description="Shares of noise.")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    arguments = parser.parse_args()
    result = {"benchmark": "noise", "machine": machine.facts(), "noise": measured()}
    print(json.dumps(result) if arguments.json else table(result))


if __name__ == "__main__":
    main()
