"""What a coordinator can try that lies to members, one test for each attack: no honest vector is opened.

A coordinator that lies is an honest one whose messages are changed on the way down. Members name it by naming
nobody: ``positions`` is empty.
"""

from contextlib import suppress
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest

from crypto.errors import Blamed, ProtocolError, TooFew
from crypto.secagg import boxes, masking, ring
from crypto.secagg.base import (
    Agreements,
    Chunk,
    Dealings,
    Digests,
    Joins,
    Opened,
    Receipts,
    Roll,
    Roots,
    Shares,
    Step,
    pack_roll,
)
from crypto.session import Message, Send
from tests.crypto.psi.parties import deterministic_rng
from tests.crypto.secagg.alliance import Alliance, identity, setup, vectors

N = 7
ALL = range(N)


def alliance(**how) -> Alliance:
    agreed = setup(N, **how.pop("setup", {}))
    return Alliance(agreed, vectors(agreed), **how)


def altered(kind: type[Message], change, victims=ALL):
    """What comes down, messages of one kind to some members changed."""

    def down(i: int, message: Message) -> Message:
        return change(message) if type(message) is kind and i in victims else message

    return down


def rows_changed(field: str, change):
    """A message with one of its tables changed in a copy."""

    def changed(message: Message) -> Message:
        table = getattr(message, field).copy()
        change(table)
        return replace(message, **{field: table})

    return changed


def flipped(field: str, row: int = 0, column: int = 0):
    def flip(table) -> None:
        table[row, column] ^= 1

    return rows_changed(field, flip)


def ended(run: Alliance) -> Alliance:
    """Go on as long as the coordinator can: where it cheats few, to the end."""
    with suppress(TooFew, ProtocolError):
        run.finish()
    return run


def blames(run: Alliance, code: str, members=ALL) -> bool:
    """Whether these members all name the coordinator, for this."""
    found = [run.errors.get(i) for i in members]
    return all(isinstance(e, Blamed) and (e.positions, e.code) == ((), code) for e in found)


def sent(run: Alliance, kind: type[Message]) -> list[Message]:
    return [message for _, message in run.wire if type(message) is kind]


def rolls(run_of: dict[Step, object], victims=ALL):
    """Rolls of some steps replaced, by the step that they begin."""

    def down(i: int, message: Message) -> Message:
        step = current[0].step
        if type(message) is Roll and step in run_of and i in victims:
            return Roll(pack_roll(run_of[step], N))
        return message

    current: list[Alliance] = []
    return down, current


def test_both_lists() -> None:
    """The coordinator wants both shares of one member: once it has survived, once it has dropped out."""
    run = alliance(drops={0: Step.MASKING})
    run.finish(until=Step.UNMASKING)
    member = run.sessions[1]
    assert isinstance(member.step, Send)
    shares = member.step.message
    assert isinstance(shares, Shares)
    assert shares.rows.shape == (N, 32), "one row for each that dealt: there is no place for a second share"
    for dealer, share in enumerate(shares.rows):
        row = run.coordinator._row(dealer, 1)
        is_of = [boxes.is_share(run.coordinator._view, dealer, 1, which, share, row) for which in (0, 1)]
        assert is_of == [dealer != 0, dealer == 0]

    run.collect()
    member = run.sessions[1]
    with pytest.raises(ProtocolError):  # nor does it answer another list of survivors afterwards
        member.advance(Roll(pack_roll(range(N), N)))


def test_both_lists_by_a_second_list_before_anything_is_unmasked() -> None:
    run = alliance()
    run.finish(until=Step.AGREEING)
    member = run.sessions[1]
    member.advance()  # its one signature has left
    member.advance(Roll(pack_roll(range(1, N), N)))  # taken for the list of those that signed too
    with pytest.raises(ProtocolError):
        member.advance(Roots(np.zeros((N - 1, 96), np.uint8)))


def test_split_survivor_sets() -> None:
    """Half of the members are told that member 0 dropped out: no list has enough signatures."""
    half = range(1, 4)
    down, current = rolls({Step.AGREEING: range(1, N)}, half)

    def both(i: int, message: Message) -> Message:
        if type(message) is Roots and i in half:
            return Roots(np.ascontiguousarray(message.rows[1:]))
        return down(i, message)

    run = alliance(down=both)
    current.append(run)
    run.finish(until=Step.AGREEING)
    run.collect_refused()
    assert set(run.refused) == set(half), "their signatures are over another list"
    with pytest.raises(TooFew):
        run.coordinator.close()
    assert sent(run, Shares) == []


def test_split_survivor_sets_with_the_signatures_of_the_other_half() -> None:
    """The coordinator goes on all the same, and shows each half all signatures."""
    half = range(1, 4)
    down, current = rolls({Step.AGREEING: range(1, N)}, half)

    def both(i: int, message: Message) -> Message:
        if type(message) is Roots and i in half:
            return Roots(np.ascontiguousarray(message.rows[1:]))
        return down(i, message)

    run = alliance(down=both)
    current.append(run)
    run.finish(until=Step.AGREEING)
    signatures = {i: run.sessions[i].step.message.signature for i in ALL}
    for i in ALL:
        session = run.sessions[i]
        session.advance()
        among = ALL if i not in half else range(1, N)
        session.advance(Roll(pack_roll(among, N)))
        with pytest.raises(Blamed) as lie:
            session.advance(Agreements(np.array([list(signatures[j]) for j in among], np.uint8)))
        assert (lie.value.positions, lie.value.code) == ((), "split-view")


def test_split_views_of_who_dealt() -> None:
    """One member does not know of another's dealing: the root that it signs is refused by the rest."""
    down, current = rolls({Step.MASKING: range(1, N)}, [3])

    def both(i: int, message: Message) -> Message:
        if type(message) is Dealings and i == 3:
            return Dealings(*(np.ascontiguousarray(getattr(message, f)[1:]) for f in message.sizes()))
        return down(i, message)

    run = alliance(down=both)
    current.append(run)
    run.finish(until=Step.MASKING)
    run.collect_refused()
    assert set(run.refused) == {3}


def test_swapped_keys() -> None:
    """The coordinator puts a mask key of its own in the place of a member's."""
    run = ended(alliance(down=altered(Joins, flipped("rows", row=2, column=32), victims=[0, 1])))
    assert blames(run, "bad-signature", [0, 1])


def test_swapped_keys_of_two_members() -> None:
    def swap(table) -> None:
        table[[1, 2]] = table[[2, 1]]

    run = ended(alliance(down=altered(Joins, rows_changed("rows", swap))))
    assert blames(run, "bad-signature")


def test_own_join_of_an_earlier_attempt_shown_again() -> None:
    """With the same context and another seed a member finds keys that it signed, and has not now."""
    earlier = Alliance(setup(N), vectors(setup(N)), options={"rng": deterministic_rng(b"earlier")})
    earlier.collect()
    old = earlier.wire[0][1]

    def put_back(table) -> None:
        table[0] = np.frombuffer(b"".join(getattr(old, f) for f in old.sizes()), np.uint8)

    run = ended(alliance(down=altered(Joins, rows_changed("rows", put_back), victims=[0])))
    assert blames(run, "swapped-keys", [0])


@pytest.mark.parametrize(
    ("column", "code"), [(0, "altered-dealing"), (80, "altered-dealing"), (143, "altered-dealing")]
)
def test_a_box_altered_on_the_way(column: int, code: str) -> None:
    """Neither dealer nor recipient is blamed for what the coordinator does to a box."""
    run = ended(alliance(down=altered(Dealings, flipped("rows", row=1, column=column), victims=[4])))
    assert blames(run, code, [4])


def test_own_dealing_of_an_earlier_attempt_shown_again() -> None:
    """With good signatures of ours over all of it, as a restart with other randomness would leave them."""
    run = alliance()

    def other(i: int, message: Message) -> Message:
        if type(message) is not Dealings or i != 0:
            return message
        view = run.coordinator._view
        rows = boxes.deal(run.view_when_joined, 0, run.secrets(0), rng=deterministic_rng(b"earlier"))
        listed = boxes.digests(view, 0, rows)
        signature = identity(0).sign(run.view_when_joined.statement(Step.DEALING, 0, listed))
        for field, value in (("rows", rows[0].tobytes()), ("digests", listed), ("signatures", signature)):
            message = rows_changed(field, lambda table, v=value: table.__setitem__(0, list(v)))(message)
        return message

    run.down = other
    run.finish(until=Step.DEALING)
    run.view_when_joined = deepcopy(run.coordinator._view)
    ended(run)
    assert blames(run, "altered-dealing", [0])


def test_own_root_of_an_earlier_attempt_shown_again() -> None:
    run = alliance()

    def other(i: int, message: Message) -> Message:
        if type(message) is not Roots or i != 0:
            return message
        root = bytes(32)
        signature = identity(0).sign(run.view_when_dealt.statement(Step.MASKING, 0, root))
        return rows_changed("rows", lambda table: table.__setitem__(0, list(root + signature)))(message)

    run.down = other
    run.finish(until=Step.MASKING)
    run.view_when_dealt = deepcopy(run.coordinator._view)
    ended(run)
    assert blames(run, "swapped-roots", [0])
    assert sent(run, Shares)[0].rows.shape == (N, 32), "the others go on; it has told them nothing"


def test_rows_of_a_dealing_swapped() -> None:
    def swap(table) -> None:
        table[[0, 1]] = table[[1, 0]]

    run = ended(alliance(down=altered(Dealings, rows_changed("rows", swap))))
    assert blames(run, "altered-dealing")


def test_digests_of_a_dealing_altered() -> None:
    run = ended(alliance(down=altered(Dealings, flipped("digests", row=1), victims=[0, 2])))
    assert blames(run, "bad-signature", [0, 2])


def test_swapped_roots() -> None:
    def swap(table) -> None:
        table[[0, 1]] = table[[1, 0]]

    run = ended(alliance(down=altered(Roots, rows_changed("rows", swap))))
    assert blames(run, "bad-signature")
    assert sent(run, Shares) == []


@pytest.mark.parametrize("step", [Step.DEALING, Step.MASKING, Step.AGREEING, Step.UNMASKING])
def test_early_close_of_a_step(step: Step) -> None:
    """The coordinator goes on with fewer members than it takes; for the last two, with fewer signatures."""
    few = range(setup(N).threshold - 1)
    down, current = rolls({step: few}, few)
    run = alliance(down=down)
    current.append(run)
    ended(run)
    assert blames(run, "too-few", few)


@pytest.mark.parametrize("step", [Step.DEALING, Step.MASKING, Step.AGREEING, Step.UNMASKING])
def test_a_member_left_out(step: Step) -> None:
    down, current = rolls({step: range(1, N)}, [0])
    run = alliance(down=down)
    current.append(run)
    run.finish()
    assert blames(run, "left-out", [0])


@pytest.mark.parametrize("step", [Step.MASKING, Step.AGREEING, Step.UNMASKING])
def test_late_joiner(step: Step) -> None:
    """A member that was not there in the step before is put on the list of the next one."""
    down, current = rolls({step: ALL})
    run = alliance(down=down, drops={0: Step(step - 2)})
    current.append(run)
    ended(run)
    assert blames(run, "bad-roll", range(1, N))


def test_a_roll_with_members_that_there_are_not() -> None:
    run = ended(alliance(down=altered(Roll, lambda _: Roll(b"\xff"))))
    assert blames(run, "bad-roll")


def test_sum_below_the_minimum() -> None:
    """With more required than the threshold, that counts: for coordinator and members."""
    run = alliance(setup={"minimum": 6}, drops={0: Step.MASKING, 1: Step.MASKING})
    with pytest.raises(TooFew):
        run.finish()
    assert run.step is Step.MASKING

    few = range(5)
    down, current = rolls({Step.AGREEING: few}, few)
    run = alliance(setup={"minimum": 6}, down=down)
    current.append(run)
    ended(run)
    assert blames(run, "too-few", few)
    assert sent(run, Shares) == []


@pytest.mark.parametrize("row", [0, 3], ids=["a mask key", "the seed of an own mask"])
def test_an_opened_seed_replaced(row: int) -> None:
    down = altered(Opened, flipped("seeds", row=row, column=5))
    run = ended(alliance(down=down, drops={0: Step.MASKING}))
    assert blames(run, "bad-seed", range(1, N))


def test_altered_result() -> None:
    run = ended(alliance(down=altered(Opened, flipped("vector", row=4))))
    assert blames(run, "altered-result")


def test_altered_result_found_by_one_of_many_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each member computes one chunk of four anew; what is altered in one of them, some member finds."""
    monkeypatch.setattr(masking, "randbelow", np.random.default_rng(7).integers)
    size = 4 * ring.CHUNK_BYTES // 4
    agreed = setup(N, size=size)
    down = altered(Opened, flipped("vector", row=size - 1))
    run = Alliance(agreed, vectors(agreed), down=down, options={"sample": 1})
    run.finish(until=Step.SIGNING)
    assert run.errors, "each of seven misses it with chance 3/4; these draws are fixed"
    assert blames(run, "altered-result", run.errors)


def test_altered_chunks_and_digests() -> None:
    run = ended(alliance(down=altered(Chunk, flipped("rows", row=2, column=3))))
    assert blames(run, "bad-chunk")
    run = ended(alliance(down=altered(Digests, flipped("rows", row=2, column=3))))
    assert blames(run, "bad-digests")


def test_forged_receipt() -> None:
    run = alliance(down=altered(Receipts, flipped("rows", row=2, column=3))).finish()
    assert blames(run, "bad-receipt")


def test_a_receipt_of_too_few() -> None:
    few = range(setup(N).threshold - 1)
    down, current = rolls({Step.DONE: few})

    def both(i: int, message: Message) -> Message:
        if type(message) is Receipts:
            return Receipts(np.ascontiguousarray(message.rows[: len(few)]))
        return down(i, message)

    run = alliance(down=both)
    current.append(run)
    run.finish()
    assert blames(run, "bad-receipt")
