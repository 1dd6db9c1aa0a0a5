"""The contract of every protocol: one suite for each that discovery finds, with no line for any of them."""

import dataclasses
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
from crypto.psi import (
    DISCOVERED,
    PROTOCOLS,
    Band,
    Brings,
    Contexts,
    Count,
    Estimate,
    Matches,
    Noisy,
    Output,
    Protocol,
    Reveals,
    Total,
)
from crypto.session import Message
from exchange import wire
from tests.crypto.psi.parties import (
    content,
    deterministic_rng,
    is_right,
    narrowest,
    params,
    receiver_of,
    sender_of,
    shown,
    widest,
)

ROOT = Path(__file__).parents[3]
KINDS = {
    Reveals.ESTIMATE: Estimate,
    Reveals.CARDINALITY: (Count, Band, Noisy),
    Reveals.SUM: Total,
    Reveals.OVERLAP: Matches,
    Reveals.CONTEXT: Contexts,
}
"""What a receiver may get, by what is revealed."""
protocols = pytest.mark.parametrize("protocol", DISCOVERED.values(), ids=lambda p: p.name)
protocols_and_outputs = pytest.mark.parametrize(
    ("protocol", "output"),
    [
        pytest.param(protocol, output, id=f"{output}-{protocol.name}")
        for output in Output
        for protocol in DISCOVERED.values()
        if output in protocol.outputs
    ],
)


def run(protocol: Protocol, ours: list[int], theirs: list[int], sizes=None, output=None, seed=None):
    n_r, n_s = sizes or (max(1, len(ours)), max(1, len(theirs)))
    p = params(n_r, n_s, output or narrowest(protocol))
    rngs = ({}, {})
    if seed is not None:
        rngs = ({"rng": deterministic_rng(seed + b"receiver")}, {"rng": deterministic_rng(seed + b"sender")})
    seen: list[Message] = []

    def tap(message: Message) -> Message:
        seen.append(message)
        return message

    result = session.run(
        receiver_of(protocol, ours, p, **rngs[0]),
        sender_of(protocol, theirs, p, **rngs[1]),
        on_message=tap,
    )
    return (*result, seen, p)


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


@protocols_and_outputs
@pytest.mark.parametrize("case", CASES)
def test_exact_intersection(protocol: Protocol, output: Output, case: str) -> None:
    ours, theirs = CASES[case]
    mine, its, _, p = run(protocol, ours, theirs, output=output)
    assert isinstance(mine, KINDS[protocol.reveals])
    assert is_right(mine, ours, theirs, p)
    if output is Output.BOTH:
        assert its is not None
        assert is_right(its, theirs, ours, p)
    else:
        assert its is None


@protocols
def test_an_output_that_a_protocol_has_not_is_our_mistake(protocol: Protocol) -> None:
    assert protocol.outputs
    for output in set(Output) - protocol.outputs:
        for role in (receiver_of, sender_of):
            with pytest.raises(ParameterError):
                next(role(protocol, [1], params(2, 2, output)))


def test_what_a_node_matches_with_says_which_items_are_shared() -> None:
    overlap = {n for n, p in DISCOVERED.items() if p.reveals is Reveals.OVERLAP}
    assert set(PROTOCOLS) == {n for n in overlap if DISCOVERED[n].brings is Brings.NOTHING}
    assert set(PROTOCOLS) < set(DISCOVERED)


@protocols_and_outputs
def test_padding_changes_nothing_but_the_size(protocol: Protocol, output: Output) -> None:
    ours, theirs = [1, 2, 3], [2, 3, 4, 5]
    mine, _, _, p = run(protocol, ours, theirs, sizes=(40, 70), output=output)
    assert is_right(mine, ours, theirs, p)


@protocols
@settings(max_examples=15, deadline=None)
@given(
    ours=st.lists(st.integers(0, 60), max_size=40),
    theirs=st.lists(st.integers(0, 60), max_size=40),
    slack=st.tuples(st.integers(0, 9), st.integers(0, 9)),
    data=st.data(),
)
def test_any_two_sets(protocol: Protocol, ours, theirs, slack, data) -> None:
    output = data.draw(st.sampled_from([o for o in Output if o in protocol.outputs]))
    sizes = (max(1, len(ours) + slack[0]), max(1, len(theirs) + slack[1]))
    mine, its, _, p = run(protocol, ours, theirs, sizes=sizes, output=output)
    assert is_right(mine, ours, theirs, p)
    if its is not None:
        assert is_right(its, theirs, ours, p)


@protocols
def test_more_items_than_declared_is_our_mistake(protocol: Protocol) -> None:
    for role in (receiver_of, sender_of):
        with pytest.raises(ParameterError):
            next(role(protocol, [1, 2, 3], params(2, 2, narrowest(protocol))))


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
    brought = {
        Brings.VALUES: {"values": np.zeros(len(bad), np.uint64)},
        Brings.CONTEXTS: {"contexts": [b""] * len(bad)},
    }.get(protocol.brings, {})
    for role, more in ((protocol.receiver, {}), (protocol.sender, brought)):
        with pytest.raises(ParameterError):
            next(role(bad, params(8, 8, narrowest(protocol)), **more))


@protocols_and_outputs
def test_traffic_is_the_formula(protocol: Protocol, output: Output) -> None:
    ours, theirs = list(range(30)), list(range(20, 90))
    _, _, seen, p = run(protocol, ours, theirs, sizes=(33, 77), output=output)
    measured = sum(
        size if isinstance(size, int) else size[0] * size[1] for m in seen for size in m.sizes().values()
    )
    assert measured == sum(protocol.traffic(p))


@protocols_and_outputs
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
    _, _, seen, _ = run(protocol, [1, 2], [2, 3], output=widest(protocol))
    assert tuple(type(m) for m in seen) == protocol.messages


@protocols_and_outputs
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
    assert shown(mine) == vector["receiver_matches"]
    assert shown(its) == vector["sender_matches"]


@protocols
def test_fresh_randomness_repeats_nothing(protocol: Protocol) -> None:
    runs = [run(protocol, [1, 2, 3], [2, 3, 4])[2] for _ in range(2)]
    first, second = ({bytes(getattr(m, f)) for m in seen for f in m.sizes()} for seen in runs)
    assert not first & second


@protocols
def test_the_context_decides_the_tags(protocol: Protocol) -> None:
    """Two parties with different agreements find nothing, rather than something wrong."""
    ours = params(3, 3, narrowest(protocol))
    theirs = dataclasses.replace(ours, context=bytes(32))
    try:
        mine, _ = session.run(receiver_of(protocol, [1, 2, 3], ours), sender_of(protocol, [2, 3, 4], theirs))
    except CryptoError:
        return
    assert is_right(mine, [1, 2, 3], [], ours)


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
    _, _, seen, _ = run(protocol, [1, 2, 3], [2, 3, 4], output=widest(protocol))
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
    module = protocol.name.replace("-", "_")
    assert importlib.resources.files("crypto.psi").joinpath(f"{module}.py").is_file()
