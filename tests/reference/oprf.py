"""RFC 9497 for ristretto255-SHA512 in plain Python: the oracle of ``crypto.group`` and ``crypto.oprf``."""

from hashlib import sha512

from tests.reference.ristretto import GENERATOR, IDENTITY, ORDER, Point, decode, one_way_map


def i2osp(value: int, length: int) -> bytes:
    return value.to_bytes(length, "big")


def prefixed(data: bytes) -> bytes:
    return i2osp(len(data), 2) + data


def expand_message_xmd(message: bytes, dst: bytes, length: int) -> bytes:
    """RFC 9380, section 5.3.1, with SHA-512."""
    dst_prime = dst + i2osp(len(dst), 1)
    b0 = sha512(bytes(128) + message + i2osp(length, 2) + i2osp(0, 1) + dst_prime).digest()
    block = sha512(b0 + i2osp(1, 1) + dst_prime).digest()
    uniform, index = block, 1
    while len(uniform) < length:
        index += 1
        mixed = bytes(a ^ b for a, b in zip(b0, block, strict=True))
        block = sha512(mixed + i2osp(index, 1) + dst_prime).digest()
        uniform += block
    return uniform[:length]


def context(mode: int) -> bytes:
    return b"OPRFV1-" + i2osp(mode, 1) + b"-ristretto255-SHA512"


def hash_to_group(message: bytes, dst: bytes) -> Point:
    return one_way_map(expand_message_xmd(message, dst, 64))


def hash_item(item: bytes, mode: int) -> Point:
    return hash_to_group(item, b"HashToGroup-" + context(mode))


def hash_to_scalar(message: bytes, dst: bytes) -> int:
    return int.from_bytes(expand_message_xmd(message, dst, 64), "little") % ORDER


def derive_key(seed: bytes, info: bytes, mode: int) -> int:
    counter = 0
    while True:
        message = seed + prefixed(info) + i2osp(counter, 1)
        if key := hash_to_scalar(message, b"DeriveKeyPair" + context(mode)):
            return key
        counter += 1


def public_key(key: int) -> bytes:
    return (key * GENERATOR).encode()


def blind(item: bytes, scalar: int, mode: int) -> bytes:
    return (scalar * hash_item(item, mode)).encode()


def output(item: bytes, issued: Point) -> bytes:
    return sha512(prefixed(item) + prefixed(issued.encode()) + b"Finalize").digest()


def finalize(item: bytes, scalar: int, evaluated: bytes) -> bytes:
    return output(item, pow(scalar, -1, ORDER) * decode(evaluated))


def evaluate(key: int, item: bytes, mode: int) -> bytes:
    return output(item, key * hash_item(item, mode))


def composites(pk: bytes, blinded: list[bytes], evaluated: list[bytes], mode: int) -> tuple[Point, Point]:
    """``ComputeComposites``, section 2.2.2."""
    seed = sha512(prefixed(pk) + prefixed(b"Seed-" + context(mode))).digest()
    m, z = IDENTITY, IDENTITY
    for index, (c, d) in enumerate(zip(blinded, evaluated, strict=True)):
        transcript = prefixed(seed) + i2osp(index, 2) + prefixed(c) + prefixed(d) + b"Composite"
        weight = hash_to_scalar(transcript, b"HashToScalar-" + context(mode))
        m += weight * decode(c)
        z += weight * decode(d)
    return m, z


def _challenge(pk: bytes, points: list[Point], mode: int) -> int:
    transcript = prefixed(pk) + b"".join(prefixed(point.encode()) for point in points) + b"Challenge"
    return hash_to_scalar(transcript, b"HashToScalar-" + context(mode))


def prove(
    key: int, r: int, pk: bytes, blinded: list[bytes], evaluated: list[bytes], *, base: Point = GENERATOR
) -> bytes:
    """``GenerateProof`` of mode 1 for ``pk = key * base``, with the random scalar ``r``."""
    m, z = composites(pk, blinded, evaluated, 1)
    c = _challenge(pk, [m, z, r * base, r * m], 1)
    return c.to_bytes(32, "little") + ((r - c * key) % ORDER).to_bytes(32, "little")


def verify(
    pk: bytes, blinded: list[bytes], evaluated: list[bytes], proof: bytes, *, base: Point = GENERATOR
) -> bool:
    """``VerifyProof`` of mode 1."""
    c, s = int.from_bytes(proof[:32], "little"), int.from_bytes(proof[32:], "little")
    m, z = composites(pk, blinded, evaluated, 1)
    return c == _challenge(pk, [m, z, s * base + c * decode(pk), s * m + c * z], 1)
