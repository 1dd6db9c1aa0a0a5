"""Canaries among what we put in: values that no honest feed can hold, different for every peer.

They have no place in the store. In a set they have negative identifiers, by which a match on one is known.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from crypto.hashing import item_rows
from crypto.rows import Rows
from exchange.agreement import Rung
from exchange.disclosure.desk import Desk
from exchange.disclosure.world import ItemSet
from exchange.guards.canaries import canaries
from exchange.indicators import Indicator, IndicatorType
from exchange.policy import Policy


@dataclass(frozen=True, slots=True)
class Planted:
    """A set with canaries in it.

    Attributes:
        rows: ``(n, 32)`` uint8, distinct, in the order of their first bytes.
        ids: ``(n,)`` int64, the identifier of each; below zero for a canary.
    """

    rows: Rows = field(repr=False)
    ids: NDArray[np.int64] = field(repr=False)


def planted_for(
    desk: Desk, policy: Policy, peer: str, types: Sequence[IndicatorType], rung: Rung
) -> list[Indicator]:
    """The canaries that go into a set for a peer, as our policy says: none where they could not be told."""
    found = policy.terms(peer)
    if found is None or rung in {Rung.ESTIMATE, Rung.CARDINALITY, Rung.SUM}:
        return []
    return canaries(desk.guard_key, peer, types, found[1].canaries)


def plant(items: ItemSet, planted: list[Indicator]) -> ItemSet:
    """Put canaries into a set. Where they stand tells nothing: a set is in the order of its digests."""
    if not planted:
        return items
    made = np.concatenate([item_rows(one.type, [one.value]) for one in planted])
    rows = np.concatenate([items.rows, made])
    ids = np.concatenate([items.ids, -1 - np.arange(len(made))])
    order = np.argsort(rows[:, :8].copy().view(np.uint64)[:, 0])
    return Planted(rows[order], ids[order])


def sorted_out(ids: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """Return the identifiers of true matches, and how many canaries matched."""
    return ids[ids >= 0], int(np.count_nonzero(ids < 0))
