"""Silent VOLE: the correlation on every row, plain Python as oracle, and a dishonest peer."""

from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest

from crypto import _native, vole
from crypto.errors import ParameterError, ProtocolError, VerificationError
from crypto.rows import Rows
from crypto.session import Message, run
from crypto.vole import Answer, Challenge, Chosen, Offered, Received, Sent, SubRole, Trees
from tests.reference import vole as oracle
from tests.reference.lpn import compress, multiply

CONTEXT = b"context"
DRAWS = {"receiver": bytes(range(32)), "sender": bytes(range(32, 64))}


def rows(values: list[int]) -> Rows:
    return np.frombuffer(oracle.pack(values), np.uint8).reshape(len(values), 16)


def row(data: bytes) -> Rows:
    return np.frombuffer(data, np.uint8).reshape(1, -1)


def numbers(rows: Rows) -> list[int]:
    return [int.from_bytes(row.tobytes(), "little") for row in rows]


class Dealer:
    """A trusted third party in place of the oblivious transfers."""

    def __init__(self, seed: int = 5) -> None:
        self.random = np.random.default_rng(seed)
        self.delta = self.elements(1)[0]

    def elements(self, n: int) -> list[int]:
        return [int.from_bytes(self.random.bytes(16), "little") for _ in range(n)]

    def choose(self, choices: bytes, factors: Rows) -> SubRole[Chosen]:
        self.strings = self.elements(len(choices)), self.elements(len(choices))
        self.b = self.elements(len(factors))
        c = [multiply(self.delta, v) ^ b for v, b in zip(numbers(factors), self.b, strict=True)]
        yield from ()
        return Chosen(rows([self.strings[side][at] for at, side in enumerate(choices)]), rows(c))

    def offer(self, transfers: int, products: int) -> SubRole[Offered]:
        assert (len(self.strings[0]), len(self.b)) == (transfers, products)
        yield from ()
        delta = self.delta.to_bytes(16, "little")
        return Offered(delta, rows(self.strings[0]), rows(self.strings[1]), rows(self.b))


def make(
    count: int, dealer: Dealer, on_message: Callable[[Message], Message] = lambda message: message
) -> tuple[Received, Sent]:
    return run(
        vole.receiver(count, dealer.choose, context=CONTEXT, rng=lambda n: DRAWS["receiver"][:n]),
        vole.sender(count, dealer.offer, context=CONTEXT, rng=lambda n: DRAWS["sender"][:n]),
        on_message=on_message,
    )


@pytest.mark.parametrize("count", [1, 125, 16_001])
def test_it_is_the_oracle(count: int) -> None:
    seen: list[Message] = []
    dealer = Dealer()

    def tap(message: Message) -> Message:
        seen.append(message)
        return message

    received, sent = make(count, dealer, tap)
    receiver = oracle.Receiver(count, DRAWS["receiver"])
    sender = oracle.Sender(count, CONTEXT, DRAWS["sender"])
    trees = row(sender.message(*dealer.strings, dealer.b))
    answer = sender.answer(receiver.challenge, dealer.delta, dealer.b[-1])
    assert [m.sizes() for m in seen] == [
        m.sizes() for m in (Trees(trees), Challenge(bytes(32)), Answer(answer))
    ]
    content = [bytes(getattr(m, fields(m)[0].name)) for m in seen]  # type: ignore[arg-type]
    assert content == [bytes(trees), receiver.challenge, answer]
    a, b = receiver.a, sender.b
    assert numbers(received.a) == a
    assert numbers(sent.b) == b
    assert (
        numbers(received.c)[:300] == [multiply(dealer.delta, x) ^ y for x, y in zip(a, b, strict=True)][:300]
    )


def test_the_correlation_holds_on_every_row() -> None:
    dealer = Dealer()
    received, sent = make(17_000, dealer)
    table = [multiply(dealer.delta, 1 << bit) for bit in range(128)]
    for a, b, c in zip(*map(numbers, (received.a, sent.b, received.c)), strict=True):
        want = b
        for bit, row in enumerate(table):
            want ^= row if a >> bit & 1 else 0
        assert c == want


def test_bytes_are_those_of_the_formula() -> None:
    seen: dict[type[Message], int] = {Trees: 0, Challenge: 0, Answer: 0}

    def tap(message: Message) -> Message:
        seen[type(message)] += sum(np.prod(size, dtype=int) for size in message.sizes().values())
        return message

    make(20_000, Dealer(), tap)
    assert (seen[Challenge], seen[Trees] + seen[Answer]) == vole.traffic(20_000)
    assert vole.sizes(20_000).trees_bytes == 32 + 250 * (2 * 8 + 1) * 16


@pytest.mark.parametrize("kind", [Trees, Challenge, Answer])
@pytest.mark.parametrize("place", [0, 0.5, 1])
def test_a_changed_byte_ends_it(kind: type[Message], place: float) -> None:
    def tamper(message: Message) -> Message:
        if type(message) is not kind:
            return message
        name = fields(message)[0].name  # type: ignore[arg-type]
        value = bytearray(bytes(getattr(message, name)))
        value[round(place * (len(value) - 1))] ^= 1
        if kind is Trees and 0 < place < 1:
            value[32 : 32 + 17 * 16] = bytes(17 * 16)  # a whole tree
        changed = row(bytes(value)) if kind is Trees else bytes(value)
        return replace(message, **{name: changed})  # type: ignore[type-var]

    with pytest.raises(VerificationError):
        make(1, Dealer(), tamper)


def test_messages_have_one_size() -> None:
    with pytest.raises(ProtocolError):
        make(1, Dealer(), lambda m: Trees(m.trees[:, 1:]) if isinstance(m, Trees) else m)


@pytest.mark.parametrize("count", [0, 2**31])
def test_counts_are_bounded(count: int) -> None:
    with pytest.raises(ParameterError):
        vole.sizes(count)


def test_states_are_secrets() -> None:
    state = _native.vole_receiver(1, CONTEXT, bytes(32))
    assert repr(state) == "<VoleReceiver>"
    with pytest.raises(TypeError):
        state.__reduce__()


def rank(rows: list[int]) -> int:
    """Of bit vectors."""
    pivots: list[int] = []
    for row in rows:
        for pivot in pivots:
            row = min(row, row ^ pivot)  # noqa: PLW2901
        pivots += [row] if row else []
    return len(pivots)


def test_a_binary_code_would_give_its_noise_away() -> None:
    """Why the code multiplies: without, linear algebra tells its output from random (docs, silent-vole).

    In small: values of 26 bits and 50 places are in proportion to values of 128 bits and 250 places.
    """
    m, width, places = 1200, 26, 50
    rows = compress([1 << at for at in range(2 * m)], lambda value, _: value)  # the matrix, a row an integer
    random = np.random.default_rng(3)
    size = 2 * m // places
    noise = {
        block * size + int(random.integers(size)): int(random.integers(1, 1 << width))
        for block in range(places)
    }
    output = [0] * m
    for at, row in enumerate(rows):
        for place, value in noise.items():
            output[at] ^= value if row >> place & 1 else 0
    uniform = [int(value) for value in random.integers(1 << width, size=m)]

    def ranks(output: list[int]) -> list[int]:
        """Reduce to an information set; then what is in windows of 36 symbols spans so many dimensions."""
        work = [row << width | value for row, value in zip(rows, output, strict=True)]
        for at in range(m):
            top = 1 << work[at].bit_length() - 1
            assert top >> width
            work = [row ^ work[at] if row & top and i != at else row for i, row in enumerate(work)]
        symbols = [row & (1 << width) - 1 for row in work]
        return [rank(symbols[at : at + 36]) for at in range(0, m - 36, 36)]

    assert sum(found < width for found in ranks(uniform)) < 4
    assert sum(found < width for found in ranks(output)) > 8
