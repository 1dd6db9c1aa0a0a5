"""A server that lies, stalls, floods or sends us elsewhere: one typed error, and nothing left behind."""

import gzip
import itertools
import json
import logging
import resource
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from exchange import taxii
from exchange.errors import InputError
from tests.exchange.taxii.servers import (
    ENVIRONMENT,
    PASSWORD,
    USER,
    Liar,
    Reply,
    added,
    indicator,
    liar,
    page,
)

NONE = {"NETRC": ""}


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Liar]:
    """A liar; afterwards the folder for temporary files is as empty as before."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with liar() as state:
        yield state
    assert list(tmp_path.iterdir()) == []


def read(server: Liar, since: str | None = None, **limits: Any) -> taxii.Download:
    """Download everything, without patience."""
    waits: list[float] = []
    with (
        taxii.connect(
            server.address, environ=NONE, limits=taxii.Limits(**limits), sleep=waits.append
        ) as found,
        found.download(since=since) as got,
    ):
        got.waits = waits  # type: ignore[attr-defined]
        return got


def failure(server: Liar, **limits: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        read(server, **limits)
    assert caught.value.code.startswith("taxii-")
    return caught.value


ENDLESS: dict[str, Callable[[int], Reply]] = {
    "one page": lambda _: page(indicator(1), more=True, next="again"),
    "one page under new names": lambda n: page(indicator(1), more=True, next=str(n)),
    "two pages in turn": lambda n: page(indicator(n % 2), more=True, next=str(n % 2)),
    "empty pages": lambda n: page(more=True, next=str(n)),
    "empty pages of one name": lambda _: page(more=True, next="again"),
    "no next, one time": lambda _: page(
        indicator(1), more=True, headers=added("2024-01-01T00:00:00Z", "2024-01-01T00:00:01Z")
    ),
}


@pytest.mark.parametrize("pages", ENDLESS.values(), ids=ENDLESS)
def test_pages_without_progress_are_cut(server: Liar, pages: Callable[[int], Reply]) -> None:
    counter = itertools.count()
    server.objects = lambda _: pages(next(counter))
    assert failure(server).code == "taxii-misbehaved"
    assert len(server.asked) <= 12


def test_pages_with_ever_new_objects_are_cut(server: Liar) -> None:
    counter = itertools.count()
    server.objects = lambda _: page(indicator(next(counter)), more=True, next="on")
    assert "without an end" in str(failure(server, pages=50))
    assert "more than 0 MiB" in str(failure(server, total_bytes=10_000))


def test_one_next_for_several_pages_is_no_harm(server: Liar) -> None:
    counter = itertools.count()
    server.objects = lambda _: page(indicator(n := next(counter)), more=n < 9, next="session")
    assert read(server).objects == 10
    assert server.asked[1:] == [{"limit": "1000", "next": "session"}] * 9


def test_without_next_the_times_lead_on(server: Liar) -> None:
    """As if added at one second each; two of a page, overlapping by the last one."""

    def objects(parameters: dict[str, str]) -> Reply:
        after = parameters.get("added_after", "2024-01-01T00:00:00.000000Z")
        begin = int(after[17:19]) + 1
        first, last = f"2024-01-01T00:00:{begin:02}Z", f"2024-01-01T00:00:{begin + 1:02}Z"
        return page(indicator(begin), indicator(begin + 1), more=begin < 9, headers=added(first, last))

    server.objects = objects
    got = read(server)
    assert got.cursor == "2024-01-01T00:00:10.000000Z"
    assert [p.get("added_after") for p in server.asked] == [None] + [
        f"2024-01-01T00:00:{n:02}.999999Z" for n in range(1, 9)
    ]


@pytest.mark.parametrize("headers", [{}, added("2024-01-01T00:00:00Z"), added("yesterday", "today")])
def test_more_without_a_way_on_is_said(server: Liar, headers: dict[str, str]) -> None:
    server.objects = lambda _: page(indicator(1), more=True, headers=headers)
    assert "no way to ask" in str(failure(server))


BODIES: dict[str, Reply] = {
    "nothing": Reply(b""),
    "no JSON": Reply(b"hello"),
    "cut": Reply(page(indicator(1)).body[:-20]),  # type: ignore[index]
    "two": Reply(b"{}{}"),
    "a list": Reply(b"[]"),
    "a number": Reply(b"1"),
    "deep lists": Reply(b'{"objects":[{"a":' + b"[" * 500_000),
    "deep and foreign": Reply(b'{"x":' + b'{"a":' * 500_000),
    "objects that are a map": Reply(b'{"objects": {"a": 1}}'),
    "objects that are text": Reply(b'{"objects": "all"}'),
    "objects that are none": page(indicator(1), 1),
    "objects in a list": page([indicator(1)]),
    "more that is text": page(indicator(1), more="true"),
    "more that is a list": page(indicator(1), more=[True]),
    "next that is a number": page(indicator(1), more=True, next=5),
    "next that is empty": page(indicator(1), more=True, next=""),
    "next that is endless": page(indicator(1), more=True, next="n" * 5000),
    "next that is a map": page(indicator(1), more=True, next={"a": 1}),
    "another resource": Reply(b'{"title": "a collection", "can_read": true}'),
    "not a number": Reply(b'{"objects": [{"a": NaN}]}'),
    "an infinite number": Reply(b'{"objects": [{"a": 1e999}]}'),
    "an endless number": Reply(b'{"objects": [{"a": ' + b"9" * 5000 + b"}]}"),
    "no UTF-8": Reply(b'{"objects": [{"a": "\xff"}]}'),
    "an object of many parts": Reply(b'{"objects": [{"a": [' + b"1," * 600_000 + b"1]}]}"),
    "a large object": page({"a": "x" * (9 << 20)}),
    "a page to log in": Reply(b"<html>", headers={"Content-Type": "text/html"}),
    "TAXII 2.0": Reply(headers={"Content-Type": "application/vnd.oasis.taxii+json; version=2.0"}),
    "another version": Reply(headers={"Content-Type": "application/taxii+json;version=2.2"}),
    "no type": Reply(headers={"Content-Type": ""}),
    "no gzip": Reply(b"{}", headers={"Content-Encoding": "gzip"}),
    "cut gzip": Reply(gzip.compress(b"{}" * 99)[:-9], headers={"Content-Encoding": "gzip"}),
    "more than gzip": Reply(gzip.compress(b"{}") + b"x", headers={"Content-Encoding": "gzip"}),
    "unasked compression": Reply(b"{}", headers={"Content-Encoding": "br"}),
    "compressed twice": Reply(
        gzip.compress(gzip.compress(b"{}")), headers={"Content-Encoding": "gzip, gzip"}
    ),
}


@pytest.mark.parametrize("reply", BODIES.values(), ids=BODIES)
def test_what_is_no_envelope_is_refused(server: Liar, reply: Reply) -> None:
    server.objects = lambda _: reply
    error = failure(server)
    assert error.code == "taxii-misbehaved"
    assert "8.8.0.1" not in str(error)


NO_COLLECTION = [b"", b"[]", b"{", b"[" * 100_000, b"{}", b"9" * 5000, b'{"id": "../../x"}',
                 b'{"id": 5, "can_read": true}']  # fmt: skip


@pytest.mark.parametrize("body", NO_COLLECTION, ids=lambda body: body[:20].decode())
def test_what_is_no_collection_is_refused(server: Liar, body: bytes) -> None:
    server.others["/api/collections/91a7b528-80eb-42ed-a74d-c6fbd5a26116/"] = lambda: Reply(body)
    assert failure(server).code == "taxii-misbehaved"
    assert server.asked == []


def test_compressed_pages_are_read(server: Liar) -> None:
    body = page(*(indicator(n) for n in range(500))).body
    assert isinstance(body, bytes)
    server.objects = lambda _: Reply(gzip.compress(body), headers={"Content-Encoding": "GZIP"})
    assert read(server).objects == 500


def test_an_empty_envelope_is_an_empty_collection(server: Liar) -> None:
    assert read(server).objects == 0


def test_a_flood_is_cut_before_it_fills_the_memory(server: Liar) -> None:
    bomb = gzip.compress(b'{"objects": [{"a": "' + bytes([120]) * (1 << 28))
    flood = (b'{"objects": ["' if n == 0 else b" " * 65_536 for n in itertools.count())
    tracemalloc.start()
    try:
        for reply in (Reply(bomb, headers={"Content-Encoding": "gzip"}), Reply(flood)):
            server.objects = lambda _, reply=reply: reply
            assert failure(server, page_bytes=1 << 20).code == "taxii-misbehaved"
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def slow(pause_s: float) -> Iterator[bytes]:
    yield b'{"objects": ['
    while True:
        time.sleep(pause_s)
        yield b" "


def test_a_slow_or_silent_server_is_left(server: Liar) -> None:
    began = time.monotonic()
    server.objects = lambda _: Reply(slow(0.05))
    assert failure(server, answer_s=0.5).code == "taxii-unavailable"
    server.objects = lambda _: Reply(slow(20))
    assert failure(server, silence_s=0.5).code == "taxii-unavailable"
    assert time.monotonic() - began < 20, "it was not waited for"


def test_a_body_that_ends_early_is_noticed(server: Liar) -> None:
    server.objects = lambda _: Reply(b"{}", headers={"Content-Length": "5", "Connection": "close"})
    assert failure(server).code == "taxii-unavailable"


STATUS = {401: "refused", 403: "refused", 404: "refused", 406: "refused", 418: "refused", 206: "refused",
          500: "unavailable", 502: "unavailable"}  # fmt: skip


@pytest.mark.parametrize(("status", "code"), STATUS.items())
def test_a_refusal_is_told_from_a_failure(server: Liar, status: int, code: str) -> None:
    server.objects = lambda _: Reply(b'{"title": "secret 8.8.0.1"}', status=status)
    error = failure(server)
    assert error.code == f"taxii-{code}"
    assert f"HTTP {status}" in str(error)
    assert len(server.asked) == 1, "a page that a server may have given is not asked for again"


BUSY: dict[str, tuple[dict[str, str], list[float]]] = {
    "1": ({"Retry-After": "1"}, [1, 1]),
    "0": ({"Retry-After": "0"}, [0, 0]),
    "a date": ({"Retry-After": "Thu, 01 Jan 2015 00:00:00 GMT"}, [0, 0]),
    "nothing": ({}, [1, 2]),
    "nonsense": ({"Retry-After": "soon"}, [1, 2]),
}


@pytest.mark.parametrize(("headers", "waits"), BUSY.values(), ids=BUSY)
@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again(
    server: Liar, status: int, headers: dict[str, str], waits: list[float]
) -> None:
    replies = iter([Reply(status=status, headers=headers)] * 2 + [page(indicator(1))])
    server.objects = lambda _: next(replies)
    got = read(server)
    assert got.objects == 1
    assert got.waits == waits  # type: ignore[attr-defined]


def test_but_not_for_ever(server: Liar) -> None:
    server.objects = lambda _: Reply(status=429, headers={"Retry-After": "1"})
    assert failure(server, attempts=3).code == "taxii-unavailable"
    assert len(server.asked) == 3
    server.objects = lambda _: Reply(status=503, headers={"Retry-After": "86400"})
    assert "86,400 s" in str(failure(server))
    assert len(server.asked) == 4


def test_credentials_and_requests_stay_with_their_server(
    server: Liar, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with liar() as other:
        server.objects = lambda _: Reply(status=302, headers={"Location": other.address[len("taxii+") :]})
        with (
            pytest.raises(InputError) as caught,
            taxii.connect(server.address, environ=ENVIRONMENT) as found,
            found.download(),
        ):
            pass
        assert caught.value.code == "taxii-refused"
        assert other.seen == []
    assert all(headers["authorization"].startswith("Basic ") for _, headers in server.seen)
    secret = server.seen[0][1]["authorization"].removeprefix("Basic ")
    shown = caplog.text + repr(caught.value) + repr(found.__dict__) + repr(found._wire.__dict__)
    assert not any(text in shown for text in (PASSWORD, secret, USER))


@pytest.mark.parametrize(
    "location",
    ["", "?limit=2", "//[", "http://user@HOST/x/", "ftp://HOST/x/", "file:///etc/x", "https://xn--/"],
)
def test_a_redirect_leads_within_the_server_or_nowhere(server: Liar, location: str) -> None:
    location = location.replace("HOST", server.origin.removeprefix("http://"))
    server.objects = lambda _: Reply(status=307, headers={"Location": location})
    assert failure(server).code in {"taxii-misbehaved", "taxii-refused"}
    assert len(server.asked) <= 7


def test_a_redirect_within_the_server_is_followed(server: Liar) -> None:
    server.objects = lambda _: Reply(status=308, headers={"Location": "/moved/"})
    server.others["/moved/"] = lambda: page(indicator(1))
    assert read(server).objects == 1


def test_no_cookie_is_kept(server: Liar) -> None:
    counter = itertools.count()
    cookie = {"Set-Cookie": "a=b; Path=/"}
    server.objects = lambda _: page(indicator(n := next(counter)), more=n < 3, next="on", headers=cookie)
    assert read(server).objects == 4
    assert not any("cookie" in headers for _, headers in server.seen)


def test_nobody_there_is_said_at_once() -> None:
    with liar() as gone:
        pass
    assert failure(gone).code == "taxii-unavailable"


def test_a_broken_cursor_is_said(server: Liar) -> None:
    with pytest.raises(InputError) as caught:
        read(server, since="last week")
    assert caught.value.code == "taxii-cursor"
    assert server.asked == []


def test_what_only_explains_is_asked_for_by_type_and_sorted_out_here(server: Liar) -> None:
    identity = {"type": "identity", "id": "identity--1", "name": "A producer"}

    def objects(parameters: dict[str, str]) -> Reply:
        return page(identity, indicator(1)) if "match[type]" in parameters else page(indicator(2))

    server.objects = objects
    with (
        taxii.connect(server.address, environ=NONE) as found,
        found.download(since="2024-01-01T00:00:00Z") as got,
    ):
        kept = json.loads(got._spool.path.read_text())["objects"]
    assert kept == [identity, indicator(2)], "even from a server that ignores the filter"
    assert got.objects == 1
    assert got.cursor == "2024-01-01T00:00:00.000000Z", "no times, no progress, no step back"
    assert server.asked[1] == {"limit": "1000", "added_after": "2024-01-01T00:00:00.000000Z"}


def test_a_full_disk_is_said(server: Liar) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    server.objects = lambda _: page(*({"a": "x" * 100_000, "n": n} for n in range(40)))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    try:
        with pytest.raises(InputError, match="cannot be kept in") as caught:
            read(server)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "TMPDIR" in caught.value.hint
    assert read(server).objects == 40


def test_without_a_folder_for_temporary_files_it_is_said(
    server: Liar, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with pytest.raises(InputError, match="cannot be kept in"):
        read(server)
