"""What a run found, in the words of the use case."""

from bisect import bisect_left
from collections.abc import Iterable

import numpy as np

from crypto.psi import (
    DISCOVERED,
    Band,
    Contexts,
    Count,
    Estimate,
    Matches,
    Noisy,
    Output,
    Protocol,
    Result,
    Total,
)
from exchange.agreement import Rung, size_class
from exchange.disclosure import bringing
from exchange.disclosure.books import Entry
from exchange.disclosure.desk import Estimated, Found
from exchange.disclosure.planting import sorted_out
from exchange.disclosure.world import ItemSet

SERVED = {str(protocol.reveals) for protocol in DISCOVERED.values()}
"""The rungs that there is a protocol for."""
CONFIDENCE = 0.99
"""Of the intervals that come with an estimate."""


def found_in(entry: Entry, items: ItemSet, output: Result | None) -> Found:
    """What the output of a role says of our items."""
    agreement, ours = entry.agreement, entry.ours
    assert agreement is not None
    assert ours is not None
    return found_of(items, output, ours=ours, peer_padded=agreement.padded_of(entry.peer))


def found_of(items: ItemSet, output: Result | None, *, ours: int, peer_padded: int) -> Found:
    """The same, from the sizes of the two sets.

    Args:
        items: our set.
        output: what our role returned.
        ours: how many items we put in.
        peer_padded: the size class that the peer declared.
    """
    match output:
        case None:
            found = Found()
        case Matches():
            found = _matched(items, output)
        case Count():
            found = Found(count=output.count)
        case Total():
            found = Found(count=output.count, total=output.total)
        case Band():
            found = Found(band=output)
        case Noisy():
            found = Found(noisy=output)
        case Estimate():
            found = Found(estimate=_estimated(output, ours, peer_padded))
    return found


def _matched(items: ItemSet, output: Matches) -> Found:
    matched = items.ids[output.indices]
    ids, canaries = sorted_out(matched)
    contexts = None
    if isinstance(output, Contexts):
        contexts = [bringing.read(output.contexts[place]) for place in np.flatnonzero(matched >= 0)]
    return Found(count=len(ids), ids=ids, canaries=canaries, contexts=contexts)


def _estimated(output: Estimate, ours: int, padded: int) -> Estimated:
    least = bisect_left(range(padded + 1), padded, key=size_class)
    jaccard, found = output.interval(CONFIDENCE), output.shared(ours, least, padded, CONFIDENCE)
    low, middle, high = (min(n, ours, padded) for n in found)
    shared = low, middle, high
    parts = zip(shared, (padded, (least + padded) / 2, least), strict=True)
    return Estimated(
        equal=output.equal, slots=output.slots, confidence=CONFIDENCE,
        jaccard=(jaccard[0], output.jaccard, jaccard[1]), shared=shared,
        of_ours=_triple(n / max(ours, 1) for n in shared), of_peers=_triple(n / max(m, 1) for n, m in parts),
    )  # fmt: skip


def _triple(parts: Iterable[float]) -> tuple[float, float, float]:
    low, middle, high = (min(part, 1.0) for part in parts)
    return low, middle, high


def fits(protocol: Protocol, rung: Rung, output: Output) -> bool:
    """Whether a protocol reveals what a rung stands for, to those who are to learn it.

    Of a rung that no protocol serves, the sizes among them, that cannot be said: the policy decides on those.
    """
    return (str(rung) not in SERVED or str(protocol.reveals) == str(rung)) and output in protocol.outputs
