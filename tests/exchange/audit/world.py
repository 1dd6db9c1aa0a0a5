"""Two members with real keys, rosters, nodes and sessions, in one process; their exports, and forgers."""

import asyncio
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from crypto.psi import Output
from exchange import report
from exchange.agreement import Rung
from exchange.audit import folder as folders
from exchange.audit import sequence
from exchange.audit.exam import CHECKPOINTS
from exchange.audit.manifest import NAME, Manifest
from exchange.audit.papers import LEAVES
from exchange.clock import utc_now
from exchange.config import Home
from exchange.disclosure import Responder, match
from exchange.disclosure.committing import commit
from exchange.errors import CosightError, PeerUnavailable
from exchange.ledger import Leaf, decode, tree
from exchange.ledger.leaf import FIRST, note_hash, timestamp
from exchange.ledger.note import Checkpoint, origin, parse, sign
from exchange.local.alliance import found
from exchange.node import Node
from exchange.store.alliance import Alliance, node_keys
from exchange.store.ledger import LedgerReader
from exchange.store.ledger.export import export
from tests.exchange.disclosure.desks import WISH, Set, Wire

ALLIANCE = "threats.example"
MEMBERS = ("acme", "umbra")
Files = dict[str, bytes]


@dataclass
class Clock:
    """Moves on with every look."""

    now: datetime

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=10)
        return self.now


@dataclass
class Party:
    """What ``Wire`` needs of one side."""

    member: str
    events: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class World:
    """What the two members exported, and their log keys."""

    exports: dict[str, Files]
    keys: dict[str, Ed25519PrivateKey]

    def copy(self) -> dict[str, Files]:
        return {member: dict(files) for member, files in self.exports.items()}


@cache
def world() -> World:
    """Matches in both directions, one that was cut off, a refusal, an alarm, and a report."""
    with TemporaryDirectory(prefix="cosight-audit-") as folder:
        homes = found(ALLIANCE, MEMBERS, Path(folder))
        homes[1] = sealing(homes[1])
        clock = Clock(utc_now())
        asyncio.run(_live(homes, clock))
        _report(homes[0], clock)
        exports = {
            home.member: exported(home, Path(folder) / f"{home.member}-export", clock) for home in homes
        }
        return World(exports, {home.member: node_keys(home).log for home in homes})


def sealing(home: Home) -> Home:
    """The home, configured to seal its ledger after every receipt."""
    said = home.config_file.read_text()
    home.config_file.write_text(said.replace("[peers]", 'seal = "ml-dsa-44"\n\n[peers]', 1))
    return Home.open(home.path)


async def _live(homes: list[Home], clock: Clock) -> None:
    with (
        Node(homes[0], items=Set(["a", "b", "c"]), clock=clock) as acme,
        Node(homes[1], items=Set(["b", "c", "d", "e"]), clock=clock) as umbra,
    ):
        there = Wire(Party("acme"), Party("umbra"), Responder(umbra.desk))  # type: ignore[arg-type]
        back = Wire(Party("umbra"), Party("acme"), Responder(acme.desk))  # type: ignore[arg-type]
        commit(acme.desk)
        await match(acme.desk, "umbra", WISH, there)
        commit(umbra.desk)
        await match(umbra.desk, "acme", replace(WISH, output=Output.BOTH), back)
        await match(umbra.desk, "acme", replace(WISH, rung=Rung.SIZE), back)
        await _cut_off(acme, there)
        await match(acme.desk, "umbra", replace(WISH, rung=Rung.SIZE), there)
        for kind, what in (
            ("alarm", {"guard": "enumeration", "count": 1}),
            ("quarantine", {"reason": "enumeration"}),
            ("lift", {"reason": "explained"}),
        ):
            acme.ledger.append(kind, now=clock(), peer="umbra", what=what)


async def _cut_off(acme: Node, wire: Wire) -> None:
    wire.fault, wire.where = PeerUnavailable("gone"), "run"
    try:
        await match(acme.desk, "umbra", WISH, wire)
    except CosightError:
        wire.fault = None


def _report(home: Home, clock: Clock) -> None:
    """What ``cosight report --peer umbra`` does."""
    own, alliance = node_keys(home), Alliance(home, node_keys(home), clock)
    known = {m.id: m.identity_key for m in alliance.current().members}
    now = clock()
    scope = report.Scope(kind=report.ScopeKind.PEER, peer="umbra")
    given = report.Given(
        report="5e" * 16, made_at=timestamp(now), member=home.member, software="cosight 0",
        expiry=home.settings.expiry, result="",
    )  # fmt: skip
    with LedgerReader.open_read_only(home.ledger_file) as reader:
        made = report.make(scope, given, report.collect(reader, scope, now, known), own.identity)
    path = home.path / "reports" / f"{made.digest}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(made.json)
    with Node(home, items=Set(["a"]), clock=clock) as node:
        what = {"digest": made.digest, "scope": "peer"}
        node.ledger.append("report", now=now, peer="umbra", what=what)
        (settled, *_) = [s.session for s in node.ledger.sessions() if s.receipt is not None]
        what = {"digest": made.digest, "scope": "session"}
        node.ledger.append("report", now=now, peer="umbra", session=settled, what=what)
        what = {"guard": "canary", "count": 1}
        node.ledger.append("alarm", now=now, peer="umbra", session=settled, what=what)


def exported(home: Home, folder: Path, clock: Clock) -> Files:
    own = node_keys(home)
    reports = {path.stem: path for path in (home.path / "reports").glob("*.json")}
    with LedgerReader.open_read_only(home.ledger_file) as reader:
        export(
            reader, folder, signed_rosters=Alliance(home, own, clock).signed(), reports=reports, key=own.log,
            now=clock(),
        )  # fmt: skip
    return folders.read(folder)


def entries(files: Files) -> list[bytes]:
    return list(sequence.bodies(files[LEAVES]))


def notes(files: Files) -> list[str]:
    return list(sequence.notes(files[CHECKPOINTS]))


def with_log(files: Files, bodies: list[bytes], checkpoints: list[str]) -> Files:
    """The same export with another log in it, and the manifest as it was."""
    log = b"".join(map(sequence.wrapped, bodies))
    return files | {LEAVES: log, CHECKPOINTS: "".join(checkpoints).encode()}


def resigned(files: Files, key: Ed25519PrivateKey) -> Files:
    """What the owner of the log can do: a manifest of whatever is there."""
    old = Manifest.parse(files[NAME])
    kept = {path: data for path, data in files.items() if path != NAME}
    digests = {path: hashlib.sha256(data).hexdigest() for path, data in kept.items()}
    named = parse(notes(files)[-1])
    return kept | {NAME: Manifest(named.origin, named.size, old.time, digests).sign(key)}


def rewound(files: Files, size: int, key: Ed25519PrivateKey) -> Files:
    """The log as it was once, with what it names then, signed anew."""
    kept = {path: data for path, data in files.items() if not path.startswith("reports/")}
    return resigned(with_log(kept, entries(files)[:size], notes(files)[:size]), key)


def rewritten(files: Files, key: Ed25519PrivateKey, edit: Callable[[list[Leaf]], list[Leaf]]) -> Files:
    """Another history, hashed and signed from its beginning as if it had been so."""
    frontier, prev = tree.Frontier(), FIRST
    bodies, checkpoints, name = [], [], origin("nobody")
    for seq, leaf in enumerate(edit([decode(body) for body in entries(files)])):
        bodies.append(replace(leaf, seq=seq, prev=prev).encode())
        frontier.append(tree.leaf_hash(bodies[-1]))
        if leaf.kind == "opened":
            name = str(leaf.fields["origin"])
        checkpoints.append(sign(Checkpoint(name, frontier.size, frontier.root()), key))
        prev = note_hash(checkpoints[-1])
    return resigned(with_log(files, bodies, checkpoints), key)


def place_of(files: Files, path: str, offset: int) -> int | None:
    """The entry, or the checkpoint, that a byte of a file belongs to."""
    parts: Iterator[bytes] = iter(())
    if path == LEAVES:
        parts = map(sequence.wrapped, entries(files))
    elif path == CHECKPOINTS:
        parts = (note.encode() for note in notes(files))
    for seq, part in enumerate(parts):
        if offset < len(part):
            return seq
        offset -= len(part)
    return None
