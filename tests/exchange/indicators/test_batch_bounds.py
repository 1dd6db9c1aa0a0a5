"""A batch is bounded by what it holds, not only by how many."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from exchange.indicators.readers import BATCH_CHARS, read

ROWS = 1600


def long_value(i: int) -> str:
    return f"http://a{i}.com/{'x' * 8000}"


def long_context(i: int) -> str:
    tags = [f"{'y' * 180}{i}-{j}" for j in range(64)]
    return json.dumps({"ip": f"1.2.{i // 256}.{i % 256}", "tags": tags})


@pytest.mark.parametrize("row", [long_value, long_context])
def test_long_rows_make_small_batches(row: Callable[[int], str], tmp_path: Path) -> None:
    path = tmp_path / "feed"
    path.write_text("\n".join(map(row, range(ROWS))))
    batches = list(read(path))
    assert sum(map(len, batches)) == ROWS
    assert len(batches) > 1
    for batch in batches:
        values = sum(len(v) for column in batch.values.values() for v in column)
        said = sum(c.chars for column in batch.contexts.values() for c in column.values())
        assert values + said < BATCH_CHARS * 1.1
