"""What is asked of the policy, and what it would put at stake."""

from dataclasses import dataclass

from crypto.psi import Output
from exchange.agreement import MAX_ROWS, Rung
from exchange.indicators import PROFILE, IndicatorType
from exchange.policy.history import Past, askable
from exchange.policy.model import Policy

BANDED, NOISY = "cardinality-banded", "cardinality-noisy"
"""The protocols that blur a count, as the sender's policy says."""
OVERFIT = {"vole": (121, 100), "vole-context": (121, 100)}
"""By protocol, how many values a cheating peer may ask for one that it declares.

Source: Han, Kim, Lee and Son, ASIACRYPT 2024: a receiver can overfit the encoding of its items.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A session that somebody asks for, seen from our side.

    The initiator is the receiver, unless the session is turned.

    Attributes:
        peer: the other member.
        direction: our part: ``initiator`` or ``responder``.
        rung: what the receiver would learn.
        types: types of indicators that would go in.
        protocol: name of the protocol.
        output: whether the sender learns the result too.
        our_size: how many items we would put in, before padding; None to ask every other rule first, so that
            a refusal takes no time that depends on our set.
        peer_size_padded: what the peer declares, or None while we do not know.
        purpose: as stated, or ``""``.
        role: the peer's in the roster.
        profile: canonical profile of the indicators.
        ahead_age_s: how old what was made ahead is; None where nothing was.
        attributed: whether an export would name the peer; None where nobody asks for one.
        peer_commitment: whether the peer is committed to its set; None while we do not know.
        peer_growth: by which part of itself the peer's committed set grew in a day; None while not known.
        over: where a sum is asked for, what is added up.
        turned: whether the responder is the receiver.
        epsilon_milli: privacy loss that our noise allows, in thousandths; 0 where there is none.
        new: where it goes on from an earlier session, how many rows are new on both sides.
        below: the session of the rung below that this one goes on from; None to look for one.
    """

    peer: str
    direction: str
    rung: Rung
    types: tuple[IndicatorType, ...]
    protocol: str
    output: Output
    our_size: int | None
    peer_size_padded: int | None
    purpose: str = ""
    role: str = "member"
    profile: str = PROFILE
    ahead_age_s: float | None = None
    attributed: bool | None = None
    peer_commitment: bool | None = None
    peer_growth: float | None = None
    over: str = ""
    turned: bool = False
    epsilon_milli: int = 0
    new: int | None = None
    below: Past | None = None

    @property
    def asks(self) -> int | None:
        """How many values the peer can ask about; None while its size is not known."""
        padded = self.peer_size_padded
        return None if padded is None else askable(self.rung, padded, self.epsilon_milli)

    @property
    def sends(self) -> bool:
        """Whether we are the sender."""
        return (self.direction == "initiator") is self.turned

    @property
    def learners(self) -> frozenset[str]:
        """Who would learn the result: ``us``, ``peer``."""
        receiver = "peer" if self.sends else "us"
        return frozenset({"us", "peer"}) if self.output is Output.BOTH else frozenset({receiver})

    @property
    def answers(self) -> bool:
        """Whether the peer would learn something about single items of ours, or their number."""
        return "peer" in self.learners and self.rung is not Rung.SIZE


def noise_milli(policy: Policy, peer: str, protocol: str) -> int:
    """Return the privacy loss of the noise that our policy puts on a count for a peer, in thousandths."""
    found = policy.terms(peer)
    noise = None if found is None else found[1].noise
    return noise.milli if noise is not None and protocol == NOISY else 0


def at_stake(request: Request) -> int:
    """Return the most items of ours that the peer could learn of.

    It cannot be more than we put in, nor more than the peer can ask: what it declares, and with some
    protocols a part more. What is not known yet does not bound it. Where the session goes on from an earlier
    one, each new row of the peer and each of ours can show one, even one that we have removed since.
    """
    if not request.answers:
        return 0
    if request.new is not None:
        return min(request.new, MAX_ROWS)
    more, than = OVERFIT.get(request.protocol, (1, 1))
    asked = None if request.asks is None else request.asks * more // than
    return min(n for n in (request.our_size, asked, MAX_ROWS) if n is not None)


def told(count: int, mode: str) -> int | None:
    """Return what we tell a sender of how many matched: nothing, the top of a band, or the number.

    The bands are 0, 1 to 9, 10 to 99 and so on.
    """
    if mode == "hidden":
        return None
    if mode == "exact":
        return count
    return 10 ** len(str(count)) - 1 if count else 0
