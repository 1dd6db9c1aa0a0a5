"""What a role takes besides its items: a sketch of them, or of each a number or a context."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crypto import hashing, labels
from crypto.hashing import HASH_BYTES
from crypto.psi import DISCOVERED, Brings
from crypto.psi.sum import MAX_VALUE
from crypto.rows import Rows
from crypto.sealing import LABEL_CLASSES
from crypto.sketch import sketch
from exchange.agreement import Agreement
from exchange.disclosure import epochs
from exchange.disclosure.books import Entry
from exchange.disclosure.desk import Answer
from exchange.disclosure.planting import Planted, plant, planted_for
from exchange.disclosure.world import ItemSet
from exchange.errors import CosightError, PeerExceededLimit, PeerMisbehaved
from exchange.indicators import Tlp
from exchange.indicators.context import Context
from exchange.policy.request import BANDED, NOISY
from exchange.policy.terms import Told

MOST = MAX_VALUE
"""The largest number of one item in a sum; a larger one counts as this."""
LEFT_OUT_FIRST = ("comment", "tags", "phases", "techniques", "malware", "producer")
"""In which order a context is cut that is longer than the policy lets it be."""
_NO_ITEMS = Planted(np.empty((0, HASH_BYTES), np.uint8), np.empty(0, np.int64))


def material(entry: Entry, agreement: Agreement) -> tuple[ItemSet, dict[str, Any]]:
    """Our set for a session, and what our role takes besides it.

    Raises:
        CosightError: our set outgrew its size class since the proposal.
        StoreError: our set cannot be read.
    """
    desk, brings = entry.desk, DISCOVERED[agreement.protocol].brings
    if brings is Brings.SKETCH:
        return _NO_ITEMS, {"sketch": _sketch(entry, agreement)}
    items = put_in(entry) if entry.going_on is None else entry.going_on.items
    if len(items.rows) > agreement.padded_of(desk.member):
        raise CosightError(
            "our set outgrew its size class since the proposal",
            code="set-changed",
            hint="an import has ended meanwhile: run the match again",
        )
    if brings is Brings.STATE:
        return items, epochs.brought(entry.going_on, agreement, desk.member)
    if agreement.receiver == desk.member:
        return items, {}
    if brings is Brings.VALUES:
        return items, {"values": numbers(_said(entry, items.ids), agreement.over)}
    if brings is Brings.CONTEXTS:
        found = entry.policy.terms(entry.peer)
        told = None if found is None else found[1].context
        assert told is not None  # the policy was asked
        return items, {"contexts": encoded(_said(entry, items.ids), told)}
    return items, {}


def check_answer(protocol: str, answer: Answer, most_bytes: int) -> None:
    """Refuse an answer that lacks what the sender of such a session has to say.

    Raises:
        PeerMisbehaved: it does.
        PeerExceededLimit: its contexts are more than we take.
    """
    if answer.padded * answer.label_bytes > most_bytes:
        raise PeerExceededLimit(
            "the peer's contexts would take more than our limit",
            code="too-large",
            hint="raise limits.max_context_mib in config.toml, or match fewer types",
        )
    found = DISCOVERED.get(protocol)
    lacking = {
        "the size of a context": found is not None
        and found.brings is Brings.CONTEXTS
        and answer.label_bytes not in LABEL_CLASSES,
        "bands": protocol == BANDED and not answer.bands,
        "noise": protocol == NOISY and not answer.epsilon_milli,
    }
    if (missing := next((what for what, lacks in lacking.items() if lacks), None)) is not None:
        raise PeerMisbehaved(f"the peer's answer does not say: {missing}")


def put_in(entry: Entry) -> ItemSet:
    """Our set for this session: what may enter, and the canaries for this peer."""
    desk, types = entry.desk, entry.proposal.types
    items = desk.items.item_set(types, now=desk.clock(), admission=entry.admission)
    return plant(items, planted_for(desk, entry.policy, entry.peer, types, entry.proposal.rung))


def numbers(contexts: Iterable[Context], over: str) -> NDArray[np.uint64]:
    """The number of each item that a sum is over.

    What has no count of sightings was seen once; what has no confidence adds none.

    Args:
        contexts: what is said of each item.
        over: ``sightings`` or ``confidence``.

    Returns:
        ``(n,)`` uint64, at most ``MOST`` each.
    """
    unsaid = {"sightings": 1, "confidence": 0}[over]
    said = (getattr(context, over) for context in contexts)
    return np.array([unsaid if n is None else min(n, MOST) for n in said], np.uint64)


def encoded(contexts: Sequence[Context], told: Told) -> list[bytes]:
    """Contexts as they travel: JSON with sorted keys, of the fields that the policy names.

    Of a context that is longer than the policy lets it be, whole fields are left out, those in which words
    are free first; it says so in ``cut``.
    """
    known: dict[int, bytes] = {}  # most items share theirs with others, as the same object
    found = []
    for context in contexts:
        if id(context) not in known:
            known[id(context)] = _encoded(context.to_json(), told)
        found.append(known[id(context)])
    return found


def _encoded(said: Mapping[str, Any], told: Told) -> bytes:
    said = {name: value for name, value in said.items() if name in told.fields}
    room = told.bytes
    for name in (None, *LEFT_OUT_FIRST):
        if name in said:
            said = {key: value for key, value in said.items() if key != name} | {"cut": True}
        written = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        if not said or len(written) <= room:
            return written if said else b""
    return b""


def read(data: bytes) -> Context | None:
    """A context that a peer sent; None where it said nothing, or nothing that can be read."""
    try:
        said = json.loads(data)
        said.pop("cut", None)
        stated = Context.stated(said)
        if "tlp" in said and stated.tlp is None:  # a marking that we cannot read is as closed as any
            stated = replace(stated, tlp=Tlp.RED)
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
    return stated or None


def _said(entry: Entry, ids: NDArray[np.int64]) -> list[Context]:
    desk, types = entry.desk, entry.proposal.types
    return desk.items.said(types, now=desk.clock(), admission=entry.admission).of(ids)


def _sketch(entry: Entry, agreement: Agreement) -> Rows:
    """The sketch of our set under the salt of the alliance: the same for as long as neither changes."""
    desk, types = entry.desk, entry.proposal.types
    salt = hashing.derive_key(
        labels.SKETCH_SALT, agreement.alliance.encode(), agreement.roster_hash, agreement.profile.encode()
    )
    admission = entry.admission
    state = desk.items.state(now=desk.clock())
    made_of = json.dumps([[str(t) for t in types], asdict(admission)], sort_keys=True, default=str)
    name = sha256(b"".join((state or b"", salt, made_of.encode()))).hexdigest()
    found = None if state is None else desk.sketches.get(name)
    if found is None:
        found = sketch(desk.items.item_set(types, now=desk.clock(), admission=admission).rows, salt)
        if state is not None:
            desk.sketches.put(name, found)
    return found
