"""The part of a key helper: indicators become tags under its key, as many as each member declared.

It sees how many indicators a member asks about, and nothing of them: they are blinded. What each may ask in
an epoch is counted before it is answered, so that a member can test no more guesses than its set is large. At
the end of an epoch the key is deleted; after that no guess can be tested any more.
"""

from hashlib import sha256
from math import floor
from threading import Lock

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from crypto import labels
from crypto.errors import PeerFault
from crypto.hashing import derive_key
from crypto.oprf import PrivateKey
from crypto.rows import Rows
from crypto.secagg import helpers as atr
from exchange.aggregation.announced import Announced, Signed
from exchange.aggregation.lots import epoch_of
from exchange.aggregation.round import Round, day_of
from exchange.agreement import size_class
from exchange.disclosure.drive import in_thread
from exchange.discovery.office import Office
from exchange.discovery.signing import announce
from exchange.discovery.world import HelperBooks
from exchange.errors import SessionRefused

PART = "helper"
TOKEN_BYTES = atr.NONCE_BYTES + atr.MARK_BYTES
"""Of a token, as one helper is shown it."""


class Helping:
    """What this member does as a key helper, and the keys that it announces.

    Args:
        office: who we are and what we decide with.
        books: what we must not forget.
    """

    def __init__(self, office: Office, books: HelperBooks) -> None:
        self._office = office
        self._desk = office.desk
        self._books = books
        self._declaring = Lock()

    async def keys(self, caller: str, of: Round) -> Signed:
        """Announce our keys for a discovery that names none yet, signed.

        Raises:
            SessionRefused: we have no part in it, or it is not for now.
        """
        return await in_thread(self._announce, caller, of)

    async def evaluate(self, caller: str, epoch: int, declared: int, blinded: Rows) -> tuple[Rows, bytes]:
        """Evaluate indicators; the same again costs nothing.

        Raises:
            SessionRefused: we are no helper, it is not this epoch, or the caller asks more than it may.
            PeerMisbehaved: they are no blinded indicators.
        """
        return await in_thread(self._evaluate, caller, epoch, declared, blinded)

    async def token(self, caller: str, of: Round, blinded: Rows) -> tuple[Rows, bytes]:
        """Evaluate the one token of a member in a discovery; the same again is fine.

        Raises:
            SessionRefused: we are no helper of it, or the caller has had another token.
            PeerMisbehaved: it is no blinded token.
        """
        return await in_thread(self._token, caller, of, blinded)

    async def redeem(self, caller: str, of: Round, tokens: list[bytes], batches: list[bytes]) -> list[bool]:
        """Say to the counter which tokens are ours and were not spent on another batch.

        Raises:
            SessionRefused: we are no helper of it, or the caller does not count it.
        """
        return await in_thread(self._redeem, caller, of, tokens, batches)

    def seed(self, epoch: int) -> bytes:
        """The secret of an epoch from which all our keys come.

        Raises:
            SessionRefused: it is not this epoch.
        """
        today = day_of(self._desk.clock())
        if epoch not in {epoch_of(today), epoch_of(today - 1), epoch_of(today + 1)}:
            raise SessionRefused("the keys of that epoch are deleted, or not made yet", code="epoch-over")
        return self._books.seed(epoch)

    def expire(self) -> None:
        """Delete the keys of epochs that are over, and write that down."""
        now = self._desk.clock()

        def erased(epoch: int) -> None:
            self._desk.ledger.append("erased", now=now, what={"epoch": epoch})

        self._books.erase(epoch_of(day_of(now) - 1), erased)

    def _announce(self, caller: str, of: Round) -> Signed:
        for part in set(of.parts.of(self._desk.member)) & {PART, "counter"}:
            self._office.check(of, part)
            break
        else:
            raise SessionRefused("we have no keys for this discovery", code="not-drawn")
        if caller not in of.members or of.keys:
            raise SessionRefused("the caller asks for keys of another discovery", code="not-drawn")
        seed = self.seed(of.epoch)
        announced = Announced(
            alliance=self._desk.alliance, member=self._desk.member, plan=of.plan,
            helper=epoch_key(seed, of.epoch).public_key, token=atr.token_key(seed, of.plan).public_key,
            box=box_key(seed, of.plan).public_key().public_bytes_raw(),
            secret=derive_key(labels.DISCOVERY_KEYS_OF, seed),
        )  # fmt: skip
        return announce(self._desk.identity, announced)

    def _evaluate(self, caller: str, epoch: int, declared: int, blinded: Rows) -> tuple[Rows, bytes]:
        terms, key = self._office.terms(PART), epoch_key(self.seed(epoch), epoch)
        if declared > self._desk.limits.max_rows:
            raise SessionRefused("the declared size is over our limit", code="too-large")
        if declared != size_class(declared):  # there are few of them: our ledger has one entry for each
            raise SessionRefused("the declared size is no size class")

        def larger() -> None:
            what = {"epoch": epoch, "padded": declared, "count": floor(terms.quota * declared)}
            self._desk.ledger.append("helped", now=self._desk.clock(), peer=caller, what=what)

        with self._declaring:
            largest = self._books.declare(epoch, caller, declared, larger)
        most = floor(terms.quota * largest)
        if not self._books.charge(epoch, caller, sha256(blinded.data).digest(), len(blinded), most):
            self._office.refused(caller, "quota-spent")
            raise SessionRefused(f"{caller} has asked as much as it declared", code="quota-spent")
        return _evaluated(key, blinded)

    def _token(self, caller: str, of: Round, blinded: Rows) -> tuple[Rows, bytes]:
        self._check(of)
        if caller not in of.members:
            raise SessionRefused("the caller takes no part in this discovery", code="not-on-roster")
        key = atr.token_key(self.seed(of.epoch), of.plan)
        # By the plan, as the key is: or whoever makes up another counter's key would have a token more.
        if not self._books.issue(of.epoch, of.plan, caller, sha256(blinded.data).digest()):
            self._office.refused(caller, "second-token", of.session)
            raise SessionRefused(f"{caller} asks for a second token", code="second-token")
        return _evaluated(key, blinded)

    def _redeem(self, caller: str, of: Round, tokens: list[bytes], batches: list[bytes]) -> list[bool]:
        self._check(of)
        if caller != of.parts.counter:
            raise SessionRefused("the caller does not count this discovery", code="not-drawn")
        key = atr.token_key(self.seed(of.epoch), of.plan)
        good = atr.confirm(key, np.frombuffer(b"".join(tokens), np.uint8).reshape(-1, TOKEN_BYTES))
        nonces = [token[: atr.NONCE_BYTES] for token in tokens]
        return [
            bool(is_ours) and self._books.spend(of.epoch, of.plan, nonce, batch)
            for is_ours, nonce, batch in zip(good, nonces, batches, strict=True)
        ]

    def _check(self, of: Round) -> None:
        self._office.check(of, PART)
        seed, place = self.seed(of.epoch), of.parts.helpers.index(self._desk.member)
        ours = epoch_key(seed, of.epoch).public_key + atr.token_key(seed, of.plan).public_key
        if not of.keys or of.keys[place] != ours:
            raise SessionRefused("the discovery names another key of ours", code="epoch-over")


def epoch_key(seed: bytes, epoch: int) -> PrivateKey:
    """The key under which a helper evaluates indicators in an epoch."""
    return atr.epoch_key(seed, epoch.to_bytes(8, "big"))


def box_key(seed: bytes, plan: bytes) -> X25519PrivateKey:
    """The key of a counter under which the batches of a discovery are sealed."""
    return X25519PrivateKey.from_private_bytes(derive_key(labels.DISCOVERY_BOX, seed, plan))


def _evaluated(key: PrivateKey, blinded: Rows) -> tuple[Rows, bytes]:
    try:
        reply = atr.evaluate(key, blinded)
    except PeerFault as e:
        raise SessionRefused("what came is not blinded") from e
    return reply.evaluated, reply.proof
