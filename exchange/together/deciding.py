"""Asking our own policy about a run: when we convene it, and when we join one."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from exchange.aggregation.dictionary import Dictionary, repeated
from exchange.aggregation.opening import Measure, Opening
from exchange.aggregation.release import strays
from exchange.ledger.runs import Runs
from exchange.node import Node
from exchange.policy import Decision, Policy
from exchange.policy import aggregation as rules
from exchange.policy.rules import Explained
from exchange.store.contributions import Contribution
from exchange.together.outcome import result


class Decided(NamedTuple):
    """What our policy says of a run, and which policy that is."""

    policy: Policy
    decision: Decision


def decided(
    node: Node,
    opening: Opening,
    dictionary: Dictionary | None,
    kept: Sequence[Contribution],
    *,
    convening: bool = False,
) -> Decided:
    """Ask our policy. Nothing is written.

    Args:
        node: who we are.
        opening: what is asked.
        dictionary: over what; None while it is not here.
        kept: what we keep of runs that we took part in.
        convening: whether we ask others, and do not join yet.
    """
    situation = _situation(node, opening, dictionary, kept)
    decide = rules.may_convene if convening else rules.decide
    return Decided(situation[0], decide(*situation))


def explained(
    node: Node,
    opening: Opening,
    dictionary: Dictionary | None,
    kept: Sequence[Contribution],
    *,
    convening: bool = False,
) -> Explained:
    """The same with what every rule says: see ``decided``."""
    situation = _situation(node, opening, dictionary, kept)
    decide = rules.may_convene if convening else rules.decide
    return Explained(decide(*situation), rules.explain(*situation, convening=convening))


def _situation(
    node: Node, opening: Opening, dictionary: Dictionary | None, kept: Sequence[Contribution]
) -> tuple[Policy, rules.Convening, rules.Together, datetime]:
    """All that the rules look at."""
    now, runs = node.desk.clock(), node.ledger.runs()
    policy, (epoch, roster_hash) = node.load_policy(), node.desk.roster()
    by_name = {contribution.context.hex(): contribution for contribution in kept}
    asked = rules.Convening(
        opening=opening, us=node.home.member, roster_epoch=epoch, roster_hash=roster_hash,
        by_type=None if dictionary is None else dictionary.by_type,
        repeated=None if dictionary is None else repeated(dictionary, _earlier(opening, runs, by_name)),
        given_up={
            name: Opening.decode(by_name[name].opening)
            for name in rules.abandons(opening) if name in by_name
        },
        **_base(node, opening, runs),
    )  # fmt: skip
    quarantined = node.ledger.history(opening.coordinator, now).quarantined
    return policy, asked, rules.Together(runs, quarantined or ""), now


def _earlier(opening: Opening, runs: Runs, kept: dict[str, Contribution]) -> list[Dictionary | None]:
    """The dictionaries of runs that may have counted the same; None for one that is not kept any more."""
    met = (kept.get(run.session) for run in rules.meeting(opening, runs))
    return [None if one is None else Dictionary.decode(one.dictionary) for one in met]


def _base(node: Node, opening: Opening, runs: Runs) -> dict[str, Any]:
    """How a sum follows from the count before it, by our own copy of that, if we have one."""
    run = runs.joined(opening.base.hex())
    if run is None or not run.counted or run.key.measure != Measure.COUNT:
        return {}
    count = result(node, opening.base.hex())
    stray = strays(opening, count.opening, count.counted.tally.survivors)
    return {"strays": stray, "derived": count.goes_on(opening.reporters).root}
