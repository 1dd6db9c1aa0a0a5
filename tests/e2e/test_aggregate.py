"""An alliance counts together: real processes, real files, one coordinator."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from crypto import labels
from exchange.aggregation.opening import Opening
from exchange.config import Home
from exchange.identity import keys
from exchange.store.aggregations import Aggregations
from exchange.store.alliance import node_keys
from exchange.store.contributions import SECRETS, Contributions
from exchange.store.journal import Journal
from tests.e2e.nodes import cosight, entries, import_values, members, serve, until
from tests.e2e.process import Process
from tests.e2e.tap import Tap

NAMES = ("alice", "bob", "carol", "dave")
HOLDS = dict(zip(NAMES, (range(30), range(10, 40), range(20, 50), range(28, 33)), strict=True))


def address(n: int) -> str:
    return f"8.8.{n // 256}.{n % 256}"


@pytest.fixture
def homes(tmp_path: Path) -> dict[str, Home]:
    """Four members, each with its own sightings: one may drop out."""
    found = dict(zip(NAMES, members(tmp_path, *NAMES), strict=True))
    for name, home in found.items():
        import_values(home, [address(n) for n in HOLDS[name]], own=True)
    return found


def opened(
    home: Home, *options: str, deadline: int = 300, days: int = 1, numbers: Iterable[int] = range(100)
) -> str:
    """Open a count of a hundred addresses, or of some of them; gives its name."""
    dictionary = home.path / "dictionary.txt"
    dictionary.write_text("".join(f"{address(n)}\n" for n in numbers))
    today = datetime.now(UTC).date()
    window = f"{today - timedelta(days)}..{today}"
    told = cosight(
        home, "aggregate", "open", "--dictionary", str(dictionary), "--window", window,
        "--purpose", "demonstration", "--reporters", "2", "--deadline", str(deadline), *options,
    )  # fmt: skip
    return str(told["session"])


class Beside:
    """``cosight aggregate`` of one member, beside the test."""

    def __init__(self, home: Home, where: str, *words: str) -> None:
        self.home = home
        words = ("aggregate", *words, "--address", where, "--home", str(home.path), "--json")
        self.process = Process(*words)

    def ends(self, code: int = 0) -> dict[str, Any]:
        out, self.said = self.process.communicate()
        ended = f"{self.home.member}: {self.process.returncode}\n{out}\n{self.said}"
        assert self.process.returncode == code, ended
        found: dict[str, Any] = json.loads(out)
        return found

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@contextmanager
def beside(
    homes: dict[str, Home], where: str, *names: str, words: tuple[str, ...] = ("join", "alice")
) -> Iterator[dict[str, Beside]]:
    """These members take part; whoever still runs at the end is killed."""
    begun = {name: Beside(homes[name], where, *words) for name in names}
    try:
        yield begun
    finally:
        for one in begun.values():
            if one.process.returncode is None:
                one.kill()


RUN = ("run",)


def join_later(homes: dict[str, Home], where: str, *names: str) -> None:
    with beside(homes, where, *names, words=("join", "alice", "--later")) as begun:
        for one in begun.values():
            assert one.ends()["joined"]


def spoken(home: Home, session: str) -> int:
    """In how many steps a member has spoken."""
    journal = Journal.open(Contributions(home).journal_file)
    try:
        return len(journal.spoken(bytes.fromhex(session)))
    finally:
        journal.close()


def taken(home: Home, session: str, step: int) -> int:
    """How many messages of a step the coordinator has."""
    return len(list((home.path / "aggregations" / session).glob(f"{step}-*")))


def expected(*names: str, least: int = 2) -> dict[str, int]:
    counts = Counter(address(n) for name in names for n in HOLDS[name])
    return {value: count for value, count in counts.items() if count >= least}


def numbers(told: dict[str, Any]) -> dict[str, int]:
    return {item["value"]: item["number"] for item in told["result"]["items"]}


def story(home: Home, session: str) -> list[str]:
    return [str(e.kind) for e in entries(home) if e.session == session]


def test_everybody_learns_the_exact_sum(homes: dict[str, Home]) -> None:
    session = opened(homes["alice"])
    with serve(homes["alice"]) as node, beside(homes, node.address, *NAMES) as begun:
        for one in begun.values():
            told = one.ends()
            assert (told["session"], told["survivors"]) == (session, list(NAMES))
            assert numbers(told) == expected(*NAMES)
            assert "step 6 of 6: everybody checks the sum and signs it" in one.said
    assert numbers(cosight(homes["bob"], "aggregate", "result", session[:12])) == expected(*NAMES)
    for name in NAMES[1:]:
        assert story(homes[name], session) == ["joined", "masked", "shared", "counted"]
        assert cosight(homes[name], "ledger", "verify")["ok"]
    assert Counter(story(homes["alice"], session)) == Counter(
        ["convened", "joined", "masked", "shared", "counted", "counted"]
    )


def test_a_member_that_is_killed_goes_on(homes: dict[str, Home]) -> None:
    session = opened(homes["alice"])
    with serve(homes["alice"]) as node:
        join_later(homes, node.address, *NAMES)
        with beside(homes, node.address, "bob", words=RUN) as begun:
            until(lambda: spoken(homes["bob"], session) == 2)
            begun["bob"].kill()
        with beside(homes, node.address, *NAMES, words=RUN) as begun:
            for one in begun.values():
                assert numbers(one.ends()) == expected(*NAMES)
    assert story(homes["bob"], session) == ["joined", "masked", "shared", "counted"]
    folder = Contributions(homes["bob"]).find(session).path
    assert [name for name in SECRETS if (folder / name).exists()] == []


def test_a_member_that_is_lost_is_left_out(homes: dict[str, Home]) -> None:
    session = opened(homes["alice"], deadline=20)
    three = NAMES[:3]
    with serve(homes["alice"]) as node:
        join_later(homes, node.address, *NAMES)
        with beside(homes, node.address, *three, words=RUN) as begun:
            for one in begun.values():
                told = one.ends()
                assert told["survivors"] == list(three)
                assert numbers(told) == expected(*three)
        with Process("aggregate", "result", session, "--home", str(homes["bob"].path)) as shown:
            assert "dropped out or did not join: dave\n" in shown.communicate()[0]
        late = cosight(homes["dave"], "aggregate", "run", "--address", node.address, code=1)
        assert late["error"]["code"] == "step-over"
    assert story(homes["dave"], session) == ["joined", "broken"]


def test_two_that_are_lost_end_it(homes: dict[str, Home]) -> None:
    session = opened(homes["alice"], deadline=20)
    with serve(homes["alice"]) as node, beside(homes, node.address, *NAMES[:2]) as begun:
        for one in begun.values():
            assert one.ends(code=1)["error"]["code"] == "aggregation-broken"
    assert story(homes["bob"], session) == ["joined", "broken"]
    assert story(homes["alice"], session).count("broken") == 2
    again = cosight(homes["alice"], "aggregate", "result")["aggregations"][0]
    assert (again["state"], again["reason"]) == ("broken", "too-few")


def test_a_coordinator_takes_it_back(homes: dict[str, Home]) -> None:
    session = opened(homes["alice"], deadline=600)
    with serve(homes["alice"]) as node:
        join_later(homes, node.address, *NAMES[:2])
        [asked] = cosight(homes["carol"], "aggregate", "list", "alice", "--address", node.address)[
            "aggregations"
        ]
        assert (asked["session"], asked["state"], asked["joined"]) == (session, "joining", False)
        assert asked["awaited"] == ["carol", "dave"]
        with beside(homes, node.address, *NAMES[:3]) as begun:
            until(lambda: taken(homes["alice"], session, 1) == 3)
            assert cosight(homes["alice"], "aggregate", "withdraw", session[:12])["withdrawn"]
            for one in begun.values():  # nobody waits for the end of a step
                error = one.ends(code=1)["error"]
                assert error["code"] == "aggregation-broken"
                assert "withdrawn by its coordinator; no share of ours had left" in error["message"]
        late = cosight(
            homes["dave"], "aggregate", "join", "alice", session, "--address", node.address, code=1
        )
        assert late["error"]["code"] == "aggregation-over"
        second = opened(homes["alice"])
        with beside(homes, node.address, *NAMES) as begun:
            for one in begun.values():
                assert one.ends()["session"] == second
    assert story(homes["bob"], session) == ["joined", "broken"]
    assert story(homes["alice"], session) == ["convened", "joined", "broken", "broken"]
    assert cosight(homes["alice"], "ledger", "verify")["ok"]


def test_a_window_is_tried_again(homes: dict[str, Home]) -> None:
    first = opened(homes["alice"], deadline=1)
    with serve(homes["alice"]) as node:
        until(lambda: story(homes["alice"], first) == ["convened", "broken"])
        second = opened(homes["alice"])
        with beside(homes, node.address, *NAMES) as begun:
            for one in begun.values():
                assert one.ends()["session"] == second
    assert first in str(entries(homes["bob"])[-4].what["abandons"])


def test_a_coordinator_that_is_killed_goes_on(homes: dict[str, Home]) -> None:
    session = opened(homes["alice"])
    with serve(homes["alice"]) as node:
        join_later(homes, node.address, *NAMES)
        with beside(homes, node.address, *NAMES[:3], words=RUN) as begun:
            until(lambda: taken(homes["alice"], session, 2) == 3)
            node.kill()
            again = serve(homes["alice"], "--listen", node.address)
            with again, beside(homes, node.address, "dave", words=RUN) as last:
                for one in [*begun.values(), *last.values()]:
                    assert numbers(one.ends()) == expected(*NAMES)


def test_a_connection_that_breaks_is_made_again(homes: dict[str, Home]) -> None:
    session = opened(homes["alice"])
    with serve(homes["alice"]) as node:
        join_later(homes, node.address, *NAMES)
        with Tap(node.address) as tap, beside(homes, tap.address, "bob", words=RUN) as begun:
            until(lambda: spoken(homes["bob"], session) == 2)
            tap.cut()
            with beside(homes, node.address, "alice", "carol", "dave", words=RUN) as others:
                for one in [*begun.values(), *others.values()]:
                    assert numbers(one.ends()) == expected(*NAMES)


def test_double_signing_after_restart(homes: dict[str, Home]) -> None:
    session = opened(homes["alice"])
    with serve(homes["alice"]) as node:
        join_later(homes, node.address, *NAMES)
        with beside(homes, node.address, "bob", words=RUN) as begun:
            until(lambda: spoken(homes["bob"], session) == 2)
            begun["bob"].kill()
        (Contributions(homes["bob"]).find(session).path / "seed").unlink()  # as if restored without it
        refused = cosight(homes["bob"], "aggregate", "run", "--address", node.address, code=1)
        assert refused["error"]["code"] == "spoken-otherwise"


def test_differencing(homes: dict[str, Home]) -> None:
    """The same window a second time, with one member less, would say what that member put in."""
    session = opened(homes["alice"])
    with serve(homes["alice"]) as node, beside(homes, node.address, *NAMES) as begun:
        for one in begun.values():
            one.ends()
        dictionary, today = str(homes["alice"].path / "dictionary.txt"), datetime.now(UTC).date()
        again = ("aggregate", "open", "--dictionary", dictionary, "--window", f"{today}..{today}")
        again = (*again, "--purpose", "demonstration", "--members", "alice,bob,carol")
        refused = cosight(homes["alice"], *again, code=1)
        assert refused["error"]["code"] == "window-counted"
        lie(homes["alice"], session)
        for name in ("bob", "carol"):
            told = cosight(homes[name], "aggregate", "join", "alice", "--address", node.address, code=1)
            assert told["error"]["code"] == "policy-refused"
            assert entries(homes[name])[-1].what["rule"] == "a10-once"


def lie(home: Home, session: str) -> None:
    """A coordinator that opens the same once more, without its last member, and asks nobody."""
    store = Aggregations(home)
    folder = store.find(bytes.fromhex(session))
    assert folder is not None
    before = Opening.decode(folder.opening)
    again = replace(before, session=bytes(32), members=before.members[:3], minimum=3)
    signature = keys.sign(node_keys(home).identity, labels.AGGREGATE_SIGNATURE, again.context)
    store.convene(again.context, again.encoded, signature, folder.dictionary().read(), now=datetime.now(UTC))


def test_two_runs_at_once(homes: dict[str, Home]) -> None:
    first = opened(homes["alice"], numbers=range(0, 100, 2))
    options = ("--visibility", "owner", "--max-age", "1")
    second = opened(homes["alice"], *options, days=0, numbers=range(1, 100, 2))
    with serve(homes["alice"]) as node:
        for name in NAMES:
            for session in (first, second):
                cosight(
                    homes[name], "aggregate", "join", "alice", session, "--later", "--address", node.address
                )
        with beside(homes, node.address, *NAMES, words=RUN) as begun:
            for one in begun.values():
                assert {run["session"] for run in one.ends()["runs"]} == {first, second}
    even, odd = (
        {value: n for value, n in expected(*NAMES).items() if last(value) == side} for side in (0, 1)
    )
    assert numbers(cosight(homes["bob"], "aggregate", "result", first)) == even
    assert numbers(cosight(homes["bob"], "aggregate", "result", second)) == {}, "the owner alone is shown it"
    assert numbers(cosight(homes["alice"], "aggregate", "result", second)) == odd


def last(value: str) -> int:
    return int(value.rpartition(".")[2]) % 2


def test_a_sum_goes_on_from_a_count(homes: dict[str, Home], tmp_path: Path) -> None:
    count = opened(homes["alice"])
    with serve(homes["alice"]) as node:
        with beside(homes, node.address, *NAMES) as begun:
            for one in begun.values():
                one.ends()
        today = datetime.now(UTC).date()
        session = cosight(
            homes["alice"], "aggregate", "open", "--measure", "sightings", "--base", count[:16],
            "--reporters", "2", "--window", f"{today - timedelta(1)}..{today}", "--purpose", "demonstration",
            "--deadline", "60",
        )["session"]  # fmt: skip
        with beside(homes, node.address, *NAMES) as begun:
            for one in begun.values():
                assert numbers(one.ends()) == expected(*NAMES, least=2)
    bundle = cosight(homes["bob"], "aggregate", "result", session, "--format", "stix")
    sightings = [o for o in bundle["objects"] if o["type"] == "sighting"]
    assert Counter(o["count"] for o in sightings) == Counter(expected(*NAMES, least=2).values())
    records = cosight(homes["bob"], "aggregate", "result", session, "--format", "sightingdb")["items"]
    assert {r["value"]: r["consensus"] for r in records} == expected(*NAMES, least=2)
