"""What people see is what there is: nothing is interpreted, nothing that is copied is cut."""

import io
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from exchange.cli import MODULES, output
from exchange.config import Home
from exchange.errors import InputError
from tests.architecture.test_docs import commands
from tests.cli.command import cosight
from tests.e2e.nodes import import_values, serve

TRICKY = ["https://example.com/[/b]?[red]=1", "2001:4860:ab:b::1", "https://example.com/:smile:/" + "x" * 120]


def test_values_are_shown_as_they_are(pair: tuple[Home, ...]) -> None:
    """Brackets are no markup, ``:ab:`` is no emoji, and a long URL stays one line."""
    alice, bob = pair
    for home in pair:
        import_values(home, TRICKY)
    with serve(bob) as served:
        done = cosight("match", "bob", "--address", served.address, home=alice.path)
    assert done.code == 0
    assert {line.split()[-1] for line in done.out.splitlines()} >= set(TRICKY)


def test_only_the_first_of_many_matches_are_shown(pair: tuple[Home, ...]) -> None:
    alice, bob = pair
    for home in pair:
        import_values(home, [f"host-{n}.example.com" for n in range(30)])
    with serve(bob) as served:
        done = cosight("match", "bob", "--address", served.address, "--type", "domain", home=alice.path)
    assert sum("host-" in line for line in done.out.splitlines()) == 5
    assert "and 25 more: --out FILE writes all" in done.out


def test_a_source_name_is_shown_as_it_is(lone: Path) -> None:
    feed = lone / "feed.txt"
    feed.write_text("8.8.8.3\n")
    assert cosight("import", feed, "--source", "[bold]us[/] :ab:", home=lone).code == 0
    assert "[bold]us[/] :ab:" in cosight("indicators", home=lone).out


def test_an_error_is_shown_as_it_is_and_uncut(capsys: pytest.CaptureFixture[str]) -> None:
    path = "/srv/" + "long-name/" * 12 + "[/red].csv"
    output.fail(InputError(f"cannot read {path}", hint=f"look at {path}"), as_json=False)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == f"error (input) cannot read {path}\nhint  look at {path}\n"


def test_progress_goes_to_standard_error_of_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Console(file=io.StringIO(), force_terminal=True, width=80)
    monkeypatch.setattr(output, "stderr", terminal)
    with output.steps(2, as_json=True) as begin, output.waiting("x", as_json=True):
        begin("first")
    with output.counting("x", as_json=True) as count:
        count(1)
    assert terminal.file.getvalue() == ""
    with output.steps(2, as_json=False) as begin:
        begin("first step")
    assert "first step" in terminal.file.getvalue()


@pytest.mark.parametrize("terminal", [False, True])
def test_a_table_is_folded_for_a_screen_and_for_nothing_else(
    terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    values = ["https://example.com/" + "x" * 120, "cosight aggregate join " + "y" * 40]
    listed = output.table("", "a", "b")
    listed.add_row(*values)
    printed = io.StringIO()
    output.console(file=printed, force_terminal=terminal, color_system=None).print(listed)
    row = [line for line in printed.getvalue().splitlines() if all(value in line for value in values)]
    assert bool(row) != terminal


def test_sizes_for_people() -> None:
    shown = [output.size(n) for n in (0, 999, 1000, 799_400, 1_500_000, 2_000_000_000, 5 * 10**12)]
    assert shown == ["0 B", "999 B", "1.0 kB", "799.4 kB", "1.5 MB", "2.00 GB", "5000.00 GB"]


@pytest.mark.parametrize("words", [*commands()], ids=" ".join)
def test_help_fits_and_says_what_a_command_does(words: tuple[str, ...]) -> None:
    done = cosight(*words, "--help")
    assert done.code == 0
    assert f"Usage: {' '.join(['cosight', *words])}" in done.out
    assert done.err == ""


def test_help_states_the_defaults() -> None:
    assert "default: 127.0.0.1:7443" in cosight("init", "--help").out
    assert "in days" in cosight("alliance", "invite", "--help").out
    assert "default: auto" in cosight("import", "--help").out


def test_the_installed_command_runs_without_a_terminal(tmp_path: Path) -> None:
    """As cron runs it: no terminal, no COLUMNS, output to a pipe that buffers."""
    done = subprocess.run(
        [sys.executable, "-m", "exchange", "ledger", "verify", "--home", str(tmp_path), "--json"],
        capture_output=True, text=True, check=False, env={"PATH": "", "PYTHONPATH": ":".join(sys.path)},
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith('{"error": {"code": "no-home", ')


def test_commands_that_need_no_node_do_not_load_grpc() -> None:
    """With what comes with it, it is a fifth of the time that they take."""
    with_node = {
        "aggregate",
        "demo",
        "discover",
        "filter",
        "lookup",
        "match",
        "policy",
        "psi",
        "serve",
        "warm",
    }
    others = MODULES.keys() - with_node
    code = f"import sys; from exchange.cli import complete; [complete([name]) for name in {others}]; "
    code += "print({'exchange.node', 'grpc'} & sys.modules.keys())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, check=True, env={"PATH": "", "PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip
    assert done.stdout == "set()\n"


def test_serve_is_heard_at_once_through_a_pipe(pair: tuple[Home, ...]) -> None:
    """Whoever starts a node waits for its line; it must not stay in a buffer."""
    environment = {"PATH": "", "PYTHONPATH": ":".join(sys.path)}
    command = [sys.executable, "-m", "exchange", "serve", "--json", "--home", str(pair[1].path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            assert '"member": "bob"' in process.stdout.readline()
        finally:
            process.terminate()
        assert process.wait(timeout=60) == 0


def test_what_is_waited_for_is_a_line_for_each_change_and_not_for_each_number(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with output.telling("beginning") as told:
        for what in (
            "asking: 1 of 9",
            "asking: 9 of 9",
            "3 of 5 are there",
            "3 of 5 are there",
            "4 of 5 are there",
        ):
            told(what)
    out, err = capsys.readouterr()
    assert (out, err.splitlines()) == ("", ["asking", "3 of 5 are there", "4 of 5 are there"])
