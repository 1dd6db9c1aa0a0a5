"""The chapter on runs with the alliance: every run, who broke its rules, whom we helped."""

from typing import Any

from exchange.report.chapters import n
from exchange.report.together_words import EVIDENCE
from exchange.report.view import Block, Code, Heading, Paragraph, Table
from exchange.report.words import moment

_SHORT = 16


def together(content: dict[str, Any]) -> list[Block]:
    """Return the chapter; nothing where there was no run and no helping."""
    blocks = [*_runs(content), *_leaks(content), *_liars(content), *_helped(content)]
    return [Heading("Counted together with the alliance"), *blocks] if blocks else []


def _runs(content: dict[str, Any]) -> list[Block]:
    runs = content["together"]
    if not runs:
        return []
    return [
        Table(
            "Every run",
            (
                "began (UTC)",
                "run",
                "coordinator",
                "we were",
                "measure",
                "went in",
                "of members",
                "released",
                "end",
            ),
            tuple(map(_run, runs)),
            frozenset({5, 6, 7}),
        ),
        Table(
            "Run by run",
            ("run", "what was asked, what went in, what came of it"),
            tuple((Code(r["session"][:_SHORT]), " ".join(r["words"])) for r in runs),
        ),
        Paragraph(content["not_there"]["aggregates"], note=True),
    ]


def _run(r: dict[str, Any]) -> tuple[str, ...]:
    went = "nothing" if r["entered"] is None else f"{sum(r['entered'].values()):,}"
    return (
        r["began"][:16].replace("T", "\u00a0"), Code(r["session"][:_SHORT]), r["coordinator"],
        ", ".join(r["roles"]), r["asked"]["measure"], went, n(r["survivors"]), n(r["released"]),
        r["reason"] or r["outcome"],
    )  # fmt: skip


def _leaks(content: dict[str, Any]) -> list[Block]:
    """What discoveries told whom: once for each way to count and to tell."""
    told = {(r["asked"]["visibility"], r["asked"]["protocol"]): r["leaks"] for r in content["together"]}
    return [
        Table(
            f"What a discovery told whom ({protocol}, learned: {visibility})",
            ("who", "learned, or could"),
            tuple(leaks.items()),
        )
        for (visibility, protocol), leaks in told.items()
        if leaks
    ]


def _liars(content: dict[str, Any]) -> list[Block]:
    rows = tuple(
        (
            x["member"], Code(x["session"][:_SHORT]), x["reason"] or "not recorded", EVIDENCE[x["evidence"]],
            moment(x["time"]), f"{x['entry']:,}",
        )
        for x in content["liars"]
    )  # fmt: skip
    columns = ("member", "run", "what", "what that rests on", "when", "entry")
    return [Table("Who broke the rules of a run", columns, rows, frozenset({5}))] if rows else []


def _helped(content: dict[str, Any]) -> list[Block]:
    rows = tuple(
        (
            f"{x['epoch']:,}", x["member"], f"{x['padded']:,}", f"{x['most']:,}",
            moment(x["erased"]) if x["erased"] else "not yet",
        )
        for x in content["helped"]
    )  # fmt: skip
    columns = ("epoch", "member", "declared", "may ask at most", "key deleted")
    return [Table("For whom we were key helper", columns, rows, frozenset({0, 2, 3}))] if rows else []
