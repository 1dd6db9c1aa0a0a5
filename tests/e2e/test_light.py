"""A light member asks real nodes: one file, several members at once, and accounts as those of a node."""

import json
from pathlib import Path
from typing import Any

import pytest

from exchange.clock import utc_now
from exchange.config import Home, write_atomic
from exchange.identity.light import LightMember
from exchange.light import light_policy, pack, unpack
from exchange.local.alliance import found
from tests.e2e.nodes import (
    ALLIANCE,
    Served,
    entries,
    homeless,
    import_values,
    receipts,
    serve,
    story,
)
from tests.e2e.process import Process
from tests.e2e.tap import Tap

pytestmark = pytest.mark.slow
SHARED, OF_ACME, OF_UMBRA = "shared.example.com", "45.83.64.1", "https://umbra.example.com/x"
BEHIND = 1_500
"""Bytes that we send to a member from about the middle of a run on."""
CANARY = "canary-3f9c1d.example.com"
LOG = f"""\
Nov 28 10:53:09 fw kernel: DROP SRC={OF_ACME} DST=192.168.1.5 PROTO=TCP
Nov 28 10:53:10 fw kernel: DROP SRC=10.0.0.3 DST=8.8.8.8 PROTO=UDP
1700000000.123 45 10.0.0.7 TCP_MISS/200 1234 GET {OF_UMBRA} - HIER_DIRECT/45.83.64.9 text/html
1700000000.124 45 10.0.0.7 TCP_MISS/200 1234 CONNECT {SHARED}:443 - -
query {CANARY} IN A
"""
SERVES_SMALL = """\
version = 1

[peers.globex]
directions = ["responder"]
reveal = "overlap"
learns = ["peer"]
types = ["ipv4", "ipv6", "domain", "url", "email", "md5", "sha1", "sha256"]
tlp = "AMBER"
legal_basis = "network-security"
protocols = ["voprf"]
our_size = { min = 1, max = 10_000_000 }
peer_size = { min = 1, max = 65_536 }
sessions_per_day = 24
values_per_day = 200_000
values_per_year = 10_000_000

[legal_bases.network-security]
basis = "gdpr-6-1-f"
balancing_test = "legal/2026-014"
"""


class Shop:
    """globex: one file, one folder."""

    def __init__(self, light: LightMember, folder: Path) -> None:
        self.file, self.state = folder / "member.cosight", folder / "state"
        write_atomic(self.file, light.write(None))
        self.light = light

    @property
    def home(self) -> Home:
        return unpack(self.light, self.state)

    def command(self, nodes: dict[str, str], *values: str) -> list[str]:
        where = [word for name, at in nodes.items() for word in ("--address", f"{name}={at}")]
        return ["lookup", "--alliance", str(self.file), *where, "--json", *values]

    def start(self, nodes: dict[str, str], *values: str) -> Process:
        return Process(*self.command(nodes, *values))

    def lookup(self, nodes: dict[str, str], *values: str, log: str = "", code: int = 0) -> dict[str, Any]:
        with self.start(nodes, *values) as process:
            out, err = process.communicate(log)
        assert process.returncode == code, out + err
        assert err == ""
        result: dict[str, Any] = json.loads(out)
        return result


@pytest.fixture
def alliance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Home, Home, Shop]:
    """acme and umbra, who serve globex, and globex itself."""
    acme, umbra, small = found(ALLIANCE, ("acme", "umbra", "globex"), tmp_path)
    import_values(acme, [SHARED, OF_ACME, "other.example.com"])
    import_values(umbra, [SHARED, OF_UMBRA, "another.example.com"])
    for home in (acme, umbra):
        write_atomic(home.policy_file, SERVES_SMALL.encode())
    write_atomic(small.policy_file, light_policy().encode())
    monkeypatch.setenv("COSIGHT_STATE", str(tmp_path / "state"))
    return acme, umbra, Shop(pack(small, utc_now()), tmp_path)


def at(**nodes: Served) -> dict[str, str]:
    return {name: node.address for name, node in nodes.items()}


def held(result: dict[str, Any]) -> dict[str, list[str]]:
    return {hit["value"]: hit["members"] for hit in result["hits"]}


def status(result: dict[str, Any]) -> dict[str, str]:
    return {one["member"]: one["status"] for one in result["members"]}


def test_a_log_is_asked_about_at_two_members(alliance: tuple[Home, Home, Shop], tmp_path: Path) -> None:
    acme, umbra, shop = alliance
    with serve(acme) as first, serve(umbra) as second:
        result = shop.lookup(at(acme=first, umbra=second), "-", log=LOG)
        again = shop.lookup(at(acme=first, umbra=second), SHARED.replace(".", "[.]"))
    assert held(result) == {OF_ACME: ["acme"], SHARED: ["acme", "umbra"], OF_UMBRA: ["umbra"]}
    assert (result["asked"], result["lines"], result["nobody"]) == (6, 5, 3)
    assert result["skipped"] == {"not-global": 3, "warning-list": 1}
    assert {m["member"]: (m["status"], m["asked_padded"], m["settled"]) for m in result["members"]} == {
        "acme": ("answered", 32, True), "umbra": ("answered", 32, True),
    }  # fmt: skip
    assert held(again) == {SHARED: ["acme", "umbra"]}

    home = shop.home
    for one in (*result["members"], *again["members"]):
        peer = acme if one["member"] == "acme" else umbra
        for side in (home, peer):
            assert story(side, one["session"]) == [("intent", ""), ("disclosed", "")]
    assert len(receipts(home)) == 4
    assert {*receipts(acme), *receipts(umbra)} == set(receipts(home))
    for side in (acme.path, umbra.path, shop.file):
        verified = homeless("ledger", "verify", "--home", str(side))
        assert (verified["ok"], verified["open_intents"]) == (True, [])
        homeless("ledger", "export", str(tmp_path / f"export-{side.name}"), "--home", str(side))
    exports = map(str, tmp_path.glob("export-*"))
    assert homeless("verify", *exports)["receipts"] == 8, "each in two ledgers"


def test_nothing_on_disk_spells_what_was_asked(alliance: tuple[Home, Home, Shop]) -> None:
    acme, umbra, shop = alliance
    with serve(acme) as first, serve(umbra) as second:
        shop.lookup(at(acme=first, umbra=second), "-", log=LOG)
    for folder in (shop.state, acme.path, umbra.path):
        for path in (p for p in folder.rglob("*") if p.is_file()):
            data = path.read_bytes()
            assert CANARY.encode() not in data, path
            assert b"45.83.64.9" not in data, path
            if folder == shop.state:
                assert not any(text.encode() in data for text in (SHARED, OF_ACME, OF_UMBRA)), path
                assert b"PRIVATE" not in data, path


def test_a_dead_member_takes_nothing_from_the_others(alliance: tuple[Home, Home, Shop]) -> None:
    acme, umbra, shop = alliance
    with serve(acme) as first, serve(umbra) as second:
        nodes = at(acme=first, umbra=second)
        second.kill()
        result = shop.lookup(nodes, SHARED)
        assert held(result) == {SHARED: ["acme"]}
        assert status(result) == {"acme": "answered", "umbra": "unreachable"}
        first.kill()
        nobody = shop.lookup(nodes, SHARED, code=1)
    assert set(status(nobody).values()) == {"unreachable"}
    assert (nobody["hits"], nobody["nobody"]) == ([], 1)


def test_a_member_that_dies_in_the_middle(alliance: tuple[Home, Home, Shop]) -> None:
    """acme is killed after it has agreed: our ledger has the session as aborted, umbra's answer is there."""
    acme, umbra, shop = alliance
    with serve(acme) as first, Tap(first.address) as whole:
        shop.lookup({"acme": whole.address}, SHARED, "--member", "acme")
    # Of what goes to acme, the values come after the handshake, the greeting and the proposal.
    stop = len(whole.sent) - BEHIND
    with serve(acme) as first, serve(umbra) as second, Tap(first.address, stop_after=stop) as tap:
        process = shop.start({"acme": tap.address, "umbra": second.address}, SHARED)
        tap.wait_stopped()
        first.kill()
        tap.__exit__()
        out, _ = process.communicate()
    result = json.loads(out)
    assert status(result)["umbra"] == "answered"
    assert status(result)["acme"] in {"unreachable", "failed"}
    assert held(result) == {SHARED: ["umbra"]}
    intents = [e.session for e in entries(shop.home) if e.kind == "intent"]
    assert all(len(story(shop.home, session)) == 2 for session in intents), "every intent has its result"


def test_who_refuses_is_told_apart_from_who_is_not_there(alliance: tuple[Home, Home, Shop]) -> None:
    acme, umbra, shop = alliance
    write_atomic(
        umbra.policy_file, SERVES_SMALL.replace("min = 1, max = 65_536", "min = 64, max = 65_536").encode()
    )
    with serve(acme) as first, serve(umbra) as second:
        result = shop.lookup(at(acme=first, umbra=second), SHARED)
    assert status(result) == {"acme": "answered", "umbra": "refused"}
    assert {m["member"]: m.get("code") for m in result["members"]}["umbra"] == "policy-refused"


def test_three_at_once_with_one_file(alliance: tuple[Home, Home, Shop]) -> None:
    """They take turns: a peer is never shown an older state of our ledger after a newer one."""
    acme, umbra, shop = alliance
    values = (SHARED, "other.example.com", "another.example.com")
    with serve(acme) as first, serve(umbra) as second:
        at_once = [shop.start(at(acme=first, umbra=second), value) for value in values]
        results = []
        for process in at_once:
            out, err = process.communicate()
            assert process.returncode == 0, out + err
            results.append(json.loads(out))
    assert [held(result) for result in results] == [
        {SHARED: ["acme", "umbra"]}, {"other.example.com": ["acme"]}, {"another.example.com": ["umbra"]},
    ]  # fmt: skip
    assert all(set(status(result).values()) == {"answered"} for result in results)
    for home in (acme, umbra):
        assert not [entry for entry in entries(home) if entry.kind == "alarm"]
    verified = homeless("ledger", "verify", "--home", str(shop.file))
    assert (verified["ok"], verified["open_intents"]) == (True, [])


def test_a_wrong_passphrase_asks_nobody(alliance: tuple[Home, Home, Shop], tmp_path: Path) -> None:
    acme, _, shop = alliance
    write_atomic(shop.file, shop.light.write("several words are better"))
    wrong = tmp_path / "wrong"
    write_atomic(wrong, b"several words are worse\n")
    with serve(acme) as node:
        command = shop.command(at(acme=node), SHARED)
        command.remove("--json")
        error = homeless(*command, "--passphrase-file", str(wrong), code=1)["error"]
        write_atomic(wrong, b"several words are better\n")
        right = homeless(*command, "--passphrase-file", str(wrong), "--member", "acme")
    assert error["code"] == "passphrase-wrong"
    assert held(right) == {SHARED: ["acme"]}
    assert [e.kind for e in entries(acme)].count("intent") == 1
