"""``psi``: one protocol on two files, both parties on this machine; for researchers and scripts."""

import asyncio
import resource
import secrets
import sys
import tempfile
from collections.abc import Collection
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from crypto import hashing, session
from crypto.psi import PROTOCOLS, Matches, Params
from crypto.rows import Rows
from exchange.agreement import Rung, size_class
from exchange.cli import TRY, app
from exchange.cli.home import check_writable
from exchange.cli.local import found, serving
from exchange.cli.output import JsonOption, emit, say, size, waiting
from exchange.config import write_atomic
from exchange.disclosure import Wish
from exchange.errors import InputError
from exchange.indicators import Indicator, IndicatorType
from exchange.node import Node

KIND = "line"


class Transport(StrEnum):
    """How the two parties talk."""

    MEMORY = "memory"
    GRPC = "grpc"


@dataclass(frozen=True, slots=True)
class Lines:
    """A set that comes from the lines of a file: the rows, and where each was. Stands in for a store."""

    rows: Rows = field(repr=False)
    ids: NDArray[np.int64] = field(repr=False)

    @classmethod
    def read(cls, path: Path) -> "Lines":
        """Every distinct line that is not empty is an item, as it is but for its line end.

        Raises:
            InputError: the file cannot be read as UTF-8.
        """
        distinct = distinct_lines(path)
        return cls(hashing.item_rows(KIND, distinct), np.arange(len(distinct), dtype=np.int64))

    def size(self, _types: Collection[IndicatorType], *, now: datetime) -> int:  # noqa: ARG002
        """How many there are."""
        return len(self.rows)

    def item_set(self, _types: Collection[IndicatorType], *, now: datetime) -> "Lines":  # noqa: ARG002
        """All of them."""
        return self

    def values(self, ids: NDArray[np.int64]) -> list[Indicator]:
        """Stand-ins: what was matched is told by position."""
        return [Indicator(IndicatorType.DOMAIN, str(i)) for i in ids]


def distinct_lines(path: Path) -> list[str]:
    """The distinct lines of a file that are not empty, in their order.

    Raises:
        InputError: the file cannot be read as UTF-8.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as e:
        raise InputError(f"{path} cannot be read: {e.strerror}") from e
    except UnicodeDecodeError as e:
        raise InputError(f"{path} is not UTF-8 after {e.start} bytes") from e
    return list(dict.fromkeys(line for line in lines if line))


@app.command(rich_help_panel=TRY)
def psi(
    a: Annotated[Path, typer.Argument(metavar="A", help="The receiver's items, one a line.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="The sender's items, one a line.")],
    protocol: Annotated[str, typer.Option(help="One of: " + ", ".join(PROTOCOLS))] = "voprf",
    transport: Annotated[
        Transport, typer.Option(help="memory: one process; grpc: two, mutual TLS over loopback.")
    ] = Transport.MEMORY,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write the shared lines here.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Intersect the lines of two files with a protocol, both parties here. Lines are compared as they are."""
    if protocol not in PROTOCOLS:
        raise typer.BadParameter(f"there is no protocol {protocol!r}", param_hint="--protocol")
    if out is not None:
        check_writable(out)
    with waiting(f"{protocol} over {transport}", as_json):
        run = _in_memory if transport is Transport.MEMORY else _over_grpc
        result, positions = run(protocol, a, b)
    if out is not None:
        lines = distinct_lines(a)
        write_atomic(out, "".join(f"{lines[i]}\n" for i in positions).encode(), mode=0o644)

    def show() -> None:
        sent, seconds = result["bytes"], result["seconds"]["total"]
        say((f"{len(positions):,} shared", "bold"), f" of {result['n_r']:,} and {result['n_s']:,}")
        say(
            f"{seconds:.3f} s, {size(sent['receiver_sent'])} from the receiver,"
            f" {size(sent['sender_sent'])} from the sender, peak memory {result['peak_rss_mib']:.0f} MiB"
        )
        if out is not None:
            say("the shared lines are in ", (str(out), "bold"))

    emit(as_json, result, show)


def _in_memory(protocol: str, a: Path, b: Path) -> tuple[dict[str, Any], list[int]]:
    """Both roles in this thread; the bytes are the payload of the messages."""
    ours, theirs = Lines.read(a), Lines.read(b)
    params = Params(n_r=_declared(ours), n_s=_declared(theirs), context=secrets.token_bytes(32))
    found_protocol = PROTOCOLS[protocol]
    start, offline = perf_counter(), 0.0

    def watch(message: session.Message) -> session.Message:
        nonlocal offline
        if type(message) in found_protocol.offline:
            offline = perf_counter() - start
        return message

    matches, _ = session.run(
        found_protocol.receiver(ours.rows, params),
        found_protocol.sender(theirs.rows, params),
        on_message=watch,
    )
    seconds = {"total": perf_counter() - start, "offline": offline}
    sent = dict(zip(("receiver_sent", "sender_sent"), found_protocol.traffic(params), strict=True))
    result = _result(protocol, Transport.MEMORY, (len(ours.rows), len(theirs.rows)), matches, seconds, sent)
    return result, matches.indices.tolist()


def _over_grpc(protocol: str, a: Path, b: Path) -> tuple[dict[str, Any], list[int]]:
    """Two nodes of a passing alliance: this process receives, a child sends. Policy, ledger, TLS and all."""
    ours = Lines.read(a)

    async def run() -> tuple[dict[str, Any], list[int]]:
        async with AsyncExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cosight-psi-")))
            receiver, sender = found("psi.local", ("receiver", "sender"), folder)
            child = await stack.enter_async_context(serving(sender, "--lines", str(b)))
            node = stack.enter_context(Node(receiver, items=ours))
            wish = Wish(rung=Rung.OVERLAP, types=(IndicatorType.DOMAIN,), protocol=protocol)
            outcome = await node.match("sender", wish, address=child["address"])
            positions = [int(m.value) for m in outcome.matches or []]
            sent = {"receiver_sent": outcome.sent, "sender_sent": outcome.received}
            sizes = (len(ours.rows), child["items"])
            matches = Matches(np.array(positions, dtype=np.int64))
            seconds = {"total": outcome.total_s, "offline": outcome.offline_s}
            return _result(protocol, Transport.GRPC, sizes, matches, seconds, sent, child["pid"]), positions

    return asyncio.run(run())


def _declared(lines: Lines) -> int:
    return size_class(len(lines.rows))


def _result(
    protocol: str, transport: Transport, sizes: tuple[int, int], matches: Matches,
    seconds: dict[str, float], sent: dict[str, int], child: int | None = None,
) -> dict[str, Any]:  # fmt: skip
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    peaks = {"receiver": own} if child is None else {"receiver": own, "sender": _peak_mib(child)}
    return {
        "protocol": protocol,
        "transport": str(transport),
        "n_r": sizes[0],
        "n_s": sizes[1],
        "intersection": {"count": len(matches.indices)},
        "seconds": {
            "total": round(seconds["total"], 4),
            "offline": round(seconds["offline"], 4),
            "online": round(seconds["total"] - seconds["offline"], 4),
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
