"""What an auditor finds in the records of runs: every lie about one, by the member that tells it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import cbor2
import pytest

from exchange.aggregation.opening import Opening
from exchange.aggregation.tally import Tally
from exchange.audit.helping import Helping
from exchange.audit.verify import Audit, audit
from exchange.ledger import Kind, Leaf, decode, timestamp
from exchange.ledger.document import Document, DocumentKind
from tests.exchange.audit.runs_world import MEMBERS, runs_world
from tests.exchange.audit.test_reference import agreed
from tests.exchange.audit.world import entries
from tests.exchange.ledger.entries import leaf

WORLD = runs_world()
OPENING = WORLD.opening
OF_TALLY = next(
    str(decode(body).what["tally"])
    for body in entries(WORLD.exports["hooli"])
    if decode(body).kind is Kind.COUNTED
)
TALLY = Tally.decode(WORLD.exports["hooli"][f"documents/{OF_TALLY}"])


def audited(exports: Any) -> Audit:
    """Audited, and by the second verifier as well, which shares no code and has to find the same first."""
    assert agreed(exports) is audit(exports).ok
    return audit(exports)


def texts(found: Audit) -> list[str]:
    return [f"{p.folder}: {p.what}" for p in found.problems]


def edited(kind: Kind, change: Callable[[Leaf], Leaf | None], session: str = OPENING.name) -> Any:
    """Rewrites the entries of a kind of one run; None takes one away."""

    def edit(leaves: list[Leaf]) -> list[Leaf]:
        chosen = [leaf.kind is kind and leaf.session == session for leaf in leaves]
        assert any(chosen)
        new = [change(leaf) if this else leaf for leaf, this in zip(leaves, chosen, strict=True)]
        return [leaf for leaf in new if leaf is not None]

    return edit


def told(**what: Any) -> Callable[[Leaf], Leaf]:
    return lambda leaf: replace(leaf, fields={**leaf.fields, "what": {**leaf.what, **what}})


def fields(**change: Any) -> Callable[[Leaf], Leaf]:
    return lambda leaf: replace(leaf, fields={**leaf.fields, **change})


def test_honest_records_verify() -> None:
    found = audited(WORLD.exports)
    assert texts(found) == []
    assert [w.what for w in found.warnings] == []
    for one in found.exports:
        signers = {MEMBERS[place] for place in TALLY.signatures}
        assert (one.runs, one.discoveries, one.tallies, one.signers) == (2, 0, 1, signers)


def test_a_result_that_is_not_signed_is_none_that_was_checked() -> None:
    forged = replace(TALLY, signatures=dict.fromkeys(TALLY.signatures, bytes(64)))
    document = forged.document
    change = edited(Kind.COUNTED, told(tally=document.hash))
    found = audit(WORLD.edited("hooli", change, **{document.hash: document.body}))
    (hooli,) = (one for one in found.exports if one.member == "hooli")
    assert (hooli.tallies, hooli.signers) == (0, frozenset())


@pytest.mark.parametrize(("days", "odd"), [(0, False), (9.9, False), (10, True), (400, True)])
def test_a_key_of_an_epoch_that_is_not_deleted_is_odd(days: float, odd: bool) -> None:
    began = datetime(1970, 1, 8, tzinfo=UTC)
    helping, helped = Helping(), {"epoch": 1, "padded": 64, "count": 70}
    helping.entry(leaf(Kind.HELPED, seq=3, what=helped))
    newest = timestamp(began + timedelta(days=days))
    assert [seq for seq, _ in helping.kept(newest)] == ([3] if odd else [])
    helping.entry(leaf(Kind.ERASED, what={"epoch": 1}))
    assert helping.kept(newest) == []


def test_a_convened_run_without_an_end_is_odd() -> None:
    edit = edited(Kind.COUNTED, lambda leaf: leaf if leaf.peer else None)
    found = audited(WORLD.edited("acme", edit))
    assert texts(found) == []
    assert next(w.what for w in found.warnings if w.folder == "acme").startswith("the run ")


def test_a_run_without_an_end_is_odd_and_no_more() -> None:
    files = WORLD.edited("hooli", edited(Kind.COUNTED, lambda _: None))
    found = audited(files)
    assert texts(found) == []
    assert next(w.what for w in found.warnings if w.folder == "hooli").startswith("the run ")


@pytest.mark.parametrize(
    ("kind", "change", "fault"),
    [
        (Kind.JOINED, lambda _: None, "not joined"),
        (Kind.MASKED, lambda _: None, "no masked vector has left"),
        (Kind.JOINED, told(entries=13), "not what its opening says"),
        (Kind.JOINED, told(dictionary="00" * 32), "not what its opening says"),
        (Kind.JOINED, told(purpose="00" * 32), "not what its opening says"),
        (Kind.JOINED, told(abandons=["00" * 32]), "not what its opening says"),
        (Kind.JOINED, told(policy="00" * 32), "names no policy that is in force"),
        (Kind.JOINED, fields(session="77" * 32), "the opening of a run is missing"),
        (Kind.MASKED, told(entered={"url": 1}), "more went in than"),
        (Kind.MASKED, told(entered={"ipv4": 13}), "more went in than"),
        (Kind.COUNTED, told(digest="00" * 32), "not of this run and result"),
        (Kind.COUNTED, told(survivors=3), "not of this run and result"),
        (Kind.COUNTED, told(tally="00" * 32), "the tally of a run is missing"),
        (Kind.COUNTED, told(released=13), "more is released"),
    ],
)
def test_what_a_member_writes_differently_is_found(kind: Kind, change: Any, fault: str) -> None:
    found = texts(audited(WORLD.edited("hooli", edited(kind, change))))
    assert any(text.startswith("hooli: ") and fault in text for text in found), found
    assert all(text.startswith("hooli: ") for text in found)


def test_a_second_sum_of_one_window_is_found() -> None:
    """Differencing, by a member that altered its software to allow it."""
    third = replace(OPENING, session=b"3" * 32)

    def again(leaves: list[Leaf]) -> list[Leaf]:
        run = [x for x in leaves if x.session == OPENING.name and x.kind in {Kind.JOINED, Kind.MASKED}]
        return [*leaves, *(replace(x, fields={**x.fields, "session": third.name}) for x in run)]

    found = texts(audited(WORLD.edited("hooli", again, **{third.name: third.encoded})))
    assert "hooli: an earlier run over the same window is in the way: it is counted" in found
    assert "hooli: the policy in force refuses this run, by a10-once" in found


def test_whoever_is_blamed_is_in_the_run() -> None:
    broken = edited(Kind.BROKEN, fields(culprits=["stranger"]), WORLD.first.name)
    found = texts(audited(WORLD.edited("hooli", broken)))
    assert found == ["hooli: somebody is blamed who is not in the run"]
    counted = edited(Kind.COUNTED, fields(culprits=["stranger"]))
    found = texts(audited(WORLD.edited("hooli", counted)))
    assert found == ["hooli: somebody is blamed who is not in the run"]


def test_nobody_goes_on_in_a_run_that_was_abandoned() -> None:
    def late(leaves: list[Leaf]) -> list[Leaf]:
        first = [x for x in leaves if x.session == WORLD.first.name and x.kind is Kind.MASKED]
        kept = [x for x in leaves if x not in first and x.kind is not Kind.BROKEN]
        at = next(i for i, x in enumerate(kept) if x.session == OPENING.name and x.kind is Kind.JOINED)
        return [*kept[: at + 1], *first, *kept[at + 1 :]]

    assert "hooli: the run was abandoned" in texts(audited(WORLD.edited("hooli", late)))


def with_tally(tally: Tally, **what: Any) -> dict[str, Any]:
    document = tally.document
    change = told(tally=document.hash, digest=tally.digest.hex(), survivors=len(tally.survivors), **what)
    return WORLD.edited("hooli", edited(Kind.COUNTED, change), **{document.hash: document.body})


@pytest.mark.parametrize(
    ("tally", "fault"),
    [
        (replace(TALLY, digest=b"x" * 32), "not signed by enough"),
        (replace(TALLY, signatures={0: TALLY.signatures[0], 1: TALLY.signatures[1]}), "not signed by enough"),
        (replace(TALLY, signatures=dict(TALLY.signatures) | {3: bytes(64)}), "not signed by enough"),
        (replace(TALLY, context=WORLD.first.context), "not of this run"),
        (replace(TALLY, survivors=(0, 1), signatures={}), "fewer members than the run needs"),
        (
            replace(TALLY, survivors=(0, 1, 3), signatures={p: TALLY.signatures[p] for p in (0, 1, 3)}),
            "no part of",
        ),
    ],
)
def test_a_tally_that_was_not_signed_so_is_found(tally: Tally, fault: str) -> None:
    found = texts(audited(with_tally(tally)))
    assert any(text.startswith("hooli: ") and fault in text for text in found), found


def test_members_that_hold_different_results_of_one_run_are_found() -> None:
    found = texts(audited(with_tally(replace(TALLY, digest=b"x" * 32))))
    assert sum("the run has another result than that of entry" in text for text in found) == 6


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"roster_hash": b"x" * 32}, "names a roster that is not in the export"),
        ({"members": (*MEMBERS[:3], "stranger")}, "somebody who is not on its roster"),
        ({"members": (*MEMBERS[:2], MEMBERS[3])}, "by a2-roster"),
        ({"coordinator": "umbra"}, "not what its opening says"),
        ({"purpose": "another"}, "by a3-purpose"),
    ],
)
def test_an_opening_that_nobody_should_have_joined_is_found(change: dict[str, Any], fault: str) -> None:
    other: Opening = replace(OPENING, abandons=(), session=b"9" * 32, window=WORLD.first.window, **change)

    def join(leaves: list[Leaf]) -> list[Leaf]:
        kept = [x for x in leaves if x.session not in {OPENING.name, WORLD.first.name}]
        joined = next(x for x in leaves if x.session == OPENING.name and x.kind is Kind.JOINED)
        what = dict(joined.what) | {"purpose": other.purpose_hash, "members": len(other.members)}
        del what["abandons"]
        return [*kept, replace(joined, fields={**joined.fields, "session": other.name, "what": what})]

    files = WORLD.edited("hooli", join, **{other.name: other.encoded})
    found = texts(audit(files) if fault.startswith("by ") else audited(files))
    assert any(text.startswith("hooli: ") and fault in text for text in found), found


def test_a_document_that_is_no_opening_is_found() -> None:
    body = cbor2.dumps({"version": 1})
    name = Document(DocumentKind.OPENING, body).hash
    files = WORLD.edited("hooli", edited(Kind.JOINED, fields(session=name)), **{name: body})
    assert any("it is no opening of a version" in text for text in texts(audited(files)))
