"""Hashing by the ``blake3`` package: the oracle of ``crypto.hashing``."""

from blake3 import blake3

from crypto import labels


def derive_key(label: str, *material: bytes) -> bytes:
    joined = b"".join(len(part).to_bytes(8, "little") + part for part in material)
    return blake3(joined, derive_key_context=label).digest()


def keyed(key: bytes, row: bytes) -> bytes:
    return blake3(row, key=key).digest()


def item(kind: str, value: str) -> bytes:
    return keyed(derive_key(labels.ITEM), kind.encode() + b"\x1f" + value.encode())
