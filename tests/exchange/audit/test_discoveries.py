"""What an auditor finds in a member's records of discoveries: its decisions are made once more."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from exchange.aggregation.announced import Announced, Signed, Split
from exchange.aggregation.lots import Parts
from exchange.aggregation.round import Learns, Round, day_of
from exchange.audit.verify import audit
from exchange.clock import utc_now
from exchange.config import write_atomic
from exchange.discovery.books import Books
from exchange.discovery.search import PutIn
from exchange.discovery.signing import announce
from exchange.indicators import IndicatorType
from exchange.ledger import Kind, Leaf
from exchange.local.alliance import found
from exchange.node import Node
from exchange.store.alliance import Alliance, node_keys
from exchange.store.discovery.member import Asked
from tests.exchange.audit.world import Clock, Files, exported, rewritten
from tests.exchange.disclosure.desks import Set
from tests.exchange.policy.searching import searching

MEMBERS = ("acme", "globex", "hooli", "umbra")


def put_in(at: datetime) -> PutIn:
    """One domain, shown as 32."""
    return PutIn(at=at, entered={"domain": 1}, withheld={}, padded=32, copies=0)


SEEN = {"survivors": 4, "digest": "d1" * 32}


@cache
def world() -> tuple[Files, Ed25519PrivateKey, Round, dict[str, Ed25519PrivateKey]]:
    """What acme exported of a discovery that came to its end, the key of its log, the discovery, and whose
    identity keys are whose."""
    with TemporaryDirectory(prefix="cosight-searched-") as folder:
        homes = found("threats.example", MEMBERS, Path(folder))
        lines = {"relays": '["umbra", "hooli"]', "types": '["domain"]', "members": "4", "legal_basis": None}
        write_atomic(homes[0].policy_file, searching(**lines).encode())
        clock = Clock(utc_now())
        roster = Alliance(homes[0], node_keys(homes[0]), utc_now).current()
        plan = Round(
            alliance=roster.alliance, roster_epoch=roster.epoch, roster_hash=roster.hash, members=MEMBERS,
            day=day_of(clock.now), types=(IndicatorType.DOMAIN,), threshold=3, minimum=4,
            purpose="weekly search", learns=Learns.INDIVIDUAL, largest=0,
            parts=Parts(relay="umbra", counter="hooli", helpers=("acme", "globex")),
        )  # fmt: skip
        of = plan.with_keys((b"c" * 64, b"d" * 64), b"b" * 32)
        with Node(homes[0], items=Set(["a"]), clock=clock) as node:
            books = Books(node.desk, Asked(homes[0]))
            books.joined(of, put_in(clock.now), node.desk.policy())
            books.brought(of)
            books.brought(of)  # gone on with
            books.counted(of, SEEN, {})
        identities = {home.member: node_keys(home).identity for home in homes}
        return exported(homes[0], Path(folder) / "x", clock), node_keys(homes[0]).log, of, identities


def found_in(edit: Callable[[list[Leaf]], list[Leaf]], **documents: bytes) -> list[str]:
    files, key, *_ = world()
    more = files | {f"documents/{name}": body for name, body in documents.items()}
    return [problem.what for problem in audit({"acme": rewritten(more, key, edit)}).problems]


def again(of: Round) -> tuple[Callable[[list[Leaf]], list[Leaf]], dict[str, bytes]]:
    """The same entries once more, of another discovery."""

    def edit(leaves: list[Leaf]) -> list[Leaf]:
        mine = [leaf for leaf in leaves if leaf.kind in {Kind.JOINED, Kind.BROUGHT}]
        changed = {Kind.JOINED: of.asked("acme"), Kind.BROUGHT: {}}
        copies = [
            replace(
                leaf,
                fields={**leaf.fields, "session": of.session, "what": {**leaf.what, **changed[leaf.kind]}},
            )
            for leaf in mine
        ]
        return [*leaves, *copies]

    return edit, {of.session: of.encoded}


def test_honest_records_verify() -> None:
    assert found_in(lambda leaves: leaves) == []


def test_a_second_discovery_on_one_day_is_refused_where_its_batch_left() -> None:
    edit, documents = again(replace(world()[2], threshold=4))
    assert found_in(edit, **documents) == ["the policy in force refuses this run, by d8-per-day"] * 2


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"threshold": 2}, "d7-threshold"),
        ({"learns": Learns.ALL}, "d4-learns"),
        ({"purpose": "another"}, "d3-purpose"),
        ({"types": (IndicatorType.URL,)}, "d5-types"),
        ({"parts": Parts(relay="umbra", counter="globex", helpers=("acme", "hooli"))}, "d1-relays"),
    ],
)
def test_a_discovery_that_nobody_should_have_joined_is_found(change: dict[str, Any], rule: str) -> None:
    edit, documents = again(replace(world()[2], **change))
    assert set(found_in(edit, **documents)) == {f"the policy in force refuses this run, by {rule}"}


def test_what_left_while_the_counter_was_in_quarantine_is_found() -> None:
    def edit(leaves: list[Leaf]) -> list[Leaf]:
        at = next(i for i, leaf in enumerate(leaves) if leaf.kind is Kind.BROUGHT)
        fields = {"peer": "hooli", "what": {"reason": "canary"}}
        return [*leaves[:at], replace(leaves[at], kind=Kind.QUARANTINE, fields=fields), *leaves[at:]]

    assert found_in(edit) == ["the policy in force refuses this run, by p22-quarantine"]


def test_a_result_without_a_batch_is_found() -> None:
    assert "no batch has left in this run" in found_in(
        lambda leaves: [leaf for leaf in leaves if leaf.kind is not Kind.BROUGHT]
    )


def announced(signer: str = "umbra", **changes: Any) -> Signed:
    """Keys of umbra for the discovery, signed by somebody."""
    _, _, of, identities = world()
    honest: dict[str, Any] = {
        "alliance": of.alliance, "member": "umbra", "plan": of.plan, "secret": b"s" * 32,
        "helper": b"h" * 32, "token": b"t" * 32, "box": b"b" * 32,
    }  # fmt: skip
    return announce(identities[signer], Announced(**honest | changes))


def accusing(
    first: Signed, second: Signed, peer: str = "umbra", reason: str = "split-keys"
) -> tuple[Callable[[list[Leaf]], list[Leaf]], dict[str, bytes]]:
    """An entry more that accuses a member, and its evidence."""
    document = Split(member="umbra", first=first, second=second).document

    def edit(leaves: list[Leaf]) -> list[Leaf]:
        what = {"by": "us", "reason": reason, "digest": document.hash}
        fields = {"peer": peer, "direction": "responder", "what": what}
        return [*leaves, replace(leaves[-1], kind=Kind.REFUSED, fields=fields)]

    return edit, {document.hash: document.body}


def test_who_announced_two_sets_of_keys_is_shown_to_anybody() -> None:
    edit, documents = accusing(announced(), announced(box=b"c" * 32))
    assert found_in(edit, **documents) == []
    assert found_in(edit) == ["the evidence of a refusal is missing"]


SHOWS_NOTHING = "it does not show that umbra announced two sets of keys"
OTHER = "it is no evidence of what the entry says"


@pytest.mark.parametrize(
    ("how", "lie"),
    [
        ({"second": {}}, SHOWS_NOTHING),
        ({"second": {"box": b"c" * 32, "signer": "hooli"}}, SHOWS_NOTHING),
        ({"second": {"box": b"c" * 32, "secret": b"u" * 32}}, SHOWS_NOTHING),
        ({"second": {"box": b"c" * 32, "plan": bytes(32)}}, SHOWS_NOTHING),
        ({"second": {"box": b"c" * 32, "member": "hooli"}}, SHOWS_NOTHING),
        ({"peer": "hooli"}, OTHER),
        ({"reason": "second-batch"}, OTHER),
    ],
    ids=["the same", "not signed", "another secret", "another plan", "of another", "who", "what"],
)
def test_a_member_that_is_accused_without_it_is_found(how: dict[str, Any], lie: str) -> None:
    second = announced(**how.get("second", {"box": b"c" * 32}))
    entry = {name: value for name, value in how.items() if name != "second"}
    edit, documents = accusing(announced(), second, **entry)
    assert found_in(edit, **documents) == [lie]
