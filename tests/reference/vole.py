"""Silent VOLE in plain Python: the trees of the sender, and what both end with."""

from dataclasses import dataclass

from tests.reference import ggm
from tests.reference.lpn import compress, derive, multiply, number, stream

NOISE = 250
TREES = "cosight 2026 silent vole trees v1"
DRAWS = "cosight 2026 silent vole draws v1"
ANSWER = "cosight 2026 silent vole answer v1"


def leaves(count: int) -> int:
    return max(128, -(-count // (NOISE // 2)))


def pack(values: list[int]) -> bytes:
    return b"".join(value.to_bytes(16, "little") for value in values)


def drawn(draw: bytes, n: int) -> list[int]:
    return stream(number(derive(DRAWS, draw)), 0, n, 128)


@dataclass
class Receiver:
    """What a receiver draws, and what it asks for."""

    count: int
    draw: bytes

    def __post_init__(self) -> None:
        words = drawn(self.draw, 2 * NOISE + 2)
        self.holes = [(word >> 32) * leaves(self.count) >> 96 for word in words[:NOISE]]
        self.values, self.point = words[NOISE:-1], words[-1]

    @property
    def choices(self) -> list[int]:
        return [bit for hole in self.holes for bit in ggm.choices(hole, leaves(self.count))]

    @property
    def a(self) -> list[int]:
        size = leaves(self.count)
        sparse = [0] * (NOISE * size)
        for tree, (hole, value) in enumerate(zip(self.holes, self.values, strict=False)):
            sparse[tree * size + hole] = value
        return compress(sparse)[: self.count]

    @property
    def challenge(self) -> bytes:
        x = self.values[NOISE]
        for tree, hole in enumerate(self.holes):
            x ^= multiply(power(self.point, tree * leaves(self.count) + hole + 1), self.values[tree])
        return pack([self.point, x])


@dataclass
class Sender:
    """Trees of all roots, and what is told of them."""

    count: int
    context: bytes
    draw: bytes

    def __post_init__(self) -> None:
        words, size = drawn(self.draw, NOISE + 2), leaves(self.count)
        self.salt = pack(words[NOISE:])
        session = number(derive(TREES, self.context, self.salt))
        self.keys = [(a, b) for a, b in zip(*[iter(stream(session, 0, 2 * NOISE, 128))] * 2, strict=True)]
        self.roots = words[:NOISE]
        self.trees = [ggm.leaves(keys, root, size) for keys, root in zip(self.keys, self.roots, strict=True)]

    def message(self, zeros: list[int], ones: list[int], shares: list[int]) -> bytes:
        out, at = self.salt, 0
        for keys, root, tree, share in zip(self.keys, self.roots, self.trees, shares, strict=False):
            for left, right in ggm.sums(keys, root, len(tree)):
                out += pack([left ^ zeros[at], right ^ ones[at]])
                at += 1
            total = share
            for leaf in tree:
                total ^= leaf
            out += pack([total])
        return out

    def answer(self, challenge: bytes, delta: int, mask: int) -> bytes:
        point, total = number(challenge), mask ^ multiply(delta, number(challenge[16:]))
        value = 0
        for leaf in reversed([leaf for tree in self.trees for leaf in tree]):
            value = multiply(value ^ leaf, point)
        return derive(ANSWER, self.context, pack([total ^ value]))

    @property
    def b(self) -> list[int]:
        return compress([leaf for tree in self.trees for leaf in tree])[: self.count]


def power(base: int, exponent: int) -> int:
    out = 1
    for bit in f"{exponent:b}":
        out = multiply(out, out)
        out = multiply(out, base) if bit == "1" else out
    return out
