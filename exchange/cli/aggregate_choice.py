"""Which aggregation is meant, and why there is none."""

from collections.abc import Sequence

from crypto.secagg.base import Step
from exchange.cli.aggregate_view import BEGINNING
from exchange.counting.broken import ended_as
from exchange.counting.world import Progress
from exchange.errors import InputError
from exchange.store.contributions import Contribution
from exchange.together.joining import Asked

LOOK = "see: cosight aggregate list"


def chosen(asked: Sequence[Asked], session: str) -> Asked:
    """The one to join, or to go on with, among those that a coordinator shows us.

    Raises:
        InputError: there is none, or more than one; or it is over, or was begun without us.
    """
    named = [one for one in asked if one.opening.name.startswith(session)]
    if not named:
        raise InputError(
            "it asks us for nothing of this name" if session else "it asks us for nothing",
            code="nothing-to-join", hint="ask the coordinator: is this node among the members that it named?",
        )  # fmt: skip
    open_ = [one for one in named if _late(one) is None and (session or _joinable(one.progress))]
    if len(open_) > 1:
        names = ", ".join(one.opening.name[:BEGINNING] for one in open_)
        raise InputError(
            "it asks us for more than one aggregation", code="several-to-join", hint=f"name one: {names}"
        )
    if not open_:
        raise _late(named[-1]) or InputError(  # of the newest
            "we have joined all that it asks us for",
            code="nothing-to-join",
            hint="see: cosight aggregate run",
        )
    return open_[0]


def _late(asked: Asked) -> InputError | None:
    """Why one cannot be joined, or gone on with, any more."""
    progress, name = asked.progress, asked.opening.name[:BEGINNING]
    if asked.ours is not None and asked.ours.ended is None:
        return None  # whatever came of it, we have yet to hear
    if over := _over(progress):
        return InputError(f"aggregation {name} is over: {over}", code="aggregation-over", hint=LOOK)
    if not _joinable(progress) and asked.ours is None:
        return InputError(
            f"aggregation {name} has begun without us", code="aggregation-begun",
            hint="the coordinator can open the next window, with a longer --deadline",
        )  # fmt: skip
    return None


def _joinable(progress: Progress) -> bool:
    return progress.step is Step.JOINING and not progress.broken


def _over(progress: Progress) -> str:
    if progress.broken:
        return f"it was {ended_as(progress.broken, progress.culprits)}"
    return "it was counted" if progress.step is Step.DONE else ""


def nothing_to_run(session: str, named: Sequence[Contribution]) -> InputError:
    """Why there is nothing to go on with, of what we have joined under a name."""
    if not session or not named:
        return InputError(
            "there is nothing to go on with", code="nothing-to-run", hint="see: cosight aggregate join"
        )
    code, culprits = named[0].ended or ("", ())
    came = f"it was {ended_as(code, culprits)}" if code else "it was counted"
    hint = "" if code else "see: cosight aggregate result"
    return InputError(f"this aggregation is over for us: {came}", code="aggregation-over", hint=hint)
