"""Who does what in a discovery, by lot: everybody draws the same, from what nobody chooses who asks.

Helpers are drawn for an epoch, so that what they computed serves until their keys are deleted; the relay and
the counter for a day. What is asked does not count: its purpose could be tried until the draw pleases. Nor
does the roster in force, whose draft could be, but the one before it, which was signed already.
"""

from collections.abc import Collection
from dataclasses import dataclass
from hashlib import sha256

from crypto import labels
from exchange.errors import ConfigError
from exchange.identity import encoding

HELPERS = 2
LEAST_MEMBERS = 3
EPOCH_DAYS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Who does what, by member ids.

    Attributes:
        relay: takes the batches and passes them on without names.
        counter: counts them.
        helpers: hold the shares of the key under which indicators become tags; ascending.
    """

    relay: str
    counter: str
    helpers: tuple[str, ...]

    def fault(self) -> str:
        """Say what is wrong with this distribution, or ``""``."""
        if self.relay == self.counter:
            return "the relay and the counter are one member: it would see who reports what"
        if self.counter in self.helpers:
            return "the counter is a key helper: it would be half way to guessing what is counted"
        if len(self.helpers) < HELPERS or len(set(self.helpers)) != len(self.helpers):
            return f"there are fewer than {HELPERS} different key helpers"
        return ""

    @property
    def overlap(self) -> str:
        """What the relay is besides, and what that costs; ``""`` where every part is somebody else's."""
        if self.relay not in self.helpers:
            return ""
        return (
            f"{self.relay} is relay and key helper, because there are so few members: it and one other helper"
            " can test guesses against what they see of the batches' sizes, and it knows every caller twice"
        )

    def of(self, member: str) -> tuple[str, ...]:
        """The parts of a member, in the order of a run."""
        held = {
            "helper": member in self.helpers,
            "relay": member == self.relay,
            "counter": member == self.counter,
        }
        return tuple(part for part, has in held.items() if has)


def epoch_of(day: int) -> int:
    """The epoch of a day; both count from 1970-01-01."""
    return day // EPOCH_DAYS


def draw(reachable: Collection[str], *, alliance: str, before: bytes, day: int) -> Parts:
    """Draw lots.

    Args:
        reachable: the members that the roster has an address for.
        alliance: its name.
        before: the hash of the roster before that one, 32 bytes; zeros where it is the first.
        day: days since 1970-01-01, UTC.

    Raises:
        ConfigError: there are too few of them.
    """
    if len(reachable) < LEAST_MEMBERS:
        raise ConfigError(
            f"lots need {LEAST_MEMBERS} members with an address in the roster, there are {len(reachable)}",
            code="too-few-members",
            hint="does `cosight alliance roster` lack members? take up the newest approval: cosight alliance"
            " join APPROVAL; do they lack addresses? an administrator runs: cosight alliance change --address"
            " MEMBER=HOST:PORT; or name the parts: --relay, --counter, and --helper twice",
        )
    lot = [alliance, before]
    helpers = _ranked(reachable, [*lot, epoch_of(day), "helpers"])[:HELPERS]
    rest = [name for name in reachable if name not in helpers]
    counter = _ranked(rest, [*lot, day, "counter"])[0]
    others = [name for name in rest if name != counter] or helpers
    relay = _ranked(others, [*lot, day, "relay"])[0]
    return Parts(relay=relay, counter=counter, helpers=tuple(sorted(helpers)))


def _ranked(names: Collection[str], drawn: list[object]) -> list[str]:
    """The names in an order that depends on what is drawn for alone."""
    head = labels.DISCOVERY_LOT.encode() + b"\0" + encoding.encode(drawn)
    return sorted(names, key=lambda name: sha256(head + name.encode()).digest())
