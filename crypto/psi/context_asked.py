"""``context-asked``: which items are shared, and what the sender says of those that it was asked about.

Learns: the receiver, which of its items the sender holds, and the sender's context of each of these; the
sender, which of its items the receiver asked about (it can omit, never invent). No context of another item
leaves the sender, not even sealed.

Adversary: that of ``voprf``, malicious. A sender can lie in a context.

Cost: two rounds and a half; that of ``voprf`` with its proofs of match, and for each row of the smaller set
``label_bytes`` and 52 more. The exact bytes are ``traffic``.

Source: ``crypto/psi/voprf.py`` and ``crypto/sealing.py``.
"""

from collections.abc import Sequence
from dataclasses import replace
from secrets import token_bytes

import numpy as np

from crypto import sealing
from crypto.errors import ParameterError
from crypto.group import Rng
from crypto.psi import voprf
from crypto.psi.base import Brings, Contexts, Matches, Output, Params, Reveals
from crypto.psi.voprf import HALF
from crypto.rows import Rows
from crypto.sealing import Sealed
from crypto.session import Role


def receiver(items: Rows, params: Params, *, rng: Rng = token_bytes) -> Role[Contexts]:
    """The party that learns the intersection, and asks for the context of all of it.

    Args:
        items: ``(n, 32)`` uint8, at most ``params.n_r`` distinct rows.
        params: what both agreed on.
        rng: randomness.

    Raises:
        ParameterError: our items do not fit the parameters, ``label_bytes`` is no class, or the output is not
            for both.
        DecodeError: the sender's points or proof are no valid encodings.
        VerificationError: the sender did not use the one key that it announced, or a context does not open.
        ProtocolError: a message is missing, misshapen or unsorted, or a match has no context.
    """
    _check(params)
    matches, private = yield from voprf.learn(items, params, rng=rng)
    yield from voprf.prove(private, params, rng=rng)
    contexts = yield from sealing.receiver(
        private, _answers(params), context=params.context, label_bytes=params.label_bytes
    )
    return Contexts(matches.indices, contexts)


def sender(
    items: Rows, params: Params, *, contexts: Sequence[bytes], rng: Rng = token_bytes
) -> Role[Matches]:
    """The party that holds the key, fresh for this run, and the contexts.

    Args:
        items: ``(n, 32)`` uint8, at most ``params.n_s`` distinct rows.
        params: what both agreed on.
        contexts: one for each item, at most ``params.label_bytes`` long; of equal items the first one counts.
        rng: randomness.

    Raises:
        ParameterError: our items or contexts do not fit the parameters, or the output is not for both.
        DecodeError: the receiver's points are no valid encodings, or the identity.
        ProtocolError: a message is missing or misshapen.
    """
    _check(params)
    sealing.check_contexts(contexts, count=len(items), label_bytes=params.label_bytes)
    own, private = yield from voprf.answer(items, params, rng=rng)
    asked = yield from voprf.proven(private, params)
    count = _answers(params)
    # Always as many as could be needed: what is sent, and how long it takes, is the same whatever was asked.
    filling = np.frombuffer(rng(count * HALF), np.uint8).reshape(count, HALF)[: count - len(asked)]
    sealed = np.concatenate([private[asked], filling])
    order = np.concatenate([asked, np.full(len(filling), params.n_s)])
    yield from sealing.sender(
        sealed, contexts, sealing.places(own.origin, order),
        context=params.context, label_bytes=params.label_bytes,
    )  # fmt: skip
    return own.matches(asked)


def _check(params: Params) -> None:
    if params.output not in PROTOCOL.outputs:
        raise ParameterError("who is asked for contexts learns of which items: the output is for both")
    sealing.check_class(params.label_bytes)


def _answers(params: Params) -> int:
    """How many rows the sender answers with: no more can match."""
    return min(params.n_r, params.n_s)


def traffic(params: Params) -> tuple[int, int]:
    """Payload bytes ``(receiver_sent, sender_sent)``, framing of the transport not counted."""
    received, sent = voprf.traffic(params)
    return received, sent + sealing.traffic(_answers(params), params.label_bytes)


PROTOCOL = replace(
    voprf.PROTOCOL,
    name="context-asked",
    receiver=receiver,
    sender=sender,
    messages=(*voprf.PROTOCOL.messages, Sealed),
    traffic=traffic,
    round_trips=2,
    reveals=Reveals.CONTEXT,
    outputs=frozenset({Output.BOTH}),
    brings=Brings.CONTEXTS,
)
