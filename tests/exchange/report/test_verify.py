"""A report verifies as it was made, and in no other way."""

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.errors import InputError
from exchange.report import Made, check, check_with, collect, make, read, unshown
from exchange.report.signing import canonical, sign
from tests.exchange.report.homes import (
    GIVEN,
    KEYS,
    LOG_KEY,
    MADE,
    US,
    Book,
    Session,
    book,
    identity,
    made,
    many,
    of_peer,
    of_period,
    of_session,
    public,
)

Change = Callable[[dict[str, Any]], None]


def faults(report: bytes) -> list[str]:
    return check(report, LOG_KEY, public(US))


def signed_again(report: bytes, change: Change) -> bytes:
    """What a member makes of its report that lies and has its key."""
    found = copy.deepcopy(read(report))
    change(found)
    return sign(found["content"], found["evidence"], identity(US))


def test_a_report_verifies_by_itself(one: Made) -> None:
    assert faults(one.json) == []
    assert check(one.json, LOG_KEY, public(US), keys=KEYS) == []
    assert unshown(one.json) == 0


@pytest.mark.parametrize("scope", ["period", "peer"])
def test_so_does_one_over_many_sessions(tmp_path: Path, scope: str) -> None:
    with book(tmp_path, *many(30)) as b:
        report = made(b, of_period() if scope == "period" else of_peer())
        assert check(report.json, LOG_KEY, public(US), keys=KEYS) == []
        assert check_with(report.json, b.store, LOG_KEY, public(US), KEYS) == []


@settings(max_examples=400, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), byte=st.integers(1, 255))
def test_any_other_byte_is_found(one: Made, place: float, byte: int) -> None:
    at = int(place * len(one.json))
    changed = bytearray(one.json)
    changed[at] ^= byte
    assert faults(bytes(changed)) != []


def test_every_fortieth_byte_is_found(one: Made) -> None:
    for at in range(0, len(one.json), 40):
        changed = bytearray(one.json)
        changed[at] ^= 1
        assert faults(bytes(changed)) != [], at


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_so_is_a_piece_that_is_missing_or_twice(one: Made, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(one.json) - 1))
    end = data.draw(st.integers(start + 1, len(one.json)))
    assert faults(one.json[:start] + one.json[end:]) != []
    assert faults(one.json[:end] + one.json[start:]) != []


@pytest.mark.parametrize(
    "data", [b"", b"{}\n", b"[]\n", b"null\n", b"\xff", b'{"format":"cosight-report/1"}\n']
)
def test_what_is_no_report(data: bytes) -> None:
    assert faults(data) == ["this is no report of cosight, or not in its form any more"]
    with pytest.raises(InputError) as e:
        read(data)
    assert e.value.code == "report-form"


def test_another_form_of_the_same_report_is_none(one: Made) -> None:
    found = json.loads(one.json)
    for other in (json.dumps(found), json.dumps(found, sort_keys=True, indent=1), one.json.decode().strip()):
        assert faults(other.encode()) != []
    assert canonical(found) == one.json


def test_other_keys(one: Made) -> None:
    assert check(one.json, LOG_KEY, public("umbra")) == [
        "the report is not signed by the member's identity key"
    ]
    assert check(one.json, public("umbra"), public(US)) != []
    assert check(one.json, LOG_KEY, public(US), keys=KEYS | {"umbra": public("globex")}) == [
        "the identity key of umbra is not the one in the roster"
    ]


def _matched(found: dict[str, Any]) -> None:
    found["content"]["sessions"][0]["output"]["matched"] = 6


def _no_refusals(found: dict[str, Any]) -> None:
    found["content"]["decisions"]["refusals"] = []


def _spent(found: dict[str, Any]) -> None:
    found["content"]["budgets"][0]["lines"][0]["spent"] = 0


def _words(found: dict[str, Any]) -> None:
    found["content"]["sessions"][0]["words"] = ["Nothing happened."]


def _other_member(found: dict[str, Any]) -> None:
    found["content"]["given"]["member"] = "globex"


def _more(found: dict[str, Any]) -> None:
    found["content"]["extra"] = {}


def _less(found: dict[str, Any]) -> None:
    del found["content"]["retention"]


def _policy(found: dict[str, Any]) -> None:
    """A document is believed by its hash alone, so another text under that hash must not pass."""
    documents = found["evidence"]["documents"]
    policy = found["content"]["sessions"][0]["policy"]["ours"]
    documents[policy] = documents[policy].replace(b"umbra".hex(), b"umbre".hex())


@pytest.mark.parametrize(
    "change", [_matched, _no_refusals, _spent, _words, _other_member, _more, _less, _policy]
)
def test_a_member_that_lies_about_its_entries_is_found(one: Made, change: Change) -> None:
    problems = faults(signed_again(one.json, change))
    assert problems
    assert all("signed" not in problem for problem in problems)


def test_an_entry_that_is_not_in_the_log_is_found(one: Made) -> None:
    def change(found: dict[str, Any]) -> None:
        entry = found["evidence"]["entries"][5]
        entry["body"] = entry["body"].replace(b"umbra".hex(), b"umbre".hex())

    assert faults(signed_again(one.json, change)) == [
        "entry 5 is not in the ledger that the checkpoint signs"
    ]


def test_an_older_checkpoint_does_not_fit(one: Made, ledger: Book) -> None:
    def change(found: dict[str, Any]) -> None:
        found["evidence"]["checkpoint"] = ledger.store.note(5)

    assert faults(signed_again(one.json, change)) != []


@pytest.mark.parametrize(
    "change",
    [
        lambda found: found["evidence"].pop("entries"),
        lambda found: found["evidence"]["entries"].append({"seq": 3}),
        lambda found: found["evidence"]["entries"].reverse(),
        lambda found: found["evidence"]["entries"][0].update(path=["zz"]),
        lambda found: found["evidence"].update(checkpoint=7),
        lambda found: found["content"].pop("given"),
        lambda found: found["content"]["given"].pop("report"),
        lambda found: found["content"].update(scope=[]),
        lambda found: found.update(content=[]),
        lambda found: found.update(evidence=7),
    ],
)
def test_a_signed_report_that_is_malformed_says_so(one: Made, change: Change) -> None:
    assert faults(signed_again(one.json, change)) != []


def test_what_was_left_out_is_found_with_the_ledger(ledger: Book) -> None:
    """A report that is whole in itself, but does not tell of a refusal."""
    s = Session()
    evidence = collect(ledger.store, of_session(s), MADE, KEYS)
    assert [leaf.seq for leaf in evidence.leaves() if leaf.kind == "refused"] == [7]
    less = replace(evidence, entries=tuple(e for e in evidence.entries if e.seq != 7))
    report = make(of_session(s), GIVEN, less, identity(US))
    assert faults(report.json) == []
    assert check_with(report.json, ledger.store, LOG_KEY, public(US), KEYS) == [
        "entry 7 belongs into the report and is not in it"
    ]


def test_what_came_later_is_no_fault_of_a_report(tmp_path: Path) -> None:
    with book(tmp_path, Session(n=1)) as b:
        report = made(b, of_peer())
        b.write(Session(n=2))
        b.decisions()
        assert check_with(report.json, b.store, LOG_KEY, public(US), KEYS) == []


def test_the_ledger_of_somebody_else_does_not_fit(one: Made, tmp_path: Path) -> None:
    with book(tmp_path, *many(12)) as other:
        assert check_with(one.json, other.store, LOG_KEY, public(US), KEYS) == [
            "the checkpoint is not one of this ledger"
        ]
