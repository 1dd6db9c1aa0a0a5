"""The folder: written whole or not at all; the manifest and the long files in their one form."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto import labels
from exchange.audit import folder as folders
from exchange.audit import sequence
from exchange.audit.manifest import FORMAT, NAME, Manifest
from exchange.errors import LedgerError
from exchange.ledger import note
from exchange.ledger.leaf import MAX_LEAF_BYTES, MAX_RECEIPT_BYTES
from exchange.ledger.receipt import InitiatorPart, ResponderPart
from tests.exchange.audit.world import world
from tests.exchange.ledger.entries import KEY, PUBLIC

FILES = {"leaves": "11" * 32, "README.txt": "22" * 32}
MANIFEST = Manifest("cosight/threats.example/acme", 3, "2026-03-01T12:00:00.000000Z", FILES)


class TestManifest:
    def test_form(self) -> None:
        lines = MANIFEST.sign(KEY).decode().split("\n")
        assert lines[:7] == [
            FORMAT,
            "cosight/threats.example/acme",
            "3",
            "2026-03-01T12:00:00.000000Z",
            f"{'22' * 32}  README.txt",
            f"{'11' * 32}  leaves",
            "",
        ]
        assert Manifest.parse(MANIFEST.sign(KEY)) == MANIFEST
        assert MANIFEST.signed_by(MANIFEST.sign(KEY), PUBLIC)

    def test_no_checkpoint_passes_for_one_nor_one_for_a_checkpoint(self) -> None:
        assert not note.ORIGIN.fullmatch(FORMAT)
        signed = note.sign(note.Checkpoint("cosight/acme", 3, bytes(32)), KEY)
        with pytest.raises(LedgerError):
            Manifest.parse(signed.encode())
        with pytest.raises(LedgerError):
            note.read(MANIFEST.sign(KEY).decode(), PUBLIC)

    def test_no_byte_is_free(self) -> None:
        signed = MANIFEST.sign(KEY)
        for place in range(len(signed)):
            for other in {signed[place - 1], 10, 32, 65} - {signed[place]}:
                changed = signed[:place] + bytes([other]) + signed[place + 1 :]
                assert not _is_signed(changed)
        for changed in (signed + b"\n", signed[:-1], signed + signed, b"", b"\n\n"):
            assert not _is_signed(changed)

    @pytest.mark.parametrize(
        "path", ["../x", "/etc/passwd", "rosters/1.roster", "documents/x", "MANIFEST", "a b"]
    )
    def test_other_paths_are_refused(self, path: str) -> None:
        with pytest.raises(LedgerError):
            Manifest.parse(Manifest(MANIFEST.origin, 3, MANIFEST.time, {path: "00" * 32}).sign(KEY))


class TestSequence:
    @given(st.lists(st.binary(max_size=600), max_size=6))
    def test_round_trip(self, bodies: list[bytes]) -> None:
        assert list(sequence.bodies(b"".join(map(sequence.wrapped, bodies)))) == bodies

    @pytest.mark.parametrize(
        ("data", "whole"),
        [
            (b"\x41", 0), (b"\x58\x02ab", 0), (b"\x59\x00\x02ab", 0), (b"\x5a\x00\x00\x00\x02ab", 0),
            (b"\x61a", 0), (b"\x40\xff", 1), (b"\x42ab\x42a", 1), (b"\x5f\x41a\xff", 0),
        ],
    )  # fmt: skip
    def test_other_encodings_are_refused(self, data: bytes, whole: int) -> None:
        found: list[bytes] = []
        with pytest.raises(LedgerError):
            found.extend(sequence.bodies(data))
        assert len(found) == whole

    @given(st.binary(max_size=60))
    def test_what_is_read_is_what_would_be_written(self, data: bytes) -> None:
        try:
            bodies = list(sequence.bodies(data))
        except LedgerError:
            return
        assert b"".join(map(sequence.wrapped, bodies)) == data


class TestFolder:
    def test_what_is_written_is_read(self, tmp_path: Path) -> None:
        parts = {"README.txt": b"hello", "documents/" + "0" * 64: b"x", "leaves": b""}
        seen: list[dict[str, str]] = []

        def manifest(files: dict[str, str]) -> bytes:
            seen.append(files)
            return b"manifest"

        target = tmp_path / "new" / "export"
        folders.write(target, [(path, [data]) for path, data in parts.items()], manifest)
        assert folders.read(target) == parts | {NAME: b"manifest"}
        assert seen[0].keys() == parts.keys()
        assert list(target.parent.iterdir()) == [target]

    def test_an_empty_folder_is_taken_and_a_full_one_is_not(self, tmp_path: Path) -> None:
        target = tmp_path / "export"
        target.mkdir()
        folders.write(target, [("leaves", [b"x"])], lambda _: b"m")
        for full in (target, target / "leaves"):
            with pytest.raises(LedgerError) as refused:
                folders.write(full, [("leaves", [b"y"])], lambda _: b"m")
            assert refused.value.code == "export-exists"
        assert folders.read(target) == {"leaves": b"x", NAME: b"m"}

    def test_what_fails_leaves_nothing(self, tmp_path: Path) -> None:
        def parts() -> object:
            yield "leaves", [b"x"]
            raise LedgerError("the ledger is damaged")

        with pytest.raises(LedgerError, match="damaged"):
            folders.write(tmp_path / "export", parts(), lambda _: b"m")  # type: ignore[arg-type]
        assert list(tmp_path.iterdir()) == []

    def test_no_export(self, tmp_path: Path) -> None:
        for path in (tmp_path / "none", Path(__file__)):
            with pytest.raises(LedgerError) as refused:
                folders.read(path)
            assert refused.value.code == "no-export"


def test_no_secret_and_no_indicator_is_in_an_export() -> None:
    """The words of both sets, and the private keys."""
    for files in world().exports.values():
        everything = b"".join(files.values())
        for key in world().keys.values():
            assert key.private_bytes_raw() not in everything
            assert key.private_bytes_raw().hex().encode() not in everything


def test_the_page_has_what_the_code_has() -> None:
    text = (Path(__file__).parents[3] / "docs" / "verifying.md").read_text()
    signed = (
        labels.AGREEMENT, labels.POLICY, labels.ROSTER, labels.RECEIPT_INITIATOR, labels.RECEIPT_RESPONDER,
        labels.APPROVAL,
    )  # fmt: skip
    assert [label for label in signed if f'"{label}"' not in text] == []
    assert f"\n{FORMAT}\n" in text
    assert f"at most {MAX_LEAF_BYTES} bytes" in text
    assert f"1 to {MAX_RECEIPT_BYTES} bytes" in text
    parts = {*InitiatorPart.__slots__, *ResponderPart.__slots__}
    assert [name for name in parts if f"`{name}`" not in text] == []


def _is_signed(data: bytes) -> bool:
    try:
        return Manifest.parse(data).signed_by(data, PUBLIC)
    except LedgerError:
        return False
