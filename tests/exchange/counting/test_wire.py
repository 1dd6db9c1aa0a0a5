"""The messages of the scheme are those of its file in the wire contract."""

from dataclasses import fields
from typing import Any

import pytest

from crypto.secagg import base
from crypto.session import Message
from exchange import wire
from exchange.counting.world import PROTOCOL

KINDS = [
    kind
    for kind in vars(base).values()
    if isinstance(kind, type) and issubclass(kind, Message) and kind is not Message
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_message_is_declared_with_its_fields(kind: Any) -> None:
    declared = wire.head_type(PROTOCOL, kind.__name__).DESCRIPTOR.fields
    bulk = {f.name for f in declared if f.message_type is not None}
    assert [f.name for f in declared] == [f.name for f in fields(kind)]
    assert bulk == {f.name for f in fields(kind) if f.type is not bytes}


def test_the_wire_declares_no_other_messages() -> None:
    file = wire.head_type(PROTOCOL, KINDS[0].__name__).DESCRIPTOR.containing_type
    assert {nested.name for nested in file.nested_types} == {kind.__name__ for kind in KINDS}
