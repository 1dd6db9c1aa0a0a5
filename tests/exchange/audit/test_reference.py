"""Two verifiers that share no code say the same of every export, and name the same place first."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.psi import Output
from exchange.agreement import Rung
from exchange.audit.verify import audit
from exchange.clock import utc_now
from exchange.disclosure import Responder, Wish, match
from exchange.ledger import decode
from exchange.ledger.note import Checkpoint, sign
from exchange.local.alliance import ALLOW_ALL, found
from exchange.node import Node
from exchange.policy import Decision, History, Policy, Request, decide, parse
from tests.e2e import nodes
from tests.e2e.conftest import feed
from tests.exchange.audit.world import (
    MEMBERS,
    Clock,
    Files,
    Party,
    entries,
    exported,
    notes,
    resigned,
    rewound,
    rewritten,
    with_log,
    world,
)
from tests.exchange.disclosure.desks import WISH, Set, Wire
from tests.reference import audit as reference

Map = dict[str, Any]


def agreed(exports: dict[str, Files]) -> bool:
    """Whether both find nothing wrong. They name one file first, and one entry where both name one."""
    first, second = audit(exports).problems, reference.audit(exports)
    said = f"\nshipped: {first[:2]}\nreference: {second[:2]}"
    assert bool(first) == bool(second), said
    for one, other in zip(first[:1], second[:1], strict=True):
        assert f"{one.folder}/{one.file}" == other.file, said
        assert other.seq in {one.seq, None} or one.seq is None, said
    return not first


def with_both(member: str, files: Files) -> dict[str, Files]:
    return world().copy() | {member: files}


def test_what_was_exported_verifies() -> None:
    assert agreed(world().exports)
    assert all(agreed({member: files}) for member, files in world().exports.items())


class TestByWhoeverHasTheFolder:
    """Without any key."""

    @given(st.data())
    @settings(max_examples=200, deadline=None, derandomize=True)
    def test_any_byte_of_any_file(self, data: st.DataObject) -> None:
        member = data.draw(st.sampled_from(MEMBERS))
        files = world().exports[member]
        path = data.draw(st.sampled_from(sorted(files)))
        content = bytearray(files[path])
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
        assert not agreed(with_both(member, files | {path: bytes(content)}))

    @given(st.data())
    @settings(max_examples=100, deadline=None, derandomize=True)
    def test_bytes_put_in_or_left_out(self, data: st.DataObject) -> None:
        member = data.draw(st.sampled_from(MEMBERS))
        files = world().exports[member]
        path = data.draw(st.sampled_from(sorted(files)))
        at, cut = data.draw(st.integers(0, len(files[path]))), data.draw(st.integers(0, 40))
        content = files[path][:at] + data.draw(st.binary(max_size=40)) + files[path][at + cut :]
        assert agreed(with_both(member, files | {path: content})) == (content == files[path])

    @pytest.mark.parametrize("member", MEMBERS)
    def test_any_file_left_out_or_put_in(self, member: str) -> None:
        files, key = world().exports[member], world().keys[member]
        for path in files:
            left = {p: data for p, data in files.items() if p != path}
            assert not agreed(with_both(member, left))
            if path == "README.txt" or path.startswith("documents/"):
                assert agreed({member: resigned(left, key)}) == (path == "README.txt")
        for path in ("documents/" + "0" * 64, "rosters/000003.roster", "notes.txt", "rosters/1.roster"):
            assert not agreed(with_both(member, files | {path: b"x"}))

    @pytest.mark.parametrize("member", MEMBERS)
    @pytest.mark.parametrize("signed", [False, True])
    def test_entries_left_out_swapped_and_cut_off(self, member: str, *, signed: bool) -> None:
        """The entries and checkpoints that are left are as they were; the manifest is signed anew or not."""
        files, key = world().exports[member], world().keys[member]
        bodies, checkpoints = entries(files), notes(files)
        logs = []
        for seq in range(len(bodies)):
            logs.append((bodies[:seq] + bodies[seq + 1 :], checkpoints))
            logs.append((bodies[:seq] + bodies[seq + 1 :], checkpoints[:seq] + checkpoints[seq + 1 :]))
            swapped = [*bodies[:seq], *bodies[seq + 1 : seq + 2], bodies[seq], *bodies[seq + 2 :]]
            logs.append((swapped, checkpoints))
            logs.append((bodies, [*checkpoints[:seq], checkpoints[seq - 1], *checkpoints[seq + 1 :]]))
            logs.append((bodies[:seq], checkpoints))
            logs.append((bodies, checkpoints[: seq or 1]))
        for log in logs:
            other = with_log(files, *log)
            other = resigned(other, key) if signed else other
            size = len(log[0])
            shorter = signed and log == (bodies[:size], checkpoints[:size])
            assert agreed({member: other}) == (shorter or other == files)


def test_a_log_of_nobody() -> None:
    """The newest roster of the export does not have the member, and any key has signed."""
    files, key = world().exports["umbra"], Ed25519PrivateKey.generate()
    opened = cbor2.loads(entries(files)[0]) | {"log_key": key.public_key().public_bytes_raw().hex()}
    named = {path: data for path, data in files.items() if path.split("/")[0] not in {"documents", "reports"}}
    del named["rosters/000002.roster"]
    assert not agreed({"umbra": forged(named, key, [opened])})


def test_a_set_without_its_size() -> None:
    files, key = world().exports["acme"], world().keys["acme"]
    log = [cbor2.loads(body) for body in entries(files)]
    shown = next(entry for entry in log if "peer_set_padded" in entry.get("what", {}))
    del shown["what"]["peer_set_padded"]
    assert not agreed({"acme": forged(files, key, log)})


@pytest.mark.parametrize("name", ["rung", "output"])
def test_a_word_that_nothing_has(name: str) -> None:
    audit(with_one_more("acme", {name: "other"}))


def test_a_set_that_nobody_committed_to() -> None:
    assert not agreed(with_one_more("acme", {"peer_epoch": 9}))


def with_one_more(member: str, changes: Map) -> dict[str, Files]:
    """Both exports; at the end of one a session has just begun, of which it says this."""
    files, key = world().exports[member], world().keys[member]
    log = [cbor2.loads(body) for body in entries(files)]
    *_, last = (e for e in log if e["kind"] == "intent" and "peer_set" in e["what"])
    more = {n: v for n, v in last.items() if n != "agreement"}
    more |= {"time": log[-1]["time"], "session": "ab" * 32, "what": {**last["what"], **changes}}
    return with_both(member, forged(files, key, [*log, more]))


def test_a_session_that_has_just_begun() -> None:
    assert agreed(with_one_more("acme", {}))
    assert agreed(with_one_more("umbra", {}))
    for lie in ({"log_root": "00" * 32}, {"log_size": 99}, {"peer_set": "00" * 32}):
        assert not agreed(with_one_more("acme", lie))


def test_a_certificate_with_a_key_of_an_unknown_kind() -> None:
    """One bit of the first roster."""
    files = world().exports["acme"]
    path, curve = "rosters/000001.roster", bytes.fromhex("06072a8648ce3d0201")
    assert curve in files[path]
    altered = files[path].replace(curve, curve[:5] + bytes([curve[5] ^ 1]) + curve[6:])
    assert not agreed({"acme": files | {path: altered}})


class TestByTheOwnerOfTheLog:
    """With the log's key: everything hashed and signed anew."""

    @pytest.mark.parametrize("member", MEMBERS)
    def test_a_log_that_was_rewound(self, member: str) -> None:
        files, key = world().exports[member], world().keys[member]
        for size in range(1, len(entries(files))):
            agreed({member: rewound(files, size, key)})
            agreed(with_both(member, rewound(files, size, key)))

    @pytest.mark.parametrize("member", MEMBERS)
    def test_any_entry_that_says_something_else(self, member: str) -> None:
        """Also what no member can be made to write."""
        files, key = world().exports[member], world().keys[member]
        log = [cbor2.loads(body) for body in entries(files)]
        found = [agreed({member: forged(files, key, lie)}) for lie in lies(log)]
        assert len(found) > 1000
        assert found.count(True) < 30, "some numbers of an alarm or a lift are nobody else's"

    @given(st.data())
    @settings(max_examples=150, deadline=None, derandomize=True)
    def test_any_history(self, data: st.DataObject) -> None:
        """Entries moved, repeated, left out, given what others say."""
        member = data.draw(st.sampled_from(MEMBERS))
        files, key = world().exports[member], world().keys[member]
        log = [cbor2.loads(body) for body in entries(files)]
        at, other = (data.draw(st.integers(1, len(log) - 1)) for _ in range(2))
        changed = list(log)
        match data.draw(st.sampled_from(["move", "repeat", "drop", "mix"])):
            case "move":
                changed.insert(other, changed.pop(at))
            case "repeat":
                changed.insert(other, changed[at])
            case "drop":
                del changed[at]
            case _:
                changed[at] = {name: log[other].get(name, value) for name, value in log[at].items()}
        agreed({member: forged(files, key, changed)})

    @pytest.mark.parametrize("member", MEMBERS)
    def test_any_byte_of_a_receipt(self, member: str) -> None:
        files, key = world().exports[member], world().keys[member]
        log = list(map(decode, entries(files)))
        seq = max(leaf.seq for leaf in log if leaf.kind == "receipt")
        receipt = bytes(log[seq].fields["receipt"])  # type: ignore[arg-type]
        for at in range(0, len(receipt), 5):
            lie = receipt[:at] + bytes([receipt[at] ^ 1]) + receipt[at + 1 :]
            changed = [
                *log[:seq],
                replace(log[seq], fields={**log[seq].fields, "receipt": lie}),
                *log[seq + 1 :],
            ]
            assert not agreed({member: rewritten(files, key, lambda _, x=changed: x)})  # type: ignore[misc]

    @given(st.data())
    @settings(max_examples=150, deadline=None, derandomize=True)
    def test_any_byte_of_what_the_log_names(self, data: st.DataObject) -> None:
        member = data.draw(st.sampled_from(MEMBERS))
        files, key = world().exports[member], world().keys[member]
        paths = [path for path in sorted(files) if "/" in path]
        path = data.draw(st.sampled_from(paths))
        content = bytearray(files[path])
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
        assert not agreed({member: resigned(files | {path: bytes(content)}, key)})


def lies(log: list[Map]) -> Iterator[list[Map]]:
    """The log with one value of one entry changed, each in turn: another, of another type, gone."""
    for seq, entry in enumerate(log):
        inner = [{**entry, "what": what} for what in (*changes(entry.get("what", {})), {})]
        for lie in (*changes(entry), *inner):
            if lie != entry:
                yield [*log[:seq], lie, *log[seq + 1 :]]


def changes(fields: Map) -> Iterator[Map]:
    for name, value in fields.items():
        if name in {"what", "prev", "seq"}:
            continue
        if name != "peer_set_padded":
            yield {n: v for n, v in fields.items() if n != name}
        other = {} if isinstance(value, dict) else value + 1 if isinstance(value, int) else value[1:]
        yield from ({**fields, name: wrong} for wrong in (None, [value], other))
    yield {**fields, "surprise": 1}


def forged(files: Files, key: Ed25519PrivateKey, log: list[Map]) -> Files:
    """Any maps as a log, hashed and signed by its owner, in the one form of everything around them."""
    bodies, checkpoints, peaks, prev = [], [], [], "0" * 64
    origin = str(cbor2.loads(entries(files)[0])["origin"])
    for seq, entry in enumerate(log):
        bodies.append(cbor2.dumps({**entry, "seq": seq, "prev": prev}, canonical=True))
        root = reference.grown(peaks, bodies[-1])
        checkpoints.append(sign(Checkpoint(origin, seq + 1, root), key))
        prev = sha256(checkpoints[-1].encode()).hexdigest()
    return resigned(with_log(files, bodies, checkpoints), key)


LIMITS = {
    "sessions_per_day": ("sessions_per_day = 2", 3),
    "values_per_day": ("sessions_per_day = 9\nvalues_per_day = 64", 3),
    "values_per_year": ("sessions_per_day = 9\nvalues_per_year = 64", 3),
    "share": ("sessions_per_day = 9\nshare = { most = 1.0, days = 365 }", 2),
}


def unruly(folder: Path, line: str, apart: timedelta, wish: Wish, dials: str) -> tuple[Files, list[int]]:
    """What acme exports, whose node has run three sessions with umbra without asking its policy.

    Also where in its log each of these sessions begins.
    """
    homes = found("threats.example", MEMBERS, folder)
    homes[0].policy_file.write_text(ALLOW_ALL.replace("sessions_per_day = 1000", line))
    clock = Clock(utc_now())

    async def live() -> None:
        nodes = [Node(home, items=Set(["a", "b", "c"]), clock=clock) for home in homes]
        with nodes[0] as acme, nodes[1] as umbra:
            dialled, dialler = (umbra, acme) if dials == "acme" else (acme, umbra)
            ends = Party(dialler.desk.member), Party(dialled.desk.member)
            wire = Wire(*ends, Responder(dialled.desk))  # type: ignore[arg-type]
            for _ in range(3):
                await match(dialler.desk, dialled.desk.member, wish, wire)
                clock.now += apart

    asyncio.run(live())
    files = exported(homes[0], folder / "export", clock)
    return files, [leaf.seq for leaf in map(decode, entries(files)) if leaf.kind == "intent"]


def allowed(_policy: Policy, request: Request, _history: History, now: datetime) -> Decision:
    return decide(parse(ALLOW_ALL), request, History(()), now)


@pytest.mark.parametrize("dials", MEMBERS)
@pytest.mark.parametrize("limit", LIMITS)
def test_a_budget_that_the_node_did_not_keep_to(
    limit: str, dials: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("deciding", "responder"):
        monkeypatch.setattr(f"exchange.disclosure.{module}.decide", allowed)
    line, n = LIMITS[limit]
    wish = replace(WISH, output=Output.BOTH)
    files, begun = unruly(tmp_path / "at once", line, timedelta(minutes=1), wish, dials)
    assert not agreed({"acme": files})
    assert reference.audit({"acme": files})[0].seq == begun[n - 1]
    files, _ = unruly(tmp_path / "in time", line, timedelta(hours=25), wish, dials)
    assert agreed({"acme": files}) == limit.endswith("day")
    files, _ = unruly(tmp_path / "by size", line, timedelta(minutes=1), replace(WISH, rung=Rung.SIZE), dials)
    assert agreed({"acme": files}) == (limit != "sessions_per_day")


@pytest.mark.slow
def test_what_processes_leave(tmp_path: Path) -> None:
    """Several rungs and protocols, one that was made ahead, a quarantine, a refused session, a report."""
    alice, bob = nodes.members(tmp_path, "alice", "bob")
    nodes.import_values(alice, feed(*range(1, 41)))
    nodes.import_values(bob, feed(*range(31, 81)))
    with nodes.serve(bob) as node:
        dial = ["match", "bob", "--address", node.address]
        nodes.cosight(alice, "warm", "bob", "--size", "500", "--address", node.address)
        for options in ([], ["--reveal", "size"], ["--protocol", "vole"], ["--if", "size >= 200"]):
            nodes.cosight(alice, *dial, *options)
        nodes.cosight(bob, "policy", "quarantine", "alice", "--reason", "ticket-7")
        nodes.cosight(alice, *dial, code=1)
        nodes.cosight(bob, "policy", "lift", "alice", "--reason", "explained")
    with nodes.serve(alice) as node:
        nodes.cosight(bob, "match", "alice", "--address", node.address)
    nodes.cosight(alice, "report", "--peer", "bob")
    exports = {}
    for home in (alice, bob):
        nodes.cosight(home, "ledger", "export", str(tmp_path / "export" / home.member))
        exports[home.member] = reference.read(tmp_path / "export" / home.member)
    assert agreed(exports)
    kinds = {str(leaf.kind) for files in exports.values() for leaf in map(decode, entries(files))}
    assert {"disclosed", "aborted", "refused", "quarantine", "lift", "report", "receipt"} <= kinds
    for member, files in exports.items():
        for path in files:
            assert not agreed(exports | {member: files | {path: files[path][:-1]}})
            assert not agreed({member: {p: data for p, data in files.items() if p != path}})
