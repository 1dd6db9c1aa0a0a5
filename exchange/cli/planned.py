"""A plan, as commands print it."""

from typing import Any

from exchange.cli.output import say, size, stderr, stdout, table
from exchange.disclosure import Wish
from exchange.planning import Line, Plan


def as_plan(plan: Plan) -> dict[str, Any]:
    """What the public JSON of a match says of why its protocol was chosen."""
    return {
        "predicted_s": {name: round(cost.seconds, 3) for name, cost in plan.costs.items()},
        **_as_line(plan.line),
    }


def as_planned(peer: str, wish: Wish, plan: Plan) -> dict[str, Any]:
    """The public JSON of a match that is only planned."""
    return {
        "peer": peer,
        "reveal": str(wish.rung),
        "output": str(wish.output),
        "types": [str(t) for t in wish.types],
        "protocol": plan.protocol,
        "sizes": {"ours_padded": plan.n_r, "peer_padded": plan.n_s, "peer_known": plan.peer_known},
        "link": _as_line(plan.line),
        "predicted": {
            name: {
                "seconds": round(cost.seconds, 4),
                "bytes": {"sent": cost.receiver_bytes, "received": cost.sender_bytes},
            }
            for name, cost in plan.costs.items()
        },
    }


def _as_line(line: Line) -> dict[str, Any]:
    return {
        "round_trip_s": round(line.round_trip_s, 4),
        "bytes_per_s": round(line.bytes_per_s),
        "rate_measured": line.measured,
    }


def why(plan: Plan) -> str:
    """Why a protocol was chosen, in one line."""
    seconds = sorted((cost.seconds, name) for name, cost in plan.costs.items())
    predicted = ", ".join(f"{name} {s:.2f} s" for s, name in seconds)
    return f"chose {plan.protocol}: predicted {predicted} (link: {_line(plan.line)})"


def _line(line: Line) -> str:
    rate = f"{line.bytes_per_s * 8 / 1e6:,.0f} Mbit/s {'measured before' if line.measured else 'assumed'}"
    return f"{line.round_trip_s * 1000:.1f} ms, {rate}"


def show_planned(peer: str, plan: Plan) -> None:
    """Print what a match would cost, the protocol that would be taken first."""
    rows = table("", "protocol", "seconds", "sent", "received", numbers=("seconds", "sent", "received"))
    for name, cost in sorted(plan.costs.items(), key=lambda of: (of[0] != plan.protocol, of[1].seconds)):
        traffic = size(cost.receiver_bytes), size(cost.sender_bytes)
        style = "bold" if name == plan.protocol else ""
        rows.add_row(name, f"{cost.seconds:.2f}", *traffic, style=style)
    stdout.print(rows)
    known = "as in the last session" if plan.peer_known else "taken to be as ours: there was no session yet"
    for line in (
        f"predicted for a set of ours shown as {plan.n_r:,} against one of size class {plan.n_s:,}, {known}",
        f"link: {_line(plan.line)}",
        f"{peer} was greeted; nothing was proposed and nothing disclosed",
    ):
        say((line, "dim"), on=stderr)
