"""What is particular to ``sum``: a number and a total and nothing else, and what a cheat gets beyond."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from crypto import curve25519, elgamal, labels, rows, session, shuffled
from crypto.errors import DecodeError, ParameterError, PeerFault, ProtocolError
from crypto.psi import Params, Total
from crypto.psi import sum as protocol
from crypto.psi.sum import MAX_VALUE, Hidden, Masked, Numbers, Opened, Remasked, Tags
from crypto.session import Message, Role, Session, receive, send
from tests.crypto.psi.parties import CONTEXT, deterministic_rng, items, params, value_of
from tests.reference import curve25519 as curve
from tests.reference import elgamal as oracle
from tests.reference.arrays import packed, unpacked
from tests.reference.ristretto import GENERATOR, ORDER, decode

OURS, THEIRS = [1, 2, 3, 4], [3, 4, 5]
numbered = st.lists(st.sampled_from([*range(4), *range(256, 260)]), max_size=12)


def values(*numbers: int):
    return np.array(numbers, np.uint64)


def run(
    ours: list[int],
    theirs: dict[int, int],
    sizes: tuple[int, int] = (8, 8),
    tamper: Callable[[Message], Message] = lambda m: m,
) -> Total:
    p = params(*sizes)
    return session.run(
        protocol.receiver(items(*ours), p),
        protocol.sender(items(*theirs), p, values=values(*theirs.values())),
        on_message=tamper,
    )[0]


def replacing(kind: type[Message], **changes: Callable) -> Callable[[Message], Message]:
    def tamper(message: Message) -> Message:
        if type(message) is not kind:
            return message
        return dataclasses.replace(
            message, **{name: change(getattr(message, name)) for name, change in changes.items()}
        )

    return tamper


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ([1, 2], {3: 5, 4: 6}, Total(0, 0)),
        ([1, 2], {1: 0, 2: 0}, Total(2, 0)),
        ([1, 2], {2: MAX_VALUE}, Total(1, MAX_VALUE)),
        (list(range(8)), dict.fromkeys(range(8), MAX_VALUE), Total(8, 8 * MAX_VALUE)),
        ([1, 2, 3], {2: 5, 3: 0, 4: 9}, Total(2, 5)),
        ([], {1: 5}, Total(0, 0)),
        ([1], {}, Total(0, 0)),
    ],
    ids=[
        "nothing shared",
        "zeros",
        "the largest",
        "all the largest",
        "some",
        "we have none",
        "they have none",
    ],
)
def test_totals(ours: list[int], theirs: dict[int, int], expected: Total) -> None:
    assert run(ours, theirs) == expected


def test_of_equal_items_the_first_one_counts() -> None:
    p = params(4, 4)
    role = protocol.sender(items(1, 1, 2, 1), p, values=values(10, 7, 20, 8))
    assert session.run(protocol.receiver(items(1, 1, 2), p), role)[0] == Total(2, 30)


def test_a_thousand_items() -> None:
    theirs = {n: n * 77 % (MAX_VALUE + 1) for n in range(500, 1500)}
    expected = sum(theirs[n] for n in range(500, 1000))
    assert run(list(range(1000)), theirs, (1100, 1200)) == Total(500, expected)


@given(numbered, numbered, st.data())
def test_matches_are_found_as_by_looking(theirs, ours, data) -> None:
    """Rows that share their first eight bytes, repeat, and stand at either end."""
    width = data.draw(st.sampled_from([1, 5, 8, 9, 24]))
    row = {n: (n >> 8).to_bytes(1, "big") * (width - 1) + bytes([n & 7]) for n in {*theirs, *ours}}
    own = sorted(row[n] for n in theirs)
    other = [row[n] for n in ours] or [b"\xff" * width]
    expected = [mine in other and own.index(mine) == at for at, mine in enumerate(own)]
    assert protocol._among(packed(own, width), packed(other, width)).tolist() == expected


def derived(label: str) -> bytes:
    return blake3(len(CONTEXT).to_bytes(8, "little") + CONTEXT, derive_key_context=label).digest()


def test_a_run_is_what_the_oracle_computes() -> None:
    """Every byte, from the draws of both parties in their order."""
    p, seen = params(5, 4), []
    mine, _ = session.run(
        protocol.receiver(items(*OURS), p, rng=deterministic_rng(b"r")),
        protocol.sender(items(*THEIRS), p, values=values(100, 2000, 30), rng=deterministic_rng(b"s")),
        on_message=lambda m: (seen.append(m), m)[1],
    )

    def party(seed: bytes, numbers: list[int], size: int):
        rng = deterministic_rng(seed)
        filled = items(*numbers).tobytes() + rng(32 * (size - len(numbers)))
        table = [filled[at : at + 32] for at in range(0, len(filled), 32)]
        return [curve.encode_to_curve(derived(labels.SUM_POINT), row) for row in table], rng

    def drawn(rng: Callable[[int], bytes], count: int) -> list[int]:
        draws = rng(64 * count)
        return [int.from_bytes(draws[at : at + 64], "little") % ORDER for at in range(0, len(draws), 64)]

    (x, mine_rng), (y, its_rng) = party(b"r", OURS, 5), party(b"s", THEIRS, 4)
    a, b = mine_rng(32), its_rng(32)
    masked = sorted(curve.x25519(a, point) for point in x)
    remasked = sorted(curve.x25519(b, point) for point in masked)
    key = derived(labels.SUM_TAG)
    own = [blake3(curve.x25519(b, point), key=key).digest(p.tag_bytes) for point in y]
    tagged = sorted(zip(own, [100, 2000, 30, 0], strict=True))
    [k] = drawn(its_rng, 1)
    public = oracle.public_key(k)
    draws = drawn(its_rng, 4)
    numbers = [oracle.encrypt(public, value, t) for (_, value), t in zip(tagged, draws, strict=True)]
    shared = [c for c, (tag, _) in zip(numbers, tagged, strict=True) if tag in own[:2]]
    r, t = drawn(mine_rng, 2)
    hidden = oracle.blinded_sum(public, shared, r, t)
    assert [content for message in seen for content in message.sizes()] == [
        "masked", "remasked", "tags", "public_key", "numbers", "total", "element",
    ]  # fmt: skip
    assert unpacked(seen[0].masked) == masked
    assert unpacked(seen[1].remasked) == remasked
    assert unpacked(seen[2].tags) == [tag for tag, _ in tagged]
    assert seen[3].public_key == public.encode()
    assert unpacked(seen[3].numbers) == [oracle.to_bytes(c) for c in numbers]
    assert seen[4].total == oracle.to_bytes(hidden)
    assert seen[5].element == oracle.decrypt(k, hidden).encode() == ((2100 + r) * GENERATOR).encode()
    assert mine == Total(2, 2100)


def test_the_order_of_the_senders_items_is_nowhere_on_the_wire() -> None:
    """Numbers are encrypted in the order of the tags: the same set in another order gives the same bytes."""
    sent = []
    for order in ([1, 2, 3, 4], [4, 2, 1, 3]):
        seen: list[Message] = []
        p = params(3, 4)
        session.run(
            protocol.receiver(items(2, 9), p, rng=deterministic_rng(b"r")),
            protocol.sender(
                items(*order), p, values=values(*map(value_of, order)), rng=deterministic_rng(b"s")
            ),
            on_message=lambda m, seen=seen: (seen.append(m), m)[1],
        )
        sent.append([bytes(getattr(m, field)) for m in seen for field in m.sizes()])
    assert sent[0] == sent[1]


def test_nothing_on_the_wire_tells_a_number_or_a_filling_row() -> None:
    """Two items of one number, and rows that fill up, look like all others: no half of a row repeats."""
    seen: list[Message] = []
    run([1], {1: 7, 2: 7}, (2, 60), lambda m: (seen.append(m), m)[1])
    (numbers,) = (m.numbers for m in seen if isinstance(m, Numbers))
    halves = numbers.reshape(120, 32)
    assert len(np.unique(halves, axis=0)) == 120
    for half in unpacked(halves):
        assert decode(half).encode() == half


def test_the_sender_computes_before_it_waits() -> None:
    running = Session(protocol.sender(items(1), params(1, 1), values=values(1)))
    running.advance()
    assert type(running.step) is session.Receive


# --- what our own side can get wrong


@pytest.mark.parametrize(
    "bad",
    [
        values(1, 2),
        values(1, 2, 3, 4),
        values(1, 2, MAX_VALUE + 1),
        values(1, 2, 2**64 - 1),
        np.array([1, 2, 3], np.int64),
        np.array([1.0, 2.0, 3.0]),
        np.array([[1], [2], [3]], np.uint64),
        [1, 2, 3],
        None,
    ],
    ids=["less", "more", "too large", "far too large", "signed", "real", "flat", "list", "none"],
)
def test_values_that_do_not_fit_are_our_mistake(bad) -> None:
    with pytest.raises(ParameterError):
        next(protocol.sender(items(*THEIRS), params(4, 4), values=bad))


def test_an_error_shows_no_value() -> None:
    with pytest.raises(ParameterError) as caught:
        next(protocol.sender(items(*THEIRS), params(4, 4), values=values(1, 987654, 2)))
    assert "987654" not in str(caught.value)


@pytest.mark.parametrize("role", [protocol.receiver, lambda i, p: protocol.sender(i, p, values=values(1))])
def test_a_set_whose_total_would_not_be_found_is_our_mistake(role) -> None:
    for n_s, fits in ((protocol.MAX_N_S, True), (protocol.MAX_N_S + 1, False)):
        p = Params(n_r=1, n_s=n_s, context=CONTEXT)
        assert fits is (protocol._most(p) < 2**40 and n_s <= 2**24)
        if not fits:
            with pytest.raises(ParameterError, match="2\\^24"):
                next(role(items(1), p))
    largest = Params(n_r=2**32, n_s=protocol.MAX_N_S, context=CONTEXT)
    assert protocol._most(largest) < elgamal.MAX_LIMIT


# --- what a peer can get wrong, or worse


@pytest.mark.parametrize("bad", [bytes(32), b"\xff" * 32], ids=["identity", "not canonical"])
def test_what_is_no_element_is_refused_everywhere(bad: bytes) -> None:
    def spoilt(table):
        changed = table.copy()
        changed[-1, 32:] = np.frombuffer(bad, np.uint8)
        return changed

    for tamper in (
        replacing(Numbers, public_key=lambda _: bad),
        replacing(Numbers, numbers=spoilt),
        replacing(Hidden, total=lambda total: bad + total[32:]),
        replacing(Hidden, total=lambda total: total[:32] + bad),
        replacing(Opened, element=lambda _: bad),
    ):
        with pytest.raises(DecodeError):
            run(OURS, dict.fromkeys(THEIRS, 1), tamper=tamper)


def test_tags_in_another_order_are_refused() -> None:
    with pytest.raises(ProtocolError, match="not sorted"):
        run(OURS, dict.fromkeys(THEIRS, 1), tamper=replacing(Tags, tags=lambda t: t[::-1].copy()))


def test_a_sender_cannot_make_the_total_larger_than_its_numbers_can_be() -> None:
    def more(excess: int) -> Callable[[Message], Message]:
        shift = excess * GENERATOR
        return replacing(Opened, element=lambda e: (decode(e) + shift).encode())

    assert run([1, 2], {1: 5, 3: 7}, tamper=more(MAX_VALUE - 5)) == Total(1, MAX_VALUE)
    for excess in (MAX_VALUE - 4, 3 * MAX_VALUE):  # the second lies where two sets of eight have totals
        with pytest.raises(ProtocolError, match="larger"):
            run([1, 2], {1: 5, 3: 7}, tamper=more(excess))


def cheating_sender(p: Params, numbers: dict[int, int]) -> Role[bool]:
    """A sender with numbers of any size. Whether the receiver's message told them apart: it cannot."""
    exchange = protocol._exchange(p)
    key, secret = curve25519.generate_scalar(), elgamal.generate_key()
    tags, order = protocol._sorted(shuffled.evaluated(items(*numbers), key, exchange))
    request = (yield from receive(Masked, masked=(p.n_r, 32))).masked
    yield from send(Remasked(shuffled.remasked(request, key)))
    yield from send(Tags(tags))
    encrypted = elgamal.encrypt(secret, values(*numbers.values())[order])
    yield from send(Numbers(secret.public_key, encrypted))
    hidden = (yield from receive(Hidden, total=64)).total
    yield from send(Opened(elgamal.decrypt(secret, hidden)))
    return True


def test_a_sender_with_a_number_out_of_range_gets_an_answer_on_that_item() -> None:
    """Said on the page: not from a message, but from whether the receiver's run ends well."""
    p = params(4, 3)
    for shared in (True, False):
        numbers = {(3 if shared else 9): 2**50, 4: 6, 5: 7}
        roles = protocol.receiver(items(*OURS), p), cheating_sender(p, numbers)
        if shared:
            with pytest.raises(ProtocolError, match="larger"):
                session.run(*roles)
        else:
            assert session.run(*roles)[0] == Total(1, 6)


def test_a_receiver_that_cheats_reads_the_numbers_on_items_of_its_choice() -> None:
    """Said on the page: which are shared, by a mask for each; and, packed in one total, two numbers."""
    p, theirs = params(4, 4), {3: 60_001, 4: 5, 5: 777, 6: 42}

    def cheat() -> Role[tuple[list[int], int]]:
        exchange = protocol._exchange(p)
        points = shuffled.points(items(*OURS), exchange)
        masks = [curve25519.generate_scalar() for _ in OURS]
        one_by_one = [curve25519.multiply(points[at : at + 1].copy(), mask) for at, mask in enumerate(masks)]
        yield from send(Masked(rows.sort(np.concatenate(one_by_one))))
        remasked = (yield from receive(Remasked, remasked=(4, 32))).remasked
        tags = (yield from receive(Tags, tags=(4, p.tag_bytes))).tags
        their = yield from receive(Numbers, public_key=32, numbers=(4, 64))
        where = [  # of each of our items, among theirs
            rows.positions_in(
                tags, shuffled.tags(curve25519.multiply(remasked, curve25519.inverse(mask)), exchange)
            ).tolist()
            for mask in masks
        ]
        (third,), (fourth,) = where[2:]
        weighted = [
            oracle.scale(oracle.from_bytes(their.numbers[at].tobytes()), weight)
            for at, weight in ((third, 1), (fourth, 2**16))
        ]
        table = packed([oracle.to_bytes(c) for c in weighted])
        blind, total = elgamal.blinded_sum(their.public_key, table, np.ones(2, np.bool_))
        yield from send(Hidden(total))
        element = (yield from receive(Opened, element=32)).element
        return [len(found) for found in where], elgamal.unblind(blind, element, 2**32)

    (shared, both), _ = session.run(
        cheat(), protocol.sender(items(*theirs), p, values=values(*theirs.values()))
    )
    assert shared == [0, 0, 1, 1]
    assert [both % 2**16, both // 2**16] == [60_001, 5]


def test_a_sender_decrypts_once() -> None:
    p = params(2, 2)
    running = Session(protocol.sender(items(1, 2), p, values=values(5, 6)))
    running.advance()
    exchange = protocol._exchange(p)
    running.advance(Masked(shuffled.masked(items(1, 2), curve25519.generate_scalar(), exchange)))
    told: list[Message] = []
    while isinstance(running.step, session.Send):
        told.append(running.step.message)
        running.advance()
    their = told[-1]
    assert isinstance(their, Numbers)
    running.advance(Hidden(their.numbers[0].tobytes()))  # no blind at all: nothing obliges it to have one
    assert isinstance(running.step, session.Send)
    assert isinstance(running.step.message, Opened)
    assert running.step.message.element in {(5 * GENERATOR).encode(), (6 * GENERATOR).encode()}
    running.advance()
    assert running.step is None


def test_a_receiver_of_one_item_learns_its_number() -> None:
    """As from every total: sizes and quotas are the policy's business."""
    assert run([3], {3: 1234, 4: 5}, (1, 8)) == Total(1, 1234)


def test_parties_of_two_agreements_have_nothing_in_common() -> None:
    ours = params(4, 3)
    theirs = dataclasses.replace(ours, context=bytes(32))
    try:
        found, _ = session.run(
            protocol.receiver(items(*OURS), ours),
            protocol.sender(items(*THEIRS), theirs, values=values(1, 2, 3)),
        )
    except PeerFault:
        return
    assert found == Total(0, 0)
