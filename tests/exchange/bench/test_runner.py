"""Runs in turn, gaps, and what they come to."""

from exchange.bench.hosts import Place
from exchange.bench.links import LOOPBACK, NAMED
from exchange.bench.record import Gap, Run, ratios, spread
from exchange.bench.runner import in_turn, summary

HERE = Place(NAMED[LOOPBACK])


def run(seconds: float) -> Run:
    return Run(seconds={"total": seconds}, bytes={"receiver": 100, "sender": 50}, peak_mib={"receiver": 10.0})


def told(subjects, repeat, **how):
    return [{"n": 8, "link": "loopback", **one} for one in in_turn(subjects, repeat, HERE, **how)]


def test_subjects_run_in_turn_and_the_first_round_is_told_apart():
    runs = told({"a": lambda: run(1), "b": lambda: run(2)}, 2)
    assert [(one["subject"], one["repeat"]) for one in runs] == [
        ("a", 0), ("b", 0), ("a", 1), ("b", 1), ("a", 2), ("b", 2),
    ]  # fmt: skip


def test_the_first_round_does_not_count_and_ratios_are_of_neighbours():
    a, b = iter([100, 1, 2, 4]), iter([1, 3, 4, 20])
    rows = summary(told({"a": lambda: run(next(a)), "b": lambda: run(next(b))}, 3), "a")
    assert [row["seconds"] for row in rows] == [
        {"median": 2, "min": 1, "max": 4}, {"median": 4, "min": 3, "max": 20},
    ]  # fmt: skip
    assert rows[1]["ratio"] == {"median": 3, "min": 2, "max": 5}
    assert "ratio" not in rows[0]
    assert (rows[0]["runs"], rows[0]["cold"]) == (3, False)


def test_a_gap_is_marked_and_after_two_the_subject_rests():
    calls: list[int] = []

    def broken() -> Gap:
        calls.append(1)
        return Gap("it ended in the middle")

    runs = told({"a": lambda: run(1), "b": broken}, 5)
    assert len(calls) == 2
    row = summary(runs, "a")[1]
    assert (row["gap"], row["runs"]) == ("it ended in the middle", 0)
    assert "seconds" not in row


def test_one_gap_among_runs_takes_nothing_from_them():
    found = iter([run(9), Gap("killed"), run(2), run(3)])
    rows = summary(told({"a": lambda: next(found)}, 3), "a")
    assert (rows[0]["runs"], rows[0]["seconds"]["median"]) == (2, 2.5)


def test_a_subject_that_is_over_its_budget_ran_once_and_says_so():
    rows = summary(told({"a": lambda: run(7)}, 5, budget_s=0), "a")
    assert (rows[0]["runs"], rows[0]["cold"], rows[0]["seconds"]["median"]) == (1, True, 7)


def test_what_ran_only_once_is_compared_with_the_cold_round_of_the_base():
    quick = iter([10, 1, 1])
    slow = iter([run(70), Gap("ended"), Gap("ended")])
    rows = summary(told({"a": lambda: run(next(quick)), "b": lambda: next(slow)}, 2), "a")
    assert rows[0]["seconds"]["median"] == 1
    assert (rows[1]["cold"], rows[1]["ratio"]["median"]) == (True, 7)


def test_spread_and_ratios():
    assert spread([3, 1, 2]) == {"median": 2, "min": 1, "max": 3}
    assert ratios([1, 2], [3, 4]) == {"median": 2.5, "min": 2, "max": 3}
