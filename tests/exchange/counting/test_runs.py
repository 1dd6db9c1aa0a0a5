"""A run from its opening to its receipts, with everything that can be cut off on the way."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crypto.secagg.base import Aggregate, Step
from exchange.counting import taking_part
from exchange.counting.taking_part import Broken
from exchange.counting.world import Contributed, Counted
from exchange.errors import CosightError, PeerRefused, PeerUnavailable, SessionRefused, StoreError
from exchange.store.aggregations import Folder
from exchange.store.contributions import SECRETS, Contribution, Contributions
from exchange.store.journal import Journal
from exchange.store.spool import Spool
from tests.exchange.counting.runs import Alliance, Book, Cut, alliance

WHOLE = ["joined", "masked", ("shared", 5), "counted"]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking_part, "WAIT_S", 0.1)
    monkeypatch.setattr(taking_part, "PAUSES_S", (0.01,))


async def together(
    run: Alliance, *names: str, moment: dict[str, Callable[[str], None]] | None = None
) -> list[Aggregate]:
    parts = [
        run.taking_part(name, (moment or {}).get(name, lambda _what: None))
        for name in names or run.opening.members
    ]
    ticking = asyncio.create_task(tick(run))
    try:
        return await asyncio.gather(*(part.run() for part in parts))
    finally:
        ticking.cancel()


async def tick(run: Alliance) -> None:
    while True:
        await run.coordinating.tick()
        await asyncio.sleep(0.05)


def total(run: Alliance, *names: str) -> np.ndarray:
    return np.sum([run.inputs[name] for name in names or run.opening.members], axis=0)


def at(number: int, what: Callable[[], None]) -> Callable[[str], None]:
    """Do it at one moment, counted from the first, and never again."""
    left = number

    def moment(_name: str) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            what()

    return moment


async def test_everybody_gets_the_sum_and_its_receipt(tmp_path: Path) -> None:
    run = alliance(tmp_path)
    for aggregate in await together(run):
        assert (aggregate.vector == total(run)).all()
        assert len(aggregate.signatures) >= run.setup(run.opening).threshold
    for name in run.opening.members:
        entries = [
            entry if isinstance(entry, tuple) and len(entry) > 1 else entry[0]
            for entry in run.books[name].said
        ]
        assert entries == WHOLE
        kept = Contributions(run.home(name)).find(run.opening.name)
        assert [secret for secret in SECRETS if (kept.path / secret).exists()] == []
        assert kept.ended == ("", ())
        assert (kept.counted().vector == total(run)).all()
    assert run.book.said == [("counted",)]


def killed() -> None:
    raise Cut


def lost() -> None:
    raise PeerUnavailable("the connection is gone", code="peer-closed")


@pytest.mark.parametrize("number", range(1, 27))
async def test_a_member_that_is_killed_at_any_moment_goes_on(tmp_path: Path, number: int) -> None:
    run = alliance(tmp_path)

    async def victim() -> Aggregate:
        with suppress(Cut):
            await run.taking_part("bob", at(number, killed)).run()
        return await run.taking_part("bob").run()

    others, bob = await asyncio.gather(together(run, "alice", "carol", "dave", "erin"), victim())
    for aggregate in [*others, bob]:
        assert (aggregate.vector == total(run)).all()
    assert len(run.books["bob"].said) == len(WHOLE)


@pytest.mark.parametrize("number", range(1, 27))
async def test_a_connection_that_drops_at_any_moment_is_made_again(tmp_path: Path, number: int) -> None:
    run = alliance(tmp_path)
    for aggregate in await together(run, moment={"carol": at(number, lost)}):
        assert (aggregate.vector == total(run)).all()


@pytest.mark.parametrize("number", range(1, 40))
async def test_a_coordinator_that_is_killed_at_any_moment_goes_on(tmp_path: Path, number: int) -> None:
    run = alliance(tmp_path)

    def restart() -> None:
        if not run.taking:  # a message that is just being taken would be taken by a process that is gone
            run.restart()
        lost()

    for aggregate in await together(run, moment={"dave": at(number, restart)}):
        assert (aggregate.vector == total(run)).all()


@pytest.mark.parametrize("step", [Step.DEALING, Step.MASKING, Step.AGREEING, Step.UNMASKING])
async def test_a_member_that_drops_out_is_not_waited_for_longer_than_a_step(
    tmp_path: Path, step: Step
) -> None:
    run = alliance(tmp_path, step_s=1)
    says = 0

    def gone(what: str) -> None:
        nonlocal says
        says += what == "before contribute"
        if says == step:
            raise Cut

    async def erin() -> None:
        with suppress(Cut):
            await run.taking_part("erin", gone).run()

    others, _ = await asyncio.gather(together(run, "alice", "bob", "carol", "dave"), erin())
    left = run.opening.members if step > Step.MASKING else run.opening.members[:4]
    for aggregate in others:
        assert (aggregate.vector == total(run, *left)).all()
    with pytest.raises(PeerRefused) as refused:
        await run.taking_part("erin").run()
    assert refused.value.code == "step-over"
    assert ("broken", "too-late", ()) in run.books["erin"].said


async def test_one_more_than_may_drop_out_ends_it_and_nothing_is_opened(tmp_path: Path) -> None:
    run = alliance(tmp_path, step_s=1)
    with pytest.raises(Broken) as broken:
        await together(run, "alice", "bob", "carol")
    assert (broken.value.reason, broken.value.culprits) == ("too-few", ())
    assert run.book.said == [("broken", "too-few", ())]
    assert ("broken", "too-few", ()) in run.books["alice"].said
    assert ("masked",) not in run.books["alice"].said
    run.restart()
    convening = (await run.coordinating.convened("alice"))[0]
    assert convening.progress.broken == "too-few"


async def test_double_signing_after_restart(tmp_path: Path) -> None:
    """A member whose state was altered while it was down says nothing else than before."""
    run = alliance(tmp_path, step_s=1)

    async def bob() -> None:
        with suppress(Cut):
            says = 0

            def at_masked(what: str) -> None:
                nonlocal says
                says += what == "after contribute"
                if says == Step.MASKING:
                    raise Cut

            await run.taking_part("bob", at_masked).run()
        folder = Contributions(run.home("bob")).find(run.opening.name)
        (folder.path / "seed").unlink()  # another seed will be made: other masks under the same name
        with pytest.raises(CosightError) as refused:
            await run.taking_part("bob").run()
        assert refused.value.code == "spoken-otherwise"

    others, _ = await asyncio.gather(together(run, "alice", "carol", "dave", "erin"), bob())
    for aggregate in others:
        assert (aggregate.vector == total(run)).all(), "what bob said before stays in the sum"


async def test_a_later_attempt_silences_the_earlier_one(tmp_path: Path) -> None:
    run = alliance(tmp_path)
    first = run.opening
    await run.taking_part("bob").join()
    run.convene(replace(first, session=b"t" * 32, abandons=(first.context,)))
    await run.taking_part("bob").join()
    run.opening = first
    with pytest.raises(CosightError) as refused:
        await run.taking_part("bob").run()
    assert refused.value.code == "attempt-abandoned"


async def test_an_attempt_that_may_have_been_opened_is_not_replaced(tmp_path: Path) -> None:
    run = alliance(tmp_path)
    first = run.opening
    await together(run)
    run.convene(replace(first, session=b"t" * 32, abandons=(first.context,)))
    with pytest.raises(CosightError) as refused:
        await run.taking_part("bob").join()
    assert refused.value.code == "attempt-opened"


async def test_a_lie_ends_the_run_and_its_author_is_named(tmp_path: Path) -> None:
    run = alliance(tmp_path)

    async def mallory() -> None:
        part = run.part("erin")
        part = replace(part, sign=run.keys["alice"].sign)
        with pytest.raises(PeerRefused):
            await taking_part.TakingPart(part, run.taking_part("erin")._connect).join()

    await mallory()
    assert run.book.said == [("broken", "bad-signature", ("erin",))]
    with pytest.raises(PeerRefused):
        await run.taking_part("alice").join()
    with pytest.raises(Broken) as broken:
        async with (
            run.taking_part("alice")._connect() as line,
            line.collect(run.opening.context, 2, have=0, wait_s=0) as told,
        ):
            raise Broken(told.progress.broken, told.progress.culprits)
    assert (broken.value.reason, broken.value.culprits) == ("bad-signature", ("erin",))


async def test_another_message_in_a_place_that_is_taken(tmp_path: Path) -> None:
    run = alliance(tmp_path)
    await run.taking_part("bob").join()
    again = Contributed(run.opening.context, 1, "Join", bytes(32))
    with pytest.raises(SessionRefused) as refused:
        await run.coordinating.expect("bob", again)
    assert refused.value.code == "spoken-otherwise"
    for step, name, code in ((2, "Dealing", "malformed"), (1, "Dealing", "malformed")):
        with pytest.raises(SessionRefused) as refused:
            await run.coordinating.expect("carol", Contributed(run.opening.context, step, name, bytes(32)))
        assert refused.value.code == code
    for peer, session in (("mallory", run.opening.context), ("bob", bytes(32))):
        with pytest.raises(SessionRefused) as refused:
            await run.coordinating.expect(peer, Contributed(session, 1, "Join", bytes(32)))
        assert refused.value.code == "session-unknown"


@pytest.mark.parametrize("number", [9, 14])
async def test_noise_is_the_same_after_a_restart(tmp_path: Path, number: int) -> None:
    run = alliance(tmp_path, slots=1, epsilon_milli=1000, width=16)

    async def victim() -> Aggregate:
        with suppress(Cut):
            await run.taking_part("bob", at(number, killed)).run()
        return await run.taking_part("bob").run()

    others, bob = await asyncio.gather(together(run, "alice", "carol", "dave", "erin"), victim())
    assert all((aggregate.vector == bob.vector).all() for aggregate in others)
    off = np.abs(bob.vector.astype(np.int64) - total(run))
    assert 0 < off.max() <= run.setup(run.opening).reserve


async def test_a_larger_result_is_computed_anew_in_part(tmp_path: Path) -> None:
    run = alliance(tmp_path, entries=20_000)
    fetched = 0

    def moment(what: str) -> None:
        nonlocal fetched
        fetched += what == "before replay"

    carol = run.taking_part("carol", moment, sample=1)
    others, aggregate = await asyncio.gather(together(run, "alice", "bob", "dave", "erin"), carol.run())
    assert all((other.vector == total(run)).all() for other in [*others, aggregate])
    assert fetched == 2, "the digests and one chunk of three"


@pytest.mark.parametrize("found", [b"", b"damaged"])
async def test_what_is_kept_of_a_member_is_damaged(tmp_path: Path, found: bytes) -> None:
    run = alliance(tmp_path)
    await run.taking_part("bob").join()
    kept = Contributions(run.home("bob")).find(run.opening.name)
    (kept.path / "vector").write_bytes(found)
    with pytest.raises(StoreError):
        await run.taking_part("bob").run()


WRITES = [
    *((Spool, "seal", number) for number in (3, 12, 23)),
    *((Folder, "close", number) for number in range(1, 7)),
    (Folder, "finish", 1),
    (Folder, "end", 1),
    (Book, "counted", 1),
]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    ("owner", "name", "number"), WRITES, ids=lambda value: getattr(value, "__name__", value)
)
async def test_a_coordinator_that_is_killed_around_what_it_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: type, name: str, number: int, *, after: bool
) -> None:
    run = alliance(tmp_path)
    inner, cut = getattr(owner, name), at(number, killed)

    def write(self, *arguments):
        if owner is Book and self is not run.book:
            return inner(self, *arguments)
        if not after:
            cut("")
        result = inner(self, *arguments)
        if after:
            cut("")
        return result

    monkeypatch.setattr(owner, name, write)
    for aggregate in await together(run):
        assert (aggregate.vector == total(run)).all()
    assert run.book.said == [("counted",)]


SAID = [
    *((Journal, "speak", number) for number in (1, 3, 5, 6)),
    (Contribution, "put_vector", 1),
    (Contribution, "finish", 1),
    (Contribution, "end", 1),
]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("owner", "name", "number"), SAID, ids=lambda v: getattr(v, "__name__", v))
async def test_a_member_that_is_killed_around_what_it_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: type, name: str, number: int, *, after: bool
) -> None:
    run = alliance(tmp_path)
    cut, whose = at(number, killed), []

    class Dying(owner):
        pass

    def write(self, *arguments, **named):
        if not after:
            cut("")
        getattr(owner, name)(self, *arguments, **named)
        if after:
            cut("")
        return True

    setattr(Dying, name, write)

    async def bob() -> Counted | None:
        part = run.part("bob")
        if owner is Journal:
            dying = replace(part, journal=Dying.open(Contributions(run.home("bob")).journal_file))
        else:
            dying = replace(part, kept=Dying(part.kept.path, part.kept.context, part.kept.key))
        with suppress(Cut):
            await taking_part.TakingPart(dying, run.taking_part("bob")._connect).run()
            whose.append("not killed")
        if part.kept.ended is None:
            await run.taking_part("bob").run()
        return part.kept.counted()

    others, counted = await asyncio.gather(together(run, "alice", "carol", "dave", "erin"), bob())
    assert whose == []
    assert all((one.vector == total(run)).all() for one in [*others, counted])
    assert run.books["bob"].said == [("joined",), ("masked",), ("shared", 5), ("counted",)]
