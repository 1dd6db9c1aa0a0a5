"""What the commands of ``policy`` read: a policy, a home if there is one, its ledger and its roster."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from exchange import ledger
from exchange.config import Home
from exchange.errors import ConfigError
from exchange.indicators import IndicatorType
from exchange.policy import History, Policy, parse
from exchange.store.alliance import Alliance, node_keys
from exchange.store.ledger import LedgerReader, LedgerStore


def utc_now() -> datetime:
    """The time."""
    return datetime.now(UTC)


def find_home(path: Path, *, needed: bool = True) -> Home | None:
    """The home at this path; None where there is none and none is needed.

    Raises:
        ConfigError: there is none, or it is not usable.
    """
    try:
        return Home.open(path.expanduser())
    except ConfigError as e:
        if needed or e.code != "no-home":
            raise
        return None


def read_policy(path: Path) -> Policy:
    """The policy in a file.

    Raises:
        ConfigError: it cannot be read, or is no policy.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as e:
        raise ConfigError(f"cannot read {path}: {e.strerror}", code="file-unreadable") from e
    except UnicodeDecodeError as e:
        raise ConfigError(f"{path} is not UTF-8") from e
    return parse(text, name=str(path))


def home_policy(home: Home | None) -> tuple[Path, Policy]:
    """The policy of a home: ``policy.toml``, or ``policy.json`` where that is absent; and its file.

    Raises:
        ConfigError: neither is there, or it is no policy.
    """
    assert home is not None
    as_json = home.policy_file.with_suffix(".json")
    path = as_json if as_json.exists() and not home.policy_file.exists() else home.policy_file
    return path, read_policy(path)


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
    origin = ledger.origin(home.member, alliance.alliance)
    store = LedgerStore.open(home.ledger_file, signer=own.log, origin=origin)
    try:
        yield store, alliance
    finally:
        store.close()
