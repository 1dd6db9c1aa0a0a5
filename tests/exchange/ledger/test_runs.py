"""One sum for one window: what a log of runs allows next."""

from typing import Any

import pytest

from exchange.ledger import Kind
from exchange.ledger.runs import Key, Runs
from tests.exchange.ledger.entries import ASKED, Log, leaf

OLD, NEW, THIRD = ("01" * 32, "02" * 32, "03" * 32)
DISCOVERY = {
    "measure": "discover", "types": ["ipv4"], "purpose": "b9" * 32, "threshold": 3, "members": 5,
    "first": "2026-02-01", "last": "2026-02-01",
}  # fmt: skip
KEY = Key("d1" * 32, "b9" * 32, "count", "2026-02-01", "2026-02-28")


def joined(session: str, *abandons: str, **what: Any) -> tuple[Kind, dict[str, Any]]:
    given = {"abandons": sorted(abandons)} if abandons else {}
    return Kind.JOINED, {"session": session, "what": ASKED | given | what}


def brought(session: str) -> tuple[Kind, dict[str, Any]]:
    return Kind.BROUGHT, {"session": session}


def masked(session: str) -> tuple[Kind, dict[str, Any]]:
    return Kind.MASKED, {"session": session}


def shared(session: str) -> tuple[Kind, dict[str, Any]]:
    return Kind.SHARED, {"session": session}


def counted(session: str) -> tuple[Kind, dict[str, Any]]:
    return Kind.COUNTED, {"session": session}


def broken(session: str) -> tuple[Kind, dict[str, Any]]:
    return Kind.BROKEN, {"session": session}


def runs(*entries: tuple[Kind, dict[str, Any]]) -> Runs:
    found = Runs()
    for kind, fields in entries:
        assert found.admit(leaf(kind, **fields)) == ""
    return found


WHOLE = (joined(OLD), masked(OLD), shared(OLD), counted(OLD))


class TestOrder:
    def test_a_whole_run_stands(self) -> None:
        assert Log(*WHOLE).problems() == []
        run = runs(*WHOLE).joined(OLD)
        assert run is not None
        assert (run.coordinator, run.key, run.counted, run.ended) == ("umbra", KEY, True, True)

    @pytest.mark.parametrize(
        ("before", "entry", "fault"),
        [
            ((), masked(OLD), "not joined"),
            ((joined(OLD),), (Kind.MASKED, {"session": OLD, "peer": "globex"}), "not joined with this"),
            ((joined(OLD),), joined(OLD, first="2025-01-01", last="2025-01-02"), "joined already"),
            ((joined(OLD),), shared(OLD), "no masked vector"),
            ((joined(OLD),), counted(OLD), "no masked vector"),
            (WHOLE[:2], masked(OLD), "left already"),
            (WHOLE[:3], shared(OLD), "left already"),
            (WHOLE, counted(OLD), "has an end already"),
            (WHOLE, broken(OLD), "has an end already"),
            ((*WHOLE[:1], broken(OLD)), masked(OLD), "has an end already"),
            ((*WHOLE[:1], joined(NEW, OLD)), masked(OLD), "was abandoned"),
            ((*WHOLE[:2], joined(NEW, OLD)), shared(OLD), "was abandoned"),
            ((*WHOLE[:2], joined(NEW, OLD)), counted(OLD), "was abandoned"),
        ],
    )
    def test_what_is_out_of_order_is_found(self, before: Any, entry: Any, fault: str) -> None:
        assert Log(*before).problems() == []
        (found,) = Log(*before, entry).problems()
        assert fault in found

    def test_an_abandoned_run_may_still_be_closed(self) -> None:
        assert Log(joined(OLD), masked(OLD), joined(NEW, OLD), broken(OLD)).problems() == []

    def test_a_discovery_masks_nothing(self) -> None:
        entry = (Kind.JOINED, {"session": OLD, "what": DISCOVERY})
        again = (Kind.JOINED, {"session": NEW, "what": DISCOVERY})
        assert Log(entry, again, brought(OLD), counted(OLD)).problems() == []
        for before, wrong, fault in (
            ((), counted(OLD), "no batch has left"),
            ((), masked(OLD), "nothing is masked"),
            ((brought(OLD),), shared(OLD), "nothing is masked"),
            ((brought(OLD),), brought(OLD), "left already"),
            ((brought(OLD), broken(OLD)), brought(OLD), "has an end"),
        ):
            (found_,) = Log(entry, *before, wrong).problems()
            assert fault in found_
        run = runs(entry, brought(OLD)).joined(OLD)
        assert run is not None
        assert run.left == leaf(Kind.BROUGHT).time

    def test_a_run_that_counts_brings_nothing(self) -> None:
        (found,) = Log(joined(OLD), brought(OLD)).problems()
        assert "nothing is brought" in found

    def test_a_discovery_that_was_given_up_is_begun_anew_and_one_that_was_counted_is_not(self) -> None:
        entry = (Kind.JOINED, {"session": OLD, "what": DISCOVERY})
        assert Log(entry, broken(OLD), entry, brought(OLD), counted(OLD)).problems() == []
        for before in ((), (broken(OLD), entry, brought(OLD), counted(OLD))):
            assert "joined already" in Log(entry, *before, entry).problems()[0]
        assert "an end already" in Log(entry, broken(OLD), counted(OLD)).problems()[0]
        assert [run.session for run in runs(entry, broken(OLD), entry).going()] == [OLD]
        assert runs(entry, broken(OLD)).going() == []
        anew = runs(entry, brought(OLD), broken(OLD), entry).joined(OLD)
        assert anew is not None
        assert anew.left  # that a batch has left is not forgotten
        assert not anew.brought

    def test_the_same_holds_of_one_that_is_relayed_or_counted(self) -> None:
        found = Runs()
        for kind in (Kind.CONVENED, Kind.BROKEN, Kind.CONVENED):
            assert found.admit(leaf(kind, session=OLD, peer="", what=DISCOVERY)) == ""
        assert [run.session for run in found.copy().convening()] == [OLD]
        assert not found.over(OLD)
        assert found.admit(leaf(Kind.COUNTED, session=OLD, peer="")) == ""
        assert found.over(OLD)
        assert "convened already" in found.admit(leaf(Kind.CONVENED, session=OLD, what=DISCOVERY))
        assert "an end already" in found.admit(leaf(Kind.BROKEN, session=OLD, peer=""))
        assert found.convening() == []

    def test_a_sum_that_was_given_up_is_not(self) -> None:
        assert "joined already" in Log(joined(OLD), broken(OLD), joined(OLD)).problems()[0]

    def test_the_coordinators_entries_stand_beside_those_of_a_member(self) -> None:
        convened = (Kind.CONVENED, {"session": OLD})
        log = Log(convened, *WHOLE)
        assert log.problems() == []
        over = leaf(Kind.COUNTED, session=OLD)
        over.fields.pop("peer")  # type: ignore[attr-defined]
        found = runs(convened, *WHOLE)
        assert found.convened(OLD)
        assert found.admit(over) == ""
        assert "an end already" in found.admit(over)
        assert "not convened" in runs(*WHOLE).admit(over)
        assert "convened already" in found.admit(leaf(*convened[:1], **convened[1]))


class TestOneWindow:
    """Differencing: the same window once more, with somebody missing, gives that one's numbers away."""

    @pytest.mark.parametrize(
        "what",
        [
            {},
            {"first": "2026-02-28", "last": "2026-03-31"},
            {"first": "2026-01-01", "last": "2026-02-01"},
            {"first": "2026-02-10", "last": "2026-02-11"},
            {"members": 4},
        ],
    )
    def test_a_window_that_was_counted_is_not_counted_again(self, what: dict[str, Any]) -> None:
        for abandons in ((), (OLD,)):
            (found,) = Log(*WHOLE, joined(NEW, *abandons, **what)).problems()
            assert "in the way: it is counted" in found

    @pytest.mark.parametrize(
        "what",
        [
            {"first": "2026-03-01", "last": "2026-03-31"},
            {"first": "2026-01-01", "last": "2026-01-31"},
            {"dictionary": "d2" * 32},
            {"purpose": "ba" * 32},
            {"measure": "sightings"},
        ],
    )
    def test_another_window_or_dictionary_is_no_difference(self, what: dict[str, Any]) -> None:
        assert Log(*WHOLE, joined(NEW, **what)).problems() == []

    def test_once_shares_are_out_nothing_makes_up_for_it(self) -> None:
        (found,) = Log(*WHOLE[:3], broken(OLD), joined(NEW, OLD)).problems()
        assert "it is shared" in found

    @pytest.mark.parametrize("before", [WHOLE[:1], WHOLE[:2], (*WHOLE[:2], broken(OLD))])
    def test_an_attempt_that_could_go_on_must_be_abandoned(self, before: Any) -> None:
        (found,) = Log(*before, joined(NEW)).problems()
        assert "it is unfinished" in found
        assert Log(*before, joined(NEW, OLD)).problems() == []

    def test_an_attempt_into_which_nothing_of_ours_went_is_in_nobodys_way(self) -> None:
        assert Log(joined(OLD), broken(OLD), joined(NEW)).problems() == []

    def test_what_was_abandoned_once_need_not_be_named_again(self) -> None:
        log = (joined(OLD), masked(OLD), joined(NEW, OLD), masked(NEW), joined(THIRD, NEW), masked(THIRD))
        assert Log(*log).problems() == []

    def test_what_was_given_up_without_being_joined_is_never_joined(self) -> None:
        """Others count on it: ``T`` of them have promised the same, and it takes ``T`` to open that one."""
        (found,) = Log(joined(NEW, OLD), broken(NEW), joined(OLD)).problems()
        assert "was abandoned before" in found
        assert runs(joined(NEW, OLD)).copy().abandoned(OLD)

    def test_all_of_them_are_listed(self) -> None:
        found = runs(joined(OLD), joined(NEW, OLD), masked(NEW)).in_the_way(KEY)
        assert [(one.run.session, one.reason) for one in found] == [(NEW, "unfinished")]
        assert runs(joined(OLD)).in_the_way(KEY, [OLD]) == []

    def test_runs_on_the_same_days_meet_whatever_they_count_over(self) -> None:
        other = {"dictionary": "d2" * 32, "purpose": "ba" * 32}
        found = runs(*WHOLE, joined(NEW, **other), joined(THIRD, measure="sightings"))
        assert [run.session for run in found.meeting(KEY)] == [OLD, NEW]
        assert runs(joined(OLD), broken(OLD)).meeting(KEY) == []
        assert runs(joined(OLD), masked(OLD)).meeting(KEY, [OLD]) == []
        assert len(runs(joined(OLD), masked(OLD), shared(OLD)).meeting(KEY, [OLD])) == 1
        assert runs(joined(OLD, epsilon_milli=500), masked(OLD)).meeting(KEY) == []
        assert found.meeting(KEY._replace(first="2026-03-01", last="2026-03-02")) == []

    def test_a_copy_goes_on_by_itself(self) -> None:
        first = runs(joined(OLD))
        second = first.copy()
        assert second.admit(leaf(Kind.MASKED, session=OLD)) == ""
        assert [run.masked for run in first] == [False]
        assert [run.masked for run in second] == [True]
        assert [run.session for run in first.going()] == [OLD]
