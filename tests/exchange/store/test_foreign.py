"""Filters of other tools in a home: what is kept comes back, and what was damaged is said to be."""

import threading
from pathlib import Path

import pytest

from exchange.config import Home
from exchange.errors import ConfigError, CosightError, InputError
from exchange.identity.keys import NodeKeys
from exchange.interchange.bloom_filter2 import BloomFilter2, Probes
from exchange.interchange.dcso import DcsoFilter
from exchange.interchange.foreign import Form, Numbers
from exchange.interchange.pss import DEFAULT_KEY
from exchange.store import foreign
from exchange.store.foreign import ForeignFilters, read_path

VALUES = [f"h{n}.example.com" for n in range(50)]
DCSO = DcsoFilter.build(VALUES, capacity=50, fpr=0.01).to_bytes()
TWISTER = Numbers(50, 0.01, Probes.TWISTER)


@pytest.fixture
def filters(tmp_path: Path) -> ForeignFilters:
    return ForeignFilters(Home.init(tmp_path / "home", "acme", keys=NodeKeys.generate().to_pem()))


def put(filters: ForeignFilters, data: bytes, numbers: Numbers | None = None) -> None:
    filters.put("theirs", {"any.name": data}, numbers=numbers, key=DEFAULT_KEY)


def test_the_numbers_of_a_file_without_a_head_are_kept(filters: ForeignFilters) -> None:
    made = BloomFilter2.build(VALUES, capacity=50, error_rate=0.01, probes=Probes.TWISTER)
    put(filters, made.to_bytes(), TWISTER)
    found = filters.open("theirs")
    assert (found.form, found.held) == (Form.BLOOM_FILTER2, made)
    assert found.contains([*VALUES, "stranger.example.com"]) == [True] * 50 + [False]
    assert found.fpr == made.rate
    assert found.items is None


@pytest.mark.parametrize("about", [b"", b"{}", b"[]", b'{"form": "else"}', b'{"form": "bloom-filter2"}'])
def test_what_was_damaged_is_said_to_be(filters: ForeignFilters, about: bytes) -> None:
    put(filters, DCSO)
    (filters.folder / "theirs" / "about.json").write_bytes(about)
    with pytest.raises(ConfigError, match=r"about\.json is damaged"):
        filters.open("theirs")


def test_a_file_that_was_cut_or_lost_is_no_filter(filters: ForeignFilters) -> None:
    put(filters, DCSO)
    kept = filters.folder / "theirs" / "filter"
    kept.write_bytes(DCSO[:-1])
    with pytest.raises(InputError) as e:
        filters.open("theirs")
    assert e.value.code == "filter-malformed"
    kept.unlink()
    with pytest.raises(InputError):
        filters.open("theirs")


def test_what_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign, "MAX_BYTES", 100)
    (tmp_path / "large").write_bytes(bytes(101))
    with pytest.raises(InputError) as e:
        read_path(tmp_path / "large")
    assert e.value.code == "filter-unsupported"


def test_who_reads_while_others_replace_sees_a_whole_filter_or_none(filters: ForeignFilters) -> None:
    put(filters, DCSO)
    failed: list[CosightError] = []

    def replace() -> None:
        for _ in range(10):
            try:
                put(filters, DCSO)
            except ConfigError as e:  # of several at once, one may find the other's folder in its place
                failed.append(e)

    threads = [threading.Thread(target=replace) for _ in range(3)]
    for thread in threads:
        thread.start()
    seen = 0
    while any(thread.is_alive() for thread in threads):
        try:
            assert filters.open("theirs").contains(VALUES) == [True] * 50
            seen += 1
        except (ConfigError, InputError):
            continue
    for thread in threads:
        thread.join()
    assert filters.open("theirs").contains(VALUES) == [True] * 50
    assert [path.name for path in filters.folder.iterdir()] == ["theirs"]
    assert seen
