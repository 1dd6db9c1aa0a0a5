"""What real runs leave behind verifies, in all members' exports together; no dictionary gets by the rules."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from crypto import labels
from exchange.aggregation.dictionary import Dictionary
from exchange.aggregation.opening import Opening
from exchange.config import Home
from exchange.identity import keys
from exchange.indicators import Indicator, IndicatorType
from exchange.store.aggregations import Aggregations
from exchange.store.alliance import node_keys
from tests.e2e.nodes import cosight, entries, homeless, serve, until
from tests.e2e.test_aggregate import NAMES, address, beside, expected, homes, numbers, opened, story

__all__ = ["homes"]


def test_exports_of_a_failed_attempt_and_of_the_next_verify_together(
    homes: dict[str, Home], tmp_path: Path
) -> None:
    first = opened(homes["alice"], deadline=15)
    with serve(homes["alice"]) as node:
        with beside(homes, node.address, "bob") as begun:
            assert begun["bob"].ends(code=1)["error"]["code"] == "aggregation-broken"
        until(lambda: "broken" in story(homes["alice"], first))
        second = opened(homes["alice"])
        with beside(homes, node.address, *NAMES) as begun:
            for one in begun.values():
                told = one.ends()
                assert (told["session"], numbers(told)) == (second, expected(*NAMES))
    folders = [str(tmp_path / f"{name}-export") for name in NAMES]
    for name, folder in zip(NAMES, folders, strict=True):
        cosight(homes[name], "ledger", "export", folder)
    found = homeless("verify", *folders)
    assert (found["ok"], found["problems"]) == (True, [])
    told = cosight(homes["bob"], "report", "--since", "2020-01-01")
    kept = homes["bob"].path / "reports" / f"{told['digest']}.json"
    runs = json.loads(kept.read_bytes())["content"]["together"]
    assert [(run["session"], run["outcome"]) for run in runs] == [(first, "broken"), (second, "counted")]


def test_differencing_with_one_entry_more(homes: dict[str, Home]) -> None:
    session = opened(homes["alice"])
    policy = homes["bob"].policy_file
    policy.write_text(policy.read_text().replace("repeated = 1.0\n", ""))
    with serve(homes["alice"]) as node, beside(homes, node.address, *NAMES) as begun:
        for one in begun.values():
            one.ends()
        store = Aggregations(homes["alice"])
        folder = store.find(bytes.fromhex(session))
        assert folder is not None
        before = Opening.decode(folder.opening)
        more = Dictionary.of(
            [*Dictionary.decode(folder.dictionary().read()), Indicator(IndicatorType.IPV4, address(200))]
        )
        again = replace(
            before, session=bytes(32), members=NAMES[:3], minimum=3, dictionary=more.root, entries=len(more)
        )
        signature = keys.sign(node_keys(homes["alice"]).identity, labels.AGGREGATE_SIGNATURE, again.context)
        store.convene(again.context, again.encoded, signature, more.encoded, now=datetime.now(UTC))
        told = cosight(homes["bob"], "aggregate", "join", "alice", "--address", node.address, code=1)
        assert told["error"]["code"] == "policy-refused"
        assert entries(homes["bob"])[-1].what["rule"] == "a14-repeated"
