"""``voprf-epoch``: ``voprf`` under a key that lives for an epoch, so that a later run costs what has changed.

The first run is whole and leaves both parties a state. A run from a state blinds only the rows that are new
to the receiver, and sends the tags that come to the sender's table and those that go. All three are filled
up: with random rows, with tags of random rows, with such tags that the table has had before. What comes out
is what a whole run would give.

Learns: as ``voprf``; besides, each party a bound on how much the other's set has changed, and the receiver,
if it kept what it was told to delete, whether a row that it asks for later was there before. Runs of an epoch
can be linked (docs/protocols/voprf-epoch.md says exactly how).

Adversary: malicious, as ``voprf``. The receiver's rows are bounded by all that it has blinded in the epoch.

Cost: of a whole run that of ``voprf``, and an eighth of the tags more. Of a later one, by new row of the
receiver 64 bytes and three multiplications, by changed row of the sender two tags and one multiplication.

Source: as ``voprf``; the differences and their levels are our own (docs/adr/0010).
"""

from dataclasses import dataclass, field, replace
from secrets import token_bytes

import numpy as np

from crypto import hashing, labels, oprf, rows
from crypto.epochs import SEED_BYTES, Epoch, EpochEnded, ReceiverState, SenderState
from crypto.errors import ParameterError, ProtocolError
from crypto.group import ELEMENT_BYTES, Rng
from crypto.oprf import PROOF_BYTES, Mode, PrivateKey
from crypto.psi import voprf
from crypto.psi.base import Brings, Matches, Output, Params, check_fits, pad, tags
from crypto.psi.voprf import HALF, Blinded, Evaluated, Tags
from crypto.rows import Rows
from crypto.session import Role, receive, send


@dataclass(frozen=True, slots=True)
class Updated(Matches):
    """The receiver's output.

    Attributes:
        indices: as in ``Matches``.
        state: what the next run can go on from. Whoever keeps it deletes the one before: only so is what the
            sender took away gone.
    """

    state: ReceiverState = field(repr=False)


class Fresh:
    """What a sender brings that wants to go on later, and has nothing yet to go on from."""


def receiver(
    items: Rows, params: Params, *, state: ReceiverState | None = None, rng: Rng = token_bytes
) -> Role[Updated]:
    """The party that learns the intersection.

    Args:
        items: ``(n, 32)`` uint8, at most ``params.n_r`` distinct rows.
        params: what both agreed on; ``new_r`` and ``new_s`` are 0 if, and only if, there is no state.
        state: what the run before left.
        rng: randomness.

    Raises:
        ParameterError: our items do not fit the parameters, or these not the state.
        EpochEnded: more is new than agreed on, or the epoch has no room for it.
        DecodeError: the sender's points or proof are no valid encodings.
        VerificationError: the sender did not use the one key of the epoch.
        ProtocolError: a message is missing or misshapen, or changes what cannot be.
    """
    check_fits(items, params.n_r)
    then = _epoch_after(None if state is None else state.epoch, params)
    count, width = params.n_r if state is None else params.new_r, then.width
    origin = rows.unique(items)
    own = np.ascontiguousarray(items[origin])
    known, before = (origin[:0], origin[:0]) if state is None else rows.join(own, state.items)
    fresh = np.delete(own, known, axis=0)
    if len(fresh) > count:
        raise EpochEnded("more rows are new than agreed on")

    asked = pad(fresh, count, rng=rng).rows
    outputs, public_key = yield from voprf.ask(
        asked, key=None if state is None else state.public_key, rng=rng
    )
    own_tags = np.empty((len(own), width), np.uint8)
    if state is not None:
        own_tags[known] = state.tags[before]
    own_tags[np.delete(np.arange(len(own)), known)] = _compared(outputs, then)[: len(fresh)]

    if state is None:
        table = _checked((yield from receive(Tags, tags=(then.table, width))).tags)
    else:
        came = (yield from receive(Tags, tags=(params.new_s, width))).tags
        gone = (yield from receive(Tags, tags=(params.new_s, width))).tags
        table = _changed(state.table, _checked(came), _checked(gone))
    found = rows.positions_in(own_tags, table)
    return Updated(origin[found], ReceiverState(then, public_key, own, own_tags, table))


def sender(
    items: Rows, params: Params, *, state: SenderState | Fresh | None = None, rng: Rng = token_bytes
) -> Role[SenderState | None]:
    """The party that holds the key of the epoch.

    Args:
        items: ``(n, 32)`` uint8, at most ``params.n_s`` distinct rows.
        params: what both agreed on; ``new_r`` and ``new_s`` are 0 if, and only if, there is no state yet.
        state: what the run before left; ``Fresh`` to begin; none for a run that nothing is to come of.
        rng: randomness.

    Returns:
        What the next run can go on from, where a state was brought.

    Raises:
        ParameterError: our items do not fit the parameters, or these not the state.
        EpochEnded: more has changed than agreed on, or the epoch has no room for it.
        DecodeError: the receiver's points are no valid encodings, or the identity.
        ProtocolError: a message is missing or misshapen.
    """
    check_fits(items, params.n_s)
    went_on = state if isinstance(state, SenderState) else None
    then = _epoch_after(None if went_on is None else went_on.epoch, params)
    seed = rng(SEED_BYTES) if went_on is None else went_on.seed
    key = oprf.derive_key(seed, labels.EPOCH_KEY.encode(), Mode.VOPRF)
    if went_on is None:
        left, lists = _table(key, seed, items, then, rng)
    else:
        left, lists = _difference(key, went_on, items, then, params.new_s)

    count = params.n_r if went_on is None else params.new_r
    yield from voprf.evaluate(key, count, rng=rng)
    for part in lists:
        yield from send(Tags(rows.sort(part)))
    return None if state is None else left


def _epoch_after(epoch: Epoch | None, params: Params) -> Epoch:
    """The epoch as the run leaves it."""
    if params.output is not Output.RECEIVER:
        raise ParameterError("only the receiver of voprf-epoch learns the overlap")
    if epoch is None:
        if params.new_r or params.new_s:
            raise ParameterError("a run of what is new needs the state of the one before")
        begun = Epoch(params.context, params.n_r, params.n_s, params.stat_sec)
        return begun.after(params.n_r, begun.table)
    if not (params.new_r and params.new_s) or params.stat_sec != epoch.stat_sec:
        raise ParameterError("the parameters are not of a run from this state")
    return epoch.after(params.new_r, params.new_s)


def _table(
    key: PrivateKey, seed: bytes, items: Rows, epoch: Epoch, rng: Rng
) -> tuple[SenderState, list[Rows]]:
    """The table of a first run. All rows cost the same, so that the time does not tell how many are items."""
    own = pad(items, epoch.table, rng=rng)
    all_tags, k = _compared(oprf.evaluate(key, own.rows), epoch), len(own.origin)
    return SenderState(epoch, seed, own.rows[:k], all_tags[:k], all_tags[k:]), [all_tags]


def _difference(
    key: PrivateKey, state: SenderState, items: Rows, epoch: Epoch, level: int
) -> tuple[SenderState, list[Rows]]:
    """The tags that come and those that go, ``level`` of both.

    What fills up follows from the seed and the number of the run: whoever has the same state answered twice,
    because the first answer was lost, sees the same fillers twice and cannot tell them from items by that.
    """
    own = np.ascontiguousarray(items[rows.unique(items)])
    kept, before = rows.join(own, state.items)
    fresh, went = np.delete(own, kept, axis=0), np.delete(state.tags, before, axis=0)
    state.check(len(fresh), len(went), level)
    filler_key = hashing.derive_key(labels.EPOCH_FILLER, state.seed, epoch.runs.to_bytes(8, "big"))
    counted = np.arange(level, dtype=">u8").view(np.uint8).reshape(level, 8)
    filling = hashing.keyed_rows(filler_key, counted)[: level - len(fresh)]
    came = _compared(oprf.evaluate(key, np.concatenate([fresh, filling])), epoch)

    # Which fillers go is random: in the order of their tags, what goes would show by its low tags.
    order = hashing.keyed_rows(filler_key, state.fillers)[:, :8].copy().view(np.uint64)[:, 0].argsort()
    out, stay = np.split(state.fillers[order], [level - len(went)])
    own_tags = np.empty((len(own), epoch.width), np.uint8)
    own_tags[kept] = state.tags[before]
    own_tags[np.delete(np.arange(len(own)), kept)] = came[: len(fresh)]
    left = SenderState(epoch, state.seed, own, own_tags, np.concatenate([stay, came[len(fresh) :]]))
    return left, [came, np.concatenate([went, out])]


def _checked(part: Rows) -> Rows:
    """Tags of the peer, in order and distinct: two of an honest sender are equal with chance 2^-40."""
    if not rows.is_sorted(part) or len(rows.unique(part)) < len(part):
        raise ProtocolError("the sender's tags do not ascend")
    return part


def _changed(table: Rows, came: Rows, gone: Rows) -> Rows:
    """The table after a change."""
    out, found = rows.join(table, gone)
    if len(found) < len(gone):
        raise ProtocolError("the sender takes tags away that are not there")
    kept = np.delete(table, out, axis=0)
    if len(rows.join(kept, came)[0]):
        raise ProtocolError("the sender adds tags that are there")
    return rows.sort(np.concatenate([kept, came]))


def _compared(outputs: Rows, epoch: Epoch) -> Rows:
    """Tags of the half that is compared. ``(n, width)``."""
    return tags(outputs[:, :HALF], label=labels.EPOCH_TAG, context=epoch.context, width=epoch.width)


def traffic(params: Params) -> tuple[int, int]:
    """Payload bytes ``(receiver_sent, sender_sent)``, where the epoch began with the same sizes."""
    epoch = Epoch(params.context, params.n_r, params.n_s, params.stat_sec)
    asked = params.new_r or params.n_r
    shown = 2 * params.new_s or epoch.table
    return ELEMENT_BYTES * asked, ELEMENT_BYTES * (asked + 1) + PROOF_BYTES + epoch.width * shown


PROTOCOL = replace(
    voprf.PROTOCOL,
    name="voprf-epoch",
    receiver=receiver,
    sender=sender,
    messages=(Blinded, Evaluated, Tags),
    traffic=traffic,
    outputs=frozenset({Output.RECEIVER}),
    brings=Brings.STATE,
)
