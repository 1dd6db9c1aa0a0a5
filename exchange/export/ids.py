"""Identifiers of exported objects: the same for the same thing, and a riddle to everybody else.

STIX derives the identifier of an observable from its value by UUIDv5, which is SHA-1 without a key. Whoever
sees the identifier of an address alone finds the address by trying all of them. So an export has no
observables, and every identifier is keyed by a secret of this node: it can be made again here, so that a
second export updates the first, and it says nothing to anybody without the key, not even that two nodes name
one thing.

Source: STIX 2.1 section 2.9 (identifier); RFC 9562 section 5.4 for the shape.
"""

from uuid import UUID

from crypto import labels
from crypto.hashing import derive_key

KEY_BYTES = 32


class Ids:
    """Makes the identifiers of one node.

    Args:
        key: 32 random bytes that stay on the node.
    """

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key for identifiers has {KEY_BYTES} bytes")
        self._key = key

    def uuid(self, kind: str, *parts: str) -> str:
        """A UUID in the shape of version 4 for a thing of a kind.

        Args:
            kind: of the object, such as ``indicator``.
            parts: what tells the thing from others of its kind.
        """
        digest = derive_key(labels.EXPORT_ID, self._key, kind.encode(), *(part.encode() for part in parts))
        return str(UUID(bytes=digest[:16], version=4))

    def stix(self, kind: str, *parts: str) -> str:
        """The identifier of a STIX object: ``kind--uuid``."""
        return f"{kind}--{self.uuid(kind, *parts)}"
