"""The large public feeds: sizes and overlaps as documented beside them, and why a few differ."""

import json
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from exchange.indicators import IndicatorType, read
from tests.realdata import data_dir

pytestmark = pytest.mark.realdata

FILES = {
    "ipsum": "feeds/ipsum.tsv.gz",
    "sekio": "feeds/sekio-ips.txt.gz",
    "threatfox": "feeds/threatfox-ips.txt.gz",
    "tweetfeed": "feeds/tweetfeed-2026.csv.gz",
    "maltrail": "feeds/maltrail-malware.tsv.gz",
    "eset": "vendors/eset.tsv.gz",
    "sekoia": "vendors/sekoia.tsv.gz",
    "amnesty": "vendors/amnesty.tsv.gz",
    "unit42": "vendors/unit42.tsv.gz",
}

# Where the profile holds fewer than the documented sizes, and what it refuses or merges.
SIZES = {
    ("threatfox", "ipv4"): 19_856,  # 7 in 100.64.0.0/10, the shared address space of carriers
    ("tweetfeed", "ipv4"): 3_888,  # 1 not global
    ("unit42", "ipv4"): 3_034,  # 83 multicast and reserved: version numbers that look like addresses
    ("tweetfeed", "domain"): 24_751,  # 4 longer than a domain can be
    ("maltrail", "domain"): 930_537,  # 6,627 under .bazar, .bit and other roots that are not the DNS's
    ("amnesty", "email"): 48,  # 4 under .ccm
    ("unit42", "email"): 103,  # 1 under .local
    ("eset", "url"): 1_065,  # 46 are markup or under .bit; 2 differ by spelling only
    ("unit42", "url"): 8_490,  # 9 of private addresses; 2 more
    ("tweetfeed", "url"): 29_579,  # fragments and spelling
    ("maltrail", "url"): 49_952,  # spelling
}
# Canonical URLs meet where their spellings did not.
OVERLAPS = {("url", "sekoia", "maltrail"): 1, ("url", "tweetfeed", "maltrail"): 190}


# A list of paths: a file name has no looks of its own, so its type must be stated.
NOT_VALUES = {"2021-12-16_cytrox__file_paths.txt"}


@cache
def _feed(path: Path) -> tuple[dict[IndicatorType, set[str]], Counter[str]]:
    values: dict[IndicatorType, set[str]] = {}
    refused: Counter[str] = Counter()
    for batch in read(path):
        refused += batch.refused
        for kind, column in batch.values.items():
            values.setdefault(kind, set()).update(column)
    return values, refused


@pytest.mark.parametrize("name", FILES)
def test_sizes(name: str) -> None:
    documented = json.loads((data_dir() / "overlaps.json").read_text())["sizes"][name]
    values, _ = _feed(data_dir() / FILES[name])
    expected = {kind: SIZES.get((name, kind), size) for kind, size in documented.items()}
    assert {kind.value: len(found) for kind, found in values.items() if kind.value in expected} == expected


def test_every_documented_overlap() -> None:
    rows = (data_dir() / "overlaps.tsv").read_text().splitlines()[1:]
    for kind, a, _, b, _, count, _ in (row.split("\t") for row in rows):
        sets = [_feed(data_dir() / FILES[name])[0].get(IndicatorType(kind), set()) for name in (a, b)]
        assert len(sets[0] & sets[1]) == OVERLAPS.get((kind, a, b), int(count)), (kind, a, b)
    assert len(rows) == 95


def test_what_is_refused() -> None:
    assert _feed(data_dir() / FILES["ipsum"])[1] == {}
    assert _feed(data_dir() / FILES["threatfox"])[1] == {"not-global": 7}
    maltrail = _feed(data_dir() / FILES["maltrail"])[1]
    assert maltrail["no-scheme"] == 102_407, "a path, alone or after a host, is no URL without its scheme"
    assert maltrail.total() == 109_129


@pytest.mark.parametrize("folder", ["raw/sekoia", "raw/amnesty", "raw/eset"])
def test_raw_files_of_vendors_are_read(folder: str) -> None:
    for path in sorted((data_dir() / folder).iterdir()):
        values, refused = _feed(path)
        accepted = sum(map(len, values.values()))
        assert (accepted > refused.total()) is (path.name not in NOT_VALUES), path.name
