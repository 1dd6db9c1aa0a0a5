"""What an alliance counted, for other tools: valid STIX, the words of SightingDB, no member but ours."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
import stix2
from stix2validator import ValidationOptions, validate_string

from exchange.export.counted import CountedBy, Entry, bundle, sightingdb
from exchange.indicators import Indicator, IndicatorType, Tlp
from tests.exchange.export.results import EVERY, IDS

BY = CountedBy(
    alliance="threats.example",
    session="5e" * 32,
    member="acme",
    about="how many members saw it",
    first=date(2026, 2, 1),
    last=date(2026, 2, 28),
    tlp=Tlp.AMBER,
    now=datetime(2026, 3, 1, 12, tzinfo=UTC),
)
ENTRIES = [Entry(indicator, 7 + i, 3) for i, indicator in enumerate(EVERY)]


@pytest.mark.parametrize("tlp", [tlp for tlp in Tlp if tlp is not Tlp.RED])
@pytest.mark.parametrize("entries", [ENTRIES, ENTRIES[:1], []])
def test_the_bundle_is_valid_and_loads(entries: list[Entry], tlp: Tlp) -> None:
    made = bundle(entries, replace(BY, tlp=tlp), IDS)
    result = validate_string(json.dumps(made), ValidationOptions(version="2.1"))
    assert result.errors == []
    assert [str(w) for w in result.warnings] == []
    assert len(stix2.parse(made, allow_custom=False).objects) == 3 + 2 * len(entries)


def test_each_entry_is_sighted_by_the_alliance() -> None:
    made = bundle(ENTRIES, BY, IDS)["objects"]
    by_id = {one["id"]: one for one in made}
    sightings = [one for one in made if one["type"] == "sighting"]
    assert {by_id[one["sighting_of_ref"]]["name"] for one in sightings} == {i.value for i in EVERY}
    for one, entry in zip(sightings, ENTRIES, strict=True):
        (where,) = one["where_sighted_refs"]
        assert by_id[where]["name"] == "threats.example"
        assert one["count"] == entry.count
        assert (one["first_seen"], one["last_seen"]) == (
            "2026-02-01T00:00:00.000Z",
            "2026-02-28T23:59:59.999Z",
        )
    assert {one["name"] for one in made if one["type"] == "identity"} == {"acme", "threats.example"}
    assert {ref for one in made for ref in one.get("object_marking_refs", [])} == {made[0]["id"]}


def test_a_second_export_updates_the_first_and_another_run_does_not() -> None:
    first, second = bundle(ENTRIES, BY, IDS), bundle(ENTRIES, replace(BY, now=BY.now.replace(hour=13)), IDS)
    other = bundle(ENTRIES, replace(BY, session="6e" * 32), IDS)
    kinds = {"sighting", "indicator"}
    ids = [
        {o["id"]: o["type"] for o in made["objects"] if o["type"] in kinds} for made in (first, second, other)
    ]
    assert ids[0] == ids[1]
    assert {kind for i, kind in ids[0].items() if i not in ids[2]} == {"sighting"}


def test_red_and_what_noise_pushed_below_zero() -> None:
    with pytest.raises(ValueError, match="RED"):
        bundle(ENTRIES, replace(BY, tlp=Tlp.RED), IDS)
    noisy = bundle([Entry(EVERY[0], -2, 3)], BY, IDS)["objects"][-1]
    assert "count" not in noisy


def test_the_words_of_sightingdb() -> None:
    entry = Entry(Indicator(IndicatorType.IPV4, "8.8.8.8"), 40, 4)
    assert sightingdb([entry], BY) == [
        {
            "value": "8.8.8.8", "first_seen": 1769904000, "last_seen": 1772323199, "count": 40, "tags": "",
            "ttl": 0, "consensus": 4,
        }
    ]  # fmt: skip
