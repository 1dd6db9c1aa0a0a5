"""What came of a discovery, as JSON and for people."""

from itertools import islice
from pathlib import Path
from typing import Any

from exchange.aggregation.leaks import leaks
from exchange.aggregation.round import Learns
from exchange.cli.export import reasons
from exchange.cli.output import say, size, stderr
from exchange.discovery.search import Found
from exchange.indicators import Indicator
from exchange.policy.discovery import PERSONAL_RULE, TYPES_RULE

SHOWN = 20
"""Indicators that are printed for people; ``--json`` and ``--out`` have all."""


_REMEDIES = {
    PERSONAL_RULE: "personal data go in where [discover] in policy.toml names a legal_basis that holds",
    TYPES_RULE: "their types are not among those under [discover] in policy.toml",
}


def as_result(found: Found) -> dict[str, Any]:
    """The public JSON of a discovery."""
    of, put_in = found.round, found.put_in
    rows = None if found.items is None else [
        {"type": str(one.type), "value": one.value, "at_least": of.threshold, "members": voices}
        for one, voices in _ordered(found)
    ]  # fmt: skip
    return {
        "session": of.session,
        "threshold": of.threshold,
        "minimum": of.minimum,
        "types": [str(t) for t in of.types],
        "learn": str(of.learns),
        "strict": bool(of.largest),
        "purpose": of.purpose,
        "members": list(of.members),
        "state": "counted",
        "counted": found.counted,
        "sizes": {
            "ours": put_in.ours,
            "ours_padded": put_in.padded,
            "copies": put_in.copies,
            "withheld": put_in.held_back,
            "asked": found.asked,
        },
        "put_in": put_in.at.isoformat(),
        "result": {"count": count_of(found), "items": rows},
        "notes": notes(found),
        "roles": {
            "relay": of.parts.relay,
            "counter": of.parts.counter,
            "helpers": list(of.parts.helpers),
            "overlap": of.parts.overlap,
        },
        "culprits": [{"member": who, "reason": why} for who, why in found.culprits],
        "accused": [{"member": who, "reason": why} for who, why in found.accused],
        "seconds": {"total": round(found.total_s, 4), "crypto": round(found.crypto_s, 4)},
        "bytes": {"sent": found.sent, "received": found.received},
        "leaks": leaks(found.round),
    }


def count_of(found: Found) -> int:
    """How many are held by enough members: in all, or where that is not told, of ours."""
    return len(found.items.indicators) if found.round.largest and found.items is not None else found.count


def notes(found: Found) -> list[str]:
    """What whoever reads the result has to know: why it is empty, what stayed out, of when it is."""
    of, put_in, missing = found.round, found.put_in, len(found.round.members) - found.counted
    said = []
    if found.resumed:
        at = f"{put_in.at:%Y-%m-%d %H:%M:%S} UTC"
        said.append(
            f"what went in was chosen at {at}: what changed since is not counted; ask tomorrow, or all of you"
            " with another --purpose, to count what we hold now"
        )
    if held_back := put_in.held_back:
        said.append(f"held back of ours: {reasons(held_back)}; docs/policy.md has the rules")
    said += [f"{rule}: {_REMEDIES[rule]}" for rule in held_back if rule in _REMEDIES]
    if put_in.ours and put_in.ours == put_in.copies:
        said.append(
            "all of ours went in as reports of others, which count once for each origin: import what we saw"
            " ourselves with `cosight import --own`"
        )
    if not count_of(found):
        absent = f"; {missing} did not ask, or asked something else" if missing else ""
        whose = " of ours" if of.largest else ""
        said.append(f"nothing{whose} is held by {of.threshold} of the {found.counted} that asked{absent}")
    elif found.items is not None and not found.items.indicators:
        said.append("none of it is ours; only who holds it learns which it is, unless all ask --learn all")
    return said


def _ordered(found: Found) -> list[tuple[Indicator, int]]:
    """What is known by name, what most members hold first."""
    if found.items is None:
        return []
    pairs = zip(found.items.indicators, map(int, found.items.voices), strict=True)
    return sorted(pairs, key=lambda pair: (-pair[1], pair[0].type, pair[0].value))


def show(found: Found, out: Path | None) -> None:
    """Print it for people."""
    of, put_in, rows = found.round, found.put_in, _ordered(found)
    for one, voices in islice(rows, SHOWN):
        say((f"{one.type}  ", "dim"), (one.value, "bold"), (f"  {voices} members", "dim"))
    if len(rows) > SHOWN:
        say((f"and {len(rows) - SHOWN:,} more: --json prints all, --out FILE writes them", "dim"))
    how = "told to all" if of.learns is Learns.ALL else "ours"
    say(
        (f"{count_of(found):,} indicators are held by at least {of.threshold} members", "bold"),
        "" if found.items is None else f"; {len(rows):,} of them are {how}",
    )
    if out is not None:
        say((f"{len(rows):,} found", "bold"), f", written to {out}")
    for line in notes(found):
        say((f"- {line}", "yellow"), on=stderr)
    counted = f"{found.counted} of {len(of.members)} members took part"
    traffic = f"{size(found.sent)} sent, {size(found.received)} received"
    copies = f", {put_in.copies:,} of it as copies" if put_in.copies else ""
    for line in (
        f"{counted}; {put_in.ours:,} of ours went in{copies}, shown as {put_in.padded:,}",
        f"{found.total_s:.2f} s ({found.crypto_s:.2f} s computing), {traffic}, session {of.session[:16]}",
        f"relay {of.parts.relay}, counter {of.parts.counter}, key helpers {' and '.join(of.parts.helpers)}",
    ):
        say((line, "dim"), on=stderr)
    for who, why in found.culprits:
        say(("alarm", "bold red"), f"  {who} broke the rules: {why}", on=stderr)
    for who, why in found.accused:
        say((f"{who} is accused by relay and counter, without proof: {why}", "dim"), on=stderr)
    say(("what this told whom", "bold"), on=stderr)
    for line in leaks(found.round):
        say((f"- {line}", "dim"), on=stderr)
