"""Our commitment to our set: one for everybody, in our log, anew whenever the set changes.

It binds what we may put in against whomever: the whole set without the terms for single peers. What goes into
a session is a part of it, and the canaries of that peer.

Source: Merkle, "A Certified Digital Signature", CRYPTO 1989; crypto.commitment says how it hides.
"""

from crypto import commitment, labels
from crypto.hashing import derive_key
from exchange.agreement import size_class
from exchange.disclosure.desk import Desk
from exchange.policy import EVERYTHING

CANARIES = 1024
"""Room in the declared size for the canaries that go in besides."""


def commit(desk: Desk) -> bool:
    """Commit to our set, unless it is the one that we are committed to. Returns whether it was another.

    Raises:
        StoreError: our set cannot be read.
        LedgerError: the ledger cannot be written.
    """
    now = desk.clock()
    state = desk.items.state(now=now)
    while True:
        newest = desk.ledger.commitment()
        if state is None or (newest is not None and newest.what["state"] == state.hex()):
            return False
        rows = desk.items.item_set(desk.items.types(now=now), now=now, admission=EVERYTHING).rows
        epoch = 1 if newest is None else int(str(newest.what["epoch"])) + 1
        what = {
            "epoch": epoch,
            "root": commitment.commit(rows, salt_of(desk.guard_key, epoch)).hex(),
            "padded": size_class(len(rows) + CANARIES),
            "state": state.hex(),
        }
        with desk.ledger.turn():
            if desk.ledger.commitment() == newest:  # no other process of the home has committed meanwhile
                desk.ledger.append("commitment", now=now, what=what)
                return True


def salt_of(guard_key: bytes, epoch: int) -> bytes:
    """The salt of one commitment: whoever knows it can test guesses at the set."""
    return derive_key(labels.COMMITMENT_SALT, guard_key, epoch.to_bytes(8, "big"))
