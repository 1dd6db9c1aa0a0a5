"""A passing alliance on this machine, for ``demo`` and ``psi``: real homes, joining and node processes."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from crypto.psi import DISCOVERED
from exchange.aggregation.opening import Measure, Visibility
from exchange.clock import utc_now
from exchange.config import Home, write_atomic
from exchange.errors import PeerUnavailable
from exchange.identity import files, joining, keys, membership
from exchange.identity.keys import NodeKeys
from exchange.indicators import IndicatorType
from exchange.indicators.context import Context
from exchange.indicators.readers import read
from exchange.store import Store
from exchange.store.alliance import Alliance

LABEL_BYTES = 1024
BANDS = (0, 1, 10, 100, 1000)
EPSILON_MILLI = 1000
ALLOW_ALL = f"""\
# This alliance lives for the length of one command and on this machine: everybody may learn everything.
version = 1
[peers."*"]
directions = ["initiator", "responder"]
reveal = "context"
learns = ["us", "peer"]
types = {json.dumps(list(IndicatorType))}
tlp = "AMBER+STRICT"
legal_basis = "this-machine"
protocols = {json.dumps([*DISCOVERED, "filter"])}
sums = ["sightings", "confidence"]
bands = {json.dumps(BANDS)}
noise = {{ epsilon = {EPSILON_MILLI / 1000}, most = 1000, days = 1 }}
context = {{ fields = {json.dumps([f.name for f in fields(Context)])}, bytes = {LABEL_BYTES} }}
our_size = {{ min = 0, max = 4294967296 }}
peer_size = {{ min = 0, max = 4294967296 }}
sessions_per_day = 1000

[legal_bases.this-machine]
basis = "other"
reference = "nothing leaves this machine"

[discover]
types = {json.dumps(list(IndicatorType))}
tlp = "AMBER"
legal_basis = "this-machine"
relays = ["*"]
relay = true
counter = true
helper = true
members = 3
threshold = 2
learns = ["individual", "all", "collective"]
per_day = 1000

[aggregate]
coordinators = ["*"]
purposes = ["demonstration"]
measures = {json.dumps(list(Measure))}
types = {json.dumps(list(IndicatorType))}
tlp = "AMBER"
legal_basis = "this-machine"
members = 3
reporters = 2
dictionary = {{ min = 1, max = 10000000 }}
visibility = {json.dumps(list(Visibility))}
per_day = 1000
repeated = 1.0
"""
START_S = 30


def found(
    name: str, members: Sequence[str], folder: Path, addresses: Mapping[str, str] = MappingProxyType({})
) -> list[Home]:
    """Found an alliance: the first member creates it, the others join by invitation, request and approval.

    Args:
        name: of the alliance.
        members: their ids.
        folder: gets one home a member.
        addresses: ``HOST:PORT`` by member, where the roster is to say how they are reached.

    Returns:
        The homes, in the order of the members, each with a policy that allows everything between them.
    """
    homes, owns = [], []
    for member in members:
        own = NodeKeys.generate()
        home = Home.init(
            folder / member, member, keys=own.to_pem(), listen=addresses.get(member, "127.0.0.1:0")
        )
        write_atomic(home.policy_file, ALLOW_ALL.encode())
        homes.append(home)
        owns.append(own)
    root = keys.generate_ca_key()
    now = utc_now()
    first = membership.create_alliance(
        name, members[0], owns[0], root, now, address=addresses.get(members[0])
    )
    Alliance.begin(homes[0], [first.encode()])
    founder = Alliance(homes[0], owns[0], utc_now)
    for home, own in zip(homes[1:], owns[1:], strict=True):
        chain, rosters = founder.chain(), founder.signed()
        invitation = joining.make_invitation(
            chain, members[0], owns[0], now, rosters=rosters, member=home.member
        )
        read, address = joining.read_invitation(invitation, now), addresses.get(home.member)
        request_file = joining.make_join_request(read, home.member, own, address=address)
        request = joining.read_join_request(request_file, chain, now)
        signed = membership.admit(chain, members[0], owns[0], root, request.newcomer, request.ca_key, now)
        founder.adopt([signed.encode()])
        Alliance.begin(home, files.read_approval(files.write_approval(founder.signed())))
    for home, own in zip(homes[1:], owns[1:], strict=True):
        Alliance(home, own, utc_now).adopt(founder.signed())
    return homes


def take_in(home: Home, member: str, feed: Path, *, own: bool = False) -> int:
    """Import the feed of a member; gives how many indicators it is.

    Raises:
        InputError: it cannot be read.
        StoreError: the database refused.
    """
    store = Store.open(home.store_url)
    try:
        return store.import_indicators(
            read(feed), source=member, tlp="CLEAR", own=own, now=utc_now()
        ).accepted
    finally:
        store.close()


def command(*words: str) -> list[str]:
    """What starts ``cosight`` in a process of its own."""
    return [sys.executable, "-m", "exchange", *words]


@asynccontextmanager
async def serving(home: Home, *arguments: str) -> AsyncIterator[dict[str, Any]]:
    """A node process of this home for as long as the context lasts; yields what it says of itself.

    Raises:
        PeerUnavailable: it does not come up.
    """
    words = command("serve", "--home", str(home.path), "--json", *arguments)
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_S):
            line = await process.stdout.readline()
        if not line:
            raise PeerUnavailable(f"the node of {home.member} did not start")
        yield json.loads(line) | {"pid": process.pid}
    except TimeoutError:
        raise PeerUnavailable(f"the node of {home.member} did not start in {START_S} s") from None
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
