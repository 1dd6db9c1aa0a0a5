"""Addresses, credentials, cursors and envelopes, each alone."""

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange import taxii
from exchange.errors import ConfigError, InputError
from exchange.taxii import address, credentials, cursor, envelope

ID = "91a7b528-80eb-42ed-a74d-c6fbd5a26116"
BAD = [
    "https://example.com/", "taxii+ftp://example.com/", "taxii+https://", "taxii+https:///api/",
    "taxii+https://example.com:0/", "taxii+https://example.com:99999/", "taxii+https://[::1/",
    "taxii+https://xn--/", "taxii+https://example.com/?a=b", "taxii+https://example.com/#x",
    "taxii+https://user:secret@example.com/", "taxii+https://user@example.com/", "taxii+http://example.com/",
    "taxii+http://127.0.0.1.example.com/", "taxii+http://localhost.example.com/", "taxii+http://0.0.0.0/",
    "taxii+http://8.8.8.8/", "taxii+https://example.com/" + "a" * 3000,
]  # fmt: skip


@pytest.mark.parametrize("text", BAD)
def test_an_address_that_cannot_be_meant_is_refused_unquoted(text: str) -> None:
    with pytest.raises(InputError) as caught:
        address.parse(text)
    assert caught.value.code == "taxii-address"
    assert "secret" not in str(caught.value) + caught.value.hint


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("taxii+https://example.com", "https://example.com/"),
        ("TAXII+HTTPS://Example.COM:443/API", "https://example.com/API/"),
        ("taxii+https://example.com:8443/a%2Fb//", "https://example.com:8443/a%2Fb/"),
        ("taxii+http://127.8.9.1:5000/x/", "http://127.8.9.1:5000/x/"),
        ("taxii+http://[::1]:5000/x/", "http://[::1]:5000/x/"),
        ("taxii+http://localhost/x/", "http://localhost/x/"),
    ],
)
def test_an_address_is_a_url_that_ends_in_a_slash(text: str, url: str) -> None:
    assert address.is_address(text)
    assert str(address.parse(text)) == url
    assert str(address.parse(address.written(address.parse(text)))) == url


@given(st.text(st.characters(max_codepoint=0x2FF), max_size=60))
@settings(max_examples=300, deadline=None)
def test_whatever_is_written_is_an_address_or_refused(text: str) -> None:
    try:
        url = address.parse("taxii+https://" + text)
    except InputError:
        return
    assert url.scheme == "https"
    assert url.host
    assert not url.userinfo
    assert url.raw_path.endswith(b"/")


def test_a_collection_is_told_from_its_api_root() -> None:
    for end in ("", "/", "/objects", "/objects/"):
        parts = address.split(address.parse(f"taxii+https://example.com/a/b/collections/{ID}{end}"))
        assert parts is not None
        assert (str(parts[0]), parts[1]) == ("https://example.com/a/b/", ID)
    for other in (
        "",
        "/collections/",
        "/collections/../",
        f"/collections/{ID}/manifest/",
        "/collections/a b/",
    ):
        assert address.split(address.parse(f"taxii+https://example.com/a{other}")) is None


def test_no_file_is_taken_for_a_server() -> None:
    assert not taxii.is_address("feed.json")
    assert not taxii.is_address("taxii/feed.json")
    assert taxii.is_address("taxii+https://example.com/")


USER, PASSWORD, TOKEN = "COSIGHT_TAXII_USER", "COSIGHT_TAXII_PASSWORD", "COSIGHT_TAXII_TOKEN"


def test_the_environment_goes_before_netrc(tmp_path: Path) -> None:
    file = tmp_path / "netrc"
    file.write_text("machine a.example login u password p\ndefault login d password e\n")
    netrc = {"NETRC": str(file)}
    basic = {"Authorization": "Basic dTpw"}
    assert credentials.find("a.example", netrc).headers == basic
    assert credentials.find("b.example", netrc).headers == {}, "no password goes where it was not meant to"
    assert credentials.find("a.example", netrc | {TOKEN: "t.0k=="}).headers == {
        "Authorization": "Bearer t.0k=="
    }
    assert credentials.find("b.example", {USER: "u", PASSWORD: "p"}).headers == basic
    assert credentials.find("b.example", {"NETRC": str(tmp_path / "none")}).headers == {}


@pytest.mark.parametrize(
    "environ",
    [
        {USER: "secret"}, {PASSWORD: "secret"}, {TOKEN: "secret\r\nHost: x"}, {TOKEN: "secret", USER: "u"},
        {USER: "sec:ret", PASSWORD: "secret"}, {TOKEN: "s\N{LATIN SMALL LETTER E WITH ACUTE}cret"},
    ],
)  # fmt: skip
def test_credentials_that_cannot_be_sent_are_refused_unquoted(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as caught:
        credentials.find("a.example", environ)
    assert "secret" not in str(caught.value) + caught.value.hint


def test_a_broken_netrc_is_named_and_not_quoted(tmp_path: Path) -> None:
    for content in (b"machine secret hunter2 \n", b"\xff\xfe"):
        (tmp_path / "netrc").write_bytes(content)
        with pytest.raises(ConfigError, match="netrc") as caught:
            credentials.find("a.example", {"NETRC": str(tmp_path / "netrc")})
        assert "hunter2" not in str(caught.value)


def test_credentials_are_not_shown() -> None:
    assert "cHA=" not in repr(credentials.Credentials("Basic cHA="))


NOW = datetime(2026, 1, 2, tzinfo=UTC)
TIMES = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(TIMES, TIMES, TIMES)
@settings(max_examples=200, deadline=None)
def test_a_cursor_never_steps_back_and_never_runs_ahead(
    since: datetime, last: datetime, now: datetime
) -> None:
    reached = cursor.advance(since, last, now)
    assert reached is not None
    assert reached >= since
    assert reached == since or reached <= min(last, now - cursor.SETTLING)
    assert cursor.parse(cursor.write(reached)) == reached


def test_a_cursor_is_exact_once_things_have_settled() -> None:
    old = NOW - timedelta(hours=1)
    assert cursor.advance(None, old, NOW) == old
    assert cursor.advance(None, NOW - timedelta(seconds=1), NOW) == NOW - cursor.SETTLING
    assert cursor.advance(old, None, NOW) == old
    assert cursor.advance(None, None, NOW) is None


@pytest.mark.parametrize(
    "text", ["", "last week", "2024-01-01", "2024-01-01T00:00:00", "9" * 50, "2024-13-01T00:00:00Z"]
)
def test_what_is_no_time_with_a_zone_is_no_cursor(text: str) -> None:
    with pytest.raises(InputError) as caught:
        cursor.parse(text)
    assert caught.value.code == "taxii-cursor"
    assert cursor.added({"X-TAXII-Date-Added-First": text, "X-TAXII-Date-Added-Last": text}) is None


def parsed(body: bytes) -> tuple[list[dict[str, Any]], envelope.Envelope]:
    found: list[dict[str, Any]] = []
    return found, envelope.parse(io.BytesIO(body), found.append, InputError)


LEAVES = st.none() | st.booleans() | st.integers(-(1 << 62), 1 << 62) | st.floats(allow_nan=False) | st.text()
NO_INFINITY = LEAVES.filter(lambda v: v not in (float("inf"), float("-inf")))
VALUES = st.recursive(
    NO_INFINITY, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(), v, max_size=3)
)
OBJECTS = st.lists(st.dictionaries(st.text(), VALUES, max_size=4), max_size=4)


@given(
    OBJECTS, st.booleans(), st.none() | st.text(min_size=1), st.dictionaries(st.text(), VALUES, max_size=2)
)
@settings(max_examples=150, deadline=None)
def test_an_envelope_is_read_as_any_json_parser_reads_it(objects, more, token, foreign) -> None:
    said = {**foreign, "objects": objects, "more": more, "next": token}
    found, page = parsed(json.dumps(said, ensure_ascii=False).encode("utf-8", "replace"))
    expected = json.loads(json.dumps(said, ensure_ascii=False).encode("utf-8", "replace"))
    assert found == expected["objects"]
    assert page == envelope.Envelope(len(objects), more, expected["next"])


@given(
    st.binary(max_size=60)
    | VALUES.map(json.dumps).map(str.encode)
    | st.dictionaries(st.sampled_from(["objects", "more", "next", "x"]), VALUES, max_size=4)
    .map(json.dumps)
    .map(str.encode)
)
@settings(max_examples=400, deadline=None)
def test_anything_else_is_a_typed_error(body: bytes) -> None:
    try:
        found, page = parsed(body)
    except InputError:
        return
    said = json.loads(body)
    assert found == (said.get("objects") or [])
    assert page.more is said.get("more", False)
