"""What the peer says goes along under the peer's marking, as its own words, and changes nothing of ours."""

import csv
import io
import json
from datetime import timedelta
from pathlib import Path

import pytest
import stix2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stix2validator import ValidationOptions, validate_string

from exchange.export import Export, Format, MatchResult, PeerSays, render, select
from exchange.export.selection import closed
from exchange.export.stix import TLP_IDS, bundle
from exchange.export.table import COLUMNS
from exchange.export.words import MAX_CELL_CHARS, cell, lines
from exchange.indicators import Indicator, IndicatorType, Tlp
from exchange.indicators.context import Context, Pap
from tests.exchange.export.results import EVERY, IDS, NOW, RICH, Told, printed, selected
from tests.exchange.export.test_round_trip import again

ITEM = Indicator(IndicatorType.DOMAIN, "bad.example.com")
LATER = NOW + timedelta(seconds=1)
SURE = Context(confidence=80)
OURS = Context(pap=Pap.GREEN, confidence=30, tags=("ours",), comment="seen in June")


def one(theirs: Context | None, *said: Told, **how) -> Export:
    return selected(ITEM, said=[list(said or (Told(Tlp.GREEN, OURS),))], theirs=[theirs], **how)


def says(export: Export) -> PeerSays | None:
    (item,) = export.items
    return item.peer_says


def notes(export: Export) -> list[dict]:
    return [o for o in bundle(export, IDS)["objects"] if o["type"] == "note"]


def attribute(export: Export) -> dict:
    (found,) = json.loads(render(Format.MISP, export, IDS))["Event"]["Attribute"]
    return found


def row(export: Export) -> dict[str, str]:
    table = io.StringIO(render(Format.CSV, export, IDS).decode(), newline="")
    (found,) = csv.DictReader(table)
    return found


@pytest.mark.parametrize(
    ("tlp", "ours", "floor", "marking"),
    [
        (None, Tlp.GREEN, Tlp.CLEAR, Tlp.AMBER),
        (Tlp.CLEAR, Tlp.CLEAR, Tlp.CLEAR, Tlp.AMBER),
        (Tlp.AMBER_STRICT, Tlp.GREEN, Tlp.CLEAR, Tlp.AMBER_STRICT),
        (Tlp.GREEN, Tlp.AMBER_STRICT, Tlp.CLEAR, Tlp.AMBER_STRICT),
        (Tlp.CLEAR, Tlp.CLEAR, Tlp.AMBER_STRICT, Tlp.AMBER_STRICT),
    ],
)
def test_it_is_as_closed_as_the_peer_the_item_and_the_naming_of_the_peer(
    tlp: Tlp | None, ours: Tlp, floor: Tlp, marking: Tlp
) -> None:
    export = one(Context(tlp=tlp, confidence=80), Told(ours), floor=floor)
    assert says(export) == PeerSays(marking, SURE)
    assert export.items[0].tlp is max(ours, floor, key=closed), "that the peer is closed does not close ours"


def test_what_must_not_be_written_is_left_out_and_counted() -> None:
    red, strict = (Context(tlp=tlp, confidence=80) for tlp in (Tlp.RED, Tlp.AMBER_STRICT))
    embargoed = Context(not_before=LATER, confidence=80)
    for context, how, reason in (
        (red, {}, "tlp"),
        (strict, {"ceiling": Tlp.AMBER}, "tlp"),
        (Context(tlp=Tlp.CLEAR, confidence=80), {"ceiling": Tlp.GREEN}, "tlp"),
        (embargoed, {}, "embargo"),
    ):
        export = one(context, **how)
        assert (says(export), export.peer_left_out, export.left_out) == (None, {reason: 1}, {})
        for form in Format:
            assert render(form, export, IDS) == render(form, one(None, **how), IDS)
    free = one(Context(not_before=NOW, confidence=80))
    assert (says(free), free.peer_left_out) == (
        PeerSays(Tlp.AMBER, Context(pap=Pap.GREEN, confidence=80)),
        {},
    )


def test_of_an_item_that_is_not_written_nothing_is_said_or_counted() -> None:
    export = one(SURE, Told(Tlp.RED))
    assert (export.items, export.left_out, export.peer_left_out) == ((), {"tlp": 1}, {})


@pytest.mark.parametrize(
    "context",
    [None, Context(tlp=Tlp.RED, pap=Pap.RED, not_before=LATER), Context(tlp=Tlp.GREEN, producer="somebody")],
)
def test_markings_without_words_are_nothing(context: Context | None) -> None:
    export = one(context)
    assert (says(export), export.peer_left_out) == (None, {})


@pytest.mark.parametrize(
    ("ours", "theirs", "pap"),
    [(Pap.GREEN, Pap.RED, Pap.RED), (Pap.AMBER, None, Pap.AMBER), (None, Pap.CLEAR, Pap.CLEAR),
     (Pap.RED, Pap.GREEN, Pap.RED), (None, None, None)],
)  # fmt: skip
def test_of_the_two_paps_the_more_closed_holds(ours: Pap | None, theirs: Pap | None, pap: Pap | None) -> None:
    export = one(Context(pap=theirs, confidence=80), Told(Tlp.GREEN, Context(pap=ours, confidence=1)))
    assert says(export) == PeerSays(Tlp.AMBER, Context(pap=pap, confidence=80))
    assert export.items[0].context.pap is ours
    marks = notes(export)[0]["object_marking_refs"]
    assert len(marks) == 1 + (pap is not None)
    assert [t["name"] for t in attribute(export)["Tag"] if "PAP" in t["name"]] == (
        [f"PAP:{pap}"] if pap else []
    )
    assert row(export)["pap"] == (pap or "")


def test_in_stix_it_is_a_note_on_the_item_by_the_peer() -> None:
    export = one(RICH)
    objects = {o["type"]: o for o in bundle(export, IDS)["objects"]}
    note, indicator = objects["note"], objects["indicator"]
    assert (note["abstract"], note["authors"], note["confidence"]) == ("What bob says", ["bob"], 80)
    assert (note["object_refs"], note["created_by_ref"]) == ([indicator["id"]], indicator["created_by_ref"])
    assert note["content"].split("\n") == [
        "confidence 80", "sightings 7", "first seen 2026-01-02T03:04:05.678901+00:00",
        "last seen 2026-07-01T00:00:00+00:00", "valid until 2027-01-01T00:00:00+00:00",
        "malware agent tesla, redline", "techniques T1566.001", "phases mitre-attack:initial-access",
        "tags malicious-activity, phishing", "comment seen in June",
    ]  # fmt: skip
    assert note["object_marking_refs"][0] == TLP_IDS[Tlp.AMBER]
    assert indicator["confidence"] == 30, "ours stays ours"
    assert "malware" not in objects, "what the peer says indicates nothing by our word"


def test_a_vulnerability_has_its_note_too() -> None:
    item = Indicator(IndicatorType.CVE, "CVE-2021-44228")
    (note,) = notes(selected(item, theirs=[SURE]))
    assert note["object_refs"][0].startswith("vulnerability--")


def test_the_note_of_a_peer_on_an_item_is_one() -> None:
    first, later = notes(one(SURE)), notes(one(RICH, floor=Tlp.AMBER_STRICT))
    assert first[0]["id"] == later[0]["id"], "a second export updates the first"
    other = MatchResult.of("5e55" * 8, "carol", [ITEM], [SURE])
    theirs = notes(select(other, [[Told()]], member="alice", now=NOW))
    two = notes(selected(*EVERY[:2], theirs=[SURE, SURE]))
    assert len({n["id"] for n in (*first, *theirs, *two)}) == 4


def test_every_item_with_a_note_is_valid_stix_without_warnings() -> None:
    theirs = [
        Context(tlp=list(Tlp)[n % 4], pap=list(Pap)[n % 4], comment="it's so") for n in range(len(EVERY))
    ]
    for export in (selected(theirs=theirs), selected(theirs=[RICH] * len(EVERY), said=[[] for _ in EVERY])):
        written = render(Format.STIX, export, IDS).decode()
        judged = validate_string(written, ValidationOptions(version="2.1"))
        assert (judged.errors, judged.warnings) == ([], [])
        loaded = stix2.parse(written, allow_custom=False)
        assert sum(o.type == "note" for o in loaded.objects) == len(EVERY)


@pytest.mark.parametrize("form", [Format.STIX, Format.CSV])
def test_what_is_imported_again_is_not_what_the_peer_says(tmp_path: Path, form: Format) -> None:
    path, said = tmp_path / "shared", [[Told(Tlp.AMBER, OURS)] for _ in EVERY]
    read = []
    for theirs in (None, [RICH] * len(EVERY)):
        items = [i for i in EVERY if not i.value.startswith("=")]
        export = selected(*items, said=said[: len(items)], theirs=theirs and theirs[: len(items)])
        path.write_bytes(render(form, export, IDS))
        read.append(again(path))
    without, with_peer = read
    pap = {i: told and told.pap for i, told in with_peer.items()}
    assert set(with_peer) == set(without)
    assert set(pap.values()) == {Pap.GREEN if form is Format.STIX else Pap.AMBER}, "a row has one marking"
    for indicator, told in without.items():
        assert json.dumps(with_peer[indicator].to_json() | {"pap": ""}) == json.dumps(
            told.to_json() | {"pap": ""}
        )


def test_in_misp_it_follows_our_comment_and_closes_the_attribute() -> None:
    export = one(Context(tlp=Tlp.AMBER_STRICT, pap=Pap.RED, confidence=80, tags=("theirs",), comment="a; b"))
    found = attribute(export)
    assert found["comment"] == "seen in June; bob: confidence 80; tags theirs; comment a, b"
    assert [t["name"] for t in found["Tag"]] == ["tlp:amber+strict", "PAP:RED", "ours"]
    assert json.loads(render(Format.MISP, export, IDS))["Event"]["Tag"] == [{"name": "tlp:amber+strict"}]
    bare = selected(Indicator(IndicatorType.JA4, "t13d1516h2_8daaf6152771_b186095e22b6"), theirs=[SURE])
    assert attribute(bare)["comment"] == "ja4; bob: confidence 80"


def test_in_the_table_it_is_the_last_column_and_closes_the_row() -> None:
    found = row(one(Context(tlp=Tlp.AMBER_STRICT, confidence=80, comment="=1+1")))
    assert COLUMNS[-1] == "peer_says"
    assert (found["tlp"], found["confidence"], found["comment"]) == ("AMBER+STRICT", "30", "seen in June")
    assert found["peer_says"] == "bob: confidence 80; comment =1+1"
    assert (row(one(None))["peer_says"], row(one(None))["tlp"]) == ("", "GREEN")


def test_a_cell_ends_where_tools_would_cut_it() -> None:
    long = Context(tags=tuple(f"{n:02}" + "\U0001f480" * 254 for n in range(64)), comment="end")
    assert sum(map(len, lines(long))) > 16_000
    cut = cell("bob", long)
    assert (len(cut), cut[-3:]) == (MAX_CELL_CHARS, "...")
    assert cell("bob", SURE) == "bob: confidence 80"


WORDS = st.text(max_size=12) | st.sampled_from(
    ["=1+1", "@sum", "\t=x", "+1", "-1", "'", "\x00", "a\r\nconfidence 100", "; confidence 100", "\u2028",
     "\x85", "](http://x)", "</script>", "bob:", "\U0001f480" * 256, "x" * 65_536, '"' * 70_000]
)  # fmt: skip
LISTS = st.lists(WORDS, max_size=4) | st.just([f"{n}" + "\U0001f480" * 255 for n in range(99)])
STATED = st.fixed_dictionaries(
    {},
    optional={
        "tlp": st.sampled_from(Tlp), "pap": st.sampled_from(Pap),
        "not_before": st.sampled_from(["2026-08-01T00:00:00+00:00", "2026-10-01T00:00:00+00:00"]),
        "confidence": st.integers(0, 100), "sightings": st.integers(0, 1 << 53),
        "first_seen": st.integers(400_000_000, 7_000_000_000), "producer": st.just("somebody who told bob"),
        "malware": LISTS, "techniques": LISTS, "phases": LISTS, "tags": LISTS, "comment": WORDS,
    },
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STATED, st.sampled_from(list(Tlp)[:4]), st.sampled_from(list(Tlp)[:4]))
def test_whatever_the_peer_says_ours_stays_as_it_is(
    tmp_path: Path, told: dict[str, object], ours: Tlp, ceiling: Tlp
) -> None:
    """A context of a stranger, as a match took it in and printed it."""
    if closed(ours) > closed(ceiling):
        return
    theirs = Context.stated(told)
    result = MatchResult.parse(
        printed([{"type": "domain", "value": ITEM.value, "context": theirs.to_json()}]), name="r"
    )
    feeds = [[Told(ours, OURS)]]
    with_peer = select(result, feeds, member="alice", now=NOW, ceiling=ceiling)
    without = one(None, *feeds[0], ceiling=ceiling)
    found = says(with_peer)
    assert closed(with_peer.items[0].tlp) == closed(without.items[0].tlp)
    if found is not None:
        assert max(map(closed, (ours, Tlp.AMBER, theirs.tlp or Tlp.AMBER))) == closed(found.tlp)
        assert closed(found.tlp) <= closed(ceiling)
        assert theirs.not_before is None or theirs.not_before <= NOW
    assert found is None or with_peer.peer_left_out == {}
    _stix_is_ours_and_a_note(with_peer, without, tmp_path)
    _cells_are_harmless(with_peer, without)


def _stix_is_ours_and_a_note(with_peer: Export, without: Export, folder: Path) -> None:
    written = render(Format.STIX, with_peer, IDS)
    stix2.parse(written, allow_custom=False)
    apart = ("note", "marking-definition")
    mine, whole = (
        [o for o in bundle(e, IDS)["objects"] if o["type"] not in apart] for e in (without, with_peer)
    )
    assert whole == mine
    found = says(with_peer)
    assert len(notes(with_peer)) == (found is not None)
    for note in notes(with_peer):
        assert found is not None
        said = found.context.to_json().keys() - {"pap"}
        assert len(note["content"].splitlines()) >= len(said) == len(note["content"].split("\n"))
    (folder / "a").write_bytes(written)
    (folder / "b").write_bytes(render(Format.STIX, without, IDS))
    assert again(folder / "a") == again(folder / "b")


def _cells_are_harmless(with_peer: Export, without: Export) -> None:
    found, mine = row(with_peer), row(without)
    assert not any(text.startswith(("=", "+", "-", "@", "\t", "\r")) for text in found.values())
    assert len(found["peer_says"]) <= MAX_CELL_CHARS
    for name in set(COLUMNS) - {"tlp", "pap", "peer_says"}:
        assert found[name] == mine[name]
    theirs, alone = attribute(with_peer), attribute(without)
    assert len(theirs["comment"].encode()) < 65_536
    assert theirs["comment"].startswith(alone["comment"])
    marks = ("tlp:", "PAP:")
    assert [t for t in theirs["Tag"] if not t["name"].startswith(marks)] == [
        t for t in alone["Tag"] if not t["name"].startswith(marks)
    ]
    for form in Format:
        assert b"who told bob" not in render(form, with_peer, IDS)
