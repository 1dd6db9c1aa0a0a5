"""No input makes a reader raise anything but ``InputError``."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exchange.errors import InputError
from exchange.indicators import Batch
from exchange.indicators.readers import formats, read
from exchange.indicators.readers.base import Options
from tests.fuzz.seeds import SEEDS

SECONDS = 20
"""Of mutated bytes for each reader, in every run; ``tests.fuzz.readers`` runs for longer."""
EVERYTHING = Options(every_attribute=True, url_hosts=True)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
ODD_JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)
AS_JSON = [
    (name, json.loads(seed))
    for name in ("stix", "misp", "records")
    for seed in SEEDS[name]
    if len(seed.splitlines()) == 1
]
VALUES = ["8.8.8.8", "a[.]com", "hxxp://b.org/?a|b", "0" * 31 + "1", "type", "ip", "victim", "tlp:red"]
MARKS = ["|===", "```", "\ufeff", "\u200b", "\x85", *"\"'|,\t;#\\[]=`<&\r "]
PIECES = st.sampled_from(VALUES + MARKS)


def _drain(path: Path, format_: str) -> list[Batch]:
    try:
        return list(read(path, format=format_, options=EVERYTHING))
    except InputError:
        return []


def test_every_format_is_fuzzed() -> None:
    assert set(SEEDS) == set(formats())


@pytest.mark.parametrize("name", sorted(SEEDS))
def test_seeds_are_what_they_say(name: str, tmp_path: Path) -> None:
    for i, seed in enumerate(SEEDS[name]):
        path = tmp_path / str(i)
        path.write_bytes(seed)
        assert list(read(path, format=name))


def _places(node: Any, replace: Callable[[Any], None]) -> Iterator[Callable[[Any], None]]:
    """A function for every node of a document, which puts something else in its place."""
    yield replace
    if isinstance(node, dict | list):
        for key in list(node) if isinstance(node, dict) else range(len(node)):
            yield from _places(node[key], partial(node.__setitem__, key))


@given(st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_node_of_a_document_may_be_anything(tmp_path: Path, data: st.DataObject) -> None:
    name, original = data.draw(st.sampled_from(AS_JSON), label="document")
    root = [json.loads(json.dumps(original))]
    for _ in range(data.draw(st.integers(1, 3))):
        places = list(_places(root[0], partial(root.__setitem__, 0)))
        data.draw(st.sampled_from(places))(data.draw(ODD_JSON))
    path = tmp_path / "document"
    path.write_text(json.dumps(root[0]))
    for format_ in (name, "auto"):
        _drain(path, format_)


@given(st.lists(st.lists(PIECES, max_size=12).map("".join), max_size=12).map("\n".join))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_read_as_any_format(tmp_path: Path, text: str) -> None:
    path = tmp_path / "text"
    path.write_text(text, encoding="utf-8", newline="")
    for format_ in ("auto", *formats()):
        _drain(path, format_)


@pytest.mark.parametrize("depth", [1_000, 100_000])
@pytest.mark.parametrize("form", ["[", '{"a":', '{"objects":[', '{"Event":{"Attribute":[', "<a>", "((", "[["])
def test_depth_is_no_way_out_of_memory(form: str, depth: int, tmp_path: Path) -> None:
    path = tmp_path / "deep"
    path.write_text(form * depth)
    for format_ in ("auto", *formats()):
        _drain(path, format_)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="atheris is built for Linux")
@pytest.mark.parametrize("name", ["auto", *formats()])
def test_mutated_bytes(name: str) -> None:
    command = [sys.executable, "-m", "tests.fuzz.readers", name, str(SECONDS)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, f"...{done.stderr[-4000:]}"
