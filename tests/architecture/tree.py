"""The files of the repository, as the tests of its architecture look at them."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("benchmarks", "crypto", "docs", "exchange", "proto", "tests", ".ci")
MADE = {"__pycache__", "target", "out", "v1"}
"""What tools make: caches, Cargo's output, results of benchmarks, generated protobuf code."""


def files(*endings: str) -> Iterator[Path]:
    """Every file that people wrote and whose name ends so."""
    yield from (p for p in sorted(ROOT.iterdir()) if p.is_file() and p.name.endswith(endings))
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            inside = path.relative_to(ROOT)
            generated = MADE.intersection(inside.parts) and inside.parts[0] != "proto"
            if path.is_file() and path.name.endswith(endings) and not generated:
                yield path


def name(path: Path) -> str:
    """A file as a test's id and message show it."""
    return path.relative_to(ROOT).as_posix()


@cache
def syntax(path: Path) -> ast.Module:
    """A Python file, parsed."""
    return ast.parse(path.read_text(), filename=str(path))
