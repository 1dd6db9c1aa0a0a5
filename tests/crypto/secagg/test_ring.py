"""Masked vectors: published vectors of the generator, plain Python as oracle, and what is no vector."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import _native, hashing, labels
from crypto.errors import ParameterError
from crypto.rows import Rows
from crypto.secagg import ring
from crypto.secagg.ring import Vector
from tests.reference import secagg as oracle

ROOT = Path(__file__).parents[3]
SEED = bytes(range(32))
WIDTHS = sorted(ring.WORDS)


def rows(*seeds: bytes) -> Rows:
    return np.frombuffer(b"".join(seeds), np.uint8).reshape(-1, 32)


def vector(values: list[int], width: int) -> Vector:
    return np.array(values, ring.WORDS[width])


def part(seed: bytes, count: int, width: int, offset: int = 0) -> Vector:
    words = np.zeros(count, ring.WORDS[width])
    ring.add_masks(words, rows(seed), [1], offset=offset)
    return words


def test_the_key_stream_of_nist_sp_800_38a() -> None:
    """F.5.5, CTR-AES256.Encrypt, holds the oracle; ``cargo test`` holds the kernel to it, on every backend.

    Its counter begins at f0f1...ff: no vector is that long.
    """
    key = bytes.fromhex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")
    plain = bytes.fromhex(
        "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
        "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
    )
    cipher = bytes.fromhex(
        "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5"
        "2b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6"
    )
    start = int("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", 16) * 16
    assert oracle.stream(key, start, 64) == bytes(a ^ b for a, b in zip(plain, cipher, strict=True))


@pytest.mark.parametrize("width", WIDTHS)
def test_a_mask_is_the_key_stream(width: int) -> None:
    for offset in (0, 1, 7, 2**35 + 3, 2**60):
        assert part(SEED, 150, width, offset).tolist() == oracle.mask(SEED, offset, 150, width)


@settings(deadline=None)
@given(
    width=st.sampled_from(WIDTHS),
    masks=st.lists(st.tuples(st.binary(min_size=32, max_size=32), st.sampled_from([1, -1])), max_size=4),
    offset=st.integers(0, 2**40),
    data=st.data(),
)
def test_it_is_the_oracle(
    width: int, masks: list[tuple[bytes, int]], offset: int, data: st.DataObject
) -> None:
    values = data.draw(st.lists(st.integers(0, 2**width - 1), max_size=70))
    seeds, signs = [seed for seed, _ in masks], [sign for _, sign in masks]
    words = vector(values, width)
    ring.add_masks(words, rows(*seeds), signs, offset=offset)
    assert words.tolist() == oracle.add_masks(values, seeds, signs, width, offset)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_part_is_the_part_of_the_whole(width: int) -> None:
    """Chunks, blocks and words do not show, wherever a vector begins and ends."""
    chunk = 8 * ring.CHUNK_BYTES // width
    n = 2 * chunk + 77
    whole = part(SEED, n, width)
    for start in (0, 1, 15, 16, 17, chunk - 1, chunk, n - 1):
        for end in (start, start + 1, start + 33, chunk, chunk + 1, n):
            expected = whole[start : max(start, end)]
            assert np.array_equal(part(SEED, len(expected), width, start), expected)


@pytest.mark.parametrize("width", WIDTHS)
def test_masks_of_pairs_cancel(width: int) -> None:
    """What each of five members adds for those behind it, and takes off for those before it."""
    n, d = 5, 40_000
    random = np.random.default_rng(width)
    inputs = random.integers(0, 2**width, (n, d), np.uint64).astype(ring.WORDS[width])
    expected = inputs.sum(axis=0, dtype=ring.WORDS[width])
    masked = inputs.copy()
    for i in range(n):
        others = [j for j in range(n) if j != i]
        seeds = [bytes([min(i, j), max(i, j)]) * 16 for j in others]
        ring.add_masks(masked[i], rows(*seeds), [1 if j > i else -1 for j in others])
        assert not np.array_equal(masked[i], inputs[i])
    total = np.zeros(d, ring.WORDS[width])
    for row in masked:
        ring.add(total, row)
    assert np.array_equal(total, expected)


BACKENDS = """
import hashlib, numpy as np
from crypto import _native
from crypto.secagg import ring
hash = hashlib.sha256()
for width, word in sorted(ring.WORDS.items()):
    words = np.arange(100_003).astype(word)
    seeds = np.arange(96, dtype=np.uint8).reshape(3, 32)
    ring.add_masks(words, seeds, [1, -1, 1], offset=12_345)
    hash.update(words)
print(_native.kernel_backends()["prg"], hash.hexdigest())
"""


def test_every_backend_gives_the_same_bytes() -> None:
    """The variable is read once, so each takes a process; ``cargo test`` compares the narrow one, too."""
    found = {}
    for kernel in ("portable", ""):
        done = subprocess.run(
            [sys.executable, "-c", BACKENDS],
            cwd=ROOT,
            env=os.environ | {"COSIGHT_KERNEL": kernel},
            capture_output=True,
            text=True,
            check=True,
        )
        backend, found[kernel] = done.stdout.split()
        assert backend == (kernel or backend)
    assert found[""] == found["portable"]


def test_a_vector_that_shares_its_memory_is_changed_where_it_is() -> None:
    table = np.zeros((300, 4), np.uint8)
    ring.add_masks(ring.from_rows(table), rows(SEED), [1])
    assert table.tobytes() == oracle.stream(SEED, 0, 1200)
    assert np.shares_memory(table, ring.to_rows(ring.from_rows(table)))


@pytest.mark.parametrize("width", WIDTHS)
def test_rows_are_words_little_endian(width: int) -> None:
    words = vector([1, 2, 2**width - 1], width)
    table = ring.to_rows(words)
    assert table.shape == (3, width // 8)
    assert [int.from_bytes(row.tobytes(), "little") for row in table] == words.tolist()
    assert ring.from_rows(table).dtype == ring.WORDS[width]


@pytest.mark.parametrize("width", WIDTHS)
def test_sums_wrap(width: int) -> None:
    into = vector([2**width - 1, 5], width)
    ring.add(into, vector([2, 1], width))
    assert into.tolist() == [1, 6]


@pytest.mark.parametrize("width", WIDTHS)
def test_a_cap_holds_for_every_entry(width: int) -> None:
    words = vector([100] * 70_001, width)
    ring.checked(words, 100)
    ring.checked(words[:0], 0)
    for place in (0, 35_000, 70_000):
        over = words.copy()
        over[place] = 101
        with pytest.raises(ParameterError, match="above the cap") as caught:
            ring.checked(over, 100)
        assert str(place) not in str(caught.value)
        ring.checked(over, 2**width - 1)
    for cap in (-1, 2**width):
        with pytest.raises(ParameterError):
            ring.checked(words, cap)


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 200_000])
def test_digests_are_the_oracle_s(size: int) -> None:
    words = part(SEED, size, 8)
    found = ring.digests(words)
    assert [row.tobytes() for row in found] == oracle.digests(words.tobytes())
    assert ring.root(found) == hashing.derive_key(labels.RING_ROOT, found.tobytes())


def test_a_root_binds_every_chunk_its_place_and_their_number() -> None:
    chunk = ring.CHUNK_BYTES
    words = np.zeros(3 * chunk, np.uint8)
    roots = {ring.root(ring.digests(words[:size])) for size in (0, chunk - 1, chunk, 2 * chunk, 3 * chunk)}
    for place in (0, chunk, 3 * chunk - 1):
        words[place] = 1
        roots.add(ring.root(ring.digests(words)))
    assert len(roots) == 8
    found = ring.digests(np.zeros(2 * chunk, np.uint8))
    assert found[0].tobytes() != found[1].tobytes()
    assert ring.root(found) != ring.root(np.ascontiguousarray(found[::-1]))


def read_only() -> Vector:
    words = vector([1, 2], 32)
    words.flags.writeable = False
    return words


NO_VECTORS = {
    "a list": [1, 2],
    "signed": np.zeros(4, np.int32),
    "floating": np.zeros(4),
    "big-endian": np.zeros(4, ">u4"),
    "two-dimensional": np.zeros((2, 2), np.uint32),
    "strided": np.zeros(8, np.uint32)[::2],
    "unaligned": np.zeros(9, np.uint8)[1:].view("<u4"),
}


@pytest.mark.parametrize("wrong", NO_VECTORS.values(), ids=NO_VECTORS.keys())
def test_what_is_no_vector_is_refused(wrong: Vector) -> None:
    fine = vector([0, 0], 32)
    for call in (
        lambda: ring.add_masks(wrong, rows(SEED), [1]),
        lambda: ring.add(wrong, fine),
        lambda: ring.add(fine, wrong),
        lambda: ring.checked(wrong, 1),
        lambda: ring.digests(wrong),
        lambda: ring.to_rows(wrong),
    ):
        with pytest.raises(ParameterError):
            call()


def test_what_does_not_fit_together_is_refused_and_changes_nothing() -> None:
    words = vector([3, 4], 32)
    for call in (
        lambda: ring.add_masks(words, rows(SEED), []),
        lambda: ring.add_masks(words, rows(SEED), [1, 1]),
        lambda: ring.add_masks(words, rows(SEED), [0]),
        lambda: ring.add_masks(words, rows(SEED), [2]),
        lambda: ring.add_masks(words, np.zeros((1, 31), np.uint8), [1]),
        lambda: ring.add_masks(words, rows(SEED), [1], offset=-1),
        lambda: ring.add_masks(words, rows(SEED), [1], offset=2**60 + 1),
        lambda: ring.add_masks(read_only(), rows(SEED), [1]),
        lambda: ring.add(read_only(), words),
        lambda: ring.add(words, vector([1], 32)),
        lambda: ring.add(words, vector([1, 2], 64)),
        lambda: ring.root(np.zeros((1, 31), np.uint8)),
        lambda: ring.from_rows(np.zeros((1, 3), np.uint8)),
        lambda: ring.from_rows(np.zeros(9, np.uint8)[1:].reshape(2, 4)),
    ):
        with pytest.raises(ParameterError):
            call()
    assert words.tolist() == [3, 4]


def test_the_module_itself_refuses_what_python_should_have() -> None:
    data = np.zeros(12, np.uint8)
    for call in (
        lambda: _native.ring_add_masks(data, 24, rows(SEED), b"\0", 0),
        lambda: _native.ring_add_masks(data, 64, rows(SEED), b"\0", 0),
        lambda: _native.ring_add_masks(data, 32, rows(SEED), b"\0\0", 0),
        lambda: _native.ring_add_masks(data[::2], 8, rows(SEED), b"\0", 0),
        lambda: _native.ring_add_masks(data[1:9], 32, rows(SEED), b"\0", 0),
        lambda: _native.ring_exceeds(data, 64, 1),
        lambda: _native.ring_exceeds(data, 7, 1),
        lambda: _native.ring_digests(bytes(31), data),
        lambda: _native.ring_digests(bytes(32), data[::2]),
    ):
        with pytest.raises(ParameterError):
            call()
