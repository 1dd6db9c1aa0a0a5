"""An alliance in memory whose administrators do whatever a test wants, validly signed.

Each rule can be broken alone: ``forge`` starts from the honest next roster, applies one edit and signs the
result with the keys that it is told to.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crypto import labels
from exchange.errors import RosterError
from exchange.identity import certificates, files, joining, membership
from exchange.identity.keys import NodeKeys, generate_ca_key, public_bytes, sign
from exchange.identity.roster import Member, Roster, SignedRoster
from exchange.identity.rules import RosterChain

ALLIANCE = "threats.example"
FOUNDER = "acme"
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
Edit = Callable[[Roster], Roster]


@dataclass
class Alliance:
    """Everybody's keys in one hand."""

    keys: dict[str, NodeKeys] = field(default_factory=lambda: {FOUNDER: NodeKeys.generate()})
    root_key: Any = field(default_factory=generate_ca_key)
    now: datetime = NOW

    def __post_init__(self) -> None:
        genesis = membership.create_alliance(
            ALLIANCE, FOUNDER, self.keys[FOUNDER], self.root_key, self.now, address="acme.example:7443"
        )
        self.rosters = [genesis.encode()]
        self.chain = RosterChain.begin(Roster.decode(genesis.body).hash, self.rosters[0])

    @property
    def roster(self) -> Roster:
        return self.chain.current

    def take(self, signed: SignedRoster) -> RosterChain:
        self.chain = self.chain.adopt([signed.encode()])
        self.rosters.append(signed.encode())
        return self.chain

    def invite(self, member: str | None = None, inviter: str = FOUNDER, **more: Any) -> bytes:
        return joining.make_invitation(
            self.chain, inviter, self.keys[inviter], self.now, rosters=self.rosters, member=member, **more
        )

    def request(self, member: str, invitation: bytes | None = None) -> bytes:
        self.keys.setdefault(member, NodeKeys.generate())
        read = joining.read_invitation(invitation or self.invite(), self.now)
        return joining.make_join_request(read, member, self.keys[member], address=f"{member}.example:7443")

    def admit(self, request: bytes, administrator: str = FOUNDER, **more: Any) -> SignedRoster:
        read = joining.read_join_request(request, self.chain, self.now)
        return membership.admit(
            self.chain, administrator, self.keys[administrator], self.root_key, read.newcomer, read.ca_key,
            self.now, **more,
        )  # fmt: skip

    def join(self, *members: str) -> None:
        for member in members:
            self.take(self.sign_all(self.admit(self.request(member))))

    def sign_all(self, proposal: SignedRoster) -> SignedRoster:
        for administrator in self.roster.administrators:
            signature = sign(self.keys[administrator.id].identity, labels.ROSTER, proposal.body)
            proposal = proposal.with_signature(administrator.id, signature)
        return proposal

    def newcomer(self, name: str, **changes: Any) -> Member:
        """A member with every key in order, not yet on the roster."""
        keys = self.keys.setdefault(name, NodeKeys.generate())
        member = Member(
            id=name,
            role="member",
            identity_key=public_bytes(keys.identity),
            log_key=public_bytes(keys.log),
            ca_certificate=self.intermediate(name, keys),
            address=None,
            invitation=name.encode().ljust(32, b"."),
        )
        return replace(member, **changes)

    def intermediate(
        self, name: str, keys: NodeKeys, *, alliance: str = ALLIANCE, root_key: Any = None
    ) -> bytes:
        root = certificates.load(self.roster.root_certificate)
        return certificates.der(
            certificates.make_intermediate(
                root, root_key or self.root_key, alliance=alliance, member=name,
                public_key=keys.ca.public_key(), now=self.now,
            )
        )  # fmt: skip

    def next(self, **changes: Any) -> Roster:
        """The honest next roster with some fields replaced, whatever the rules say."""
        before = self.roster
        plain = {"epoch": before.epoch + 1, "previous": before.hash, "issued_at": before.issued_at + 1}
        return replace(before, **{**plain, **changes})

    def forge(self, roster: Roster, signers: Iterable[str] = (FOUNDER,)) -> bytes:
        """A signed roster, by these members' true keys."""
        body = roster.encode()
        return SignedRoster(
            body, tuple((s, sign(self.keys[s].identity, labels.ROSTER, body)) for s in sorted(signers))
        ).encode()

    def leaf(self, member: str, now: datetime | None = None, **more: Any) -> certificates.Tls:
        """A TLS identity of a member."""
        ca = certificates.load(self.roster.by_id[member].ca_certificate)
        leaf, key = certificates.issue_leaf(
            ca,
            self.keys[member].ca,
            **{"alliance": ALLIANCE, "member": member, "now": now or self.now, **more},
        )
        return certificates.tls(leaf, key, ca=ca, root=certificates.load(self.roster.root_certificate))

    def later(self, **span: float) -> datetime:
        return self.now + timedelta(**span)


def approval(alliance: Alliance) -> bytes:
    """The file that the founder would send out now."""
    return files.write_approval(alliance.rosters)


def sort(members: Iterable[Member]) -> tuple[Member, ...]:
    """In the order of a roster."""
    return tuple(sorted(members, key=lambda m: m.id))


def refused(alliance, signed, code, match=None):
    """The chain refuses these rosters with this code and stays as it was."""
    before = alliance.chain
    with pytest.raises(RosterError, match=match) as caught:
        before.adopt([signed])
    assert caught.value.code == code
    assert alliance.chain is before


def altered(alliance, member, **changes: Any):
    """The members with one of them changed."""
    return tuple(replace(m, **changes) if m.id == member else m for m in alliance.roster.members)
