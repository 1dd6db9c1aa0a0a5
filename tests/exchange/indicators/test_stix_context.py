"""STIX: what objects say of each other, and how far it may travel."""

from datetime import UTC, datetime
from itertools import islice, repeat

import pytest

from exchange.indicators import IndicatorType, Tlp
from exchange.indicators.context import Context, Pap
from exchange.indicators.readers import stix_knowledge
from exchange.indicators.readers.stix import candidates_of
from exchange.indicators.readers.stix_knowledge import Knowledge
from tests.exchange.indicators.stix_objects import (
    AMBER,
    AT,
    CLEAR_2,
    GREEN,
    RED,
    STRICT_2,
    T,
    Thing,
    context_of,
    definition,
    id_of,
    indicator,
    link,
    of,
    thing,
)


def test_everything_said_of_an_indicator() -> None:
    family, tool = thing("malware", name="Emotet"), thing("tool", name="netcat")
    technique = thing(
        "attack-pattern",
        name="Phishing",
        external_references=[
            {"source_name": "capec", "external_id": "CAPEC-98"},
            {"external_id": "T1566.001"},
        ],
    )
    producer = thing("identity", name="A producer")
    one = indicator(
        created_by_ref=producer["id"],
        labels=["phishing", "tlp:green"],
        indicator_types=["malicious-activity"],
        confidence=85,
        valid_until="2026-06-01T00:00:00Z",
        kill_chain_phases=[{"kill_chain_name": "mitre-attack", "phase_name": "initial-access"}, 5, {}],
    )
    sightings = [
        thing("sighting", "1", sighting_of_ref=one["id"], count=3, first_seen=T, last_seen=T),
        thing("sighting", "2", sighting_of_ref=one["id"], last_seen="2026-02-01T00:00:00Z"),
    ]
    links = [link(str(one["id"]), "indicates", str(t["id"])) for t in (family, tool, technique)]
    everything = [one, *links, *sightings, family, tool, technique, producer]
    expected = Context(
        tlp=Tlp.GREEN,
        first_seen=AT,
        last_seen=datetime(2026, 2, 1, tzinfo=UTC),
        valid_until=datetime(2026, 6, 1, tzinfo=UTC),
        confidence=85,
        sightings=4,
        producer="A producer",
        malware=("Emotet", "netcat"),
        techniques=("T1566.001",),
        phases=("mitre-attack:initial-access",),
        tags=("malicious-activity", "phishing"),
    )
    assert context_of(*everything) == expected
    assert context_of(*reversed(everything)) == expected


def test_an_observable_is_of_the_malware_that_talks_to_it() -> None:
    address, family = thing("ipv4-addr", value="8.8.8.8"), thing("malware", name="Emotet")
    spoken = link(str(family["id"]), "communicates-with", str(address["id"]))
    assert context_of(address, family, spoken) == Context(malware=("Emotet",))


def test_objects_that_were_revoked_explain_nothing() -> None:
    one, family = indicator(), thing("malware", name="Emotet", revoked=True)
    assert context_of(one, family, link(str(one["id"]), "indicates", str(family["id"]))) is None


def test_validity_that_was_still_to_come_is_an_embargo() -> None:
    assert context_of(indicator(valid_from="2026-01-02T03:04:05.677Z")) is None
    later = context_of(indicator(valid_from="2026-03-01T00:00:00Z"))
    assert later == Context(not_before=datetime(2026, 3, 1, tzinfo=UTC))


MARKED: dict[str, tuple[Tlp | None, Pap | None, list[Thing], Thing]] = {
    "none": (None, None, [], {}),
    "TLP 1.0": (Tlp.GREEN, None, [], {"object_marking_refs": [GREEN]}),
    "white is clear": (
        Tlp.CLEAR,
        None,
        [],
        {"object_marking_refs": ["marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9"]},
    ),
    "TLP 2.0": (Tlp.AMBER_STRICT, None, [], {"object_marking_refs": [STRICT_2]}),
    "the most closed": (Tlp.RED, None, [], {"object_marking_refs": [CLEAR_2, RED, AMBER]}),
    "a label": (Tlp.AMBER_STRICT, Pap.RED, [], {"labels": ["tlp:amber+strict", "PAP:RED"]}),
    "a definition of 2.0": (
        Tlp.AMBER,
        None,
        [definition(definition_type="tlp", definition={"tlp": "amber"})],
        {"object_marking_refs": [id_of("marking-definition")]},
    ),
    "a definition by extension": (
        Tlp.AMBER_STRICT,
        None,
        [definition(extensions={"extension-definition--60a3c5c5": {"tlp_2_0": "amber+strict"}})],
        {"object_marking_refs": [id_of("marking-definition")]},
    ),
    "a definition by name": (
        None,
        Pap.AMBER,
        [definition(definition_type="PAP", name="PAP:AMBER")],
        {"object_marking_refs": [id_of("marking-definition")]},
    ),
    "a statement": (
        None,
        None,
        [definition(definition_type="statement", definition={"statement": "Copyright"})],
        {"object_marking_refs": [id_of("marking-definition")]},
    ),
    "granular, on the pattern": (
        Tlp.RED,
        None,
        [],
        {
            "granular_markings": [{"marking_ref": RED, "selectors": ["pattern"]}],
            "object_marking_refs": [GREEN],
        },
    ),
    "granular, elsewhere": (
        Tlp.GREEN,
        None,
        [],
        {
            "granular_markings": [{"marking_ref": RED, "selectors": ["description"]}, {"lang": "fr"}, 5],
            "object_marking_refs": [GREEN],
        },
    ),
    "nobody redefines TLP:RED": (
        Tlp.RED,
        None,
        [definition(id=RED, definition={"tlp": "clear"})],
        {"object_marking_refs": [RED]},
    ),
    "more than can be kept": (
        Tlp.RED,
        None,
        [],
        {"object_marking_refs": [id_of("marking-definition", str(i)) for i in range(100)]},
    ),
}


@pytest.mark.parametrize("case", MARKED)
def test_markings(case: str) -> None:
    tlp, pap, others, marks = MARKED[case]
    for things in ([*others, indicator(**marks)], [indicator(**marks), *others]):
        found = of(*things)
        assert found.contexts == [Context(tlp=tlp, pap=pap) if tlp or pap else None]
        assert found.notes["unknown-marking"] == 0


@pytest.mark.parametrize(
    ("others", "marks"),
    [
        ([], {"object_marking_refs": [id_of("marking-definition")]}),
        ([], {"labels": ["tlp:ultraviolet"]}),
        (
            [definition(definition_type="tlp", definition={"tlp": "ultraviolet"})],
            {"object_marking_refs": [id_of("marking-definition")]},
        ),
    ],
)
def test_unknown_markings_are_counted(others: list[Thing], marks: Thing) -> None:
    found = of(*others, indicator(**marks))
    assert found.contexts[0] is None or found.contexts[0].tlp is None
    assert found.notes["unknown-marking"] == 1


def test_what_is_marked_more_closed_than_the_value_does_not_travel_with_it() -> None:
    one = indicator(object_marking_refs=[GREEN], labels=["secret"], granular_markings=[])
    marked_apart = one | {"granular_markings": [{"marking_ref": RED, "selectors": ["labels.[0]"]}]}
    assert context_of(marked_apart) == Context(tlp=Tlp.GREEN)
    family = thing("malware", name="Emotet")
    said = link(str(one["id"]), "indicates", str(family["id"]))
    open_context = Context(tlp=Tlp.GREEN, tags=("secret",))
    assert context_of(one, family, said) == Context(tlp=Tlp.GREEN, tags=("secret",), malware=("Emotet",))
    assert context_of(one, family, said | {"object_marking_refs": [RED]}) == open_context
    assert context_of(one, family | {"object_marking_refs": [AMBER]}, said) == open_context
    sighting = thing("sighting", sighting_of_ref=one["id"], count=5, object_marking_refs=[AMBER])
    assert context_of(one, sighting) == open_context


def test_values_of_one_report_share_one_context() -> None:
    contexts = of(*(indicator(f"[domain-name:value='{c}.com']", confidence=5) for c in "abc")).contexts
    assert contexts[0] is contexts[1] is contexts[2] is not None


def test_tables_are_bounded_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MAX_NAMED", "MAX_LINKS", "MAX_SEEN", "MAX_VICTIMS"):
        monkeypatch.setattr(stix_knowledge, name, 1)
    one = indicator()
    found = of(
        one,
        *(thing("malware", c, name=c) for c in "abc"),
        *(link(str(one["id"]), "indicates", id_of("malware", c)) for c in "abc"),
        *(thing("sighting", c, sighting_of_ref=one["id"]) for c in "abc"),
        *(link(id_of("campaign"), "targets", id_of("identity", c)) for c in "abc"),
    )
    assert found.contexts == [Context(malware=("a",), sightings=1)]
    assert found.notes["stix-links-forgotten"] == 8


def test_what_cannot_be_kept_is_taken_for_the_worst(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MAX_SEEN", "MAX_VICTIMS"):
        monkeypatch.setattr(stix_knowledge, name, 1)
    address = thing("ipv4-addr", value="8.8.8.8")
    seen = [thing("observed-data", c, object_refs=[id_of("url", c)], object_marking_refs=[RED]) for c in "ab"]
    assert context_of(address, *seen) == Context(tlp=Tlp.RED)
    assert context_of(address, *seen[:1]) is None
    hit = link(id_of("campaign"), "targets", id_of("identity"))
    assert of(address, hit).refused == {"victim-field": 1}


def test_objects_of_a_feed_that_comes_in_pages() -> None:
    knowledge = Knowledge(lambda event: None)
    family, one = thing("malware", name="Emotet"), indicator()
    pages: list[list[object]] = [[family], [one, link(str(one["id"]), "indicates", str(family["id"]))], []]
    found = []
    for page in pages:
        for each in page:
            knowledge.learn(each)
        found.append(list(candidates_of(page, knowledge)))
    assert found == [[], [("evil.com", IndicatorType.DOMAIN, Context(malware=("Emotet",)))], []]


def test_candidates_come_one_at_a_time() -> None:
    knowledge = Knowledge(lambda event: None)
    endless = repeat(indicator())
    assert len(list(islice(candidates_of(endless, knowledge), 10))) == 10
