"""``export`` and ``match --out``: what is written where, and what is said about it."""

import io
import json
import stat
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import stix2

from exchange.clock import utc_now
from exchange.config import Home
from exchange.indicators import Batch
from exchange.store import Store
from tests.cli.command import cosight
from tests.cli.test_contract import holds
from tests.e2e.nodes import import_values, serve
from tests.exchange.export.results import printed

HELD = [{"type": "ipv4", "value": "8.8.8.3"}, {"type": "domain", "value": "bad.example.com"}]
GONE = {"type": "domain", "value": "gone.example.com"}


@pytest.fixture
def alice(pair: tuple[Home, ...]) -> Home:
    return pair[0]


def result(path: Path, items: object = HELD) -> Path:
    path.write_bytes(printed(items))
    return path


def mark(home: Home, value: str, tlp: str) -> None:
    """Have a second feed give an indicator under a marking."""
    store = Store.open(home.store_url)
    try:
        batch = Batch.of([(value, None, None)])
        store.import_indicators([batch], source=f"from {tlp}", tlp=tlp, now=utc_now())
    finally:
        store.close()


def names(objects: Sequence[dict], kind: str) -> set[str]:
    return {o["name"] for o in objects if o["type"] == kind}


def test_a_bundle_is_printed(alice: Home, tmp_path: Path) -> None:
    done = cosight("export", result(tmp_path / "r.json"), home=alice.path)
    assert (done.code, done.err) == (0, "")
    bundle = json.loads(done.out)
    stix2.parse(bundle)
    assert names(bundle["objects"], "indicator") == {"8.8.8.3", "bad.example.com"}
    assert names(bundle["objects"], "identity") == {"alice", "bob"}


def test_the_result_may_come_by_pipe(alice: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(printed(HELD))))
    done = cosight("export", "-", "--format", "csv", home=alice.path)
    assert (done.code, done.err) == (0, "")
    assert [line.split(",")[:3] for line in done.out.splitlines()[1:]] == [
        ["ipv4", "8.8.8.3", "AMBER"],
        ["domain", "bad.example.com", "AMBER"],
    ]


@pytest.mark.parametrize(
    ("name", "options", "begins"),
    [
        ("out.stix.json", [], '{"type": "bundle"'),
        ("out.misp.json", [], '{"Event"'),
        ("out.csv", [], "type,value,tlp"),
        ("out", [], '{"type": "bundle"'),
        ("out.csv", ["--format", "misp"], '{"Event"'),
    ],
)
def test_the_form_is_named_or_read_off_the_file(
    alice: Home, tmp_path: Path, name: str, options: list[str], begins: str
) -> None:
    out = tmp_path / name
    done = cosight("export", result(tmp_path / "r.json"), "--out", out, *options, home=alice.path)
    assert (done.code, done.out, done.err) == (0, f"2 written to {out}\n", "")
    assert out.read_text().startswith(begins)


def test_json_is_a_summary_of_what_was_written(alice: Home, tmp_path: Path) -> None:
    mark(alice, "8.8.8.3", "GREEN")
    file = result(tmp_path / "r.json", [*HELD, GONE])
    out = tmp_path / "out.csv"
    said = holds("export", cosight("export", file, "--out", out, "--json", home=alice.path))
    assert said == {
        "file": str(out), "format": "csv", "session": "5e55" * 8, "items": 3, "left_out": {}, "not_held": 1,
        "peer_says": 0, "peer_left_out": {}, "names_peer": True, "by_tlp": {"GREEN": 1, "AMBER": 2},
    }  # fmt: skip
    error = cosight("export", file, "--json", home=alice.path).error
    assert (error["code"], "--out" in error["message"]) == ("usage", True)


def test_markings_close_and_leave_out(alice: Home, tmp_path: Path) -> None:
    mark(alice, "8.8.8.3", "GREEN")
    file, out = result(tmp_path / "r.json"), tmp_path / "out.stix.json"
    export = ["export", file, "--out", out]
    green = cosight(*export, "--tlp-ceiling", "tlp:green", home=alice.path)
    assert "left out: 1 by tlp" in green.err
    assert "bob is not named" in green.err
    assert "bob" not in out.read_text()
    strict = cosight(*export, "--tlp", "AMBER+STRICT", "--json", home=alice.path).json
    assert strict["by_tlp"] == {"AMBER+STRICT": 2}
    for wrong in (["--tlp", "RED"], ["--tlp", "AMBER", "--tlp-ceiling", "GREEN"], ["--tlp-ceiling", "PINK"]):
        assert cosight(*export, *wrong, "--json", home=alice.path).error["code"] == "usage"


def test_what_the_peer_says_goes_along_or_is_counted(alice: Home, tmp_path: Path) -> None:
    sure, red = {"confidence": 80, "producer": "somebody"}, {"tlp": "RED", "comment": "for you alone"}
    items = [HELD[0] | {"context": sure}, HELD[1] | {"context": red}, GONE | {"context": None}]
    file, out = result(tmp_path / "r.json", items), tmp_path / "out.csv"
    done = cosight("export", file, "--out", out, home=alice.path)
    assert "what bob says is left out: 1 by tlp" in done.err
    assert "bob: confidence 80" in out.read_text()
    assert not any(secret in out.read_text() for secret in ("for you alone", "somebody"))
    said = holds("export", cosight("export", file, "-o", out, "--json", home=alice.path))
    assert (said["items"], said["peer_says"], said["peer_left_out"]) == (3, 1, {"tlp": 1})
    notes = [
        o for o in json.loads(cosight("export", file, home=alice.path).out)["objects"] if o["type"] == "note"
    ]
    assert [o["content"] for o in notes] == ["confidence 80"]
    items[0]["context"]["tlp"] = "SECRET"
    error = cosight("export", result(file, items), "-o", out, "--json", home=alice.path).error
    assert (error["code"], "items[0].context" in error["message"]) == ("input", True)


def test_the_policy_says_whether_the_peer_is_named(alice: Home, tmp_path: Path) -> None:
    said = [item | {"context": {"confidence": 80}} for item in HELD]
    before = alice.policy_file.read_text()
    source, out = result(tmp_path / "r.json", said), tmp_path / "r.stix.json"
    alice.policy_file.write_text(
        before.replace("sessions_per_day", 'attribution = "must-not"\nsessions_per_day')
    )
    done = cosight("export", source, "--out", out, "--json", home=alice.path)
    assert (done.json["names_peer"], done.json["peer_left_out"]) == (False, {"attribution": 2})
    assert "bob" not in out.read_text()
    alice.policy_file.write_text(before.replace("sessions_per_day", 'attribution = "must"\nsessions_per_day'))
    assert cosight("export", source, "--out", out, "--json", home=alice.path).json["names_peer"]
    refused = cosight("export", source, "--tlp-ceiling", "GREEN", "--out", out, "--json", home=alice.path)
    assert (refused.code, refused.json["error"]["code"]) == (1, "policy-refused")


def test_what_became_red_stays(alice: Home, tmp_path: Path) -> None:
    store = Store.open(alice.store_url)
    try:
        assert store.forget("feed").given == 2
    finally:
        store.close()
    mark(alice, "8.8.8.3", "RED")
    done = cosight("export", result(tmp_path / "r.json", HELD[:1]), "--format", "csv", home=alice.path)
    assert (done.out.count("\n"), "8.8.8.3" in done.out) == (1, False)
    assert "left out: 1 by tlp" in done.err


def test_ids_are_this_nodes_and_their_key_is_its_secret(pair: tuple[Home, ...], tmp_path: Path) -> None:
    alice, bob = pair
    file = result(tmp_path / "r.json")
    first, again = (json.loads(cosight("export", file, home=alice.path).out) for _ in range(2))
    assert [o["id"] for o in first["objects"]] == [o["id"] for o in again["objects"]]
    file.write_bytes(printed(HELD, peer="alice"))
    theirs = json.loads(cosight("export", file, home=bob.path).out)
    ours = {o["id"] for o in first["objects"] if o["type"] != "marking-definition"}
    assert ours.isdisjoint(o["id"] for o in theirs["objects"])

    key = alice.path / "keys/export.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    key.chmod(0o644)
    assert (
        cosight("export", file, "--out", tmp_path / "o", "--json", home=alice.path).error["code"]
        == "key-exposed"
    )
    key.chmod(0o600)
    for damaged in ("zz" * 32, "ab" * 31, "\udcff"):
        key.write_text(damaged, errors="surrogateescape")
        error = cosight("export", file, "--out", tmp_path / "o", "--json", home=alice.path).error
        assert (error["code"], "damaged" in error["message"], damaged in str(error)) == (
            "config",
            True,
            False,
        )


def test_what_is_no_result_is_refused(alice: Home, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    for items, message in ((None, "told no items"), ([{"type": "ipv4", "value": "10.0.0.1"}], "items[0]")):
        error = cosight(
            "export", result(tmp_path / "r.json", items), "-o", out, "--json", home=alice.path
        ).error
        assert (error["code"], message in error["message"]) == ("input", True)
    error = cosight("export", tmp_path / "gone", "-o", out, "--json", home=alice.path).error
    assert (error["code"], "cannot read" in error["message"]) == ("input", True)
    file = result(tmp_path / "r.json")
    assert (
        cosight("export", file, "-o", tmp_path / "no/out", "--json", home=alice.path).error["code"]
        == "config"
    )
    assert cosight("export", file, "-o", out, "--json", home=tmp_path / "no").error["code"] == "no-home"
    assert not out.exists()


def test_nothing_shared_is_written_too(alice: Home, tmp_path: Path) -> None:
    done = cosight("export", result(tmp_path / "r.json", []), home=alice.path)
    assert {o["type"] for o in json.loads(done.out)["objects"]} == {"marking-definition", "identity"}


def test_match_writes_what_its_file_is_named_for(pair: tuple[Home, ...], tmp_path: Path) -> None:
    alice, bob = pair
    import_values(bob, ["8.8.8.3", "bad.example.com"])
    written = {n: tmp_path / f"shared{n}" for n in (".stix.json", ".misp.json", ".csv", ".json", ".tsv")}
    with serve(bob) as served:
        dial = ["match", "bob", "--address", served.address]
        for path in written.values():
            done = cosight(*dial, "--out", path, "--json", home=alice.path)
            assert (done.code, done.err) == (0, "")
            assert done.json["result"]["count"] == 2
        sizes = cosight(*dial, "--reveal", "size", "--out", written[".csv"], "--json", home=alice.path)
        (alice.path / "keys/export.key").chmod(0o644)
        exposed = cosight(*dial, "--out", written[".csv"], "--json", home=alice.path)
    assert names(json.loads(written[".stix.json"].read_text())["objects"], "indicator") == {
        "8.8.8.3", "bad.example.com",
    }  # fmt: skip
    assert len(json.loads(written[".misp.json"].read_text())["Event"]["Attribute"]) == 2
    assert written[".csv"].read_text().count("\n") == 3
    assert json.loads(written[".json"].read_text())["peer"] == "bob"
    assert written[".tsv"].read_text().startswith("type\tvalue\n")
    assert sizes.error["code"] == "usage"
    assert exposed.error["code"] == "key-exposed", "found before the session is spent"
    assert cosight("export", written[".json"], "--format", "csv", home=bob.path).code == 1, "a peer of itself"
