"""Whatever is altered in an export, by whomever, is found, and the first finding names the place."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.audit.exam import CHECKPOINTS, Finding
from exchange.audit.manifest import NAME
from exchange.audit.papers import LEAVES
from exchange.audit.verify import audit
from exchange.ledger import Kind, Leaf, decode
from tests.exchange.audit.world import (
    MEMBERS,
    Files,
    World,
    entries,
    notes,
    place_of,
    resigned,
    rewound,
    rewritten,
    with_log,
    world,
)


def first(exports: dict[str, Files]) -> Finding:
    found = audit(exports)
    assert not found.ok
    return found.problems[0]


def altered(member: str, files: Files) -> dict[str, Files]:
    return world().copy() | {member: files}


def test_what_was_exported_verifies() -> None:
    both = audit(world().exports)
    assert both.problems == ()
    assert [one.member for one in both.exports] == list(MEMBERS)
    assert [one.receipts for one in both.exports] == [4, 4]
    assert {one.alliance for one in both.exports} == {"threats.example"}
    for member, files in world().exports.items():
        assert audit({member: files}).ok


class TestByWhoeverHasTheFolder:
    """Without any key."""

    @given(st.data())
    @settings(max_examples=200, deadline=None)
    def test_any_byte_of_any_file(self, data: st.DataObject) -> None:
        member = data.draw(st.sampled_from(MEMBERS))
        files = world().exports[member]
        path = data.draw(st.sampled_from(sorted(files)))
        offset = data.draw(st.integers(0, len(files[path]) - 1))
        flip = data.draw(st.integers(1, 255))
        content = bytearray(files[path])
        content[offset] ^= flip
        found = first(altered(member, files | {path: bytes(content)}))
        assert (found.folder, found.file) == (member, path)
        if path in {LEAVES, CHECKPOINTS}:
            place = place_of(files, path, offset)
            assert place is not None
            # A signature is missed by the entry after it, text that is not UTF-8 by none.
            near = {place} if path == LEAVES else {place, place + 1, len(entries(files)) - 1, 0}
            assert found.seq in near

    @given(st.data())
    @settings(max_examples=60, deadline=None)
    def test_bytes_put_in_or_left_out(self, data: st.DataObject) -> None:
        member = data.draw(st.sampled_from(MEMBERS))
        files = world().exports[member]
        path = data.draw(st.sampled_from(sorted(files)))
        at = data.draw(st.integers(0, len(files[path]) - 1))
        cut = data.draw(st.integers(0, 40))
        put = data.draw(st.binary(max_size=40))
        content = files[path][:at] + put + files[path][at + cut :]
        if content != files[path]:
            found = first(altered(member, files | {path: content}))
            assert (found.folder, found.file) == (member, path)

    @pytest.mark.parametrize("member", MEMBERS)
    def test_any_file_left_out_or_put_in(self, member: str) -> None:
        files = world().exports[member]
        for path in files:
            found = first(altered(member, {p: data for p, data in files.items() if p != path}))
            assert (found.folder, found.file) == (member, path)
        for path in ("documents/" + "0" * 64, "rosters/000003.roster", "notes.txt", "rosters/1.roster"):
            found = first(altered(member, files | {path: b"x"}))
            assert (found.folder, found.file) == (member, path)

    @pytest.mark.parametrize("member", MEMBERS)
    def test_entries_left_out_swapped_and_cut_off(self, member: str) -> None:
        files = world().exports[member]
        bodies, checkpoints = entries(files), notes(files)
        for seq in range(len(bodies)):
            without = bodies[:seq] + bodies[seq + 1 :]
            found = first(altered(member, with_log(files, without, checkpoints)))
            assert (found.folder, found.file, found.seq) == (member, LEAVES, min(seq, len(bodies) - 1))
            shorter = with_log(files, bodies[:seq], checkpoints[:seq])
            assert first(altered(member, shorter)).file == LEAVES
        for seq in range(len(bodies) - 1):
            swapped = [*bodies[:seq], bodies[seq + 1], bodies[seq], *bodies[seq + 2 :]]
            found = first(altered(member, with_log(files, swapped, checkpoints)))
            assert (found.file, found.seq) == (LEAVES, seq)

    @pytest.mark.parametrize("member", MEMBERS)
    def test_a_checkpoint_in_place_of_another(self, member: str) -> None:
        files = world().exports[member]
        bodies, checkpoints = entries(files), notes(files)
        for seq in range(1, len(checkpoints)):
            older = [*checkpoints[:seq], checkpoints[seq - 1], *checkpoints[seq + 1 :]]
            found = first(altered(member, with_log(files, bodies, older)))
            assert (found.file, found.seq) == (CHECKPOINTS, seq)


class TestByTheOwnerOfTheLog:
    """With the log's key: everything hashed and signed anew."""

    @pytest.mark.parametrize("member", MEMBERS)
    def test_a_log_that_was_rewound_is_found_by_what_its_peer_saw(self, member: str) -> None:
        files, key = world().exports[member], world().keys[member]
        shown = max(
            leaf.what["log_size"]
            for other, export in world().exports.items() if other != member
            for leaf in map(decode, entries(export)) if "log_size" in leaf.what
        )  # fmt: skip
        assert isinstance(shown, int)
        for size in range(3, shown):
            found = audit(altered(member, rewound(files, size, key)))
            assert not found.ok
            blamed = {problem.folder for problem in found.problems}
            assert blamed == {member}, size

    def test_a_receipt_that_one_side_leaves_out_at_its_end(self) -> None:
        """Whoever answered has it first. Whoever dialled may have lost it."""
        for member, files in world().exports.items():
            log = list(map(decode, entries(files)))
            seq = max(leaf.seq for leaf in log if leaf.kind is Kind.RECEIPT)
            found = audit(altered(member, rewound(files, seq, world().keys[member])))
            said = [p.what for p in found.problems if p.folder == member and "receipt" in p.what]
            dialled = log[seq].fields["direction"] == "initiator"
            assert bool(said) is not dialled

    @pytest.mark.parametrize("member", MEMBERS)
    def test_a_session_that_is_denied(self, member: str) -> None:
        files, key = world().exports[member], world().keys[member]
        for session in {leaf.session for leaf in map(decode, entries(files))} - {""}:
            denied = rewritten(files, key, lambda log, s=session: [x for x in log if x.session != s])  # type: ignore[misc]
            found = audit(altered(member, denied))
            assert member in {problem.folder for problem in found.problems}

    @pytest.mark.parametrize("member", MEMBERS)
    def test_any_entry_that_says_something_else(self, member: str) -> None:
        """Every number in every entry, changed with everything after it signed anew."""
        files, key = world().exports[member], world().keys[member]
        changes = 0
        for seq, leaf in enumerate(map(decode, entries(files))):
            for name, value in leaf.what.items():
                if type(value) is not int or leaf.kind in {Kind.ALARM, Kind.REPORT}:
                    continue
                what = {**leaf.what, name: value + 1}
                lie = replace(leaf, fields={**leaf.fields, "what": what})
                other = rewritten(files, key, lambda log, n=seq, x=lie: [*log[:n], x, *log[n + 1 :]])  # type: ignore[misc]
                found = audit(altered(member, other))
                assert member in {problem.folder for problem in found.problems}, (seq, name)
                changes += 1
        assert changes > 30

    @pytest.mark.parametrize("member", MEMBERS)
    def test_any_text_of_an_entry(self, member: str) -> None:
        files, key = world().exports[member], world().keys[member]
        log = list(map(decode, entries(files)))
        last = max(leaf.seq for leaf in log if leaf.kind is Kind.RECEIPT) - 1  # that may be lost on its way
        changes = 0
        for leaf in log[1:last]:
            for lie in _lies(leaf):
                changed = [*log[: leaf.seq], lie, *log[leaf.seq + 1 :]]
                found = audit(altered(member, rewritten(files, key, lambda _, x=changed: x)))  # type: ignore[misc]
                assert member in {problem.folder for problem in found.problems}, (leaf.seq, lie)
                changes += 1
        assert changes > 60

    @pytest.mark.parametrize("member", MEMBERS)
    def test_any_byte_of_a_receipt(self, member: str) -> None:
        files, key = world().exports[member], world().keys[member]
        log = list(map(decode, entries(files)))
        seq = max(leaf.seq for leaf in log if leaf.kind is Kind.RECEIPT)
        receipt = log[seq].fields["receipt"]
        assert isinstance(receipt, bytes)
        for at in range(0, len(receipt), 3):
            lie = receipt[:at] + bytes([receipt[at] ^ 1]) + receipt[at + 1 :]
            fields = {**log[seq].fields, "receipt": lie}
            changed = [*log[:seq], replace(log[seq], fields=fields), *log[seq + 1 :]]
            found = first({member: rewritten(files, key, lambda _, x=changed: x)})  # type: ignore[misc]
            assert (found.file, found.seq) == (LEAVES, seq)

    def test_a_receipt_of_another_session_in_place_of_one(self) -> None:
        files, key = world().exports["acme"], world().keys["acme"]
        log = list(map(decode, entries(files)))
        one, other = [leaf for leaf in log if leaf.kind is Kind.RECEIPT][:2]
        lie = replace(one, fields={**one.fields, "receipt": other.fields["receipt"]})
        swapped = [*log[: one.seq], lie, *log[one.seq + 1 :]]
        found = first({"acme": rewritten(files, key, lambda _: swapped)})
        assert (found.seq, found.what) == (one.seq, "the receipt is of another session")

    @pytest.mark.parametrize("at", range(0, 60_000, 4999))
    def test_a_report_that_was_altered(self, at: int) -> None:
        files, key = world().exports["acme"], world().keys["acme"]
        (path,) = (path for path in files if path.startswith("reports/"))
        data = files[path]
        lie = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        found = first(altered("acme", resigned(files | {path: lie}, key)))
        assert (found.file, found.what) == (path, "its name is not the hash of its bytes")

    def test_a_document_that_was_altered(self) -> None:
        files, key = world().exports["acme"], world().keys["acme"]
        for path in (path for path in files if path.startswith("documents/")):
            found = first(altered("acme", resigned(files | {path: files[path] + b"\x00"}, key)))
            assert found.file == path

    @given(st.data())
    @settings(max_examples=150, deadline=None)
    def test_any_history_is_answered(self, data: st.DataObject) -> None:
        """Entries moved, repeated, left out, given what others say: never an error, and never believed."""
        member = data.draw(st.sampled_from(MEMBERS))
        files, key = world().exports[member], world().keys[member]
        log = list(map(decode, entries(files)))
        last = max(leaf.seq for leaf in log if leaf.kind is Kind.RECEIPT) - 1  # that may be lost on its way
        at, other = (data.draw(st.integers(1, last)) for _ in range(2))
        changed = list(log)
        match data.draw(st.sampled_from(["move", "repeat", "drop", "mix"])):
            case "move":
                changed.insert(other, changed.pop(at))
            case "repeat":
                changed.insert(other, changed[at])
            case "drop":
                del changed[at]
            case _:
                alike = [leaf for leaf in log if leaf.kind is log[at].kind]
                fields = {**log[at].fields}
                name = data.draw(st.sampled_from(sorted(fields)))
                fields[name] = data.draw(st.sampled_from(alike)).fields.get(name, fields[name])
                changed[at] = replace(log[at], fields=fields)
        if changed != log:
            found = audit(altered(member, rewritten(files, key, lambda _: changed)))
            assert member in {problem.folder for problem in found.problems}

    def test_another_roster(self) -> None:
        files, key = world().exports["acme"], world().keys["acme"]
        older = {path: data for path, data in files.items() if path != "rosters/000002.roster"}
        found = audit({"acme": resigned(older, key)})
        assert "roster 2 was adopted, but is not in the export" in {
            problem.what for problem in found.problems
        }

    def test_another_members_key(self) -> None:
        files = world().exports["acme"]
        found = first(altered("acme", resigned(files, world().keys["umbra"])))
        assert (found.file, found.what) == (NAME, "it is not signed by the member's log key")


def test_two_exports_of_one_log() -> None:
    w: World = world()
    older = rewound(w.exports["acme"], 9, w.keys["acme"])
    assert audit({"new": w.exports["acme"], "old": older}).ok
    other = rewritten(w.exports["acme"], w.keys["acme"], lambda log: log[:8] + log[11:])
    found = audit({"new": w.exports["acme"], "other": other})
    assert any("the log is another one than in" in problem.what for problem in found.problems)


def test_who_lies_about_the_other_is_found_by_the_other() -> None:
    """A member that writes a wrong state of its peer's log down contradicts the receipts that both signed."""
    files, key = world().exports["acme"], world().keys["acme"]

    def edit(log: list[Leaf]) -> list[Leaf]:
        seq = min(leaf.seq for leaf in log if leaf.kind is Kind.INTENT)
        lie = {**log[seq].what, "log_root": "00" * 32}
        return [*log[:seq], replace(log[seq], fields={**log[seq].fields, "what": lie}), *log[seq + 1 :]]

    found = audit({"acme": rewritten(files, key, edit)})
    assert any("witnesses another log of the peer" in problem.what for problem in found.problems)


_OTHERS: dict[str, object] = {
    "peer": "eve", "direction": "initiator", "agreement": "ab" * 32, "session": "cd" * 32,
    "policy": "ef" * 32,
    "rung": "size", "output": "both", "protocol": "vole", "types": ["ipv4"], "log_root": "11" * 32,
    "peer_set": "22" * 32, "transcript": "33" * 32, "learned_by_peer": "context", "reason": "other",
    "entered": {"ipv4": 7}, "withheld": {"p4-tlp": {"ipv4": 1}}, "alliance": "other.example",
    "root": "44" * 32, "state": "55" * 32, "roster": "66" * 32, "peer_signature": "77" * 64,
}  # fmt: skip


def _lies(leaf: Leaf) -> Iterator[Leaf]:
    """The entry with each of its texts changed."""
    for name, other in _OTHERS.items():
        if leaf.fields.get(name, other) != other:
            yield replace(leaf, fields={**leaf.fields, name: other})
        if leaf.what.get(name, other) != other:
            yield replace(leaf, fields={**leaf.fields, "what": {**leaf.what, name: other}})
    if leaf.fields.get("direction") == "initiator":
        yield replace(leaf, fields={**leaf.fields, "direction": "responder"})
