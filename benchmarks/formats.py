"""What every file of a folder of feeds is read as, and what comes of it, group by group.

Run: ``python -m benchmarks.formats DATA_DIR [--json]``. A group is a folder; files of ``feeds`` and the like
stand for themselves. Nothing is stored: duplicates are values that were there before in the same group.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from exchange.errors import InputError
from exchange.indicators.readers import detect, read
from exchange.indicators.readers.folder import Skipped, expand
from exchange.indicators.readers.source import Source

_EACH_BY_ITSELF = ("feeds", "vendors", "email")


@dataclass
class Group:
    """What came of the files of a group.

    Attributes:
        files: how many were read, by format.
        read: how many values there were.
        accepted: how many distinct indicators, by type.
        duplicates: how many values were indicators that the group had already.
        refused: how many values, by reason.
        contexts: how many indicators came with something said of them.
        notes: what else was counted.
        errors: what was no input, file by file.
        skipped: files of folders that are no data, and why.
    """

    files: Counter[str] = field(default_factory=Counter)
    read: int = 0
    accepted: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    contexts: int = 0
    notes: Counter[str] = field(default_factory=Counter)
    errors: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """All fields, for scripts."""
        return {name: dict(v) if isinstance(v, Counter) else v for name, v in vars(self).items()}


def survey(data: Path) -> dict[str, Group]:
    """Read every file below a folder.

    Args:
        data: the folder.
    """
    paths: dict[str, list[Path]] = {}
    for path in sorted(data.rglob("*")):
        if path.is_file():
            paths.setdefault(_group(path.relative_to(data)), []).append(path)
    return {name: _surveyed(name, data, members) for name, members in paths.items()}


def _group(path: Path) -> str:
    if path.parts[0] in _EACH_BY_ITSELF and len(path.parts) == 2:
        return str(path)
    return str(path.parent)


def _surveyed(name: str, data: Path, members: list[Path]) -> Group:
    group, seen = Group(), set[tuple[str, str]]()
    for one in expand([data / name] if (data / name).is_dir() and name != "." else members):
        if isinstance(one, Skipped):
            group.skipped[one.path.name] = one.why
        elif one.path in members:
            try:
                _add(group, seen, one.path)
            except InputError as e:
                group.errors[one.path.name] = str(e).replace(str(data), "DATA_DIR")
    return group


def _add(group: Group, seen: set[tuple[str, str]], path: Path) -> None:
    with Source.open(path) as source:
        format_ = detect(source)
    for batch in read(path, format=format_):
        group.read += len(batch)
        group.refused += batch.refused
        group.notes += batch.notes
        group.contexts += sum(map(len, batch.contexts.values()))
        for kind, values in batch.values.items():
            before = len(seen)
            seen.update((kind.value, value) for value in values)
            group.accepted[kind.value] += len(seen) - before
            group.duplicates += len(values) - (len(seen) - before)
    group.files[format_] += 1


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{n:,} {name}" for name, n in counts.most_common()) or "-"


def table(groups: dict[str, Group]) -> Iterable[str]:
    """A table of Markdown, line by line.

    Args:
        groups: from ``survey``.
    """
    yield "| data | files | read | accepted | duplicates | refused | no input |"
    yield "|---|---|---:|---|---:|---|---|"
    for name, group in groups.items():
        errors = f"{len(group.errors)} files" if group.errors else "-"
        cells = [name, _counts(group.files), f"{group.read:,}", _counts(group.accepted)]
        cells += [f"{group.duplicates:,}", _counts(group.refused), errors]
        yield f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the table, or everything as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    groups = survey(arguments.data)
    if arguments.json:
        print(json.dumps({name: group.to_json() for name, group in groups.items()}, indent=1))
    else:
        print("\n".join(table(groups)))


if __name__ == "__main__":
    main()
