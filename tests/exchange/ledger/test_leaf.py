"""Entries: one encoding, and no room for a secret."""

from datetime import timedelta, timezone
from pathlib import Path

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.errors import LedgerError
from exchange.ledger import Checkpoint, Kind, Leaf, decode, note, timestamp
from exchange.ledger.kinds import _FIELDS as FIELD_CHECKS
from exchange.ledger.kinds import _WHAT as WHAT_CHECKS
from exchange.ledger.leaf import FIRST
from tests.exchange.ledger.entries import FIELDS, KEY, NOW, leaf

OPTIONAL = {
    Kind.REFUSED: {"session"},
    Kind.ALARM: {"session"},
    Kind.REPORT: {"session", "peer"},
    Kind.COUNTED: {"peer"},
    Kind.BROKEN: {"peer", "culprits"},
}


class TestLeaf:
    @pytest.mark.parametrize("kind", Kind)
    def test_round_trip_in_the_one_encoding(self, kind: Kind) -> None:
        written = leaf(kind)
        body = written.encode()
        assert decode(body) == written
        assert body == cbor2.dumps(written.as_dict(), canonical=True)

    @pytest.mark.parametrize("kind", Kind)
    def test_missing_and_unknown_fields_are_refused(self, kind: Kind) -> None:
        for name in FIELDS[kind].keys() - OPTIONAL.get(kind, set()):
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
        for name in FIELDS[kind].keys() - ({"receipt"} if bad == b"\x00" else set()):
            with pytest.raises(LedgerError):
                leaf(kind, **{name: bad}).encode()
        what = FIELDS[kind].get("what")
        if isinstance(what, dict):
            for name in what.keys() - ({"entered", "withheld"} if bad == {} else set()):
                with pytest.raises(LedgerError):
                    leaf(kind, what=what | {name: bad}).encode()

    @pytest.mark.parametrize(
        "counts", [{"ipv4": 0}, {"ipv4": -1}, {"ipv4": "1"}, {"": 1}, {1: 1}, {"ipv4": {}}]
    )
    def test_counts_are_words_and_numbers(self, counts: object) -> None:
        intent = FIELDS[Kind.INTENT]["what"]
        assert isinstance(intent, dict)
        for what in ({"entered": counts}, {"withheld": {"p4-tlp": counts}}, {"withheld": {"p4-tlp": {}}}):
            with pytest.raises(LedgerError):
                leaf(Kind.INTENT, what=intent | what).encode()

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
            for value in (indicator, [indicator], {indicator: 1}, {indicator: {"ipv4": 1}}):
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


def test_the_docs_know_every_kind_and_field() -> None:
    text = (Path(__file__).parents[3] / "docs" / "ledger.md").read_text()
    names = {*Kind, *FIELD_CHECKS, *WHAT_CHECKS}
    assert {name for name in names if f"`{name}`" not in text} == set()
    assert note.sign(Checkpoint("cosight/threats.example/acme", 42, bytes(range(32))), KEY) in text
