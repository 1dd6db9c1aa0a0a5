"""The one file of a light member: who it is, whom it knows, and what it allows. A member without a node.

A light member asks and never answers. It is on the roster like any other, with keys of its own; the file
holds these, so it is as secret as ``keys/`` of a home, and mode 0600 whether it is sealed or not. What the
member did is not in it: that is in a ledger, in the folder that belongs to the file on one machine.

The file is a line that says what it is, then canonical CBOR: ``salt`` and ``nonce`` (both null where it is
not sealed) and ``body``, which is CBOR again. Sealed means AES-256-GCM under a key that scrypt makes of a
passphrase; its cost is fixed, so that no file can ask for more.

Source: RFC 7914 (scrypt), NIST SP 800-38D (GCM).
"""

import secrets
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from crypto import labels
from exchange.config import NODE_KEYS
from exchange.errors import MembershipError
from exchange.identity import encoding
from exchange.identity.files import MAX_FILE_BYTES
from exchange.identity.keys import NodeKeys
from exchange.identity.roster import HASH_BYTES
from exchange.identity.rules import RosterChain
from exchange.names import is_address, is_member_id

SCRYPT_N, SCRYPT_R, SCRYPT_P = 1 << 17, 8, 1
"""128 MiB and about half a second for each passphrase that somebody tries."""
SALT_BYTES, NONCE_BYTES, KEY_BYTES = 16, 12, 32
LEAST_CHARS = 8
"""Of a passphrase."""

_HEAD = b"cosight light member 1\n"
_MAX_POLICY_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class LightMember:
    """What the file holds.

    Attributes:
        member: its id.
        pem: its private keys, by the names that a home has for them.
        genesis: hash of the alliance's first roster, as the invitation promised it.
        rosters: signed and encoded, oldest first; before the approval those of the invitation.
        peers: ``HOST:PORT`` by member, where it differs from the roster.
        policy: the text of ``policy.toml``.
    """

    member: str
    pem: Mapping[str, bytes] = field(repr=False)
    genesis: bytes
    rosters: tuple[bytes, ...] = field(repr=False)
    peers: Mapping[str, str]
    policy: str = field(repr=False)

    @property
    def keys(self) -> NodeKeys:
        """Its keys.

        Raises:
            ConfigError: one is damaged.
        """
        return NodeKeys.from_pem(self.pem)

    def chain(self) -> RosterChain:
        """Its rosters, verified from the first.

        Raises:
            RosterError: they are another alliance's, or break a rule.
        """
        return RosterChain.begin(self.genesis, self.rosters[0]).adopt(self.rosters[1:])

    def write(self, passphrase: str | None, *, rng: Callable[[int], bytes] = secrets.token_bytes) -> bytes:
        """The file.

        Args:
            passphrase: what seals it; ``None``: nothing does.
            rng: source of salt and nonce.

        Raises:
            MembershipError: the passphrase is too short.
        """
        body = encoding.encode(
            {
                "member": self.member, "keys": dict(self.pem), "genesis": self.genesis,
                "rosters": list(self.rosters), "peers": dict(self.peers), "policy": self.policy,
            }
        )  # fmt: skip
        salt = nonce = None
        if passphrase is not None:
            if len(passphrase) < LEAST_CHARS:
                raise MembershipError(
                    f"a passphrase has {LEAST_CHARS} characters at least", code="passphrase-short",
                    hint="several words are better than one",
                )  # fmt: skip
            salt, nonce = rng(SALT_BYTES), rng(NONCE_BYTES)
            body = AESGCM(_key(passphrase, salt)).encrypt(nonce, body, labels.LIGHT_MEMBER.encode())
        return _HEAD + encoding.encode({"salt": salt, "nonce": nonce, "body": body})

    @classmethod
    def read(cls, data: bytes, passphrase: Callable[[], str]) -> Self:
        """Read the file strictly. Its rosters are not verified: ``chain`` does that.

        Args:
            data: the file.
            passphrase: asked for what seals it, if it is sealed.

        Raises:
            MembershipError: it is none, it is damaged, or the passphrase is another one.
        """
        salt, nonce, body = _opened(data)
        try:
            if salt is not None and nonce is not None:
                key = _key(passphrase(), salt)
                body = AESGCM(key).decrypt(nonce, body, labels.LIGHT_MEMBER.encode())
            return cls._of(encoding.decode(body, limit=MAX_FILE_BYTES))
        except InvalidTag:
            raise MembershipError(
                "this passphrase does not open the file", code="passphrase-wrong",
                hint="if it is the right one, the file is damaged: restore it from your backup",
            ) from None  # fmt: skip
        except ValueError as e:
            raise _malformed(e) from None

    @classmethod
    def _of(cls, value: object) -> Self:
        found = encoding.table(
            value, member=str, keys=dict, genesis=bytes, rosters=list, peers=dict, policy=str
        )
        encoding.all_of(bytes, found["rosters"], "rosters")
        pem, peers = found["keys"], found["peers"]
        encoding.table(pem, **dict.fromkeys(NODE_KEYS, bytes))
        if not is_member_id(found["member"]) or len(found["genesis"]) != HASH_BYTES or not found["rosters"]:
            raise ValueError("a name, a hash or the rosters are not possible")
        if not all(_is_peer(peer, where) for peer, where in peers.items()):
            raise ValueError("an address in it is not HOST:PORT")
        if len(found["policy"]) > _MAX_POLICY_BYTES:
            raise ValueError("its policy is too long")
        return cls(found["member"], pem, found["genesis"], tuple(found["rosters"]), peers, found["policy"])


def is_sealed(data: bytes) -> bool:
    """Whether a passphrase is needed.

    Raises:
        MembershipError: it is no file of a light member.
    """
    return _opened(data)[0] is not None


def _opened(data: bytes) -> tuple[bytes | None, bytes | None, bytes]:
    if not data.startswith(_HEAD):
        raise MembershipError(
            "this is no file of a light member", code="light-malformed",
            hint="make one with: cosight light join INVITATION --member NAME",
        )  # fmt: skip
    maybe: Any = (bytes, type(None))
    try:
        found = encoding.table(
            encoding.decode(data[len(_HEAD) :], limit=MAX_FILE_BYTES), salt=maybe, nonce=maybe, body=bytes
        )
    except ValueError as e:
        raise _malformed(e) from None
    salt, nonce = found["salt"], found["nonce"]
    sizes = tuple(None if part is None else len(part) for part in (salt, nonce))
    if sizes not in {(None, None), (SALT_BYTES, NONCE_BYTES)}:
        raise _malformed(ValueError("its seal has no possible size"))
    return salt, nonce, found["body"]


def _is_peer(peer: object, where: object) -> bool:
    return isinstance(peer, str) and is_member_id(peer) and isinstance(where, str) and is_address(where)


def _key(passphrase: str, salt: bytes) -> bytes:
    """Composed characters have one spelling: two keyboards may make two."""
    secret = unicodedata.normalize("NFC", passphrase).encode()
    return Scrypt(salt=salt, length=KEY_BYTES, n=SCRYPT_N, r=SCRYPT_R, p=SCRYPT_P).derive(secret)


def _malformed(error: ValueError) -> MembershipError:
    return MembershipError(
        f"the file of the light member is damaged: {error}", code="light-malformed",
        hint="restore it from your backup",
    )  # fmt: skip
