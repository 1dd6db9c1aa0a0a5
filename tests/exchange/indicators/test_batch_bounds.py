"""A batch is bounded by what it holds, not only by how many."""

from pathlib import Path

import pytest

from exchange.indicators.readers import BATCH_CHARS, read


@pytest.mark.parametrize(
    ("head", "row"),
    [
        ("", "http://a{i}.com/" + "x" * 8000),
        ("ip,tags", "1.2.{h}.{l}," + ";".join(f"{{i}}-{j}" for j in range(64))),
    ],
    ids=["values", "contexts"],
)
def test_long_rows_make_small_batches(head: str, row: str, tmp_path: Path) -> None:
    path = tmp_path / "feed"
    lines = [row.format(i="y" * 180 + str(i), h=i // 256, l=i % 256) for i in range(1600)]
    if not head:
        lines = [row.format(i=i) for i in range(1600)]
    path.write_text("\n".join([head, *lines]).lstrip())
    batches = list(read(path))
    assert sum(map(len, batches)) == 1600
    assert len(batches) > 1
    for batch in batches:
        values = sum(len(v) for column in batch.values.values() for v in column)
        said = sum(c.chars for column in batch.contexts.values() for c in column.values())
        assert values + said < BATCH_CHARS * 1.1
