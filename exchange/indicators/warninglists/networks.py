"""``cidr`` lists: addresses and networks within listed networks, at a fraction of a microsecond each.

Source: MISP, app/Lib/Tools/CidrTool.php; docs/warninglists.md says where this differs.
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from ipaddress import ip_network
from socket import AF_INET6, inet_aton, inet_pton
from typing import Self

import numpy as np
from numpy.typing import NDArray

from exchange.indicators.addresses import DOTTED_QUAD
from exchange.indicators.types import IndicatorType
from exchange.indicators.warninglists.matchers import BadEntry

_QUAD = re.compile(DOTTED_QUAD)
_V4 = 4
_PLACES = np.array([1 << 24, 1 << 16, 1 << 8, 1], np.uint32)


class Networks:
    """``cidr``: an address in a listed network, or a network whose every address is in listed ones."""

    def __init__(self, v4: NDArray[np.uint32], v6: Sequence[tuple[int, int]]) -> None:
        """Take first and last addresses, both included, in any order: ``(n, 2)`` of IPv4, pairs of IPv6."""
        self.v4, self.v6 = _merge_v4(v4), _merge_v6(v6)
        self._firsts = [first for first, _ in self.v6]

    @classmethod
    def of(cls, entries: Sequence[str], kinds: frozenset[IndicatorType]) -> Self:  # noqa: ARG003 (as all)
        """Take addresses and networks; bits of a network that name a host are cleared.

        Raises:
            BadEntry: one is neither.
        """
        alone = bytearray()
        wide: dict[int, list[tuple[int, int]]] = {4: [], 6: []}
        for position, entry in enumerate(entries):
            if _QUAD.fullmatch(entry):  # nearly all of long lists, and ip_network() takes seconds for those
                alone += inet_aton(entry)
                continue
            try:
                network = ip_network(entry, strict=False)
            except ValueError:
                raise BadEntry(position, "neither an address nor a network") from None
            wide[network.version].append((int(network.network_address), int(network.broadcast_address)))
        single = _addresses(bytes(alone))
        networks = np.array(wide[4], np.uint32).reshape(-1, 2)
        return cls(np.concatenate([np.stack([single, single], axis=1), networks]), wide[6])

    @classmethod
    def union(cls, parts: Sequence[Self]) -> Self:
        """What is in any of the parts."""
        return cls(np.concatenate([part.v4 for part in parts]), [r for part in parts for r in part.v6])

    def hits(self, kind: IndicatorType, values: Sequence[str]) -> list[int]:
        """The positions of the values that are listed, ascending."""
        if kind is IndicatorType.IPV4:
            octets = np.fromstring(".".join(values), np.uint32, sep=".").reshape(-1, 4)
            return np.flatnonzero(self._listed(octets @ _PLACES)).tolist()
        ranges = ((i, _range(kind, value)) for i, value in enumerate(values))
        return [i for i, found in ranges if found is not None and self._covers(*found)]

    def _listed(self, addresses: NDArray[np.uint32]) -> NDArray[np.bool_]:
        if not len(self.v4):
            return np.zeros(len(addresses), bool)
        below = np.searchsorted(self.v4[:, 0], addresses, side="right") - 1
        listed: NDArray[np.bool_] = (below >= 0) & (addresses <= self.v4[below, 1])
        return listed

    def _covers(self, version: int, first: int, last: int) -> bool:
        # The ranges are merged: the one that holds the first address must hold the last one too.
        if version == _V4:
            below = int(np.searchsorted(self.v4[:, 0], np.uint32(first), side="right")) - 1
            return below >= 0 and last <= int(self.v4[below, 1])
        below = bisect_right(self._firsts, first) - 1
        return below >= 0 and last <= self.v6[below][1]


def _addresses(packed: bytes) -> NDArray[np.uint32]:
    return np.frombuffer(packed, ">u4").astype(np.uint32)


def _range(kind: IndicatorType, value: str) -> tuple[int, int, int] | None:
    """Version, first and last address of a canonical value; ``None`` for the name of a host."""
    if kind is IndicatorType.CIDR:
        network = ip_network(value)
        return network.version, int(network.network_address), int(network.broadcast_address)
    if kind is IndicatorType.URL_HOST:
        if _QUAD.fullmatch(value):
            address = int.from_bytes(inet_aton(value))
            return _V4, address, address
        if ":" not in value:
            return None
    address = int.from_bytes(inet_pton(AF_INET6, value))
    return 6, address, address


def _merge_v4(ranges: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Sorted, disjoint and not even adjacent: what begins within or right after earlier ones joins them."""
    ranges = ranges[np.argsort(ranges[:, 0], kind="stable")]
    reach = np.maximum.accumulate(ranges[:, 1]).astype(np.int64)
    begins = np.flatnonzero(np.concatenate([[True], ranges[1:, 0] > reach[:-1] + 1])[: len(ranges)])
    ends = np.concatenate([begins[1:] - 1, [len(ranges) - 1]])[: len(begins)]
    return np.stack([ranges[begins, 0], reach[ends].astype(np.uint32)], axis=1)


def _merge_v6(ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged
