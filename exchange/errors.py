"""Errors of the exchange. Each has a stable kebab-case code; its text is written for the operator.

The peer is told a code, never a detail, and every abort of a running session is the one code ``aborted``.
``docs/errors.md`` lists the codes; a test holds that list and this file together.
"""

from pathlib import Path
from traceback import walk_tb
from typing import ClassVar


class CosightError(Exception):
    """Base of every error that a command reports to its operator as one clear line.

    Attributes:
        code: stable, kebab-case; scripts may rely on it.
        hint: what the operator can do about it, or ``""``.
    """

    default_code: ClassVar[str] = "failed"
    default_hint: ClassVar[str] = ""

    def __init__(self, message: str, *, code: str | None = None, hint: str = "") -> None:
        super().__init__(message)
        self.code = code or self.default_code
        self.hint = hint or self.default_hint


class ConfigError(CosightError):
    """The node's home, configuration, keys or an input file are not usable as they are."""

    default_code = "config"


class RosterError(ConfigError):
    """A roster was offered that does not follow from the one in force. The one in force stays."""

    default_code = "roster-invalid"


class MembershipError(ConfigError):
    """A step of joining, approving or revoking cannot be done with these files and keys."""

    default_code = "membership"


class InputError(CosightError):
    """A file of indicators cannot be read; names the file and the place."""

    default_code = "input"


class StoreError(CosightError):
    """The database refused: full disk, wrong version, locked by another process."""

    default_code = "store"


class LedgerError(CosightError):
    """The ledger cannot be written or does not verify. No session starts while this lasts."""

    default_code = "ledger"


class PolicyRefusal(CosightError):
    """Our own policy does not allow it. A normal outcome.

    Attributes:
        rule: the rule that decided, or ``None`` where the text alone says it.
    """

    default_code = "policy"

    def __init__(
        self, message: str, *, code: str | None = None, hint: str = "", rule: str | None = None
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.rule = rule


class SessionRefused(CosightError):
    """We refused what a peer asked for. It sees the code alone; the text is for our own log.

    Attributes:
        rule: the rule of our policy that decided, or ``None`` where it was not the policy.
    """

    default_code = "malformed"

    def __init__(self, message: str, *, code: str | None = None, rule: str | None = None) -> None:
        super().__init__(message, code=code)
        self.rule = rule


class PeerError(CosightError):
    """Base of the errors that the other node caused."""

    default_code = "peer"


class NotAuthorised(PeerError):
    """The certificate of a caller does not show a member of the roster in force."""

    default_code = "bad-identity"


class PeerUnavailable(PeerError):
    """The peer cannot be reached, or stopped answering before its deadline."""

    default_code = "peer-unavailable"


class PeerRefused(PeerError):
    """The peer said no, with a code: its policy, its roster, or its limits.

    Attributes:
        peer: who, or ``""`` where the text alone says it.
    """

    default_code = "peer-refused"

    def __init__(self, message: str, *, code: str | None = None, hint: str = "", peer: str = "") -> None:
        super().__init__(message, code=code, hint=hint)
        self.peer = peer


class PeerMisbehaved(PeerError):
    """The peer broke the protocol. The session is burnt and the ledger says so."""

    default_code = "peer-misbehaved"
    default_hint = "do not simply try again: talk to them; versions and rosters should be the same"


class PeerExceededLimit(PeerError):
    """The peer sent more than the two agreed on, or took longer than the deadline."""

    default_code = "peer-exceeded-limit"


def unforeseen(error: BaseException) -> str:
    """An error that nobody foresaw, for a log: its type, and where it comes from.

    Not its text, nor that of what led to it: they may hold what nobody is to read there.
    """
    place = [
        f" at {Path(frame.f_code.co_filename).name}:{line}" for frame, line in walk_tb(error.__traceback__)
    ]
    return type(error).__name__ + "".join(place[-1:])
