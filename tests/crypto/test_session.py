"""The engine: two generators, whatever they say to each other."""

import numpy as np
import pytest

from crypto.errors import ParameterError, ProtocolError
from crypto.rows import Rows
from crypto.session import Message, Receive, Role, Session, message, receive, run, send


@message
class Note(Message):
    """Some text and some rows."""

    text: bytes
    rows: Rows


def note(text: bytes = b"abc", n: int = 2) -> Note:
    return Note(text, np.zeros((n, 4), np.uint8))


def asks(text: int = 3, rows: tuple[int, int] = (2, 4)) -> Role[bytes]:
    got = yield from receive(Note, text=text, rows=rows)
    return got.text


def tells(*messages: Message) -> Role[str]:
    for one in messages:
        yield from send(one)
    return "told"


def test_both_results_come_back() -> None:
    assert run(asks(), tells(note())) == (b"abc", "told")


def test_messages_keep_their_order_and_may_pile_up() -> None:
    def asks_twice() -> Role[list[bytes]]:
        first = yield from receive(Note, text=1, rows=(2, 4))
        second = yield from receive(Note, text=1, rows=(2, 4))
        return [first.text, second.text]

    assert run(asks_twice(), tells(note(b"1"), note(b"2")))[0] == [b"1", b"2"]


@pytest.mark.parametrize("wrong", [{"text": 2}, {"text": 4}, {"rows": (3, 4)}, {"rows": (2, 3)}])
def test_another_size_than_asked_for_is_refused(wrong) -> None:
    with pytest.raises(ProtocolError):
        run(asks(**wrong), tells(note()))


def test_another_kind_than_asked_for_is_refused() -> None:
    @message
    class Other(Message):
        text: bytes

    with pytest.raises(ProtocolError, match="Note was due"):
        run(asks(), tells(Other(b"abc")))


def test_nothing_where_a_message_is_due_is_refused() -> None:
    session = Session(asks())
    session.advance()
    with pytest.raises(ProtocolError):
        session.advance(None)


def test_two_that_wait_for_each_other_are_stopped() -> None:
    with pytest.raises(ProtocolError, match="nothing more to say"):
        run(asks(), asks())


def test_a_message_too_many_is_refused() -> None:
    with pytest.raises(ProtocolError, match="after the end"):
        run(asks(), tells(note(), note()))


def test_an_error_of_one_role_ends_the_run_and_closes_the_other() -> None:
    closed = []

    def fails() -> Role[None]:
        yield from receive(Note, text=3, rows=(2, 4))
        raise ParameterError("no")

    def lingers() -> Role[None]:
        try:
            yield from send(note())
            yield from receive(Note, text=3, rows=(2, 4))
        finally:
            closed.append(True)

    with pytest.raises(ParameterError):
        run(fails(), lingers())
    assert closed


def test_a_tamperer_can_change_and_drop() -> None:
    assert run(asks(), tells(note()), on_message=lambda m: note(b"xyz"))[0] == b"xyz"
    with pytest.raises(ProtocolError):
        run(asks(), tells(note()), on_message=lambda m: None)


def test_a_session_says_where_it_stands() -> None:
    session = Session(asks())
    session.advance()
    assert session.step == Receive(Note, {"text": 3, "rows": (2, 4)})
    session.advance(note(b"end"))
    assert session.step is None
    assert session.result == b"end"


def test_messages_print_sizes_only() -> None:
    assert repr(note(b"secret")) == "Note(text=6, rows=(2, 4))"
