"""The pure ledger: tree against its oracle, notes, entries that cannot hold a secret, verification."""

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.errors import LedgerError
from exchange.ledger import (
    Checkpoint,
    Kind,
    Leaf,
    StoredCheckpoint,
    StoredLeaf,
    decode,
    note,
    origin,
    timestamp,
    tree,
    verifier_key,
    verify,
)
from exchange.ledger.leaf import _FIELDS as FIELD_CHECKS
from exchange.ledger.leaf import _WHAT as WHAT_CHECKS
from exchange.ledger.leaf import FIRST, note_hash
from tests.reference import merkle

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
# The eight leaves and roots that the reference implementations of RFC 6962 test with.
CT_LEAVES = [
    bytes.fromhex(text)
    for text in [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ]
]
CT_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def grow(leaves: list[bytes]) -> tuple[tree.Frontier, list[tree.Node], dict[tuple[int, int], bytes]]:
    frontier, nodes = tree.Frontier(), []
    for leaf in leaves:
        nodes += frontier.append(tree.leaf_hash(leaf))
    return frontier, nodes, {(n.level, n.idx): n.hash for n in nodes}


class TestTree:
    def test_roots_of_the_reference_implementations(self) -> None:
        for size, expected in enumerate(CT_ROOTS, start=1):
            assert grow(CT_LEAVES[:size])[0].root().hex() == expected

    @given(st.lists(st.binary(max_size=8), max_size=70))
    def test_roots_and_proofs_equal_the_oracle(self, leaves: list[bytes]) -> None:
        frontier, nodes, stored = grow(leaves)
        assert len(stored) == len(nodes) == sum(len(leaves) >> level for level in range(8))
        lookup = lambda level, idx: stored[level, idx]  # noqa: E731
        assert frontier.root() == merkle.root(leaves)
        for size in range(len(leaves) + 1):
            assert tree.root(size, lookup) == merkle.root(leaves[:size])
            assert tree.consistency_proof(size, len(leaves), lookup) == merkle.consistency_proof(size, leaves)
        for index in range(len(leaves)):
            assert tree.inclusion_proof(index, len(leaves), lookup) == merkle.inclusion_proof(index, leaves)

    @pytest.mark.parametrize("size", range(1, 34))
    def test_proofs_hold_and_only_where_they_belong(self, size: int) -> None:
        leaves = [bytes([i]) for i in range(size)]
        root = merkle.root(leaves)
        for index in range(size):
            proof = merkle.inclusion_proof(index, leaves)
            leaf = tree.leaf_hash(leaves[index])
            assert tree.verify_inclusion(index, size, leaf, proof, root)
            assert not tree.verify_inclusion(index, size, tree.leaf_hash(b"other"), proof, root)
            assert not tree.verify_inclusion(index, size, leaf, [*proof, root], root)
            assert not tree.verify_inclusion(size, size, leaf, proof, root)
            for place in range(len(proof)):
                assert not tree.verify_inclusion(index, size, leaf, proof[:place], root)
                bad = [*proof[:place], bytes(32), *proof[place + 1 :]]
                assert not tree.verify_inclusion(index, size, leaf, bad, root)
        for old in range(size + 1):
            old_root, proof = merkle.root(leaves[:old]), merkle.consistency_proof(old, leaves)
            assert tree.verify_consistency(old, size, old_root, root, proof)
            assert not tree.verify_consistency(old, size, bytes(32), root, proof)
            assert not tree.verify_consistency(old, size, old_root, root, [*proof, root])
            for place in range(len(proof)):
                assert not tree.verify_consistency(old, size, old_root, root, proof[:place])
                bad = [*proof[:place], bytes(32), *proof[place + 1 :]]
                assert not tree.verify_consistency(old, size, old_root, root, bad)

    def test_what_does_not_exist_has_no_proof(self) -> None:
        stored = grow(CT_LEAVES)[2]
        lookup = lambda level, idx: stored[level, idx]  # noqa: E731
        with pytest.raises(IndexError):
            tree.inclusion_proof(8, 8, lookup)
        with pytest.raises(IndexError):
            tree.consistency_proof(9, 8, lookup)
        assert not tree.verify_consistency(9, 8, bytes(32), bytes(32), [])
        assert not tree.verify_consistency(-1, -1, bytes(32), bytes(32), [])


class TestNote:
    checkpoint = Checkpoint(origin("acme", "threats.example"), 3, bytes(range(32)))

    def test_key_id_of_the_specification(self) -> None:
        published = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
        key = base64.b64decode(published.rpartition("+")[2])[1:]
        assert verifier_key("PeterNeumann", key) == published

    def test_form(self) -> None:
        lines = note.sign(self.checkpoint, KEY).split("\n")
        assert lines[:4] == [
            "cosight/threats.example/acme",
            "3",
            base64.b64encode(bytes(range(32))).decode(),
            "",
        ]
        assert lines[4].startswith("— cosight/threats.example/acme ")
        blob = base64.b64decode(lines[4].rpartition(" ")[2])
        assert blob[:4] == note.key_hash(self.checkpoint.origin, PUBLIC)
        KEY.public_key().verify(blob[4:], self.checkpoint.text().encode())

    def test_reading(self) -> None:
        assert note.read(note.sign(self.checkpoint, KEY), PUBLIC) == self.checkpoint
        with pytest.raises(LedgerError, match="not signed"):
            note.read(note.sign(self.checkpoint, KEY), bytes(32))

    def test_no_character_is_free(self) -> None:
        signed = note.sign(self.checkpoint, KEY)
        for place in range(len(signed)):
            for other in {signed[place - 1], "A", "B", "\n", "é"} - {signed[place]}:
                with pytest.raises(LedgerError):
                    note.read(signed[:place] + other + signed[place + 1 :], PUBLIC)
        for other in (signed + "\n", signed[:-1], signed + signed.split("\n")[4] + "\n"):
            with pytest.raises(LedgerError):
                note.read(other, PUBLIC)

    @pytest.mark.parametrize(
        "bad", ["acme", "cosight/", "cosight/a/b/c", "cosight/Acme", "cosight/a b", "other/acme"]
    )
    def test_names(self, bad: str) -> None:
        assert note.member_of("cosight/acme") == note.member_of("cosight/threats.example/acme") == "acme"
        with pytest.raises(LedgerError):
            note.member_of(bad)


SESSION = {"session": "5e" * 32, "peer": "umbra", "direction": "initiator"}
AGREED = SESSION | {"agreement": "a9" * 32}
FIELDS: dict[Kind, dict[str, object]] = {
    Kind.OPENED: {"member": "acme", "origin": "cosight/acme", "log_key": PUBLIC.hex()},
    Kind.ROSTER: {"alliance": "threats.example", "epoch": 1, "roster": "70" * 32},
    Kind.REFUSED: SESSION | {"what": {"by": "us", "reason": "policy-refused", "rule": "p3-types"}},
    Kind.INTENT: SESSION | {
        "what": {
            "rung": "overlap", "output": "receiver", "types": ["domain", "ipv4"], "protocol": "voprf",
            "profile": "cti-c14n/1", "policy": "b0" * 32, "ours_padded": 1024,
        }
    },
    Kind.DISCLOSED: AGREED | {
        "what": {
            "learned_by_us": "overlap", "learned_by_peer": "size", "matched": 7, "peer_padded": 2048,
            "bytes_sent": 32768, "bytes_received": 81920, "messages_sent": 1,
        }
    },
    Kind.ABORTED: SESSION | {"what": {"reason": "peer-unavailable", "by": "us"}},
}  # fmt: skip


def leaf(kind: Kind, seq: int = 0, prev: str = FIRST, now: datetime = NOW, **fields: object) -> Leaf:
    return Leaf(seq, timestamp(now), kind, prev, FIELDS[kind] | fields)


class TestLeaf:
    @pytest.mark.parametrize("kind", Kind)
    def test_round_trip_in_the_one_encoding(self, kind: Kind) -> None:
        written = leaf(kind)
        body = written.encode()
        assert decode(body) == written
        assert body == cbor2.dumps(written.as_dict(), canonical=True)

    @pytest.mark.parametrize("kind", Kind)
    def test_missing_and_unknown_fields_are_refused(self, kind: Kind) -> None:
        optional = {"session"} if kind is Kind.REFUSED else set()
        for name in FIELDS[kind].keys() - optional:
            fields = {k: v for k, v in FIELDS[kind].items() if k != name}
            with pytest.raises(LedgerError, match=name):
                Leaf(0, timestamp(NOW), kind, FIRST, fields).encode()
        with pytest.raises(LedgerError, match="unknown field"):
            leaf(kind, note="text").encode()
        if "what" in FIELDS[kind]:
            with pytest.raises(LedgerError, match="unknown field"):
                leaf(kind, what=FIELDS[kind]["what"] | {"note": "text"}).encode()  # type: ignore[operator]

    @pytest.mark.parametrize("kind", Kind)
    @pytest.mark.parametrize("bad", [None, -1, 1.5, True, 2**53, "", "Text", b"\x00", [], {}, ["b", "a"]])
    def test_wrong_types_are_refused(self, kind: Kind, bad: object) -> None:
        for name in FIELDS[kind]:
            with pytest.raises(LedgerError):
                leaf(kind, **{name: bad}).encode()
        what = FIELDS[kind].get("what")
        if isinstance(what, dict):
            for name in what:
                with pytest.raises(LedgerError):
                    leaf(kind, what=what | {name: bad}).encode()

    @pytest.mark.parametrize("kind", Kind)
    @pytest.mark.parametrize(
        "indicator",
        [
            "198.51.100.7", "2001:db8::7", "198.51.100.0/24", "bad.example", "https://bad.example/a",
            "who@bad.example", "d41d8cd98f00b204e9800998ecf8427e", "a" * 32,
            "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        ],
    )  # fmt: skip
    def test_no_field_can_spell_an_indicator(self, kind: Kind, indicator: str) -> None:
        names = {"alliance", "member", "peer"}  # the roster's words, whatever they look like
        for name in FIELDS[kind].keys() - names - {"what"}:
            with pytest.raises(LedgerError) as refused:
                leaf(kind, **{name: indicator}).encode()
            assert indicator not in str(refused.value)
        what = FIELDS[kind].get("what", {})
        assert isinstance(what, dict)
        for name in what:
            for value in (indicator, [indicator]):
                with pytest.raises(LedgerError) as refused:
                    leaf(kind, what=what | {name: value}).encode()
                assert indicator not in str(refused.value)

    def test_other_encodings_are_refused(self) -> None:
        body = leaf(Kind.INTENT).encode()
        raw = cbor2.loads(body)
        unsorted = cbor2.dumps(dict(reversed(raw.items())))
        inner = dict(raw, what=dict(reversed(raw["what"].items())))
        others = [
            unsorted,
            cbor2.dumps(inner),
            body + b"\x00",
            body[:-1],
            b"",
            b"\xff",
            cbor2.dumps([raw]),
            b"x" * 5000,
        ]
        others += [
            cbor2.dumps(raw | {"v": 2}, canonical=True),
            cbor2.dumps(raw | {"kind": "x"}, canonical=True),
        ]
        others += [
            cbor2.dumps(raw | {"kind": []}, canonical=True),
            cbor2.dumps({1: 2}),
            cbor2.dumps(raw | {"v": True}),
        ]
        for other in others:
            with pytest.raises(LedgerError):
                decode(other)

    @given(st.binary(max_size=200))
    @settings(max_examples=300)
    def test_arbitrary_bytes_give_the_one_error(self, body: bytes) -> None:
        with pytest.raises(LedgerError):
            decode(body)

    def test_times_are_utc_and_sort_as_text(self) -> None:
        east = timezone(timedelta(hours=9))
        assert timestamp(NOW.astimezone(east)) == timestamp(NOW) == "2026-03-01T12:00:00.000000Z"
        assert (
            timestamp(NOW) < timestamp(NOW + timedelta(microseconds=1)) < timestamp(NOW + timedelta(days=9))
        )
        with pytest.raises(LedgerError):
            timestamp(NOW.replace(tzinfo=None))


class Log:
    """A log in memory, as a store would hold it."""

    def __init__(self, *entries: tuple[Kind, dict[str, object]], name: str = "cosight/acme") -> None:
        self.leaves: list[StoredLeaf] = []
        self.nodes: list[tree.Node] = []
        self.checkpoints: list[StoredCheckpoint] = []
        frontier, prev = tree.Frontier(), FIRST
        for seq, (kind, fields) in enumerate([(Kind.OPENED, {}), *entries]):
            entry = leaf(kind, seq, prev, NOW + timedelta(seconds=seq), **fields)
            body = entry.encode()
            self.leaves.append(StoredLeaf(seq, entry.time, kind, entry.session, entry.peer, body))
            self.nodes += frontier.append(tree.leaf_hash(body))
            name = "cosight/threats.example/acme" if kind is Kind.ROSTER else name
            signed = note.sign(Checkpoint(name, frontier.size, frontier.root()), KEY)
            self.checkpoints.append(StoredCheckpoint(frontier.size, signed))
            prev = note_hash(signed)

    def problems(self, **how: object) -> list[str]:
        found = verify(self.leaves, self.nodes, self.checkpoints, **how)  # type: ignore[arg-type]
        assert found.ok is not bool(found.problems)
        return [problem.what for problem in found.problems]


WHOLE = (
    (Kind.ROSTER, {}),
    (Kind.INTENT, {}),
    (Kind.DISCLOSED, {}),
    (Kind.REFUSED, {}),
    (Kind.INTENT, {"session": "1f" * 32}),
)


class TestVerify:
    def test_a_whole_log(self) -> None:
        log = Log(*WHOLE)
        found = verify(log.leaves, log.nodes, log.checkpoints, public_key=PUBLIC, every_signature=True)
        assert found.problems == found.warnings == ()
        assert (found.leaves, found.sessions, found.open_intents) == (6, 2, ("1f" * 32,))
        assert found.head is not None
        assert (found.head.size, found.head.origin) == (6, "cosight/threats.example/acme")
        empty = verify([], [], [])
        assert empty.ok
        assert empty.head is None

    @pytest.mark.parametrize(
        ("entries", "problem"),
        [
            ([(Kind.DISCLOSED, {})], "no intent before it"),
            ([(Kind.ABORTED, {})], "no intent before it"),
            ([(Kind.INTENT, {}), (Kind.INTENT, {})], "an intent already"),
            ([(Kind.INTENT, {}), (Kind.DISCLOSED, {}), (Kind.DISCLOSED, {})], "a result already"),
            ([(Kind.INTENT, {}), (Kind.DISCLOSED, {}), (Kind.ABORTED, {})], "a result already"),
            ([(Kind.INTENT, {}), (Kind.DISCLOSED, {}), (Kind.INTENT, {})], "an intent already"),
            ([(Kind.INTENT, {}), (Kind.DISCLOSED, {"peer": "globex"})], "another peer"),
            ([(Kind.INTENT, {}), (Kind.DISCLOSED, {"direction": "responder"})], "another peer, direction"),
            ([(Kind.INTENT, {"agreement": "00" * 32}), (Kind.DISCLOSED, {})], "agreement than the intent"),
            ([(Kind.OPENED, {})], "opened a second time"),
            ([(Kind.ROSTER, {}), (Kind.ROSTER, {})], "not newer"),
            (
                [(Kind.ROSTER, {}), (Kind.ROSTER, {"epoch": 2, "alliance": "other.example"})],
                "another alliance",
            ),
        ],
    )
    def test_order(self, entries: list[tuple[Kind, dict[str, object]]], problem: str) -> None:
        assert any(problem in found for found in Log(*entries).problems())
        assert Log(*entries[:-1]).problems() == []

    def test_another_key(self) -> None:
        other = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
        assert "another key" in Log(*WHOLE).problems(public_key=other)[0]

    def test_a_clock_that_went_back_is_a_warning(self) -> None:
        log = Log((Kind.INTENT, {}))
        entry = replace(decode(log.leaves[1].body), time=timestamp(NOW - timedelta(days=1)))
        body = entry.encode()
        frontier = tree.Frontier()
        nodes = [*frontier.append(tree.leaf_hash(log.leaves[0].body)), *frontier.append(tree.leaf_hash(body))]
        row = log.leaves[1]._replace(time=entry.time, body=body)
        signed = note.sign(Checkpoint("cosight/acme", 2, frontier.root()), KEY)
        found = verify([log.leaves[0], row], nodes, [log.checkpoints[0], StoredCheckpoint(2, signed)])
        assert found.ok
        assert [w.seq for w in found.warnings] == [1]

    def test_only_a_remembered_checkpoint_shows_a_cut_end(self) -> None:
        log, cut = Log(*WHOLE), Log(*WHOLE[:-1])
        seen = note.read(log.checkpoints[-1].note, PUBLIC)
        assert cut.problems() == []
        assert "its end was cut off" in cut.problems(known=[seen])[0]
        assert log.problems(known=[seen, Checkpoint("cosight/acme", 0, tree.EMPTY_ROOT)]) == []

    def test_a_rewritten_history_differs_from_what_was_seen(self) -> None:
        log, other = Log(*WHOLE), Log(*WHOLE[:1], (Kind.INTENT, {"peer": "globex"}), (Kind.REFUSED, {}))
        seen = note.read(log.checkpoints[2].note, PUBLIC)
        assert log.problems(known=[seen]) == []
        assert other.problems() == []
        assert "differs from a checkpoint that was seen" in other.problems(known=[seen])[0]

    def test_an_older_signature_is_covered_by_the_newest(self) -> None:
        log = Log(*WHOLE)
        forged = note.sign(note.parse(log.checkpoints[1].note), Ed25519PrivateKey.generate())
        log.checkpoints[1] = StoredCheckpoint(2, forged)
        assert "does not follow the checkpoint" in log.problems()[0]

    @given(st.data())
    @settings(max_examples=200)
    def test_missing_swapped_and_repeated_rows_are_found(self, data: st.DataObject) -> None:
        log = Log(*WHOLE)
        rows: list[object] = data.draw(st.sampled_from([log.leaves, log.nodes, log.checkpoints]))
        place = data.draw(st.integers(0, len(rows) - 1))
        match data.draw(st.sampled_from(["drop", "swap", "repeat"])):
            case "drop":
                del rows[place]
            case "swap":
                other = data.draw(st.integers(0, len(rows) - 1).filter(lambda i: i != place))
                rows[place], rows[other] = rows[other], rows[place]
            case _:
                rows.insert(place, rows[place])
        assert log.problems() != []

    @given(st.data())
    @settings(max_examples=400)
    def test_any_changed_value_is_found(self, data: st.DataObject) -> None:
        log = Log(*WHOLE)
        rows: list[tuple[object, ...]] = data.draw(st.sampled_from([log.leaves, log.nodes, log.checkpoints]))  # type: ignore[arg-type]
        place = data.draw(st.integers(0, len(rows) - 1))
        column = data.draw(st.integers(0, len(rows[place]) - 1))
        old = rows[place][column]
        new = data.draw(_changed(old).filter(lambda value: type(value) is not type(old) or value != old))
        row = list(rows[place])
        row[column] = new
        rows[place] = type(rows[place])(*row)
        assert log.problems() != []


def _changed(old: object) -> st.SearchStrategy[object]:
    other = st.sampled_from([None, b"", "", 0, -1, 2**62, b"\xff", "x"])
    if isinstance(old, bytes) and old:
        flips = st.tuples(st.integers(0, len(old) - 1), st.integers(1, 255))
        return other | flips.map(lambda f: old[: f[0]] + bytes([old[f[0]] ^ f[1]]) + old[f[0] + 1 :])
    if isinstance(old, str) and old:
        places = st.tuples(st.integers(0, len(old) - 1), st.characters(codec="utf-8"))
        return other | places.map(lambda p: old[: p[0]] + p[1] + old[p[0] + 1 :])
    return other


def test_the_docs_know_every_kind_and_field() -> None:
    text = (Path(__file__).parents[2] / "docs" / "ledger.md").read_text()
    names = {*Kind, *FIELD_CHECKS, *WHAT_CHECKS}
    assert {name for name in names if f"`{name}`" not in text} == set()
    assert note.sign(Checkpoint("cosight/threats.example/acme", 42, bytes(range(32))), KEY) in text
