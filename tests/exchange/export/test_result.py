"""A result is read back with suspicion: it may have been edited, cut, or never have been one."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.errors import InputError
from exchange.export import MatchResult
from exchange.indicators.context import Context
from tests.exchange.export.results import EVERY, RICH, printed

ITEM = {"type": "domain", "value": "secret.example.com"}


def test_what_a_match_prints_is_read() -> None:
    items = [{"type": str(i.type), "value": i.value} for i in EVERY]
    found = MatchResult.parse(printed([*items, items[0]]), name="r.json")
    assert (found.items, found.peer, found.session) == (EVERY, "bob", "5e55" * 8)
    assert found.contexts == (None,) * len(EVERY)
    assert MatchResult.parse(printed([]), name="r.json").items == ()


def test_what_the_peer_says_is_read_with_its_item() -> None:
    other = ITEM | {"value": "other.example.com"}
    items = [
        ITEM | {"context": None},
        other | {"context": RICH.to_json()},
        other | {"context": {"tlp": "RED"}},
    ]
    found = MatchResult.parse(printed([*items, ITEM | {"context": RICH.to_json()}]), name="r.json")
    assert [i.value for i in found.items] == ["secret.example.com", "other.example.com"]
    assert found.contexts == (None, RICH), "of one item twice the first counts"
    assert MatchResult.parse(printed([ITEM | {"context": {}}]), name="r.json").contexts == (None,)
    rung = MatchResult.of("5e55", "bob", None), MatchResult.of("5e55", "bob", found.items, [None, RICH])
    assert [r.contexts for r in rung] == [(), found.contexts]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"{", "r.json, line 1: not JSON"),
        (b"\xff", "r.json: not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"9" * 5000, "not JSON"),
        (b"[]", "not the result of a match"),
        (b'{"result": 1}', "not the result of a match"),
        (b'{"result": {}}', "not the result of a match"),
        (printed(None), "this match told no items"),
        (printed({}), "result.items: not a list"),
        (printed([], session=""), "session: not the name"),
        (printed([], session=7), "session: not the name"),
        (printed([], peer="Bob!"), "peer: not a member id"),
        (printed([], peer=None), "peer: not a member id"),
        (printed([ITEM, 1]), "result.items[1]: not an indicator"),
        (printed([ITEM | {"type": ["domain"]}]), "result.items[0]: not an indicator"),
        (printed([ITEM | {"type": "victim"}]), "result.items[0]: not an indicator"),
        (printed([ITEM | {"value": 8}]), "result.items[0].value: not a text"),
        (printed([ITEM | {"value": "SECRET.example.com"}]), "result.items[0]: not in canonical form"),
        (printed([ITEM | {"type": "md5"}]), "result.items[0]: not in canonical form"),
        (printed([{"type": "ipv4", "value": "10.0.0.1"}]), "result.items[0]: not in canonical form"),
        (printed([ITEM | {"value": "\ud800"}]), "result.items[0]: not in canonical form"),
        (printed([ITEM, ITEM | {"context": "secret"}]), "result.items[1].context: not what a match tells"),
        (printed([ITEM | {"context": [["secret", 1]]}]), "items[0].context: not what a match tells"),
        (printed([ITEM | {"context": False}]), "items[0].context: not what a match tells"),
        (printed([ITEM | {"context": {"secret": "x"}}]), "items[0].context: not what a match tells"),
        (printed([ITEM | {"context": {"tlp": "SECRET"}}]), "items[0].context: not what a match tells"),
        (printed([ITEM | {"context": {"pap": None}}]), "items[0].context: not what a match tells"),
        (printed([ITEM | {"context": {"not_before": "secret"}}]), "items[0].context: not what a match tells"),
        (printed([ITEM | {"context": {"confidence": 101}}]), "items[0].context: not what a match tells"),
        (printed([ITEM | {"context": {"sightings": "-1"}}]), "items[0].context: not what a match tells"),
        (printed([ITEM | {"context": {"malware": [{"secret": 1}]}}]), "items[0].context: not what a match"),
        (printed([ITEM | {"context": {"comment": "\x00"}}]), "items[0].context: not what a match tells"),
    ],
)
def test_the_error_names_the_place_and_no_value(data: bytes, said: str) -> None:
    with pytest.raises(InputError) as error:
        MatchResult.parse(data, name="r.json")
    assert said in str(error.value)
    assert "secret" not in str(error.value).lower()
    assert error.value.hint


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "value", "items", "result", "peer", "session", "context", "tlp", "tags"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_json_is_a_result_or_refused(value: object) -> None:
    said = ITEM | {"context": value}
    for data in (json.dumps(value).encode(), printed(value), printed([value]), printed([said])):
        try:
            found = MatchResult.parse(data, name="r.json")
        except InputError:
            continue
        assert found.peer == "bob"
        assert len(found.contexts) == len(found.items)
        assert all(context is None or isinstance(context, Context) for context in found.contexts)
