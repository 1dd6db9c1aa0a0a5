"""JSON of any size and any malice: what comes out, what is bounded, and where it says things went wrong."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.errors import InputError
from exchange.indicators.readers import json_stream
from exchange.indicators.readers.source import Source


@contextmanager
def opened(tmp_path: Path, text: str) -> Iterator[Source]:
    path = tmp_path / "feed.json"
    path.write_text(text)
    with Source.open(path) as source:
        yield source


@pytest.mark.parametrize("brackets", ["[", '{"a":', '[{"]]}}":'])
def test_deep_nesting_is_refused_before_it_costs_memory(tmp_path, brackets: str) -> None:
    with opened(tmp_path, brackets * 60_000) as source:
        for read in (json_stream.events, lambda s: json_stream.items(s, "x.item")):
            with pytest.raises(InputError, match="nested more than 64 deep"):
                list(read(source))


def test_brackets_in_strings_nest_nothing(tmp_path) -> None:
    document = {"a": ["[" * 500, '\\"[' * 500, "\\" * 70_001 + "[" * 500, {'{"' * 300: []}]}
    with opened(tmp_path, json.dumps(document)) as source:
        assert list(json_stream.items(source, "")) == [document]


JSON = st.recursive(
    st.text(alphabet='[]{}"\\a', max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


def depth(value: object) -> int:
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return 1 + max(map(depth, inner), default=0)
    return 0


@settings(max_examples=200, deadline=None)
@given(JSON, st.integers(1, 7))
def test_the_depth_is_the_depth_however_the_text_is_cut(document: object, size: int) -> None:
    text = json.dumps(document).encode()
    nesting = json_stream._Nesting()
    assert max(nesting.after(text[i : i + size]) for i in range(0, len(text), size)) == depth(document)


def test_an_error_names_line_and_column_and_no_value(tmp_path) -> None:
    with opened(tmp_path, '{"a": [\n  "evil.example"\n  "b"]}') as source:
        with pytest.raises(InputError, match="line 3, column 3: not JSON") as raised:
            list(json_stream.events(source))
        assert "evil" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 9223372036854775808}', "too large for 64 bits"),
        ('{"a": 1e999}', "too large for 64 bits"),
        ('{"a": 1} {"a": 2}', "line 1, column 10: not JSON: Extra data"),
        ('{"a": NaN}', "not JSON"),
        ("", "not JSON"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, text: str, message: str) -> None:
    with opened(tmp_path, text or " ") as source, pytest.raises(InputError, match=message):
        list(json_stream.events(source))


def test_picked(tmp_path) -> None:
    document = {
        "a": [{"b": [1, [2, {}]], "data": "x"}, 3, {"data": {"c": "x"}}],
        "d": {"e": "f"},
        "g": {"h": 1},
    }
    with opened(tmp_path, json.dumps(document)) as source:
        picked = list(json_stream.picked(source, {"a.item", "d"}.__contains__, without="data"))
    assert picked == [
        ("a.item", {"b": [1, [2, {}]], "data": ""}),
        ("a.item", 3),
        ("a.item", {"data": {"c": "x"}}),
        ("d", {"e": "f"}),
        ("g", json_stream.END),
        ("", json_stream.END),
    ]


@settings(max_examples=100, deadline=None)
@given(document=JSON)
def test_what_is_picked_is_what_stands_there(tmp_path_factory, document: object) -> None:
    with opened(tmp_path_factory.mktemp("json"), json.dumps({"x": [document]})) as source:
        picked = [value for place, value in json_stream.picked(source, "x.item".__eq__) if place == "x.item"]
    assert picked == ([document] if not isinstance(document, list) else [])


def test_one_picked_object_is_bounded(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(json_stream, "MAX_VALUE_BYTES", 100_000)
    for large in (
        {"a": ["x"] * 2000},
        {"a": "x" * 60_000, "b": "x" * 60_000},
        {"x" * 60_000: 0, "y" * 60_000: 0},
    ):
        with (
            opened(tmp_path, json.dumps([large])) as source,
            pytest.raises(InputError, match="a value of more than"),
        ):
            list(json_stream.picked(source, "item".__eq__))
