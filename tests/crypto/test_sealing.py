"""Sealed contexts: each opens with its own PRF output alone, and a lie about one is the peer's fault."""

import tracemalloc
import zlib
from collections.abc import Sequence

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from crypto import labels, sealing, session
from crypto.errors import ParameterError, PeerFault, ProtocolError, VerificationError
from crypto.sealing import LABEL_CLASSES, Sealed
from tests.reference.hashing import derive_key, keyed

RUN = bytes(range(32))
LABEL = 64
MIB = 1 << 20


def halves(*numbers: int, width: int = 32):
    joined = b"".join(keyed(bytes(32), b"%d" % n)[:width] for n in numbers)
    return np.frombuffer(joined, np.uint8).reshape(len(numbers), width)


def sealed(private, contexts, *, label=LABEL, run=RUN):
    where = np.arange(len(contexts))
    return list(sealing.seal(private, contexts, where, context=run, label_bytes=label))


def opened(private, blocks, *, count=None, label=LABEL, run=RUN):
    count = sum(map(len, blocks)) if count is None else count

    def sender():
        for block in blocks:
            yield from session.send(Sealed(block))

    role = sealing.receiver(private, count, context=run, label_bytes=label)
    return session.run(role, sender())[0]


def in_blocks_of(monkeypatch, rows: int) -> None:
    monkeypatch.setattr(sealing, "BLOCK_BYTES", rows * sealing.row_bytes(LABEL) + 7)


def split(table, rows: int):
    return [table[start : start + rows].copy() for start in range(0, len(table), rows)]


def with_row(block, at: int, row: bytes):
    changed = block.copy()
    changed[at] = np.frombuffer(row, np.uint8)
    return changed


def own_key(half: bytes) -> bytes:
    return keyed(derive_key(labels.SEALED_KEY, RUN), half)


def handmade(half: bytes, plain: bytes) -> bytes:
    """A row as whoever holds the output can make it, whatever is in it."""
    locator = keyed(derive_key(labels.SEALED_LOCATOR, RUN), half)
    return locator + AESGCM(own_key(half)).encrypt(bytes(12), plain, None)


def test_rows_are_those_of_the_definition() -> None:
    private, contexts = halves(1, 2, 3), [b"one", b"", b"x" * LABEL]
    rows = [
        handmade(half.tobytes(), len(c).to_bytes(4, "little") + c + bytes(LABEL - len(c)))
        for half, c in zip(private, contexts, strict=True)
    ]
    (block,) = sealed(private, contexts)
    assert block.tobytes() == b"".join(sorted(rows))
    assert block.shape == (3, sealing.row_bytes(LABEL))


@pytest.mark.parametrize("width", [16, 32])
@given(
    contexts=st.lists(st.binary(max_size=LABEL), min_size=1, max_size=40),
    data=st.data(),
)
def test_who_has_the_output_reads_the_context(width: int, contexts, data) -> None:
    private = halves(*range(len(contexts)), width=width)
    wanted = data.draw(st.lists(st.sampled_from(range(len(contexts))), unique=True))
    found = opened(np.ascontiguousarray(private[wanted]), sealed(private, contexts))
    assert found == tuple(contexts[i] for i in wanted)


@pytest.mark.parametrize("rows", [1, 2, 3, 5, 6, 7])
@pytest.mark.parametrize("count", [1, 2, 5, 6, 7, 12, 13])
def test_every_boundary_of_a_block(monkeypatch, rows: int, count: int) -> None:
    in_blocks_of(monkeypatch, rows)
    private, contexts = halves(*range(count)), [b"%d" % i for i in range(count)]
    blocks = sealed(private, contexts)
    assert [len(block) for block in blocks] == sealing.block_rows(count, LABEL)
    assert all(len(block) == rows for block in blocks[:-1])
    assert opened(private, blocks) == tuple(contexts)
    for i in range(count):
        assert opened(private[i : i + 1], blocks) == (contexts[i],)


@pytest.mark.parametrize("label", LABEL_CLASSES)
def test_a_block_has_some_four_mebibytes(label: int) -> None:
    most = sealing.block_rows(1 << 20, label)[0]
    assert 3.9 * MIB < most * sealing.row_bytes(label) <= 4 * MIB
    for count in (1, most - 1, most, most + 1, 2 * most, 2 * most + 1):
        blocks = sealing.block_rows(count, label)
        assert sum(blocks) == count
        assert len(blocks) == -(-count // most)
        assert sealing.traffic(count, label) == sum(blocks) * sealing.row_bytes(label)


def test_the_largest_class_over_two_blocks() -> None:
    label = LABEL_CLASSES[-1]
    private, contexts = halves(*range(64)), [bytes([i]) * (label - i) for i in range(64)]
    blocks = sealed(private, contexts, label=label)
    assert [len(block) for block in blocks] == [63, 1]
    assert opened(private, blocks, label=label) == tuple(contexts)


def test_a_filling_row_has_an_empty_context_and_each_other_one_its_own() -> None:
    """Rows 0 and 1 are the items at 4 and 7, all others are filling."""
    where = sealing.places(np.array([4, 7]), np.array([3, 1, 0, 2], np.uint32))
    assert where.tolist() == [-1, 7, 4, -1]
    private, contexts = halves(*range(4)), [b"%d" % i for i in range(8)]
    blocks = list(sealing.seal(private, contexts, where, context=RUN, label_bytes=LABEL))
    assert opened(private, blocks) == (b"", b"7", b"4", b"")


def test_contexts_are_read_when_their_block_is_due(monkeypatch) -> None:
    in_blocks_of(monkeypatch, 2)
    read: list[int] = []

    class Stored(Sequence):
        def __len__(self) -> int:
            return 6

        def __getitem__(self, at) -> bytes:
            read.append(at)
            return b"%d" % at

    private = halves(*range(6))
    for done, _ in enumerate(sealing.seal(private, Stored(), np.arange(6), context=RUN, label_bytes=LABEL)):
        assert len(read) == 2 * (done + 1)
    assert sorted(read) == list(range(6))


# --- what a context may be


def test_classes_are_powers_of_two_and_those_of_the_parameters() -> None:
    assert [2**i for i in range(6, 17)] == list(LABEL_CLASSES)


@given(st.integers(0, LABEL_CLASSES[-1]))
def test_the_class_is_the_smallest_that_fits(longest: int) -> None:
    size = sealing.label_class(longest)
    assert size in LABEL_CLASSES
    assert size >= longest
    assert size == LABEL_CLASSES[0] or size // 2 < longest


@pytest.mark.parametrize("longest", [-1, LABEL_CLASSES[-1] + 1])
def test_there_is_no_class_beyond_the_largest(longest: int) -> None:
    with pytest.raises(ParameterError, match="65536"):
        sealing.label_class(longest)


@pytest.mark.parametrize("label", [0, 1, 63, 65, 96, 1 << 17])
def test_a_size_that_is_no_class_is_refused(label: int) -> None:
    with pytest.raises(ParameterError, match="power of two"):
        sealing.check_class(label)
    with pytest.raises(ParameterError, match="power of two"):
        sealing.check_contexts([], count=0, label_bytes=label)


def test_a_context_over_the_limit_is_refused_by_name_and_not_shown() -> None:
    secret = b"203.0.113.77 " * 5
    sealing.check_contexts([secret[:LABEL]], count=1, label_bytes=LABEL)
    with pytest.raises(ParameterError, match="65 bytes does not fit into 64") as caught:
        sealing.check_contexts([b"", secret], count=2, label_bytes=LABEL)
    assert "203" not in str(caught.value)


@pytest.mark.parametrize("contexts", [[], [b"one"], [b"one"] * 3])
def test_a_context_for_each_item(contexts) -> None:
    with pytest.raises(ParameterError, match="for each item: 2"):
        sealing.check_contexts(contexts, count=2, label_bytes=LABEL)


@pytest.mark.parametrize("context", ["text", None, 3, bytearray(b"one")])
def test_a_context_is_bytes(context) -> None:
    with pytest.raises(ParameterError, match="bytes"):
        sealing.check_contexts([context], count=1, label_bytes=LABEL)


# --- who cannot read


def test_a_wrong_key_opens_nothing() -> None:
    private = halves(1, 2, 3)
    (block,) = sealed(private, [b"one", b"two", b"three"])
    for row in block:
        locator, rest = row[:32].tobytes(), row[32:].tobytes()
        opens = 0
        for half in halves(*range(200)):
            try:
                AESGCM(own_key(half.tobytes())).decrypt(bytes(12), rest, None)
            except Exception:  # noqa: BLE001
                continue
            opens += 1
            assert keyed(derive_key(labels.SEALED_LOCATOR, RUN), half.tobytes()) == locator
        assert opens == 1


def test_another_output_finds_nothing() -> None:
    with pytest.raises(ProtocolError, match="sealed no context"):
        opened(halves(4), sealed(halves(1, 2, 3), [b""] * 3))


def test_another_run_finds_nothing() -> None:
    private = halves(1, 2, 3)
    blocks = sealed(private, [b"one", b"two", b"three"])
    with pytest.raises(ProtocolError, match="sealed no context"):
        opened(private, blocks, run=bytes(32))
    (here,), (there,) = blocks, sealed(private, [b"one", b"two", b"three"], run=bytes(32))
    assert not set(map(bytes, here)) & set(map(bytes, there))


def test_neither_length_nor_emptiness_shows() -> None:
    """Rows have one size, and nothing repeats in those of equal contexts."""
    (block,) = sealed(halves(*range(64)), [b""] * 32 + [b"x" * LABEL] * 32)
    assert len({row.tobytes() for row in block}) == 64
    assert len(zlib.compress(block, 9)) >= block.size
    assert len(zlib.compress(b"x" * block.size, 9)) < block.size


# --- what a lying sender gets


def lied(change, *, wanted=range(6), rows=2):
    """Open what a sender of six rows in blocks of two made of them."""
    private = halves(*range(6))
    (table,) = sealed(private, [b"%d" % i for i in range(6)])
    with pytest.MonkeyPatch.context() as patch:
        in_blocks_of(patch, rows)
        return opened(halves(*wanted), split(change(table), rows), count=6)


def swapped(table, i: int, j: int, columns=slice(None)):
    changed = table.copy()
    changed[i, columns], changed[j, columns] = table[j, columns], table[i, columns]
    return changed


@pytest.mark.parametrize("wanted", [[], [3]])
@pytest.mark.parametrize(("i", "j"), [(0, 1), (1, 2), (0, 5)], ids=["inside", "across", "ends"])
def test_locators_that_do_not_ascend_are_refused_whatever_matches(wanted, i: int, j: int) -> None:
    with pytest.raises(ProtocolError, match="do not ascend"):
        lied(lambda table: swapped(table, i, j), wanted=wanted)


@pytest.mark.parametrize("at", [0, 1], ids=["inside", "across"])
def test_a_locator_twice_is_refused(at: int) -> None:
    with pytest.raises(ProtocolError, match="do not ascend"):
        lied(lambda table: with_row(table, at + 1, table[at].tobytes()), wanted=[])


def test_ciphertexts_that_are_swapped_do_not_open() -> None:
    with pytest.raises(VerificationError, match="does not open"):
        lied(lambda table: swapped(table, 1, 4, slice(32, None)))


def test_no_bit_of_a_row_can_be_changed() -> None:
    private = halves(7)
    (table,) = sealed(private, [b"seen"])
    row = table[0].tobytes()
    for bit in range(8 * len(row)):
        changed = bytearray(row)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(PeerFault):
            opened(private, [with_row(table, 0, bytes(changed))])


@pytest.mark.parametrize("cut", [1, 16, 100])
def test_a_row_that_is_too_short_is_refused(cut: int) -> None:
    with pytest.raises(ProtocolError, match="must have sizes"):
        lied(lambda table: np.ascontiguousarray(table[:, :-cut]), wanted=[])


def test_a_block_less_is_refused() -> None:
    with pytest.raises(ProtocolError):
        lied(lambda table: table[:4], wanted=[])


@pytest.mark.parametrize(
    "plain",
    [
        (LABEL + 1).to_bytes(4, "little") + bytes(LABEL),
        b"\xff" * 4 + bytes(LABEL),
        (1).to_bytes(4, "little") + b"ab" + bytes(LABEL - 2),
        (0).to_bytes(4, "little") + bytes(LABEL - 1) + b"z",
    ],
    ids=["one too long", "far too long", "filled with something", "something at the end"],
)
def test_a_context_of_another_form_is_refused(plain: bytes) -> None:
    half = halves(5)
    row = np.frombuffer(handmade(half.tobytes(), plain), np.uint8).reshape(1, -1)
    with pytest.raises(VerificationError, match="filled up with zeros"):
        opened(half, [row])


def test_a_row_that_does_not_open_shows_in_nothing_but_the_end(monkeypatch) -> None:
    """A sender that spoils rows would learn more if a run stopped at the block that they are in."""
    in_blocks_of(monkeypatch, 1)
    private = halves(*range(6))
    blocks = sealed(private, [b""] * 6)
    blocks[0] = with_row(blocks[0], 0, blocks[0][0, :32].tobytes() + bytes(84))
    running = session.Session(sealing.receiver(private, 6, context=RUN, label_bytes=LABEL))
    running.advance()
    for block in blocks[:-1]:
        running.advance(Sealed(block))
        assert isinstance(running.step, session.Receive)
    with pytest.raises(VerificationError):
        running.advance(Sealed(blocks[-1]))


def test_errors_show_no_context() -> None:
    with pytest.raises(VerificationError) as caught:
        lied(lambda table: swapped(table, 1, 4, slice(32, None)))
    assert caught.value.__cause__ is None
    assert repr(Sealed(np.zeros((2, 3), np.uint8))) == "Sealed(rows=(2, 3))"


# --- memory


@pytest.mark.slow
@pytest.mark.parametrize("matches", [0, 2000])
def test_memory_is_a_block_and_the_matches(matches: int) -> None:
    """60 MiB pass through, and what either party has at a time is told on the protocol's page."""
    count, label = 60_000, 1024
    private = np.random.default_rng(7).integers(0, 256, (count, 32), dtype=np.uint8)
    context = b"x" * label
    said, wanted = [context] * count, private[:matches].copy()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        found, _ = session.run(
            sealing.receiver(wanted, count, context=RUN, label_bytes=label),
            sealing.sender(private, said, np.arange(count), context=RUN, label_bytes=label),
        )
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert found == (context,) * matches
    assert sealing.traffic(count, label) > 60 * MIB
    blocks, tables, kept = 2 * sealing.BLOCK_BYTES, 80 * count, 2 * matches * sealing.row_bytes(label)
    assert peak < blocks + tables + kept
