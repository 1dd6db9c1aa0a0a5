"""The oracle of the field: what every field does, and the vectors that the kernel is held to."""

import json

from hypothesis import given
from hypothesis import strategies as st

from tests.reference import field
from tests.vectors import blocks

ELEMENTS = st.integers(0, 2**128 - 1)


def test_the_vectors_are_what_the_oracles_say() -> None:
    """``cargo test`` reads the same file."""
    assert json.loads(blocks.PATH.read_text()) == blocks.vectors()


@given(ELEMENTS, ELEMENTS, ELEMENTS)
def test_products_commute_associate_and_distribute(a: int, b: int, c: int) -> None:
    multiply = field.multiply
    assert multiply(a, b) == multiply(b, a)
    assert multiply(multiply(a, b), c) == multiply(a, multiply(b, c))
    assert multiply(a, b ^ c) == multiply(a, b) ^ multiply(a, c)
    assert multiply(a, 1) == a


@given(ELEMENTS.filter(bool))
def test_all_but_zero_have_an_inverse(a: int) -> None:
    assert field.multiply(a, field.inverse(a)) == 1


def test_the_product_of_ghash_with_its_bits_turned_round() -> None:
    """NIST SP 800-38D, test case 2: GHASH of one block is two products in the reflected order of bits."""
    turned = lambda text: int(f"{int(text, 16):0128b}"[::-1], 2)  # noqa: E731
    h = turned("66e94bd4ef8a2c3b884cfa59ca342b2e")
    block, length = turned("0388dace60b6a392f328c2b971b2fe78"), turned(f"{128:032x}")
    ghash = field.multiply(field.multiply(block, h) ^ length, h)
    assert ghash == turned("f38cbb1ad69223dcc3457ae5b6b0f885")


@given(ELEMENTS, st.integers(0, 9))
def test_powers(x: int, count: int) -> None:
    powers = field.powers(x, count)
    assert len(powers) == count
    assert powers[1:] == [field.multiply(power, x) for power in powers[:-1]]
