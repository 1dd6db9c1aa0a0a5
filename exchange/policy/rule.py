"""What a rule is, and what it may say."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from exchange.policy.history import History
from exchange.policy.model import Policy
from exchange.policy.request import Request
from exchange.policy.terms import ANYONE, Terms


@dataclass(frozen=True, slots=True)
class Case:
    """All that a rule may look at.

    Attributes:
        policy: ours.
        name: under which the terms for the peer stand; ``""`` where there are none.
        terms: those for the peer; where there are none, terms that state nothing.
        request: what is asked.
        history: what the ledger says about the peer.
        now: the time, UTC.
    """

    policy: Policy
    name: str
    terms: Terms
    request: Request
    history: History
    now: datetime


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a rule refuses.

    Attributes:
        reason: what is not allowed, in words.
        remedy: the TOML line, in the terms for the peer, that would allow it, or ``""``.
        tables: further lines that the remedy needs, with the header of their table, or ``""``.
        top: the TOML line at the top of the file that would allow it, or ``""``.
        instead: what helps without a change of the policy, to be tried first, or ``""``.
    """

    reason: str
    remedy: str = ""
    tables: str = ""
    top: str = ""
    instead: str = ""

    @property
    def words(self) -> str:
        """The reason, and what helps without a change of the policy."""
        return f"{self.reason}; {self.instead}" if self.instead else self.reason

    @property
    def line(self) -> str:
        """The name of the line that would allow it, or ``""``."""
        return self.remedy.partition(" = ")[0]

    def lines(self, table: str) -> str:
        """What to write in the file, with the remedy in this table; ``""`` where nothing helps."""
        terms = f"[{table}]\n{self.remedy}" if self.remedy else ""
        return "\n\n".join(part for part in (self.top, terms, self.tables) if part)


@dataclass(frozen=True, slots=True)
class Pending:
    """Why a rule cannot be asked yet: what it needs is not known before the peer is."""

    reason: str


class Situation(Protocol):
    """What every rule may look at; ``terms`` are a table that states nothing if made without arguments."""

    @property
    def policy(self) -> Policy:
        """Ours."""

    @property
    def terms(self) -> Any:
        """Those that the request is judged by."""

    @property
    def request(self) -> Any:
        """What is asked; it has ``types``."""

    @property
    def now(self) -> datetime:
        """The time, UTC."""


C = TypeVar("C", bound=Situation)
Answer = Objection | Pending | None


@dataclass(frozen=True, slots=True)
class Rule(Generic[C]):
    """One rule.

    Attributes:
        id: stable and kebab-case; in refusals, in the ledger and in reports.
        about: what it holds to, in one line.
        check: objects, cannot be asked yet, or returns None.
        lines: of the file; where none of them is stated, the rule asks nothing. Empty where it always asks.
    """

    id: str
    about: str
    check: Callable[[C], Answer]
    lines: tuple[str, ...] = ()

    def is_stated(self, case: C) -> bool:
        """Say whether the policy asks anything of what the rule is about."""
        return not self.lines or any(_is_stated(line, case) for line in self.lines)


def _is_stated(line: str, case: Situation) -> bool:
    holder = case.terms if hasattr(case.terms, line) else case.policy
    return bool(getattr(holder, line) != getattr(type(holder)(), line))


def listed(name: str, words: Iterable[str]) -> str:
    """A TOML line; the words are names or a purpose, which holds what TOML needs escaped."""
    return f"{name} = [{', '.join(sorted(map(quoted, words)))}]"


def quoted(word: str) -> str:
    """A text as TOML has it."""
    return '"' + str(word).replace("\\", "\\\\").replace('"', '\\"') + '"'


def header(name: str) -> str:
    """The name of the table that holds a peer's terms."""
    return f'peers."{name}"' if name == ANYONE else f"peers.{name}"
