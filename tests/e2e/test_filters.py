"""Published filters between real processes: asked as people ask, cut off midway, silent about values."""

import hashlib
import json
from pathlib import Path

import pytest

from exchange.config import Home
from exchange.disclosure.asking import Answered
from exchange.indicators import recognise
from exchange.node import Node
from tests.e2e.conftest import feed
from tests.e2e.nodes import cosight, entries, homeless, import_values, serve, story, until
from tests.e2e.process import Process
from tests.e2e.tap import Tap
from tests.e2e.test_canary import SHARED, canaries, files_of, found, in_clear, memory_of, planted
from tests.reference import audit as reference

__all__ = ["in_clear", "planted"]
ITEMS = 40_000
MIDDLE = 250_000
"""Half of the file of so many items."""


def query(home: Home, address: str, *values: str, code: int = 0) -> dict:
    return cosight(home, "filter", "query", "bob", *values, "--address", address, code=code)


def positives(said: dict) -> set[str]:
    return {one["value"] for one in said["positives"]}


def digests(count: int) -> list[str]:
    return [hashlib.sha256(b"%d" % n).hexdigest() for n in range(count)]


def querying(home: Home, address: str, value: str, *options: str) -> Process:
    """A query beside the test."""
    return Process("filter", "query", "bob", value, "--address", address, "--home", str(home.path), *options)


def test_from_the_command_line(filled):
    alice, bob = filled
    built = cosight(bob, "filter", "build")
    assert (built["version"], built["new_epoch"], built["new_tags"], built["audience"]) == (
        1,
        True,
        250,
        ["alice"],
    )
    assert (sum(built["entered"].values()), built["items"], built["kind"]) == (250, 256, "golomb")
    shared, strange = feed(31, 40), feed(1, 30)
    with serve(bob) as node:
        said = query(alice, node.address, *shared, *strange, "not an indicator", "hxxps://example[.]com/33")
        assert positives(said) == {*shared, "https://example.com/33"}
        assert (said["asked"], said["refused"], said["confirmed"], said["settled"]) == (21, 1, False, True)
        assert {one["false_positive_probability"] for one in said["positives"]} == {
            said["expected_false"] / 21
        }
        assert 0 < said["expected_false"] < 1e-6
        assert said["bytes"]["filter"] == said["publication"]["bytes"] == built["bytes"]

        sure = query(alice, node.address, *shared, *strange, "--confirm")
        assert (positives(sure), sure["confirmed"], sure["expected_false"]) == (set(shared), True, 0)
        assert sure["bytes"]["filter"] == 0

        import_values(bob, feed(*range(31, 82)))
        assert cosight(bob, "filter", "build", "--kind", "sorted")["new_tags"] == 5
        assert positives(query(alice, node.address, *feed(80, 81, 82))) == {*feed(80), *feed(81)}
        import_values(bob, feed(*range(33, 84)))
        assert cosight(bob, "filter", "build")["delta_bytes"] > 0
        changed = query(alice, node.address, *feed(31, 33, 83, 84))
        assert positives(changed) == {*feed(33), *feed(83)}
        assert 0 < changed["bytes"]["filter"] < changed["publication"]["bytes"]
    listed = cosight(alice, "filter", "list")
    assert listed["published"] is None
    assert listed["fetched"]["bob"]["version"] == 3
    assert cosight(bob, "filter", "list")["published"]["in_force"]
    for home in filled:
        assert story(home, said["session"]) == [("intent", ""), ("disclosed", "")]
        asked = [e.what["asked"] for e in entries(home) if str(e.kind) == "disclosed"]
        assert asked == [21, 20, 15, 20]
        folder = home.path / "account"
        cosight(home, "ledger", "export", str(folder))
        assert homeless("verify", str(folder))["ok"]
        assert reference.audit({home.member: reference.read(folder)}) == []
        report = cosight(home, "report", said["session"][:12])
        assert (report["verdict"]["word"], report["scope"]["session"]) == ("good", said["session"])


def test_values_from_standard_input(filled):
    alice, bob = filled
    cosight(bob, "filter", "build", "--fpr", "1e-6", "--type", "domain")
    lines = "\n".join([*feed(*range(25, 35)), ""])
    with (
        serve(bob) as node,
        querying(alice, node.address, "-", "--json") as done,
        querying(alice, node.address, "-") as plain,
    ):
        said = json.loads(done.communicate(lines)[0])
        printed, _ = plain.communicate(lines)
    assert (done.returncode, plain.returncode) == (0, 0)
    assert positives(said) == {f"host-{n}.example.com" for n in range(31, 35)}
    assert (said["asked"], len(said["not_covered"])) == (10, 40)
    assert "host-34.example.com" in printed
    assert "bob holds 4 of 10" in printed


def test_refusals_say_why(filled):
    alice, bob = filled
    with serve(bob) as node:
        said = query(alice, node.address, "host-31.example.com", code=1)
        assert said["error"]["code"] == "nothing-published"
        assert query(alice, node.address, "no indicator", code=1)["error"]["code"] == "input"
        allowed = alice.policy_file.read_text()
        alice.policy_file.write_text(allowed.replace('"filter"', '"filters"'))
        refused = query(alice, node.address, "host-31.example.com", code=1)
        assert refused["error"]["code"] == "policy-refused"
        bob.policy_file.write_text(allowed.replace('"filter"', '"filters"'))
        alice.policy_file.write_text(allowed)
        assert query(alice, node.address, "host-31.example.com", code=1)["error"]["code"] == "policy-refused"
    assert cosight(bob, "filter", "build", code=1)["error"]["code"] == "policy-refused"
    for rate in ("2", "0", "2^30", "x"):
        assert cosight(bob, "filter", "build", "--fpr", rate, code=2)["error"]["code"] == "usage"


@pytest.fixture
def large(homes):
    alice, bob = homes
    import_values(bob, digests(ITEMS))
    cosight(bob, "filter", "build", "--kind", "sorted")
    return alice, bob


def kept(home: Home) -> int:
    """Bytes of a file that is not whole yet."""
    return sum(path.stat().st_size for path in home.path.glob("filters/bob/part-*"))


@pytest.mark.slow
def test_the_asker_is_killed_while_it_fetches(large):
    alice, bob = large
    with serve(bob) as node:
        with (
            Tap(node.address, stop_after=MIDDLE, answers=True) as tap,
            querying(alice, tap.address, digests(1)[0], "--json") as asker,
        ):
            tap.wait_stopped()
            begun = until(lambda: kept(alice))
            asker.kill()
            asker.wait()
        said = query(alice, node.address, digests(1)[0], "1.2.3.4")
        assert positives(said) == {digests(1)[0]}
        assert said["bytes"]["filter"] == said["publication"]["bytes"] - kept_of(begun, said)
        assert kept(alice) == 0
    cut, whole = sessions(bob)
    assert (story(alice, cut), story(bob, cut)) == ([("intent", "")], [("intent", ""), ("disclosed", "")])
    assert whole == said["session"]
    assert [e.what["asked"] for e in entries(bob) if str(e.kind) == "disclosed"] == [1, 0]
    for home in large:
        assert cosight(home, "ledger", "verify")["ok"]


def kept_of(begun: int, said: dict) -> int:
    """What was there already: whole pieces, as many as had come or one more."""
    had = said["publication"]["bytes"] - said["bytes"]["filter"]
    assert begun <= had < said["publication"]["bytes"]
    return had


def sessions(home: Home) -> list[str]:
    """The sessions in a ledger, in their order."""
    return list(dict.fromkeys(e.session for e in entries(home) if e.session))


@pytest.mark.slow
def test_the_publisher_is_killed_while_it_gives(large):
    alice, bob = large
    with (
        serve(bob) as node,
        Tap(node.address, stop_after=MIDDLE, answers=True) as tap,
        querying(alice, tap.address, digests(1)[0], "--json") as asker,
    ):
        tap.wait_stopped()
        until(lambda: kept(alice))
        node.kill()
        for open_ in tap._sockets:
            open_.close()
        said = json.loads(asker.communicate()[0])
        assert asker.returncode == 1
    assert said["error"]["code"] in {"peer-unavailable", "peer-closed", "peer-stalled"}
    (session,) = sessions(alice)
    assert story(alice, session) == [("intent", ""), ("aborted", said["error"]["code"])]
    assert story(bob, session) == [("intent", "")]
    with serve(bob) as node:
        again = query(alice, node.address, digests(1)[0])
    assert positives(again) == {digests(1)[0]}
    assert 0 < again["bytes"]["filter"] < again["publication"]["bytes"]
    for home, open_ in ((alice, []), (bob, [session])):
        verified = cosight(home, "ledger", "verify")
        assert (verified["ok"], verified["open_intents"]) == (True, open_)


@pytest.mark.slow
def test_two_builds_at_once(large):
    _, bob = large
    import_values(bob, [*digests(ITEMS), *feed(*range(2000))])
    both = [Process("filter", "build", "--home", str(bob.path), "--json") for _ in range(2)]
    said = [json.loads(process.communicate()[0]) for process in both]
    codes = {one["error"]["code"] for one in said if "error" in one}
    assert codes <= {"filter-busy"}
    assert {one["version"] for one in said if "version" in one} == {2}
    assert cosight(bob, "filter", "list")["published"]["version"] == 2


@pytest.mark.slow
async def test_no_value_leaves_its_house(planted, in_clear):
    alice, bob = planted
    cosight(bob, "filter", "build")
    asked = [recognise(value) for value in [*SHARED, *canaries("alice").values()]]
    with serve(bob) as node, Tap(node.address) as tap, Node(alice) as ours:
        answered: Answered = await ours.query("bob", asked, confirm=True, address=tap.address)
        memory = memory_of(node.process.pid)
    assert {one.value for one in answered.positives} == set(SHARED)
    assert bytes.fromhex(answered.session) in in_clear
    assert len(in_clear) > 2 * 32 * len(asked)
    for house in ("alice", "bob"):
        for captured in (bytes(tap.sent), bytes(tap.received), bytes(in_clear)):
            assert found(house, captured) == []
    assert found("bob", files_of(alice)) == []
    assert found("alice", files_of(bob)) == []
    assert found("alice", memory) == []
    for home in planted:
        assert found(home.member, files_of(home, but="store.db*")) == []
    for shared in SHARED:
        assert shared.encode() not in in_clear
        assert all(shared.encode() not in path.read_bytes() for path in logs(alice, bob))


def logs(*homes: Home) -> list[Path]:
    return [path for home in homes for path in home.path.glob("*.log")]
