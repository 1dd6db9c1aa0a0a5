"""Punctured trees in plain Python: every leaf from the root, down its own path."""

from functools import cache

from tests.reference.lpn import encrypt


def depth(leaves: int) -> int:
    return (leaves - 1).bit_length()


@cache
def node(keys: tuple[int, int], root: int, level: int, index: int) -> int:
    if level == 0:
        return root
    parent = node(keys, root, level - 1, index >> 1)
    return encrypt(keys[index & 1], parent) ^ parent


def leaves(keys: tuple[int, int], root: int, count: int) -> list[int]:
    return [node(keys, root, depth(count), leaf) for leaf in range(count)]


def sums(keys: tuple[int, int], root: int, count: int) -> list[list[int]]:
    """Of each level below the root, the sum of its left nodes and of its right ones that lead to a leaf."""
    out = []
    for level in range(1, depth(count) + 1):
        width = -(-count >> depth(count) - level)
        out.append([0, 0])
        for index in range(width):
            out[-1][index & 1] ^= node(keys, root, level, index)
    return out


def choices(hole: int, count: int) -> list[int]:
    return [1 - (hole >> bit & 1) for bit in reversed(range(depth(count)))]
