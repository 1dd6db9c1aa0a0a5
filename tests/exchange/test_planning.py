"""The choice of a protocol: by the numbers, and what is kept of them."""

import json

import pytest

from crypto.psi import DISCOVERED, Output, Params, Protocol
from exchange.planning import (
    FIRST_RATE,
    Computing,
    Line,
    Measured,
    Model,
    choose,
    measure,
    predict,
)

COMPUTING = {"voprf": Computing(0.001, 6e-5, 3e-5), "vole": Computing(0.05, 3e-7, 2e-7)}
FAST = Line(0.0002, 1e9)


def chosen(n: int, line: Line = FAST) -> str:
    return choose(list(COMPUTING), COMPUTING, line, n, n).protocol


def test_a_prediction_adds_up_what_it_says():
    params, line = Params(n_r=1000, n_s=3000, context=bytes(32)), Line(0.1, 1e6)
    model = Model(session_s=1.0, computing=10.0, byte_s=1e-5, round_trips=3.0, ramp=0.0)
    cost = predict(DISCOVERED["vole"], COMPUTING["vole"], line, params, model)
    traffic = DISCOVERED["vole"].traffic(params)
    computing = 0.05 + 3e-7 * 1000 + 2e-7 * 3000
    want = 1 + 10 * computing + sum(traffic) * (1e-6 + 1e-5) + (4.5 + 3) * 0.1
    assert cost.seconds == pytest.approx(want)
    assert (cost.receiver_bytes, cost.sender_bytes) == traffic


def test_a_rate_that_was_measured_in_a_run_has_the_programs_in_it():
    params, model = Params(n_r=100, n_s=100, context=bytes(32)), Model(0, 0, 1.0, 0, 0)
    found = [
        predict(
            DISCOVERED["voprf"], COMPUTING["voprf"], Line(0, 1e6, measured=measured), params, model
        ).seconds
        for measured in (True, False)
    ]
    moved = sum(DISCOVERED["voprf"].traffic(params))
    assert found == [pytest.approx(moved / 1e6), pytest.approx(moved / 1e6 + moved)]


def test_a_window_doubles_until_the_line_is_full_or_all_is_sent():
    line = Line(0.1, 14480 * 70)  # seven first windows in a round trip
    assert line.doublings(0) == 0
    assert line.doublings(14480) == pytest.approx(1)
    assert line.doublings(10**9) == pytest.approx(3)
    assert Line(1e-4, float("inf")).doublings(14480 * 3) == pytest.approx(2)


def test_a_result_for_both_costs_what_the_protocol_says():
    ours, both = (
        choose(["voprf"], COMPUTING, FAST, 1000, 1000, output).costs["voprf"]
        for output in (Output.RECEIVER, Output.BOTH)
    )
    assert ours.receiver_bytes + ours.sender_bytes < both.receiver_bytes + both.sender_bytes


def test_small_sets_and_large_ones_get_another_protocol():
    assert [chosen(n) for n in (100, 1 << 20)] == ["voprf", "vole"]


def test_a_link_decides_too():
    """A megabyte to begin with is nothing on a fast link, and longer than 2,000 items on a slow one."""
    assert chosen(2000) == "vole"
    assert chosen(2000, Line(0.15, 6e5)) == "voprf"


def test_what_cannot_run_is_not_chosen():
    plan = choose(["voprf"], COMPUTING, FAST, 1 << 20, 1 << 20)
    assert (plan.protocol, set(plan.costs)) == ("voprf", {"voprf"})


@pytest.mark.parametrize("name", sorted(DISCOVERED))
def test_a_protocol_is_measured_by_running_it(name):
    found = measure(DISCOVERED[name])
    assert min(found.fixed_s, found.receiver_item_s, found.sender_item_s) >= 0
    small, large = DISCOVERED[name].sample
    assert found.seconds(large, large) >= found.seconds(small, small)  # no more: time is not to be tested


class Counting:
    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, protocol: Protocol) -> Computing:
        self.names.append(protocol.name)
        return COMPUTING[protocol.name]


def test_a_machine_is_measured_once(tmp_path):
    file, count = tmp_path / "measured.json", Counting()
    assert Measured(file, "here", count).computing(["vole"]) == {"vole": COMPUTING["vole"]}
    again = Measured(file, "here", count)
    assert again.computing(["vole", "voprf"]) == COMPUTING
    assert count.names == ["vole", "voprf"]
    Measured(file, "elsewhere", count).computing(["vole"])
    assert count.names == ["vole", "voprf", "vole"]


def test_links_are_remembered_whatever_the_machine(tmp_path):
    file, count = tmp_path / "measured.json", Counting()
    fresh = Measured(file, "here", count)
    assert fresh.line("bob", 0.01) == Line(0.01, FIRST_RATE, measured=False)
    assert fresh.padded("bob") is None
    fresh.remember("bob", 832, 5e7)
    fresh.remember("bob", 1024, 0.0)
    other = Measured(file, "elsewhere", count)
    assert other.line("bob", 0.02) == Line(0.02, 5e7, measured=True)
    assert other.padded("bob") == 1024


def test_a_file_that_cannot_be_written_stops_nothing(tmp_path, caplog):
    measured = Measured(tmp_path / "gone" / "measured.json", "here", Counting())
    assert measured.computing(["vole"]) == {"vole": COMPUTING["vole"]}
    measured.remember("bob", 832, 5e7)
    assert measured.padded("bob") == 832
    assert "not kept" in caplog.text


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"null", b"\xff", b'{"peers": {}}',
        b'{"machine": "here", "computing": {"vole": {"fixed_s": 1}}, "peers": {}}',
        b'{"machine": "here", "computing": {"vole": 3}, "peers": {}}',
        b'{"machine": "here", "computing": {}, "peers": {"bob": 1}}',
        json.dumps({"machine": "here", "computing": {"vole": {"fixed_s": "x", "receiver_item_s": 1.0,
                    "sender_item_s": 1.0}}, "peers": {}}).encode(),
    ],
)  # fmt: skip
def test_a_file_that_says_nothing_is_measured_anew(tmp_path, content):
    file, count = tmp_path / "measured.json", Counting()
    file.write_bytes(content)
    assert Measured(file, "here", count).computing(["vole"]) == {"vole": COMPUTING["vole"]}
    assert json.loads(file.read_text())["computing"].keys() == {"vole"}
