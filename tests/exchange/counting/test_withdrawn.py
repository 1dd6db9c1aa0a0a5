"""A run that another process of the coordinator's home takes back: before shares leave, and never after."""

import asyncio
from pathlib import Path

import pytest

from crypto.secagg.base import Step
from exchange.counting.broken import Broken
from exchange.counting.world import WITHDRAWN, Closing, Ending
from exchange.store.aggregations import Folder
from tests.exchange.counting.runs import Alliance, alliance, now, tick, total

STEPS = [step for step in Step if step is not Step.DONE]


def withdraw(run: Alliance) -> bool:
    return run.files().withdraw(Ending(WITHDRAWN, (), now()))


async def ends(run: Alliance) -> None:
    """Everybody takes part, and hears how it ends, long before a step is over."""
    ticking = asyncio.create_task(tick(run))
    taking_part = (run.taking_part(name).run() for name in run.opening.members)
    try:
        ended = await asyncio.wait_for(asyncio.gather(*taking_part, return_exceptions=True), 25)
    finally:
        ticking.cancel()
    if (over := run.files().ended()) is not None and not over.code:
        assert run.book.said == [("counted",)]
        for aggregate in ended:
            assert not isinstance(aggregate, BaseException)
            assert (aggregate.vector == total(run)).all()
        return
    for name, error in zip(run.opening.members, ended, strict=True):
        assert isinstance(error, Broken)
        assert (error.reason, error.culprits, error.shared) == (WITHDRAWN, (), False)
        assert "withdrawn by its coordinator; no share of ours" in str(error)
        assert run.books[name].said[-1] == ("broken", WITHDRAWN, (), "peer")


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
async def test_it_is_taken_back_when_a_step_is_about_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: Step
) -> None:
    run, close, done = alliance(tmp_path), Folder.close, []

    def closes(self: Folder, closing: Closing) -> bool:
        if closing.step == step:
            done.append(withdraw(run))
        return close(self, closing)

    monkeypatch.setattr(Folder, "close", closes)
    await ends(run)
    assert done == [step <= Step.AGREEING]
    assert (run.files().closed(step) is None) == done[0]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
async def test_it_is_taken_back_when_a_step_has_just_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: Step
) -> None:
    run, close, done = alliance(tmp_path), Folder.close, []

    def closes(self: Folder, closing: Closing) -> bool:
        closed = close(self, closing)
        if closing.step == step:
            done.append(withdraw(run))
        return closed

    monkeypatch.setattr(Folder, "close", closes)
    await ends(run)
    assert done == [step < Step.AGREEING]


async def test_it_is_taken_back_while_its_coordinator_is_down(tmp_path: Path) -> None:
    run = alliance(tmp_path)
    await run.taking_part("bob").join()
    assert withdraw(run)
    run.restart()
    await run.tick()
    assert run.book.said == [("broken", WITHDRAWN, ())], (
        "also where the command was killed before it wrote that"
    )
    with pytest.raises(Broken) as broken:
        await run.taking_part("bob").run()
    assert broken.value.reason == WITHDRAWN
    assert not withdraw(run), "it is over"
