"""What a member can check of what relay and counter say. That something is kept back it cannot see."""

from collections.abc import Sequence

from exchange.aggregation.announced import Find
from exchange.aggregation.round import Round
from exchange.discovery import proof, signing
from exchange.discovery.keeping import TOO_FEW
from exchange.discovery.outcome import Outcome, is_code, list_hash
from exchange.discovery.world import Collected, PartMisbehaved, Stage, State
from exchange.errors import PeerExceededLimit, PeerMisbehaved

OF_THE_BYTES = {"bad-seal", "bad-shape", "bad-record", "bad-share"}
"""What a counter says of a batch that whoever sealed it knows better."""


def checked(find: Find, of: Round, stage: Stage, digest: bytes, said: Collected) -> Outcome:
    """The outcome, if it can be one.

    Args:
        find: finds members.
        of: the discovery.
        stage: which stage of it.
        digest: of what we brought.
        said: by the relay.

    Raises:
        PeerMisbehaved: something is not signed, our batch is not on the list, list or count is shorter than
            was agreed on, the counter does not say of each batch what became of it, or says of ours what is
            not so.
    """
    relay, counter = of.parts.relay, of.parts.counter
    signing.check_list(find, of, stage, said.listed, said.list_signature)
    if digest not in said.listed or len(said.listed) > len(of.members):
        raise PartMisbehaved(f"{relay} left our batch out", relay, code="batch-left-out")
    if len(said.listed) < of.minimum:
        raise PartMisbehaved(f"{relay} passed on too few batches", relay, code=TOO_FEW)
    try:
        outcome = outcome_of(find, of, stage, said, said.listed)
    except PeerMisbehaved as e:  # the relay checks the same before it passes anything on
        raise PartMisbehaved(
            f"{relay} passes on what {counter} did not say of these batches", relay, code="bad-outcome"
        ) from e
    if outcome.counted < of.minimum:
        raise PartMisbehaved(f"{counter} counted too few", counter, code=TOO_FEW)
    blamed = {name for name, _ in outcome.blamed}
    whole = outcome.counted + len(blamed) == len(said.listed) if stage is Stage.BATCHES else True
    if not whole or outcome.counted > len(said.listed):
        raise PartMisbehaved(f"{counter} counted other batches", counter, code="bad-count")
    ours = {code for name, code in outcome.blamed if name == digest}
    if ours & OF_THE_BYTES and not _shown(find, of, digest, said):
        raise PartMisbehaved(f"{counter} says of our batch what is not so", counter, code="bad-count")
    return outcome


def outcome_of(find: Find, of: Round, stage: Stage, said: Collected, listed: Sequence[bytes]) -> Outcome:
    """What the counter says of the batches on a list.

    Raises:
        PeerMisbehaved: it did not sign it, it is malformed, or of other batches.
    """
    signing.check_outcome(find, of, stage, said.outcome, said.signature)
    outcome = Outcome.decode(said.outcome)
    if outcome.listed != list_hash(listed) or not {name for name, _ in outcome.blamed} <= set(listed):
        raise PeerMisbehaved("the counter counted other batches", code="bad-count")
    return outcome


def check_size(peer: str, size: int, most: int) -> None:
    """Refuse an outcome that is larger than an honest one, before any of it is taken.

    Raises:
        PeerExceededLimit: it is.
    """
    if size > most:
        raise PeerExceededLimit(
            f"{peer} has an outcome of {size:,} bytes, and {most:,} are the most that we take",
            code="too-large",
            hint="if sets are that large: limits.max_rows and limits.max_discovery_mib in config.toml",
        )


def check_names(of: Round, said: Collected) -> None:
    """Check that a relay names members of this discovery only, and says why where it gives up.

    Raises:
        PartMisbehaved: it does not; our ledger could not hold it.
    """
    ours = {who for who, _ in said.culprits} <= set(of.members)
    codes = [*(why for _, why in said.culprits), *([said.code] if said.state is State.BROKEN else [])]
    if not ours or not all(map(is_code, codes)):
        raise PartMisbehaved(
            f"{of.parts.relay} names who takes no part, or no reason", of.parts.relay, code="bad-names"
        )


def _shown(find: Find, of: Round, digest: bytes, said: Collected) -> bool:
    """Whether it is shown to us that our own batch is wrong: then it is we who are."""
    read = [proof.decode(data) for data in said.proofs]
    return any(
        isinstance(one, proof.WrongShare) and one.digest == digest and one.holds(find, of) for one in read
    )
