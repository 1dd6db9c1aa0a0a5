"""Before anything is asked of those who have a part: all are there, and hold the roster that we hold.

Who is out of reach is waited for, by name and for a bounded time. A refusal says of which part it is, and
what can be done about it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import date, datetime, timedelta
from time import monotonic
from typing import TypeVar

from exchange.aggregation.lots import EPOCH_DAYS
from exchange.aggregation.round import FIRST_DAY, Round
from exchange.disclosure.patience import patiently
from exchange.discovery.kept import Lines
from exchange.discovery.world import OTHERS
from exchange.errors import CosightError, PeerRefused, PeerUnavailable

T = TypeVar("T")


def parts_of(of: Round) -> dict[str, str]:
    """What each member that has a part does, in words."""
    names = dict.fromkeys((of.parts.relay, of.parts.counter, *of.parts.helpers))
    return {name: " and ".join(reversed(of.parts.of(name))) for name in names}


def named(who: Collection[str], parts: Mapping[str, str]) -> str:
    """Members with their parts, for people: ``relay acme and helper umbra``."""
    said = [f"{part} {name}" for name, part in parts.items() if name in who]
    return " and ".join(filter(None, (", ".join(said[:-1]), said[-1])))


def until(now: datetime, wait_s: float) -> str:
    """When a wait that begins now ends, for people."""
    return f"until {now + timedelta(seconds=wait_s):%H:%M:%S} UTC"


async def meet(lines: Lines, of: Round, wait_s: float, progress: Callable[[str], None]) -> None:
    """Greet everybody who has a part, which also takes newer rosters to whoever lacks them.

    Args:
        lines: to all of them.
        of: what is asked of whom; no keys yet.
        wait_s: how long to wait for those that are out of reach, in seconds.
        progress: told who is waited for, and until when.

    Raises:
        PeerUnavailable: somebody stayed out of reach; the text names them.
        PeerRefused, PeerMisbehaved: somebody does not know us, or is not who it should be.
        ConfigError: nobody says where somebody is reached, or rosters do not come together.
    """
    parts, away = parts_of(of), set[str]()
    end, when = monotonic() + wait_s, until(lines.office.desk.clock(), wait_s)
    progress(f"greeting {named(parts, parts)}")

    async def greet(member: str) -> None:
        async def there() -> None:
            async with lines.to(member):
                away.discard(member)

        async def failed() -> None:
            away.add(member)
            progress(f"{named(away, parts)} cannot be reached; trying {when}")

        try:
            await patiently(there, until=lambda: end, failed=failed)
        except PeerUnavailable:
            away.add(member)

    greetings = [asyncio.create_task(greet(member)) for member in parts]
    try:
        await asyncio.gather(*greetings)
    finally:
        for greeting in greetings:
            greeting.cancel()
    if away:
        raise PeerUnavailable(
            f"{named(away, parts)} cannot be reached", code="part-away",
            hint=_without(of, away, lines.office.desk.member),
        )  # fmt: skip


async def answered(
    lines: Lines,
    of: Round,
    wait_s: float,
    progress: Callable[[str], None],
    ask: Callable[[], Awaitable[T]],
) -> T:
    """Ask somebody who has a part; who cannot answer just now is waited for, by name and for a bounded time.

    Args:
        lines: of whoever asks.
        of: what is asked of whom.
        wait_s: how long to wait, in seconds.
        progress: told who is waited for, and until when.
        ask: asks; the same question, whenever it is asked again.

    Raises:
        PeerError: somebody refused, or cannot answer for so long, or is gone.
    """
    parts, end, when = parts_of(of), monotonic() + wait_s, until(lines.office.desk.clock(), wait_s)
    busy = ""

    async def asked() -> T:
        nonlocal busy
        try:
            return await ask()
        except PeerRefused as e:
            busy = named({e.peer}, parts) if e.peer in parts else "somebody who has a part"
            raise

    async def failed() -> None:
        progress(f"{busy} cannot answer just now; trying {when}")

    return await patiently(asked, until=lambda: end, failed=failed, away=False)


async def catch_up(lines: Lines) -> bool:
    """Greet whoever can be reached, for the newest roster; whether there was a newer one."""
    office, before = lines.office, lines.office.roster()

    async def greet(member: str) -> None:
        try:
            async with lines.to(member):
                pass
        except CosightError:  # out of reach, or no wiser than we are: another one may be
            return

    others = [m.id for m in before.members if m.id != office.desk.member]
    await asyncio.gather(*map(greet, others))
    return office.roster().epoch > before.epoch


def explained(refusal: PeerRefused, of: Round) -> PeerRefused:
    """A refusal of somebody who has a part, with that part and what can be done; any other as it is."""
    part = parts_of(of).get(refusal.peer)
    if part is None or refusal.code not in _REMEDIES:
        return refusal
    why, remedy = _REMEDIES[refusal.code]
    return PeerRefused(
        f"{refusal.peer}, drawn or named as {part}, refused: {why}", code=refusal.code, peer=refusal.peer,
        hint=remedy.format(part=part.replace(" and ", " = true, "), peer=refusal.peer, others=OTHERS),
    )  # fmt: skip


_REMEDIES = {
    "policy-refused": (
        "its policy does not let it",
        "ask {peer} for a [discover] in its policy.toml that is in force and says {part} = true; or {others}",
    ),
    "not-drawn": (
        "it has no such part",
        "compare what was asked: day, types, threshold, purpose, mode and parts have to be the same for all",
    ),
    "roster-mismatch": (
        "it holds another roster than the one that we began with",
        "a newer one came meanwhile: run the same again, all of you",
    ),
}
"""By the code of a refusal: why, and what to do."""


def _without(of: Round, away: Collection[str], us: str) -> str:
    """What can be done where somebody stays out of reach."""
    if us in away:
        return "our own node has a part: start `cosight serve` with this home, then run the same again"
    if set(away) & set(of.parts.helpers):
        anew = FIRST_DAY + timedelta(days=(of.epoch + 1) * EPOCH_DAYS)
        drawn = f"other helpers are drawn on {date.isoformat(anew)}"
    else:
        drawn = "others are drawn tomorrow (UTC)"
    return f"run the same again when they are back, or with a longer --wait; {drawn}; or {OTHERS}"
