"""A publisher and an asker without network: a link that can be told to lie or to break."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from exchange.config import Home, Settings
from exchange.disclosure import Responder
from exchange.disclosure.asking import Answered, ask
from exchange.disclosure.publishing import Built, Edition, publish
from exchange.disclosure.questions import Described, Evaluated, Questions, Wanted
from exchange.errors import PeerRefused, PeerUnavailable, SessionRefused
from exchange.indicators import Indicator, IndicatorType
from exchange.local.alliance import ALLOW_ALL
from exchange.rpc.filters import chunks, served_to_wire
from exchange.store.fetched import Fetched
from exchange.store.publications import Publications
from tests.exchange.disclosure.desks import Side, Wire

HELD = [f"w{i}" for i in range(400)]
ALLOWED = re.sub(r"protocols = \[.*\]", 'protocols = ["voprf", "filter"]', ALLOW_ALL).replace(
    "context", "overlap", 1
)
"""Everything at the rung ``overlap``, and the protocol that these tests are about."""


def honest(value: Any) -> Any:
    return value


@dataclass
class Line(Wire):
    """A link to a publisher in the same process.

    Attributes:
        describe: what becomes of a description on its way.
        answer: what becomes of an answer.
        chunk: what becomes of a piece of the file, given how many came before.
        asked: every call with questions.
        fetched: every request for the filter, and in which form it was answered.
    """

    describe: Callable[[Described], Described] = honest
    answer: Callable[[Evaluated], Evaluated] = honest
    chunk: Callable[[int, bytes], bytes] = lambda _number, data: data
    asked: list[Questions] = field(default_factory=list)
    fetched: list[tuple[Wanted, str]] = field(default_factory=list)

    async def ask(self, questions: Questions) -> Evaluated:
        self.asked.append(questions)
        try:
            return self.answer(await self.responder.leases.ask(self.ours.member, questions))
        except SessionRefused as refusal:
            raise PeerRefused("it said no", code=refusal.code) from refusal

    @asynccontextmanager
    async def download(self, wanted: Wanted) -> AsyncIterator[tuple[Described, AsyncIterator[bytes]]]:
        try:
            served = await self.responder.leases.download(self.ours.member, wanted)
        except SessionRefused as refusal:
            raise PeerRefused("it said no", code=refusal.code) from refusal
        self.fetched.append((wanted, served.form))
        assert served_to_wire(served).described.form == served.form
        described = Described(
            publication=served.published.publication, signature=served.published.signature,
            form=served.form, size=served.size, offset=served.offset,
        )  # fmt: skip

        async def pieces() -> AsyncIterator[bytes]:
            for number, reply in enumerate(chunks(served)):
                data = self.chunk(number, reply.chunk)
                if data:
                    yield data

        yield self.describe(described), pieces()


@dataclass
class Pair:
    """alice asks, bob publishes."""

    alice: Side
    bob: Side
    line: Line
    shelf: Publications
    cache: Fetched

    @classmethod
    def make(cls, folder: Path, words: list[str] = HELD, **limits: int) -> "Pair":
        del limits
        alice, bob = (Side(name, list(words), policy_text=ALLOWED) for name in ("alice", "bob"))
        for side in (alice, bob):
            (folder / side.member).mkdir()
        shelf = Publications(Home(folder / "bob", Settings("bob")))
        bob.desk = replace(bob.desk, shelf=shelf)
        line = Line(alice, bob, Responder(bob.desk))
        return cls(alice, bob, line, shelf, Fetched(Home(folder / "alice", Settings("alice"))))

    def publish(self, **edition: Any) -> Built:
        return publish(self.bob.desk, self.shelf, Edition(**edition), ["alice", "carol"])

    async def ask(self, *words: str, kind: IndicatorType = IndicatorType.DOMAIN, **how: Any) -> Answered:
        questions = [Indicator(kind, word) for word in words]
        return await ask(self.alice.desk, "bob", questions, self.line, self.cache, **how)

    def told(self) -> list[tuple[str, Any]]:
        """What bob's ledger says of his sessions, and how many questions each had."""
        return [(kind, fields["what"].get("asked")) for kind, fields in self.bob.books.told]


def breaks(after: int) -> Callable[[int, bytes], bytes]:
    """A link that breaks after so many pieces."""

    def piece(number: int, data: bytes) -> bytes:
        if number >= after:
            raise PeerUnavailable("it is gone", code="peer-closed")
        return data

    return piece
