"""What is particular to ``cardinality``: a number and nothing else, and what a cheat gets beyond."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from blake3 import blake3

from crypto import curve25519, labels, rows, session, shuffled
from crypto.errors import DecodeError, PeerFault, ProtocolError
from crypto.psi import Count, cardinality
from crypto.session import Message, Session
from tests.crypto.psi.parties import CONTEXT, deterministic_rng, items, params
from tests.reference import curve25519 as oracle
from tests.reference.arrays import packed, unpacked

ON_TWIST = packed([oracle.encode(2)])
OURS, THEIRS = [1, 2, 3, 4], [3, 4, 5]


def run(ours, theirs, sizes=(8, 8), tamper: Callable[[Message], Message] = lambda m: m, **rngs) -> Count:
    p = params(*sizes)
    return session.run(
        cardinality.receiver(items(*ours), p, **rngs),
        cardinality.sender(items(*theirs), p, **rngs),
        on_message=tamper,
    )[0]


def replacing(kind: type[Message], change) -> Callable[[Message], Message]:
    def tamper(message: Message) -> Message:
        if type(message) is not kind:
            return message
        (field,) = (f.name for f in dataclasses.fields(kind))  # type: ignore[arg-type]
        return kind(np.ascontiguousarray(change(getattr(message, field))))

    return tamper


def with_row(row):
    """One row replaced, and all sorted, as an honest party's are."""
    return lambda table: rows.sort(np.concatenate([table[1:], row]))


def shifted(table):
    """Each point plus (0, 0), the point of order two: another coordinate, the same products."""
    return packed([oracle.encode(pow(oracle.decode(row), -1, oracle.P)) for row in unpacked(table)])


def derived(label: str) -> bytes:
    return blake3(len(CONTEXT).to_bytes(8, "little") + CONTEXT, derive_key_context=label).digest()


def test_a_run_is_what_the_oracle_computes() -> None:
    """Every byte, from the draws of both parties in their order: rows that fill up, then the scalar."""
    p, seen = params(5, 4), []
    mine, _ = session.run(
        cardinality.receiver(items(*OURS), p, rng=deterministic_rng(b"r")),
        cardinality.sender(items(*THEIRS), p, rng=deterministic_rng(b"s")),
        on_message=lambda m: (seen.append(m), m)[1],
    )

    def party(seed: bytes, numbers: list[int], size: int) -> tuple[list[bytes], bytes]:
        rng = deterministic_rng(seed)
        filled = items(*numbers).tobytes() + rng(32 * (size - len(numbers)))
        points = [
            oracle.encode_to_curve(derived(labels.CARDINALITY_POINT), filled[at : at + 32])
            for at in range(0, len(filled), 32)
        ]
        return points, rng(32)

    (x, a), (y, b) = party(b"r", OURS, 5), party(b"s", THEIRS, 4)
    masked = sorted(oracle.x25519(a, point) for point in x)
    remasked = sorted(oracle.x25519(b, point) for point in masked)
    key = derived(labels.CARDINALITY_TAG)
    tags = sorted(blake3(oracle.x25519(b, point), key=key).digest(p.tag_bytes) for point in y)
    assert unpacked(seen[0].masked) == masked
    assert unpacked(seen[1].remasked) == remasked
    assert unpacked(seen[2].tags) == tags
    assert mine == Count(2)


@pytest.mark.parametrize("kind", [cardinality.Masked, cardinality.Remasked])
@pytest.mark.parametrize(
    ("row", "error"),
    [
        (ON_TWIST, DecodeError),
        *((packed([oracle.encode(u)]), DecodeError) for u in oracle.SMALL_ORDER),
        (packed([(oracle.P + 9).to_bytes(32, "little")]), DecodeError),
        (packed([(2**255 + 9).to_bytes(32, "little")]), DecodeError),
        (packed([b"\xff" * 32]), DecodeError),
    ],
    ids=["twist", "zero", "one", "minus one", "order 8", "order 8 too", "p + 9", "top bit", "all ones"],
)
def test_a_row_that_is_no_point_is_refused(kind, row, error) -> None:
    with pytest.raises(error):
        run(OURS, THEIRS, tamper=replacing(kind, with_row(row)))


@pytest.mark.parametrize("kind", cardinality.PROTOCOL.messages)
def test_rows_in_another_order_are_refused(kind) -> None:
    with pytest.raises(ProtocolError, match="sorted"):
        run(OURS, THEIRS, tamper=replacing(kind, lambda table: table[::-1]))


@pytest.mark.parametrize("kind", [cardinality.Masked, cardinality.Remasked])
def test_a_row_sent_twice_is_refused(kind) -> None:
    with pytest.raises(ProtocolError, match="repeat"):
        run(
            OURS,
            THEIRS,
            tamper=replacing(kind, lambda table: rows.sort(np.concatenate([table[:1], table[:-1]]))),
        )


def doubled(table):
    half = table[: len(table) // 2]
    return rows.sort(np.concatenate([half, shifted(half)]))


def test_a_receiver_that_hides_a_repeated_point_is_refused() -> None:
    """With eight rows of the same product for one item and one for another, it would see which came back."""
    with pytest.raises(ProtocolError, match="the receiver's rows repeat a point"):
        run(OURS, THEIRS, tamper=replacing(cardinality.Masked, doubled))


def test_a_sender_that_hides_a_repeated_point_does_not_make_the_number_larger() -> None:
    for _ in range(8):
        found = run([1, 2], [1, 2], (2, 2), replacing(cardinality.Remasked, doubled))
        assert found.count == 1


def test_nothing_on_the_wire_tells_the_curve_from_its_twist_or_an_item_from_a_filling_row() -> None:
    seen: list[Message] = []
    run([1, 2], [2], (40, 40), lambda m: (seen.append(m), m)[1])
    for table in (seen[0].masked, seen[1].remasked):
        assert all(oracle.valid(row) for row in unpacked(table))
        assert table[:, 31].max() < 128


def test_the_order_of_the_receivers_items_is_nowhere_on_the_wire() -> None:
    sent = []
    for order in ([1, 2, 3, 4], [4, 2, 1, 3]):
        role = cardinality.receiver(items(*order), params(6, 2), rng=deterministic_rng(b"order"))
        sent.append(next(role).message.masked.tobytes())  # type: ignore[union-attr]
    assert sent[0] == sent[1]


def test_the_sender_computes_before_it_waits() -> None:
    running = Session(cardinality.sender(items(1), params(1, 1)))
    running.advance()
    assert type(running.step) is session.Receive


def test_a_sender_can_make_the_number_smaller() -> None:
    """Said on the page: it answers with points of its own, or leaves items out."""
    other = curve25519.multiply(curve25519.encode(bytes(32), items(*range(8))), curve25519.generate_scalar())
    assert run(OURS, THEIRS, tamper=replacing(cardinality.Remasked, lambda _: rows.sort(other))).count == 0


def test_a_receiver_with_a_mask_for_each_half_learns_the_number_in_each() -> None:
    """Said on the page: with masks enough it learns which rows are shared, and what it sends is valid."""
    p = params(4, 3)

    def cheat():
        exchange = cardinality._exchange(p)
        points = shuffled.points(items(*OURS), exchange)
        masks = [curve25519.generate_scalar() for _ in range(2)]
        sent = [
            curve25519.multiply(half.copy(), mask)
            for half, mask in zip((points[:2], points[2:]), masks, strict=True)
        ]
        yield from session.send(cardinality.Masked(rows.sort(np.concatenate(sent))))
        remasked = (yield from session.receive(cardinality.Remasked, remasked=(4, 32))).remasked
        tags = (yield from session.receive(cardinality.Tags, tags=(3, p.tag_bytes))).tags
        off = [curve25519.multiply(remasked, curve25519.inverse(mask)) for mask in masks]
        return [len(rows.positions_in(shuffled.tags(outputs, exchange), tags)) for outputs in off]

    halves, _ = session.run(cheat(), cardinality.sender(items(*THEIRS), p))
    assert halves == [0, 2]


def test_a_receiver_of_one_item_learns_whether_it_is_shared() -> None:
    """As from every cardinality: sizes and quotas are the policy's business."""
    assert [run([n], THEIRS, (1, 8)).count for n in (3, 9)] == [1, 0]


def test_no_run_is_like_another() -> None:
    seen: list[bytes] = []
    for _ in range(3):
        run(OURS, THEIRS, tamper=lambda m: (seen.extend(unpacked(getattr(m, next(iter(m.sizes()))))), m)[1])
    assert len(set(seen)) == len(seen)


def test_parties_of_two_agreements_count_nothing() -> None:
    ours = params(4, 3)
    theirs = dataclasses.replace(ours, context=bytes(32))
    try:
        found, _ = session.run(
            cardinality.receiver(items(*OURS), ours), cardinality.sender(items(*THEIRS), theirs)
        )
    except PeerFault:
        return
    assert found.count == 0
