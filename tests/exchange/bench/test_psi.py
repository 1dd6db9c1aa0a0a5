"""Measured sessions: whole ones with a true result, and gaps where a process does not live to the end."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from crypto.psi import DISCOVERED, Brings, Params
from exchange.agreement import size_class
from exchange.bench import psi
from exchange.bench.hosts import place
from exchange.bench.links import LOOPBACK, NAMED
from exchange.bench.record import Gap, Run
from exchange.local.alliance import EPSILON_MILLI, LABEL_BYTES


@pytest.fixture(scope="module")
def nodes():
    with place(NAMED[LOOPBACK]) as at, psi.sessions(at, 300, seed=1) as found:
        yield found


def test_items_are_of_the_seed_and_half_in_common():
    ours, theirs, common = psi.items(101, 5)
    assert (len(ours), len(theirs), len(set(ours) & set(theirs))) == (101, 101, common)
    assert common == 50
    assert psi.items(101, 5) == (ours, theirs, common)
    assert psi.items(101, 6)[0] != ours


@pytest.mark.parametrize("protocol", DISCOVERED)
def test_a_session_is_measured_in_all_its_parts(nodes, protocol: str):
    run = nodes.run(protocol)
    assert isinstance(run, Run), run
    size = size_class(300)
    label = LABEL_BYTES if DISCOVERED[protocol].brings is Brings.CONTEXTS else 0
    payload = DISCOVERED[protocol].traffic(
        Params(n_r=size, n_s=size, context=bytes(32), label_bytes=label, epsilon_milli=EPSILON_MILLI)
    )
    for sent, least in zip(run.bytes.values(), payload, strict=True):
        assert least <= sent < 1.1 * least + 10_000  # frames and heads
    assert run.exact == (protocol not in {"estimate", "cardinality-banded", "cardinality-noisy"})
    assert run.rounds == DISCOVERED[protocol].round_trips
    for party in ("receiver", "sender"):
        assert set(run.phases[party]) == set(psi.PHASES) - {"hash"}
        assert 0 < sum(run.phases[party].values()) < run.seconds["total"]
        assert run.cpu_s[party] > 0
        assert 50 < run.peak_mib[party] < 1000
    assert (run.phases["receiver"]["offline"] > 0) == bool(DISCOVERED[protocol].offline)


@pytest.mark.parametrize(
    ("protocol", "what"), [("voprf", "count"), ("sum", "total"), ("vole-context", "contexts")]
)
def test_a_wrong_result_is_a_gap(nodes, monkeypatch: pytest.MonkeyPatch, protocol: str, what: str):
    assert isinstance(nodes.run(protocol), Run)
    ask = psi._Party.ask

    def lie(self, **asked):
        return {key: 7 if key == what else value for key, value in ask(self, **asked).items()}

    monkeypatch.setattr(psi._Party, "ask", lie)
    found = nodes.run(protocol)
    assert isinstance(found, Gap)
    assert found.why == f"wrong: {what} 7 instead of {450 if what == 'total' else 150}"


def test_phases_are_told_by_what_is_sent():
    steps = [
        ("compute", "the start", 1),
        ("send", "Blinded", 2),
        ("compute", "Blinded", 4),
        ("receive", "Evaluated", 8),
        ("compute", "Evaluated", 16),
    ]
    assert psi.phases("voprf", steps) == {"offline": 0, "encode": 1, "transfer": 10, "decode": 20}


@pytest.mark.parametrize("victim", [0, 1], ids=["receiver", "sender"])
def test_a_process_that_is_killed_in_the_middle_leaves_a_gap_and_the_next_run_is_whole(victim: int):
    with place(NAMED[LOOPBACK]) as at, psi.sessions(at, 20_000, seed=1) as nodes:
        assert isinstance(nodes.run("vole"), Run)
        pid = nodes.pids[victim]
        killer = threading.Thread(target=kill_when_busy, args=(pid,))
        killer.start()
        found = nodes.run("voprf")
        killer.join()
        assert isinstance(found, Gap)
        assert isinstance(nodes.run("vole"), Run)


def kill_when_busy(pid: int) -> None:
    """End a process once it has computed for a tenth of a second more than it had."""

    def spent() -> int:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    start = spent()
    while spent() < start + os.sysconf("SC_CLK_TCK") // 10:
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)
