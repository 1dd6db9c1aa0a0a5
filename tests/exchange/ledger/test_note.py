"""Checkpoints as signed notes."""

import base64

import pytest

from exchange.errors import LedgerError
from exchange.ledger import Checkpoint, note, origin, verifier_key
from tests.exchange.ledger.entries import KEY, PUBLIC


class TestNote:
    checkpoint = Checkpoint(origin("acme", "threats.example"), 3, bytes(range(32)))

    def test_key_id_of_the_specification(self) -> None:
        published = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
        key = base64.b64decode(published.rpartition("+")[2])[1:]
        assert verifier_key("PeterNeumann", key) == published

    def test_form(self) -> None:
        lines = note.sign(self.checkpoint, KEY).split("\n")
        assert lines[:4] == [
            "cosight/threats.example/acme",
            "3",
            base64.b64encode(bytes(range(32))).decode(),
            "",
        ]
        assert lines[4].startswith("— cosight/threats.example/acme ")
        blob = base64.b64decode(lines[4].rpartition(" ")[2])
        assert blob[:4] == note.key_hash(self.checkpoint.origin, PUBLIC)
        KEY.public_key().verify(blob[4:], self.checkpoint.text().encode())

    def test_reading(self) -> None:
        assert note.read(note.sign(self.checkpoint, KEY), PUBLIC) == self.checkpoint
        with pytest.raises(LedgerError, match="not signed"):
            note.read(note.sign(self.checkpoint, KEY), bytes(32))

    def test_no_character_is_free(self) -> None:
        signed = note.sign(self.checkpoint, KEY)
        for place in range(len(signed)):
            for other in {signed[place - 1], "A", "B", "\n", "é"} - {signed[place]}:
                with pytest.raises(LedgerError):
                    note.read(signed[:place] + other + signed[place + 1 :], PUBLIC)
        for other in (signed + "\n", signed[:-1], signed + signed.split("\n")[4] + "\n"):
            with pytest.raises(LedgerError):
                note.read(other, PUBLIC)

    @pytest.mark.parametrize(
        "bad", ["acme", "cosight/", "cosight/a/b/c", "cosight/Acme", "cosight/a b", "other/acme"]
    )
    def test_names(self, bad: str) -> None:
        assert note.member_of("cosight/acme") == note.member_of("cosight/threats.example/acme") == "acme"
        with pytest.raises(LedgerError):
            note.member_of(bad)
