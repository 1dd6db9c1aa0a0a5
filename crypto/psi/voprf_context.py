"""``voprf-context``: which items are shared, and what the sender says of each, sealed under the PRF output.

Learns: the receiver, which of its items the sender holds, and the sender's context of each of these; the
sender, nothing but the declared sizes or, where the output is for both, which of its items the receiver chose
to give back (it can omit, never invent). The contexts of all other items are there too, sealed: without the
sender's key of the run, which it drops, they stay so even for who guesses an item later.

Adversary: that of ``voprf``. A sender can lie in a context, and learn by one that does not open whether the
receiver holds its item: the run ends with an error then, and says whose fault it was.

Cost: that of ``voprf``, and for each row of the sender ``label_bytes`` and 52 more. The exact bytes are
``traffic``.

Source: ``crypto/psi/voprf.py`` and ``crypto/sealing.py``.
"""

from collections.abc import Sequence
from dataclasses import replace
from secrets import token_bytes

import numpy as np

from crypto import sealing
from crypto.group import Rng
from crypto.psi import voprf
from crypto.psi.base import Brings, Contexts, Matches, Output, Params, Reveals
from crypto.rows import Rows
from crypto.sealing import Sealed
from crypto.session import Role


def receiver(items: Rows, params: Params, *, rng: Rng = token_bytes) -> Role[Contexts]:
    """The party that learns the intersection and the contexts.

    Args:
        items: ``(n, 32)`` uint8, at most ``params.n_r`` distinct rows.
        params: what both agreed on.
        rng: randomness.

    Raises:
        ParameterError: our items do not fit the parameters, or ``label_bytes`` is no class.
        DecodeError: the sender's points or proof are no valid encodings.
        VerificationError: the sender did not use the one key that it announced, or a context does not open.
        ProtocolError: a message is missing, misshapen or unsorted, or a match has no context.
    """
    sealing.check_class(params.label_bytes)
    matches, private = yield from voprf.learn(items, params, rng=rng)
    contexts = yield from sealing.receiver(
        private, params.n_s, context=params.context, label_bytes=params.label_bytes
    )
    if params.output is Output.BOTH:
        yield from voprf.prove(private, params, rng=rng)
    return Contexts(matches.indices, contexts)


def sender(
    items: Rows, params: Params, *, contexts: Sequence[bytes], rng: Rng = token_bytes
) -> Role[Matches | None]:
    """The party that holds the key, fresh for this run, and the contexts.

    Args:
        items: ``(n, 32)`` uint8, at most ``params.n_s`` distinct rows.
        params: what both agreed on.
        contexts: one for each item, at most ``params.label_bytes`` long; of equal items the first one counts.
        rng: randomness.

    Raises:
        ParameterError: our items or contexts do not fit the parameters.
        DecodeError: the receiver's points are no valid encodings, or the identity.
        ProtocolError: a message is missing or misshapen.
    """
    sealing.check_contexts(contexts, count=len(items), label_bytes=params.label_bytes)
    own, private = yield from voprf.answer(items, params, rng=rng)
    where = sealing.places(own.origin, np.arange(params.n_s))
    yield from sealing.sender(
        private, contexts, where, context=params.context, label_bytes=params.label_bytes
    )
    if params.output is Output.RECEIVER:
        return None
    return own.matches((yield from voprf.proven(private, params)))


def traffic(params: Params) -> tuple[int, int]:
    """Payload bytes ``(receiver_sent, sender_sent)``, framing of the transport not counted."""
    received, sent = voprf.traffic(params)
    return received, sent + sealing.traffic(params.n_s, params.label_bytes)


PROTOCOL = replace(
    voprf.PROTOCOL,
    name="voprf-context",
    receiver=receiver,
    sender=sender,
    messages=(voprf.Blinded, voprf.Evaluated, voprf.Tags, Sealed, voprf.MatchProofs),
    traffic=traffic,
    reveals=Reveals.CONTEXT,
    brings=Brings.CONTEXTS,
)
