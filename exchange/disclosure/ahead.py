"""What depends on nobody's items, done ahead of a match. We are the receiver then, and so we are now."""

import asyncio
from dataclasses import dataclass, replace
from time import perf_counter

from crypto.psi import DISCOVERED
from exchange.agreement import Rung, Stage, size_class
from exchange.disclosure.books import Entry, closing
from exchange.disclosure.contact import Link, greet, settle_at_once, settle_due
from exchange.disclosure.deciding import begin
from exchange.disclosure.desk import Desk
from exchange.disclosure.drive import drive, in_thread
from exchange.disclosure.initiator import Wish, params_of, proposal_of, propose
from exchange.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Warmed:
    """What was made.

    Attributes:
        session: the session that made it, in hex.
        padded: the size class of sets that it is good for.
        elements: how many elements it has.
    """

    session: str
    peer: str
    protocol: str
    padded: int
    elements: int
    total_s: float
    crypto_s: float
    sent: int
    received: int


async def warm(desk: Desk, peer: str, wish: Wish, n: int, link: Link) -> Warmed:
    """Make a correlation for one match of up to ``n`` items, and keep it: decide, agree, run, write down.

    The peer learns the size class of ``n``, which need not be that of our set.

    Raises:
        ConfigError: nothing of the protocol can be done ahead.
        PolicyRefusal, PeerError, LedgerError: as for a match.
    """
    ahead = DISCOVERED[wish.protocol].ahead
    if ahead is None:
        raise ConfigError(f"nothing of {wish.protocol} can be done ahead", hint="use: --protocol vole")
    start, policy = perf_counter(), desk.policy()
    contact = await greet(desk, peer, link)
    await settle_due(desk, peer, contact)
    whole = proposal_of(desk, replace(wish, rung=Rung.SIZE), policy, size_class(n))
    proposal = replace(whole, stage=Stage.AHEAD)
    entry = Entry(desk, peer, "initiator", proposal, policy, shown=contact.shown)
    async with closing(entry):
        await in_thread(begin, entry)
        _, agreement = await propose(entry, contact)
        params = params_of(agreement)
        elements = ahead.elements(params)
        async with (
            asyncio.timeout(agreement.deadline_s),
            link.run(agreement, desk.sign(agreement)) as channel,
        ):
            entry.channel = channel
            made = await drive(ahead.receiver(params), channel, entry.progress)
            await channel.end()
        await in_thread(
            lambda: desk.stash.put("receiver", peer, elements, agreement.session, ahead.dump(made))
        )
    await in_thread(entry.disclosed)
    await settle_at_once(desk, agreement.session, contact)
    return Warmed(
        session=agreement.session,
        peer=peer,
        protocol=proposal.protocol,
        padded=proposal.padded,
        elements=elements,
        total_s=perf_counter() - start,
        crypto_s=entry.progress.crypto_s,
        sent=channel.sent,
        received=channel.received,
    )
