"""What ``policy simulate`` says before a session is, number by number, what the ledger says after it."""

from itertools import combinations
from pathlib import Path

import pytest

from crypto.psi import Output
from exchange.agreement import Rung
from exchange.cli.simulate import as_result
from exchange.clock import utc_now
from exchange.config import Home
from exchange.data import samples
from exchange.disclosure import Wish, simulate
from exchange.indicators.readers import read
from exchange.ledger import Kind
from exchange.node import Node
from exchange.policy.budget import DAY, asked_since, learned_since
from exchange.store import Store
from tests.e2e.nodes import cosight, entries, members
from tests.realdata import data_dir

TERMS = """\
canaries = 8
values_per_day = 100_000_000
share = { most = 1.0, days = 365 }
"""
REAL = [("ipsum", "sekio"), ("tweetfeed", "threatfox"), ("sekoia", "amnesty")]
FILES = {
    "ipsum": "feeds/ipsum.tsv.gz",
    "sekio": "feeds/sekio-ips.txt.gz",
    "threatfox": "feeds/threatfox-ips.txt.gz",
    "tweetfeed": "feeds/tweetfeed-2026.csv.gz",
    "sekoia": "vendors/sekoia.tsv.gz",
    "amnesty": "vendors/amnesty.tsv.gz",
}


def fill(home: Home, path: Path) -> Home:
    """A home with a feed, under a policy that has budgets, plants canaries and holds some back."""
    text = home.policy_file.read_text().replace('reveal = "context"\n', f'reveal = "context"\n{TERMS}')
    home.policy_file.write_text(text.replace('tlp = "AMBER+STRICT"', 'tlp = "AMBER"'))
    store = Store.open(home.store_url)
    store.import_indicators(read(path), source=home.member, tlp=None, now=utc_now())
    store.close()
    return home


async def check(ours: Home, peer: Home, output: Output) -> None:
    """Both sides compute it before, and find it in their ledgers after."""
    with Node(ours) as us, Node(peer) as them:
        wish = Wish(
            rung=Rung.OVERLAP, types=tuple(us.desk.items.types(now=utc_now())), protocol="vole", output=output
        )
        address = f"127.0.0.1:{await them.serve()}"
        try:
            first = await us.match(peer.member, Wish(rung=Rung.SIZE, types=wish.types), address=address)
            before = [
                simulate(us.desk, peer.member, wish, answering=False, peer_padded=None),
                simulate(them.desk, ours.member, wish, answering=True, peer_padded=None),
            ]
            outcome = await us.match(peer.member, wish, address=address)
        finally:
            await them.stop()
        for node, other, said in ((us, peer, before[0]), (them, ours, before[1])):
            compare(node, other.member, as_result(said), outcome.session)
        assert first.settled
        assert outcome.settled


def compare(node: Node, peer: str, said, session: str) -> None:
    leaves = [leaf for leaf in entries(node.home) if leaf.session == session]
    intent, result = (next(e.what for e in leaves if e.kind is k) for k in (Kind.INTENT, Kind.DISCLOSED))
    assert said["peer_padded_from"] == "last-session"
    for name in ("entered", "canaries", "ours_padded"):
        assert intent[name] == said[name], name
    assert intent.get("withheld", {}) == said["withheld"]
    assert {t: sum(marked.values()) for t, marked in said["by_marking"].items()} == said["entered"]
    assert (result["peer_padded"], result["at_stake"]) == (said["peer_padded"], said["at_stake"])
    history, now = node.ledger.history(peer, utc_now()), utc_now()
    after = {b["rule"]: b["after"] for b in said["budgets"]}
    assert after["p11-sessions-per-day"] == history.sessions_since(now - DAY)
    assert after["p11-values-per-day"] == asked_since(history, now - DAY)
    assert after["p12-share"] == learned_since(history, now - DAY)
    assert said["allowed"]


@pytest.mark.parametrize("output", list(Output))
async def test_every_pair_of_the_demo(tmp_path, output):
    feeds = samples()
    homes = dict(zip(feeds, members(tmp_path, *feeds), strict=True))
    for member, path in feeds.items():
        fill(homes[member], path)
    for ours, peer in combinations(feeds, 2):
        await check(homes[ours], homes[peer], output)
    for home in homes.values():
        assert cosight(home, "ledger", "verify")["ok"]


@pytest.mark.realdata
@pytest.mark.parametrize("pair", REAL, ids="-".join)
async def test_real_pairs(tmp_path, pair):
    homes = [fill(h, data_dir() / FILES[h.member]) for h in members(tmp_path, *pair)]
    await check(*homes, Output.BOTH)


def test_the_command_says_it_and_writes_nothing(filled):
    alice, _ = filled
    with Node(alice):
        before = entries(alice)
    said = cosight(
        alice, "policy", "simulate", "bob", "--answering", "--peer-size", "100", "--type", "domain"
    )
    assert (said["allowed"], said["direction"], said["peer_padded"]) == (True, "responder", 104)
    assert (said["entered"], said["at_stake"]) == ({"domain": 40}, 40)
    assert entries(alice) == before
    alice.policy_file.write_text("version = 1\n")
    refused = cosight(alice, "policy", "simulate", "bob", code=1)
    assert (refused["allowed"], refused["rule"]) == (False, "p1-peer")
