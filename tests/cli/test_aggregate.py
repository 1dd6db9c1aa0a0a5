"""``aggregate`` on the command line: its JSON, its words, and what it refuses."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crypto.secagg.base import Step
from exchange.cli.aggregate import told_of
from exchange.config import Home
from exchange.counting.world import Progress
from exchange.store.ledger import LedgerReader
from tests.cli.command import Done, cosight
from tests.cli.test_contract import documented
from tests.e2e.nodes import members

TODAY = datetime.now(UTC).date()
WINDOW = f"{TODAY - timedelta(7)}..{TODAY}"


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, ...]:
    return members(tmp_path_factory.mktemp("alliance"), "alice", "bob", "carol")


@pytest.fixture
def dictionary(tmp_path: Path) -> Path:
    path = tmp_path / "watched.txt"
    path.write_text(f"8.8.8.8\nexample.com\nexample.org\n10.0.0.1\nhttps://example.com/{tmp_path.name}\n")
    return path


def opened(home: Home, *options: str | Path, window: str = WINDOW, purpose: str = "demonstration") -> Done:
    words = ("aggregate", "open", "--window", window, "--purpose", purpose, "--json")
    return cosight(*words, *options, home=home.path)


def test_open_says_what_is_asked(homes: tuple[Home, ...], dictionary: Path) -> None:
    done = opened(homes[0], "--dictionary", dictionary, "--reporters", "2")
    assert set(done.json) == documented("aggregate open")
    assert (done.code, done.json["entries"], done.json["members"]) == (0, 4, ["alice", "bob", "carol"])
    assert done.json["minimum"] == 3
    assert done.err == "1 values are left out: not-global\n"
    again = opened(homes[0], "--dictionary", dictionary).error
    assert again["code"] == "aggregation-running"


def test_people_are_told_too(homes: tuple[Home, ...], dictionary: Path) -> None:
    words = (
        "aggregate",
        "open",
        "--window",
        WINDOW,
        "--purpose",
        "demonstration",
        "--dictionary",
        dictionary,
    )
    done = cosight(*words, "--epsilon", "0.5", "--reporters", "2", home=homes[0].path)
    assert done.code == 0
    assert "with noise of epsilon 0.5" in done.err
    assert "if 31 members saw it; there are 3: mostly nothing will be released" in done.err
    assert "cosight aggregate join alice" in done.err


def test_what_our_own_policy_would_not_join_is_not_asked(homes: tuple[Home, ...], dictionary: Path) -> None:
    """With the rule and what would allow it; and nothing is there for others to join."""
    before = sorted(homes[1].path.rglob("aggregations/*"))
    done = opened(homes[1], "--dictionary", dictionary, purpose="secret")
    assert (done.code, done.error["code"]) == (1, "policy-refused")
    assert "refused by a3-purpose" in done.error["message"]
    assert 'purposes = ["demonstration", "secret"]' in done.error["message"]
    assert sorted(homes[1].path.rglob("aggregations/*")) == before
    with LedgerReader.open_read_only(homes[1].ledger_file) as ledger:
        assert not {"convened", "refused"} & {str(leaf.kind) for leaf in ledger.entries()}


def test_noise_that_lets_no_number_out_is_refused(homes: tuple[Home, ...], dictionary: Path) -> None:
    done = opened(homes[1], "--dictionary", dictionary, "--epsilon", "1", "--reporters", "3")
    assert done.error["code"] == "nothing-to-release"


@pytest.mark.parametrize(
    ("window", "options"),
    [
        ("2026-02-30..2026-03-01", ()),
        ("2026-02-01", ()),
        ("2026-02-02..2026-02-01", ()),
        (WINDOW, ("--measure", "sightings")),
        (WINDOW, ("--base", "00")),
        (WINDOW, ("--reporters", "1")),
        (WINDOW, ("--deadline", "0")),
        (WINDOW, ("--members",)),
    ],
)
def test_wrong_usage(
    homes: tuple[Home, ...], dictionary: Path, window: str, options: tuple[str, ...]
) -> None:
    done = opened(homes[0], "--dictionary", dictionary, *options, window=window)
    assert (done.code, done.error["code"]) == (2, "usage")


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--members", "alice,bob,mallory"), "input"),
        (("--members", "alice,bob"), "aggregation-malformed"),
        (("--reporters", "4"), "aggregation-malformed"),
        (("--epsilon", "1e9"), "aggregation-malformed"),
    ],
)
def test_what_cannot_be_counted(
    homes: tuple[Home, ...], dictionary: Path, options: tuple[str, ...], code: str
) -> None:
    done = opened(homes[1], "--dictionary", dictionary, *options)
    assert (done.code, done.error["code"]) == (1, code)


def test_nothing_yet(homes: tuple[Home, ...]) -> None:
    home = homes[2].path
    assert cosight("aggregate", "result", "--json", home=home).json == {"aggregations": []}
    assert cosight("aggregate", "run", "--json", home=home).error["code"] == "nothing-to-run"
    assert cosight("aggregate", "result", "4f", "--json", home=home).error["code"] == "input"
    assert cosight("aggregate", "result", "--format", "stix", "--json", home=home).error["code"] == "usage"
    assert cosight("aggregate", "join", "mallory", "--json", home=home).error["code"] == "unknown-member"
    unreached = cosight("aggregate", "join", "alice", "--address", "127.0.0.1:1", "--json", home=home)
    assert unreached.error["code"] == "peer-unavailable"
    assert cosight("aggregate", "join", "carol", "--json", home=home).error["code"] == "no-address"


def test_runs_that_go_on_at_once_are_told_apart() -> None:
    said: list[str] = []
    first, second = told_of(said.append, "aaaa "), told_of(said.append, "bbbb ")
    for _ in range(2):
        first(Progress(Step.DEALING))
        second(Progress(Step.MASKING))
    assert said == [
        "aaaa step 2 of 6: sealed shares go round",
        "bbbb step 3 of 6: masked numbers are added up",
    ]
