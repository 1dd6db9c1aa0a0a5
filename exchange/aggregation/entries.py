"""What the ledger says of a run, as drafts: the same words whoever writes them."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from exchange.aggregation.opening import Opening
from exchange.aggregation.tally import Tally
from exchange.aggregation.vector import Filled
from exchange.indicators import IndicatorType
from exchange.ledger.document import Document, DocumentKind
from exchange.ledger.draft import Draft
from exchange.ledger.leaf import Kind


def convened(opening: Opening) -> Draft:
    """The coordinator opens a run: before anybody is told."""
    fields = {"session": opening.name, "what": asked(opening)}
    return Draft(Kind.CONVENED, fields, [_document(opening)])


def joined(opening: Opening, policy: bytes) -> Draft:
    """We take part: before our keys leave. ``policy`` is the hash of the one that allowed it, 32 bytes."""
    what = asked(opening) | {"policy": policy.hex()}
    return Draft(Kind.JOINED, _run(opening, what), [_document(opening)])


def masked(
    opening: Opening, filled: Filled, withheld: Mapping[str, Mapping[IndicatorType, int]] | None = None
) -> Draft:
    """Our masked vector is about to leave.

    Args:
        opening: of the run.
        filled: what went in.
        withheld: by rule, how many of each type of what we hold of the dictionary it held back.
    """
    what: dict[str, Any] = {"entered": _words(filled.entered), "clipped": filled.clipped}
    if withheld:
        what["withheld"] = {rule: _words(types) for rule, types in withheld.items()}
    return Draft(Kind.MASKED, _run(opening, what))


def shared(opening: Opening, survivors: int) -> Draft:
    """Our shares are about to leave: from here the sum of so many survivors can be opened."""
    return Draft(Kind.SHARED, _run(opening, {"survivors": survivors}))


def counted(
    opening: Opening,
    tally: Tally,
    released: int,
    culprits: Collection[str] = (),
    *,
    as_coordinator: bool = False,
) -> Draft:
    """A run came to its end without the culprits, whose lies showed; so many of its numbers are released."""
    document = tally.document
    what: dict[str, Any] = {
        "survivors": len(tally.survivors),
        "digest": tally.digest.hex(),
        "tally": document.hash,
        "released": released,
    }
    if opening.epsilon_milli:
        what["epsilon_milli"] = opening.epsilon_milli
    return Draft(Kind.COUNTED, _ended(opening, what, culprits, as_coordinator=as_coordinator), [document])


def broken(
    opening: Opening,
    reason: str,
    culprits: Sequence[str] = (),
    *,
    as_coordinator: bool = False,
    by: str = "peer",
) -> Draft:
    """A run was given up.

    Args:
        opening: of the run.
        reason: why, in one word.
        culprits: the members that caused it, as far as they are known.
        as_coordinator: whether this is the coordinator's own entry.
        by: ``us`` where we gave it up, ``peer`` otherwise.
    """
    what = {"reason": reason, "by": by}
    return Draft(Kind.BROKEN, _ended(opening, what, culprits, as_coordinator=as_coordinator))


def _ended(
    opening: Opening, what: dict[str, Any], culprits: Collection[str], *, as_coordinator: bool
) -> dict[str, object]:
    """An end; as the coordinator has it, it names no peer."""
    fields = {"session": opening.name, "what": what} if as_coordinator else _run(opening, what)
    return {**fields, **({"culprits": sorted(set(culprits))} if culprits else {})}


def _run(opening: Opening, what: dict[str, Any]) -> dict[str, object]:
    return {"session": opening.name, "peer": opening.coordinator, "what": what}


def asked(opening: Opening) -> dict[str, Any]:
    """What an entry says of an opening: the document that it names says the same."""
    first, last = opening.window
    what: dict[str, Any] = {
        "measure": str(opening.measure),
        "types": list(map(str, opening.types)),
        "profile": opening.profile,
        "purpose": opening.purpose_hash,
        "dictionary": opening.dictionary.hex(),
        "entries": opening.entries,
        "first": first.isoformat(),
        "last": last.isoformat(),
        "members": len(opening.members),
        "minimum": opening.minimum,
        "reporters": opening.reporters,
        "visibility": str(opening.visibility),
    }
    if opening.epsilon_milli:
        what["epsilon_milli"] = opening.epsilon_milli
    if opening.base:
        what["base"] = opening.base.hex()
    if opening.abandons:
        what["abandons"] = [context.hex() for context in opening.abandons]
    return what


def _document(opening: Opening) -> Document:
    return Document(DocumentKind.OPENING, opening.encoded)


def _words(types: Mapping[IndicatorType, int]) -> dict[str, int]:
    return {str(kind): n for kind, n in types.items() if n}
