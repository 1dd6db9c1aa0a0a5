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
