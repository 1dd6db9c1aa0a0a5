"""RFC 6962 section 2.1, word for word: every hash, path and proof straight from its recursive definition."""

from hashlib import sha256


def split(n: int) -> int:
    k = 1
    while 2 * k < n:
        k *= 2
    return k


def root(leaves: list[bytes]) -> bytes:
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    k = split(len(leaves))
    return sha256(b"\x01" + root(leaves[:k]) + root(leaves[k:])).digest()


def inclusion_proof(m: int, leaves: list[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return [*inclusion_proof(m, leaves[:k]), root(leaves[k:])]
    return [*inclusion_proof(m - k, leaves[k:]), root(leaves[:k])]


def consistency_proof(m: int, leaves: list[bytes]) -> list[bytes]:
    return _subproof(m, leaves, known=True) if 0 < m < len(leaves) else []


def _subproof(m: int, leaves: list[bytes], *, known: bool) -> list[bytes]:
    n = len(leaves)
    if m == n:
        return [] if known else [root(leaves)]
    k = split(n)
    if m <= k:
        return [*_subproof(m, leaves[:k], known=known), root(leaves[k:])]
    return [*_subproof(m - k, leaves[k:], known=False), root(leaves[:k])]
