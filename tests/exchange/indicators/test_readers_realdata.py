"""Every file of the public feeds is read as what it is, and what is no list says so."""

import re

import pytest

from benchmarks.formats import Group, survey, table
from exchange.indicators import REASONS
from tests.architecture.tree import ROOT
from tests.realdata import data_dir

pytestmark = [pytest.mark.realdata, pytest.mark.slow, pytest.mark.timeout(900)]

FORMATS = {
    "LICENSES": {"report": 11},
    "email/disposable_email_blocklist.conf": {"text": 1},
    "feeds/ipsum.tsv.gz": {"csv": 1},
    "feeds/maltrail-malware.tsv.gz": {"csv": 1},
    "feeds/sekio-ips.txt.gz": {"text": 1},
    "feeds/threatfox-history": {"text": 8},
    "feeds/threatfox-ips.txt.gz": {"text": 1},
    "feeds/tweetfeed-2026.csv.gz": {"csv": 1},
    "misp/eset": {"misp": 57},
    "misp/eset-malformed": {},
    "misp/pymisp-tests": {"misp": 5},
    "misp/tweetfeed-feed": {"misp": 20},
    "raw/amnesty": {"text": 5},
    "raw/eset": {"report": 1, "text": 1},
    "raw/sekoia": {"csv": 14},
    "stix/amnesty-2.1": {"stix": 5},
    "stix/oasis-examples-2.1": {"stix": 11},
    "stix/oasis-idioms-2.1": {"stix": 42},
    "stix/sekoia-2.x": {"stix": 1},
    "stix/unit42-2.0": {"stix": 81},
    "vendors/amnesty.tsv.gz": {"csv": 1},
    "vendors/eset.tsv.gz": {"csv": 1},
    "vendors/sekoia.tsv.gz": {"csv": 1},
    "vendors/unit42.tsv.gz": {"csv": 1},
    "warninglists": {},
}
DISTINCT = {
    ("feeds/ipsum.tsv.gz", "ipv4"): 120_430,
    ("feeds/sekio-ips.txt.gz", "ipv4"): 188_044,
    ("feeds/threatfox-ips.txt.gz", "ipv4"): 19_856,
    ("feeds/maltrail-malware.tsv.gz", "domain"): 930_537,
    ("feeds/maltrail-malware.tsv.gz", "ipv4"): 129_006,
    ("feeds/tweetfeed-2026.csv.gz", "domain"): 24_751,
    ("raw/eset", "sha1"): 18,
    ("raw/amnesty", "domain"): 1_438,
}


@pytest.fixture(scope="module")
def groups() -> dict[str, Group]:
    return survey(data_dir())


def test_every_file_is_read_as_what_it_is(groups: dict[str, Group]) -> None:
    found = {name: dict(group.files) for name, group in groups.items() if name != "."}
    assert found == FORMATS


def test_only_what_is_no_list_is_an_error(groups: dict[str, Group]) -> None:
    errors = {name: group.errors for name, group in groups.items() if group.errors}
    assert set(errors) == {".", "misp/eset-malformed", "warninglists"}
    assert list(errors["."]) == ["overlaps.json"]
    assert re.search(
        r"malicious_pypi_packages.*line \d+, column \d+", *errors["misp/eset-malformed"].values()
    )
    assert len(errors["warninglists"]) == 39


def test_what_is_accepted(groups: dict[str, Group]) -> None:
    assert {(name, kind): groups[name].accepted[kind] for name, kind in DISTINCT} == DISTINCT


def test_every_value_is_accounted_for(groups: dict[str, Group]) -> None:
    for name, group in groups.items():
        assert group.read == group.accepted.total() + group.duplicates + group.refused.total(), name
        assert set(group.refused) <= REASONS.keys()
    assert groups["feeds/tweetfeed-2026.csv.gz"].contexts == 67_295, "all that is accepted says when"


def test_only_the_hashes_of_a_feed_of_misp_are_skipped(groups: dict[str, Group]) -> None:
    skipped = {name: set(group.skipped) for name, group in groups.items() if group.skipped}
    assert skipped == {"misp/tweetfeed-feed": {"hashes.csv.gz", "manifest.json.gz"}}


def test_the_table_has_a_row_for_each(groups: dict[str, Group]) -> None:
    rows = list(table(groups))
    assert len(rows) == 2 + len(groups)
    assert {row.count("|") for row in rows} == {8}


def test_the_page_shows_this_table(groups: dict[str, Group]) -> None:
    page = (ROOT / "docs/importing.md").read_text()
    shown = page.partition("<!-- formats -->\n")[2].partition("<!-- /formats -->")[0]
    assert shown.splitlines() == list(table(groups))
