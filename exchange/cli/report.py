"""``report``: what was disclosed, to whom, under which rule, as signed JSON, page and PDF; and its check."""

import hashlib
import re
import secrets
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from exchange import report
from exchange.cli import ACCOUNT, app
from exchange.cli.home import check_writable, open_home, open_keys, write_file
from exchange.cli.output import DEFAULT_HOME, HomeOption, JsonOption, emit, say, stderr, table, waiting
from exchange.cli.output import stdout as console
from exchange.clock import utc_now
from exchange.config import Home, make_folder, write_atomic
from exchange.errors import ConfigError, InputError, LedgerError
from exchange.identity import files
from exchange.identity.keys import NodeKeys, fingerprint
from exchange.identity.roster import SignedRoster
from exchange.identity.rules import RosterChain, document_hash
from exchange.ledger import Kind, timestamp
from exchange.report import Made, Scope, ScopeKind
from exchange.store.alliance import Alliance, home_ledger
from exchange.store.ledger import LedgerReader
from exchange.version import SOFTWARE

_SESSION = re.compile(r"[0-9a-f]{8,64}")
_RUN = (
    "session", "roles", "coordinator", "began", "ended", "outcome", "reason", "by", "culprits", "accused",
    "entered", "withheld", "survivors", "released", "told", "words",
)  # fmt: skip
"""What ``--json`` says of a run: more is in the report."""
_COLOURS = {"good": "bold green", "odd": "bold yellow", "bad": "bold red"}
_MAX_RESULT_BYTES = 512 << 20
SessionArgument = Annotated[
    str | None,
    typer.Argument(metavar="[SESSION]", help="The id of a session or run, or its first 8 or more digits."),
]
PeerOption = Annotated[str | None, typer.Option(help="All sessions and runs with this member.")]
DayOption = Annotated[str | None, typer.Option(metavar="DAY", help="From this day on, such as 2026-03-01.")]
UntilOption = Annotated[str | None, typer.Option(metavar="DAY", help="Up to this day, itself included.")]


def _file(text: str, *names: str) -> Any:
    return typer.Option(*names, metavar="FILE", help=text)


@app.command("report", rich_help_panel=ACCOUNT)
def report_(
    session: SessionArgument = None,
    peer: PeerOption = None,
    since: DayOption = None,
    until: UntilOption = None,
    html: Annotated[Path | None, _file("Write it as one HTML page.")] = None,
    pdf: Annotated[Path | None, _file("Write it as PDF.")] = None,
    out: Annotated[Path | None, _file("Write the signed JSON here too.", "--out", "-o")] = None,
    result: Annotated[Path | None, _file("Name this list of matches, by its digest, as the annex.")] = None,
    check: Annotated[Path | None, _file("Check this report instead of making one.")] = None,
    roster: Annotated[
        Path | None, _file("With --check: an approval or a folder of rosters, in place of the home's.")
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Report what was disclosed: of one session or run, with one member, or over a period."""
    chosen = [session, peer, since, until]
    if check is not None:
        if any(chosen) or any((html, pdf, out, result)):
            raise typer.BadParameter("takes a report and makes none", param_hint="--check")
        _check(check, roster, home, as_json)
        return
    if not any(chosen) or (session and any((peer, since, until))) or roster:
        raise typer.BadParameter("name a SESSION, or --peer, or --since and --until", param_hint="SESSION")
    for path in (html, pdf, out):
        if path is not None:
            check_writable(path)
    opened, own = open_keys(home)
    with waiting("reading the ledger", as_json):
        made, entry = _make(
            opened, own, _scope(opened, session, peer, _day(since, "--since"), _day(until, "--until")), result
        )
        stored = opened.path / "reports" / f"{made.digest}.json"
        if out is not None:
            write_file(out, made.json)
        if html is not None:
            write_file(html, made.html())
        if pdf is not None:
            write_file(pdf, made.pdf())
    written = {"html": html, "pdf": pdf, "out": out}
    summary = as_summary(made) | {"entry": entry, "file": str(stored)}
    summary |= {name: None if path is None else str(path) for name, path in written.items()}
    emit(as_json, summary, lambda: _show(made, entry, [p for p in written.values() if p is not None]))


def as_summary(made: Made) -> dict[str, Any]:
    """The public JSON of a report that was made."""
    scope, integrity = made.content["scope"], made.content["integrity"]
    word, why = made.page.verdict
    return {
        "report": made.content["given"]["report"],
        "digest": made.digest,
        "scope": scope,
        "sessions": len(made.content["sessions"]),
        "runs": [{name: run[name] for name in _RUN} for run in made.content["together"]],
        "liars": made.content["liars"],
        "entries": integrity["entries"],
        "checkpoint": {"size": integrity["size"], "root": integrity["root"]},
        "unshown": report.unshown(made.json),
        "verdict": {"word": word, "why": why},
        "summary": dict(made.page.summary),
        "words": [" ".join(s["words"]) for s in made.content["sessions"]],
    }


def _day(text: str | None, option: str) -> str:
    try:
        return "" if text is None else date.fromisoformat(text).isoformat()
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no day, such as 2026-03-01", param_hint=option) from None


def _scope(home: Home, session: str | None, peer: str | None, since: str, until: str) -> Scope:
    if session is None:
        kind = ScopeKind.PERIOD if peer is None else ScopeKind.PEER
        return Scope(kind=kind, peer=peer or "", since=since, until=until)
    if not _SESSION.fullmatch(session):
        raise typer.BadParameter("8 to 64 digits of 0-9 and a-f are needed", param_hint="SESSION")
    with LedgerReader.open_read_only(home.ledger_file) as reader:
        return report.find(reader, session)


def _make(home: Home, own: NodeKeys, scope: Scope, result: Path | None) -> tuple[Made, int]:
    """Make a report, keep it in the home, and write its digest into the ledger."""
    now = utc_now()
    known, alliance = _known(home, own)
    given = report.Given(
        report=secrets.token_hex(16), made_at=timestamp(now), member=home.member, software=SOFTWARE,
        expiry=home.settings.expiry, result="" if result is None else _digest(result),
    )  # fmt: skip
    with LedgerReader.open_read_only(home.ledger_file) as reader:
        evidence = report.collect(reader, scope, now, known)
    made = report.make(scope, given, evidence, own.identity)
    if problems := _faults(made, evidence, own, known):
        raise LedgerError(
            f"a report on this ledger does not verify: {problems[0]}",
            code="ledger-damaged",
            hint="see what is wrong: cosight ledger verify",
        )
    _keep(home, made)
    return made, _record(home, own, alliance, scope, made, now)


def _faults(made: Made, evidence: report.Evidence, own: NodeKeys, known: Mapping[str, bytes]) -> list[str]:
    """What an auditor would find wrong with a report that was just made."""
    log, identity = (key.public_key().public_bytes_raw() for key in (own.log, own.identity))
    bodies = [entry.body for entry in evidence.entries]
    return report.check(made.json, log, identity, bodies=bodies, documents=evidence.documents, keys=known)


def _known(home: Home, own: NodeKeys) -> tuple[dict[str, bytes], str]:
    """The identity keys of everybody who is or was a member, and the alliance's name; none before joining."""
    try:
        current = Alliance(home, own, utc_now).current()
    except ConfigError as e:
        if e.code != "no-alliance":
            raise
        return {}, ""
    return {entry.id: entry.identity_key for entry in current.entries}, current.alliance


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as e:
        raise InputError(f"cannot read {path}: {e.strerror}") from e


def _keep(home: Home, made: Made) -> None:
    folder = home.path / "reports"
    make_folder(folder)
    write_atomic(folder / f"{made.digest}.json", made.json)


def _record(home: Home, own: NodeKeys, alliance: str, scope: Scope, made: Made, now: datetime) -> int:
    about: dict[str, Any] = {"what": {"digest": made.digest, "scope": str(scope.kind)}}
    about |= {name: value for name, value in (("session", scope.session), ("peer", scope.peer)) if value}
    with home_ledger(home, own, alliance) as store:
        return store.append("report", now=now, **about)


def _show(made: Made, entry: int, written: list[Path]) -> None:
    page = made.page
    word, why = page.verdict
    say((page.title, "bold"), f"  {page.subtitle}")
    say((why, _COLOURS[word]))
    shown = table("", "", "")
    for name, value in page.summary:
        shown.add_row(name, value)
    console.print(shown)
    if made.content["scope"]["kind"] in {ScopeKind.SESSION, ScopeKind.RUN}:
        for s in made.content["sessions"] + made.content["together"]:
            console.print("\n" + " ".join(s["words"]) + "\n")
    if unshown := report.unshown(made.json):
        say((f"{unshown:,} entries are in it by their hash alone: a peer must not be named", "dim"))
    say(("report ", "dim"), made.digest, (f"  entry {entry} of the ledger", "dim"))
    for path in written:
        say(("written ", "dim"), str(path))


class _Member(NamedTuple):
    """Whose report it may be: keys from a roster."""

    log_key: bytes
    identity_key: bytes
    keys: Mapping[str, bytes]
    genesis: bytes


def _check(file: Path, rosters: Path | None, home_path: Path, as_json: bool) -> None:
    data = _read(file)
    member = str(report.read(data)["content"]["given"]["member"])
    home = open_home(home_path) if rosters is None else None
    chain = Alliance(*open_keys(home_path), utc_now).chain() if rosters is None else _chain(rosters)
    by = _member(chain, member)
    ours = home if home is not None and home.member == member else None
    with waiting("checking", as_json):
        if ours is None:
            problems = report.check(data, by.log_key, by.identity_key, keys=by.keys)
        else:
            problems = _with_ledger(ours, data, by)
    found = {
        "ok": not problems,
        "digest": report.digest(data),
        "member": member,
        "problems": problems,
        "unshown": report.unshown(data) if ours is None else 0,
        "with_ledger": ours is not None,
        "first_roster": fingerprint(by.genesis),
    }
    emit(as_json, found, lambda: _show_checked(found, data))
    if problems:
        raise typer.Exit(1)


def _with_ledger(home: Home, data: bytes, by: _Member) -> list[str]:
    digest, size = report.digest(data), report.read(data)["content"]["integrity"]["size"]
    with LedgerReader.open_read_only(home.ledger_file) as reader:
        if problems := report.check_with(data, reader, by.log_key, by.identity_key, by.keys):
            return problems
        after = reader.entries(size)  # a report is recorded once it is made
    if any(leaf.kind is Kind.REPORT and leaf.what["digest"] == digest for leaf in after):
        return []
    return ["the ledger does not have the digest of this report"]


def _show_checked(found: dict[str, Any], data: bytes) -> None:
    if not found["ok"]:
        say(("does not verify", "bold red"), f": {found['digest']}")
        for problem in found["problems"]:
            say(("  problem ", "red"), problem)
        return
    page = report.again(data).page
    say(("verified", "bold green"), f": {page.title}, {page.subtitle}, by {page.member}")
    say(("report ", "dim"), found["digest"])
    if found["unshown"]:
        say(
            (f"{found['unshown']:,} entries are given by their hash alone: ", "yellow"),
            "they are in the log, but the numbers can be checked with the ledger only",
        )
    if not found["with_ledger"]:
        say(("that nothing was left out of it needs the ledger: cosight verify", "dim"))
        say(("first roster ", "dim"), found["first_roster"], ("  compare it by telephone", "dim"), on=stderr)


def _member(chain: RosterChain, member: str) -> _Member:
    entries = {entry.id: entry for entry in chain.current.entries}
    if member not in entries:
        raise ConfigError(
            f"{member}, who made the report, is in no roster here", hint="name the alliance's with --roster"
        )
    keys = {name: entry.identity_key for name, entry in entries.items()}
    return _Member(entries[member].log_key, entries[member].identity_key, keys, chain.hashes[0])


def _chain(path: Path) -> RosterChain:
    """The rosters in an approval or a folder, verified from the first on; for that the user vouches."""
    if path.is_dir():
        signed = [_read(file) for file in sorted(path.glob("*.roster"))]
        if not signed:
            raise ConfigError(f"{path} holds no roster", code="file-unreadable")
    else:
        signed = list(files.read_approval(_read(path)))
    first = document_hash(SignedRoster.decode(signed[0]))
    return RosterChain.begin(first, signed[0]).adopt(signed[1:])


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as e:
        raise InputError(f"cannot read {path}: {e.strerror}", code="file-unreadable") from e
