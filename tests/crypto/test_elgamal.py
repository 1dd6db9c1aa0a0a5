"""Sums of encrypted numbers against plain Python, and what a peer or a caller can get wrong."""

import copy
import json
import pickle
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import elgamal
from crypto.errors import DecodeError, ParameterError, ProtocolError
from crypto.rows import Rows
from tests.reference import elgamal as oracle
from tests.reference.arrays import VECTORS, fixed_rng, packed, unpacked
from tests.reference.ristretto import GENERATOR, IDENTITY, ORDER

INVALID = [
    bytes.fromhex(row)
    for rows in json.loads((VECTORS / "rfc9496_invalid.json").read_text()).values()
    if isinstance(rows, list)
    for row in rows
]
IDENTITY_BYTES = bytes(32)
KEY, R, T = 1234567, 7654321, 1122334
scalars = st.integers(1, ORDER - 1)


def numbers(*values: int):
    return np.array(values, np.uint64)


def chosen(*flags: int):
    return np.array(flags, np.bool_)


def key_of(scalar: int) -> elgamal.PrivateKey:
    return elgamal.generate_key(rng=fixed_rng([scalar]))


def opened(values: Sequence[int], flags: Sequence[int], limit: int) -> int:
    """The total of the chosen numbers, through all four steps with fresh randomness."""
    key = elgamal.generate_key()
    table = elgamal.encrypt(key, numbers(*values))
    blind, total = elgamal.blinded_sum(key.public_key, table, chosen(*flags))
    return elgamal.unblind(blind, elgamal.decrypt(key, total), limit)


@settings(deadline=None, max_examples=20)
@given(scalars, st.lists(st.tuples(st.integers(0, 2**64 - 1), scalars), max_size=6))
def test_ciphertexts_are_those_of_the_oracle(key: int, table: list[tuple[int, int]]) -> None:
    ours = key_of(key)
    public = oracle.public_key(key)
    assert ours.public_key == public.encode()
    values, draws = [value for value, _ in table], [t for _, t in table]
    expected = [oracle.to_bytes(oracle.encrypt(public, value, t)) for value, t in table]
    assert unpacked(elgamal.encrypt(ours, numbers(*values), rng=fixed_rng(draws))) == expected


@settings(deadline=None, max_examples=15)
@given(st.lists(st.tuples(st.integers(0, 40), scalars, st.booleans()), max_size=8), scalars, scalars)
def test_sums_are_those_of_the_oracle(table: list[tuple[int, int, bool]], r: int, t: int) -> None:
    public = oracle.public_key(KEY)
    ciphertexts = [oracle.encrypt(public, value, draw) for value, draw, _ in table]
    flags = [flag for *_, flag in table]
    rows = packed([oracle.to_bytes(c) for c in ciphertexts], 64)
    blind, total = elgamal.blinded_sum(public.encode(), rows, chosen(*flags), rng=fixed_rng([r, t]))
    picked = [c for c, flag in zip(ciphertexts, flags, strict=True) if flag]
    expected = oracle.blinded_sum(public, picked, r, t)
    assert total == oracle.to_bytes(expected)
    element = elgamal.decrypt(key_of(KEY), total)
    assert element == oracle.decrypt(KEY, expected).encode()
    right = sum(value for value, _, flag in table if flag)
    assert (
        elgamal.unblind(blind, element, 400) == right == oracle.unblind(oracle.decrypt(KEY, expected), r, 400)
    )


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 65_535), st.booleans()), max_size=700))
def test_the_total_comes_back(table: list[tuple[int, bool]]) -> None:
    values, flags = [value for value, _ in table], [flag for _, flag in table]
    right = sum(value for value, flag in table if flag)
    assert opened(values, flags, 65_535 * len(table)) == right
    assert opened(values, flags, right) == right


@pytest.mark.parametrize("total", [0, 1, 1023, 1024, 1025, 1026, 2**20 - 1, 2**20])
def test_a_total_is_found_wherever_the_steps_meet(total: int) -> None:
    assert opened([total], [1], 2**20) == total


@pytest.mark.parametrize("total", [2**39 + 12345, elgamal.MAX_LIMIT])
def test_the_largest_total_is_found(total: int) -> None:
    assert opened([total], [1], elgamal.MAX_LIMIT) == total


@pytest.mark.parametrize("excess", [1, 2, 10**6, 2**63])
def test_a_total_above_the_limit_is_the_peers_fault(excess: int) -> None:
    assert opened([500], [1], 500) == 500
    with pytest.raises(ProtocolError, match="larger"):
        opened([500 + excess], [1], 500)


def test_what_the_peer_did_not_decrypt_is_its_fault() -> None:
    blind, _ = elgamal.blinded_sum(key_of(KEY).public_key, packed([], 64), chosen(), rng=fixed_rng([R, T]))
    for element in (GENERATOR, (ORDER - 1) * GENERATOR, (R - 1) * GENERATOR):
        with pytest.raises(ProtocolError, match="larger"):
            elgamal.unblind(blind, element.encode(), 1000)
    assert elgamal.unblind(blind, (R * GENERATOR).encode(), 1000) == 0


def test_a_sum_of_nothing_looks_like_any_other() -> None:
    """Both halves of 30 sums, of nothing and of something, under one key: no two are equal."""
    key = elgamal.generate_key()
    table = elgamal.encrypt(key, numbers(0, 7))
    seen = set()
    for flags in ([0, 0], [1, 0], [1, 1]) * 10:
        _, total = elgamal.blinded_sum(key.public_key, table, chosen(*flags))
        seen |= {total[:32], total[32:], elgamal.decrypt(key, total)}
    assert len(seen) == 90


def test_whatever_a_peer_encrypts_any_sum_is_as_likely_as_any_other() -> None:
    """For each sum that is shown and each choice there is one pair of draws that gives it."""
    public = oracle.public_key(KEY)
    strange = [(3 * GENERATOR, 5 * GENERATOR), (GENERATOR, (ORDER - 9) * GENERATOR)]  # of no number, or so
    shown = oracle.blinded_sum(public, [strange[0]], R, T)
    # The other one chosen instead: what the logarithms of its halves lack of those that are shown.
    t = (3 + T - 1) % ORDER
    r = (5 + T * KEY + R - (ORDER - 9) - t * KEY) % ORDER
    rows = packed([oracle.to_bytes(c) for c in strange])
    for flags, draws in (([1, 0], [R, T]), ([0, 1], [r, t])):
        _, total = elgamal.blinded_sum(public.encode(), rows, chosen(*flags), rng=fixed_rng(draws))
        assert total == oracle.to_bytes(shown)


def refused(call: Callable[[], object]) -> None:
    with pytest.raises(DecodeError):
        call()


@pytest.mark.parametrize("bad", [IDENTITY_BYTES, *INVALID], ids=lambda row: row.hex()[:12])
def test_what_is_no_element_is_the_peers_fault(bad: bytes) -> None:
    key = elgamal.generate_key()
    table = elgamal.encrypt(key, numbers(1, 2, 3))
    blind, total = elgamal.blinded_sum(key.public_key, table, chosen(1, 0, 1))
    refused(lambda: elgamal.blinded_sum(bad, table, chosen(1, 1, 1)))
    for half in (slice(0, 32), slice(32, 64)):
        spoilt = table.copy()
        spoilt[1, half] = np.frombuffer(bad, np.uint8)
        for flags in ([0, 0, 0], [1, 1, 1], [1, 0, 1]):
            with pytest.raises(DecodeError, match="row 1 "):
                elgamal.blinded_sum(key.public_key, spoilt, chosen(*flags))
        changed = bytearray(total)
        changed[half] = bad
        with pytest.raises(DecodeError):
            elgamal.decrypt(key, bytes(changed))
    refused(lambda: elgamal.unblind(blind, bad, 10))


def test_the_kernel_draws_afresh_each_time() -> None:
    keys = [elgamal.generate_key() for _ in range(20)]
    assert len({key.public_key for key in keys}) == 20
    table = elgamal.encrypt(keys[0], np.zeros(600, np.uint64))
    assert len(np.unique(table[:, :32], axis=0)) == len(np.unique(table[:, 32:], axis=0)) == 600
    assert IDENTITY.encode() not in unpacked(np.ascontiguousarray(table[:, 32:]))


def test_secrets_show_nothing_and_do_not_leave() -> None:
    key = elgamal.generate_key()
    blind, _ = elgamal.blinded_sum(key.public_key, packed([], 64), chosen())
    assert (repr(key), str(blind)) == ("<ElgamalKey>", "<ElgamalBlind>")
    for secret in (key, blind):
        for attempt in (pickle.dumps, copy.copy, copy.deepcopy, lambda s: type(s)()):
            with pytest.raises(TypeError):
                attempt(secret)
        assert {name for name in dir(secret) if not name.startswith("_")} <= {"public_key"}


WRONG: list[Callable[[elgamal.PrivateKey, Rows], object]] = [
    lambda key, table: elgamal.encrypt(key, np.zeros(3, np.int64)),  # type: ignore[arg-type]
    lambda key, table: elgamal.encrypt(key, np.zeros((3, 1), np.uint64)),
    lambda key, table: elgamal.encrypt(key, np.zeros(6, np.uint64)[::2]),
    lambda key, table: elgamal.encrypt(key, [1, 2]),  # type: ignore[arg-type]
    lambda key, table: elgamal.encrypt(key, numbers(1, 2), rng=lambda n: b"\1" * (n - 1)),
    lambda key, table: elgamal.encrypt(key, numbers(1, 2), rng=bytes),
    lambda key, table: elgamal.blinded_sum(key.public_key, table, chosen(1, 1)),
    lambda key, table: elgamal.blinded_sum(key.public_key, table[:, :63].copy(), chosen(1, 1, 1)),
    lambda key, table: elgamal.blinded_sum(key.public_key, table, np.ones(3, np.uint8)),  # type: ignore[arg-type]
    lambda key, table: elgamal.decrypt(key, bytes(63)),
    lambda key, table: elgamal.generate_key(rng=lambda n: b"\1" * 63),
]


@pytest.mark.parametrize("call", WRONG)
def test_what_does_not_fit_is_our_mistake(call: Callable[[elgamal.PrivateKey, Rows], object]) -> None:
    key = elgamal.generate_key()
    with pytest.raises(ParameterError):
        call(key, elgamal.encrypt(key, numbers(1, 2, 3)))


@pytest.mark.parametrize("limit", [-1, 2**40 + 1])
def test_a_limit_has_limits(limit: int) -> None:
    blind, _ = elgamal.blinded_sum(key_of(KEY).public_key, packed([], 64), chosen())
    with pytest.raises(ParameterError, match="limit"):
        elgamal.unblind(blind, GENERATOR.encode(), limit)
    with pytest.raises(ParameterError, match="32 bytes"):
        elgamal.unblind(blind, bytes(31), 5)
