"""What a node coordinates: how far each run has come by its files, and taking one back."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from crypto.secagg.base import Step
from exchange.aggregation.opening import Opening
from exchange.counting.apart import apart
from exchange.counting.books import CoordinatorsBooks
from exchange.counting.world import WITHDRAWN, Ending, Progress
from exchange.errors import InputError
from exchange.node import Node
from exchange.store.aggregations import Aggregations, Folder
from exchange.store.contributions import Contributions


@dataclass(frozen=True, slots=True)
class Convened:
    """A run that we coordinate.

    Attributes:
        opening: what is asked.
        progress: how far it has come.
    """

    opening: Opening
    progress: Progress


def convened(node: Node) -> list[Convened]:
    """The runs that we coordinate, the newest first: also those that ended in the last days.

    One of which what is kept is damaged is not among them, and that is said.

    Raises:
        StoreError: the folder of all cannot be read.
    """
    store, now, found = Aggregations(node.home), node.desk.clock(), []
    for context in reversed(store.contexts()):
        with apart(context):
            if (folder := store.find(context)) is not None:
                found.append(_convened(folder, now))
    return found


def withdraw(node: Node, beginning: str) -> Opening:
    """Take back a run whose name begins so; ``cosight serve`` of this home tells its members.

    Raises:
        InputError: there is none of this name, or more than one; or it is over, or its sum may be opened.
        ConfigError: the disk is full.
        LedgerError: the ledger cannot be written.
    """
    store = Aggregations(node.home)
    if not any(context.hex().startswith(beginning) for context in store.contexts()):
        raise _not_ours(node, beginning)
    folder = store.named(beginning)
    opening = Opening.decode(folder.opening)
    if not folder.withdraw(Ending(WITHDRAWN, (), node.desk.clock())):
        ended = folder.ended()
        if ended is None:
            raise InputError(
                "its members have begun to open its sum, and may not be stopped there",
                code="aggregation-opened", hint="wait for its end",
            )  # fmt: skip
        if ended.code != WITHDRAWN:
            raise InputError(
                "this aggregation is over", code="aggregation-over", hint="see: cosight aggregate list"
            )
    # The ledger follows: killed in between, the same command writes what is missing.
    CoordinatorsBooks(node.ledger, node.desk.clock, node.seal).broken(opening, WITHDRAWN, ())
    return opening


def _not_ours(node: Node, beginning: str) -> InputError:
    """Why we cannot take back what we do not coordinate."""
    openings = [Opening.decode(kept.opening) for kept in Contributions(node.home).all()]
    joined = [opening for opening in openings if opening.name.startswith(beginning)]
    if not joined:
        return InputError(
            f"we coordinate no aggregation whose name begins with {beginning!r}",
            hint="those that we do: cosight aggregate list; whoever coordinates one can take it back",
        )
    coordinator = joined[0].coordinator
    return InputError(
        f"{coordinator} coordinates this aggregation, and alone can take it back",
        hint=f"ask {coordinator}; if we do not go on (cosight aggregate run), the others count without us",
    )


def _convened(folder: Folder, now: datetime) -> Convened:
    opening, began = Opening.decode(folder.opening), folder.made
    if (ended := folder.ended()) is not None:
        culprits = tuple(opening.members[position] for position in ended.culprits)
        return Convened(opening, Progress(Step.DONE, ended.code, culprits))
    step, there = Step.JOINING, tuple(range(len(opening.members)))
    while step is not Step.DONE and (closing := folder.closed(step)) is not None:
        step, there, began = Step(step + 1), closing.members, closing.at
    out = {fault.position for fault in folder.faults() if fault.step == step}
    awaited = [p for p in there if p not in out and step is not Step.DONE and folder.said(step, p) is None]
    left = max(timedelta(0), began + timedelta(seconds=opening.step_s) - now)
    names = tuple(opening.members[position] for position in awaited)
    return Convened(opening, Progress(step, left_s=left.total_seconds(), awaited=names))
