"""``vole-context``: which items are shared, and what the sender says of each, in bulk.

Learns: the receiver, which of its items the sender holds, and the sender's context of each of these; the
sender, nothing but the declared sizes or, where the output is for both, which of its items the receiver chose
to give back (it can omit, never invent). The contexts of all other items are there too, sealed: without the
sender's delta, which it drops, they stay so for every item that the receiver's store did not hold.

Adversary: that of ``vole``, with its limits: a cheating receiver can have more than ``n_r`` items in its
store, and reads the contexts of these too. A sender can lie in a context, and learn by one that does not open
whether the receiver holds its item: the run ends with an error then, and says whose fault it was.

Cost: that of ``vole``, and for each row of the sender ``label_bytes`` and 52 more. The exact bytes are
``traffic``. What can be made ahead is what ``vole`` makes.

Source: ``crypto/psi/vole.py`` and ``crypto/sealing.py``.
"""

from collections.abc import Sequence
from dataclasses import replace
from secrets import token_bytes

import numpy as np

from crypto import sealing
from crypto import vole as correlations
from crypto.group import Rng
from crypto.psi import vole
from crypto.psi.base import Brings, Contexts, Matches, Output, Params, Reveals
from crypto.psi.voprf import MatchProofs, prove, proven
from crypto.rows import Rows
from crypto.sealing import Sealed
from crypto.session import Role


def receiver(
    items: Rows, params: Params, *, rng: Rng = token_bytes, correlation: correlations.Received | None = None
) -> Role[Contexts]:
    """The party that learns the intersection and the contexts.

    Args:
        items: ``(n, 32)`` uint8, at most ``params.n_r`` distinct rows.
        params: what both agreed on.
        rng: randomness.
        correlation: made ahead with the same sender, and used for nothing else.

    Raises:
        ParameterError: our items, or the correlation, do not fit, or ``label_bytes`` is no class.
        DecodeError: a message is no valid encoding.
        VerificationError: as of ``vole``, or a context does not open.
        EncodingFailed: our items have no store under this salt: chance 2^-40; another run has another salt.
        ProtocolError: a message is missing or misshapen, locators do not ascend, or a match has no context.
    """
    sealing.check_class(params.label_bytes)
    matches, halves = yield from vole.learn(items, params, rng, correlation)
    del correlation
    private = halves()
    del halves  # and what they were computed from
    contexts = yield from sealing.receiver(
        private, params.n_s, context=params.context, label_bytes=params.label_bytes
    )
    if params.output is Output.BOTH:
        yield from prove(private, params, rng=rng)
    return Contexts(matches.indices, contexts)


def sender(
    items: Rows,
    params: Params,
    *,
    contexts: Sequence[bytes],
    rng: Rng = token_bytes,
    correlation: correlations.Sent | None = None,
) -> Role[Matches | None]:
    """The party that holds delta, fresh for this run, and the contexts.

    Args:
        items: ``(n, 32)`` uint8, at most ``params.n_s`` distinct rows.
        params: what both agreed on.
        contexts: one for each item, at most ``params.label_bytes`` long; of equal items the first one counts.
        rng: randomness.
        correlation: made ahead with the same receiver, and used for nothing else.

    Raises:
        ParameterError: our items or contexts, or the correlation, do not fit the parameters.
        DecodeError: a message is no valid encoding.
        VerificationError: the receiver's transfers do not all hold the same bits.
        ProtocolError: a message is missing or misshapen.
    """
    sealing.check_contexts(contexts, count=len(items), label_bytes=params.label_bytes)
    own, order, halves = yield from vole.answer(items, params, rng, correlation)
    del correlation
    private = halves()
    del halves
    where = sealing.places(own.origin, order)
    yield from sealing.sender(
        private, contexts, where, context=params.context, label_bytes=params.label_bytes
    )
    if params.output is Output.RECEIVER:
        return None
    found = yield from proven(private, params)
    return own.matches(order[found].astype(np.int64))


def traffic(params: Params) -> tuple[int, int]:
    """Payload bytes ``(receiver_sent, sender_sent)``, framing of the transport not counted."""
    received, sent = vole.traffic(params)
    return received, sent + sealing.traffic(params.n_s, params.label_bytes)


PROTOCOL = replace(
    vole.PROTOCOL,
    name="vole-context",
    receiver=receiver,
    sender=sender,
    messages=(*vole.PROTOCOL.messages[:-1], Sealed, MatchProofs),
    traffic=traffic,
    reveals=Reveals.CONTEXT,
    brings=Brings.CONTEXTS,
)
