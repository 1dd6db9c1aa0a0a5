"""``psi``: one protocol on two files, both parties on this machine; for researchers and scripts."""

import asyncio
import resource
import secrets
import sys
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import numpy as np
import typer

from crypto import session
from crypto.psi import DISCOVERED, Brings, Output, Params, Protocol, Reveals
from exchange.agreement import Rung, size_class
from exchange.cli import TRY, app
from exchange.cli.home import check_writable
from exchange.cli.output import JsonOption, emit, say, size, waiting
from exchange.cli.results import as_found, in_words
from exchange.config import write_atomic
from exchange.disclosure import Found, Wish, found_of
from exchange.indicators import IndicatorType
from exchange.local import alliance
from exchange.local.alliance import BANDS, EPSILON_MILLI, LABEL_BYTES, serving
from exchange.local.lines import Lines
from exchange.node import Node

SIGHTINGS = "sightings"
"""What a sum of lines adds up: each was seen once."""


class Transport(StrEnum):
    """How the two parties talk."""

    MEMORY = "memory"
    GRPC = "grpc"


@app.command(rich_help_panel=TRY)
def psi(
    a: Annotated[Path, typer.Argument(metavar="A", help="The receiver's items, one a line.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="The sender's items, one a line.")],
    protocol: Annotated[str, typer.Option(help="One of: " + ", ".join(DISCOVERED))] = "voprf",
    transport: Annotated[
        Transport, typer.Option(help="memory: one process; grpc: two, mutual TLS over loopback.")
    ] = Transport.MEMORY,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write the shared lines here.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Intersect the lines of two files with a protocol, both parties here. Lines are compared as they are."""
    if protocol not in DISCOVERED:
        raise typer.BadParameter(f"there is no protocol {protocol!r}", param_hint="--protocol")
    if out is not None:
        if DISCOVERED[protocol].reveals not in {Reveals.OVERLAP, Reveals.CONTEXT}:
            raise typer.BadParameter(f"{protocol} does not tell which lines are shared", param_hint="--out")
        check_writable(out)
    with waiting(f"{protocol} over {transport}", as_json):
        run = _in_memory if transport is Transport.MEMORY else _over_grpc
        result, found, lines = run(protocol, a, b)
        start = perf_counter()
        if out is not None:
            write_atomic(out, lines, mode=0o644)
        result["seconds"]["write"] = round(perf_counter() - start, 4)

    def show() -> None:
        sent, seconds = result["bytes"], result["seconds"]["total"]
        words = in_words(found, SIGHTINGS) or ("nothing", "not told")
        told = "" if found.ids is not None else f", {words[1]}"
        say((words[0], "bold"), f" of {result['n_r']:,} and {result['n_s']:,}{told}")
        say(
            f"{seconds:.3f} s, {size(sent['receiver_sent'])} from the receiver,"
            f" {size(sent['sender_sent'])} from the sender, peak memory {result['peak_rss_mib']:.0f} MiB"
        )
        if out is not None:
            say("the shared lines are in ", (str(out), "bold"))

    emit(as_json, result, show)


def _in_memory(protocol: str, a: Path, b: Path) -> tuple[dict[str, Any], Found, bytes]:
    """Both roles in this thread; the bytes are the payload of the messages."""
    reading = perf_counter()
    ours, theirs = Lines.read(a), Lines.read(b)
    found_protocol = DISCOVERED[protocol]
    params = Params(
        n_r=_declared(ours), n_s=_declared(theirs), context=secrets.token_bytes(32),
        output=min(found_protocol.outputs, key=list(Output).index),
        label_bytes=LABEL_BYTES, epsilon_milli=EPSILON_MILLI, bands=BANDS,
    )  # fmt: skip
    start = offline = perf_counter()

    def watch(message: session.Message) -> session.Message:
        nonlocal offline
        if type(message) in found_protocol.offline:
            offline = perf_counter()
        return message

    output, _ = session.run(
        found_protocol.receiver(ours.rows, params),
        found_protocol.sender(theirs.rows, params, **_brought(found_protocol, len(theirs.rows))),
        on_message=watch,
    )
    seconds = Seconds(read=start - reading, total=perf_counter() - start, offline=offline - start)
    sent = dict(zip(("receiver_sent", "sender_sent"), found_protocol.traffic(params), strict=True))
    sizes = (len(ours.rows), len(theirs.rows))
    found = found_of(ours, output, ours=len(ours.rows), peer_padded=params.n_s)
    return _result(protocol, Transport.MEMORY, sizes, found, seconds, sent), found, _shared(ours, found)


def _over_grpc(protocol: str, a: Path, b: Path) -> tuple[dict[str, Any], Found, bytes]:
    """Two nodes of a passing alliance: this process receives, a child sends. Policy, ledger, TLS and all."""

    def read() -> tuple[Lines, float]:
        start = perf_counter()
        return Lines.read(a), perf_counter() - start

    async def run() -> tuple[dict[str, Any], Found, bytes]:
        async with AsyncExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cosight-psi-")))
            receiver, sender = alliance.found("psi.local", ("receiver", "sender"), folder)
            reading = asyncio.create_task(asyncio.to_thread(read))  # while the child starts
            child = await stack.enter_async_context(serving(sender, "--lines", str(b)))
            ours, read_s = await reading
            node = stack.enter_context(Node(receiver, items=ours))
            rung = Rung(DISCOVERED[protocol].reveals)
            wish = Wish(
                rung=rung, types=(IndicatorType.DOMAIN,), protocol=protocol,
                output=min(DISCOVERED[protocol].outputs, key=list(Output).index),
                over=SIGHTINGS if rung is Rung.SUM else "",
            )  # fmt: skip
            outcome = await node.match("sender", wish, address=child["address"])
            sent = {"receiver_sent": outcome.sent, "sender_sent": outcome.received}
            seconds = Seconds(read=read_s, total=outcome.total_s, offline=outcome.offline_s)
            sizes = (len(ours.rows), child["items"])
            result = _result(protocol, Transport.GRPC, sizes, outcome.found, seconds, sent, child["pid"])
            return result, outcome.found, _shared(ours, outcome.found)

    return asyncio.run(run())


@dataclass(frozen=True, slots=True)
class Seconds:
    """How long what took: reading our file, the run, and of it what was done before items mattered."""

    read: float
    total: float
    offline: float


def _brought(protocol: Protocol, n: int) -> dict[str, Any]:
    """What a sender brings of lines: each was seen once, and nothing is said of it."""
    brought: dict[Brings, dict[str, Any]] = {
        Brings.VALUES: {"values": np.ones(n, np.uint64)},
        Brings.CONTEXTS: {"contexts": [b""] * n},
    }
    return brought.get(protocol.brings, {})


def _shared(lines: Lines, found: Found) -> bytes:
    return b"" if found.ids is None else lines.text(found.ids)


def _declared(lines: Lines) -> int:
    return size_class(len(lines.rows))


def _result(
    protocol: str, transport: Transport, sizes: tuple[int, int], found: Found, seconds: Seconds,
    sent: dict[str, int], child: int | None = None,
) -> dict[str, Any]:  # fmt: skip
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    peaks = {"receiver": own} if child is None else {"receiver": own, "sender": _peak_mib(child)}
    return {
        "protocol": protocol,
        "transport": str(transport),
        "n_r": sizes[0],
        "n_s": sizes[1],
        "intersection": {name: v for name, v in as_found(found, None, SIGHTINGS).items() if name != "items"},
        "seconds": {
            "total": round(seconds.total, 4),
            "offline": round(seconds.offline, 4),
            "online": round(seconds.total - seconds.offline, 4),
            "read": round(seconds.read, 4),
        },
        "bytes": sent,
        "peak_rss_mib": round(max(peaks.values()), 1),
        "peak_rss_mib_by_party": {party: round(mib, 1) for party, mib in peaks.items()},
    }


def _peak_mib(pid: int) -> float:
    """Peak memory of a running process, from the kernel's own account (Linux)."""
    if sys.platform != "linux":
        return 0.0
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0
