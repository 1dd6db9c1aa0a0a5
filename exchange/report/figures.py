"""The plots of a report, from its content."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from exchange.report.budget import PARTS, SHARE
from exchange.report.plot import Bar, Plot, Range, bars, ranges, shares, steps
from exchange.report.words import count, listed

_MOST_ROWS = 24


def input_plot(rows: Sequence[tuple[str, int, int]], us: str) -> Plot:
    """What entered and what was held back, by type."""
    entered, held = sum(e for _, e, _ in rows), sum(h for *_, h in rows)
    return bars(
        f"What {us} put in, by type",
        f"{count(entered, 'indicator')} entered, {held:,} were held back, of {count(len(rows), 'type')}. The "
        "table below has the numbers.",
        [Bar(kind, (("entered", e), ("withheld", h)), _beside(e, h)) for kind, e, h in rows],
        (("entered", "entered"), ("withheld", "held back by a rule")),
    )


def _beside(entered: int, held: int) -> str:
    return f"{entered:,} + {held:,} held back" if held else f"{entered:,}"


def share_plot(s: dict[str, Any], content: dict[str, Any]) -> Plot | None:
    """What of each set was shared, where that is known; None where it is not."""
    matched, us = s["output"]["matched"], content["given"]["member"]
    if matched is None:
        return None
    rows = [
        (f"{us}'s set", s["input"]["entered_total"], "entered"),
        (f"{s['peer']}'s set", s["sizes"]["peer_padded"], "declared"),
    ]
    known = [(label, size, what) for label, size, what in rows if size]
    return shares(
        "What of each set is shared",
        f"{matched:,} are shared: "
        + listed(f"{_percent(matched, size)} of {label}" for label, size, _ in known)
        + ".",
        [
            Bar(
                label,
                (("entered", min(matched, size)), ("withheld", 0), ("rest", max(size - matched, 0))),
                f"{matched:,} of {size:,} {what}, {_percent(matched, size)}",
            )
            for label, size, what in known
        ],
        (("entered", "shared"), ("rest", "not shared")),
    )


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %"


def ranges_plot(s: dict[str, Any], content: dict[str, Any]) -> Plot:
    """What can be inferred, as ranges."""
    b, us, peer = s["bounds"], content["given"]["member"], s["peer"]
    rows = [
        Range(f"size of {us}'s set", b["ours_least"], b["ours_most"], _to(b["ours_least"], b["ours_most"]))
    ]
    if b["peer_most"] is not None:
        rows.append(
            Range(
                f"size of {peer}'s set", b["peer_least"], b["peer_most"], _to(b["peer_least"], b["peer_most"])
            )
        )
    worst, stated = b["ours_learned_most"], b["ours_learned_stated"]
    said = f", {stated:,} as stated" if stated is not None else ""
    rows.append(
        Range(f"ours, learned by {peer}", 0, worst, (_to(0, worst) if worst else "none") + said, stated)
    )
    return ranges(
        "What can be inferred at most",
        f"{peer} can infer that the set of {us} has {_to(b['ours_least'], b['ours_most'])} items and learned "
        f"of at most {worst:,} of them. The table below has the numbers.",
        rows,
    )


def _to(least: int, most: int) -> str:
    return f"{least:,} to {most:,}"


def many_plot(content: dict[str, Any]) -> Plot:
    """How many sessions there were with each peer, by how they ended."""
    by_peer: dict[str, dict[str, int]] = {}
    for s in content["sessions"]:
        ends = by_peer.setdefault(s["peer"], {"disclosed": 0, "aborted": 0, "open": 0})
        ends[s["outcome"]] += 1
    most = sorted(by_peer.items(), key=lambda item: (-sum(item[1].values()), item[0]))
    rows = [_ends(peer, ends) for peer, ends in most[:_MOST_ROWS]]
    if rest := most[_MOST_ROWS:]:
        together = {end: sum(ends[end] for _, ends in rest) for end in rest[0][1]}
        rows.append(_ends(f"{len(rest)} other peers", together))
    return bars(
        "Sessions by peer",
        f"{count(len(content['sessions']), 'session')} with {count(len(by_peer), 'peer')}. The table below "
        "has every one of them.",
        rows,
        (("entered", "ran to its end"), ("withheld", "ended early, or no result")),
    )


def _ends(label: str, ends: dict[str, int]) -> Bar:
    early = ends["aborted"] + ends["open"]
    text = f"{ends['disclosed']:,}" + (f" + {early:,} not to the end" if early else "")
    return Bar(label, (("entered", ends["disclosed"]), ("withheld", early)), text)


def budget_plot(b: dict[str, Any], since: datetime, until: datetime) -> Plot:
    """What a peer learned of our set, session by session, with what the policy allows."""
    points = [(datetime.fromisoformat(x["time"]), x["charge_in_all"]) for x in b["series"]]
    share = next(line for line in b["lines"] if line["rule"] == SHARE)
    limit = None
    if share["limit"] is not None and b["our_set"]:
        limit = b["our_set"] * share["limit"] // PARTS
    last = points[-1][1] if points else 0
    allowed = "no limit is stated" if limit is None else f"{limit:,} are allowed"
    return steps(
        f"Indicators of ours that {b['peer']} learned of, added up",
        f"{last:,} in {count(len(points), 'session')} within 365 days; {allowed}.",
        points,
        (since, until),
        limit,
        "" if limit is None else f"{limit:,} allowed",
    )
