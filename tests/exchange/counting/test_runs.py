"""A run from its opening to its receipts, with everything that can be cut off on the way."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crypto.secagg.base import Aggregate, Step
from exchange.counting import taking_part
from exchange.counting.broken import Broken
from exchange.counting.world import Contributed, Progress
from exchange.errors import CosightError, PeerRefused, SessionRefused, StoreError
from exchange.store.contributions import SECRETS, Contributions
from tests.exchange.counting.runs import Cut, alliance, at, killed, together, total

WHOLE = ["joined", "masked", ("shared", 5), "counted"]
LOST_S = 5
"""How long a step waits for who is lost; the others must not be late, on a busy machine too."""


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


@pytest.mark.parametrize("step", [Step.DEALING, Step.MASKING, Step.AGREEING, Step.UNMASKING])
async def test_a_member_that_drops_out_is_not_waited_for_longer_than_a_step(
    tmp_path: Path, step: Step
) -> None:
    run = alliance(tmp_path, step_s=LOST_S)
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
    assert ("broken", "too-late", (), "peer") in run.books["erin"].said


async def test_one_more_than_may_drop_out_ends_it_and_nothing_is_opened(tmp_path: Path) -> None:
    run = alliance(tmp_path, step_s=LOST_S)
    with pytest.raises(Broken) as broken:
        await together(run, "alice", "bob", "carol")
    assert (broken.value.reason, broken.value.culprits) == ("too-few", ())
    assert run.book.said == [("broken", "too-few", ())]
    assert ("broken", "too-few", (), "peer") in run.books["alice"].said
    assert ("masked",) not in run.books["alice"].said
    run.restart()
    convening = (await run.coordinating.convened("alice"))[0]
    assert convening.progress.broken == "too-few"


async def test_double_signing_after_restart(tmp_path: Path) -> None:
    """A member whose state was altered while it was down says nothing else than before."""
    run = alliance(tmp_path, step_s=LOST_S)

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
    with pytest.raises(Broken) as broken:
        await run.taking_part("alice").join()
    assert (broken.value.reason, broken.value.culprits) == ("bad-signature", ("erin",))


@pytest.mark.parametrize(
    ("said", "noted"),
    [
        (("bad-share", ("carol",)), ("broken", "bad-share", (), "peer")),
        (("too-few", ()), ("broken", "too-few", (), "peer")),
        (("bad-share", ("stranger",)), ("broken", "bad-message", ("alice",), "us")),
    ],
)
async def test_what_a_coordinator_says_of_the_end(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    said: tuple[str, tuple[str, ...]],
    noted: tuple[object, ...],
) -> None:
    run = alliance(tmp_path)

    async def collect(*_arguments: object) -> tuple[Progress, tuple[()]]:
        return Progress(Step.JOINING, *said), ()

    monkeypatch.setattr(run.coordinating, "collect", collect)
    with pytest.raises(Broken) as broken:
        await run.taking_part("bob").run()
    assert run.books["bob"].said == [("joined",), noted]
    assert ("as the coordinator says" in str(broken.value)) == (said[1] == ("carol",))
    assert Contributions(run.home("bob")).find(run.opening.name).ended == noted[1:3]


async def test_whom_our_own_role_catches_is_named_in_our_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = alliance(tmp_path)
    whole = run.coordinating.collect

    async def collect(peer: str, session: bytes, step: int, wait_s: float) -> tuple[Progress, Any]:
        progress, told = await whole(peer, session, step, wait_s)
        if peer == "bob" and step == Step.MASKING and told:
            roll, dealings = told
            told = roll, replace(dealings, signatures=dealings.signatures ^ 1)
        return progress, told

    monkeypatch.setattr(run.coordinating, "collect", collect)
    others = asyncio.gather(*(run.taking_part(name).run() for name in ("alice", "carol", "dave", "erin")))
    with pytest.raises(Broken) as broken:
        await run.taking_part("bob").run()
    others.cancel()
    assert broken.value.culprits == ("alice",)
    assert run.books["bob"].said == [("joined",), ("broken", "bad-signature", ("alice",), "us")]


@pytest.mark.parametrize("step", [Step.AGREEING, Step.UNMASKING])
async def test_what_we_say_of_an_end_depends_on_whether_our_shares_had_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: Step
) -> None:
    run = alliance(tmp_path, step_s=LOST_S)
    says = 0

    def gone(what: str) -> None:
        nonlocal says
        says += what == "after contribute"
        if says == step:
            raise Cut

    others = asyncio.gather(*(run.taking_part(name).run() for name in ("alice", "carol", "dave", "erin")))
    with suppress(Cut):
        await run.taking_part("bob", gone).run()
    others.cancel()

    async def collect(*_arguments: object) -> tuple[Progress, tuple[()]]:
        return Progress(Step.JOINING, "too-few", ()), ()

    monkeypatch.setattr(run.coordinating, "collect", collect)
    with pytest.raises(Broken) as broken:
        await run.taking_part("bob").run()
    assert ("may have been opened" in str(broken.value)) == (step == Step.UNMASKING)
    assert ("no share of ours had left" in str(broken.value)) == (step == Step.AGREEING)
    assert ("next one" in broken.value.hint) == (step == Step.UNMASKING)


async def test_a_coordinator_that_forgot_it_all(tmp_path: Path) -> None:
    run = alliance(tmp_path)
    await run.taking_part("bob").join()
    (tmp_path / "coordinator" / "aggregations").rename(tmp_path / "gone")
    run.restart()
    with pytest.raises(PeerRefused):
        await run.taking_part("bob").run()
    assert run.books["bob"].said == [("joined",), ("broken", "forgotten", (), "peer")]


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


@pytest.mark.parametrize("step", [Step.JOINING, Step.MASKING])
async def test_a_damaged_disk_blames_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, step: Step
) -> None:
    run = alliance(tmp_path)
    says = 0

    def stop(what: str) -> None:
        nonlocal says
        says += what == "after contribute"
        if says == step:
            raise Cut

    others = asyncio.gather(*(run.taking_part(name).run() for name in ("alice", "carol", "dave", "erin")))
    with suppress(Cut):
        await run.taking_part("bob", stop).run()
    others.cancel()
    folder = run.files()
    said = folder.said(step, 1)
    assert said is not None
    content = bytearray(said.path.read_bytes())
    content[0 if said.size else content.index(said.body) + len(said.body) - 1] ^= 1
    said.path.write_bytes(content)
    run.restart()
    await run.tick()
    assert await run.coordinating.convened("alice") == []
    assert "not what it was" in caplog.text
    assert run.book.said == []
    assert folder.ended() is None


@pytest.mark.parametrize("step", [Step.AGREEING, Step.UNMASKING, Step.SIGNING])
async def test_a_lie_in_a_late_step_takes_nothing_from_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, step: Step
) -> None:
    run = alliance(tmp_path)
    said = 0

    def sign(statement: bytes) -> bytes:
        nonlocal said
        said += 1
        return run.keys["alice" if said == step else "erin"].sign(statement)

    async def erin() -> None:
        with pytest.raises(PeerRefused) as refused:
            await run.taking_part("erin", sign=sign).run()
        assert refused.value.code == "aborted"
        assert said == step

    together_ = asyncio.gather(together(run, "alice", "bob", "carol", "dave"), erin())
    others, _ = await asyncio.wait_for(together_, 200)  # a step lasts 300 s: nobody waits for who has lied
    for aggregate in others:
        assert (aggregate.vector == total(run)).all()
        assert len(aggregate.signatures) == 4
    assert run.book.said == [("counted", ("erin",))]
    assert "goes on without erin: bad-signature" in caplog.text


async def test_too_few_are_left_because_one_lied_and_is_named(tmp_path: Path) -> None:
    run = alliance(tmp_path, 3, minimum=3)
    said = 0

    def sign(statement: bytes) -> bytes:
        nonlocal said
        said += 1
        return run.keys["alice" if said == Step.AGREEING else "carol"].sign(statement)

    liar = run.taking_part("carol", sign=sign).run()
    ended = await asyncio.wait_for(
        asyncio.gather(*(run.taking_part(n).run() for n in ("alice", "bob")), liar, return_exceptions=True),
        200,
    )
    assert [type(error) for error in ended] == [Broken, Broken, PeerRefused]
    assert run.book.said == [("broken", "too-few", ("carol",))]
