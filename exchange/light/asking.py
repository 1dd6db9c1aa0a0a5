"""One session with each of several members, a few at a time; one that fails takes nothing from the others."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from crypto.errors import CryptoError
from exchange.disclosure import Wish
from exchange.errors import (
    ConfigError,
    CosightError,
    LedgerError,
    PeerRefused,
    PeerUnavailable,
    PolicyRefusal,
    RosterError,
)
from exchange.indicators import Indicator
from exchange.node import Node

AT_ONCE = 4
"""Members that are asked at the same time."""

Status = Literal["answered", "refused", "unreachable", "failed"]


@dataclass(frozen=True, slots=True)
class Told:
    """What came of asking one member.

    Attributes:
        member: who was asked.
        status: ``answered``; ``refused`` by its policy or ours; ``unreachable``; ``failed`` otherwise.
        code: of the error, where there is no answer.
        why: the same in words.
        session: its id in both ledgers, where there is an answer.
        padded: the size class that it saw of ours, where there is an answer.
        seconds: how long it took, where there is an answer.
        settled: whether both sides have signed the receipt.
        held: which of our values it holds.
    """

    member: str
    status: Status
    code: str = ""
    why: str = ""
    session: str = ""
    padded: int = 0
    seconds: float = 0.0
    settled: bool = False
    held: tuple[Indicator, ...] = field(default=(), repr=False)


def reachable(node: Node, addresses: Mapping[str, str]) -> list[str]:
    """Every other member of whom somebody says where it is reached.

    Args:
        node: ours.
        addresses: ``HOST:PORT`` by member, said besides.

    Raises:
        ConfigError: there is none.
    """
    roster = node.alliance.current()
    found = [
        m.id
        for m in roster.members
        if m.id != node.home.member and (m.id in addresses or m.id in node.home.settings.peers or m.address)
    ]
    if not found:
        raise ConfigError(
            f"nobody says where any other member of {roster.alliance} is reached",
            code="no-address",
            hint="say --address MEMBER=HOST:PORT",
        )
    return found


async def ask(
    node: Node, members: Sequence[str], wish: Wish, addresses: Mapping[str, str] | None = None
) -> list[Told]:
    """Ask members about all of our values, each in one session.

    Args:
        node: ours.
        members: whom.
        wish: what we want to know.
        addresses: ``HOST:PORT`` by member, which go before those of the roster and the configuration.

    Returns:
        What came of each, in the order of the members.

    Raises:
        LedgerError: ours cannot be written: then nobody is asked any more.
    """
    at_once = asyncio.Semaphore(AT_ONCE)

    async def one(member: str) -> Told:
        async with at_once:
            return await _ask(node, member, wish, (addresses or {}).get(member))

    return list(await asyncio.gather(*map(one, members)))


async def _ask(node: Node, member: str, wish: Wish, address: str | None) -> Told:
    try:
        outcome = await node.match(member, wish, address=address)
    except LedgerError:
        raise
    except CosightError as e:
        return Told(member, _status(e), code=e.code, why=str(e))
    except CryptoError as e:
        return Told(member, "failed", code="failed", why=str(e))
    return Told(
        member,
        "answered",
        session=outcome.session,
        padded=outcome.ours_padded,
        seconds=outcome.total_s,
        settled=outcome.settled,
        held=tuple(outcome.matches or ()),
    )


def _status(error: CosightError) -> Status:
    if isinstance(error, PeerRefused | PolicyRefusal):
        return "refused"
    return "unreachable" if isinstance(error, PeerUnavailable | ConfigError | RosterError) else "failed"
