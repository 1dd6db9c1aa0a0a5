"""No byte of any file can be changed, cut or added unnoticed, and no reader fails but with a typed error."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exchange.errors import MembershipError, RosterError
from exchange.identity import encoding, files, joining, membership
from exchange.identity.encoding import Kind
from exchange.identity.roster import Roster, SignedRoster
from tests.exchange.identity.simulator import NOW, Alliance, approval

LIMIT = 1 << 20
ALLIANCE = Alliance()
ALLIANCE.join("globex", "initech")
FILES = {
    Kind.INVITATION: ALLIANCE.invite("umbra"),
    Kind.JOIN_REQUEST: ALLIANCE.request("umbra"),
    Kind.APPROVAL: approval(ALLIANCE),
    Kind.PROPOSAL: files.write_proposal(ALLIANCE.admit(ALLIANCE.request("umbra"))),
}
READ = {
    Kind.INVITATION: lambda text: joining.read_invitation(text, NOW),
    Kind.JOIN_REQUEST: lambda text: joining.read_join_request(text, ALLIANCE.chain, NOW),
    Kind.APPROVAL: lambda text: joining.read_approval(text, ALLIANCE.chain.hashes[0]),
    Kind.PROPOSAL: lambda text: membership.review(ALLIANCE.chain, files.read_proposal(text)),
}
DATA = {kind: encoding.dearmour(text, limit=LIMIT)[1] for kind, text in FILES.items()}
each_kind = pytest.mark.parametrize("kind", list(Kind))
many = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def refused(kind, data):
    with pytest.raises((MembershipError, RosterError)):
        READ[kind](encoding.armour(kind, data))


@each_kind
def test_untouched_each_is_read(kind):
    READ[kind](FILES[kind])


@each_kind
@many
@given(data=st.data())
def test_a_changed_byte_is_noticed(kind, data):
    original = DATA[kind]
    place = data.draw(st.integers(0, len(original) - 1))
    flip = data.draw(st.integers(1, 255))
    changed = bytearray(original)
    changed[place] ^= flip
    refused(kind, bytes(changed))


def test_every_single_byte_of_a_request_counts():
    original = DATA[Kind.JOIN_REQUEST]
    for place in range(len(original)):
        changed = bytearray(original)
        changed[place] ^= 1 << (place % 8)
        refused(Kind.JOIN_REQUEST, bytes(changed))


@each_kind
@many
@given(data=st.data())
def test_a_cut_or_an_addition_is_noticed(kind, data):
    original = DATA[kind]
    place = data.draw(st.integers(0, len(original) - 1))
    added = data.draw(st.binary(min_size=1, max_size=4))
    refused(kind, original[:place])
    refused(kind, original + added)
    refused(kind, added + original)


@each_kind
@many
@given(data=st.data())
def test_a_changed_letter_is_noticed(kind, data):
    text = FILES[kind]
    start, end = text.index(b"\n") + 1, text.rindex(b"\n-----END")
    place = data.draw(st.integers(start, end - 1).filter(lambda i: text[i : i + 1] not in b"\n"))
    letter = data.draw(st.sampled_from(b"ABCabc019+/=-!\x00\xff").filter(lambda x: x != text[place]))
    with pytest.raises((MembershipError, RosterError)):
        READ[kind](text[:place] + bytes([letter]) + text[place + 1 :])


@each_kind
@many
@given(junk=st.binary(max_size=200))
def test_junk_is_refused_in_words(kind, junk):
    refused(kind, junk)
    with pytest.raises(MembershipError):
        READ[kind](junk)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64 - 1)
    | st.floats()
    | st.text(max_size=8)
    | st.binary(max_size=70),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


def paths(value, path=()):
    """Every place in a document."""
    yield path
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, child in children:
        yield from paths(child, (*path, key))


def put(value, path, new):
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = put(copy[path[0]], path[1:], new)
    return copy


ROSTER = encoding.decode(ALLIANCE.roster.encode(), limit=LIMIT)


def decoded(kind, data):
    """What the bytes say, if they are the one encoding of it; ``None`` if they are refused as malformed."""
    code = None
    try:
        value = kind.decode(data)
    except RosterError as e:
        code = e.code
    if code is not None:
        assert code == "roster-malformed"
        return None
    assert value.encode() == data
    return value


@many
@given(place=st.sampled_from(list(paths(ROSTER))), new=values)
def test_any_value_anywhere_in_a_roster_is_read_back_or_refused(place, new):
    """Whatever stands in a field, the reader neither fails otherwise nor reads two encodings as one."""
    body = encoding.encode(put(ROSTER, place, new))
    roster = decoded(Roster, body)
    if roster is not None and body != ALLIANCE.roster.encode():
        with pytest.raises(RosterError):
            ALLIANCE.chain.adopt([ALLIANCE.forge(roster)])


@many
@given(place=st.sampled_from(list(paths(encoding.decode(DATA[Kind.PROPOSAL], limit=LIMIT)))), new=values)
def test_any_value_anywhere_in_an_envelope_is_read_back_or_refused(place, new):
    data = encoding.encode(put(encoding.decode(DATA[Kind.PROPOSAL], limit=LIMIT), place, new))
    decoded(SignedRoster, data)


@pytest.mark.parametrize(
    "data",
    [
        b"\xd9\x01\x02\x80",  # a set
        b"\xc1\x00",  # a date
        b"\xd8\x23\x61(",  # a regular expression
        b"\xc2\x41\x01",  # a big number, small
        b"\xd8\x1c\x81\xd8\x1d\x00",  # a list that holds itself
        b"\x9f\xff",  # indefinite length
        b"\x18\x01",  # a number, too long
        b"\xa2\x61b\x00\x61a\x00",  # keys out of order
        b"\xa2\x61a\x00\x61a\x00",  # a key twice
        b"\x61\xff",  # no UTF-8
        b"\x81" * 9 + b"\x00",  # too deep
        b"\x81" * 100_000,
        b"\x9b" + b"\xff" * 8,  # a list of 2^64 - 1
        b"\x5b" + b"\x7f" * 8,
        b"\x00\x00",  # something after the end
        b"",
    ],
    ids=lambda d: d[:6].hex(),
)
def test_only_one_encoding_of_a_value_is_decoded(data):
    with pytest.raises(ValueError, match="it "):
        encoding.decode(data, limit=LIMIT)


@given(values.filter(lambda v: "nan" not in repr(v)))
def test_what_is_encoded_is_decoded(value):
    assert encoding.decode(encoding.encode(value), limit=LIMIT) == value
