"""Traffic Light Protocol 2.0: how far a source lets its indicators travel.

Source: FIRST, Traffic Light Protocol, version 2.0 (2022).
"""

from enum import StrEnum


class Tlp(StrEnum):
    """The five markings, from the most open to the most closed."""

    CLEAR = "CLEAR"
    GREEN = "GREEN"
    AMBER = "AMBER"
    AMBER_STRICT = "AMBER+STRICT"
    RED = "RED"

    @classmethod
    def parse(cls, text: str) -> "Tlp":
        """Read a marking as people write it: any case, with or without ``TLP:``, WHITE for CLEAR.

        Raises:
            ValueError: it is none of the five.
        """
        name = text.strip().upper().removeprefix("TLP:")
        return cls("CLEAR" if name == "WHITE" else name)

    def up_to(self) -> "tuple[Tlp, ...]":
        """The markings at most as closed as this one, without RED, which never leaves its recipient."""
        order = list(Tlp)
        return tuple(m for m in order[: order.index(self) + 1] if m is not Tlp.RED)


UNMARKED = Tlp.AMBER
"""What an indicator without a marking is held to be."""
