"""MISP: feeds, files that are none, events that mean harm, and real ones."""

import json
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.errors import InputError
from exchange.indicators import Batch, IndicatorType, read
from exchange.indicators.readers import misp
from exchange.indicators.readers.base import Options
from exchange.indicators.tlp import Tlp
from tests.exchange.indicators import misp_events
from tests.exchange.indicators.misp_events import EVENT, MD5, attribute, event, tags, whole
from tests.realdata import data_dir

IDS = ["1b0e1c0e-0000-4000-8000-00000000000" + digit for digit in "123"]
MANIFEST = "misp/tweetfeed-feed/manifest.json.gz"


@pytest.fixture
def write(tmp_path):
    return partial(misp_events.write, tmp_path)


def test_a_large_event_waits_on_disk_for_its_header(write, monkeypatch) -> None:
    monkeypatch.setattr(misp, "_IN_MEMORY", 1000)
    many = [attribute("domain", f"a{i}.com") for i in range(500)]
    batch = whole(write({"Event": {"Attribute": many, "Tag": tags("tlp:red")}}))
    assert [batch.contexts[IndicatorType.DOMAIN][i].tlp for i in range(500)] == [Tlp.RED] * 500


@pytest.fixture
def feed(write):
    manifest = {i: {"info": "x", "Orgc": {"name": "Example"}, "timestamp": "1"} for i in IDS}
    write(event(attribute("domain", "a.com")), f"{IDS[0]}.json")
    write(event(attribute("domain", "b.com"), Tag=tags("tlp:x")), f"{IDS[1]}.json.gz")
    return write(manifest | {"../../etc/passwd": {}}, "manifest.json")


def test_a_manifest_reads_the_events_beside_it(feed: Path) -> None:
    assert misp.event_files(feed) == [feed.parent / f"{IDS[0]}.json", feed.parent / f"{IDS[1]}.json.gz"]
    batch = whole(feed)
    assert batch.values == {"domain": ["a.com", "b.com"]}
    assert batch.notes == {"missing-events": 1, "unknown-marking": 1}


def test_a_manifest_beside_itself(write) -> None:
    write({IDS[1]: {}}, f"{IDS[0]}.json")
    with pytest.raises(InputError, match="manifest where an event was expected"):
        whole(write({IDS[0]: {}}, "manifest.json"))


def test_is_manifest(feed: Path, write) -> None:
    assert misp.is_manifest(feed.read_text())
    assert misp.is_manifest(f'\n{{\n "{IDS[0].upper()}" : {{')
    assert not misp.is_manifest(write(EVENT).read_text())
    assert not misp.is_manifest('{"123": [{"ioc_value": "evil.com"}]}')


def test_hashes_of_a_feed_are_no_indicators(write) -> None:
    with pytest.raises(InputError, match="unsalted MD5") as raised:
        whole(write(f"{MD5},{IDS[0]}\n" * 20, "hashes.csv"))
    assert "manifest.json" in raised.value.hint


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{}", "no MISP event"),
        ("[]", "no MISP event"),
        ('{"response": []}', "no MISP event"),
        ('{"other": {"Attribute": [{"type": "domain"}]}}', "no MISP event"),
        ('{"Event": {"Attribute": [\n{"type": "domain" "value"', "line 2, column 19: not JSON"),
        ('{"Event": {"info": "x"', "not JSON"),
        ("nonsense", "not JSON"),
    ],
)
def test_what_is_no_event_is_an_error_of_the_input(write, document: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        list(read(write(document), format="misp"))


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
NAMES = [
    *misp._KEPT,
    *misp._OF_OBJECT,
    "distribution",
    "Tag",
    "Galaxy",
    "GalaxyCluster",
    "Attribute",
    "Object",
]
NAMES += ["ShadowAttribute", "Orgc", "info", "date", "name", "deleted", "data", "response", "item"]
WRONG = st.recursive(
    JUNK | st.sampled_from(["domain", "domain|ip", "evil.com|8.8.8.8", "tlp:red", "1", "0", "2026-01-01"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(
    document=st.dictionaries(st.sampled_from(["Event", "response", "Attribute", "Object"]), WRONG, min_size=1)
)
def test_wrong_types_everywhere(tmp_path_factory, document: object) -> None:
    path = tmp_path_factory.mktemp("misp") / "wrong.json"
    path.write_text(json.dumps(document))
    found = tried(path)
    assert not isinstance(found, InputError) or "no MISP event" in str(found)


def tried(path: Path) -> list[Batch] | InputError:
    try:
        return list(read(path, format="misp", options=Options(every_attribute=True)))
    except InputError as e:
        return e


@pytest.fixture(scope="module")
def census() -> Batch:
    total = Batch()
    for path in [*sorted((data_dir() / "misp/eset").iterdir()), data_dir() / MANIFEST]:
        for batch in read(path, format="misp"):
            total.refused += batch.refused
            total.notes += batch.notes
            for kind, column in batch.values.items():
                total.values.setdefault(kind, []).extend(column)
    return total


@pytest.mark.realdata
def test_the_census_of_77_events(census: Batch) -> None:
    """Of 11,447 attributes 8,579 are meant for detection; composites among these are two values each."""
    assert census.refused["not-for-detection"] + census.refused["victim-field"] == 11_447 - 8_579
    assert {k.value: len(v) for k, v in census.values.items()} == {
        "domain": 3_312,
        "url": 3_333,
        "ipv4": 667,
        "sha256": 534,
        "sha1": 376,
        "md5": 364,
        "file-name": 127,
        "email": 1,
    }
    assert census.refused == {
        "not-for-detection": 2_862,
        "victim-field": 6,
        "unsupported-type": 60,
        "unsupported-scheme": 8,
        "too-long": 4,
        "not-global": 1,
    }
    assert census.notes == {"missing-events": 345}


@pytest.mark.realdata
def test_a_published_event_that_is_no_json() -> None:
    (path,) = (data_dir() / "misp/eset-malformed").iterdir()
    with pytest.raises(InputError, match=r"misp-event\.json\.gz, line 37374, column 9: not JSON"):
        list(read(path))


@pytest.mark.realdata
def test_events_of_others_tests() -> None:
    for path in sorted((data_dir() / "misp/pymisp-tests").iterdir()):
        assert sum(len(batch) for batch in read(path)), path
