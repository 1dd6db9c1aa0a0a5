"""Whatever moment a node dies at, the next match that goes on from what is left finds what both hold."""

import asyncio
import json

import pytest

from exchange.agreement import Rung
from exchange.disclosure import Wish
from exchange.errors import CosightError
from exchange.indicators import IndicatorType
from exchange.node import Node
from tests.e2e.dying import KILLED, dying
from tests.e2e.nodes import configure, import_values, serve
from tests.e2e.process import Process
from tests.e2e.test_delta import domains
from tests.e2e.test_dying import MANY, check

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
WISH = Wish(rung=Rung.OVERLAP, types=(IndicatorType.DOMAIN,), protocol="voprf-epoch")
WIDTH, STEP = 520, 3


@pytest.fixture
def pair(homes):
    return [configure(home, max_sessions=MANY, max_sessions_per_peer=MANY) for home in homes]


def held(day: int) -> tuple[range, range]:
    """What both hold on a day: windows of the same numbers, which move."""
    return tuple(range(start + day * STEP, start + day * STEP + WIDTH) for start in (0, 260))


def move(pair, day: int) -> set[str]:
    """Both take in the feeds of a day; gives what they share then."""
    ours, theirs = held(day)
    for home, numbers in zip(pair, (ours, theirs), strict=True):
        import_values(home, domains(*numbers))
    return set(domains(*(set(ours) & set(theirs))))


async def _together(alice, bob):
    with Node(bob) as answering, Node(alice) as dialling:
        port = await answering.serve("127.0.0.1:0")
        try:
            return await dialling.match("bob", WISH, address=f"127.0.0.1:{port}")
        finally:
            await answering.stop()


def matched(alice, bob) -> tuple[set[str], bool]:
    """What a match of two nodes that live finds, and whether it went on from another."""
    outcome = asyncio.run(_together(alice, bob))
    return {m.value for m in outcome.matches or []}, outcome.delta is not None


def test_the_initiator_dies_at_every_moment(pair):
    alice, bob = pair
    match = [
        "match",
        "bob",
        "--type",
        "domain",
        "--protocol",
        "voprf-epoch",
        "--json",
        "--home",
        str(alice.path),
    ]
    went_on = []
    with serve(bob) as node:
        shared = move(pair, 0)
        assert matched(alice, bob) == (shared, False)
        for moment in range(1, MANY):
            shared = move(pair, moment)
            with Process(str(moment), *match, "--address", node.address, program=dying) as done:
                out, err = done.communicate()
            check(alice, bob)
            if done.returncode == 0:
                break
            assert done.returncode == KILLED, err
            found, delta = matched(alice, bob)
            assert found == shared
            went_on.append(delta)
        assert moment > 20
        result = json.loads(out)
        assert {item["value"] for item in result["result"]["items"]} == shared
    assert all(went_on), "whoever dials names what it has, and the sender still has it"
    check(bob, alice)


def test_the_responder_dies_at_every_moment(pair):
    alice, bob = pair
    serving = ["serve", "--listen", "127.0.0.1:0", "--json", "--home", str(bob.path)]
    survived, went_on = False, []
    for moment in range(1, MANY):
        shared = move(pair, moment)
        with Process(str(moment), *serving, program=dying) as process:
            try:
                if line := process.stdout.readline():
                    with Node(alice) as node:
                        outcome = asyncio.run(node.match("bob", WISH, address=json.loads(line)["address"]))
                    assert {m.value for m in outcome.matches or []} == shared
                    survived = process.returncode is None
            except CosightError:
                pass
        check(bob, alice)
        found, delta = matched(alice, bob)
        assert found == shared
        went_on.append(delta)
        if survived:
            break
    assert survived
    assert moment > 15
    assert went_on.count(False) <= 4, "a state that one side alone has costs one whole run"
