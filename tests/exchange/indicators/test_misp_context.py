"""MISP: what tags, galaxies, sightings, distribution and objects say about an attribute."""

from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from exchange.indicators import IndicatorType
from exchange.indicators.context import Context, Pap
from exchange.indicators.tlp import Tlp
from tests.exchange.indicators import misp_events
from tests.exchange.indicators.misp_events import MD5, SHA1, attribute, event, tags, whole


@pytest.fixture
def write(tmp_path):
    return partial(misp_events.write, tmp_path)


def context(document: object, write: Any) -> Context:
    batch = whole(write(document))
    (column,) = batch.contexts.values()
    return column[0]


def test_what_an_event_says(write) -> None:
    mine = attribute(
        "domain",
        "evil.com",
        comment="a C2",
        first_seen="2026-02-01T00:00:00+01:00",
        last_seen="2026-02-03",
        Tag=tags(
            "tlp:green", "infostealer", 'misp-galaxy:malpedia="Example Rat"', "kill-chain:Command and Control"
        ),
        Sighting=[
            {"type": "0", "date_sighting": "1772323200"},
            {"type": 0, "date_sighting": "1770000000"},
            {"type": "1", "date_sighting": "1770000000"},
            {"type": "2", "date_sighting": "1780000000"},
            "nonsense",
        ],
    )
    galaxy = {
        "type": "mitre-attack-pattern",
        "GalaxyCluster": [{"type": "mitre-attack-pattern", "value": "Phishing - T1566.001"}],
    }
    tool = {"type": "mitre-tool", "GalaxyCluster": [{"value": "Example Tool - S0123"}]}
    head = tags("tlp:amber", "PAP:GREEN", 'misp:confidence-level="usually-confident"', "type:OSINT")
    told = context(event(mine, Tag=head, Galaxy=[galaxy, tool], date="2026-01-15"), write)
    assert told == Context(
        tlp=Tlp.AMBER,
        pap=Pap.GREEN,
        first_seen=datetime(2026, 1, 31, 23, tzinfo=UTC),
        last_seen=datetime(2026, 3, 1, tzinfo=UTC),
        valid_until=datetime.fromtimestamp(1780000000, UTC),
        confidence=75,
        sightings=2,
        producer="Example",
        malware=("Example Rat", "Example Tool"),
        techniques=("T1566.001",),
        phases=("lockheed-martin-cyber-kill-chain:command-and-control",),
        tags=("false-positive", "infostealer", "type:OSINT"),
        comment="a C2",
    )


def test_the_day_of_an_event_is_when_it_was_first_seen_unless_that_contradicts(write) -> None:
    told = context(event(attribute("domain", "evil.com"), date="2026-01-15"), write)
    assert (told.first_seen, told.last_seen, told.comment) == (
        datetime(2026, 1, 15, tzinfo=UTC),
        None,
        "a report",
    )
    mine = attribute("domain", "evil.com", last_seen="2025-12-31", timestamp="1772323200")
    told = context(event(mine, date="2026-01-15"), write)
    assert (told.first_seen, told.last_seen) == (None, datetime(2025, 12, 31, tzinfo=UTC))


@pytest.mark.parametrize(
    ("head", "own", "expected"),
    [
        ({}, {}, None),
        ({"Tag": tags("tlp:white")}, {}, Tlp.CLEAR),
        ({"Tag": tags("TLP:Green", "tlp:amber")}, {}, Tlp.AMBER),
        ({"Tag": tags("tlp:red")}, {"Tag": tags("tlp:clear")}, Tlp.RED),
        ({"Tag": tags("tlp:clear")}, {"Tag": tags("tlp:amber+strict")}, Tlp.AMBER_STRICT),
        ({"distribution": "0"}, {}, Tlp.AMBER_STRICT),
        ({"distribution": 4}, {}, Tlp.AMBER),
        ({"distribution": "3"}, {}, None),
        ({"distribution": "0", "Tag": tags("tlp:clear")}, {}, Tlp.CLEAR),
        ({"distribution": "3", "Tag": tags("tlp:clear")}, {"distribution": "0"}, Tlp.AMBER_STRICT),
        ({"distribution": "3", "Tag": tags("tlp:clear")}, {"distribution": "5"}, Tlp.CLEAR),
        ({"Tag": tags("tlp:ex:chr")}, {}, None),
    ],
)
def test_the_most_closed_marking_wins(
    write, head: dict[str, Any], own: dict[str, Any], expected: Tlp | None
) -> None:
    told = context(event(attribute("domain", "evil.com", **own), **head), write)
    assert told.tlp == expected


def test_markings_nobody_knows_are_counted_and_kept(write) -> None:
    batch = whole(write(event(attribute("domain", "evil.com"), Tag=tags("tlp:ex:chr", "PAP:BLUE"))))
    assert batch.notes == {"unknown-marking": 2}
    assert batch.contexts[IndicatorType.DOMAIN][0].tags == ("PAP:BLUE", "tlp:ex:chr")


def test_objects_lend_their_attributes_what_these_do_not_say(write) -> None:
    thing = {
        "Attribute": [
            attribute("md5", MD5, object_relation="md5"),
            attribute("sha1", SHA1, object_relation="sha1", comment="mine", distribution="5"),
            attribute("ja3-fingerprint-md5", MD5, object_relation="ja3s-fingerprint-md5"),
        ],
        "comment": "a dropper",
        "first_seen": "2026-01-01",
        "distribution": "0",
        "name": "file",
    }
    batch = whole(write(event(Object=[thing])))
    told = batch.contexts[IndicatorType.MD5][0]
    assert (told.comment, told.tlp, told.first_seen) == (
        "a dropper",
        Tlp.AMBER_STRICT,
        datetime(2026, 1, 1, tzinfo=UTC),
    )
    assert batch.contexts[IndicatorType.SHA1][0].comment == "mine"
    assert batch.values[IndicatorType.JA3S] == [MD5]


def test_equal_sayings_are_one_object(write) -> None:
    same = [attribute("domain", f"a{i}.com", Tag=tags("x"), Event={"info": "y"}) for i in range(20)]
    for document in (event(*same), {"response": {"Attribute": same}}):
        batch = whole(write(document))
        assert len({id(c) for c in batch.contexts[IndicatorType.DOMAIN].values()}) == 1
