"""What a run found, in the words of the use case."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from crypto.psi import DISCOVERED, Count, Matches, Output, Protocol
from exchange.agreement import Rung
from exchange.disclosure.planting import sorted_out
from exchange.disclosure.world import ItemSet

SERVED = {str(protocol.reveals) for protocol in DISCOVERED.values()}
"""The rungs that there is a protocol for."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a run told us.

    Attributes:
        count: how many items of ours matched; None where we do not learn it.
        ids: which, where we learn that.
        canaries: how many canaries matched, where we can tell.
    """

    count: int | None = None
    ids: NDArray[np.int64] | None = field(default=None, repr=False)
    canaries: int = 0


def found_in(items: ItemSet, output: Matches | Count | None) -> Found:
    """What the output of a role says of our items."""
    if output is None:
        return Found()
    if isinstance(output, Count):
        return Found(output.count)
    ids, canaries = sorted_out(items.ids[output.indices])
    return Found(len(ids), ids, canaries)


def fits(protocol: Protocol, rung: Rung, output: Output) -> bool:
    """Whether a protocol reveals what a rung stands for, to those who are to learn it.

    Of a rung that no protocol serves, the sizes among them, that cannot be said: the policy decides on those.
    """
    return (str(rung) not in SERVED or str(protocol.reveals) == str(rung)) and output in protocol.outputs
