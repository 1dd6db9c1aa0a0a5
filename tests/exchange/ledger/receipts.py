"""A receipt of two members, signed with keys that are known, for the tests."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from crypto.psi import Output
from exchange.agreement import Agreement, Rung
from exchange.indicators import IndicatorType
from exchange.ledger.receipt import InitiatorPart, Receipt, ResponderPart, countersign, sign_initiator

INITIATOR = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
RESPONDER = Ed25519PrivateKey.from_private_bytes(b"\x02" * 32)
AGREEMENT = Agreement(
    alliance="threats.example", roster_epoch=1, roster_hash=b"\x70" * 32, initiator="umbra", responder="acme",
    receiver="umbra", output=Output.RECEIVER, rung=Rung.OVERLAP, protocol="voprf", profile="cti-c14n/1",
    types=(IndicatorType.IPV4,), initiator_padded=2048, responder_padded=1024, initiator_nonce=b"\x5e" * 32,
    responder_nonce=b"\x5f" * 32, stat_sec=40, purpose="", initiator_policy=b"\xb1" * 32,
    responder_policy=b"\xb0" * 32, deadline_s=600, initiator_software="cosight 0",
    responder_software="cosight 0",
)  # fmt: skip
PART = InitiatorPart(
    agreement=AGREEMENT.encoded, outcome="disclosed", transcript=b"\x7a" * 32, told=None,
    time="2026-03-01T12:00:03.000000Z", size=9, root=b"\x10" * 32, peer_size=4, peer_root=b"\x11" * 32,
)  # fmt: skip
ANSWER = ResponderPart(outcome="disclosed", time="2026-03-01T12:00:04.000000Z", size=6, root=b"\x12" * 32)


def receipt(*, told: int | None = None, **changed: object) -> Receipt:
    values = {name: getattr(PART, name) for name in PART.__slots__} | {"told": told} | changed
    part = InitiatorPart(**values)
    return countersign(part, sign_initiator(part, INITIATOR), ANSWER, RESPONDER)
