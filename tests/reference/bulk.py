"""The bulk form of ``crypto.oprf`` in plain Python."""

from blake3 import blake3

from crypto import labels
from tests.reference import oprf
from tests.reference.ristretto import GENERATOR, IDENTITY, ORDER, Point, decode

QUARTER = pow(4, -1, ORDER)
MODE = 1


def blind(item: bytes, scalar: int) -> bytes:
    return (2 * (oprf.hash_item(item, MODE) + scalar * GENERATOR)).encode()


def fold(pk: bytes, blinded: list[bytes], evaluated: list[bytes]) -> tuple[Point, Point]:
    """Both sides of the batch under 128-bit weights that depend on all of it."""
    parts = (pk, b"".join(blinded), b"".join(evaluated))
    material = b"".join(len(part).to_bytes(8, "little") + part for part in parts)
    seed = blake3(material, derive_key_context=labels.BULK_FOLD).digest()
    stream = blake3(b"", key=seed).digest(length=16 * len(blinded))
    c, z = IDENTITY, IDENTITY
    for index, (left, right) in enumerate(zip(blinded, evaluated, strict=True)):
        weight = int.from_bytes(stream[16 * index :][:16], "little")
        c += weight * decode(left)
        z += weight * decode(right)
    return c, z


def blind_evaluate(key: int, blinded: list[bytes], r: int) -> tuple[list[bytes], bytes]:
    quarter = key * QUARTER % ORDER
    pk = oprf.public_key(key)
    evaluated = [(quarter * decode(row)).encode() for row in blinded]
    c, z = (point.encode() for point in fold(pk, blinded, evaluated))
    return evaluated, oprf.prove(quarter, r, pk, [c], [z], base=4 * GENERATOR)
