"""``aggregate`` on the command line: its JSON, its words, and what it refuses."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crypto.secagg.base import Step
from exchange.cli.aggregate_choice import chosen, nothing_to_run
from exchange.cli.aggregate_view import told_of
from exchange.clock import utc_now
from exchange.config import Home
from exchange.counting.world import Closing, Ending, Progress
from exchange.errors import InputError
from exchange.policy.aggregation import RULES
from exchange.store.aggregations import Aggregations
from exchange.store.ledger import LedgerReader
from exchange.together.joining import Asked
from tests.cli.command import Done, cosight
from tests.cli.test_contract import documented
from tests.e2e.nodes import entries, members, serve
from tests.exchange.aggregation.openings import OPENING, opening

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
    assert done.err == "left out: 1 of the file, not-global\n"
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
    assert "with noise of epsilon 0.5" in done.out
    assert re.search(r"^  cosight aggregate join alice [0-9a-f]{16}$", done.out, re.MULTILINE)
    assert "left out: 1 of the file, not-global\n" in done.err
    assert "if 31 members saw it; there are 3: mostly nothing will be released" in done.err


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


def test_what_each_rule_says_is_explained_and_nothing_is_written(
    homes: tuple[Home, ...], dictionary: Path
) -> None:
    alice, _, carol = homes
    ids = [rule.id for rule in RULES]
    refused = opened(carol, "--dictionary", dictionary, "--explain", purpose="secret")
    assert (refused.code, set(refused.json)) == (1, documented("policy explain"))
    assert (refused.json["rule"], [rule["id"] for rule in refused.json["rules"]]) == ("a3-purpose", ids)
    assert opened(carol, "--dictionary", dictionary, "--explain").json["allowed"]
    assert not any(carol.path.rglob("aggregations/*"))
    days = str(TODAY - timedelta(40))
    name = opened(alice, "--dictionary", dictionary, window=f"{days}..{days}").json["session"]
    policy = carol.path / "policy.toml"
    text = policy.read_text()
    with serve(alice) as served:
        join = ("aggregate", "join", "alice", name, "--explain", "--address", served.address)
        assert cosight(*join, "--json", home=carol.path).json["rule"] == "allowed"
        policy.write_text(text.replace("[aggregate]\n", "[aggregate]\nsuspended = true\n"))
        shown = cosight(*join, home=carol.path)
        policy.write_text(text)
    assert (shown.code, shown.out.startswith("refused by p22-suspended: ")) == (1, True)
    assert all(rule in shown.out for rule in ids)
    assert not {"refused", "joined", "convened"} & {str(leaf.kind) for leaf in entries(carol)}


def test_a_member_is_told_who_can_withdraw(tmp_path: Path, dictionary: Path) -> None:
    alice, bob, _ = members(tmp_path, "alice", "bob", "carol")
    name = opened(alice, "--dictionary", dictionary).json["session"]
    with serve(alice) as served:
        later = ("aggregate", "join", "alice", "--later", "--address", served.address)
        assert cosight(*later, home=bob.path).code == 0
    told = cosight("aggregate", "withdraw", name, "--json", home=bob.path).error
    assert told["message"] == "alice coordinates this aggregation, and alone can take it back"
    assert told["hint"].startswith("ask alice; ")


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
        (WINDOW, ("--epsilon", "0.0004")),
        (WINDOW, ("--max-age", "3661")),
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
    ("options", "code", "why", "mended_by"),
    [
        (("--members", "alice,bob,mallory"), "input", "mallory is not on the roster", "alliance roster"),
        (("--members", "alice,bob"), "aggregation-malformed", "2 members are asked, and 3", "--members"),
        (("--reporters", "4"), "aggregation-malformed", "4 reporters are never behind", "from 2 to 3"),
        (("--minimum", "4"), "aggregation-malformed", "a sum of 4 members", "from 3 to 3"),
        (("--epsilon", "1e9"), "aggregation-malformed", "epsilon 1e+09 fits no number", "up to 16"),
        (("--epsilon", "0.001"), "aggregation-malformed", "epsilon 0.001 fits no number", "up to 16"),
    ],
)
def test_what_cannot_be_counted(
    homes: tuple[Home, ...], dictionary: Path, options: tuple[str, ...], code: str, why: str, mended_by: str
) -> None:
    done = opened(homes[1], "--dictionary", dictionary, *options)
    assert (done.code, done.error["code"]) == (1, code)
    assert why in done.error["message"]
    assert mended_by in done.error["hint"]


def test_nothing_yet(homes: tuple[Home, ...]) -> None:
    home = homes[2].path
    assert cosight("aggregate", "result", "--json", home=home).json == {"aggregations": []}
    assert cosight("aggregate", "run", "--json", home=home).error["code"] == "nothing-to-run"
    assert cosight("aggregate", "result", "4f", "--json", home=home).error["code"] == "input"
    assert cosight("aggregate", "result", "--format", "stix", "--json", home=home).error["code"] == "usage"
    assert cosight("aggregate", "join", "mallory", "--json", home=home).error["code"] == "unknown-member"
    unreached = cosight("aggregate", "join", "alice", "--address", "127.0.0.1:1", "--json", home=home)
    assert unreached.error["code"] == "peer-unavailable"
    assert unreached.err == "asking alice what it asks us\n"
    assert cosight("aggregate", "join", "carol", "--json", home=home).error["code"] == "no-address"


def test_runs_that_go_on_at_once_are_told_apart() -> None:
    said: list[str] = []

    def begin(what: str, *, more: bool = False) -> None:
        assert not more
        said.append(what)

    first, second = told_of(begin, OPENING, "aaaa "), told_of(begin, OPENING, "bbbb ")
    for _ in range(2):
        first(Progress(Step.DEALING))
        second(Progress(Step.MASKING))
    assert said == [
        "aaaa step 2 of 6: sealed shares go round",
        "bbbb step 3 of 6: masked numbers are added up",
    ]


def test_people_are_told_whom_a_run_waits_for() -> None:
    said: list[tuple[str, bool]] = []
    names = tuple(f"member{n}" for n in range(9))
    told = told_of(lambda what, *, more=False: said.append((what, more)), opening(members=names))
    waiting = Progress(Step.JOINING, left_s=0, awaited=names[:7])
    for progress in (waiting, waiting, replace(waiting, awaited=("member3",)), Progress(Step.DEALING)):
        told(progress)
    first, second, third = said
    assert first[0].startswith("step 1 of 6: who takes part (2 of 9 have joined); waits for member0, ")
    assert re.search(r" and 2 more until \d\d:\d\d:\d\d UTC$", first[0])
    assert "(8 of 9 have joined); waits for member3 until" in second[0]
    assert (first[1], second[1]) == (False, True), "the same step moves no bar"
    assert third == ("step 2 of 6: sealed shares go round", False)


class Kept:
    """What we keep of one, as far as it matters here."""

    def __init__(self, ended: tuple[str, tuple[str, ...]] | None) -> None:
        self.ended = ended


WAITING, GOING, OVER = Progress(Step.JOINING), Progress(Step.MASKING), Progress(Step.DONE)
WITHDRAWN = Progress(Step.DONE, "withdrawn")
OURS, PAST = Kept(None), Kept(("too-few", ()))


def asked(*states: tuple[Progress, Kept | None]) -> list[Asked]:
    return [
        Asked(opening(session=bytes([n]) * 32), progress, ours)  # type: ignore[arg-type]
        for n, (progress, ours) in enumerate(states)
    ]


@pytest.mark.parametrize(
    ("states", "named", "code", "words"),
    [
        ([], None, "nothing-to-join", "asks us for nothing"),
        ([(WAITING, None)], "ff" * 32, "nothing-to-join", "nothing of this name"),
        ([(WAITING, None), (WAITING, None)], None, "several-to-join", "more than one"),
        ([(OVER, None)], None, "aggregation-over", "it was counted"),
        ([(OVER, None)], 0, "aggregation-over", "it was counted"),
        ([(WITHDRAWN, None)], 0, "aggregation-over", "withdrawn by its coordinator"),
        ([(Progress(Step.DONE, "bad-share", ("umbra",)), PAST)], 0, "aggregation-over", "by umbra"),
        ([(GOING, None)], 0, "aggregation-begun", "has begun without us"),
        ([(GOING, OURS)], None, "nothing-to-join", "joined all"),
    ],
)
def test_why_there_is_nothing_to_join(
    states: list[tuple[Progress, Kept | None]], named: int | str | None, code: str, words: str
) -> None:
    shown = asked(*states)
    session = shown[named].opening.name if isinstance(named, int) else named or ""
    with pytest.raises(InputError, match=words) as refused:
        chosen(shown, session)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("states", "named", "found"),
    [
        ([(OVER, None), (WAITING, None), (WITHDRAWN, OURS)], None, 1),
        ([(WAITING, OURS)], None, 0),
        ([(OVER, OURS), (WAITING, None)], 0, 0),
        ([(WITHDRAWN, OURS)], 0, 0),
    ],
)
def test_what_is_joined_or_gone_on_with(
    states: list[tuple[Progress, Kept | None]], named: int | None, found: int
) -> None:
    shown = asked(*states)
    assert chosen(shown, "" if named is None else shown[named].opening.name) is shown[found]


@pytest.mark.parametrize(
    ("session", "ended", "code", "hint"),
    [
        ("", ("too-few", ()), "nothing-to-run", "aggregate join"),
        ("4f", ("too-few", ()), "aggregation-over", ""),
        ("4f", ("", ()), "aggregation-over", "aggregate result"),
    ],
)
def test_nothing_is_gone_on_with_that_is_over(
    session: str, ended: tuple[str, tuple[str, ...]], code: str, hint: str
) -> None:
    error = nothing_to_run(session, [Kept(ended)])  # type: ignore[list-item]
    assert error.code == code
    assert hint in error.hint
    assert bool(error.hint) == bool(hint), "there is nothing to do about one that was broken off"


def test_what_we_coordinate_is_listed_and_withdrawn(homes: tuple[Home, ...], dictionary: Path) -> None:
    home = homes[1].path
    assert cosight("aggregate", "list", "--json", home=home).json == {"aggregations": []}
    assert cosight("aggregate", "list", home=home).out == "there is none\n"
    name = opened(homes[1], "--dictionary", dictionary, "--reporters", "2").json["session"]
    [one] = cosight("aggregate", "list", "--json", home=home).json["aggregations"]
    assert (one["state"], one["step"], one["awaited"]) == ("joining", 1, ["alice", "bob", "carol"])
    assert 0 < one["left_s"] <= 600
    shown = cosight("aggregate", "list", home=home).out
    assert all(word in shown for word in (name[:16], "joining", "alice", "carol"))
    for _ in range(2):  # killed before the ledger had it, it is said once more
        done = cosight("aggregate", "withdraw", name[:8], "--json", home=home)
        assert (done.json["session"], done.json["withdrawn"]) == (name, True)
    of_opening = documented("aggregate open") - {"abandons", "released_from"}
    assert set(done.json) == of_opening | documented("aggregate withdraw")
    [one] = cosight("aggregate", "list", "--json", home=home).json["aggregations"]
    assert (one["state"], one["reason"]) == ("broken", "withdrawn")
    last = [(e.kind, e.what) for e in entries(homes[1]) if e.session == name][-1:]
    assert last == [("broken", {"reason": "withdrawn", "by": "us"})]
    nothing = cosight("aggregate", "result", name, "--json", home=home).error
    assert nothing["code"] == "no-result"
    assert "withdrawn by its coordinator" in nothing["message"]
    assert "go on" not in nothing["hint"]
    unknown = cosight("aggregate", "withdraw", "4f" * 32, "--json", home=home).error
    assert unknown["message"].startswith("we coordinate no aggregation whose name begins with '4f4f")
    assert cosight("aggregate", "withdraw", name, home=home).out.startswith("withdrawn: ")


@pytest.mark.parametrize(
    ("end", "code"), [(None, "aggregation-opened"), (Ending("too-few", (), utc_now()), "aggregation-over")]
)
def test_what_may_be_opened_is_not_withdrawn(
    homes: tuple[Home, ...], dictionary: Path, end: Ending | None, code: str
) -> None:
    days = str(TODAY - timedelta(20 if end is None else 30))
    name = opened(homes[2], "--dictionary", dictionary, window=f"{days}..{days}").json["session"]
    folder = Aggregations(homes[2]).named(name)
    for step in (Step.JOINING, Step.DEALING, Step.MASKING, Step.AGREEING)[: 4 if end is None else 0]:
        assert folder.close(Closing(int(step), (0, 1, 2), utc_now()))
    if end is not None:
        folder.end(end)
    refused = cosight("aggregate", "withdraw", name, "--json", home=homes[2].path).error
    assert refused["code"] == code
    assert (folder.ended() is None) == (end is None)
    assert "broken" not in [e.kind for e in entries(homes[2]) if e.session == name]
