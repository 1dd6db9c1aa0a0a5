"""Bitcoin addresses: the vectors of the proposals, and that no single typing error passes.

Source: BIP-173 and BIP-350, test vectors; the addresses of the main network among those of Base58Check.
"""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from exchange.indicators import IndicatorType
from exchange.indicators.bitcoin import BASE58, BECH32
from tests.exchange.indicators.golden import outcome

VALID = [
    "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
    "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y",
    "BC1SW50QGDZ25J",
    "bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
]
INVALID = [
    "tc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq5zuyut",  # another human-readable part
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd",  # Bech32 instead of Bech32m
    "BC1S0XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ54WELL",  # Bech32 instead of Bech32m
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh",  # Bech32m instead of Bech32
    "bc1p38j9r5y49hruaue7wxjce0updqjuyyx0kh56v8s25huc6995vvpql3jow4",  # a character that is none
    "BC130XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ7ZWS8R",  # version 17
    "bc1pw5dgrnzv",  # a program of one octet
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v8n0nx0muaewav253zgeav",  # 41 octets
    "BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P",  # 16 octets in version 0
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v07qwwzcrf",  # more than four bits of padding
    "bc1gmk9yu",  # nothing
    "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx",  # the test network
    "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfN",
    "11111111111111111111111111111111",
    "",
]


@pytest.mark.parametrize("address", VALID)
def test_valid(address: str) -> None:
    found = outcome("btc", address)
    assert (found.type, found.value) == (IndicatorType.BTC, address.lower())
    assert outcome("any", address) == found


@pytest.mark.parametrize("address", INVALID)
def test_invalid(address: str) -> None:
    assert outcome("btc", address) == ("bad-btc" if address else "empty")


@settings(deadline=None, max_examples=50)
@given(st.sampled_from([*map(str.lower, VALID), "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"]), st.data())
def test_one_wrong_character_is_found(address: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(3, len(address) - 1))
    wrong = data.draw(st.sampled_from(BECH32 if address.startswith("bc1") else BASE58))
    assume(wrong != address[at])
    assert outcome("btc", address[:at] + wrong + address[at + 1 :]) == "bad-btc"
