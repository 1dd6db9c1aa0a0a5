"""Reading a policy: a file that a lawyer can read and git can diff. Whatever is not known is refused."""

import json
import tomllib
from collections.abc import Callable
from pathlib import PurePath
from typing import Any

from exchange.errors import ConfigError
from exchange.policy.model import Policy
from exchange.policy.place import line_of
from exchange.policy.reader import Reader
from exchange.policy.values import Place, Values

EXTENSION = "cosight"
"""The member of a FIRST IEP object that holds what is ours."""

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
# tlp = "AMBER"                                # the most closed marking of what goes in; never RED
# legal_basis = "network-security"             # for ipv4, ipv6, email and mac: personal data; see below
# protocols = ["voprf"]
# our_size = { min = 100, max = 1_000_000 }    # items of ours; the size of a tiny set tells much about it
# peer_size = { min = 100, max = 1_000_000 }   # items the peer declares; a tiny set asks about single items
# sessions_per_day = 24                        # in any 24 hours; every session is another guess for the peer
#
# May be left out, as may many more:
# values_per_year = 50_000_000                 # how many guesses the peer has in 365 days
# bands = [0, 1, 10, 100, 1000]                # for the protocol cardinality-banded: what we tell of a count
# context = { fields = ["confidence", "malware"], bytes = 1024 }    # for reveal = "context": what we say
# purposes = ["shared incident response"]      # then one of these must be stated
# valid_from = 2026-01-01                      # days in UTC, both included
# valid_until = 2026-12-31
#
# [legal_bases.network-security]
# basis = "gdpr-6-1-f"
# balancing_test = "where yours is filed"
#
# [peers."*"] holds the terms for every member of the roster that has none of its own.

# What may be done with the whole alliance is stated apart. Without these tables, nothing is.
# `cosight policy check` says what a table lacks, and what it allows.
#
# [aggregate]                                  # counting together: cosight aggregate
# coordinators = ["their-name"]                # whose runs we join, and we if we ask; ["*"]: any's
# purposes = ["weekly count"]                  # one of these must be stated, word for word
# measures = ["count"]                         # how many saw each; after that: sightings, severity
# types = ["ipv4", "domain"]
# tlp = "AMBER"                                # the most closed marking of what goes in
# legal_basis = "network-security"             # for personal data, as above
# members = 5                                  # join what so many members are asked, or more
# minimum = 4                                  # open no sum of fewer
# reporters = 4                                # show no number with fewer behind it
# dictionary = { min = 1000, max = 1_000_000 } # how many entries; a tiny one asks about single ones
# visibility = ["everyone"]                    # or owner, reporters, owner-and-host
# per_day = 1                                  # in any 24 hours
#
# [discover]                                   # finding what many hold, without a list: cosight discover
# relays = ["*"]                               # who may relay, and who may count
# purposes = ["weekly search"]                 # left out, none may be stated
# types = ["ipv4", "domain"]
# tlp = "AMBER"
# legal_basis = "network-security"             # left out, personal data stay out
# members = 5                                  # take part where so many members are on the roster, or more
# threshold = 3                                # find what so many hold, or more
# least = 4                                    # count nothing before so many came
# learns = ["individual"]                      # its holders learn it; or all, collective (how many)
# per_day = 1                                  # in any 24 hours
# helper = true                                # this node may be drawn to hold a part of the key,
# counter = true                               # to count,
# relay = true                                 # and to relay
"""


def parse(text: str, *, name: str = "policy.toml") -> Policy:
    """Read a policy.

    Args:
        text: the file's content.
        name: the file's name; one that ends in ``.json`` is a FIRST IEP object with our extension.

    Raises:
        ConfigError: it is neither, or a key or value is not known; names the place.
    """
    if PurePath(name).suffix == ".json":
        return _policy(_from_json(text, name), lambda at: f"{name}: {_json_path(at)}", quoted=True)
    raw = _loaded(tomllib.loads, text, name, "TOML")
    return _policy(raw, lambda at: f"{_toml_place(text, name, at)}: {'.'.join(at)}", quoted=False)


def _policy(raw: dict[str, Any], where: Callable[[Place], str], *, quoted: bool) -> Policy:
    return Policy(**Reader(Values(where, quoted=quoted)).policy(raw))


def _loaded(loads: Callable[[str], Any], text: str, name: str, form: str) -> Any:
    try:
        return loads(text)
    except ValueError as e:
        raise ConfigError(f"{name} is not valid {form}: {e}") from e
    except RecursionError as e:
        raise ConfigError(f"{name} is not valid {form}: nested too deeply") from e


def _toml_place(text: str, name: str, at: Place) -> str:
    line = line_of(text, at)
    return f"{name}, line {line}" if line else name


def _from_json(text: str, name: str) -> dict[str, Any]:
    """The tables of a JSON policy, as the TOML file would have them."""

    def loads(text: str) -> Any:
        return json.loads(text, object_pairs_hook=_distinct, parse_constant=_no_number)

    raw = _loaded(loads, text, name, "JSON")
    if not isinstance(raw, dict):
        raise ConfigError(f"{name}: must be one JSON object", hint="docs/policy.md describes the file")
    ours = raw.pop(EXTENSION, None)
    if not isinstance(ours, dict) or "iep" in ours:
        raise ConfigError(
            f"{name}: {EXTENSION} must be an object with what policy.toml has at its top, [iep] apart",
            hint="docs/policy.md describes the file",
        )
    return ours | {"iep": raw}


def _json_path(at: Place) -> str:
    return ".".join(at[1:] if at[:1] == ("iep",) else (EXTENSION, *at))


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, unless it says something twice: the last word would count without a sign of it."""
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(key for i, (key, _) in enumerate(pairs) if key in dict(pairs[:i]))
        raise ValueError(f"the key {twice[:40]!r} stands twice in one object")
    return found


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")
