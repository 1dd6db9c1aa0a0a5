"""The keys of a discovery as a member is shown them: signed by every part, and no others than before.

Whoever shows other keys to some members leaves these in a session of their own. Relay and counter see what
was shown to each, and count one session of a plan; a member remembers what it was shown itself.
"""

import asyncio

from exchange.aggregation.announced import Signed, Split
from exchange.aggregation.round import Round
from exchange.disclosure.drive import in_thread
from exchange.discovery import proof, signing
from exchange.discovery.kept import Lines, Own
from exchange.discovery.office import Office
from exchange.discovery.world import PartMisbehaved
from exchange.identity import encoding

KEYS = "keys"
"""What was announced for a plan, among what we keep."""
_LIMIT = 1 << 18


async def announced(office: Office, lines: Lines, own: Own, plan: Round) -> tuple[Round, tuple[Signed, ...]]:
    """Ask every part for its keys.

    Returns:
        The plan with them, and what was announced by the helpers, in their order, and the counter.

    Raises:
        PeerError: a part refused, is gone, or announces what it cannot.
        PartMisbehaved: it announced other keys before, by its own word from the same secret.
    """

    async def told(member: str) -> Signed:
        async with lines.to(member) as line:
            said = await line.keys(plan)
        signing.check_announced(office.desk.find, said, plan, member)
        return said

    said = tuple(await asyncio.gather(*map(told, (*plan.parts.helpers, plan.parts.counter))))
    await in_thread(_compare, office, own, plan, said)
    return signing.keyed(office.desk.find, plan, said), said


def _compare(office: Office, own: Own, plan: Round, said: tuple[Signed, ...]) -> None:
    """Compare with what we were shown before, and remember it."""
    kept = own.batch(plan.plan, KEYS)
    plain = [] if kept is None else encoding.decode(kept, limit=_LIMIT)
    before = [Signed(*one) for one in plain]
    others = proof.differing(plan, before, said) if before else []
    for one in others:
        if one.holds(office.desk.find, plan):
            office.refused(one.member, Split.CODE, evidence=one.document)
            raise PartMisbehaved(
                f"{one.member} announces other keys than before", one.member, code=Split.CODE
            )
    if others or not before:
        own.keep_batch(plan.plan, KEYS, encoding.encode([list(one) for one in said]))
