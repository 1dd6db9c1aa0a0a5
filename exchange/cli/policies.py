"""What the commands of ``policy`` read: a policy, a home if there is one, its ledger and its roster."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from exchange.clock import utc_now
from exchange.config import Home
from exchange.errors import ConfigError
from exchange.indicators import IndicatorType
from exchange.policy import History, Policy
from exchange.store.alliance import Alliance, home_ledger, node_keys
from exchange.store.ledger import LedgerReader, LedgerStore


def find_home(path: Path) -> Home:
    """The home at this path.

    Raises:
        ConfigError: there is none, or it is not usable.
    """
    return Home.open(path.expanduser())


def home_if_any(path: Path) -> Home | None:
    """The home at this path, or None where there is none.

    Raises:
        ConfigError: it is not usable.
    """
    try:
        return find_home(path)
    except ConfigError as e:
        if e.code != "no-home":
            raise
        return None


def types_or_all(
    types: Sequence[IndicatorType] | None, policy: Policy, peer: str
) -> tuple[IndicatorType, ...]:
    """The types that were named; otherwise those that the terms for the peer allow, or all."""
    found = policy.terms(peer)
    allowed = set() if found is None else found[1].types
    return tuple(sorted(set(types or allowed or IndicatorType)))


def history_of(home: Home | None, peer: str, now: datetime) -> History:
    """What the home's ledger says about a peer; nothing where there is no ledger.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    if home is None or not home.ledger_file.exists():
        return History()
    with LedgerReader.open_read_only(home.ledger_file) as reader:
        return reader.history(peer, now)


def role_of(home: Home | None, peer: str) -> str:
    """The peer's role in the roster; ``member`` where it is in none that we know."""
    if home is None or not any(home.rosters.glob("*")):
        return "member"
    member = Alliance(home, node_keys(home), utc_now).find(peer)
    return "member" if member is None else str(member.role)


@contextmanager
def open_ledger(home: Home) -> Iterator[tuple[LedgerStore, Alliance]]:
    """The home's ledger, open for appending, and its alliance.

    Raises:
        ConfigError: the home is in no alliance.
        LedgerError: the ledger cannot be opened.
    """
    own = node_keys(home)
    alliance = Alliance(home, own, utc_now)
    with home_ledger(home, own, alliance.alliance) as store:
        yield store, alliance
