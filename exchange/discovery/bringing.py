"""A member brings what it has to the relay, and waits for what comes of it: for a bounded time."""

from collections.abc import Awaitable, Callable
from time import monotonic

from exchange.disclosure.patience import patiently
from exchange.discovery.kept import Lines
from exchange.discovery.meeting import named, parts_of, until
from exchange.discovery.world import Collected, Deposit, Line, Stage, State
from exchange.errors import CosightError

POLL_S = 20
COUNTING_S = 600
"""How long counting may take once the relay has closed, in seconds."""
_BROUGHT = {Stage.BATCHES: "our batch", Stage.WORDS: "what of ours was found"}


async def bring(
    lines: Lines,
    deposit: Deposit,
    take: Callable[[Line], Awaitable[None]],
    *,
    most: int,
    check: Callable[[Collected], None],
    progress: Callable[[str], None],
) -> Collected:
    """Bring what we have, and wait for what comes of it; go on if the line is lost.

    Args:
        lines: to the relay.
        deposit: what is brought; its ``wait_s`` is how long we wait, and a little more.
        take: brings its bytes; again where the line was lost before the relay said anything.
        most: bytes of an outcome that we take.
        check: raises where it does not go on.
        progress: told what is waited for, and until when.

    Raises:
        PeerError: the relay refused, or is out of reach for so long.
        CosightError: the others or the counter did not come in time; or what ``check`` raises.
    """
    of, patience_s, now = deposit.round, deposit.wait_s + 2 * POLL_S, lines.office.desk.clock
    relay = named({of.parts.relay}, parts_of(of))
    end, when = monotonic() + patience_s, until(now(), patience_s)
    last: Collected | None = None
    progress(f"bringing {_BROUGHT[deposit.stage]} to {relay}")

    async def bring_and_wait() -> Collected:
        nonlocal last, end, when
        async with lines.to(of.parts.relay) as line:
            if last is None:
                await take(line)
            while monotonic() < end:
                wait_s = 1 if last is None else POLL_S
                said = await line.collect(of, deposit.stage, wait_s, most=most)
                if said.state is State.DONE:
                    return said
                check(said)
                if said.state is State.CLOSED and (last is None or last.state is State.OPEN):
                    end = max(end, monotonic() + COUNTING_S)
                    when = until(now(), end - monotonic())
                last = said
                progress(f"{_far(deposit, said)} are waited for {when}")
        raise CosightError(
            f"{relay} gave no answer" if last is None else f"{_far(deposit, last)} did not come in time",
            code="discovery-waits", hint="run the same again today: what we brought is kept",
        )  # fmt: skip

    async def failed() -> None:
        progress(f"{relay} cannot be reached; trying {when}")

    return await patiently(bring_and_wait, until=lambda: end, failed=failed)


def _far(deposit: Deposit, said: Collected) -> str:
    """How far it is, and what is missing. Not which members: whose batch is there, the relay alone knows."""
    of, parts = deposit.round, parts_of(deposit.round)
    relay, counter = (named({who}, parts) for who in (of.parts.relay, of.parts.counter))
    if said.state is State.CLOSED:
        return f"{relay} has closed with {said.came} batches; the words of {counter}"
    if deposit.stage is Stage.WORDS:
        return f"{said.came} members have told {relay} what they found; the others"
    return f"{said.came} of {len(of.members)} batches have come to {relay}; the others"
