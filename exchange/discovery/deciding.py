"""What a member decides of discoveries: its policy is asked, and what it allows written down, in one step."""

from exchange.aggregation.round import Round
from exchange.disclosure.desk import Desk
from exchange.errors import PolicyRefusal
from exchange.ledger.document import Document, DocumentKind
from exchange.policy import Policy
from exchange.policy.discovery import Before, Searching, decide, going_in


def allowed(desk: Desk, of: Round) -> Policy:
    """Ask our policy whether we take part; a refusal is written down.

    Raises:
        PolicyRefusal: it does not allow it.
    """
    policy, now, (epoch, roster_hash) = desk.policy(), desk.clock(), desk.roster()
    asked = Searching(of=of, us=desk.member, roster_epoch=epoch, roster_hash=roster_hash)
    decision = decide(policy, asked, Before(desk.ledger.runs(), _quarantined(desk, of)), now)
    if decision.allowed:
        return policy
    desk.ledger.append(
        "refused", now=now, peer=of.parts.relay, direction="initiator",
        what={"by": "us", "reason": "policy-refused", "rule": decision.rule},
    )  # fmt: skip
    raise PolicyRefusal(decision.explanation, code="policy-refused", rule=decision.rule)


def join(desk: Desk, of: Round, padded: int) -> None:
    """Write down that we take part, before anything that depends on our set leaves.

    Args:
        desk: who we are.
        of: the discovery, with its keys.
        padded: the size class of what we put in.

    Raises:
        PolicyRefusal: our policy does not allow it.
    """
    with desk.ledger.turn():
        if desk.ledger.runs().joined(of.session) is not None:
            return  # we go on where we were
        policy, now = allowed(desk, of), desk.clock()
        assert policy.discover is not None  # or it had been refused
        admission, types = policy.discover.admission(), going_in(policy, of, now)
        offer = desk.items.offer(types, now=now, admission=admission)
        what = of.asked() | offer.as_json() | {"padded": padded, "policy": policy.hash.hex()}
        desk.ledger.append(
            "joined", now=now, session=of.session, peer=of.parts.relay, what=what,
            documents=[Document(DocumentKind.ROUND, of.encoded)],
        )  # fmt: skip


def bring(desk: Desk, of: Round) -> None:
    """Write down that our batch leaves, before it does: from here the discovery counts.

    Raises:
        PolicyRefusal: our policy does not allow it (any more).
    """
    with desk.ledger.turn():
        run = desk.ledger.runs().joined(of.session)
        if run is None or not run.left:
            what = {"policy": allowed(desk, of).hash.hex()}
            desk.ledger.append(
                "brought", now=desk.clock(), session=of.session, peer=of.parts.relay, what=what
            )


def _quarantined(desk: Desk, of: Round) -> dict[str, str]:
    """Who of those that have a part is in quarantine with us, and why."""
    now = desk.clock()
    others = {of.parts.relay, of.parts.counter, *of.parts.helpers} - {desk.member}
    found = {name: desk.ledger.history(name, now).quarantined for name in others}
    return {name: reason for name, reason in found.items() if reason}
