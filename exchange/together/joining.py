"""Taking part in aggregations: what is asked, what we take up, and carrying it on to its end."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from crypto import labels
from crypto.secagg.ring import CHUNK_BYTES
from exchange.aggregation.dictionary import Dictionary
from exchange.aggregation.opening import Opening
from exchange.aggregation.vector import fill
from exchange.counting.apart import apart
from exchange.counting.books import MembersBooks
from exchange.counting.taking_part import Input, Part, TakingPart
from exchange.counting.world import Progress
from exchange.errors import ConfigError, InputError, PeerMisbehaved, PolicyRefusal
from exchange.identity import keys
from exchange.node import Node, checked
from exchange.policy import Policy
from exchange.policy.rules import Explained
from exchange.rpc.coordinator_link import CoordinatorLink
from exchange.store.contributions import Contribution, Contributions
from exchange.store.home import open_store
from exchange.store.journal import Journal
from exchange.together.closing import close
from exchange.together.deciding import decided, explained

WHOLE_BYTES = 64 << 20
"""A result of so many masked bytes is computed anew whole; of a larger one, as much of it drawn at random."""
LEAST_CHUNKS = 16
ANYWHERE = ("0.0.0.0", "[::]")  # noqa: S104  # what a server listens on, and nobody can dial


@dataclass(frozen=True, slots=True)
class Asked:
    """A run that a coordinator asks us to join.

    Attributes:
        opening: what it asks.
        progress: how far it has come.
        ours: what we keep of it, if we have joined.
    """

    opening: Opening
    progress: Progress
    ours: Contribution | None


class Joining:
    """A node's part in the aggregations of others, and in its own.

    Args:
        node: the node.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._home = node.home
        self._kept = Contributions(node.home)
        self._kept.tidy()
        close(node)

    async def asked(self, coordinator: str, *, address: str | None = None) -> list[Asked]:
        """What a coordinator asks us to take part in.

        Raises:
            PeerRefused, PeerUnavailable: it does not say.
            PeerMisbehaved: it shows something that it did not sign, or that is no opening.
        """
        async with self._connect(coordinator, address)() as link:
            listed = [
                (self._read(coordinator, c.opening, c.signature), c.progress) for c in await link.convened()
            ]
        kept = {c.context: c for c in self._kept.all()}
        return [Asked(opening, progress, kept.get(opening.context)) for opening, progress in listed]

    async def take_up(self, opening: Opening, *, address: str | None = None) -> Contribution:
        """Fetch what belongs to a run that we want to join, ask our policy, and keep it.

        Raises:
            PolicyRefusal: our policy does not allow it; the ledger says so.
            PeerMisbehaved: the coordinator gives another dictionary than the one that it opened.
            PeerRefused, PeerUnavailable: it gives none.
        """
        await asyncio.to_thread(self.decide, opening, None)  # before we fetch what may be large
        dictionary, signature = await self._fetched(opening, address)
        await asyncio.to_thread(self.decide, opening, dictionary)
        return self._kept.begin(opening.context, opening.encoded, signature, dictionary.encoded)

    async def explained(self, opening: Opening, *, address: str | None = None) -> Explained:
        """What every rule of our policy says of a run that we are asked to join. Nothing is written.

        Raises:
            PeerMisbehaved, PeerRefused, PeerUnavailable: the coordinator gives no dictionary, or another one.
        """
        kept = self._kept.all()
        found = await asyncio.to_thread(explained, self._node, opening, None, kept)
        if not found.decision.allowed:
            return found
        dictionary, _ = await self._fetched(opening, address)
        return await asyncio.to_thread(explained, self._node, opening, dictionary, kept)

    async def _fetched(self, opening: Opening, address: str | None) -> tuple[Dictionary, bytes]:
        """The dictionary of a run, and the coordinator's signature on its opening."""
        peer = opening.coordinator
        async with self._connect(peer, address)() as link:
            convening, encoded = await link.opening(opening.context)
        if convening.opening != opening.encoded:
            raise PeerMisbehaved(f"{peer} shows another opening than it listed")
        dictionary = await asyncio.to_thread(Dictionary.decode, encoded)
        dictionary.check(opening)
        return dictionary, convening.signature

    def decide(self, opening: Opening, dictionary: Dictionary | None) -> Policy:
        """Ask our policy, as far as it can be asked without the dictionary; a refusal is written down.

        Raises:
            PolicyRefusal: it does not allow it.
        """
        policy, decision = decided(self._node, opening, dictionary, self._kept.all())
        if not decision.allowed:
            self._node.ledger.append(
                "refused", now=self._node.desk.clock(), peer=opening.coordinator, direction="responder",
                session=opening.name,
                what={"by": "us", "reason": "policy-refused", "rule": decision.rule},
            )  # fmt: skip
            raise PolicyRefusal(decision.explanation, code="policy-refused", rule=decision.rule)
        return policy

    async def go_on(
        self,
        kept: Contribution,
        *,
        address: str | None = None,
        only_join: bool = False,
        told: Callable[[Progress], None] = lambda _progress: None,
    ) -> None:
        """Take part in what we have taken up: to the end, or for now by joining only.

        Raises:
            Broken: it was broken off.
            PeerRefused, PeerUnavailable: the coordinator does not want us, or is out of reach.
            CosightError: we may not say what we would have to say.
        """
        opening = self._read(None, kept.opening, kept.signature)
        with kept.alone():
            if kept.ended is not None:
                raise InputError(
                    "this aggregation is over for us", code="aggregation-over",
                    hint="see: cosight aggregate result",
                )  # fmt: skip
            journal = await asyncio.to_thread(Journal.open, self._kept.journal_file)
            try:
                part = TakingPart(
                    self._part(opening, kept, journal), self._connect(opening.coordinator, address), told
                )
                if only_join:
                    await part.join()
                else:
                    await part.run()
            finally:
                journal.close()

    def _part(self, opening: Opening, kept: Contribution, journal: Journal) -> Part:
        node, dictionary = self._node, Dictionary.decode(kept.dictionary)
        position = opening.position(self._home.member)
        if position is None:
            raise ConfigError(
                "we are not among the members of this aggregation",
                hint="is this the home that joined? the coordinator says whom it asked",
            )
        books = MembersBooks(
            node.ledger, lambda: self.decide(opening, dictionary), node.desk.clock, node.seal
        )

        def count() -> Input:
            admitted = node.load_policy().aggregate
            if admitted is None:
                raise PolicyRefusal(
                    "our policy lets nothing be counted any more: it has no [aggregate]",
                    code="policy-refused", hint="see: cosight policy check",
                )  # fmt: skip
            store = open_store(self._home)
            try:
                known = store.known(dictionary, now=node.desk.clock(), admission=admitted.admission())
            finally:
                store.close()
            return Input(fill(opening, dictionary, known.seen), known.withheld)

        masked = len(opening.members) * opening.size * opening.width // 8
        sample = max(LEAST_CHUNKS, WHOLE_BYTES // (CHUNK_BYTES * len(opening.members)))
        return Part(
            opening=opening, setup=node.setup(opening), position=position, kept=kept, journal=journal,
            books=books, sign=node.desk.identity.sign, count=count,
            sample=None if masked <= WHOLE_BYTES else sample,
        )  # fmt: skip

    def joined(self) -> list[tuple[Opening, Contribution]]:
        """What we have taken up, the newest first.

        What is damaged is not among it, and that is said.

        Raises:
            StoreError: the folder of all cannot be read.
        """
        found = []
        for kept in self._kept.all():
            with apart(kept.context):
                kept.ended  # noqa: B018  # is it legible
                found.append((Opening.decode(kept.opening), kept))
        return found

    def find(self, beginning: str) -> Contribution:
        """What we have taken up whose name begins so.

        Raises:
            InputError: there is none, or more than one.
        """
        return self._kept.find(beginning)

    def _read(self, coordinator: str | None, encoded: bytes, signature: bytes) -> Opening:
        """An opening that its coordinator signed.

        Raises:
            PeerMisbehaved: it is none, or another's.
        """
        opening = Opening.decode(encoded)
        peer, alliance = opening.coordinator, self._node.alliance
        member = alliance.find(peer)
        if (coordinator not in {None, peer}) or opening.alliance != alliance.alliance or member is None:
            raise PeerMisbehaved(f"{coordinator or peer} shows the opening of somebody else")
        if not keys.verify(member.identity_key, labels.AGGREGATE_SIGNATURE, opening.context, signature):
            raise PeerMisbehaved(f"{peer} shows an opening that it did not sign", code="bad-signature")
        return opening

    def _connect(
        self, coordinator: str, address: str | None
    ) -> Callable[[], AbstractAsyncContextManager[CoordinatorLink]]:
        node = self._node
        where = checked(address or self._address(coordinator))

        @asynccontextmanager
        async def connect() -> AsyncIterator[CoordinatorLink]:
            idle_s = self._home.settings.limits.idle_s
            async with CoordinatorLink(node.alliance, coordinator, where, idle_s=idle_s) as link:
                await link.hello()
                yield link

        return connect

    def _address(self, coordinator: str) -> str:
        """Where a coordinator is reached; our own node where we coordinate ourselves."""
        if coordinator != self._home.member:
            return self._node.alliance.address(coordinator)
        host, _, port = self._home.settings.listen.rpartition(":")
        if port == "0":
            raise ConfigError(
                "our own node listens on a port that it chooses", code="no-address",
                hint="give it with --address",
            )  # fmt: skip
        return f"{'127.0.0.1' if host in ANYWHERE else host}:{port}"
