"""STIX files that are not as they should be."""

import json
from collections.abc import Iterator
from copy import deepcopy

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exchange.errors import InputError
from exchange.indicators import Refused
from exchange.indicators.readers.stix import candidates_of
from exchange.indicators.readers.stix_knowledge import Knowledge
from tests.exchange.indicators.stix_objects import (
    GREEN,
    MD5,
    RED,
    T,
    bundle,
    definition,
    id_of,
    indicator,
    link,
    load,
    thing,
)

WRONG = [
    None,
    True,
    0,
    -1.5,
    "",
    "x",
    "evil.com",
    [],
    {},
    [None],
    [[]],
    {"": None},
    ["x", 5],
    {"type": []},
    10**15,
]
WHOLE = bundle(
    thing("identity", name="A producer"),
    thing("malware", name="Emotet", object_marking_refs=[GREEN]),
    thing("attack-pattern", external_references=[{"external_id": "T1566"}]),
    definition(definition_type="tlp", definition={"tlp": "amber"}, extensions={"x": {"tlp_2_0": "amber"}}),
    indicator(
        labels=["a"],
        indicator_types=["b"],
        object_marking_refs=[GREEN],
        granular_markings=[{"marking_ref": RED, "selectors": ["pattern"]}],
        kill_chain_phases=[{"kill_chain_name": "a", "phase_name": "b"}],
        created_by_ref=id_of("identity"),
        confidence=5,
        valid_until=T,
        revoked=False,
    ),
    link(id_of("indicator"), "indicates", id_of("malware")),
    link(id_of("campaign"), "targets", id_of("ipv4-addr")),
    thing("sighting", sighting_of_ref=id_of("indicator"), count=5, where_sighted_refs=[id_of("identity")]),
    thing("observed-data", objects={"0": {"type": "email-message", "to_refs": ["1"]}, "1": {"type": "file"}}),
    thing("observed-data", "2", object_refs=[id_of("ipv4-addr")], number_observed=5, first_observed=T),
    thing("file", hashes={"MD5": MD5}, extensions={"windows-pebinary-ext": {"imphash": MD5}}, name="a.exe"),
    thing("ipv4-addr", value="8.8.8.8"),
    thing("vulnerability", name="CVE-2017-0199", external_references=[{"external_id": "CVE-2017-0199"}]),
    thing("email-message", to_refs=[id_of("email-addr")], x_victim="somebody"),
)


def places_in(value: object, above: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    """Where a value could be another: every property and every entry, at any depth."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inside:
        yield (*above, key)
        yield from places_in(one, (*above, key))


EVERYWHERE = list(places_in(WHOLE))


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(EVERYWHERE), st.sampled_from(WRONG)), min_size=1, max_size=4))
def test_values_of_the_wrong_type_anywhere_do_not_stop_the_rest(tmp_path, changes) -> None:
    document = deepcopy(WHOLE)
    for place, value in changes:
        holder: object = document
        try:
            for step in place[:-1]:
                holder = holder[step]
            holder[place[-1]] = deepcopy(value)  # which a later change may go into
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change has taken this place away
    load(tmp_path, document, format="stix")


@pytest.mark.parametrize("wrong", [5, None, "x", [], {}, {"type": 5}, {"type": "bundle"}, {"id": "x"}])
def test_what_is_no_object_is_refused_and_the_rest_is_read(tmp_path, wrong: object) -> None:
    found = load(tmp_path, bundle(indicator(), wrong, thing("ipv4-addr", value="8.8.8.8")))
    assert found.values == {"domain": ["evil.com"], "ipv4": ["8.8.8.8"]}
    assert found.refused["bad-object"] == 1


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (json.dumps(bundle(indicator()))[:-20], "line 1"),
        (json.dumps(indicator()) + "\n{'id': 5}\n", "line 2"),
        (json.dumps(indicator()) + "\n" + "[" * 100_000 + "\n", "line 2"),
        (json.dumps(indicator()) + '\n{"id": ' + "9" * 5000 + "}\n", "line 2"),
        ('{"type": "bundle", "objects": [' + "[" * 100_000, "deep"),
        ('{"type": "bundle", "id": "bundle--1", "objects": [{"id": "' + "x" * (17 << 20) + '"}]}', "16 MiB"),
        ('{"type": "bundle", "objects": [{"id": [' + "{}," * 600_000 + "{}]}]}", "parts"),
    ],
)
def test_damaged_files_are_errors_with_a_place_and_without_values(tmp_path, content: str, says: str) -> None:
    with pytest.raises(InputError) as error:
        load(tmp_path, content.encode(), format="stix")
    assert says in str(error.value)
    assert "evil.com" not in str(error.value)
    assert len(str(error.value)) < 300


def test_a_refusal_of_the_reader_tells_no_value() -> None:
    secret = "evil.com"
    things = [indicator(f"[x:{secret.replace('.', '_')}='{secret}']"), {"type": secret, "id": secret}, secret]
    for text, stated, _ in candidates_of(things, Knowledge(lambda event: None)):
        assert isinstance(stated, Refused)
        assert text == ""
        assert secret not in stated.place
