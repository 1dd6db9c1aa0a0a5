"""The bundle is valid STIX 2.1 by the word of OASIS's own tools, and tells nothing that it should not."""

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import stix2
from hypothesis import given, settings
from hypothesis import strategies as st
from stix2patterns.validator import run_validator
from stix2validator import ValidationOptions, validate_string

from exchange.export import Format, Ids, render
from exchange.export.patterns import literal, pattern
from exchange.export.stix import TLP_IDS, bundle
from exchange.indicators import Indicator, IndicatorType, Tlp
from exchange.indicators.context import Context, Pap
from tests.exchange.export.results import EVERY, IDS, NOW, RICH, SINCE, Told, selected

ITEM = Indicator(IndicatorType.DOMAIN, "bad.example.com")
SECOND = timedelta(seconds=1)


def objects(export, *kinds: str, ids: Ids = IDS) -> list[dict]:
    return [o for o in bundle(export, ids)["objects"] if not kinds or o["type"] in kinds]


def one(context: Context | None = None, **how):
    return selected(ITEM, said=[[Told(Tlp.GREEN, context)]], **how)


def validated(export) -> list[str]:
    """Have the OASIS validator judge a bundle. Returns its warnings."""
    result = validate_string(render(Format.STIX, export, IDS).decode(), ValidationOptions(version="2.1"))
    assert result.errors == []
    return [str(w) for w in result.warnings]


@pytest.mark.parametrize(
    "export",
    [
        pytest.param(selected(), id="every type"),
        pytest.param(
            selected(said=[[Told(Tlp.CLEAR, RICH, own=True)] for _ in EVERY]), id="with all context"
        ),
        pytest.param(selected(*EVERY[:4], said=[[Told(tlp)] for tlp in list(Tlp)[:4]]), id="every marking"),
        pytest.param(selected(ceiling=Tlp.GREEN), id="without the peer"),
        pytest.param(selected(ITEM, said=[[Told(Tlp.RED)]]), id="nothing left"),
        pytest.param(selected(ITEM, said=[[]]), id="held no longer"),
    ],
)
def test_the_bundle_is_valid_and_loads(export) -> None:
    assert validated(export) == []
    loaded = stix2.parse(render(Format.STIX, export, IDS), allow_custom=False)
    assert len(loaded.objects) == len(objects(export))


def test_there_is_an_indicator_and_a_sighting_of_each_item_by_both() -> None:
    export = selected()
    named = {o["name"]: o["id"] for o in objects(export, "identity")}
    assert set(named) == {"alice", "bob"}
    things = objects(export, "indicator", "vulnerability")
    assert [o["name"] for o in things] == [i.value for i in EVERY]
    sightings = objects(export, "sighting")
    assert [s["sighting_of_ref"] for s in sightings] == [o["id"] for o in things]
    assert {tuple(s["where_sighted_refs"]) for s in sightings} == {(named["alice"], named["bob"])}


def test_nothing_refers_outside_the_bundle_and_no_id_is_there_twice() -> None:
    there = objects(selected(said=[[Told(Tlp.AMBER, RICH)] for _ in EVERY]))
    ids = [o["id"] for o in there]
    assert len(set(ids)) == len(ids)
    for o in there:
        refs = [v for k, v in o.items() if k.endswith("_ref")]
        refs += [r for k, v in o.items() if k.endswith("_refs") for r in v]
        assert set(refs) <= set(ids)
        assert o["type"] == "marking-definition" or o["object_marking_refs"]


def test_there_are_no_observables() -> None:
    known = {"marking-definition", "identity", "indicator", "vulnerability", "sighting", "malware",
             "attack-pattern", "relationship"}  # fmt: skip
    assert {o["type"] for o in objects(selected(said=[[Told(Tlp.GREEN, RICH)] for _ in EVERY]))} == known


def test_identifiers_stay_here_and_mean_nothing_elsewhere() -> None:
    ours, again = selected(), selected(floor=Tlp.AMBER)
    theirs = {o["id"] for o in objects(ours, ids=Ids(bytes(32)))}
    mine = {o["id"] for o in objects(ours)}
    things = {o["id"] for o in objects(ours, "indicator", "vulnerability", "sighting", "identity")}
    assert things <= {o["id"] for o in objects(again)}, "a second export updates the first"
    assert mine & theirs == set(TLP_IDS.values()) & mine
    assert all(UUID(i.partition("--")[2]).version == 4 for i in things)
    observable = stix2.IPv4Address(value="8.8.4.4").id.partition("--")[2]
    assert observable not in json.dumps(bundle(ours, IDS))


def test_the_id_depends_on_type_and_value_alone() -> None:
    same = "ab" * 16
    pair = selected(Indicator(IndicatorType.MD5, same), Indicator(IndicatorType.JA3, same))
    ids = [o["id"] for o in objects(pair, "indicator")]
    assert len(set(ids)) == 2
    alone = objects(selected(Indicator(IndicatorType.MD5, same)), "indicator")[0]["id"]
    assert alone == ids[0]


def test_markings_are_those_of_oasis() -> None:
    export = selected(*EVERY[:4], said=[[Told(tlp)] for tlp in list(Tlp)[:4]])
    defined = {o["name"]: o for o in objects(export, "marking-definition")}
    assert set(defined) == {"TLP:CLEAR", "TLP:GREEN", "TLP:AMBER", "TLP:AMBER+STRICT"}
    assert defined["TLP:AMBER+STRICT"] == {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
        "created": "2022-10-01T00:00:00.000Z",
        "name": "TLP:AMBER+STRICT",
        "extensions": {
            "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d": {
                "extension_type": "property-extension",
                "tlp_2_0": "amber+strict",
            }
        },
    }
    marks = [o["object_marking_refs"] for o in objects(export, "indicator")]
    assert marks == [[TLP_IDS[tlp]] for tlp in list(Tlp)[:4]]
    about_peer = [o["object_marking_refs"] for o in objects(export, "sighting")]
    amber, strict = [TLP_IDS[Tlp.AMBER]], [TLP_IDS[Tlp.AMBER_STRICT]]
    assert about_peer == [amber, amber, amber, strict]
    assert next(o for o in objects(export, "identity") if o["name"] == "bob")["object_marking_refs"] == amber


def test_a_ceiling_under_amber_names_nobody() -> None:
    export = selected(ITEM, ceiling=Tlp.GREEN)
    assert objects(export, "sighting") == []
    assert b"bob" not in render(Format.STIX, export, IDS)
    assert {o["name"] for o in objects(export, "marking-definition")} == {"TLP:CLEAR", "TLP:GREEN"}


def test_the_context_of_our_sources_goes_along() -> None:
    export = selected(ITEM, said=[[Told(Tlp.GREEN, RICH, own=True)]])
    (indicator,) = objects(export, "indicator")
    (sighting,) = objects(export, "sighting")
    assert indicator["valid_from"] == sighting["first_seen"] == "2026-01-02T03:04:05.678Z"
    assert indicator["valid_until"] == "2027-01-01T00:00:00.000Z"
    assert indicator["created"] == "2026-08-01T00:00:00.000Z"
    assert indicator["modified"] == "2026-09-01T12:00:00.000Z"
    assert (indicator["confidence"], indicator["description"]) == (80, "seen in June")
    assert (indicator["indicator_types"], indicator["labels"]) == (["malicious-activity"], ["phishing"])
    phase = {"kill_chain_name": "mitre-attack", "phase_name": "initial-access"}
    assert indicator["kill_chain_phases"] == [phase]
    assert (sighting["count"], sighting["last_seen"]) == (7, "2026-07-01T00:00:00.000Z")
    assert sighting["labels"] == ["own-observation"]
    statements = {
        o["id"]: o["definition"] for o in objects(export, "marking-definition") if "definition" in o
    }
    assert list(statements.values()) == [{"statement": "PAP:AMBER"}]
    assert set(statements) < set(indicator["object_marking_refs"])
    assert set(statements) < set(sighting["object_marking_refs"])
    named = {o["name"]: o for o in objects(export, "malware", "attack-pattern")}
    assert set(named) == {"agent tesla", "redline", "T1566.001"}
    assert named["T1566.001"]["external_references"][0]["external_id"] == "T1566.001"
    links = {(o["source_ref"], o["target_ref"]) for o in objects(export, "relationship")}
    assert links == {(indicator["id"], o["id"]) for o in named.values()}
    assert "told us" not in json.dumps(bundle(export, IDS)), "who told us is ours to know"


def test_a_name_is_as_open_as_the_most_open_thing_that_has_it() -> None:
    said = [[Told(Tlp.AMBER, RICH)], [Told(Tlp.CLEAR, Context(malware=("redline",)))]]
    named = {o["name"]: o for o in objects(selected(*EVERY[:2], said=said), "malware")}
    assert named["redline"]["object_marking_refs"] == [TLP_IDS[Tlp.CLEAR]]
    assert named["agent tesla"]["object_marking_refs"] == [TLP_IDS[Tlp.AMBER]]


@pytest.mark.parametrize(
    "context",
    [
        pytest.param(Context(first_seen=NOW + SECOND), id="seen tomorrow"),
        pytest.param(Context(first_seen=SINCE + SECOND, last_seen=SINCE), id="seen last before first"),
        pytest.param(Context(valid_until=SINCE - SECOND), id="expired before it came"),
        pytest.param(Context(valid_until=SINCE, first_seen=SINCE), id="expired when first seen"),
        pytest.param(Context(sightings=10**12), id="counted too far"),
        pytest.param(Context(sightings=0, confidence=0), id="zeros"),
        pytest.param(Context(phases=("recon", ":x", "x:", "a:b:c")), id="phases of no chain"),
        pytest.param(Context(tags=("unknown",)), id="a type for a tag"),
        pytest.param(Context(comment='"\\\u2028\x7f</script>', malware=("\U0001f480",)), id="odd texts"),
        pytest.param(Context(pap=Pap.RED), id="PAP alone"),
    ],
)
def test_whatever_a_feed_says_is_valid_stix(context: Context) -> None:
    export = one(context)
    validated(export)
    stix2.parse(render(Format.STIX, export, IDS))


def test_odd_words_are_kept_as_labels() -> None:
    (indicator,) = objects(one(Context(phases=("recon", "a:b"), tags=("benign", "x"))), "indicator")
    assert (indicator["labels"], indicator["indicator_types"]) == (["x", "recon"], ["benign"])


CONTEXTS = st.builds(
    Context,
    pap=st.none() | st.sampled_from(Pap),
    first_seen=st.none() | st.datetimes(datetime(1980, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    valid_until=st.none() | st.sampled_from((NOW, SINCE, NOW - SECOND)),
    confidence=st.none() | st.integers(0, 100),
    sightings=st.none() | st.integers(0, 1 << 40),
    malware=st.lists(st.text(min_size=1, max_size=5), max_size=2, unique=True).map(tuple),
    tags=st.lists(st.text(min_size=1, max_size=5), max_size=2, unique=True).map(tuple),
    comment=st.text(max_size=20),
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(EVERY), CONTEXTS), max_size=3, unique_by=lambda pair: pair[0]))
def test_any_context_gives_a_bundle_that_loads(pairs) -> None:
    export = (
        selected(*[i for i, _ in pairs], said=[[Told(Tlp.GREEN, c)] for _, c in pairs]) if pairs else one()
    )
    stix2.parse(render(Format.STIX, export, IDS), allow_custom=False)


@pytest.mark.parametrize("indicator", [i for i in EVERY if i.type is not IndicatorType.CVE], ids=str)
def test_the_pattern_is_one_comparison(indicator: Indicator) -> None:
    written = pattern(indicator)
    assert run_validator(written, stix_version="2.1") == []
    assert written.count(" = ") == 1


@given(st.text())
def test_any_text_is_a_literal(text: str) -> None:
    written = literal(text)
    assert written[0] == written[-1] == "'"
    assert written[1:-1].replace("\\'", "'").replace("\\\\", "\\") == text or "\\" in text
    assert run_validator(f"[mutex:name = {written}]", stix_version="2.1") == []
