"""What came of a run, for whoever may see it."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from exchange.aggregation.dictionary import Dictionary
from exchange.aggregation.opening import Opening
from exchange.aggregation.release import Released, Row, goes_on, release, rows, shown
from exchange.counting.broken import ended_as
from exchange.counting.world import Counted
from exchange.errors import InputError
from exchange.identity.roster import Role
from exchange.node import Node
from exchange.store.aggregations import Aggregations
from exchange.store.contributions import Contributions
from exchange.store.counted import the_one


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run.

    Attributes:
        opening: what was asked.
        dictionary: over what.
        counted: the sum and what was signed.
        released: which numbers may be shown at all.
        visible: which of them to us, ``(entries,)``.
    """

    opening: Opening
    dictionary: Dictionary
    counted: Counted
    released: Released
    visible: NDArray[np.bool_] = field(repr=False)

    def rows(self) -> list[Row]:
        """The released numbers that we may be shown, the largest first."""
        return rows(self.dictionary, self.released, self.visible)

    def goes_on(self, reporters: int) -> Dictionary:
        """The dictionary of a sum that goes on from this count.

        Raises:
            InputError: no entry has enough reporters, or this is no count without noise.
        """
        return self.dictionary.subset(goes_on(self.opening, self.counted.vector, reporters))

    @property
    def survivors(self) -> tuple[str, ...]:
        """Whose sum it is."""
        return tuple(self.opening.members[position] for position in self.counted.tally.survivors)


def result(node: Node, beginning: str) -> Outcome:
    """What came of a run, as a member or as its coordinator.

    Raises:
        InputError: we know no such run, or nothing came of it.
    """
    store = Aggregations(node.home)
    found: dict[bytes, tuple[bytes, bytes, Counted | None, str]] = {}
    for context in store.contexts():
        if context.hex().startswith(beginning) and (folder := store.find(context)) is not None:
            ended = folder.ended()
            code = "" if ended is None else ended.code
            found[context] = (folder.opening, folder.dictionary().read(), folder.counted(), code)
    for kept in Contributions(node.home).all():
        if kept.context.hex().startswith(beginning):
            counted = kept.counted()
            *_, as_coordinator, code = found.get(kept.context, (None, ""))
            if as_coordinator is None or counted is not None:  # ours, with what we put in, before that
                code = code or ("" if kept.ended is None else kept.ended[0])
                found[kept.context] = (kept.opening, kept.dictionary, counted, code)
    encoded, dictionary, counted, code = the_one(list(found.values()), beginning)
    if counted is None:
        raise _nothing(code)
    opening = Opening.decode(encoded)
    released = release(opening, counted.vector, len(counted.tally.survivors))
    administrators = [m.id for m in node.alliance.current().members if m.role is Role.ADMINISTRATOR]
    visible = shown(opening, node.home.member, administrators, counted.ours)
    return Outcome(opening, Dictionary.decode(dictionary), counted, released, visible)


def _nothing(code: str) -> InputError:
    """Why there is no result."""
    if code:
        return InputError(
            f"nothing came of this aggregation: it was {ended_as(code)}", code="no-result",
            hint="its coordinator can open another one: cosight aggregate open",
        )  # fmt: skip
    return InputError(
        "nothing came of this aggregation yet", code="no-result",
        hint="go on with it: cosight aggregate run",
    )  # fmt: skip
