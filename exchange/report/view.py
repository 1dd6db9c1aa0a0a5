"""A report as blocks for people: headings, sentences, tables and plots, all from the signed JSON alone.

The page and the PDF draw these blocks and nothing else, so that neither says what the other does not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from exchange.report.plot import Plot
from exchange.report.words import BASES, count, day, listed, moment


class Code(str):
    """A text to be set in letters of one width: a hash, a name, a command."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Heading:
    """The beginning of a section."""

    text: str
    level: int = 2


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Sentences; ``note`` for what is said beside."""

    text: str
    note: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and what they are."""

    caption: str
    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under columns; the columns in ``numbers`` are aligned right."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Figure:
    """A plot."""

    plot: Plot


Block = Heading | Paragraph | Facts | Table | Figure


@dataclass(frozen=True, slots=True)
class Page:
    """A report for people.

    Attributes:
        title: what it is.
        subtitle: on whom and when.
        digest: of the signed JSON.
        made_at: when it was made, RFC 3339.
        member: who made it.
        verdict: in one word and in a few: ``good``, ``odd`` or ``bad``, and why.
        summary: what a reader needs who reads no further.
        blocks: the rest, in order.
    """

    title: str
    subtitle: str
    digest: str
    made_at: str
    member: str
    verdict: tuple[str, str]
    summary: tuple[tuple[str, str], ...]
    blocks: tuple[Block, ...]


def titles(content: dict[str, Any]) -> tuple[str, str]:
    """Title and subtitle of a report."""
    scope, us = content["scope"], content["given"]["member"]
    kind = {
        "session": "one session",
        "run": "one run with the alliance",
        "peer": f"all sessions and runs with {scope['peer']}",
        "period": "all sessions and runs of a period",
    }
    title = f"Disclosure report: {kind[scope['kind']]}"
    if scope["kind"] == "session" and content["sessions"]:
        s = content["sessions"][0]
        return title, f"{us} and {s['peer']}, {day(s['began'])}"
    if scope["kind"] == "run":
        return title, f"{us}, {day(content['together'][0]['began'])}"
    return title, f"{us}{period(content)}"


def period(content: dict[str, Any]) -> str:
    """The days of a report in words, or ``""`` where it has none."""
    scope = content["scope"]
    since, until = scope["since"], scope["until"]
    said = (f" from {day(since)}" if since else "") + (f" until {day(until)}" if until else "")
    return f",{said}" if said else ""


def verdict(content: dict[str, Any]) -> tuple[str, str]:
    """Whether what can be verified is, in one word and in a few."""
    states = [s["receipt"]["state"] for s in content["sessions"]]
    entries = f"all {content['integrity']['entries']:,} entries are in the signed log"
    runs = len(content["together"])
    if runs:
        entries = f"{count(runs, 'run')} with the alliance; {entries}"
    if not states:
        return "good", f"{entries[:1].upper()}{entries[1:]}." if runs else f"No session; {entries}."
    signed, wrong = states.count("verified"), states.count("wrong")
    if wrong:
        return "bad", f"{count(wrong, 'receipt')} of {len(states):,} do not verify; {entries}."
    if signed == len(states):
        of = "the receipt is" if signed == 1 else f"all {signed:,} receipts are"
        return "good", f"Verified: {entries}, and {of} signed by both sides."
    if len(states) == 1:
        why = content["sessions"][0]["receipt"]["reason"]
        return "odd", f"Without a receipt that both sides signed ({why}); {entries}."
    return (
        "odd",
        f"{signed:,} of {count(len(states), 'session')} have a receipt signed by both sides; {entries}.",
    )


def summary(content: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """What a reader needs who reads no further: who, when, what left, what came, under which rule."""
    sessions = content["sessions"]
    if content["scope"]["kind"] == "session" and sessions:
        return _of_one(sessions[0], content)
    if content["scope"]["kind"] == "run":
        return _of_run(content["together"][0], content)
    return _of_many(sessions, content)


def _of_run(r: dict[str, Any], content: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    us, went = content["given"]["member"], sum((r["entered"] or {}).values())
    liars = sorted({x["member"] for x in content["liars"]})
    end = f" to {moment(r['ended'])}" if r["ended"] else ", no end recorded"
    return (
        ("Who", f"{us}, as {listed(r['roles'])}, with {_with(r, us)} of the alliance"),
        ("When", f"{moment(r['began'])}{end}"),
        ("What went in", count(went, "indicator") if r["entered"] is not None else "nothing of ours"),
        ("How it ended", _run_ended(r)),
        ("Who broke rules", listed(liars) if liars else "nobody, as far as we know"),
    )


def _with(r: dict[str, Any], us: str) -> str:
    return "others" if r["coordinator"] == us else f"{r['coordinator']} and others"


def _run_ended(r: dict[str, Any]) -> str:
    words = {"counted": "it ran to its end", "broken": "it was given up", "open": "no end is recorded"}
    return words[r["outcome"]] + (f": {r['reason']}" if r["reason"] else "")


def _of_one(s: dict[str, Any], content: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    us, peer = content["given"]["member"], s["peer"]
    dialler, answerer = (us, peer) if s["direction"] == "initiator" else (peer, us)
    left = [f"a set of {s['sizes']['ours_padded']:,} as declared"] if s["sizes"]["ours_padded"] else []
    if s["input"]["entered_total"] is not None:
        left.append(f"{count(s['input']['entered_total'], 'indicator')} in it")
    return (
        ("Who", f"{dialler} asked, {answerer} answered"),
        ("When", moment(s["began"]) + (f" to {s['ended'][11:19]}" if s["ended"] else ", no end recorded")),
        ("What went in", "; ".join(left) or "not recorded"),
        ("What left", _left(s, peer)),
        ("What came", _came(s)),
        ("Allowed by", _allowed(s)),
        ("Legal basis", _basis(s)),
        ("How it ended", _how(s)),
    )


def _how(s: dict[str, Any]) -> str:
    if s["outcome"] == "aborted":
        return f"it ended early: {s['reason']}"
    return "it ran to its end" if s["outcome"] == "disclosed" else "no result is recorded"


def _left(s: dict[str, Any], peer: str) -> str:
    worst, stated = s["bounds"]["ours_learned_most"], s["bounds"]["ours_learned_stated"]
    if not worst:
        return f"{peer} learned a size class and nothing on any item"
    by = f"at most, as {peer} signed" if s["bounds"]["stated_from"] == "receipt" else "were given back"
    known = f"; {stated:,} {by}" if stated is not None else ""
    return f"{peer} learned of at most {count(worst, 'indicator')} of ours{known}"


def _came(s: dict[str, Any]) -> str:
    matched = s["output"]["matched"]
    if s["roles"]["we_learn"] and matched is not None:
        return f"{matched:,} shared"
    return "the peer's size class" if s["protocol"]["rung"] == "size" else "nothing but the peer's size class"


def _allowed(s: dict[str, Any]) -> str:
    policy = s["policy"]
    if not policy["ours"]:
        return "the policy is not named in the ledger"
    name = f"{policy['id']}, " if policy["id"] else ""
    terms = f"[peers.{policy['terms']}]" if policy["terms"] else "terms that are not held"
    revision = f"revision {policy['revision']}, " if policy["revision"] is not None else ""
    return f"our policy {name}{revision}{policy['ours'][:16]}, under {terms}"


def _basis(s: dict[str, Any]) -> str:
    basis = s["purpose"]["legal_basis"]
    if basis is None:
        return "none stated in the policy" if s["policy"]["held"] else "unknown: the policy is not held"
    return f"{basis['id']}: {BASES.get(basis.get('basis', ''), basis.get('basis', ''))}"


def _of_many(sessions: Sequence[dict[str, Any]], content: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    given, peers = content["given"], sorted({s["peer"] for s in sessions})
    worst = sum(s["bounds"]["ours_learned_most"] for s in sessions)
    matched = [s["output"]["matched"] for s in sessions if s["output"]["matched"] is not None]
    named = sorted({s["policy"]["ours"][:16] for s in sessions if s["policy"]["ours"]})
    when = period(content).lstrip(", ") or "since the ledger began"
    return (
        ("Who", f"{given['member']} with {_partners(peers, content)}"),
        ("When", f"{when}; made {moment(given['made_at'])}"),
        ("Sessions", _outcomes([s["outcome"] for s in sessions])),
        *((("Runs", _runs(content)),) if content["together"] else ()),
        ("What left", f"in sessions, at most {count(worst, 'indicator')} of ours, each counted for itself"),
        ("What came", f"{sum(matched):,} shared, in {count(len(matched), 'session')} of which we know it"),
        ("Allowed by", f"our policies {listed(named)}" if named else "no session names a policy"),
        ("Decisions", _decided(content["decisions"])),
    )


def _partners(peers: Sequence[str], content: dict[str, Any]) -> str:
    alliance = ["the alliance"] if content["together"] else []
    return listed([*peers, *alliance]) if peers or alliance else "nobody"


def _outcomes(ends: list[str]) -> str:
    early, running = ends.count("aborted"), ends.count("open")
    return (
        f"{len(ends):,}: {ends.count('disclosed'):,} to their end, {early:,} ended early, "
        f"{running:,} without a result"
    )


def _runs(content: dict[str, Any]) -> str:
    runs = content["together"]
    went = sum(sum((r["entered"] or {}).values()) for r in runs)
    return f"{_ends(runs)}; {count(went, 'indicator')} of ours went in, each run counted for itself"


def _ends(runs: list[dict[str, Any]]) -> str:
    ends = [r["outcome"] for r in runs]
    named = (("counted", "to their end"), ("broken", "given up"), ("open", "without an end"))
    return f"{len(ends):,}: " + ", ".join(f"{ends.count(end):,} {word}" for end, word in named)


def _decided(d: dict[str, Any]) -> str:
    return (
        f"{count(len(d['refusals']), 'refusal')}, {count(len(d['approvals']), 'approval')}, "
        f"{count(len(d['alarms']), 'alarm')}, {count(len(d['quarantines']), 'quarantine')}"
    )
