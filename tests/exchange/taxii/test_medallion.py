"""Against medallion, the TAXII server of OASIS, in a process of its own."""

import json
from pathlib import Path

import pytest

from exchange import taxii
from exchange.errors import InputError
from exchange.indicators import IndicatorType, Tlp
from tests.exchange.taxii.servers import (
    COLLECTION,
    ENVIRONMENT,
    PASSWORD,
    SECOND,
    collection,
    indicator,
    medallion,
)

OURS = f"/api/collections/{COLLECTION}/"
MARKING = {
    "type": "marking-definition",
    "spec_version": "2.1",
    "id": "marking-definition--6f7c4a2e-3a55-4a0b-9b1e-52c2a3d8f2f1",
    "created": "2023-01-01T00:00:00.000Z",
    "definition_type": "tlp",
    "name": "TLP:RED",
    "definition": {"tlp": "red"},
}


def values(got: taxii.Download) -> set[str]:
    return {value for batch in got.batches() for value in batch.values.get(IndicatorType.IPV4, [])}


def addresses(*numbers: int) -> set[str]:
    return {f"8.8.0.{n}" for n in numbers}


def test_a_collection_comes_whole_in_pages(tmp_path: Path) -> None:
    counts: list[int] = []
    with (
        medallion(tmp_path, collection(COLLECTION, [indicator(n) for n in range(25)]), page=10) as server,
        taxii.connect(server.address(OURS), environ=ENVIRONMENT) as found,
        found.download(progress=counts.append) as got,
    ):
        assert (got.objects, got.pages, got.incremental) == (25, 3, False)
        assert got.cursor == "2024-01-02T00:00:24.000000Z"
        assert values(got) == addresses(*range(25))
        assert counts == [10, 20, 25]
        assert found.address == server.address(OURS)
        assert found.title == "Threats[31m of the week", "no control character of a server reaches a screen"


def test_afterwards_only_what_was_added_comes(tmp_path: Path) -> None:
    with (
        medallion(tmp_path, collection(COLLECTION, [indicator(n) for n in range(25)])) as server,
        taxii.connect(server.address(OURS), environ=ENVIRONMENT) as found,
    ):
        with found.download() as first:
            cursor = first.cursor
        with found.download(since=cursor) as nothing:
            assert (nothing.objects, nothing.cursor, nothing.incremental) == (0, cursor, True)
            assert values(nothing) == set()
        server.add(indicator(100), indicator(3, modified="2024-05-01T00:00:00.000Z", revoked=True))
        with found.download(since=cursor) as second:
            assert second.objects == 2
            assert values(second) == addresses(100)
            withdrawn = [batch.withdrawn for batch in second.batches()]
            assert withdrawn == [{IndicatorType.IPV4: ["8.8.0.3"]}]
            assert second.cursor is not None
            assert cursor is not None
            assert second.cursor > cursor


def test_a_marking_of_long_ago_still_marks_what_is_new(tmp_path: Path) -> None:
    with (
        medallion(tmp_path, collection(COLLECTION, [MARKING, indicator(1)]), page=1) as server,
        taxii.connect(server.address(OURS), environ=ENVIRONMENT) as found,
    ):
        with found.download() as first:
            cursor = first.cursor
        server.add(indicator(2, object_marking_refs=[MARKING["id"]]))
        with found.download(since=cursor) as second:
            assert second.objects == 1
            (batch,) = second.batches()
            assert batch.values == {IndicatorType.IPV4: ["8.8.0.2"]}
            assert batch.contexts[IndicatorType.IPV4][0].tlp is Tlp.RED


@pytest.mark.parametrize(
    "path", ["/", "/taxii2/", "/api", "/api/", "/api/collections/", OURS, f"{OURS}objects/"]
)
def test_every_address_leads_to_the_only_collection_that_we_may_read(path: str, one: str) -> None:
    with taxii.connect(one + path, environ=ENVIRONMENT) as found:
        assert found.address == one + OURS
        assert found.host == "127.0.0.1"


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory):
    """A server with a collection that we may read and one that we may not."""
    closed = collection(SECOND, [], can_read=False)
    with medallion(tmp_path_factory.mktemp("one"), collection(COLLECTION, []), closed) as server:
        yield server.address("")


@pytest.mark.parametrize("path", ["/", "/api/"])
def test_of_several_collections_the_operator_chooses(path: str, tmp_path: Path) -> None:
    both = [collection(COLLECTION, []), collection(SECOND, [], title="Archive")]
    with medallion(tmp_path, *both) as server:
        with pytest.raises(InputError) as caught, taxii.connect(server.address(path), environ=ENVIRONMENT):
            pass
        assert caught.value.code == "taxii-choose"
        assert f"\n  {server.address(OURS)}  Threats" in str(caught.value)
        assert f"\n  {server.address(f'/api/collections/{SECOND}/')}  Archive" in str(caught.value)
        assert ("https://elsewhere.example/api/" in str(caught.value)) == (path == "/")


@pytest.mark.parametrize("path", [f"/api/collections/{SECOND}/", "/api/collections/none/", "/nothing/"])
def test_what_we_may_not_read_is_refused(path: str, one: str) -> None:
    with pytest.raises(InputError) as caught, taxii.connect(one + path, environ=ENVIRONMENT):
        pass
    assert caught.value.code == "taxii-refused"


@pytest.mark.parametrize("environ", [{}, ENVIRONMENT | {"COSIGHT_TAXII_PASSWORD": PASSWORD + "?"}])
def test_without_the_right_password_nothing_is_read(environ: dict[str, str], one: str) -> None:
    with pytest.raises(InputError) as caught, taxii.connect(one + OURS, environ={"NETRC": "", **environ}):
        pass
    assert caught.value.code == "taxii-refused"
    assert "COSIGHT_TAXII_PASSWORD" in caught.value.hint
    assert PASSWORD not in str(caught.value) + caught.value.hint


def test_the_password_may_be_in_netrc(one: str, tmp_path: Path) -> None:
    file = tmp_path / "netrc"
    file.write_text(f"machine 127.0.0.1 login analyst password {PASSWORD}\n")
    with taxii.connect(one + OURS, environ={"NETRC": str(file)}) as found, found.download() as got:
        assert got.objects == 0
        assert json.loads(got._spool.path.read_text()) == {"type": "bundle", "objects": []}
