"""``demo``: three members with real public feeds match privately on this machine."""

import asyncio
import tempfile
from contextlib import AsyncExitStack
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any

import typer

from exchange.agreement import Rung
from exchange.cli import TRY, app
from exchange.cli.demo_alliance import count_together
from exchange.cli.match import as_result, held_types
from exchange.cli.output import JsonOption, emit, say, size, stdout, steps, table
from exchange.config import Home
from exchange.data import samples
from exchange.disclosure import Outcome, Wish
from exchange.local.alliance import found, serving, take_in
from exchange.node import Node
from exchange.store.home import verify_ledger

ALLIANCE = "demo.local"


@app.command(rich_help_panel=TRY)
def demo(
    alliance: Annotated[
        bool, typer.Option("--alliance", help="Five members count together, and one drops out in the middle.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Members with public feeds, all here: three match in pairs; with --alliance, five count together."""
    if alliance:
        count_together(as_json)
    else:
        match_in_pairs(as_json)


def match_in_pairs(as_json: bool) -> None:
    """Every pair of three members matches."""
    feeds = samples()
    pairs = list(combinations(feeds, 2))
    with (
        tempfile.TemporaryDirectory(prefix="cosight-demo-") as folder,
        steps(len(feeds) + len(pairs) + 2, as_json) as begin,
    ):
        begin("founding an alliance: keys, certificates, invitations, roster")
        homes = dict(zip(feeds, found(ALLIANCE, list(feeds), Path(folder)), strict=True))
        members = []
        for member, path in feeds.items():
            begin(f"{member} imports its feed")
            accepted = take_in(homes[member], member, path)
            members.append({"member": member, "source": f"{member}/{path.name}", "accepted": accepted})
        begin("starting a node process for each member")
        outcomes = asyncio.run(_match_all(homes, pairs, begin))
        verified = all(verify_ledger(home).ok for home in homes.values())
    matches = [{"pair": list(pair), **as_result(outcome)} for pair, outcome in outcomes]
    result = {"members": members, "matches": matches, "ledger_verified": verified}
    emit(as_json, result, lambda: _show(members, outcomes, verified))


async def _match_all(
    homes: dict[str, Home], pairs: list[tuple[str, str]], begin: Any
) -> list[tuple[tuple[str, str], Outcome]]:
    """Every pair once: the first dials the second, over mutual TLS between real processes."""
    async with AsyncExitStack() as stack:
        answering = {peer for _, peer in pairs}
        said = await asyncio.gather(*(stack.enter_async_context(serving(homes[m])) for m in answering))
        addresses = {one["member"]: one["address"] for one in said}
        outcomes = []
        for ours, peer in pairs:
            begin(f"{ours} matches with {peer}")
            with Node(homes[ours]) as node:
                wish = Wish(rung=Rung.OVERLAP, types=tuple(sorted(held_types(node))), purpose="demonstration")
                outcomes.append(((ours, peer), await node.match(peer, wish, address=addresses[peer])))
        return outcomes


def _show(
    members: list[dict[str, Any]], outcomes: list[tuple[tuple[str, str], Outcome]], verified: bool
) -> None:
    say(("Three members, each with its own feed", "bold"))
    listed = table("", "member", "feed", "indicators", numbers=("indicators",))
    for m in members:
        listed.add_row(m["member"], m["source"], f"{m['accepted']:,}")
    stdout.print(listed)
    say()
    say(("What each pair found", "bold"))
    numbers = ("shared", "seconds", "traffic")
    listed = table("", "dials", "answers", *numbers, "of which", numbers=numbers)
    for (ours, peer), o in outcomes:
        matches = o.matches or []
        by_type = ((t, sum(m.type == t for m in matches)) for t in o.types)
        listed.add_row(
            ours, peer, f"{len(matches):,}", f"{o.total_s:.2f}", size(o.sent + o.received),
            ", ".join(f"{n} {t}" for t, n in by_type if n),
        )  # fmt: skip
    stdout.print(listed)
    say()
    say(("What each side learned", "bold"))
    say("  who dialled   which of its own indicators the other holds; the other's size class")
    say("  who answered  the other's size class, and nothing of what it holds")
    say()
    verdict = ("verified", "bold green") if verified else ("do not verify", "bold red")
    say("Ledgers of all members: ", verdict)
