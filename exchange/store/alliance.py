"""The alliance as one home keeps it: a file for each roster, the node's keys, its current certificate.

A roster that another process writes (``cosight alliance revoke`` beside a running ``cosight serve``) is seen
at the next look: every question begins with whether the next epoch's file exists by now. The files are also
what settles who was first, between threads as between processes, so that no question waits while somebody
verifies what a caller offers.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from exchange.config import ROOT_KEY, Home, write_once
from exchange.errors import ConfigError, RosterError
from exchange.identity import certificates, keys
from exchange.identity.certificates import Tls
from exchange.identity.joining import check_admitted
from exchange.identity.keys import NodeKeys
from exchange.identity.roster import Member, Roster, SignedRoster
from exchange.identity.rules import RosterChain, authorise, document_hash, fork
from exchange.ledger import origin
from exchange.store.ledger import LedgerStore


def node_keys(home: Home) -> NodeKeys:
    """The node's own keys, from its home.

    Raises:
        ConfigError: one is missing, damaged, or others can read it.
    """
    return NodeKeys.from_pem(home.keys())


def home_ledger(home: Home, own: NodeKeys, alliance: str) -> LedgerStore:
    """The ledger of a home, open for appending; ``with`` closes it.

    Args:
        home: the home.
        own: its keys.
        alliance: the name of the alliance that it is in.

    Raises:
        LedgerError: it cannot be opened.
    """
    named = origin(home.member, alliance)
    return LedgerStore.open(home.ledger_file, signer=own.log, origin=named)


def root_key(home: Home) -> ec.EllipticCurvePrivateKey:
    """The alliance's root key, where the founder put it.

    Raises:
        ConfigError: it is not in this home.
    """
    if not home.key_file(ROOT_KEY).exists():
        raise ConfigError(
            "the alliance's root key is not in this home",
            code="no-root-key",
            hint=f"only its holder can admit members: put it at {home.key_file(ROOT_KEY)} for the occasion",
        )
    return keys.load_ca_key(ROOT_KEY, home.key(ROOT_KEY))


@dataclass(frozen=True, slots=True)
class _Held:
    """The rosters that we have, verified and as they came."""

    chain: RosterChain
    signed: tuple[bytes, ...]

    def then(self, signed: bytes) -> "_Held":
        return _Held(self.chain.adopt([signed]), (*self.signed, signed))


class Alliance:
    """What a node knows of its alliance. Safe to use from several threads.

    Args:
        home: the node's home; it must hold at least the first roster.
        own: the node's keys.
        clock: the time, UTC.

    Raises:
        ConfigError: the home is in no alliance, or a roster file in it is not what it should be.
    """

    def __init__(self, home: Home, own: NodeKeys, clock: Callable[[], datetime]) -> None:
        first = _file(home, 1)
        if not first.exists():
            raise ConfigError(
                f"{home.member} is in no alliance yet",
                code="no-alliance",
                hint="run: cosight alliance create NAME, or: cosight alliance join INVITATION",
            )
        self._home = home
        self._own = own
        self._clock = clock
        self._lock = threading.Lock()  # for assignments and our certificate, never while a roster is verified
        signed = _read(first)
        self._held = _Held(RosterChain.begin(document_hash(SignedRoster.decode(signed)), signed), (signed,))
        self._leaf: tuple[x509.Certificate, Tls] | None = None
        self._ca: x509.Certificate | None = None

    @classmethod
    def begin(cls, home: Home, rosters: Sequence[bytes]) -> None:
        """Put the first rosters of an alliance, verified before, into a home that has none.

        Raises:
            ConfigError: the home is in an alliance already, or cannot be written.
        """
        if _file(home, 1).exists() and _read(_file(home, 1)) != rosters[0]:
            raise ConfigError(
                f"{home.path} is in an alliance already", code="alliance-exists", hint="choose another --home"
            )
        for epoch, signed in enumerate(rosters, start=1):
            write_once(_file(home, epoch), signed)

    @property
    def member(self) -> str:
        """Our id."""
        return self._home.member

    @property
    def alliance(self) -> str:
        """The alliance's name."""
        return self._held.chain.current.alliance

    @property
    def keys(self) -> NodeKeys:
        """Our keys."""
        return self._own

    def chain(self) -> RosterChain:
        """Every roster so far, verified.

        Raises:
            RosterError: a roster file breaks a rule.
        """
        return self._look().chain

    def _look(self) -> _Held:
        held = self._held
        while (path := _file(self._home, (epoch := held.chain.current.epoch) + 1)).exists():
            held = held.then(_read(path))
            if held.chain.current.epoch == epoch:
                raise RosterError(f"{path} holds an older roster than its name says", code="roster-gap")
        with self._lock:
            if len(held.signed) > len(self._held.signed):  # another thread may have seen more meanwhile
                self._held = held
        return held

    def current(self) -> Roster:
        """The roster in force."""
        return self.chain().current

    def signed(self) -> list[bytes]:
        """Every roster so far, signed and encoded, oldest first."""
        return list(self._look().signed)

    def identities(self, epoch: int, members: Sequence[str]) -> list[bytes]:
        """The identity keys of these members by the roster of an epoch; fewer where somebody is not on it.

        Raises:
            RosterError: there is none of this epoch, yet.
        """
        signed = self.signed()
        if not 1 <= epoch <= len(signed):
            raise RosterError(f"we hold no roster {epoch}", code="roster-gap")
        roster = Roster.decode(SignedRoster.decode(signed[epoch - 1]).body)
        return [roster.by_id[name].identity_key for name in members if name in roster.by_id]

    # What calls need: exchange.rpc.directory.Directory

    def roster(self) -> tuple[int, bytes]:
        """Epoch and hash of the roster in force."""
        current = self.current()
        return current.epoch, current.hash

    def newer(self, epoch: int) -> list[bytes]:
        """Signed rosters after this epoch, oldest first."""
        return self.signed()[epoch:]

    def adopt(self, rosters: Sequence[bytes]) -> None:
        """Take up newer rosters, all or nothing; of two processes at once, the first one writes.

        Raises:
            RosterError: one breaks a rule, or contradicts one that we hold.
            ConfigError: the home cannot be written.
        """
        held = self.chain()
        after = held.adopt(rosters)
        offered = {document_hash(SignedRoster.decode(data)): data for data in rosters}
        for epoch in range(held.current.epoch + 1, after.current.epoch + 1):
            path, data = _file(self._home, epoch), offered[after.hashes[epoch - 1]]
            if not write_once(path, data) and not _same_roster(_read(path), data):
                raise fork(epoch)
        self._look()

    def authorise(self, leaf_pem: bytes) -> str:
        """The member that a client certificate belongs to.

        Raises:
            NotAuthorised: it belongs to nobody on the roster in force.
        """
        return authorise(self.current(), leaf_pem, self._clock()).id

    def check_member(self, peer: str) -> None:
        """Check that somebody is on the roster in force.

        Raises:
            RosterError: they are not, any more perhaps.
        """
        self.member_named(peer)

    def target(self, peer: str) -> str:
        """The DNS name in that member's certificate."""
        return certificates.dns_name(self.alliance, peer)

    def find(self, peer: str) -> Member | None:
        """Somebody on the roster in force, or None."""
        return self.current().by_id.get(peer)

    def member_named(self, peer: str) -> Member:
        """Somebody on the roster.

        Raises:
            RosterError: nobody has this name.
        """
        roster = self.current()
        found = roster.by_id.get(peer)
        if found is None:
            others = ", ".join(m.id for m in roster.members if m.id != self.member) or "nobody yet"
            raise RosterError(
                f"{peer} is not on roster {roster.epoch} of {roster.alliance}",
                code="unknown-member",
                hint=f"on it besides us: {others}",
            )
        return found

    def address(self, peer: str) -> str:
        """Where a member's node is reached: our own configuration first, then the roster.

        Raises:
            ConfigError: neither says.
            RosterError: nobody has this name.
        """
        member = self.member_named(peer)
        address = self._home.settings.peers.get(peer) or member.address
        if address is None:
            raise ConfigError(
                f"nobody says where {peer} is reached",
                code="no-address",
                hint=f'for us alone, add to {self._home.config_file} under [peers]: {peer} = "HOST:PORT"; for'
                f" all, an administrator runs: cosight alliance change --address {peer}=HOST:PORT",
            )
        return address

    def tls(self) -> Tls:
        """Our certificate and its key, renewed after half of its life. They live in memory alone.

        Raises:
            MembershipError: we are not on the roster (any more), or with other keys.
            ConfigError: our intermediate has expired.
        """
        roster, now = self.current(), self._clock()
        entry = check_admitted(roster, self.member, self._own)
        ca = certificates.load(entry.ca_certificate)
        with self._lock:
            # A new intermediate is used at once: the old one may be about to expire.
            renewed = self._ca != ca
            if self._leaf is None or renewed or certificates.needs_renewal(self._leaf[0], now):
                leaf, key = certificates.issue_leaf(
                    ca, self._own.ca, alliance=roster.alliance, member=self.member, now=now
                )
                root = certificates.load(roster.root_certificate)
                self._leaf, self._ca = (leaf, certificates.tls(leaf, key, ca=ca, root=root)), ca
            return self._leaf[1]

    def sign(self, data: bytes) -> bytes:
        """Our identity key's signature over bytes that carry their own label."""
        return self._own.identity.sign(data)

    def verify(self, peer: str, data: bytes, signature: bytes) -> bool:
        """Whether it is that member's signature, under the roster in force."""
        member = self.current().by_id.get(peer)
        return member is not None and keys.verify_raw(member.identity_key, data, signature)


def _file(home: Home, epoch: int) -> Path:
    return home.rosters / f"{epoch:06d}.roster"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as e:
        raise RosterError(f"cannot read {path}: {e.strerror}", code="roster-unreadable") from e


def _same_roster(a: bytes, b: bytes) -> bool:
    """Whether two signed rosters are the same document, whoever signed."""
    return SignedRoster.decode(a).body == SignedRoster.decode(b).body
