"""``demo --alliance``: five members with real public addresses count together, and one drops out."""

import asyncio
import tempfile
from collections import Counter
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any

from crypto.secagg.base import Step
from exchange.aggregation.dictionary import Dictionary
from exchange.aggregation.opening import Measure, Opening
from exchange.cli.output import emit, say, stdout, steps, table
from exchange.clock import utc_now
from exchange.config import Home
from exchange.data import alliance_samples
from exchange.indicators import Indicator
from exchange.indicators.readers import read
from exchange.local.alliance import command, found, serving, take_in
from exchange.node import Node
from exchange.store.aggregations import Aggregations
from exchange.store.home import verify_ledger
from exchange.together.convening import Plan, convene
from exchange.together.joining import Joining
from exchange.together.outcome import Outcome, result

ALLIANCE = "demo.local"
LOST = "tweetfeed"
"""Whose process is killed."""
STEP_S = 10
REPORTERS = 2
SHOWN = 12


def count_together(as_json: bool) -> None:
    """Five members count; the process of one is killed when it has dealt its shares."""
    feeds = alliance_samples()
    with (
        tempfile.TemporaryDirectory(prefix="cosight-demo-") as folder,
        steps(len(feeds) + 6, as_json) as begin,
    ):
        begin("founding an alliance: keys, certificates, invitations, roster")
        homes = dict(zip(feeds, found(ALLIANCE, list(feeds), Path(folder)), strict=True))
        holds: dict[str, set[Indicator]] = {}
        for member, path in feeds.items():
            begin(f"{member} imports its own sightings")
            take_in(homes[member], member, path, own=True)
            holds[member] = _indicators(path)
        begin("the first member opens a count over all of these addresses")
        opening = _open(homes, holds)
        outcome = asyncio.run(_run(homes, opening, begin))
        verified = all(verify_ledger(home).ok for home in homes.values())
    survivors = [opening.members[position] for position in outcome.counted.tally.survivors]
    plainly = Counter(one for member in survivors for one in holds[member])
    exact = {row.indicator: row.number for row in outcome.rows()} == {
        one: count for one, count in plainly.items() if count >= REPORTERS
    }
    told = _told(holds, survivors, outcome) | {"exact": exact, "ledger_verified": verified}
    emit(as_json, told, lambda: _show(told))


def _indicators(path: Path) -> set[Indicator]:
    return {
        Indicator(kind, value)
        for batch in read(path)
        for kind, values in batch.values.items()
        for value in values
    }


def _open(homes: dict[str, Home], holds: dict[str, set[Indicator]]) -> Opening:
    today = utc_now().date()
    plan = Plan(
        dictionary=Dictionary.of(set[Indicator]().union(*holds.values())),
        measure=Measure.COUNT,
        window=(today - timedelta(days=1), today),
        purpose="demonstration",
        reporters=REPORTERS,
        step_s=STEP_S,
    )
    with Node(homes[min(homes)]) as node:
        return convene(node, plan)


async def _run(homes: dict[str, Home], opening: Opening, begin: Any) -> Outcome:
    """All join; the one that will be lost runs in a process of its own."""
    async with serving(homes[opening.coordinator]) as said:
        with ExitStack() as stack:
            where = said["address"]
            nodes = {member: stack.enter_context(Node(home)) for member, home in homes.items()}
            begin("all members join: a coordinator process, mutual TLS, every policy decides")
            for node in nodes.values():
                joining = Joining(node)
                kept = await joining.take_up(opening, address=where)
                await joining.go_on(kept, address=where, only_join=True)
            nodes.pop(LOST).close()
            begin(f"{LOST} deals its shares, and its process is killed")
            await _lose(homes[LOST], homes[opening.coordinator], opening, where)
            begin(
                f"the others go on; their numbers wait {STEP_S} s for {LOST}, then they are added up without"
            )
            parts = [Joining(node) for node in nodes.values()]
            going = (part.go_on(part.find(opening.name), address=where) for part in parts)
            await asyncio.gather(*going)
            begin("checking every ledger, and the sum against plain counting")
            return result(nodes[opening.coordinator], opening.name)


async def _lose(home: Home, coordinator: Home, opening: Opening, where: str) -> None:
    """Have a member go on in a process of its own until its shares are dealt; then kill that."""
    words = ("aggregate", "run", "--home", str(home.path), "--address", where, "--json")
    process = await asyncio.create_subprocess_exec(
        *command(*words), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    folder = Aggregations(coordinator).find(opening.context)
    assert folder is not None
    position = opening.members.index(home.member)
    end = monotonic() + STEP_S  # killed before it dealt, it is lost all the same
    while folder.said(Step.DEALING, position) is None and monotonic() < end:  # noqa: ASYNC110  # a file
        await asyncio.sleep(0.05)
    process.kill()
    await process.wait()


def _told(holds: dict[str, set[Indicator]], survivors: list[str], outcome: Outcome) -> dict[str, Any]:
    rows = outcome.rows()
    return {
        "members": [{"member": member, "holds": len(held)} for member, held in holds.items()],
        "entries": outcome.opening.entries,
        "survivors": survivors,
        "lost": [member for member in holds if member not in survivors],
        "signed_by": [outcome.opening.members[p] for p in sorted(outcome.counted.tally.signatures)],
        "released": [
            {"type": str(row.indicator.type), "value": row.indicator.value, "number": row.number}
            for row in rows
        ],
    }


def _show(told: dict[str, Any]) -> None:
    say(("Five members, each with its own sightings", "bold"))
    listed = table("", "member", "addresses", "", numbers=("addresses",))
    for member in told["members"]:
        gone = "its process was killed in the middle" if member["member"] in told["lost"] else ""
        listed.add_row(member["member"], f"{member['holds']:,}", gone)
    stdout.print(listed)
    say()
    released = told["released"]
    say(
        (f"{len(released):,} of {told['entries']:,} addresses", "bold"),
        f" were seen by at least {REPORTERS} of the {len(told['survivors'])} members that are left",
    )
    listed = table("", "address", "seen by", numbers=("seen by",))
    for row in released[:SHOWN]:
        listed.add_row(row["value"], str(row["number"]))
    stdout.print(listed)
    if len(released) > SHOWN:
        say((f"and {len(released) - SHOWN:,} more: --json prints all", "dim"))
    say()
    say(("What each learned", "bold"))
    say(f"  every member   how many saw an address, not who; its node shows it from {REPORTERS} on")
    say("  coordinator    the same; what passed through it looks random")
    say(f"  nobody         the numbers of {LOST}, which are in no sum")
    say()
    verdict = ("equal", "bold green") if told["exact"] else ("differ", "bold red")
    say("Counted secretly and plainly: ", verdict)
    verdict = ("verified", "bold green") if told["ledger_verified"] else ("do not verify", "bold red")
    say("Ledgers of all members: ", verdict)
