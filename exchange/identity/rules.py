"""Every rule about rosters and about who may call, in one place and without I/O.

The first roster is trusted by its hash alone, which a newcomer has from its invitation and may compare by
telephone. Each later one must follow from the one before (numbers are the rules' names in the tests):

1. it is well-formed and canonical, within its size (``roster.decode``);
2. its epoch is the next; none is left out, and there is only one roster an epoch;
3. it names the roster before by hash, the same alliance, the same root, and no earlier time;
4. at least the quorum of the administrators *of the roster before* signed it, each once; one bad or foreign
   signature spoils it;
5. its quorum can be reached by its own administrators;
6. a member's identity and log keys never change; who loses one is revoked and joins under a new name;
7. who left is listed as revoked, with its keys and this epoch; nobody leaves that list or is added otherwise;
8. no name, key or invitation is used twice, over members and revoked;
9. every intermediate is that of its member: issued by the root, constrained to the member's name, its key
   used by nobody else.

Whoever calls may offer rosters, so a document is not even decoded before somebody who is or was administrator
has signed it.

After python-tuf's ``TrustedMetadataSet``: the rules in one file that cannot be bypassed, tested one by one.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from exchange.errors import NotAuthorised, RosterError
from exchange.identity import certificates
from exchange.identity.keys import verify
from exchange.identity.roster import NO_HASH, NO_INVITATION, Member, Revoked, Roster, SignedRoster


@dataclass(frozen=True, slots=True)
class RosterChain:
    """The rosters of an alliance, verified from the first to the one in force. Immutable.

    Attributes:
        current: the roster in force.
        hashes: of every roster so far, the first epoch's first.
        signers: ``(member, identity key)`` of everybody who is or was administrator. Rules 6 to 8 give each
            name one key for good.
    """

    current: Roster
    hashes: tuple[bytes, ...]
    signers: frozenset[tuple[str, bytes]]

    @classmethod
    def begin(cls, genesis: bytes, signed: bytes) -> Self:
        """Trust the first roster.

        Args:
            genesis: its hash, from the invitation.
            signed: the roster with its signatures, encoded.

        Raises:
            RosterError: it is another roster, or breaks a rule that also binds the first.
        """
        envelope = SignedRoster.decode(signed)
        roster = Roster.decode(envelope.body)
        if not hmac.compare_digest(roster.hash, genesis):
            raise RosterError(
                "the first roster is not that of the alliance",
                code="roster-genesis",
                hint="the file is another alliance's, or forged: compare fingerprints by telephone",
            )
        if roster.epoch != 1 or roster.previous != NO_HASH or roster.revoked:
            raise _invalid("the first roster is not a beginning")
        if any(m.invitation != NO_INVITATION for m in roster.members):
            raise _invalid("a member of the first roster claims to be invited")
        _check_document(roster, known=())
        check_signatures(envelope, roster)
        return cls(roster, (roster.hash,), frozenset(_administrators(roster).items()))

    def adopt(self, signed: Sequence[bytes]) -> Self:
        """The chain after these rosters; all or nothing.

        Args:
            signed: rosters with their signatures, oldest first. Those that we have are passed over.

        Raises:
            RosterError: one of them breaks a rule. This chain stays as it is.
        """
        chain = self
        for data in signed:
            chain = chain._adopt_one(data)
        return chain

    def _adopt_one(self, signed: bytes) -> Self:
        envelope = SignedRoster.decode(signed)
        if document_hash(envelope) in self.hashes:
            return self
        # A second roster of an old epoch, the proof of a fork, may be signed by who is administrator no more.
        _check_signers(envelope, dict(self.signers), quorum=1)
        roster = Roster.decode(envelope.body)
        if roster.alliance != self.current.alliance:
            raise RosterError(
                f"a roster of {roster.alliance} was offered, but we are in {self.current.alliance}",
                code="roster-foreign",
            )
        if roster.epoch > self.current.epoch + 1:
            raise RosterError(
                f"roster {roster.epoch} was offered, we hold {self.current.epoch}: some between are missing",
                code="roster-gap",
            )
        if roster.epoch <= self.current.epoch:
            raise fork(roster.epoch)
        check_signatures(envelope, self.current)  # first: strangers cannot make us check certificates
        check_step(self.current, roster)
        return replace(
            self,
            current=roster,
            hashes=(*self.hashes, roster.hash),
            signers=self.signers.union(_administrators(roster).items()),
        )


def document_hash(signed: SignedRoster) -> bytes:
    """``Roster.hash`` of the roster inside, without decoding it: there is one encoding of every roster."""
    return hashlib.sha256(signed.body).digest()


def fork(epoch: int) -> RosterError:
    """Two rosters claim the same epoch."""
    return RosterError(
        f"a second, different roster {epoch} was offered; we keep the first",
        code="roster-fork",
        hint="compare `cosight alliance roster` by telephone: somebody signed two of them, or forges",
    )


def check_signatures(signed: SignedRoster, authority: Roster) -> None:
    """Rule 4: the administrators of a roster signed another.

    Raises:
        RosterError: a signature is bad or foreign, or there are fewer than the quorum.
    """
    _check_signers(signed, _administrators(authority), authority.quorum)


def check_each_signature(signed: SignedRoster, authority: Roster) -> None:
    """Rule 4 without the number: nobody but administrators signed, each properly.

    Raises:
        RosterError: a signature is bad or foreign.
    """
    _check_signers(signed, _administrators(authority), quorum=0)


def _administrators(roster: Roster) -> dict[str, bytes]:
    """Whose signatures count, and by which keys."""
    return {m.id: m.identity_key for m in roster.administrators}


def _check_signers(signed: SignedRoster, keys: Mapping[str, bytes], quorum: int) -> None:
    for name, signature in signed.signatures:
        key = keys.get(name)
        if key is None or not verify(key, SignedRoster.LABEL, signed.body, signature):
            raise RosterError(
                "the roster carries a signature that is not an administrator's", code="roster-bad-signature"
            )
    if len(signed.signatures) < quorum:
        raise RosterError(
            f"the roster has {len(signed.signatures)} of the {quorum} signatures that it needs",
            code="roster-quorum",
            hint="have another administrator sign it: cosight alliance approve FILE",
        )


def check_step(before: Roster, after: Roster) -> None:
    """Rules 2, 3, 5 to 9: a roster may follow another. Signatures are checked apart.

    Raises:
        RosterError: it may not; says why.
    """
    if after.epoch != before.epoch + 1 or after.previous != before.hash:
        raise RosterError("the roster does not follow the one that we hold", code="roster-fork")
    if (after.alliance, after.root_certificate) != (before.alliance, before.root_certificate):
        raise _invalid("it changes the alliance's name or root")
    if after.issued_at < before.issued_at:
        raise _invalid("it is older than the roster before")
    for member in after.members:
        old = before.by_id.get(member.id)
        if old is None:
            if member.invitation == NO_INVITATION:
                raise _invalid(f"{member.id} was not invited")
        elif _lasting(old) != _lasting(member):
            raise _invalid(f"it changes the keys of {member.id}")
    left = {Revoked(*_lasting(m, after.epoch)) for m in before.members if m.id not in after.by_id}
    if set(after.revoked) != {*before.revoked, *left}:
        raise _invalid("its list of revoked members is not the old one with those who left")
    _check_document(after, known=before.members)


def _lasting(member: Member, epoch: int = 0) -> tuple[str, int, bytes, bytes, bytes]:
    """What of a member never changes, in the order of ``Revoked``."""
    return member.id, epoch, member.identity_key, member.log_key, member.invitation


def _check_document(roster: Roster, *, known: Iterable[Member]) -> None:
    """Rules 5, 8 and 9. Certificates of ``known`` members were checked before."""
    if roster.quorum > len(roster.administrators):
        raise _invalid("its administrators are fewer than its quorum")
    entries = roster.entries
    invitations = [e.invitation for e in entries if e.invitation != NO_INVITATION]
    keys = [key for e in entries for key in (e.identity_key, e.log_key)]
    for values in ([e.id for e in entries], keys, invitations):
        if len(set(values)) != len(values):
            raise _invalid("a name, a key or an invitation occurs twice")
    checked = {(m.id, m.ca_certificate) for m in known}
    ca_keys = set()
    try:
        root = certificates.load(roster.root_certificate)
        certificates.check_root(root, roster.alliance)
        for member in roster.members:
            certificate = certificates.load(member.ca_certificate)
            ca_keys.add(certificates.spki(certificates.p256(certificate)))
            if (member.id, member.ca_certificate) not in checked:
                certificates.check_intermediate(certificate, root, alliance=roster.alliance, member=member.id)
    except ValueError as e:
        raise _invalid(f"a certificate in it is not usable: {e}") from e
    if len(ca_keys) != len(roster.members):
        raise _invalid("two members share a certificate key")


def _invalid(why: str) -> RosterError:
    return RosterError(f"the roster cannot be taken up: {why}", code="roster-invalid")


def authorise(roster: Roster, leaf_pem: bytes, now: datetime) -> Member:
    """The member that a client certificate belongs to, by this roster. Called for every call of a peer.

    TLS has proven that the caller holds the leaf's key. Everything else is checked here, against the roster's
    copy of the member's intermediate and not the one that the caller sent.

    Raises:
        NotAuthorised: with the code ``bad-identity``, ``not-on-roster``, ``key-not-pinned`` or
            ``certificate-expired``.
    """
    try:
        leaf = certificates.load(leaf_pem)
        name = certificates.member_named(leaf, roster.alliance)
    except ValueError as e:
        raise NotAuthorised(f"a certificate was refused: {e}", code="bad-identity") from e
    member = roster.by_id.get(name)
    if member is None:
        raise NotAuthorised("the caller is not on the roster", code="not-on-roster")
    ca = certificates.load(member.ca_certificate)
    try:
        leaf.verify_directly_issued_by(ca)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm) as e:
        raise NotAuthorised(
            f"the certificate of {member.id} was not issued under the key on the roster",
            code="key-not-pinned",
        ) from e
    for certificate in (leaf, ca):
        if not certificates.is_valid_at(certificate, now):
            raise NotAuthorised(
                f"the certificate of {member.id} is not valid now",
                code="certificate-expired",
                hint="compare the clocks of both machines",
            )
    return member
