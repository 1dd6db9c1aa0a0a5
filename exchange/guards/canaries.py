"""Indicators that no honest feed holds, made for one peer: a match on one is an alarm.

They are pseudo-random under a secret key, so that nobody but us can make them, and canonical, so that in a
set they are items like any others. What a match on one can mean: the peer sweeps a space that it lies in; or
it holds a copy of a set of ours that it should not have. What canaries cannot find: a peer that asks for
values that really occur, however many. And who has read this file can leave ``_EMPTY_V4`` and ``_EMPTY_V6``
out of a sweep and loses nothing by it; the other types have no such mark.
"""

import ipaddress
import string
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import count

import numpy as np

from crypto import labels
from crypto.errors import ParameterError
from crypto.hashing import derive_key, item_rows
from crypto.rows import Rows
from exchange.indicators import Indicator, IndicatorType

KEY_BYTES = 32

_T = IndicatorType

# The profile takes no address that IANA reserves. These are given out (to the US Department of Defense) and
# hardly used: no address of the public feeds in the test data lies in one of them.
_EMPTY_V4 = tuple(
    ipaddress.IPv4Network(n) for n in ("7.192.0.0/10", "55.192.0.0/10", "214.192.0.0/10", "215.64.0.0/10")
)
# Global unicast that IANA has given to no registry.
_EMPTY_V6 = ipaddress.IPv6Network("3400::/8")

_SUFFIXES = ("com", "net", "org", "info")
_NAME_CHARS = 24
_Draw = Callable[[int], int]


def canaries(
    key: bytes, peer: str, types: Collection[IndicatorType], n: int, *, epoch: int = 0
) -> list[Indicator]:
    """The canaries of a peer: always the same for the same arguments, others for any other.

    Args:
        key: a secret of this node; 32 bytes.
        peer: the peer's id.
        types: of which the set is. The canaries take turns among them; the same type always gets the same
            ones. ``asn``, ``btc``, ``cve`` and ``mac`` get none: their spaces are small, or carry a checksum.
        n: how many.
        epoch: another number gives others.

    Returns:
        ``n`` distinct canonical indicators, none if no type can have any. That an honest
        peer holds one is not impossible for ``ipv4``, which is one of 2^24; all others have 40 bits and more.

    Raises:
        ParameterError: the key has another length.
    """
    if len(key) != KEY_BYTES:
        raise ParameterError(f"the key of canaries has {KEY_BYTES} bytes")
    kinds = [kind for kind in _T if kind in types and kind in _MAKERS]
    if not kinds:
        return []
    streams = {kind: _distinct(kind, key, f"{peer}\x1f{kind}\x1f{epoch}") for kind in kinds}
    return [next(streams[kinds[i % len(kinds)]]) for i in range(n)]


def rows(indicators: Sequence[Indicator]) -> Rows:
    """The item rows of some indicators, ``(n, 32)`` uint8, in their order."""
    made = [item_rows(one.type, [one.value]) for one in indicators]
    return np.concatenate([item_rows("none", []), *made])


def _distinct(kind: IndicatorType, key: bytes, whose: str) -> Iterator[Indicator]:
    seen: set[str] = set()
    for number in count():
        value = _MAKERS[kind](_draws(key, f"{whose}\x1f{number}"))
        if value not in seen:
            seen.add(value)
            yield Indicator(kind, value)


def _draws(key: bytes, what: str) -> _Draw:
    """Pseudo-random numbers of as many bits as asked for, one after the other."""
    counter = count()

    def draw(bits: int) -> int:
        parts = (
            derive_key(labels.CANARY, key, what.encode(), next(counter).to_bytes(8, "little"))
            for _ in range(-(-bits // 256))
        )
        return int.from_bytes(b"".join(parts), "little") & ((1 << bits) - 1)

    return draw


def _pick(draw: _Draw, choices: Sequence[str]) -> str:
    return choices[draw(128) % len(choices)]


def _word(draw: _Draw, length: int = _NAME_CHARS) -> str:
    """Letters only: nothing that a rule of the profile could take for something else."""
    return "".join(_pick(draw, string.ascii_lowercase) for _ in range(length))


def _ipv4(draw: _Draw) -> str:
    network = _EMPTY_V4[draw(8) % len(_EMPTY_V4)]
    return str(network[draw(32 - network.prefixlen)])


def _ipv6(draw: _Draw) -> str:
    return str(_EMPTY_V6[draw(128 - _EMPTY_V6.prefixlen)])


def _cidr(draw: _Draw) -> str:
    """A /48 among those addresses."""
    host = 128 - 48
    return str(ipaddress.IPv6Network((int(_EMPTY_V6[draw(128 - _EMPTY_V6.prefixlen)]) >> host << host, 48)))


def _domain(draw: _Draw) -> str:
    return f"{_word(draw)}.{_pick(draw, _SUFFIXES)}"


def _digest(digits: int) -> Callable[[_Draw], str]:
    return lambda draw: f"{draw(4 * digits):0{digits}x}"


_MAKERS: Mapping[IndicatorType, Callable[[_Draw], str]] = {
    _T.IPV4: _ipv4,
    _T.IPV6: _ipv6,
    _T.CIDR: _cidr,
    _T.DOMAIN: _domain,
    _T.URL: lambda draw: f"http://{_domain(draw)}/",
    _T.URL_HOST: _domain,
    _T.EMAIL: lambda draw: f"{_word(draw, 10)}@{_domain(draw)}",
    _T.MD5: _digest(32),
    _T.SHA1: _digest(40),
    _T.SHA224: _digest(56),
    _T.SHA256: _digest(64),
    _T.SHA384: _digest(96),
    _T.SHA512: _digest(128),
    _T.IMPHASH: _digest(32),
    _T.JA3: _digest(32),
    _T.JA3S: _digest(32),
    _T.JA4: lambda draw: f"t13d1516h2_{draw(48):012x}_{draw(48):012x}",
    _T.JARM: _digest(62),
    _T.HASSH: _digest(32),
    _T.X509: _digest(64),
    _T.MUTEX: _word,
    _T.FILE_NAME: lambda draw: f"{_word(draw)}.exe",
}
"""How a value of each type is made. There is none of ``btc``, ``mac``, ``asn`` and ``cve``."""
