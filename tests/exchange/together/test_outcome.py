"""What came of a run, for a node that is its coordinator and one of its members."""

from pathlib import Path

import numpy as np
import pytest

from exchange.aggregation.tally import Tally
from exchange.counting.world import WITHDRAWN, Counted, Ending
from exchange.errors import InputError
from exchange.node import Node
from exchange.store.aggregations import Aggregations
from exchange.store.contributions import Contributions
from exchange.together.convening import convene
from exchange.together.outcome import result
from tests.e2e.nodes import members
from tests.exchange.counting.runs import now
from tests.exchange.together.test_convening import DICTIONARY, PLAN


@pytest.mark.parametrize("reason", ["too-late", ""], ids=["left out of it", "not yet heard of it"])
def test_a_coordinator_has_the_result_whatever_became_of_its_own_part(tmp_path: Path, reason: str) -> None:
    home = members(tmp_path, "alice", "bob", "carol", "dave")[0]
    with Node(home) as node:
        opening = convene(node, PLAN)
        folder = Aggregations(home).find(opening.context)
        assert folder is not None
        part = Contributions(home).begin(
            opening.context, opening.encoded, folder.signature, DICTIONARY.encoded
        )
        with pytest.raises(InputError, match="nothing came of this aggregation yet") as refused:
            result(node, opening.name)
        assert "aggregate run" in refused.value.hint
        if reason:
            part.end(reason, ())
            with pytest.raises(InputError, match="too-late") as refused:
                result(node, opening.name)
            assert "run" not in refused.value.hint
        vector = np.full(opening.size, 3, np.uint8)
        tally = Tally(opening.context, (1, 2, 3), bytes(32), {1: bytes(64), 2: bytes(64), 3: bytes(64)})
        folder.finish(Counted(vector, tally, np.zeros(opening.entries, bool)))
        outcome = result(node, opening.name[:8])
    assert outcome.survivors == ("bob", "carol", "dave")
    assert outcome.counted.vector.tolist() == vector.tolist()


def test_nothing_comes_of_what_was_withdrawn(tmp_path: Path) -> None:
    home = members(tmp_path, "alice", "bob", "carol", "dave")[0]
    with Node(home) as node:
        opening = convene(node, PLAN)
        folder = Aggregations(home).find(opening.context)
        assert folder is not None
        folder.withdraw(Ending(WITHDRAWN, (), now()))
        with pytest.raises(InputError, match="it was withdrawn by its coordinator"):
            result(node, opening.name)
