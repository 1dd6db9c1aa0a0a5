"""What only the border between Python and Rust can get wrong: secrets that print, threads, damaged input."""

import copy
import os
import pickle
import threading
import time
import tracemalloc
from secrets import token_bytes

import numpy as np
import pytest

from crypto import _native, elgamal, oprf
from crypto.errors import ParameterError
from crypto.group import Rng
from crypto.oprf import Mode

ITEMS = np.arange(640, dtype=np.uint8).reshape(20, 32)


def secrets() -> list[object]:
    return [oprf.generate_key(Mode.VOPRF), oprf.blind(ITEMS, mode=Mode.VOPRF)[0], oprf.bulk_blind(ITEMS)[0]]


def test_secrets_show_nothing() -> None:
    texts = [{str(secret), repr(secret), f"{secret}"} for secret in secrets()]
    assert texts == [{"<PrivateKey>"}, {"<Blinds>"}, {"<Blinds>"}]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_secrets_do_not_pickle(protocol: int) -> None:
    for secret in secrets():
        with pytest.raises(TypeError, match="pickle"):
            pickle.dumps(secret, protocol)


def test_secrets_do_not_copy_or_grow() -> None:
    for secret in secrets():
        with pytest.raises(TypeError):
            copy.copy(secret)
        with pytest.raises(TypeError):
            type(secret)()
        with pytest.raises(AttributeError):
            secret.extra = 1  # type: ignore[attr-defined]
        public = {name for name in dir(secret) if not name.startswith("_")}
        assert public <= {"mode", "public_key"}


def python_peak(rng: Rng) -> int:
    """The most bytes that Python held at once while it blinded 4096 items."""
    items = np.zeros((4096, 32), np.uint8)
    tracemalloc.start()
    try:
        oprf.bulk_blind(items, rng=rng)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_the_default_randomness_never_becomes_bytes_of_python() -> None:
    """Python frees them without wiping; what another rng gives has to pass through."""
    drawn = 64 * 4096
    assert python_peak(os.urandom) >= drawn
    assert python_peak(token_bytes) < drawn // 16


@pytest.mark.parametrize("mode", Mode)
def test_the_kernel_draws_afresh_each_time(mode: Mode) -> None:
    keys = {oprf.generate_key(mode).public_key for _ in range(20)}
    same = np.zeros((300, 32), np.uint8)
    rows = np.concatenate([oprf.blind(same, mode=mode)[1], oprf.bulk_blind(same)[1]])
    assert len(keys) == 20
    assert len(np.unique(rows, axis=0)) == 600


def test_blinds_know_only_their_number() -> None:
    assert len(oprf.bulk_blind(ITEMS)[0]) == 20


def test_other_threads_run_while_the_kernel_works() -> None:
    """A thread that needs the interpreter makes progress during one call of the kernel."""
    ticks: list[float] = []
    done = threading.Event()

    def tick() -> None:
        while not done.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.001)

    ticker = threading.Thread(target=tick)
    ticker.start()
    try:
        key, items = oprf.generate_key(Mode.OPRF), np.zeros((8000, 32), np.uint8)
        start = time.perf_counter()
        oprf.evaluate(key, items)
        end = time.perf_counter()
    finally:
        done.set()
        ticker.join()
    during = [at for at in ticks if start < at < end]
    assert len(during) > 5


def test_threads_share_the_kernel() -> None:
    key = oprf.derive_key(bytes(32), b"threads", Mode.OPRF)
    expected = oprf.evaluate(key, ITEMS)
    results: list[bool] = []

    def work() -> None:
        results.extend(np.array_equal(oprf.evaluate(key, ITEMS), expected) for _ in range(20))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 80


def test_results_are_arrays_of_their_own() -> None:
    first = oprf.evaluate(oprf.derive_key(bytes(32), b"", Mode.OPRF), ITEMS)
    assert first.flags.c_contiguous
    assert first.flags.writeable
    assert not np.shares_memory(first, ITEMS)


def test_the_module_itself_refuses_what_python_should_have() -> None:
    """A caller that goes round ``crypto.*`` gets an error, never a panic or a read outside the array."""
    strided = np.zeros((8, 32), np.uint8)[::2]
    packed = (bytes(32), b"", b"abc")
    key, blinded = oprf.generate_key(Mode.VOPRF), oprf.bulk_blind(ITEMS)[1]
    secret = elgamal.generate_key()
    pairs = elgamal.encrypt(secret, np.zeros(10, np.uint64))
    blind, _ = elgamal.blinded_sum(secret.public_key, pairs, np.zeros(10, np.bool_))
    for call in (
        lambda: _native.rows_sort(strided),
        lambda: _native.rows_unique(np.zeros((3, 0), np.uint8)),
        lambda: _native.group_validate(np.zeros((1, 31), np.uint8)),
        lambda: _native.group_hash_to_group(ITEMS, bytes(256)),
        lambda: _native.oprf_blind(ITEMS, b"\1" * 64, 0),
        lambda: _native.oprf_blind(ITEMS, b"\1" * 64 * 19 + bytes(64), 0),
        lambda: _native.oprf_bulk_blind(ITEMS, bytes(64) + b"\1" * 64 * 19),
        lambda: _native.oprf_blind_evaluate(key, blinded, b"\1" * 65),
        lambda: _native.oprf_bulk_blind_evaluate(key, blinded, bytes(64), "label"),
        lambda: _native.oprf_usable(b"\1" * 63),
        lambda: _native.oprf_private_key(bytes(64), 0),
        lambda: _native.oprf_private_key(b"\1" * 63, 0),
        lambda: _native.oprf_private_key(b"\1" * 64, 2),
        lambda: _native.elgamal_key(bytes(64)),
        lambda: _native.elgamal_encrypt(secret, np.arange(6, dtype=np.uint64)[::2], None),
        lambda: _native.elgamal_encrypt(secret, np.arange(2, dtype=np.uint64), b"\1" * 64),
        lambda: _native.elgamal_sum(secret.public_key, ITEMS, np.ones(20, np.uint8), None),
        lambda: _native.elgamal_sum(secret.public_key, pairs, np.ones(9, np.uint8), None),
        lambda: _native.elgamal_sum(secret.public_key, pairs, np.ones(20, np.uint8)[::2], None),
        lambda: _native.elgamal_sum(secret.public_key, pairs, np.ones(10, np.uint8), bytes(128)),
        lambda: _native.elgamal_decrypt(secret, bytes(65)),
        lambda: _native.elgamal_open(blind, ITEMS[0].tobytes(), 2**64 - 1),
        lambda: _native.hashing_keyed_values(*packed, np.array([1, 4], np.uint64)),
        lambda: _native.hashing_keyed_values(*packed, np.array([2, 1, 3], np.uint64)),
        lambda: _native.hashing_keyed_values(*packed, np.array([1, 2], np.uint64)),
        lambda: _native.hashing_keyed_values(*packed, np.array([], np.uint64)),
    ):
        with pytest.raises(ParameterError):
            call()
