"""Warning lists: values that are no threats, or say little, kept out of a match or counted.

Lists are in the JSON format of MISP. A small set is shipped; a node adds its own. Every list has a mode:
what is on a list that blocks never enters a set.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Self

from exchange.errors import ConfigError
from exchange.indicators.types import PROFILE, IndicatorType
from exchange.indicators.warninglists.lists import ListType, WarningList, by_name, digest_of
from exchange.indicators.warninglists.matchers import Matcher

__all__ = [
    "BLOCKED_UNLESS_SAID",
    "ListType",
    "Mode",
    "WarningList",
    "WarningLists",
    "default_mode",
    "shipped_folder",
]


class Mode(StrEnum):
    """What follows when an indicator is on a list."""

    BLOCK = "block"
    """It never enters a set."""
    INFORM = "inform"
    """It is counted, and nothing else."""
    OFF = "off"
    """Nobody looks."""


BLOCKED_UNLESS_SAID = frozenset(
    {
        "common-ioc-false-positive", "empty-hashes", "ipv6-linklocal", "multicast", "public-dns-v4",
        "public-dns-v6", "rfc1918", "rfc3849", "rfc5735", "rfc6598", "rfc6761", "sinkholes",
    }
)  # fmt: skip
"""Lists that block without a setting. Others inform: one that names whole services hides what they host."""


_RULES = f"{PROFILE}, comparison 1\n"
"""Changes with what a list means, so that whoever goes by the digest looks again."""


@dataclass(frozen=True, slots=True)
class _Group:
    """The lists of one type that apply to one type of indicators."""

    lists: tuple[WarningList, ...]
    union: Matcher


class WarningLists:
    """All warning lists of a node, and what follows from each.

    Attributes:
        modes: by the name of the list.
        own: the names of those that were not shipped.
        digest: identifies the lists, their content and their modes: while it stays, nothing is judged anew.
    """

    def __init__(
        self,
        lists: Mapping[str, WarningList | Path],
        modes: Mapping[str, Mode],
        own: frozenset[str] = frozenset(),
    ) -> None:
        """Take lists, or the files they are in, by name.

        A file is parsed when its list is first needed: to find out that nothing has changed takes its bytes.

        Args:
            lists: by name.
            modes: may leave out those that have the mode they have by default.
            own: the names of those that were not shipped.

        Raises:
            InputError: a file cannot be read.
            ConfigError: a mode is set for a list that is not there.
        """
        if unknown := sorted(set(modes) - set(lists)):
            raise ConfigError(
                f"there is no warning list {unknown[0]!r}",
                hint="see: cosight warninglists list; the settings are under [warning_lists] in config.toml",
            )
        self._given = dict(sorted(lists.items()))
        self.modes = {name: modes.get(name, default_mode(name)) for name in self._given}
        self.own = own
        digests = {
            n: digest_of(one) if isinstance(one, Path) else one.digest for n, one in self._given.items()
        }
        facts = [f"{name} {self.modes[name]} {digest}\n" for name, digest in digests.items()]
        self.digest = hashlib.sha256("".join([_RULES, *facts]).encode()).hexdigest()

    @classmethod
    def load(
        cls,
        *,
        shipped: bool = True,
        folder: Path | None = None,
        modes: Mapping[str, str] | None = None,
    ) -> Self:
        """Read the shipped lists and those of a node. A node's list takes the place of a shipped namesake.

        Args:
            shipped: whether to read those that come with this software.
            folder: the node's own lists; may be missing.
            modes: what the node has set, by the name of the list.

        Raises:
            InputError: a file cannot be read; here, or when its list is first needed. Names the place.
            ConfigError: a mode is set for a list that is not there.
        """
        own = by_name(folder) if folder is not None and folder.is_dir() else {}
        paths = (by_name(shipped_folder()) if shipped else {}) | own
        return cls(
            paths,
            {name: Mode(mode) for name, mode in (modes or {}).items()},
            frozenset(own),
        )

    @cached_property
    def _lists(self) -> dict[str, WarningList]:
        return {n: WarningList.read(one) if isinstance(one, Path) else one for n, one in self._given.items()}

    def __iter__(self) -> Iterator[WarningList]:
        """Every list, by name."""
        return iter(self._lists.values())

    def __len__(self) -> int:
        """How many there are."""
        return len(self._given)

    def screen(self, kind: IndicatorType, values: Sequence[str]) -> dict[str, list[int]]:
        """Find what is on lists that block or inform.

        Args:
            kind: the type of all values.
            values: in canonical form.

        Returns:
            By the name of a list, the positions of the values that are on it, ascending; lists without any
            are left out.
        """
        found: dict[str, list[int]] = {}
        for group in self._groups.get(kind, ()):
            listed = group.union.hits(kind, values)
            few = [values[i] for i in listed]
            for one in group.lists if few else ():
                if hits := one.matcher.hits(kind, few):
                    found[one.name] = [listed[i] for i in hits]
        return dict(sorted(found.items()))

    @cached_property
    def _groups(self) -> dict[IndicatorType, list[_Group]]:
        active = [found for found in self if self.modes[found.name] is not Mode.OFF]
        unions: dict[tuple[str, ...], Matcher] = {}
        groups: dict[IndicatorType, list[_Group]] = {}
        for kind in IndicatorType:
            for type_ in ListType:
                lists = tuple(found for found in active if found.type is type_ and kind in found.kinds)
                if lists:
                    names = tuple(found.name for found in lists)
                    if names not in unions:
                        unions[names] = _union([found.matcher for found in lists])
                    groups.setdefault(kind, []).append(_Group(lists, unions[names]))
        return groups


def default_mode(name: str) -> Mode:
    """The mode of a list for which none is set."""
    return Mode.BLOCK if name in BLOCKED_UNLESS_SAID else Mode.INFORM


def shipped_folder() -> Path:
    """Where the lists are that come with this software."""
    return Path(str(files("exchange") / "data" / "warninglists"))


def _union(matchers: list[Matcher]) -> Matcher:
    return matchers[0] if len(matchers) == 1 else type(matchers[0]).union(matchers)
