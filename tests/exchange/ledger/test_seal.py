"""Seals: the message of C2SP tlog-cosignature for a whole log, and its signature."""

import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from exchange.ledger import Checkpoint, seal

AT = Checkpoint("cosight/threats.example/acme", 258, bytes(range(32)))
KEY = MLDSA44PrivateKey.from_seed_bytes(bytes(32))
PUBLIC = KEY.public_key().public_bytes_raw()


def test_the_message_is_the_one_of_the_standard() -> None:
    """``cosigned_message``, byte by byte, as the document lists its fields."""
    name = b"\x1c" + b"cosight/threats.example/acme"
    assert seal.message(AT, 1_700_000_000) == (
        b"subtree/v1\n\x00" + name + bytes.fromhex("000000006553f100") + name
        + bytes(8) + bytes.fromhex("0000000000000102") + bytes(range(32))
    )  # fmt: skip


def test_a_seal_holds_for_its_log_length_time_and_key() -> None:
    sealed = seal.seal(AT, 7, KEY)
    assert (len(sealed), len(PUBLIC)) == (seal.SEAL_BYTES, seal.KEY_BYTES)
    assert seal.check(AT, 7, PUBLIC, sealed)
    other = MLDSA44PrivateKey.generate().public_key().public_bytes_raw()
    for checkpoint, time, key in (
        (Checkpoint("cosight/threats.example/umbra", AT.size, AT.root), 7, PUBLIC),
        (Checkpoint(AT.origin, 259, AT.root), 7, PUBLIC),
        (Checkpoint(AT.origin, AT.size, bytes(32)), 7, PUBLIC),
        (AT, 8, PUBLIC),
        (AT, 7, other),
        (AT, 7, PUBLIC[:-1]),
    ):
        assert not seal.check(checkpoint, time, key, sealed)
    assert not seal.check(AT, 7, PUBLIC, sealed[:-1] + bytes([sealed[-1] ^ 1]))


@pytest.mark.parametrize("name", ["cosight/acme", "cosight/threats.example/acme"])
def test_the_key_has_its_place_in_a_note(name: str) -> None:
    assert len(seal.key_hash(name, PUBLIC)) == 4
