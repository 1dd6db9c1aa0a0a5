"""One party of a measured session: ``python -m exchange.bench.party HOME LINES [ADDRESS]``.

It takes one JSON object a line on standard input and answers each with one; it ends when that closes, so it
does not outlive whoever measures. ``{"do": "begin"}`` forgets the peak of memory and the steps; ``{"do":
"run", "protocol": P, "address": A}`` is a match (receiver); ``{"do": "report"}`` tells the steps of the
sessions since, the processor's time and the peak. With an address it serves there. The node is a whole one:
policy, agreement, ledger, TLS and receipts.
"""

import asyncio
import json
import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crypto.psi import DISCOVERED, Output
from exchange.agreement import Rung
from exchange.bench.measuring import forget_peak, peak_mib
from exchange.bench.psi import SEEN
from exchange.config import Home
from exchange.disclosure import Wish
from exchange.disclosure import drive as told
from exchange.errors import CosightError
from exchange.indicators import IndicatorType
from exchange.indicators.context import Context
from exchange.local.lines import Lines
from exchange.node import Node

SIGHTINGS = "sightings"
SAID = Context(sightings=SEEN, confidence=80, malware=("example",), tags=("benchmark",))
"""What a party says of each item. It travels filled up to a fixed size, so how much is said costs nothing."""


class Spoken(Lines):
    """Lines of which something is said, so that there are contexts to send and numbers to add up."""

    __slots__ = ()

    def of(self, ids: NDArray[np.int64]) -> list[Context]:
        """The same of each."""
        return [SAID] * len(ids)


class Steps(logging.Handler):
    """The steps that roles told: ``(what, message, seconds)``."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.told: list[tuple[str, str, float]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a step."""
        assert isinstance(record.args, tuple)
        what, which, seconds = record.args
        self.told.append((str(what), str(which), float(seconds)))  # type: ignore[arg-type]


def wish_of(protocol: str) -> Wish:
    """What a match with this protocol asks for."""
    found = DISCOVERED[protocol]
    rung = Rung(found.reveals)
    return Wish(
        rung=rung,
        types=(IndicatorType.DOMAIN,),
        protocol=protocol,
        output=min(found.outputs, key=list(Output).index),
        over=SIGHTINGS if rung is Rung.SUM else "",
    )


class Party:
    """A node with the lines of a file, and what is asked of it."""

    def __init__(self, node: Node, steps: Steps, items: Lines) -> None:
        self._node = node
        self._steps = steps
        self._items = items
        self._cpu_s = process_time()

    async def begin(self) -> dict[str, Any]:
        """Forget what was."""
        forget_peak()
        self._steps.told.clear()
        self._cpu_s = process_time()
        return {}

    async def run(self, protocol: str, address: str) -> dict[str, Any]:
        """One match."""
        outcome = await self._node.match("sender", wish_of(protocol), address=address)
        return {
            "total_s": outcome.total_s,
            "offline_s": outcome.offline_s,
            "sent": outcome.sent,
            "received": outcome.received,
            "count": outcome.count,
            "total": outcome.found.total,
            "contexts": None if (said := outcome.found.contexts) is None else said.count(SAID),
        }

    async def report(self) -> dict[str, Any]:
        """What was since ``begin``."""
        return {
            "steps": self._steps.told,
            "cpu_s": process_time() - self._cpu_s,
            "peak_mib": peak_mib(),
        }


async def serve(home: Home, lines: Path, listen: str | None) -> None:
    """Be the party until standard input closes."""
    steps = Steps()
    told.log.setLevel(logging.DEBUG)
    told.log.propagate = False
    told.log.addHandler(steps)
    start = perf_counter()
    items = Spoken.read(lines)
    hash_s = perf_counter() - start
    with Node(home, items=items) as node:
        ready: dict[str, Any] = {"items": len(items.rows), "hash_s": hash_s, "pid": os.getpid()}
        if listen is not None:
            ready["port"] = await node.serve(f"{listen}:0")
        _say(ready)
        party = Party(node, steps, items)
        while line := await asyncio.to_thread(sys.stdin.readline):
            _say(await _answer(party, json.loads(line)))
        await node.stop()


async def _answer(party: Party, asked: Mapping[str, Any]) -> dict[str, Any]:
    match asked["do"]:
        case "begin":
            return await party.begin()
        case "run":
            try:
                return await party.run(asked["protocol"], asked["address"])
            except CosightError as e:
                return {"failed": str(e)}
        case "report":
            return await party.report()
    raise ValueError(asked["do"])


def _say(what: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Read the arguments, and serve."""
    home, lines, *listen = sys.argv[1:]
    asyncio.run(serve(Home.open(Path(home)), Path(lines), listen[0] if listen else None))


if __name__ == "__main__":
    main()
