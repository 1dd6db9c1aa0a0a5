"""The file of a light member: what comes out is what went in, and nothing else comes out."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.errors import MembershipError
from exchange.identity import encoding, light
from exchange.identity.keys import NodeKeys, public_bytes
from exchange.identity.light import LightMember, is_sealed

SECRET = "correct horse battery"
KEYS = NodeKeys.generate()
MEMBER = LightMember(
    "umbra", KEYS.to_pem(), bytes(range(32)), (b"roster",), {"acme": "127.0.0.1:1"}, "version = 1\n"
)
HEAD = b"cosight light member 1\n"


@pytest.fixture(autouse=True)
def _cheap(monkeypatch):
    """A cost that tests can pay; one of them pays the real one."""
    monkeypatch.setattr(light, "SCRYPT_N", 1 << 4)


def nobody() -> str:
    raise AssertionError("nobody is asked for a passphrase")


def refused(data: bytes, passphrase: str = SECRET) -> str:
    with pytest.raises(MembershipError) as e:
        LightMember.read(data, lambda: passphrase)
    assert passphrase not in str(e.value)
    assert passphrase not in e.value.hint
    return e.value.code


def test_open_or_sealed_it_comes_back():
    plain, sealed = MEMBER.write(None), MEMBER.write(SECRET)
    assert (is_sealed(plain), is_sealed(sealed)) == (False, True)
    assert LightMember.read(plain, nobody) == LightMember.read(sealed, lambda: SECRET) == MEMBER
    assert public_bytes(LightMember.read(plain, nobody).keys.log) == public_bytes(KEYS.log)


def test_what_is_sealed_shows_nothing_and_never_twice_the_same():
    sealed = MEMBER.write(SECRET)
    assert sealed != MEMBER.write(SECRET)
    for text in (b"umbra", b"PRIVATE", b"roster", b"acme", b"version", SECRET.encode()):
        assert text not in sealed[len(HEAD) :]
        assert text in MEMBER.write(None) or text == SECRET.encode()


def test_the_keys_are_not_in_its_repr():
    assert "PRIVATE" not in repr(MEMBER)
    assert "version" not in repr(MEMBER)


def test_a_wrong_passphrase_is_said_to_be_one():
    assert refused(MEMBER.write(SECRET), "correct horse batterz") == "passphrase-wrong"
    assert LightMember.read(MEMBER.write("Z\u00fcrich-see"), lambda: "Zu\u0308rich-see") == MEMBER


def test_a_short_passphrase_seals_nothing():
    with pytest.raises(MembershipError) as e:
        MEMBER.write("short")
    assert e.value.code == "passphrase-short"


def test_the_cost_is_the_one_that_the_docs_state(monkeypatch):
    monkeypatch.undo()
    assert (light.SCRYPT_N, light.SCRYPT_R, light.SCRYPT_P) == (1 << 17, 8, 1)
    assert LightMember.read(MEMBER.write(SECRET), lambda: SECRET) == MEMBER


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_a_changed_byte_of_a_sealed_file_is_noticed(data):
    sealed = bytearray(MEMBER.write(SECRET))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    assert refused(bytes(sealed)) in {"passphrase-wrong", "light-malformed"}


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 10_000))
def test_a_cut_file_is_noticed(end):
    for whole in (MEMBER.write(None), MEMBER.write(SECRET)):
        if end < len(whole):
            assert refused(whole[:end]) == "light-malformed"


def written(**changed: object) -> bytes:
    body = encoding.decode(
        encoding.decode(MEMBER.write(None)[len(HEAD) :], limit=1 << 20)["body"], limit=1 << 20
    )
    return HEAD + encoding.encode({"salt": None, "nonce": None, "body": encoding.encode(body | changed)})


@pytest.mark.parametrize(
    "changed",
    [
        {"member": "UP"}, {"member": 1}, {"keys": {}}, {"keys": {"identity": b"", "log": b"", "ca": "text"}},
        {"genesis": b"short"}, {"rosters": []}, {"rosters": ["text"]}, {"peers": {"acme": "no port"}},
        {"peers": {'x" = 1\n[limits]\n': "h:1"}}, {"peers": {"acme": 1}}, {"policy": b""}, {"more": 1},
        {"policy": "#" * ((1 << 20) + 1)},
    ],
    ids=str,
)  # fmt: skip
def test_what_a_file_cannot_say_is_refused(changed):
    assert refused(written(**changed)) == "light-malformed"


@pytest.mark.parametrize(
    "envelope",
    [
        {"salt": bytes(16), "nonce": None, "body": b""}, {"salt": None, "nonce": bytes(12), "body": b""},
        {"salt": bytes(15), "nonce": bytes(12), "body": b""}, {"salt": None, "nonce": None, "body": "text"},
        {"body": b""}, [],
    ],
    ids=str,
)  # fmt: skip
def test_envelopes_that_are_none(envelope):
    assert refused(HEAD + encoding.encode(envelope)) == "light-malformed"


def test_other_files_are_none():
    assert refused(b"-----BEGIN COSIGHT APPROVAL-----") == refused(b"") == "light-malformed"
