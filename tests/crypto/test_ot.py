"""Oblivious transfers: both parties, plain Python as oracle, another implementation of ML-KEM, and cheats."""

import copy
import pickle
from collections.abc import Callable

import numpy as np
import pytest
from blake3 import blake3
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey

from crypto import ot
from crypto.errors import CryptoError, DecodeError, ParameterError, VerificationError
from crypto.rows import Rows
from tests.reference import ot as oracle
from tests.reference.ristretto import ORDER, decode

CONTEXT = b"a session"


def seeded(seed: str) -> Callable[[int], bytes]:
    """An rng whose first draw is the stream of a seed."""
    return lambda n: blake3(seed.encode()).digest(length=n)


def base(seed: str = "") -> tuple[ot.OtPairs, ot.OtChosen]:
    receiver, functions = ot.base_receive(CONTEXT, rng=seeded(seed + "receiver"))
    pairs, element, ciphertexts = ot.base_send(CONTEXT, functions, rng=seeded(seed + "sender"))
    return pairs, ot.base_finish(receiver, element, ciphertexts)


def numbers(rows: Rows) -> list[int]:
    return [int.from_bytes(row.tobytes(), "little") for row in rows]


def test_a_run_is_what_the_papers_say() -> None:
    """The receiver's message, recomputed; the keys, by plain Python and by the ML-KEM of OpenSSL."""
    draw = seeded("receiver")(22544)
    receiver, functions = ot.base_receive(CONTEXT, rng=seeded("receiver"))
    pairs, element, ciphertexts = ot.base_send(CONTEXT, functions, rng=seeded("sender"))
    chosen = ot.base_finish(receiver, element, ciphertexts)
    delta = int.from_bytes(draw[:16], "little")
    assert chosen.delta() == draw[:16]
    sender_scalar = int.from_bytes(seeded("sender")(8256)[:64], "little") % ORDER
    assert element == oracle.public(sender_scalar).encode()
    session = oracle.Base(CONTEXT)
    transcript = (functions.tobytes(), element, ciphertexts.tobytes())
    for transfer in (0, 1, 63, 127):
        bit = delta >> transfer & 1
        row = draw[16 + 176 * transfer :][:176]
        scalar = int.from_bytes(row[48:112], "little") % ORDER
        private = MLKEM768PrivateKey.from_seed_bytes(row[112:])
        function = functions[transfer].tobytes()
        point, public_key = session.evaluate(transfer, bit, function)
        assert point == oracle.public(scalar)
        assert public_key == private.public_key().public_bytes_raw()
        shared = private.decapsulate(ciphertexts[transfer, 1088 * bit :][:1088].tobytes())
        agreed = scalar * decode(element)
        key = session.key_of(transfer, bit, agreed, shared, transcript)
        assert chosen.keys()[transfer].tobytes() == key
        assert pairs.keys()[transfer, 16 * bit :][:16].tobytes() == key
        other_point, other_key = session.evaluate(transfer, 1 - bit, function)
        assert other_point != point
        assert other_key[:1152] != public_key[:1152]
        assert other_key[1152:] == public_key[1152:]


def test_every_transfer_gives_one_key_and_only_one() -> None:
    pairs, chosen = base()
    delta = int.from_bytes(chosen.delta(), "little")
    for transfer, (pair, key) in enumerate(zip(pairs.keys(), chosen.keys(), strict=True)):
        bit = delta >> transfer & 1
        assert pair[16 * bit :][:16].tobytes() == key.tobytes()
        assert pair[16 * (1 - bit) :][:16].tobytes() != key.tobytes()


def test_without_an_rng_every_run_is_another() -> None:
    first, second = (ot.base_receive(CONTEXT) for _ in range(2))
    assert not np.array_equal(first[1], second[1])
    assert np.array_equal(*(ot.base_receive(CONTEXT, rng=seeded("x"))[1] for _ in range(2)))


@pytest.mark.parametrize(("at", "data"), [(48, bytes(32)), (48, b"\xff" * 32), (112, b"\xff" * 3)])
def test_a_message_that_is_no_encoding_is_refused(at: int, data: bytes) -> None:
    _, functions = ot.base_receive(CONTEXT)
    functions[9, at : at + len(data)] = list(data)
    with pytest.raises(DecodeError, match="row 9"):
        ot.base_send(CONTEXT, functions)


def test_a_reply_that_is_no_encoding_is_refused_and_any_other_gives_keys_of_nobody() -> None:
    receiver, functions = ot.base_receive(CONTEXT)
    pairs, element, ciphertexts = ot.base_send(CONTEXT, functions)
    for bad in (bytes(32), b"\xff" * 32):
        with pytest.raises(DecodeError):
            ot.base_finish(receiver, bad, ciphertexts)
    ciphertexts[:, ::1088] ^= 1
    chosen = ot.base_finish(receiver, element, ciphertexts)
    held = {row[at : at + 16].tobytes() for row in pairs.keys() for at in (0, 16)}  # noqa: SIM118
    assert not held & {key.tobytes() for key in chosen.keys()}  # noqa: SIM118


@pytest.mark.parametrize(("n", "m"), [(0, 0), (1, 0), (0, 1), (129, 3), (3472, 249)])
def test_an_extension_gives_transfers_and_products(n: int, m: int) -> None:
    pairs, chosen = base()
    delta = int.from_bytes(chosen.delta(), "little")
    stream = np.frombuffer(seeded("bits")(n + 16 * m + 1), np.uint8)
    bits, elements = stream[:n] & 1, stream[n : n + 16 * m].reshape(m, 16)
    received, columns, proof = ot.extend_receive(pairs, b"e", bits, elements)
    assert columns.shape == (ot.COUNT, ot.column_bytes(n, m))
    assert len(proof) == ot.CHECK_BYTES
    sent = ot.extend_send(chosen, b"e", n, m, columns, proof)
    for bit, t, q in zip(bits, numbers(received.rows()), numbers(sent.rows()), strict=True):
        assert q == t ^ (delta if bit else 0)
    strings = np.stack(sent.strings())
    assert np.array_equal(strings[bits, np.arange(n)], received.strings())
    assert not (strings[0] == strings[1]).all(axis=1).any()
    shares = zip(numbers(elements), numbers(received.shares()), numbers(sent.shares()), strict=True)
    for element, c, b in shares:
        assert c == oracle.multiply(delta, element) ^ b


def test_a_changed_extension_is_caught() -> None:
    pairs, chosen = base()
    bits, elements = np.ones(130, np.uint8), np.ones((1, 16), np.uint8)

    def sent(row: int, at: int, context: bytes = b"e", of_proof: int | None = None) -> None:
        _, columns, proof = ot.extend_receive(pairs, b"e", bits, elements)
        columns[row, at] ^= 4
        if of_proof is not None:
            columns[row, at] ^= 4
            proof = proof[:of_proof] + bytes([proof[of_proof] ^ 1]) + proof[of_proof + 1 :]
        ot.extend_send(chosen, context, 130, 1, columns, proof)

    for place in ((0, 0), (0, 63), (64, 30), (127, 63)):
        with pytest.raises(VerificationError):
            sent(*place)
    for at in (0, 16, 2063):
        with pytest.raises(VerificationError):
            sent(0, 0, of_proof=at)
    with pytest.raises(VerificationError):
        sent(0, 0, context=b"f", of_proof=0)


def test_wrong_arguments_are_the_callers() -> None:
    pairs, chosen = base()
    none = np.zeros((0, 16), np.uint8)
    with pytest.raises(ParameterError):
        ot.base_receive(CONTEXT, rng=lambda n: bytes(n - 1))
    with pytest.raises(ParameterError):
        ot.base_send(CONTEXT, np.zeros((127, ot.FUNCTION_BYTES), np.uint8))
    with pytest.raises(ParameterError):
        ot.extend_receive(pairs, b"", np.full(3, 2, np.uint8), none)
    with pytest.raises(ParameterError):
        ot.extend_receive(pairs, b"", np.zeros((3, 1), np.uint8), none)
    _, columns, proof = ot.extend_receive(pairs, b"", np.zeros(3, np.uint8), none)
    with pytest.raises(ParameterError):
        ot.extend_send(chosen, b"", 3, 0, columns, proof[1:])
    with pytest.raises(ParameterError):
        ot.extend_send(chosen, b"", 3, 1, columns, proof)


def test_secrets_are_neither_copied_nor_printed() -> None:
    receiver, _ = ot.base_receive(CONTEXT)
    for secret in (receiver, *base()):
        assert repr(secret) == f"<{type(secret).__name__}>"
        for copied in (copy.copy, pickle.dumps):
            with pytest.raises((TypeError, CryptoError)):
                copied(secret)
