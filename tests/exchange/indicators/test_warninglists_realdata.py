"""The shipped warning lists against the large public feeds: the hits as documented beside them."""

import json
from functools import cache
from pathlib import Path
from time import process_time

import pytest

from exchange.indicators import IndicatorType
from exchange.indicators.warninglists import WarningLists, shipped_folder
from exchange.indicators.warninglists.lists import by_name, read_bytes, unzipped
from tests.exchange.indicators.test_realdata import FILES, _feed
from tests.realdata import data_dir

pytestmark = pytest.mark.realdata

# Documented as listed one by one: equal texts. Networks of the list hold more.
LISTED = {
    ("public-dns-v4", "ipsum"): (48, 48),
    ("public-dns-v4", "sekio"): (37, 37),
    ("public-dns-v4", "maltrail"): (31, 31),
    ("sinkholes", "maltrail"): (54, 508),
}


def column(name: str, kind: IndicatorType) -> list[str]:
    """The distinct canonical values of a type in a feed."""
    return list(_feed(data_dir() / FILES[name])[0][kind])


@cache
def shipped() -> WarningLists:
    return WarningLists.load()


def entries(path: Path) -> list[str]:
    found = json.loads(unzipped(read_bytes(path), path))["list"]
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize(("one", "feed"), LISTED)
def test_hits_as_documented(one: str, feed: str) -> None:
    values = column(feed, IndicatorType.IPV4)
    single, found = LISTED[one, feed]
    listed = set(entries(by_name(shipped_folder())[one]))
    assert len(listed.intersection(values)) == single
    hits = shipped().screen(IndicatorType.IPV4, values)[one]
    assert len(hits) == found
    assert listed.intersection(values) <= {values[i] for i in hits}


def test_what_sinkholes_hold_beyond_single_addresses() -> None:
    """Most of what is more than the documented 54 is in two listed networks, by their leading octets."""
    networks = [e for e in entries(by_name(shipped_folder())["sinkholes"]) if e.endswith("/24")]
    prefixes = tuple(network.rpartition(".")[0] + "." for network in networks)
    values = column("maltrail", IndicatorType.IPV4)
    hits = {values[i] for i in shipped().screen(IndicatorType.IPV4, values)["sinkholes"]}
    within = {value for value in values if value.startswith(prefixes)}
    assert len(within) == 258, "255 in 199.2.137.0/24, 3 in 143.215.130.0/24"
    assert within < hits


def test_the_shipped_lists_are_those_that_were_published() -> None:
    published = by_name(data_dir() / "warninglists")
    for name, path in by_name(shipped_folder()).items():
        assert unzipped(read_bytes(path), path) == unzipped(read_bytes(published[name]), published[name]), (
            name
        )


@pytest.mark.parametrize(
    ("feed", "kind"),
    [
        ("sekio", IndicatorType.IPV4),
        ("maltrail", IndicatorType.DOMAIN),
        ("unit42", IndicatorType.SHA256),
        ("maltrail", IndicatorType.URL),
    ],
)
def test_screening_costs_microseconds(feed: str, kind: IndicatorType) -> None:
    values = column(feed, kind)
    shipped().screen(kind, values[:1])
    begun = process_time()
    for start in range(0, len(values), 50_000):
        shipped().screen(kind, values[start : start + 50_000])
    each = (process_time() - begun) / len(values)
    assert each < 8e-6, "four times what it may take on a machine that does nothing else"
