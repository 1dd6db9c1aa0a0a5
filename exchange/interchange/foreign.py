"""A filter of another tool, whichever of the three forms it has: told apart, read, and asked.

The forms other than ``bloom-filter2`` say what they are. That one is bits and nothing else, so it is taken
for one only where somebody states its numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from exchange.errors import InputError
from exchange.interchange.bloom_filter2 import BloomFilter2, Probes
from exchange.interchange.dcso import DcsoFilter
from exchange.interchange.pss import DEFAULT_KEY, META, PrivateSearchSet

Held: TypeAlias = BloomFilter2 | DcsoFilter | PrivateSearchSet

_DCSO_HEAD = (1).to_bytes(8, "little")


class Form(StrEnum):
    """The forms. The value is what stands after ``--format``."""

    BLOOM_FILTER2 = "bloom-filter2"
    DCSO = "dcso-v1"
    PSS = "pss"


@dataclass(frozen=True, slots=True)
class Numbers:
    """What a file of ``bloom-filter2`` does not say of itself.

    Attributes:
        capacity: for how many values it was made.
        error_rate: at which rate.
        probes: by which function of the package.
    """

    capacity: int
    error_rate: float
    probes: Probes = Probes.PRIMES


@dataclass(frozen=True, slots=True)
class ForeignFilter:
    """A filter of another tool.

    Attributes:
        held: the filter.
        key: of a Private Search Set; the other forms have none.
    """

    held: Held = field(repr=False)
    key: str = field(default=DEFAULT_KEY, repr=False)

    @property
    def form(self) -> Form:
        """Which form it has."""
        if isinstance(self.held, BloomFilter2):
            return Form.BLOOM_FILTER2
        return Form.DCSO if isinstance(self.held, DcsoFilter) else Form.PSS

    @property
    def capacity(self) -> int:
        """For how many values it was made."""
        return self.held.capacity

    @property
    def stated_fpr(self) -> float:
        """The rate of false positives that its maker wished for."""
        return self.held.error_rate if isinstance(self.held, BloomFilter2) else self.held.fpr

    @property
    def fpr(self) -> float:
        """The rate that its bits have: what a positive answer is worth."""
        return self.held.rate

    @property
    def items(self) -> int | None:
        """How many values it says are in; ``None`` where it does not say."""
        if isinstance(self.held, DcsoFilter):
            return self.held.count
        if isinstance(self.held, PrivateSearchSet):
            return None if self.held.digests is None else len(self.held.digests)
        return None

    @property
    def description(self) -> str:
        """What its maker wrote about it; ``""`` where there is no room for that."""
        return self.held.meta.description if isinstance(self.held, PrivateSearchSet) else ""

    def contains(self, values: Sequence[str]) -> list[bool]:
        """Which values are in, or seem to be. They are asked about as they are."""
        if isinstance(self.held, PrivateSearchSet):
            return list(map(bool, self.held.contains(values, key=self.key)))
        return list(map(bool, self.held.contains(values)))


def read(
    files: Mapping[str, bytes], *, numbers: Numbers | None = None, key: str = DEFAULT_KEY
) -> ForeignFilter:
    """Read a filter of any form.

    Args:
        files: one file, or those of the folder of a Private Search Set, by name.
        numbers: of a ``bloom-filter2`` file.
        key: of a Private Search Set.

    Raises:
        InputError: it is none, damaged, of a kind that is not supported, or its numbers are missing.
    """
    if META in files:
        found = PrivateSearchSet.read(files)
        found.contains([], key=key)  # a key of a wrong length is found now
        return ForeignFilter(found, key)
    if len(files) != 1:
        raise InputError(f"a folder without {META} is no filter", code="filter-malformed")
    (data,) = files.values()
    if numbers is not None:
        made = BloomFilter2.from_bytes(
            data, capacity=numbers.capacity, error_rate=numbers.error_rate, probes=numbers.probes
        )
        return ForeignFilter(made)
    if data.startswith(_DCSO_HEAD):
        return ForeignFilter(DcsoFilter.from_bytes(data))
    raise InputError(
        "the file does not say what it is",
        code="filter-unsupported",
        hint="of bloom-filter2, say --capacity and --fpr; of a Private Search Set, name the folder; "
        "decompress what ends in .gz first",
    )
