"""Eight days of a real feed, each a delivery: the deltas are those of the files."""

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from exchange.indicators import IndicatorType, read
from exchange.store import Store
from tests.realdata import data_dir

pytestmark = pytest.mark.realdata

# By diff of the raw files, as data/README.md gives them.
PUBLISHED = [(139, 263), (73, 166), (671, 155), (332, 277), (139, 172), (152, 109), (238, 113)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    yield store
    store.close()


def test_threatfox_day_by_day(store: Store) -> None:
    """Every day has the same seven addresses in 100.64.0.0/10, so that no delta differs from the files'."""
    deltas = []
    files = sorted((data_dir() / "feeds" / "threatfox-history").glob("*.txt.gz"))
    for day, path in enumerate(files, start=15):
        now = datetime(2026, 8, day, tzinfo=UTC)
        report = store.import_indicators(read(path), source="threatfox", now=now)
        deltas.append((report.added, report.removed))
        lines = len(set(gzip.decompress(path.read_bytes()).split()))
        assert report.refused == {"not-global": 7}
        assert store.size(list(IndicatorType), now=now) == report.added + report.unchanged == lines - 7
    assert deltas == [(19_367, 0), *PUBLISHED]
