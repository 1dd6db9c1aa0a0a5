"""One opened input: decompressed, decoded, cut into lines of bounded length, and readable more than once."""

import gzip
import re
import shutil
import sys
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader, RawIOBase, TextIOWrapper
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, cast

from exchange.errors import InputError

STANDARD_INPUT = Path("-")
MAX_LINE_CHARS = 1 << 20
SAMPLE_CHARS = 1 << 16

_GZIP = b"\x1f\x8b"
# What people have instead of a text file, by its first bytes, and what to do about it.
_UNPACK = "unpack it first"
_SAVE_AS_TEXT = "save its text or its table, or ask its producer for STIX, MISP or CSV"
_OTHER_KINDS = {
    b"%PDF-": ("a PDF document", _SAVE_AS_TEXT),
    b"PK\x03\x04": ("a ZIP archive, or a document of an office suite", "unpack it, or save its table as CSV"),
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": ("a document of an old office suite", _SAVE_AS_TEXT),
    b"{\\rtf": ("an RTF document", _SAVE_AS_TEXT),
    b"\x89PNG": ("an image", "look for the list behind it"),
    b"\xff\xd8\xff": ("an image", "look for the list behind it"),
    b"GIF8": ("an image", "look for the list behind it"),
    b"BZh": ("compressed with bzip2", _UNPACK),
    b"\xfd7zXZ\x00": ("compressed with xz", _UNPACK),
    b"\x28\xb5\x2f\xfd": ("compressed with zstd", _UNPACK),
    b"\x1f\x8b": ("gzip within gzip", _UNPACK),
    b"7z\xbc\xaf\x27\x1c": ("a 7z archive", _UNPACK),
    b"Rar!\x1a\x07": ("a RAR archive", _UNPACK),
    b"SQLite format 3\x00": ("a database of SQLite", "export its table as CSV"),
    b"\x7fELF": ("a program", "cosight reads what is known about programs, not programs"),
    b"MZ\x90\x00": ("a program", "cosight reads what is known about programs, not programs"),
}
_TAR_MAGIC_AT = 257

_BOMS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_NOT_UTF8 = re.compile("[\udc80-\udcff]")  # what surrogateescape makes of a byte that is not UTF-8
_DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile)


class Source:
    """An input that is being read.

    Attributes:
        name: what errors call it: its path, or "standard input".
        path: where it is; ``-`` for standard input.
        sample: its first 64 Ki characters, for telling its format.
        line: how many lines are done.
        notes: what a reader counted besides values, such as STIX patterns; ``read`` puts them into batches.
    """

    def __init__(self, path: Path, raw: IO[bytes]) -> None:
        self.path = path
        self.name = "standard input" if path == STANDARD_INPUT else str(path)
        self.line = 0
        self.notes = Counter[str]()
        self._raw = raw
        self._zipped = raw.read(2) == _GZIP
        try:
            head = self._stream().read(_TAR_MAGIC_AT + 5)
        except _DAMAGED as e:
            raise self._damaged() from e
        if not head:
            raise InputError(f"{self.name} is empty", hint="was it fetched whole?")
        _check_kind(self.name, head)
        self.encoding = next((e for bom, e in _BOMS.items() if head.startswith(bom)), "utf-8")
        self.sample = self._sample()

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator["Source"]:
        """Open a file, gzipped or not, or standard input for ``-``.

        What cannot be read twice, such as a pipe, is copied to a nameless file in the folder for temporary
        files first.

        Raises:
            InputError: there is no such file, it is a folder, it may not be read, or it starts like no text.
        """
        try:
            raw = sys.stdin.buffer if path == STANDARD_INPUT else path.open("rb")
            try:
                if raw.seekable() and path != STANDARD_INPUT:
                    yield cls(path, raw)
                else:
                    with TemporaryFile() as copy:
                        shutil.copyfileobj(raw, copy)
                        copy.seek(0)
                        yield cls(path, cast(IO[bytes], copy))
            finally:
                if path != STANDARD_INPUT:
                    raw.close()
        except OSError as e:
            raise InputError(f"{path} cannot be read: {e.strerror or e}") from e

    def lines(self) -> Iterator[str]:
        """Every line from the first one on, with its line break.

        Raises:
            InputError: damaged gzip, not text in the encoding it should be in, or an endless line.
        """
        self.line = 0
        readline = self._text().readline
        try:
            while line := readline(MAX_LINE_CHARS):
                if "\0" in line:
                    raise self.fail("a NUL byte: not text", hint="UTF-16 needs its byte order mark")
                if not line.isascii() and _NOT_UTF8.search(line):
                    raise self.fail("not UTF-8", hint="convert it, for example: iconv -f latin1 -t utf-8")
                if len(line) == MAX_LINE_CHARS:
                    raise self.fail(
                        f"longer than {MAX_LINE_CHARS:,} characters", hint="no list of indicators"
                    )
                yield line
                self.line += 1
        except _DAMAGED as e:
            raise self._damaged() from e
        except UnicodeError as e:
            raise self.fail(f"here or soon after, not {self.encoding.upper()}") from e

    def binary(self) -> IO[bytes]:
        """The content from its first byte on, decompressed, in UTF-8 without a byte order mark.

        Reading from it raises ``InputError`` where the gzip data are damaged or the text cannot be decoded.
        """
        return cast(IO[bytes], BufferedReader(_Recoded(self)))

    def fail(self, what: str, *, hint: str = "") -> InputError:
        """An error that names this file and the line that comes next."""
        return InputError(f"{self.name}, line {self.line + 1}: {what}", hint=hint)

    def _sample(self) -> str:
        try:
            return self._text().read(SAMPLE_CHARS)
        except _DAMAGED as e:
            raise self._damaged() from e
        except UnicodeError as e:
            raise self.fail(f"here or soon after, not {self.encoding.upper()}") from e

    def _stream(self) -> IO[bytes]:
        self._raw.seek(0)
        return cast(IO[bytes], gzip.GzipFile(fileobj=self._raw)) if self._zipped else self._raw

    def _text(self) -> TextIOWrapper:
        # UTF-8 is decoded leniently and checked line by line, so that an error can name its line.
        errors = "strict" if self.encoding == "utf-16" else "surrogateescape"
        return _Borrowing(self._stream(), encoding=self.encoding, errors=errors)

    def _damaged(self) -> InputError:
        return self.fail("the gzip data are damaged or cut short", hint="fetch the file again")


def _check_kind(name: str, head: bytes) -> None:
    """Refuse what is plainly no text, in words that help.

    Raises:
        InputError: it is a document, an archive, an image or a program.
    """
    if head[_TAR_MAGIC_AT:] == b"ustar":
        raise InputError(f"{name} is a tar archive", hint=_UNPACK)
    for magic, (kind, hint) in _OTHER_KINDS.items():
        if head.startswith(magic):
            raise InputError(f"{name} is {kind}", hint=hint)


class _Borrowing(TextIOWrapper):
    """A decoder that leaves what it reads from open, for whoever reads it next."""

    def __del__(self) -> None:
        with suppress(ValueError):
            self.detach()


class _Recoded(RawIOBase):
    """The bytes of a source as UTF-8."""

    def __init__(self, source: Source) -> None:
        super().__init__()
        self._source = source
        self._text = source._text() if source.encoding == "utf-16" else None  # noqa: SLF001
        self._bytes = source._stream()  # noqa: SLF001
        if source.encoding == "utf-8-sig":
            self._bytes.read(3)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            # A quarter: a character of UTF-16 takes up to three bytes in UTF-8, a surrogate pair four.
            data = self._text.read(len(buffer) // 4).encode() if self._text else self._bytes.read(len(buffer))
        except _DAMAGED as e:
            raise self._source._damaged() from e  # noqa: SLF001
        except UnicodeError as e:
            raise InputError(f"{self._source.name} is not {self._source.encoding.upper()}") from e
        buffer[: len(data)] = data
        return len(data)
