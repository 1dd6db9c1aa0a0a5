"""From a server's own description to a collection, whatever it describes."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from exchange import taxii
from exchange.errors import InputError
from tests.exchange.taxii.servers import COLLECTION, SECOND, Liar, Reply, liar

NONE = {"NETRC": ""}


@pytest.fixture
def server() -> Iterator[Liar]:
    with liar() as state:
        yield state


def says(server: Liar, path: str, content: Any, status: int = 200) -> None:
    server.others[path] = lambda: Reply(json.dumps(content).encode(), status=status)


def found(server: Liar, path: str = "/") -> str:
    with taxii.connect(f"taxii+{server.origin}{path}", environ=NONE) as collection:
        return collection.address


def failure(server: Liar, path: str = "/") -> InputError:
    with pytest.raises(InputError) as caught:
        found(server, path)
    return caught.value


def described(*names: Any, **more: Any) -> dict[str, Any]:
    return {"collections": [{"id": name, "title": "Threats", "can_read": True, **more} for name in names]}


def test_roots_may_be_relative_and_one_may_be_closed(server: Liar) -> None:
    says(server, "/taxii2/", {"title": "A server", "api_roots": ["/closed/", f"{server.origin}/open"]})
    says(server, "/closed/collections/", {}, status=403)
    says(server, "/open/collections/", described(COLLECTION))
    assert found(server) == f"taxii+{server.origin}/open/collections/{COLLECTION}/"
    says(server, "/open/collections/", described(COLLECTION, SECOND))
    assert f"taxii+{server.origin}/closed/  closed to us" in str(failure(server))


@pytest.mark.parametrize("root", ["https://elsewhere.example/x/", "//elsewhere.example/x/", "https://xn--/"])
def test_a_root_of_another_server_is_named_and_left_alone(server: Liar, root: str) -> None:
    says(server, "/taxii2/", {"api_roots": [root]})
    error = failure(server)
    assert error.code == "taxii-choose"
    assert "another server's" in str(error)
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    "root", [5, None, {"a": 1}, "http://[", "http://x:99999999/", "\ud800", "a" * 70_000]
)
def test_a_root_that_is_no_url_is_refused(server: Liar, root: Any) -> None:
    says(server, "/taxii2/", {"api_roots": [root]})
    assert failure(server).code in {"taxii-misbehaved", "taxii-choose"}
    assert len(server.seen) == 1


@pytest.mark.parametrize("name", ["..", ".", "a/b", "a?b", "", "a b", "\r\nX: y", "x" * 200, 5, None, ["a"]])
def test_a_name_that_would_lead_elsewhere_is_no_collection(server: Liar, name: Any) -> None:
    says(server, "/api/collections/", described(name))
    assert failure(server, "/api/collections/").code == "taxii-refused"
    says(server, "/api/collections/", described(name, COLLECTION))
    assert found(server, "/api/collections/").endswith(f"/{COLLECTION}/")


@pytest.mark.parametrize("listed", [5, "all", {"a": 1}, True])
def test_collections_that_are_no_list_are_refused(server: Liar, listed: Any) -> None:
    says(server, "/api/collections/", {"collections": listed})
    assert failure(server, "/api/collections/").code == "taxii-misbehaved"


def test_only_true_means_that_we_may_read(server: Liar) -> None:
    for answer in (False, None, "true", 1):
        says(server, "/api/collections/", described(COLLECTION, can_read=answer))
        assert failure(server, "/api/collections/").code == "taxii-refused"


def test_no_title_takes_the_screen(server: Liar) -> None:
    says(server, "/api/collections/", described(COLLECTION, SECOND, title="\x1b]0;x\x07" + "t\n" * 5000))
    error = failure(server, "/api/collections/")
    assert error.code == "taxii-choose"
    assert str(error).count("\n") == 2
    assert "\x1b" not in str(error)
    assert len(str(error)) < 500


def test_of_very_many_collections_some_are_listed(server: Liar) -> None:
    says(server, "/api/collections/", described(*map(str, range(5000))))
    assert str(failure(server, "/api/collections/")).endswith("\n  and 4,980 more")


def test_a_token_is_sent_as_a_bearer(server: Liar) -> None:
    with taxii.connect(server.address, environ={"COSIGHT_TAXII_TOKEN": "abc.def"}):
        assert [headers["authorization"] for _, headers in server.seen] == ["Bearer abc.def"]
