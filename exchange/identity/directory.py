"""A node's own view of its alliance: its rosters on disk, its keys, its certificate of the day.

The one file of this package that reads the disk or keeps state. The directory of rosters *is* the state:
every look picks up what another process added, so a running server follows ``cosight alliance revoke`` at
once.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from exchange.config import Home, read_file, write_once
from exchange.errors import ConfigError, MembershipError, RosterError
from exchange.identity import certificates
from exchange.identity.certificates import Tls
from exchange.identity.joining import check_admitted
from exchange.identity.keys import NodeKeys, verify_raw
from exchange.identity.roster import HASH_BYTES, Member, Roster, SignedRoster
from exchange.identity.rules import RosterChain, authorise, fork


def system_clock() -> datetime:
    """The time, UTC."""
    return datetime.now(UTC)


class RosterArchive:
    """The signed rosters of one alliance, one file an epoch, never overwritten.

    Processes and threads may read and adopt at once: a file appears whole, and of two that would be the same
    epoch the first stays.

    Args:
        directory: holds ``genesis`` (the hash of the first roster, hex) and ``000001.roster`` and so on.

    Raises:
        ConfigError: this node is in no alliance yet.
        RosterError: a file was altered.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        with _naming(_file(directory, 1)):
            self._chain = RosterChain.begin(_pinned(directory), self._read(1))
        self._refresh()

    @classmethod
    def found(cls, directory: Path, rosters: Sequence[bytes]) -> Self:
        """Begin with the rosters of an alliance just created or of a verified invitation.

        Args:
            directory: exists, and belongs to no other alliance.
            rosters: signed and encoded, oldest first, from epoch 1; its hash is pinned for good.

        Raises:
            MembershipError: the directory belongs to another alliance.
            RosterError: the rosters break a rule.
        """
        genesis = Roster.decode(SignedRoster.decode(rosters[0]).body).hash
        RosterChain.begin(genesis, rosters[0]).adopt(rosters[1:])
        # The pin goes first: from then on only this alliance's rosters are believed here.
        if (
            not write_once(directory / "genesis", f"{genesis.hex()}\n".encode())
            and _pinned(directory) != genesis
        ):
            raise MembershipError(
                "this node is in another alliance already",
                code="other-alliance",
                hint="make a home of its own for this one: cosight --home DIR init --member NAME",
            )
        _write_roster(_file(directory, 1), rosters[0])
        archive = cls(directory)
        archive.adopt(rosters[1:])
        return archive

    @property
    def chain(self) -> RosterChain:
        """The rosters as they are on disk this moment.

        Raises:
            RosterError: a new file breaks a rule.
        """
        self._refresh()
        return self._chain

    def adopt(self, signed: Sequence[bytes]) -> RosterChain:
        """Take up newer rosters and keep them.

        Args:
            signed: oldest first; those that we have are passed over.

        Raises:
            RosterError: they break a rule (then none is kept), or another process was faster.
            ConfigError: the disk is in the way.
        """
        held = self.chain
        held.adopt(signed)
        for data in signed:
            epoch = Roster.decode(SignedRoster.decode(data).body).epoch
            if epoch > held.current.epoch:
                _write_roster(_file(self._directory, epoch), data)
        return self.chain

    def since(self, epoch: int) -> list[bytes]:
        """The signed rosters after an epoch, oldest first; all of them after epoch 0."""
        return [self._read(e) for e in range(max(epoch, 0) + 1, self.chain.current.epoch + 1)]

    def _refresh(self) -> None:
        chain = self._chain
        while (path := _file(self._directory, chain.current.epoch + 1)).exists():
            with _naming(path):
                chain = chain.adopt([read_file(path)])
        self._chain = chain  # immutable: a thread that looks now sees the old or the new, whole

    def _read(self, epoch: int) -> bytes:
        return read_file(_file(self._directory, epoch))


@dataclass(frozen=True, slots=True)
class _Leaf:
    certificate: x509.Certificate
    issuer: bytes
    tls: Tls = field(repr=False)


class AllianceDirectory:
    """What the calls between nodes need to know of the alliance.

    Args:
        home: this node's.
        clock: the time, UTC.

    Raises:
        ConfigError: a key is missing or exposed, or this node is in no alliance yet.
        RosterError: a roster file was altered.
    """

    def __init__(self, home: Home, *, clock: Callable[[], datetime] = system_clock) -> None:
        self._home = home
        self._clock = clock
        self.keys = NodeKeys.from_pem(home.keys())
        self.archive = RosterArchive(home.rosters)
        self.member = home.member
        self.alliance = self.archive.chain.current.alliance
        self._leaf: _Leaf | None = None
        self._renewing = Lock()

    def roster(self) -> tuple[int, bytes]:
        """Epoch and hash of the roster in force."""
        current = self.archive.chain.current
        return current.epoch, current.hash

    def newer(self, epoch: int) -> list[bytes]:
        """Signed rosters after this epoch, oldest first."""
        return self.archive.since(epoch)

    def adopt(self, rosters: Sequence[bytes]) -> None:
        """Take up newer rosters.

        Raises:
            RosterError: they do not follow from ours.
        """
        self.archive.adopt(rosters)

    def authorise(self, leaf_pem: bytes) -> str:
        """The member that a client certificate belongs to.

        Raises:
            NotAuthorised: it is nobody's, by the roster in force.
        """
        return authorise(self.archive.chain.current, leaf_pem, self._clock()).id

    def find(self, peer: str) -> Member:
        """A member of the roster in force.

        Raises:
            MembershipError: there is none of that name.
        """
        roster = self.archive.chain.current
        member = roster.by_id.get(peer)
        if member is None:
            raise MembershipError(
                f"{peer} is not on roster {roster.epoch} of {roster.alliance}",
                code="no-such-member",
                hint="see who is: cosight alliance roster",
            )
        return member

    def address(self, peer: str) -> str:
        """Where a member is reached: as ``config.toml`` says, else as the roster says.

        Raises:
            MembershipError: there is no such member.
            ConfigError: neither says it.
        """
        address = self._home.settings.peers.get(peer) or self.find(peer).address
        if address is None:
            raise ConfigError(
                f"nothing says where {peer} is reached",
                code="no-address",
                hint=f'add to {self._home.config_file}, under [peers]: {peer} = "HOST:PORT"',
            )
        return address

    def target(self, peer: str) -> str:
        """The DNS name in that member's certificate.

        Raises:
            MembershipError: there is no such member.
        """
        return certificates.dns_name(self.alliance, self.find(peer).id)

    def tls(self) -> Tls:
        """Our certificate, made anew when half of its life has passed or the roster has a new intermediate.

        Raises:
            MembershipError: we are not on the roster, or not with these keys.
            ConfigError: our intermediate has expired.
        """
        with self._renewing:
            now, roster = self._clock(), self.archive.chain.current
            us = check_admitted(roster, self.member, self.keys)
            leaf = self._leaf
            if (
                leaf is None
                or leaf.issuer != us.ca_certificate
                or certificates.needs_renewal(leaf.certificate, now)
            ):
                self._leaf = leaf = _issue(roster, us, self.keys.ca, now)
            return leaf.tls

    def sign(self, data: bytes) -> bytes:
        """Our identity key's signature over bytes that begin with their own label."""
        return self.keys.identity.sign(data)

    def verify(self, peer: str, data: bytes, signature: bytes) -> bool:
        """Whether it is that member's signature, under the roster in force."""
        member = self.archive.chain.current.by_id.get(peer)
        return member is not None and verify_raw(member.identity_key, data, signature)


def _issue(roster: Roster, us: Member, key: ec.EllipticCurvePrivateKey, now: datetime) -> _Leaf:
    ca, root = certificates.load(us.ca_certificate), certificates.load(roster.root_certificate)
    leaf, leaf_key = certificates.issue_leaf(ca, key, alliance=roster.alliance, member=us.id, now=now)
    return _Leaf(leaf, us.ca_certificate, certificates.tls(leaf, leaf_key, ca=ca, root=root))


def _file(directory: Path, epoch: int) -> Path:
    return directory / f"{epoch:06}.roster"


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Name the file whose roster broke a rule."""
    try:
        yield
    except RosterError as e:
        raise RosterError(f"{path}: {e}", code=e.code, hint=e.hint) from e


def _write_roster(path: Path, data: bytes) -> None:
    if write_once(path, data):
        return
    held = SignedRoster.decode(read_file(path))
    if held.body != SignedRoster.decode(data).body:
        raise fork(Roster.decode(held.body).epoch)


def _pinned(directory: Path) -> bytes:
    path = directory / "genesis"
    if not path.exists():
        raise ConfigError(
            "this node is in no alliance yet",
            code="no-alliance",
            hint="run: cosight alliance create NAME, or: cosight alliance join INVITATION",
        )
    try:
        genesis = bytes.fromhex(read_file(path).decode().strip())
    except ValueError:
        genesis = b""
    if len(genesis) != HASH_BYTES:
        raise ConfigError(f"{path} was altered", hint="restore the rosters folder from your backup")
    return genesis
