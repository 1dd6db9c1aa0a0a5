"""Four members with real keys and ledgers that counted together once, and once in vain; their exports."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from crypto.secagg.base import Aggregate
from crypto.secagg.masking import member
from exchange.aggregation import entries
from exchange.aggregation.opening import Opening
from exchange.aggregation.tally import Tally
from exchange.aggregation.vector import fill
from exchange.clock import utc_now
from exchange.config import Home, write_atomic
from exchange.ledger import Leaf
from exchange.ledger.draft import Draft
from exchange.local.alliance import found
from exchange.node import Node
from exchange.store.alliance import Alliance as Roster
from exchange.store.alliance import node_keys
from tests.crypto.psi.parties import deterministic_rng
from tests.crypto.secagg.alliance import Alliance
from tests.exchange.aggregation.openings import dictionary, over
from tests.exchange.aggregation.test_vector import OWN
from tests.exchange.audit.world import Clock, Files, exported, rewritten
from tests.exchange.disclosure.desks import Set

NAME = "threats.example"
MEMBERS = ("acme", "globex", "hooli", "umbra")
WORDS = dictionary(12)
POLICY = """
version = 1
[aggregate]
coordinators = ["acme"]
purposes = ["weekly count"]
measures = ["count"]
types = ["domain", "ipv4"]
tlp = "AMBER"
legal_basis = "test"
members = 4
reporters = 2
dictionary = { min = 10, max = 1000 }
visibility = ["everyone"]
per_day = 5
[legal_bases.test]
basis = "other"
"""


class Known(Alliance):
    """An alliance whose members have keys of their own."""

    def __init__(self, keys: list[Ed25519PrivateKey], *given: Any) -> None:
        self._keys = keys
        super().__init__(*given)

    def role(self, i: int, vector: Any, **options: Any) -> Any:
        return member(vector, self.setup, i, self._keys[i].sign, rng=deterministic_rng(b"member%d" % i))


@dataclass(frozen=True)
class RunsWorld:
    """What the members exported, by name, and the keys of their logs."""

    exports: dict[str, Files]
    keys: dict[str, Ed25519PrivateKey]
    first: Opening
    """Was given up."""
    opening: Opening
    """Came to its end."""

    def edited(
        self, name: str, edit: Callable[[list[Leaf]], list[Leaf]], **documents: bytes
    ) -> dict[str, Files]:
        """The exports, one of which its owner has written anew, with further documents."""
        files = self.exports[name] | {f"documents/{hash_}": body for hash_, body in documents.items()}
        return self.exports | {name: rewritten(files, self.keys[name], edit)}


@cache
def runs_world() -> RunsWorld:
    with TemporaryDirectory(prefix="cosight-runs-") as folder:
        homes = found(NAME, MEMBERS, Path(folder))
        clock = Clock(utc_now())
        for home in homes:
            write_atomic(home.policy_file, POLICY.encode())
        first = _opening(homes[0], clock.now, session=b"1" * 32)
        opening = replace(first, session=b"2" * 32, abandons=(first.context,))
        keys = [node_keys(home).identity for home in homes]
        public = [key.public_key().public_bytes_raw() for key in keys]
        filled = [
            fill(opening, WORDS, [(at, [_seen(clock.now)]) for at in range(i, i + 6)]) for i in range(4)
        ]
        run = Known(keys, opening.setup(public), [one.words for one in filled]).finish()
        assert run.errors == {}
        aggregate: Aggregate = run.results[0]
        tally = Tally.of(opening.context, aggregate)
        for home, one in zip(homes, filled, strict=True):
            with Node(home, items=Set(["a"]), clock=clock) as node:
                policy = node.load_policy().hash
                convened = home.member == "acme"
                drafts: list[Draft] = [entries.convened(first)] if convened else []
                drafts += [entries.joined(first, policy), entries.masked(first, one)]
                drafts += [entries.broken(first, "bad-share", ["umbra"])]
                if convened:
                    drafts += [entries.broken(first, "bad-share", ["umbra"], as_coordinator=True)]
                    drafts += [entries.convened(opening)]
                drafts += [entries.joined(opening, policy), entries.masked(opening, one)]
                drafts += [entries.shared(opening, 4), entries.counted(opening, tally, 6)]
                if convened:
                    drafts += [entries.counted(opening, tally, 6, as_coordinator=True)]
                for draft in drafts:
                    node.ledger.append_all([draft], now=clock())
        exports = {home.member: exported(home, Path(folder) / f"{home.member}-x", clock) for home in homes}
        return RunsWorld(exports, {home.member: node_keys(home).log for home in homes}, first, opening)


def _seen(now: datetime) -> Any:
    return replace(OWN, first=now - timedelta(days=2), last=now - timedelta(days=2))


def _opening(home: Home, now: datetime, **change: Any) -> Opening:
    roster = Roster(home, node_keys(home), utc_now).current()
    today = now.astimezone(UTC).date()
    return over(
        WORDS,
        alliance=NAME,
        roster_epoch=roster.epoch,
        roster_hash=roster.hash,
        coordinator="acme",
        members=MEMBERS,
        window=(today - timedelta(days=8), today - timedelta(days=1)),
        minimum=3,
        **change,
    )
