"""What a session takes, predicted: from what its protocol computes and carries, and what the link does.

    seconds = session_s + computing * (what both parties compute, one after the other)
            + bytes * (1 / rate + byte_s)
            + round trip * (round trips of the protocol + round_trips + ramp * doublings)

What a protocol computes is measured on the machine, what it carries follows from the sizes, and a link is
its round trip and its rate. TCP sends ten segments in its first round trip (RFC 6928) and twice as many in
each that follows (slow start, RFC 5681), so a direction of a run takes some ``doublings`` until it fills the
link. The five constants are fitted by ``benchmarks.model`` to the sessions of ``benchmarks/results``, which
also says how far off the model is. Parties that share a machine, as there, compute in turn more than two
machines do: for two machines the model says rather too much.
"""

from dataclasses import dataclass
from math import inf, log2

from crypto.psi import Params, Protocol

FIRST_RATE = 12.5e6
"""Bytes a second that a link is taken for before anything was measured: 100 Mbit/s."""
_FIRST_WINDOW = 10 * 1448
"""Bytes that TCP sends before it hears anything."""


@dataclass(frozen=True, slots=True)
class Computing:
    """What one protocol computes on this machine, both parties together, in seconds.

    Attributes:
        fixed_s: whatever the sets are.
        receiver_item_s: for each item of the receiver.
        sender_item_s: for each item of the sender.
    """

    fixed_s: float
    receiver_item_s: float
    sender_item_s: float

    def seconds(self, n_r: int, n_s: int) -> float:
        """For sets of these sizes."""
        return self.fixed_s + self.receiver_item_s * n_r + self.sender_item_s * n_s


@dataclass(frozen=True, slots=True)
class Line:
    """The link to a peer.

    Attributes:
        round_trip_s: of a short message and its answer.
        bytes_per_s: of bulk messages.
        measured: whether the rate is that of messages in a run before; then what the programs at both ends do
            with a byte is in it.
    """

    round_trip_s: float
    bytes_per_s: float = FIRST_RATE
    measured: bool = False

    def doublings(self, sent: int) -> float:
        """How often TCP doubles its window until it fills the line, or until so many bytes are sent."""
        filled = self.bytes_per_s * self.round_trip_s if self.bytes_per_s < inf else inf
        return log2(1 + min(sent, filled) / _FIRST_WINDOW)


@dataclass(frozen=True, slots=True)
class Terms:
    """A prediction before the constants.

    Attributes:
        given_s: what needs none: bytes at the rate of the line, round trips of the protocol.
        factors: what each constant of ``Model`` is multiplied with, in its order.
    """

    given_s: float
    factors: tuple[float, float, float, float, float]


@dataclass(frozen=True, slots=True)
class Model:
    """The constants.

    Attributes:
        session_s: seconds of any session: policies, both ledgers, TLS, signatures.
        computing: the share of both parties' computing that a session waits for.
        byte_s: seconds of the programs at both ends for a byte.
        round_trips: of the session around the run.
        ramp: round trips that are lost for each doubling of a window.
    """

    session_s: float
    computing: float
    byte_s: float
    round_trips: float
    ramp: float

    def seconds(self, terms: Terms) -> float:
        """What a session takes."""
        constants = (self.session_s, self.computing, self.byte_s, self.round_trips, self.ramp)
        return terms.given_s + sum(c * f for c, f in zip(constants, terms.factors, strict=True))


@dataclass(frozen=True, slots=True)
class Cost:
    """What a session is predicted to cost.

    Attributes:
        seconds: from dialling to the receipt.
        receiver_bytes: payload that the receiver sends.
        sender_bytes: payload that the sender sends.
    """

    seconds: float
    receiver_bytes: int
    sender_bytes: int


FITTED = Model(session_s=0.0584, computing=0.975, byte_s=1.03e-08, round_trips=6.15, ramp=0.76)


def terms_of(protocol: Protocol, computing: Computing, line: Line, params: Params) -> Terms:
    """The terms of a prediction."""
    traffic = protocol.traffic(params)
    moved, trip_s = sum(traffic), line.round_trip_s
    return Terms(
        given_s=moved / line.bytes_per_s + protocol.round_trips * trip_s,
        factors=(
            1.0,
            computing.seconds(params.n_r, params.n_s),
            0.0 if line.measured else float(moved),
            trip_s,
            trip_s * sum(map(line.doublings, traffic)),
        ),
    )


def predict(
    protocol: Protocol, computing: Computing, line: Line, params: Params, model: Model = FITTED
) -> Cost:
    """What a session with these sizes is going to cost over this line."""
    return Cost(model.seconds(terms_of(protocol, computing, line, params)), *protocol.traffic(params))
