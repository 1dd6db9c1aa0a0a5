"""Which blocks a report has, in which order."""

from datetime import datetime, timedelta
from typing import Any

from exchange.report.chapters import chapters, n
from exchange.report.figures import budget_plot, many_plot
from exchange.report.together_page import together
from exchange.report.view import (
    Block,
    Code,
    Facts,
    Figure,
    Heading,
    Page,
    Paragraph,
    Table,
    summary,
    titles,
    verdict,
)
from exchange.report.words import count, listed, moment

_SHORT = 16


def page(content: dict[str, Any], digest: str) -> Page:
    """Return a report for people.

    Args:
        content: of the signed report.
        digest: of its bytes.
    """
    title, subtitle = titles(content)
    kind = content["scope"]["kind"]
    body = [] if kind == "run" else (_one if kind == "session" else _many)(content)
    return Page(
        title=title,
        subtitle=subtitle,
        digest=digest,
        made_at=content["given"]["made_at"],
        member=content["given"]["member"],
        verdict=verdict(content),
        summary=summary(content),
        blocks=(
            *body,
            *together(content),
            *_budgets(content),
            *_decisions(content),
            *_retention(content),
            *_integrity(content),
        ),
    )


def _one(content: dict[str, Any]) -> list[Block]:
    return [block for s in content["sessions"] for block in chapters(s, content)]


def _many(content: dict[str, Any]) -> list[Block]:
    sessions = content["sessions"]
    if not sessions:
        return [Heading("Sessions"), Paragraph("No session began in this period.")]
    return [
        Heading("Sessions"),
        Figure(many_plot(content)),
        Table(
            "Every session",
            (
                "began (UTC)",
                "peer",
                "we were",
                "rung",
                "went in",
                "matched",
                "peer learned at most",
                "receipt",
            ),
            tuple(_row(s) for s in sessions),
            frozenset({4, 5, 6}),
        ),
        Heading("What each side learned and could infer"),
        Table(
            "Session by session",
            ("session", "what happened, what each side learned and could infer"),
            tuple((Code(s["session"][:_SHORT]), " ".join(s["words"])) for s in sessions),
        ),
    ]


def _row(s: dict[str, Any]) -> tuple[str, ...]:
    entered = s["input"]["entered_total"]
    went = f"{entered:,}" if entered is not None else f"at most {n(s['sizes']['ours_padded'])}"
    return (
        s["began"][:16].replace("T", "\u00a0"), s["peer"], s["direction"], s["protocol"]["rung"], went,
        n(s["output"]["matched"]), f"{s['bounds']['ours_learned_most']:,}",
        s["receipt"]["state"] if s["outcome"] == "disclosed" else f"{s['receipt']['state']}; {s['outcome']}",
    )  # fmt: skip


def _budgets(content: dict[str, Any]) -> list[Block]:
    blocks: list[Block] = [Heading("Over time: what each peer may still learn")]
    made = datetime.fromisoformat(content["given"]["made_at"])
    for b in content["budgets"]:
        blocks.append(Heading(b["peer"], level=3))
        if b["series"]:
            blocks.append(Figure(budget_plot(b, made - timedelta(days=365), made)))
        blocks.append(
            Table(
                f"Budget of {b['peer']} on {moment(content['given']['made_at'])}",
                ("limit", "rule", "spent", "allowed", "left"),
                tuple(_limit(line, b) for line in b["lines"]),
                frozenset({2, 3, 4}),
            )
        )
        blocks.append(Paragraph(_so_far(b), note=True))
    if not content["budgets"]:
        blocks.append(Paragraph("There is no peer in this report."))
    blocks.append(Paragraph(content["not_there"]["repeated_values"], note=True))
    return blocks


def _limit(line: dict[str, Any], b: dict[str, Any]) -> tuple[str, ...]:
    shown = [_amount(line, name) for name in ("spent", "limit", "left")]
    if line["limit"] is None:
        shown[1:] = ["not stated" if b["policy_held"] else "unknown", ""]
    return (line["what"], Code(line["rule"]), *shown)


def _amount(line: dict[str, Any], name: str) -> str:
    value = line[name]
    return n(value) if value is None or line["unit"] == "count" else f"{value / 100:.2f} %"


def _so_far(b: dict[str, Any]) -> str:
    total = b["series"][-1]["charge_in_all"] if b["series"] else 0
    of = f" Our set had {b['our_set']:,} in the newest session." if b["our_set"] else ""
    suspended = " Sessions with it are suspended by the policy." if b["suspended"] else ""
    return (
        f"{count(b['sessions_year'], 'session')} in the last 365 days; {count(total, 'indicator')} of ours "
        f"counted as learned by {b['peer']}.{of}{suspended}"
    )


def _decisions(content: dict[str, Any]) -> list[Block]:
    d = content["decisions"]
    blocks: list[Block] = [Heading("Decisions")]

    def add(caption: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
        blocks.append(Table(caption, columns, tuple(rows)) if rows else Paragraph(f"{caption}: none."))

    add("Refusals", ("when", "peer", "asked by", "refused by", "reason", "rule"), [
        (moment(x["time"]), x["peer"], x["asked_by"], x["by"], x["reason"], Code(x["rule"] or "-"))
        for x in d["refusals"]
    ])  # fmt: skip
    add("Approvals", ("when", "peer", "rung", "types", "by", "good until"), [
        (moment(x["time"]), x["peer"], x["rung"], listed(x["types"]), x["approver"], moment(x["expires"]))
        for x in d["approvals"]
    ])  # fmt: skip
    add("Alarms", ("when", "peer", "guard", "count"), [
        (moment(x["time"]), x["peer"], x["guard"], f"{x['count']:,}") for x in d["alarms"]
    ])  # fmt: skip
    ends = [("quarantined", x) for x in d["quarantines"]] + [("lifted", x) for x in d["lifts"]]
    add("Quarantines and their end", ("when", "peer", "what", "reason"), [
        (moment(x["time"]), x["peer"], what, x["reason"])
        for what, x in sorted(ends, key=lambda end: end[1]["entry"])
    ])  # fmt: skip
    return blocks


def _retention(content: dict[str, Any]) -> list[Block]:
    expiry = content["retention"]["expiry"]
    rows = tuple((kind, f"{days:,} days without news") for kind, days in expiry.items())
    stated = Facts("An indicator no longer enters a set after", rows) if rows else Paragraph(
        "No expiry by type is set: an indicator enters as long as its source says that it is valid."
    )  # fmt: skip
    not_there = content["not_there"]
    return [
        Heading("Retention"),
        stated,
        Paragraph("The ledger itself is kept for good: it cannot be changed or shortened.", note=True),
        Paragraph(not_there["erasure_requests"], note=True),
    ]


def _integrity(content: dict[str, Any]) -> list[Block]:
    i = content["integrity"]
    return [
        Heading("Integrity"),
        Facts(
            "The record behind this report",
            (
                ("log", Code(i["log"])),
                ("entries of it in this report", f"{i['entries']:,} of {i['size']:,}"),
                ("root at that size", Code(i["root"])),
                ("key of the log", Code(content["identity"]["log_key"])),
                ("report before this one", Code(i["previous_report"] or "none")),
            ),
        ),
        *(_receipts(content)),
        Paragraph("To verify this report offline, with the signed JSON that its digest names:"),
        Paragraph(Code(i["verify"][0])),
        Paragraph("To verify the whole log of which it speaks, from an export of it:"),
        Paragraph(Code(i["verify"][1])),
    ]


def _receipts(content: dict[str, Any]) -> list[Block]:
    if content["scope"]["kind"] != "session":
        rows = [
            (s["session"][:_SHORT], s["peer"], s["receipt"]["state"], s["receipt"]["reason"])
            for s in content["sessions"]
            if s["receipt"]["state"] != "verified"
        ]
        columns = ("session", "peer", "receipt", "because")
        return [Table("Sessions without a verified receipt", columns, tuple(rows))] if rows else []
    return [Facts("The receipt", _receipt(s["receipt"], s["entries"])) for s in content["sessions"]]


def _receipt(r: dict[str, Any], entries: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    where = ", ".join(f"{name} {'none' if seq is None else seq}" for name, seq in entries.items())
    rows = [("state", f"{r['state']}: {r['reason']}"), ("entries", where)]
    if r["state"] == "verified":
        rows += [
            ("initiator says", r["initiator"]),
            ("responder says", r["responder"]),
            ("transcript", Code(r["transcript"] or "none: the run did not end")),
            ("initiator's log then", _log(r["initiator_log"])),
            ("responder's log then", _log(r["responder_log"])),
            ("responder's log as shown before", _log(r["responder_log_before"])),
        ]
    return tuple(rows)


def _log(found: dict[str, Any]) -> str:
    return Code(f"{found['size']:,} entries, {found['root']}")
