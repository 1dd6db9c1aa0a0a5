"""Addresses of the Bitcoin main network, checksums verified.

Source: BIP-13 (pay to script hash) and the Base58Check it builds on; BIP-173 (Bech32), BIP-350 (Bech32m),
BIP-141 for the length of witness programs. Of the packages that decode them, none is kept up.
"""

import hashlib
import re
from collections.abc import Iterable
from itertools import chain

from exchange.indicators.rules import Rule
from exchange.indicators.types import Refused

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"

_PAYLOAD_BYTES, _CHECKSUM_BYTES = 21, 4
_VERSIONS = frozenset({0x00, 0x05})  # public key hash, script hash
_MIN_BASE58_CHARS, _MAX_BASE58_CHARS, _MAX_BECH32_CHARS = 26, 35, 90

_HRP = "bc1"
_EXPANDED_HRP = (3, 3, 0, 2, 3)  # "bc", as BIP-173 puts it into the checksum
_CHECKSUM_CHARS = 6
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32, _BECH32M = 1, 0x2BC830A3
_MAX_WITNESS_VERSION = 16
_V0_PROGRAM_BYTES = frozenset({20, 32})
_URI = re.compile(r"bitcoin:", re.IGNORECASE)


def is_base58check(text: str) -> bool:
    """Whether a text is an address of version 0 or 5 with a right checksum."""
    if not _MIN_BASE58_CHARS <= len(text) <= _MAX_BASE58_CHARS or any(c not in BASE58 for c in text):
        return False
    number = 0
    for c in text:
        number = number * 58 + BASE58.index(c)
    raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
    raw = bytes(len(text) - len(text.lstrip("1"))) + raw
    payload, checksum = raw[:-_CHECKSUM_BYTES], raw[-_CHECKSUM_BYTES:]
    return (
        len(payload) == _PAYLOAD_BYTES
        and payload[0] in _VERSIONS
        and hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:_CHECKSUM_BYTES] == checksum
    )


def is_segwit(text: str) -> bool:
    """Whether a text in lower case is a witness program of the main network with a right checksum."""
    if not text.startswith(_HRP) or len(text) > _MAX_BECH32_CHARS:
        return False
    data = [BECH32.find(c) for c in text[len(_HRP) :]]
    if len(data) <= _CHECKSUM_CHARS or -1 in data:
        return False
    version, constant = data[0], _polymod(chain(_EXPANDED_HRP, data))
    program = _octets(data[1:-_CHECKSUM_CHARS])
    if version == 0:
        return constant == _BECH32 and program in _V0_PROGRAM_BYTES
    return constant == _BECH32M and version <= _MAX_WITNESS_VERSION and 2 <= program <= 40  # noqa: PLR2004


def _polymod(values: Iterable[int]) -> int:
    """The checksum of BIP-173: a remainder over GF(32)."""
    remainder = 1
    for value in values:
        top = remainder >> 25
        remainder = (remainder & 0x1FFFFFF) << 5 ^ value
        for i, generator in enumerate(_GENERATOR):
            remainder ^= generator if top >> i & 1 else 0
    return remainder


def _octets(fives: list[int]) -> int:
    """How many octets groups of five bits make; -1 if the padding is not under five zero bits."""
    padding = len(fives) * 5 % 8
    if padding >= 5 or (fives and fives[-1] & (1 << padding) - 1):  # noqa: PLR2004
        return -1
    return len(fives) * 5 // 8


def _without_scheme(text: str) -> str:
    return _URI.sub("", text, count=1) if _URI.match(text) else text


def _one_case(text: str) -> str:
    return text.lower() if text.isupper() and text.startswith(_HRP.upper()) else text


def _checked(text: str) -> str:
    if not (is_base58check(text) or is_segwit(text)):
        raise Refused("bad-btc")
    return text


BTC = (
    Rule("uri", "a scheme in front is for wallets", _without_scheme),
    Rule("case", "Bech32 may be written in capitals, for QR codes; Base58 has both cases", _one_case),
    Rule("checksum", "an address of the main network, its checksum right", _checked),
)
"""The rules of ``btc``. Raise ``bad-btc``."""
