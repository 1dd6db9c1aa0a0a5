"""Links between two parties: their names, and how a custom one is written."""

import re
from dataclasses import dataclass

from exchange.errors import InputError

_NUMBER = r"(\d+(?:\.\d+)?)"
_CUSTOM = re.compile(rf"{_NUMBER}(k|m|g)bit,{_NUMBER}ms(?:,{_NUMBER}%)?", re.IGNORECASE)
_SCALE = {"k": 1e3, "m": 1e6, "g": 1e9}
_SLOWEST, _FASTEST, _LONGEST_S, _MOST_LOST = 1e5, 1e11, 10, 0.2
LOOPBACK = "loopback"


@dataclass(frozen=True, slots=True)
class Link:
    """A link between two hosts, the same both ways.

    Attributes:
        name: as it was asked for.
        bits_per_s: what it carries each way, headers of IP and TCP included; None where nothing limits it.
        round_trip_s: how long a short packet and its answer take on it.
        loss: share of the packets that are lost.
    """

    name: str
    bits_per_s: float | None
    round_trip_s: float = 0.0
    loss: float = 0.0

    @property
    def words(self) -> str:
        """What it is, for people."""
        if self.bits_per_s is None:
            return "loopback, as fast as this machine"
        rate = (
            f"{self.bits_per_s / 1e9:g} Gbit/s"
            if self.bits_per_s >= _SCALE["g"]
            else f"{self.bits_per_s / 1e6:g} Mbit/s"
        )
        lost = f", {self.loss * 100:g} % lost" if self.loss else ""
        return f"{rate}, {self.round_trip_s * 1e3:g} ms round trip{lost}"


NAMED = {
    link.name: link
    for link in (
        Link(LOOPBACK, None),
        Link("lan", 10e9, 0.2e-3),
        Link("lan-1g", 1e9, 1e-3),
        Link("wan", 200e6, 40e-3),
        Link("wan-slow", 100e6, 80e-3),
        Link("mobile", 50e6, 150e-3, 0.005),
    )
}


def link_of(text: str) -> Link:
    """A link by its name, or as ``RATE,ROUND-TRIP[,LOSS]``: ``200mbit,40ms`` or ``50mbit,150ms,0.5%``.

    Raises:
        InputError: it is neither, or out of range.
    """
    if text in NAMED:
        return NAMED[text]
    found = _CUSTOM.fullmatch(text)
    if found is None:
        raise InputError(
            f"there is no link {text!r}", hint=f"say one of {', '.join(NAMED)}, or as 200mbit,40ms,0.5%"
        )
    rate, scale, milliseconds, percent = found.groups()
    bits_per_s = float(rate) * _SCALE[scale.lower()]
    link = Link(text, bits_per_s, float(milliseconds) / 1e3, float(percent or 0) / 100)
    if not _SLOWEST <= bits_per_s <= _FASTEST or link.round_trip_s > _LONGEST_S or link.loss > _MOST_LOST:
        raise InputError(
            f"the link {text!r} cannot be made",
            hint="from 100 kbit/s to 100 Gbit/s, at most 10 s round trip, at most 20 % lost",
        )
    return link
