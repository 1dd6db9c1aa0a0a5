"""Discoveries at a node: its parts in those of others, and its own part, built out of its home."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from exchange.config import Home
from exchange.disclosure import Desk
from exchange.discovery.books import Books
from exchange.discovery.office import Office
from exchange.discovery.preparing import plan_of
from exchange.discovery.search import Found, Search
from exchange.discovery.serving import Service
from exchange.discovery.taking_part import discover
from exchange.policy.rules import Explained
from exchange.rpc.line import DiscoveryLine
from exchange.store.alliance import Alliance
from exchange.store.discovery.helper import HelperBooks
from exchange.store.discovery.member import Asked
from exchange.store.discovery.stages import Stages
from exchange.store.discovery.tables import open_tables


def office(home: Home, alliance: Alliance, desk: Desk) -> Office:
    """Where a node's parts are done; who has one is reached as a peer, our own node too."""

    @asynccontextmanager
    async def reach(member: str) -> AsyncIterator[DiscoveryLine]:
        address = alliance.address(member)
        async with DiscoveryLine(alliance, member, address, idle_s=home.settings.limits.idle_s) as line:
            await line.hello()  # newer rosters, and the proof of who it is: TLS shows a name alone
            yield line

    return Office(desk, alliance.current, reach)


def service(home: Home, alliance: Alliance, desk: Desk) -> Service:
    """The parts that a node has in discoveries of others.

    Raises:
        StoreError: what it keeps of them cannot be opened.
    """
    engine = open_tables(home)
    books, stages = HelperBooks(home, engine), Stages(home, engine)
    return Service(office(home, alliance, desk), books, stages, Asked(home))


def explain(home: Home, alliance: Alliance, desk: Desk, search: Search) -> Explained:
    """What every rule of our policy says of what would be asked. Nobody is asked.

    Raises:
        PolicyRefusal: it cannot be asked.
        ConfigError: there are too few members to draw from, or the counter would take too long.
    """
    return Books(desk, Asked(home)).explained(plan_of(office(home, alliance, desk), search))


async def take_part(
    home: Home,
    alliance: Alliance,
    desk: Desk,
    search: Search,
    *,
    progress: Callable[[str], None] = lambda _what: None,
) -> Found:
    """Take part in a discovery: see ``exchange.discovery.taking_part``.

    Raises:
        PolicyRefusal: our own policy does not allow it.
        PeerError: somebody who has a part in it refused, is gone, or lied.
        CosightError: too few took part.
    """
    return await discover(office(home, alliance, desk), search, Asked(home), progress=progress)
