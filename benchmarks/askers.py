"""Many members ask one published filter at once, over mutual TLS, against one real node process.

Run: ``python -m benchmarks.askers [--askers N] [--seconds S] [--think T] [--members M] [--items I]``.
Every asker is a lease and a connection of its own, in the name of one of a few members. Before the clock
runs each has agreed on its lease. Then it asks one question, verifies the answer, waits for a time drawn
evenly from 0 to twice the think time, and asks again. What is timed is the call, waiting for a busy peer
included: blinding is before, verifying after. Asking and answering share this machine; its load is told.

``--tags N`` measures how long a filter of so many items takes to make: its tags, and each kind at 2^-30.
"""

import argparse
import asyncio
import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import random
from time import perf_counter
from typing import Any

import numpy as np

from crypto import oprf, publishing
from crypto.filters import Bloom, Filter, Golomb, Sorted
from crypto.hashing import item_rows
from crypto.oprf import Blinds
from crypto.rows import Rows
from exchange.agreement import Agreement, Rung, size_class
from exchange.bench import machine
from exchange.clock import utc_now
from exchange.config import Home
from exchange.disclosure.books import Entry
from exchange.disclosure.contact import greet
from exchange.disclosure.initiator import Wish, proposal_of, propose
from exchange.disclosure.publishing import Edition
from exchange.disclosure.questions import Questions
from exchange.errors import CosightError
from exchange.indicators import IndicatorType
from exchange.indicators.readers import read
from exchange.local.alliance import found
from exchange.node import Node
from exchange.policy import Offer
from exchange.publication import PROTOCOL
from exchange.rpc.client import PeerLink
from exchange.store.home import open_store

PUBLISHER = "acme"
ALLIANCE = "askers.example.com"
_AT_ONCE = 8
_KINDS: dict[str, type[Filter]] = {"bloom": Bloom, "golomb": Golomb, "sorted": Sorted}


@dataclass(slots=True)
class Asker:
    """One asker.

    Attributes:
        link: its connection.
        agreement: its lease.
        signature: over that.
        took_s: how long each call took.
        failed: codes of those that failed.
    """

    link: PeerLink
    agreement: Agreement
    signature: bytes
    took_s: list[float] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)


def homes(folder: Path, members: int, items: int) -> list[Home]:
    """An alliance with a publisher that holds so many domains, and its filter."""
    made = found(ALLIANCE, [PUBLISHER, *(f"member-{n}" for n in range(members))], folder)
    feed = folder / "feed.txt"
    feed.write_text("".join(f"host-{n}.example.com\n" for n in range(items)))
    store = open_store(made[0])
    try:
        store.import_indicators(read(feed, format="text"), source="feed", tlp="AMBER", now=utc_now())
    finally:
        store.close()
    with Node(made[0]) as node:
        node.publish(Edition())
    return made


@contextmanager
def serving(home: Home) -> Iterator[str]:
    """A node process; yields its address."""
    command = [sys.executable, "-m", "exchange", "serve", "--home", str(home.path), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["address"]
        finally:
            process.terminate()


async def leased(node: Node, link: PeerLink, questions: int) -> Asker:
    """Agree on a lease, as ``exchange.disclosure.asking`` does."""
    desk, types = node.desk, (IndicatorType.DOMAIN,)
    wish = Wish(rung=Rung.OVERLAP, types=types, protocol=PROTOCOL)
    contact = await greet(desk, PUBLISHER, link)
    policy = desk.policy()
    entry = Entry(
        desk, PUBLISHER, "initiator", proposal_of(desk, wish, policy, size_class(questions)), policy,
        shown=contact.shown, offer=Offer({IndicatorType.DOMAIN: questions}),
    )  # fmt: skip
    _, agreement = await propose(entry, contact)
    return Asker(link, agreement, desk.sign(agreement))


async def asks(asker: Asker, public_key: bytes, until: float, think_s: float) -> None:
    """Ask, think, and ask again until the time is over."""
    await asyncio.sleep(2 * think_s * random())
    while perf_counter() < until:
        items = item_rows("domain", [f"host-{secrets.randbelow(1 << 20)}.example.com"])
        blinds, blinded = oprf.bulk_blind(items)
        start = perf_counter()
        try:
            answer = await asker.link.ask(_questions(asker, blinded))
        except CosightError as e:
            asker.failed[e.code] += 1
        else:
            asker.took_s.append(perf_counter() - start)
            _verify(items, blinds, blinded, answer.evaluated, answer.proof, public_key)
        await asyncio.sleep(2 * think_s * random())


def _verify(
    items: Rows, blinds: Blinds, blinded: Rows, evaluated: Rows, proof: bytes, public_key: bytes
) -> None:
    outputs = oprf.bulk_finalize(
        items, blinds, evaluated, blinded=blinded, proof=proof, public_key=public_key
    )
    publishing.tags_of(outputs, public_key)


def _questions(asker: Asker, blinded: Rows, *, done: bool = False) -> Questions:
    return Questions(
        session=asker.agreement.initiator_nonce, signature=asker.signature, blinded=blinded, done=done
    )


async def crowd(nodes: Sequence[Node], address: str, options: argparse.Namespace) -> list[Asker]:
    """All askers, each with a lease, then all asking at once."""
    questions = 32 + int(2 * options.seconds / max(options.think, 0.01))
    limit = asyncio.Semaphore(_AT_ONCE)
    async with AsyncExitStack() as stack:

        async def begin(number: int) -> Asker:
            node = nodes[number % len(nodes)]
            link = await stack.enter_async_context(PeerLink(node.alliance, PUBLISHER, address, timeout_s=60))
            async with limit:
                return await leased(node, link, questions)

        askers = await asyncio.gather(*(begin(n) for n in range(options.askers)))
        print(f"{len(askers)} leases; asking for {options.seconds} s", file=sys.stderr)
        public_key = options.public_key
        until = perf_counter() + options.seconds
        await asyncio.gather(*(asks(asker, public_key, until, options.think) for asker in askers))
        empty = np.empty((0, 32), np.uint8)

        async def end(asker: Asker) -> None:
            async with limit:
                await asker.link.ask(_questions(asker, empty, done=True))

        await asyncio.gather(*(end(asker) for asker in askers))
    return askers


def ask_all(options: argparse.Namespace) -> dict[str, Any]:
    """The whole measurement."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        made = homes(Path(folder), options.members, options.items)
        with Node(made[0]) as publisher:
            published = publisher.publications.current()
        assert published is not None
        options.public_key = published.publication.public_key
        address = stack.enter_context(serving(made[0]))
        nodes = [stack.enter_context(Node(home)) for home in made[1:]]
        load = os.getloadavg()[0]
        askers = asyncio.run(crowd(nodes, address, options))
        after = os.getloadavg()[0]
    took = np.concatenate([np.array(asker.took_s) for asker in askers])
    failed: Counter[str] = sum((asker.failed for asker in askers), Counter())
    return {
        "machine": machine.facts(),
        "askers": len(askers),
        "members": options.members,
        "think_s": options.think,
        "seconds": options.seconds,
        "asked": len(took),
        "failed": dict(failed),
        "per_s": len(took) / options.seconds,
        "ms": {
            name: round(1e3 * float(np.quantile(took, at)), 2)
            for name, at in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0))
        },
        "load": [round(load, 2), round(after, 2)],
    }


def make_filters(n: int) -> dict[str, Any]:
    """Tags of so many items, and each kind of filter of them."""
    items = np.random.default_rng(1).integers(0, 256, (n, 32), np.uint8)
    key = publishing.epoch_key(secrets.token_bytes(32), secrets.token_bytes(16))
    start, parts = perf_counter(), []
    for first in range(0, n, 1 << 16):
        outputs = oprf.evaluate(key, items[first : first + (1 << 16)])
        parts.append(publishing.tags_of(outputs, key.public_key))
    tags = np.concatenate(parts)
    result: dict[str, Any] = {"items": n, "tags_s": round(perf_counter() - start, 2), "kinds": {}}
    for name, kind in _KINDS.items():
        start = perf_counter()
        made = kind.build(tags, 2**-30)
        built_s = perf_counter() - start
        result["kinds"][name] = {"build_s": round(built_s, 2), "bytes": len(made.to_bytes())}
    result["load"] = round(os.getloadavg()[0], 2)
    return result


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--askers", type=int, default=1000)
    parser.add_argument("--members", type=int, default=20)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--think", type=float, default=10)
    parser.add_argument("--tags", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = make_filters(options.tags) if options.tags else ask_all(options)
    if options.json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        print(f"{name:<10} {value}")


if __name__ == "__main__":
    main()
