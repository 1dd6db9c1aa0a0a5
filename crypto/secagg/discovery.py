"""ATR/1: which items at least ``t`` members hold, without a dictionary.

Learns: a counter that knows no items, of how many anonymous batches hold the same unknown tag; a member,
    which of
its own items at least ``t`` members hold. The whole list, and what coalitions learn: ``LEAKS``.

Adversary: malicious members, helpers, relay and counter, of which neither all helpers nor relay and counter
work together. Then an item hides behind a key that nobody holds, and who holds it behind the relay. A member
still chooses what it puts in, within a quota of questions that each helper counts.

Who runs what, in this order:

- helper (``helpers``): ``epoch_key`` and ``token_key``, whose public keys it signs; ``evaluate`` for
  questions of both kinds; ``confirm`` for the counter, and of each token for one batch. Seeds are deleted
  when their epoch ends.
- member: ``helpers.ask``, each helper's ``evaluate``, ``helpers.learn`` for items without an output of this
  epoch; then for a session ``ask``, ``evaluate`` and ``spendable`` for its one token; ``records``, and
  ``batches.seal``.
- relay: takes one batch of each member, signs the list of their hashes, forwards in its order without names;
  each member checks that its own is on the list, and that there are no more than members.
- counter: ``batches.open_batch`` of each, ``confirm`` by each helper, ``counting.count``; signs the outcome.
- member: ``check_released`` and ``recognise``; where all are to learn the outcome, holders announce items,
  and the others ``ask`` for those and accept what ``announced`` accepts.

A node asks one counter. Whoever counts the same batches again, sealed to it as well, has the same
``counting.Outcome.digest``, or one of them lies.

Cost: a member computes three scalar multiplications an item and epoch, a helper one; a session takes hashes.
Bytes are in ``helpers.traffic`` and ``batches.sealed_bytes``.

Source: Davidson, Snyder, Quirk, Genereux, Livshits, Haddadi, "STAR: Secret Sharing for Private Threshold
Aggregation Reporting", CCS 2022, without its payload; Bellare, Dai, Rogaway, PoPETs 2020, for shares whose
secret is seen to be right; Davidson et al., "Privacy Pass", PoPETs 2018, for the token.
"""

from dataclasses import dataclass
from secrets import token_bytes
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from crypto import _native, hashing, labels, oprf, rows
from crypto.errors import ParameterError, VerificationError
from crypto.group import Rng
from crypto.rows import Rows
from crypto.secagg.helpers import ITEM_BYTES, MARK_BYTES, NONCE_BYTES, random_rows

CONTEXT_BYTES = 32
FIELD_BYTES = 16
"""Of a tag, and of an element of the field of 2^127 - 1."""
PAIR_BYTES = 2 * FIELD_BYTES
RECORD_BYTES = 3 * FIELD_BYTES
MAX_MEMBERS = 255

LEAKS = MappingProxyType(
    {
        "helpers": "Each key helper learns how many new items a member asks about, padded to a size class,"
        " and no item. All helpers together can guess items.",
        "relay": "The relay learns who takes part, when, and how many records each sends, padded as well; and"
        " of how many items at least as many members hold as the threshold says.",
        "counter": "The counter learns how many members hold each tag, also below the threshold, which"
        " anonymous batches hold it, and the padded size of each. It cannot tell of what item a tag is.",
        "members": "A member learns which of its own items at least as many members hold as the threshold"
        " says, and how many do, by the counter's word; and of how many items that is true in all.",
        "counter and relay": "Counter and relay together learn which member sent which batch. They can read"
        " every copy of a sealed batch until the counter deletes its key, when the epoch ends.",
        "counter and a helper": "The counter and a key helper together can tell batches by their size, where"
        " no two members are of one size.",
        "counter and a member": "The counter and a member together learn how many members hold each item"
        " that the member holds, or guesses within its quota, and in which anonymous batches it is, also"
        " below the threshold; of a report that the member knows, which of them hold the item as its copy.",
        "members together": "Members that are one fewer than the threshold says, and put in their guesses,"
        " learn which of these somebody else holds.",
        "members and relay": "Together with the relay, which can leave batches out, they learn it of a group"
        " of others that they choose, of as many as the minimum says less themselves, and not of whom in it."
        " Two groups that differ by one, in two discoveries, tell of that one. A key helper or a counter that"
        " announces other keys to some members keeps these out as well.",
        "helpers and counter": "All key helpers and the counter together learn which anonymous batches hold"
        " any item that they can guess, until the helpers delete their keys.",
    }
)
"""Who learns what, for people; shown wherever a result is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What all parties of a session agreed on.

    Attributes:
        context: 32 bytes that bind the session to roster, epoch, roles and purpose; everything depends on
            them.
        threshold: how many members must hold an item for it to be released, at least 2.
        members: how many there are, so the most batches that count.
        helpers: how many key helpers there are, at least 2 unless one is trusted with guessing.

    Raises:
        ParameterError: a value is out of range.
    """

    context: bytes
    threshold: int
    members: int
    helpers: int

    def __post_init__(self) -> None:
        if len(self.context) != CONTEXT_BYTES:
            raise ParameterError(f"a context has {CONTEXT_BYTES} bytes")
        if not 2 <= self.threshold <= self.members <= MAX_MEMBERS:  # noqa: PLR2004
            raise ParameterError(
                "a threshold is 2 or more, and at most the number of members, which is at most 255"
            )
        if not 1 <= self.helpers <= self.members:
            raise ParameterError("there is a key helper, and no more of them than members")

    @property
    def token_bytes(self) -> int:
        """Bytes of a token: its nonce and a mark of each helper."""
        return NONCE_BYTES + MARK_BYTES * self.helpers

    def key(self, label: str) -> bytes:
        """The key of this session for one use."""
        return hashing.derive_key(label, self.context, self.threshold.to_bytes(2, "little"))


@dataclass(frozen=True, slots=True)
class Copies:
    """Which of a member's items it has not seen itself, but from whom.

    Attributes:
        positions: ``(k,)`` int64, of those items, no two alike.
        origins: ``(k, 32)`` uint8, a hash of the report that each was taken from: equal where that is the
            same.
    """

    positions: NDArray[np.int64]
    origins: Rows


def pairs(outputs: Rows, setup: Setup) -> Rows:
    """Tag and secret of items. Without the secret nothing is known of the tag, which is a hash of it.

    Args:
        outputs: ``(n, 64)`` uint8, of ``helpers.learn``.
        setup: of the session.

    Returns:
        ``(n, 32)`` uint8.

    Raises:
        ParameterError: the array has no rows of 64 bytes.
    """
    secrets = _elements(_halves(outputs, setup)[0])
    return np.concatenate([tags_of(secrets, setup), secrets], axis=1)


def tags_of(secrets: Rows, setup: Setup) -> Rows:
    """The tags of secrets. ``(n, 16)`` both."""
    hashes = hashing.keyed_rows(setup.key(labels.DISCOVERY_TAG), secrets)
    return np.ascontiguousarray(hashes[:, :FIELD_BYTES])


def records(
    outputs: Rows,
    setup: Setup,
    token: bytes,
    *,
    size: int,
    copies: Copies | None = None,
    rng: Rng = token_bytes,
) -> Rows:
    """What a member sends of its items: for each a tag, a point, and a share of the secret at that point.

    The point depends on the item and on whose sighting it is. A member's own are at points that only it has,
    so each is a voice. Those that two members took from one report are at one point, so both give the same
    record, and count as one voice. Without the output of the item nobody can tell one from the other.

    Args:
        outputs: ``(n, 64)`` uint8, of distinct items.
        setup: of the session.
        token: of ``helpers.spendable``.
        size: how many records are shown, at least ``n``; the others are those of random outputs.
        copies: which items are no sightings of the member's own.
        rng: randomness.

    Returns:
        ``(size, 48)`` uint8, ascending by tag, which is an order that says nothing.

    Raises:
        ParameterError: an argument is misshapen, there are more than ``size``, or an item comes twice.
    """
    rows.check(outputs, width=oprf.OUTPUT_BYTES)
    if len(token) != setup.token_bytes:
        raise ParameterError(f"a token of this session has {setup.token_bytes} bytes")
    table = np.concatenate([outputs, random_rows(size - len(outputs), oprf.OUTPUT_BYTES, rng)])
    of_secret, of_point = _halves(table, setup)
    secrets, voices = _elements(of_secret), _voices(len(outputs), size, token, copies)
    material = np.concatenate([of_point, voices], axis=1)
    points = _elements(hashing.keyed_rows(setup.key(labels.DISCOVERY_POINT), material)[:, :FIELD_BYTES])
    shares = shares_of(secrets, points, setup)
    found = rows.sort(np.concatenate([tags_of(secrets, setup), points, shares], axis=1))
    if not rows.ascends(found[:, :FIELD_BYTES]):
        raise ParameterError("an item comes twice")
    return found


def shares_of(secrets: Rows, points: Rows, setup: Setup) -> Rows:
    """The shares of secrets at points. ``(n, 16)`` each, elements of the field."""
    return _native.discovery_shares(setup.key(labels.DISCOVERY_POLYNOMIAL), secrets, points, setup.threshold)


def recover(
    points: Rows,
    shares: Rows,
    ends: NDArray[np.int64],
    tags: Rows,
    setup: Setup,
    *,
    limit: int,
    seed: bytes,
) -> tuple[Rows, NDArray[np.bool_]]:
    """The secrets of groups of shares, among which some may be wrong.

    Args:
        points: ``(n, 16)`` uint8, elements of the field, group after group.
        shares: ``(n, 16)`` uint8.
        ends: ``(g,)``, where each group ends.
        tags: ``(g, 16)`` uint8, of the secrets.
        setup: of the session.
        limit: how many selections of shares are tried for a group: all if there are no more, else random
            ones.
        seed: 32 bytes that decide which, and were not known to whoever made a share.

    Returns:
        ``(g, 16)`` uint8, and whether a secret was found; where not, zeros.

    Raises:
        ParameterError: shapes do not fit, or a row is no element of the field.
    """
    return _native.discovery_recover(
        points,
        shares,
        ends.astype(np.uint64),
        tags,
        tag_key=setup.key(labels.DISCOVERY_TAG),
        threshold=setup.threshold,
        limit=limit,
        seed=seed,
    )


def check_released(released: Rows, voices: NDArray[np.int64], setup: Setup) -> None:
    """Refuse an outcome that no honest counter gives, whoever looks at it.

    Args:
        released: ``(k, 32)`` uint8, tags and secrets.
        voices: ``(k,)``, how many members stand behind each.
        setup: of the session.

    Raises:
        VerificationError: a tag is no hash of its secret, tags do not ascend, or a number is out of range.
        ParameterError: an array is misshapen.
    """
    rows.check(released, width=PAIR_BYTES)
    if voices.shape != (len(released),):
        raise ParameterError("there is a number for each tag that is released")
    tags, secrets = (np.ascontiguousarray(half) for half in np.split(released, 2, axis=1))
    if not np.array_equal(tags_of(secrets, setup), tags) or not rows.ascends(tags):
        raise VerificationError("the counter releases a tag without the secret that belongs to it, or twice")
    if np.any((voices < setup.threshold) | (voices > setup.members)):
        raise VerificationError("the counter counts fewer members than the threshold, or more than there are")


def recognise(own: Rows, released: Rows) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which own items are released. A counter that has not seen ``t`` shares of one cannot name its secret.

    Args:
        own: of ``pairs``, for this session.
        released: as it was checked.

    Returns:
        Positions among the own items, ascending, and in the release.
    """
    return rows.join(own, released)


def announced(outputs: Rows, released: Rows, setup: Setup) -> NDArray[np.bool_]:
    """Which items that others announced are released indeed, by our own outputs for them.

    Args:
        outputs: of ``helpers.learn``, for the items that were announced.
        released: as it was checked.
        setup: of the session.

    Returns:
        ``(n,)``; a false one is poison, and whoever announced it lies.
    """
    found = np.zeros(len(outputs), np.bool_)
    found[rows.positions_in(pairs(outputs, setup), released)] = True
    return found


def _halves(outputs: Rows, setup: Setup) -> tuple[Rows, Rows]:
    """What secrets come from, and what points come from. ``(n, 16)`` both."""
    rows.check(outputs, width=oprf.OUTPUT_BYTES)
    hashes = hashing.keyed_rows(setup.key(labels.DISCOVERY_SECRET), outputs)
    return hashes[:, :FIELD_BYTES], hashes[:, FIELD_BYTES:]


def _voices(count: int, size: int, token: bytes, copies: Copies | None) -> Rows:
    """Whose sighting each row is: this member's, or that of the report it is copied from. ``(size, 32)``."""
    voices = np.empty((size, hashing.HASH_BYTES), np.uint8)
    voices[:] = np.frombuffer(hashing.derive_key(labels.DISCOVERY_VOICE, token), np.uint8)
    if copies is not None:
        rows.check(copies.origins, width=ITEM_BYTES)
        if copies.positions.shape != (len(copies.origins),):
            raise ParameterError("there is an origin for each copy")
        if np.any((copies.positions < 0) | (copies.positions >= count)):
            raise ParameterError("a copy is of none of the items")
        key = hashing.derive_key(labels.DISCOVERY_ORIGIN)
        voices[copies.positions] = hashing.keyed_rows(key, copies.origins)
    return voices


def _elements(hashes: Rows) -> Rows:
    """Elements of the field other than zero, of hashes. ``(n, 16)`` both."""
    found = hashes.copy(order="C")
    found[:, -1] &= 0x7F
    found[~in_field(found, zero=False)] = 1  # two of 2^127
    return found


def in_field(elements: Rows, *, zero: bool) -> NDArray[np.bool_]:
    """Which rows are canonical elements of the field, counting zero or not."""
    words = elements.view("<u8")
    low, high = words[:, 0], words[:, 1]
    top = np.uint64(2**63 - 1)
    good = (high < top) | ((high == top) & (low != np.uint64(2**64 - 1)))
    found: NDArray[np.bool_] = good if zero else good & ((low | high) != 0)
    return found
