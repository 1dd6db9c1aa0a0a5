"""One opened input file: decompressed, decoded, cut into lines of bounded length."""

import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, TextIOWrapper
from pathlib import Path
from typing import IO, cast

from exchange.errors import InputError

MAX_LINE_CHARS = 1 << 20
SAMPLE_CHARS = 1 << 16

_GZIP = b"\x1f\x8b"
_BOMS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_NOT_UTF8 = re.compile("[\udc80-\udcff]")  # what surrogateescape makes of a byte that is not UTF-8


class Source:
    """A file that is being read.

    Attributes:
        path: where it is.
        sample: its first lines, up to 64 Ki characters, for telling its format.
        line: how many lines are done.
    """

    def __init__(self, path: Path, stream: IO[bytes]) -> None:
        self.path = path
        self.line = 0
        self._stream = stream
        try:
            head = cast(BufferedReader, stream).peek(3)[:3]
        except (EOFError, zlib.error, gzip.BadGzipFile) as e:
            raise self._damaged() from e
        self.encoding = next((e for bom, e in _BOMS.items() if head.startswith(bom)), "utf-8")
        # UTF-8 is decoded leniently and checked line by line, so that an error can name its line.
        errors = "strict" if self.encoding == "utf-16" else "surrogateescape"
        self._text = TextIOWrapper(stream, encoding=self.encoding, errors=errors)
        self._ahead = list(self._sample())
        self.sample = "".join(self._ahead)
        if not self._ahead:
            raise InputError(f"{path} is empty", hint="was it fetched whole?")

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator["Source"]:
        """Open a file, gzipped or not.

        Raises:
            InputError: there is no such file, it is a folder, it may not be read, or it starts like no text.
        """
        try:
            with path.open("rb") as raw:
                zipped = raw.peek(2)[:2] == _GZIP
                yield cls(path, cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if zipped else raw)
        except OSError as e:
            raise InputError(f"{path} cannot be read: {e.strerror or e}") from e

    def lines(self) -> Iterator[str]:
        """Every line, with its line break.

        Raises:
            InputError: damaged gzip, not text in the encoding it should be in, or an endless line.
        """
        self.line = 0
        for line in self._ahead:
            yield line
            self.line += 1
        yield from self._rest()

    def fail(self, what: str, *, hint: str = "") -> InputError:
        """An error that names this file and the line that comes next."""
        return InputError(f"{self.path}, line {self.line + 1}: {what}", hint=hint)

    def _sample(self) -> Iterator[str]:
        size = 0
        for line in self._rest():
            size += len(line)
            yield line
            if size >= SAMPLE_CHARS:
                break

    def _rest(self) -> Iterator[str]:
        """The lines after those that were read."""
        readline = self._text.readline
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
        except (EOFError, zlib.error, gzip.BadGzipFile) as e:
            raise self._damaged() from e
        except UnicodeError as e:
            raise self.fail(f"here or soon after, not {self.encoding.upper()}") from e

    def _damaged(self) -> InputError:
        return self.fail("the gzip data are damaged or cut short", hint="fetch the file again")
