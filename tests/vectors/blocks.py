"""Make ``blocks.json`` by the oracles: ``python -m tests.vectors.blocks``."""

import json
from hashlib import shake_256
from pathlib import Path
from typing import Any

from tests.reference import field, prg

PATH = Path(__file__).with_name("blocks.json")
EDGES = [0, 1, 2, 0x87, 2**64 - 1, 2**64, 2**127, 2**128 - 2**64, 2**128 - 1]
KEY, FIRST, COUNT = 0x0F0E0D0C0B0A09080706050403020100, 2**128 - 5, 21


def drawn(name: str, count: int) -> list[int]:
    data = shake_256(name.encode()).digest(16 * count)
    return [int.from_bytes(data[at : at + 16], "little") for at in range(0, len(data), 16)]


def vectors() -> dict[str, Any]:
    xs, ys = EDGES + drawn("x", COUNT), drawn("y", COUNT) + EDGES
    blocks = {
        "x": xs,
        "y": ys,
        "products": [field.multiply(x, y) for x, y in zip(xs, ys, strict=True)],
        "inner": [field.inner(xs, ys)],
        "powers": field.powers(ys[0], len(xs)),
        "key": [KEY],
        "first": [FIRST],
        "encrypt": [prg.encrypt(KEY, x) for x in xs],
        "ctr": prg.ctr(KEY, FIRST, len(xs)),
        "cr": prg.cr(KEY, xs),
        "tccr": prg.tccr(FIRST, xs),
    }
    return {name: [f"{block:032x}" for block in column] for name, column in blocks.items()}


if __name__ == "__main__":
    PATH.write_text(json.dumps(vectors(), indent=1) + "\n")
