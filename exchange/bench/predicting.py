"""What sessions would take over a link that cannot be made here: predicted, and marked as that."""

from collections.abc import Iterator, Sequence
from functools import cache
from math import inf, sqrt
from typing import Any

from crypto.psi import DISCOVERED
from exchange.bench.links import Link
from exchange.planning import Computing, Line, measure, predict, setting

_SEGMENT_BYTES = 1448


def line_of(link: Link) -> Line:
    """What a link is to TCP, as far as that can be said.

    Where packets are lost, one connection carries at most 1.22 segments / (round trip * sqrt(loss)), whatever
    the link could carry (Mathis, Semke, Mahdavi, Ott, CCR 1997).
    """
    rate = inf if link.bits_per_s is None else link.bits_per_s / 8
    if link.loss and link.round_trip_s:
        rate = min(rate, 1.22 * _SEGMENT_BYTES / (link.round_trip_s * sqrt(link.loss)))
    return Line(link.round_trip_s, rate)


def predictions(names: Sequence[str], link: Link, n: int, why: str) -> Iterator[dict[str, Any]]:
    """For each protocol a gap, as ``exchange.bench.runner.in_turn`` writes one, with what was ``predicted``.

    Args:
        names: of protocols.
        link: that cannot be made.
        n: items of either side.
        why: it cannot be made.
    """
    for name in names:
        protocol = DISCOVERED[name]
        cost = predict(protocol, _computing(name), line_of(link), setting(protocol, n, n))
        yield {
            "subject": name, "repeat": 0, "line": {}, "gap": f"not run: {why}",
            "predicted": {
                "seconds": cost.seconds,
                "bytes": {"receiver": cost.receiver_bytes, "sender": cost.sender_bytes},
            },
        }  # fmt: skip


@cache
def _computing(name: str) -> Computing:
    """Measured once in a process."""
    return measure(DISCOVERED[name])
