"""The counter of ATR/1: which tags at least ``t`` batches hold, and which batches lie.

It sees tags, points and shares of batches without names. A tag is the hash of a secret, and the shares lie on
a polynomial that follows from that secret: ``t`` right shares give it, its tag confirms it, and with it each
other share is right or its batch lies. A batch that lies once is not counted at all. Nobody can be blamed
wrongly, even by ``t`` members together: they cannot change the polynomial that a tag belongs to.

Garbage can hide the secret among selections of ``t`` shares. All are tried where they are at most
``MAX_SELECTIONS``, which are all of 15 members' or fewer; of more, as many at random, and no more than
``MAX_WORK`` for a run. What stays hidden is counted as ``unresolved`` and not released.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from math import comb

import numpy as np
from numpy.typing import NDArray

from crypto import hashing, labels, rows
from crypto.commitment import Opening, verify_opening
from crypto.errors import ParameterError
from crypto.rows import Rows
from crypto.secagg.batches import Batch, leaves, open_root
from crypto.secagg.discovery import FIELD_BYTES, RECORD_BYTES, Setup, in_field, recover, shares_of, tags_of

MAX_SELECTIONS = 1 << 13
MAX_WORK = 1 << 22
_FIRST_SEARCH = 64
_Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Lie:
    """A share that is wrong, and what shows it: anybody who sees the record can compute the right one.

    Attributes:
        batch: the name of the batch.
        record: 48 bytes of it.
        secret: 16 bytes, whose hash is the record's tag.
    """

    batch: bytes
    record: bytes = field(repr=False)
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Proof:
    """That a wrong record is one of those that a member signed.

    Attributes:
        record: 48 bytes.
        secret: 16 bytes, whose hash is its tag.
        count: how many records were signed.
        opening: of the root that was signed.
    """

    record: bytes = field(repr=False)
    secret: bytes = field(repr=False)
    count: int
    opening: Opening = field(repr=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the counter signs and releases.

    Attributes:
        released: ``(k, 32)`` uint8, tags and secrets, ascending.
        voices: ``(k,)`` int64, how many members stand behind each.
        root: 32 bytes over all tags and their numbers, also those below the threshold.
        batches: how many were counted.
        lies: of each batch that was left out, one.
        unresolved: of how many tags no ``t`` shares agree, though there are as many.
    """

    released: Rows
    voices: _Indices
    root: bytes
    batches: int
    lies: tuple[Lie, ...]
    unresolved: int

    def digest(self, setup: Setup) -> bytes:
        """32 bytes over all but the names of batches, to be signed. Whoever counts again has the same."""
        numbers = np.array([*self.voices, self.batches, len(self.lies), self.unresolved], "<u8")
        return hashing.derive_key(
            labels.DISCOVERY_OUTCOME, setup.context, self.root, self.released, numbers.tobytes()
        )


def shows(lie: Lie, setup: Setup) -> bool:
    """Whether the record of a lie is wrong indeed. One that is none, or no secret, shows nothing."""
    if len(lie.record) != RECORD_BYTES or len(lie.secret) != FIELD_BYTES:
        return False
    record = np.frombuffer(lie.record, np.uint8).reshape(1, RECORD_BYTES)
    tag, point, share = (np.ascontiguousarray(part) for part in np.split(record, 3, axis=1))
    secret = np.frombuffer(lie.secret, np.uint8).reshape(1, FIELD_BYTES)
    if not (in_field(point, zero=False) & in_field(secret, zero=False))[0]:
        return False
    is_its = np.array_equal(tags_of(secret, setup), tag)
    return is_its and not np.array_equal(shares_of(secret, point, setup), share)


def prove(lie: Lie, batch: Batch, setup: Setup) -> Proof:
    """What shows a lie to whoever has the root that was signed with the batch, and nothing else of it."""
    record = np.frombuffer(lie.record, np.uint8).reshape(1, RECORD_BYTES)
    return Proof(lie.record, lie.secret, len(batch.records), open_root(batch, record, setup))


def proves(proof: Proof, root: bytes, setup: Setup) -> bool:
    """Whether a record that was signed is wrong. One that is right, or was not signed, proves nothing."""
    if not shows(Lie(b"", proof.record, proof.secret), setup):
        return False
    row = leaves(np.frombuffer(proof.record, np.uint8).reshape(1, RECORD_BYTES), setup)[0].tobytes()
    return verify_opening(root, proof.count, row, proof.opening)


def count(batches: Sequence[Batch], setup: Setup) -> Outcome:
    """Count voices: different points behind one tag, of batches whose tokens were confirmed.

    Args:
        batches: of ``batches.open_batch``, one of each member at most.
        setup: of the session.

    Raises:
        ParameterError: there are more batches than members, or one comes twice.
    """
    if len(batches) > setup.members or len({batch.name for batch in batches}) < len(batches):
        raise ParameterError("there is at most one batch of each member")
    table = _table(batches)
    seed = hashing.derive_key(labels.DISCOVERY_SEARCH, setup.context, table)
    lies: dict[int, Lie] = {}
    while True:
        groups = _Groups(_without(table, lies), setup, seed)
        found = groups.recover(groups.candidates, 1) or groups.search()
        if not found:
            return groups.outcome(len(batches) - len(lies), lies)
        lies |= {batch: Lie(batches[batch].name, *parts) for batch, parts in found.items()}


class _Groups:
    """Records in order, in groups of one tag."""

    def __init__(self, table: Rows, setup: Setup, seed: bytes) -> None:
        self._setup, self._seed, self._batch = setup, seed, table[:, -1]
        parts = np.split(table[:, :RECORD_BYTES], 3, axis=1)
        tags, self._points, self._shares = (np.ascontiguousarray(part) for part in parts)
        starts = _changes(tags)
        points = starts | _changes(self._points)
        self._distinct = points | _changes(self._shares)
        self._group = np.cumsum(starts) - 1
        self.tags = tags[starts]
        self.voices = self._sizes(np.flatnonzero(points))
        self.candidates = np.flatnonzero(self.voices >= setup.threshold)
        self._secrets = np.zeros_like(self.tags)
        self._found = np.zeros(len(self.tags), np.bool_)

    def _sizes(self, which: _Indices) -> _Indices:
        return np.bincount(self._group[which], minlength=len(self.tags))

    def _rows_of(self, groups: _Indices) -> _Indices:
        wanted = np.zeros(len(self.tags), np.bool_)
        wanted[groups] = True
        return np.flatnonzero(wanted[self._group])

    def recover(self, groups: _Indices, limit: int) -> dict[int, tuple[bytes, bytes]]:
        """Look for the secrets of some groups, and for one lie of each batch about what is found."""
        mine = self._rows_of(groups)
        mine = mine[self._distinct[mine]]
        secrets, found = recover(
            self._points[mine],
            self._shares[mine],
            np.cumsum(self._sizes(mine)[groups]),
            self.tags[groups],
            self._setup,
            limit=limit,
            seed=self._seed,
        )
        self._secrets[groups], self._found[groups] = secrets, found
        return self._lies(self._rows_of(groups[found]))

    def _lies(self, judged: _Indices) -> dict[int, tuple[bytes, bytes]]:
        secrets = self._secrets[self._group[judged]]
        right = shares_of(secrets, self._points[judged], self._setup)
        wrong = np.any(right != self._shares[judged], axis=1)
        batches, first = np.unique(self._batch[judged[wrong]], return_index=True)
        lies = {}
        for batch, at in zip(batches.tolist(), np.flatnonzero(wrong)[first], strict=True):
            row = judged[at]
            record = (self.tags[self._group[row]], self._points[row], self._shares[row])
            lies[batch] = (b"".join(part.tobytes() for part in record), secrets[at].tobytes())
        return lies

    def search(self) -> dict[int, tuple[bytes, bytes]]:
        """Try more selections, for a few groups first: a batch that lies about one lies about more."""
        threshold, work, size = self._setup.threshold, MAX_WORK, _FIRST_SEARCH
        costs = [min(comb(n, threshold), MAX_SELECTIONS) for n in range(self._setup.members + 1)]
        left = self.candidates[~self._found[self.candidates]]
        cost = np.array(costs)[self._sizes(np.flatnonzero(self._distinct))[left]]
        while len(left):
            size = min(size, int(np.searchsorted(np.cumsum(cost), work, side="right")))
            if size == 0:
                break
            if lies := self.recover(left[:size], MAX_SELECTIONS):
                return lies
            work -= int(cost[:size].sum())
            left, cost, size = left[size:], cost[size:], 2 * size
        return {}

    def outcome(self, batches: int, lies: dict[int, Lie]) -> Outcome:
        """What is found, once no batch lies."""
        found = self._found
        numbers = self.voices.astype("<u2").view(np.uint8).reshape(-1, 2)
        return Outcome(
            released=np.concatenate([self.tags[found], self._secrets[found]], axis=1),
            voices=self.voices[found],
            root=hashing.derive_key(labels.DISCOVERY_ROOT, self._setup.context, self.tags, numbers),
            batches=batches,
            lies=tuple(lies.values()),
            unresolved=len(self.candidates) - int(found.sum()),
        )


def _table(batches: Sequence[Batch]) -> Rows:
    """All records, each with the number of its batch, in order. ``(n, 49)``."""
    parts = [np.insert(batch.records, RECORD_BYTES, number, axis=1) for number, batch in enumerate(batches)]
    return rows.sort(np.concatenate([np.empty((0, RECORD_BYTES + 1), np.uint8), *parts]))


def _without(table: Rows, batches: Collection[int]) -> Rows:
    return table[~np.isin(table[:, -1], np.array(list(batches), np.uint8))]


def _changes(table: Rows) -> NDArray[np.bool_]:
    """Which rows are others than the row before them."""
    changes = np.ones(len(table), np.bool_)
    changes[1:] = np.any(table[1:] != table[:-1], axis=1)
    return changes
