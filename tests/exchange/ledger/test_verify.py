"""Verification of a log in memory: order, tampering, and what only a remembered checkpoint can show."""

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.ledger import Checkpoint, Kind, StoredCheckpoint, decode, note, timestamp, tree, verify
from tests.exchange.ledger.entries import KEY, NOW, PUBLIC, Log

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

    @pytest.mark.parametrize(
        ("back", "odd"),
        [(timedelta(microseconds=1), []), (timedelta(minutes=1), []), (timedelta(seconds=60.1), [1])],
    )
    def test_a_clock_that_went_back_is_a_warning_and_an_entry_that_waited_is_none(
        self, back: timedelta, odd: list[int]
    ) -> None:
        log = Log((Kind.INTENT, {}))
        entry = replace(decode(log.leaves[1].body), time=timestamp(NOW - back))
        body = entry.encode()
        frontier = tree.Frontier()
        nodes = [*frontier.append(tree.leaf_hash(log.leaves[0].body)), *frontier.append(tree.leaf_hash(body))]
        row = log.leaves[1]._replace(time=entry.time, body=body)
        signed = note.sign(Checkpoint("cosight/acme", 2, frontier.root()), KEY)
        found = verify([log.leaves[0], row], nodes, [log.checkpoints[0], StoredCheckpoint(2, signed)])
        assert found.ok
        assert [w.seq for w in found.warnings] == odd

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
        stored = str(old) if isinstance(old, str) else old  # a kind is stored as its text
        new = data.draw(
            _changed(old).filter(lambda value: type(value) is not type(stored) or value != stored)
        )
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
