"""Builds the parts of a node in discoveries out of its home; ``exchange.node`` uses it."""

from exchange.config import Home
from exchange.disclosure import Desk
from exchange.discovery.office import Office
from exchange.discovery.serving import Service
from exchange.rpc.line import DiscoveryLine
from exchange.store.alliance import Alliance
from exchange.store.discovery.helper import HelperBooks
from exchange.store.discovery.member import Asked
from exchange.store.discovery.stages import Stages
from exchange.store.discovery.tables import open_tables


def office(home: Home, alliance: Alliance, desk: Desk) -> Office:
    """Where a node's parts are done; who has one is reached as a peer, our own node too."""

    def reach(member: str) -> DiscoveryLine:
        return DiscoveryLine(alliance, member, alliance.address(member), idle_s=home.settings.limits.idle_s)

    return Office(desk, alliance.current, reach)


def service(home: Home, alliance: Alliance, desk: Desk) -> Service:
    """The parts that a node has in discoveries of others.

    Raises:
        StoreError: what it keeps of them cannot be opened.
    """
    engine = open_tables(home)
    books, stages = HelperBooks(home, engine), Stages(home, engine)
    return Service(office(home, alliance, desk), books, stages, Asked(home))
