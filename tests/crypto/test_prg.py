"""The oracle of the modes of AES; ``test_field.py`` holds the vectors to it."""

import pytest

from tests.reference import prg


@pytest.mark.parametrize(
    ("key", "plain", "cipher"),
    [
        (
            "2b7e151628aed2a6abf7158809cf4f3c",
            "3243f6a8885a308d313198a2e0370734",
            "3925841d02dc09fbdc118597196a0b32",
        ),
        (
            "000102030405060708090a0b0c0d0e0f",
            "00112233445566778899aabbccddeeff",
            "69c4e0d86a7b0430d8cdb78070b4c55a",
        ),
    ],
    ids=["appendix-b", "appendix-c1"],
)
def test_examples_of_fips_197(key: str, plain: str, cipher: str) -> None:
    block = lambda text: int.from_bytes(bytes.fromhex(text), "little")  # noqa: E731
    assert prg.encrypt(block(key), block(plain)) == block(cipher)


def test_the_fixed_key_is_the_one_of_the_kernel() -> None:
    assert prg.FIXED_KEY == 0x243F6A8885A308D313198A2E03707344


def test_a_hash_depends_on_its_tweak_and_on_nothing_else() -> None:
    assert prg.tccr(3, [9, 9, 7])[1:] == prg.tccr(4, [9, 7])
    assert len(set(prg.tccr(2**128 - 1, [5, 5, 5]))) == 3
    assert prg.tccr(2**128 - 1, [5, 5])[1:] == prg.tccr(0, [5])


def test_a_counter_wraps() -> None:
    assert prg.ctr(1, 2**128 - 1, 2) == [prg.encrypt(1, 2**128 - 1), prg.encrypt(1, 0)]


def test_the_short_hash_adds_its_input() -> None:
    assert prg.cr(1, [5]) == [prg.encrypt(1, 5) ^ 5]
