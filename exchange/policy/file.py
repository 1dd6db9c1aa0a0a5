"""Reading a policy: a TOML file that a lawyer can read and git can diff. Whatever is not known is refused."""

import re
import tomllib
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any, TypeVar

from exchange.agreement import MAX_ROWS, MAX_TEXT, Rung
from exchange.errors import ConfigError
from exchange.indicators import IndicatorType
from exchange.policy.terms import ANYONE, VERSION, Bounds, Policy, Terms, Validity

T = TypeVar("T")
_MEMBER = re.compile(r"[a-z0-9-]{1,40}")
_WORD = re.compile(r"[a-z][a-z0-9-]{0,30}")
_MAX_SESSIONS = 1_000_000

DEFAULT_POLICY = """\
# What this node may disclose, and to whom. Whatever is not stated here is refused.
# This file as it stands refuses everything. docs/policy.md explains every line.

version = 1

# Terms for one member. Remove the marks, change the name, and state only what you mean.
#
# [peers.their-name]
# directions = ["initiator", "responder"]      # initiator: we may dial; responder: we may answer
# reveal = "overlap"                           # at most: size, estimate, cardinality, sum, overlap, context
# learns = ["us", "peer"]                      # who may learn a result; whoever dials learns it
# types = ["ipv4", "domain", "sha256"]         # ipv4 ipv6 cidr domain url email md5 sha1 sha256
# protocols = ["voprf"]
# our_size = { min = 100, max = 1_000_000 }    # items of ours; the size of a tiny set tells much about it
# peer_size = { min = 100, max = 1_000_000 }   # items the peer declares; a tiny set asks about single items
# sessions_per_day = 24                        # in any 24 hours; every session is another guess for the peer
#
# May be left out:
# purposes = ["shared incident response"]         # then one of these must be stated
# valid_from = 2026-01-01                         # days in UTC, both included
# valid_until = 2026-12-31
#
# [peers."*"] holds the terms for every member of the roster that has none of its own.
"""


def parse(text: str, *, name: str = "policy.toml") -> Policy:
    """Read a policy.

    Args:
        text: the file's content.
        name: the file's name, for messages.

    Raises:
        ConfigError: it is no TOML, or a key or value is not known; names the place.
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        raise ConfigError(f"{name} is not valid TOML: {e}") from e
    return _Reader(text, name).policy(raw)


class _Reader:
    """Turns parsed TOML into a policy; knows the text so that faults can name their line."""

    def __init__(self, text: str, name: str) -> None:
        self._text = text
        self._name = name

    def policy(self, raw: dict[str, Any]) -> Policy:
        self._known((), raw, ("version", "valid_from", "valid_until", "peers"))
        if type(raw.get("version")) is not int or raw["version"] != VERSION:
            raise self._fault(("version",), f"must be {VERSION}")
        peers = raw.get("peers", {})
        if not isinstance(peers, dict):
            raise self._fault(("peers",), "must be tables, [peers.NAME]")
        for peer in peers:
            if peer != ANYONE and not _MEMBER.fullmatch(peer):
                raise self._fault(("peers", peer), "is no member id (a-z, 0-9 and -, at most 40)")
        terms = {peer: self._terms(("peers", peer), table) for peer, table in peers.items()}
        return Policy(terms, self._validity((), raw))

    def _terms(self, at: tuple[str, ...], raw: object) -> Terms:
        if not isinstance(raw, dict):
            raise self._fault(at, "must be a table")
        readers: dict[str, Callable[[tuple[str, ...], Any], Any]] = {
            "directions": self._words(["initiator", "responder"]),
            "reveal": lambda place, value: Rung(self._word(place, value, list(Rung))),
            "learns": self._words(["us", "peer"]),
            "types": lambda place, value: frozenset(
                map(IndicatorType, self._words(list(IndicatorType))(place, value))
            ),
            "protocols": self._matching(_WORD, "the name of a protocol"),
            "our_size": self._bounds,
            "peer_size": self._bounds,
            "sessions_per_day": lambda place, value: self._number(place, value, _MAX_SESSIONS),
            "purposes": self._matching(
                re.compile(rf".{{1,{MAX_TEXT}}}"), f"a text of 1 to {MAX_TEXT} characters"
            ),
        }
        self._known(at, raw, (*readers, "valid_from", "valid_until"))
        given = {key: read((*at, key), raw[key]) for key, read in readers.items() if key in raw}
        return Terms(**given, validity=self._validity(at, raw))

    def _words(self, known: Sequence[str]) -> Callable[[tuple[str, ...], Any], frozenset[str]]:
        return lambda at, value: frozenset(self._each(at, value, lambda p, v: self._word(p, v, known)))

    def _matching(
        self, pattern: re.Pattern[str], what: str
    ) -> Callable[[tuple[str, ...], Any], frozenset[str]]:
        def read(at: tuple[str, ...], value: object) -> str:
            if isinstance(value, str) and pattern.fullmatch(value) and value.isprintable():
                return value
            raise self._fault(at, f"must be {what}")

        return lambda at, value: frozenset(self._each(at, value, read))

    def _each(self, at: tuple[str, ...], value: object, read: Callable[[tuple[str, ...], Any], T]) -> list[T]:
        if not isinstance(value, list):
            raise self._fault(at, "must be a list, in [ ]")
        items = [read((*at[:-1], f"{at[-1]}[{i}]"), item) for i, item in enumerate(value)]
        if len(set(items)) != len(items):
            raise self._fault(at, "holds a value twice")
        return items

    def _word(self, at: tuple[str, ...], value: object, known: Sequence[str]) -> str:
        if isinstance(value, str) and value in known:
            return value
        raise self._fault(at, f"must be one of: {', '.join(known)}")

    def _number(self, at: tuple[str, ...], value: object, most: int) -> int:
        if type(value) is int and 0 <= value <= most:
            return value
        raise self._fault(at, f"must be a whole number from 0 to {most}")

    def _bounds(self, at: tuple[str, ...], raw: object) -> Bounds:
        if not isinstance(raw, dict) or raw.keys() != {"min", "max"}:
            raise self._fault(at, "must be { min = NUMBER, max = NUMBER }")
        least, most = (self._number((*at, key), raw[key], MAX_ROWS) for key in ("min", "max"))
        if least > most:
            raise self._fault(at, "has a min above its max")
        return Bounds(least, most)

    def _validity(self, at: tuple[str, ...], raw: dict[str, Any]) -> Validity:
        days: list[date | None] = []
        for key in ("valid_from", "valid_until"):
            day = raw.get(key)
            if day is not None and (not isinstance(day, date) or isinstance(day, datetime)):
                raise self._fault((*at, key), "must be a day, such as 2026-12-31, without quotes")
            days.append(day)
        first, last = days
        if first is not None and last is not None and first > last:
            raise self._fault((*at, "valid_until"), "is before valid_from")
        return Validity(first, last)

    def _known(self, at: tuple[str, ...], raw: dict[str, Any], known: tuple[str, ...]) -> None:
        for key in raw:
            if key not in known:
                raise self._fault((*at, key), f"is not known here; known are: {', '.join(known)}")

    def _fault(self, at: tuple[str, ...], fault: str) -> ConfigError:
        line = _line(self._text, at)
        place = f"{self._name}, line {line}" if line else self._name
        return ConfigError(f"{place}: {'.'.join(at)} {fault}", hint="docs/policy.md describes the file")


def _line(text: str, at: tuple[str, ...]) -> int:
    """The line that a key stands on, or its table begins on; 0 where neither is found.

    ``tomllib`` keeps no positions, so the line is looked for: each one is parsed for the table or key in it.
    """
    keys = tuple(key.partition("[")[0] for key in at)
    best, longest = 0, 0
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if stripped.startswith("["):
            path = table = _keys(stripped)
        else:
            path = (*table, *_keys(stripped.partition("=")[0] + "=0"))
        shared = min(len(path), len(keys))
        if shared > longest and path[:shared] == keys[:shared]:
            best, longest = number, shared
    return best


def _keys(line: str) -> tuple[str, ...]:
    """The dotted keys of a table header or an assignment; none where the line is neither."""
    try:
        node: Any = tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return ()
    keys: list[str] = []
    while isinstance(node, dict) and len(node) == 1:
        key, node = next(iter(node.items()))
        keys.append(key)
    return tuple(keys)
