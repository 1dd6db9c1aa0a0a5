"""The contract of every protocol: one suite for each that discovery finds, with no line for any of them."""

import importlib.resources
import json
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import session
from crypto.errors import CryptoError, ParameterError
from crypto.psi import PROTOCOLS, Matches, Output, Protocol
from crypto.session import Message
from exchange import wire
from tests.crypto.psi.parties import content, deterministic_rng, items, params

ROOT = Path(__file__).parents[3]
protocols = pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=lambda p: p.name)
outputs = pytest.mark.parametrize("output", list(Output), ids=str)


def run(
    protocol: Protocol, ours: list[int], theirs: list[int], sizes=None, output=Output.RECEIVER, seed=None
):
    n_r, n_s = sizes or (max(1, len(ours)), max(1, len(theirs)))
    p = params(n_r, n_s, output)
    rngs = ({}, {})
    if seed is not None:
        rngs = ({"rng": deterministic_rng(seed + b"receiver")}, {"rng": deterministic_rng(seed + b"sender")})
    seen: list[Message] = []

    def tap(message: Message) -> Message:
        seen.append(message)
        return message

    result = session.run(
        protocol.receiver(items(*ours), p, **rngs[0]),
        protocol.sender(items(*theirs), p, **rngs[1]),
        on_message=tap,
    )
    return (*result, seen, p)


def values(matches: Matches, own: list[int]) -> list[int]:
    return [own[i] for i in matches.indices]


CASES = {
    "some": ([1, 2, 3, 4, 5], [4, 5, 6]),
    "disjoint": ([1, 2], [3, 4, 5]),
    "equal": ([1, 2, 3], [1, 2, 3]),
    "other order": ([3, 1, 2], [2, 3, 1]),
    "one and one, shared": ([7], [7]),
    "one and one, not": ([7], [8]),
    "receiver empty": ([], [1, 2]),
    "sender empty": ([1, 2], []),
    "both empty": ([], []),
    "small against large": ([5, 900], list(range(1000))),
    "large against small": (list(range(1000)), [999, 5000]),
    "duplicates": ([1, 1, 2, 2, 2, 3], [2, 2, 3, 3, 4]),
}


@protocols
@outputs
@pytest.mark.parametrize("case", CASES)
def test_exact_intersection(protocol: Protocol, output: Output, case: str) -> None:
    ours, theirs = CASES[case]
    mine, its, _, _ = run(protocol, ours, theirs, output=output)
    assert sorted(values(mine, ours)) == sorted(set(ours) & set(theirs))
    if output is Output.BOTH:
        assert its is not None
        assert sorted(values(its, theirs)) == sorted(set(ours) & set(theirs))
    else:
        assert its is None


@protocols
@outputs
def test_padding_changes_nothing_but_the_size(protocol: Protocol, output: Output) -> None:
    ours, theirs = [1, 2, 3], [2, 3, 4, 5]
    mine, _, _, _ = run(protocol, ours, theirs, sizes=(40, 70), output=output)
    assert values(mine, ours) == [2, 3]


@protocols
@settings(max_examples=15, deadline=None)
@given(
    ours=st.lists(st.integers(0, 60), max_size=40),
    theirs=st.lists(st.integers(0, 60), max_size=40),
    slack=st.tuples(st.integers(0, 9), st.integers(0, 9)),
    output=st.sampled_from(Output),
)
def test_any_two_sets(protocol: Protocol, ours, theirs, slack, output) -> None:
    sizes = (max(1, len(ours) + slack[0]), max(1, len(theirs) + slack[1]))
    mine, its, _, _ = run(protocol, ours, theirs, sizes=sizes, output=output)
    shared = sorted(set(ours) & set(theirs))
    assert sorted(values(mine, ours)) == shared
    first = [ours.index(v) for v in set(shared)]
    assert sorted(mine.indices.tolist()) == sorted(first)
    if its is not None:
        assert sorted(values(its, theirs)) == shared


@protocols
def test_more_items_than_declared_is_our_mistake(protocol: Protocol) -> None:
    for role in (protocol.receiver, protocol.sender):
        with pytest.raises(ParameterError):
            next(role(items(1, 2, 3), params(2, 2)))


@protocols
@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((4, 31), np.uint8),
        np.zeros((4, 32), np.uint16),
        np.zeros(32, np.uint8),
        np.zeros((4, 8, 4), np.uint8),
    ],
    ids=["width", "dtype", "flat", "cube"],
)
def test_items_of_another_shape_are_our_mistake(protocol: Protocol, bad) -> None:
    for role in (protocol.receiver, protocol.sender):
        with pytest.raises(ParameterError):
            next(role(bad, params(8, 8)))


@protocols
@outputs
def test_traffic_is_the_formula(protocol: Protocol, output: Output) -> None:
    ours, theirs = list(range(30)), list(range(20, 90))
    _, _, seen, p = run(protocol, ours, theirs, sizes=(33, 77), output=output)
    measured = sum(
        size if isinstance(size, int) else size[0] * size[1] for m in seen for size in m.sizes().values()
    )
    assert measured == sum(protocol.traffic(p))


@protocols
@outputs
def test_every_message_survives_the_wire(protocol: Protocol, output: Output) -> None:
    _, _, seen, _ = run(protocol, list(range(9)), list(range(5, 20)), output=output)
    for message in seen:
        head, *chunks = wire.to_frames(protocol.name, message)
        assembly = wire.Assembly(protocol.name, session.Receive(type(message), message.sizes()), head.head)
        for frame in chunks:
            assembly.feed(frame.chunk)
        again = assembly.message()
        for field in message.sizes():
            assert np.array_equal(
                np.frombuffer(bytes(getattr(again, field)), np.uint8),
                np.frombuffer(bytes(getattr(message, field)), np.uint8),
            )


@protocols
def test_messages_are_declared_in_the_order_of_a_run(protocol: Protocol) -> None:
    _, _, seen, _ = run(protocol, [1, 2], [2, 3], output=Output.BOTH)
    assert tuple(type(m) for m in seen) == protocol.messages


@protocols
@outputs
def test_same_randomness_gives_the_stored_transcript(protocol: Protocol, output: Output) -> None:
    path = ROOT / "tests" / "vectors" / f"psi_{protocol.name}.json"
    vector = json.loads(path.read_text())[output]
    mine, its, seen, _ = run(
        protocol,
        vector["receiver"],
        vector["sender"],
        sizes=tuple(vector["sizes"]),
        output=output,
        seed=b"vector",
    )
    assert [content(m) for m in seen] == vector["transcript"]
    assert mine.indices.tolist() == vector["receiver_matches"]
    assert (None if its is None else its.indices.tolist()) == vector["sender_matches"]


@protocols
def test_fresh_randomness_repeats_nothing(protocol: Protocol) -> None:
    runs = [run(protocol, [1, 2, 3], [2, 3, 4])[2] for _ in range(2)]
    first, second = ({bytes(getattr(m, f)) for m in seen for f in m.sizes()} for seen in runs)
    assert not first & second


@protocols
def test_the_context_decides_the_tags(protocol: Protocol) -> None:
    """Two parties with different agreements find nothing, rather than something wrong."""
    a, b = items(1, 2, 3), items(2, 3, 4)
    ours = params(3, 3)
    theirs = type(ours)(n_r=3, n_s=3, context=bytes(32))
    try:
        mine, _ = session.run(protocol.receiver(a, ours), protocol.sender(b, theirs))
    except CryptoError:
        return
    assert not mine.indices.size


@protocols
def test_order_of_the_senders_items_is_nowhere_on_the_wire(protocol: Protocol) -> None:
    """The same set in two orders, under the same randomness for the key, gives the same bulk answer."""
    order = list(range(50))
    shuffled = random.Random(1).sample(order, len(order))
    last = [run(protocol, [1], o, seed=b"order")[2][-1] for o in (order, shuffled)]
    assert [bytes(getattr(last[0], f)) for f in last[0].sizes()] == [
        bytes(getattr(last[1], f)) for f in last[1].sizes()
    ]


@protocols
def test_printing_a_message_shows_no_content(protocol: Protocol) -> None:
    _, _, seen, _ = run(protocol, [1, 2, 3], [2, 3, 4], output=Output.BOTH)
    for message in seen:
        text = repr(message)
        for field in message.sizes():
            value = bytes(getattr(message, field))
            assert value.hex()[:16] not in text
            assert repr(value[:8])[2:-1] not in text


@protocols
def test_has_its_page_and_its_wire_messages(protocol: Protocol) -> None:
    assert (ROOT / "docs" / "protocols" / f"{protocol.name}.md").is_file()
    for kind in protocol.messages:
        declared = [f.name for f in wire.head_type(protocol.name, kind.__name__).DESCRIPTOR.fields]
        assert declared == list(kind.__dataclass_fields__)
    assert importlib.resources.files("crypto.psi").joinpath(f"{protocol.name}.py").is_file()
