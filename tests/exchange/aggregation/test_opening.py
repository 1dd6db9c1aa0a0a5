"""An opening has one encoding; whatever is altered in it is another run, or none."""

from dataclasses import fields, replace
from datetime import date, datetime
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.secagg.base import threshold
from exchange.aggregation.opening import MAX_SUM_CAP, Measure, Opening, Visibility
from exchange.errors import PeerMisbehaved
from exchange.indicators import IndicatorType
from exchange.ledger.document import Document, DocumentKind
from tests.exchange.aggregation.openings import MEMBERS, OPENING, SUM, opening

OTHER: dict[str, Any] = {
    "alliance": "others.example",
    "roster_epoch": 5,
    "roster_hash": b"R" * 32,
    "coordinator": "acme",
    "members": MEMBERS[:4],
    "session": b"S" * 32,
    "purpose": "monthly count",
    "profile": "cti-c14n/2",
    "types": (IndicatorType.DOMAIN,),
    "dictionary": b"D" * 32,
    "entries": 5001,
    "window": (date(2026, 2, 1), date(2026, 2, 27)),
    "max_age_days": 7,
    "slots": 4,
    "width": 16,
    "minimum": 5,
    "reporters": 4,
    "dominance_milli": 700,
    "abandons": (b"1" * 32, b"2" * 32),
    "visibility": Visibility.OWNER,
    "step_s": 601,
    "software": "cosight 1",
}


def test_it_is_read_back() -> None:
    for one in (OPENING, *(opening(**{k: v}) for k, v in OTHER.items()), opening(**SUM)):
        assert Opening.decode(one.encoded) == one
        assert cbor2.loads(one.encoded)["window"][0] == "2026-02-01"


def test_whatever_is_altered_is_another_run() -> None:
    """An altered dictionary, member list or threshold: no key or signature of one run fits the other."""
    others = [opening(**{name: value}) for name, value in OTHER.items()]
    others += [opening(**SUM), opening(**SUM | {"cap": 7}), opening(**SUM | {"base": b"c" * 32})]
    others.append(opening(slots=1, epsilon_milli=1000))
    assert len({one.context for one in (OPENING, *others)}) == len(others) + 1
    covered = {*OTHER, *SUM, "epsilon_milli", "version"}
    assert covered == {f.name for f in fields(Opening)}


def test_its_context_names_it_in_the_ledger() -> None:
    assert Document(DocumentKind.OPENING, OPENING.encoded).hash == OPENING.name == OPENING.context.hex()
    assert len({OPENING.purpose_hash, opening(purpose="x").purpose_hash}) == 2


def test_sizes() -> None:
    assert (OPENING.words, OPENING.size, OPENING.word_cap) == (8, 40_000, 1)
    many = opening(**SUM)
    assert (many.words, many.size, many.word_cap) == (3, 15_000, 1 << 40)
    assert len(MEMBERS) * opening(**SUM | {"cap": MAX_SUM_CAP}).word_cap < 1 << 63
    assert [OPENING.position(name) for name in ("acme", "umbra", "stranger")] == [0, 4, None]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"version": 2}, "version"),
        ({"alliance": ""}, "alliance"),
        ({"roster_epoch": 0}, "roster_epoch"),
        ({"roster_hash": b"r" * 31}, "hashes"),
        ({"session": bytearray(32)}, "hashes"),
        ({"dictionary": b""}, "hashes"),
        ({"coordinator": "Umbra"}, "coordinator"),
        ({"members": MEMBERS[:2]}, "members"),
        ({"members": MEMBERS[::-1]}, "members"),
        ({"members": ("acme", *MEMBERS)}, "members"),
        ({"members": tuple(f"m{n:03}" for n in range(101))}, "members"),
        ({"members": list(MEMBERS)}, "members"),
        ({"purpose": ""}, "purpose"),
        ({"purpose": "two\nlines"}, "purpose"),
        ({"measure": "count"}, "measure"),
        ({"types": ()}, "types"),
        ({"types": (IndicatorType.IPV4, IndicatorType.DOMAIN)}, "types"),
        ({"window": (date(2026, 2, 2), date(2026, 2, 1))}, "window"),
        ({"window": (date(2026, 2, 1),)}, "window"),
        ({"window": (datetime(2026, 2, 1), datetime(2026, 2, 2))}, "window"),  # noqa: DTZ001
        ({"max_age_days": 0}, "max_age_days"),
        ({"base": b"b" * 32}, "base"),
        (SUM | {"base": b""}, "base"),
        ({"abandons": (b"2" * 32, b"1" * 32)}, "abandons"),
        ({"abandons": (b"1" * 32,) * 2}, "abandons"),
        ({"abandons": tuple(bytes([n]) * 32 for n in range(17))}, "abandons"),
        ({"visibility": "everyone"}, "visibility"),
        ({"entries": 0}, "entries"),
        ({"entries": True}, "entries"),
        ({"slots": 0}, "slots"),
        ({"slots": 65}, "slots"),
        (SUM | {"slots": 8}, "slots"),
        ({"epsilon_milli": 1000}, "slots"),
        ({"width": 32}, "width"),
        (SUM | {"width": 8}, "width"),
        ({"cap": 2}, "cap"),
        (SUM | {"cap": MAX_SUM_CAP + 1}, "cap"),
        ({"minimum": 2}, "minimum"),
        ({"minimum": 6}, "minimum"),
        ({"reporters": 1}, "reporters"),
        ({"reporters": 6}, "reporters"),
        ({"dominance_milli": 0}, "dominance_milli"),
        ({"dominance_milli": 1001}, "dominance_milli"),
        ({"slots": 1, "epsilon_milli": -1}, "epsilon_milli"),
        (SUM | {"epsilon_milli": 1}, "epsilon_milli"),
        ({"step_s": 0}, "step_s"),
        ({"software": ""}, "purpose or software"),
    ],
)
def test_what_is_malformed_is_refused(change: dict[str, Any], fault: str) -> None:
    with pytest.raises(PeerMisbehaved, match=f"malformed: .*{fault}"):
        opening(**change)


class TestSetup:
    KEYS = [bytes([n]) * 32 for n in range(5)]  # noqa: RUF012

    def test_it_says_what_the_opening_says(self) -> None:
        for one in (OPENING, opening(**SUM)):
            agreed = one.setup(self.KEYS)
            assert (agreed.context, agreed.identities) == (one.context, tuple(self.KEYS))
            assert (agreed.size, agreed.width, agreed.cap) == (one.size, one.width, one.word_cap)
            assert (agreed.minimum, agreed.reserve) == (one.minimum, 0)

    def test_a_sum_that_could_be_too_large_is_refused(self) -> None:
        with pytest.raises(PeerMisbehaved, match="can be too large for 8 bits"):
            opening(slots=1, width=8, epsilon_milli=200).setup(self.KEYS)

    @pytest.mark.parametrize("n", [4, 6])
    def test_there_is_a_key_for_every_member(self, n: int) -> None:
        with pytest.raises(PeerMisbehaved, match="does not fit the roster"):
            OPENING.setup([*self.KEYS, b"k" * 32][:n])

    def test_nobody_is_there_twice(self) -> None:
        with pytest.raises(PeerMisbehaved, match="no two alike"):
            OPENING.setup([*self.KEYS[:4], self.KEYS[0]])


def test_other_encodings_are_refused() -> None:
    raw = cbor2.loads(OPENING.encoded)
    others = [
        OPENING.encoded + b"\0",
        OPENING.encoded[:-1],
        cbor2.dumps(dict(reversed(raw.items()))),
        *(cbor2.dumps(raw | change, canonical=True) for change in (
            {"more": 1}, {"width": 8.0}, {"window": ["2026-02-01"]}, {"window": ["20260201", "2026-02-28"]},
            {"members": 7}, {"measure": "all"}, {"types": ["ipv9"]}, {"abandons": None}, {"visibility": 2},
        )),
        cbor2.dumps({k: v for k, v in raw.items() if k != "base"}, canonical=True),
        cbor2.dumps([raw], canonical=True),
        b"x" * 20_000,
    ]  # fmt: skip
    for other in others:
        with pytest.raises(PeerMisbehaved):
            Opening.decode(other)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_give_the_one_error(body: bytes) -> None:
    with pytest.raises(PeerMisbehaved):
        Opening.decode(body)


def test_measures_are_words_of_the_ledger() -> None:
    assert [str(m) for m in Measure] == ["count", "sightings", "severity"]


@pytest.mark.parametrize("n", [4, 5, 6, 7, 8, 9, 10, 30, 100])
def test_an_attempt_without_its_culprit_buries_the_one_before(n: int) -> None:
    names = tuple(f"m{i:03}" for i in range(n))
    first = replace(OPENING, members=names)
    assert replace(OPENING, members=names).buries(first)
    assert replace(OPENING, members=names[1:], minimum=3).buries(first)


def test_a_small_group_does_not_bury_what_the_others_could_open() -> None:
    """Three of ten are told that it broke; the other seven open it, and the three are summed up once more."""
    names = tuple(f"m{i:03}" for i in range(10))
    first = replace(OPENING, members=names)
    for n, buried in ((3, False), (5, False), (8, False), (9, True)):
        least = threshold(n)
        silent = least - 3  # of those that join, three of ten may lie
        assert (10 - silent < threshold(10)) is buried
        assert replace(OPENING, members=names[:n], minimum=3).buries(first) is buried
    assert replace(OPENING, members=names[:7], minimum=7).buries(first), "all of them, so seven are silent"
    strangers = tuple(f"n{i:03}" for i in range(5))
    assert not replace(OPENING, members=(*names[:5], *strangers), minimum=7).buries(first)
