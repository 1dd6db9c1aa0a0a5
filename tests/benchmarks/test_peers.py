"""Other systems' parties: one that dies or hangs leaves a gap with a reason, and no process."""

import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import compare
from benchmarks.peers import PEERS, base, spu
from exchange.bench import psi
from exchange.bench.hosts import Place
from exchange.bench.links import LOOPBACK, NAMED
from exchange.bench.record import Gap, Run
from tests.e2e.nodes import until

HERE = Place(NAMED[LOOPBACK])
HANG = "import time; time.sleep(600)"
READY = "import json, sys; asked = json.loads(sys.argv[1]); print('{\"ready\": 1}', flush=True)\n"


def running(marker: str) -> list[tuple[int, str]]:
    """Our children in whose command this is: their ids and what they run."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == os.getpid() and marker in command:
            found.append((int(entry.name), command))
    return found


def two(code: str) -> object:
    return base.two(HERE, [sys.executable, "-c", code], {}, {})


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, int]:
    folder = tmp_path_factory.mktemp("lines")
    *sets, common = psi.items(200_000, seed=1)
    paths = (folder / "a.txt", folder / "b.txt")
    for path, lines in zip(paths, sets, strict=True):
        path.write_text("\n".join(lines))
    return (*paths, common)


def test_a_run_to_its_end(files):
    run = PEERS["plain hashes"].run(HERE, *files)
    assert isinstance(run, Run), run
    assert run.bytes["sender"] > 200_000 * 10
    assert running("plain_party") == []


@pytest.mark.parametrize("victim", ["sender", "receiver"])
def test_a_party_that_is_killed_in_the_middle_leaves_a_gap(files, victim: str):
    def kill() -> None:
        both = until(lambda: found if len(found := running("plain_party")) == 2 else None, 60)
        os.kill(next(pid for pid, command in both if f'"role": "{victim}"' in command), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    found = PEERS["plain hashes"].run(HERE, *files)
    killer.join()
    assert isinstance(found, Gap), found
    assert found.why.startswith(f"the {victim} was killed by signal 9")
    assert running("plain_party") == []
    assert isinstance(PEERS["plain hashes"].run(HERE, *files), Run)


@pytest.mark.parametrize("code", [HANG, READY + HANG], ids=["before it is ready", "after"])
def test_parties_that_hang_are_ended(monkeypatch: pytest.MonkeyPatch, code: str):
    monkeypatch.setattr(base, "LONGEST_S", 0.5)
    assert two(code) == Gap("ended after 0.5 s")
    assert running("time.sleep(600)") == []


@pytest.mark.parametrize("victim", ["sender", "receiver"])
def test_a_party_does_not_wait_for_one_that_failed(victim: str):
    found = two(READY + f"if asked['role'] == {victim!r}: sys.exit('no such curve')\n" + HANG)
    assert found == Gap(f"the {victim} ended with status 1: no such curve")
    assert running("time.sleep(600)") == []


@pytest.mark.parametrize("code", ["print('hello')", READY])
def test_what_says_nothing_that_can_be_read_is_a_gap(code: str):
    assert two(code) == Gap("a party did not say what it found")


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (
            subprocess.CalledProcessError(1, "pip", stderr="Looking\nERROR: no matching wheel\n"),
            "ERROR: no matching wheel",
        ),
        (subprocess.CalledProcessError(3, "pip"), "pip ended with status 3"),
        (OSError(28, "No space left on device"), "its environment cannot be made: No space left on device"),
    ],
    ids=["refused", "without a word", "full disk"],
)
def test_a_system_that_cannot_be_installed_is_named_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, error: Exception, why: str
):
    def fail(*_: str) -> Path:
        raise error

    monkeypatch.setattr(base, "interpreter", fail)
    peer = replace(PEERS["openmined raw"], packages=(f"{why}==1",))  # of each the answer is kept
    monkeypatch.setattr(compare, "PEERS", {peer.name: peer})
    assert compare.subjects([])[peer.name]["missing"] == why


def test_a_library_that_ends_its_process_is_asked_what_its_logs_say(files, monkeypatch: pytest.MonkeyPatch):
    def ended(_place: Place, _words: list[str], receiver: dict[str, str], _sender: dict[str, str]) -> Gap:
        (Path(receiver["folder"]) / "log1").write_text("connecting\nno such peer\n")
        return Gap("the sender ended with status 255")

    monkeypatch.setattr(spu, "python", lambda *_: "python")
    monkeypatch.setattr(spu, "two", ended)
    found = PEERS["spu rr22"].run(HERE, *files)
    assert found == Gap("the sender ended with status 255; its logs end: no such peer")
