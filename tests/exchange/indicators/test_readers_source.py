"""Inputs of every kind: pipes, standard input, gzip as it is found, and what is no text at all."""

import gzip
import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from exchange.errors import InputError
from exchange.indicators import read
from exchange.indicators.readers.source import Source

ONE, TWO = b"8.8.8.8\n", b"8.8.4.4\n"
READ = """import sys
from pathlib import Path
from exchange.indicators import read
print([value for batch in read(Path(sys.argv[1])) for column in batch.values.values() for value in column])
"""


def values(path: Path) -> list[str]:
    return [value for batch in read(path) for column in batch.values.values() for value in column]


@pytest.mark.parametrize("data", [ONE + TWO, gzip.compress(ONE) + gzip.compress(TWO)], ids=["plain", "gzip"])
def test_a_pipe(tmp_path: Path, data: bytes) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(data,))
    writer.start()
    assert values(pipe) == ["8.8.8.8", "8.8.4.4"]
    writer.join()


@pytest.mark.parametrize("path", ["-", "/dev/stdin"])
@pytest.mark.parametrize(
    "data", [ONE, ONE.decode().encode("utf-16"), gzip.compress(ONE)], ids=["plain", "16", "gz"]
)
def test_standard_input(path: str, data: bytes) -> None:
    command = [sys.executable, "-c", READ, path]
    done = subprocess.run(command, input=data, capture_output=True, check=True, timeout=60)
    assert done.stdout == b"['8.8.8.8']\n"


def test_standard_input_that_is_a_file(tmp_path: Path) -> None:
    feed = tmp_path / "feed"
    feed.write_bytes(ONE)
    with feed.open("rb") as stream:
        command = [sys.executable, "-c", READ, "-"]
        done = subprocess.run(command, stdin=stream, capture_output=True, check=True, timeout=60)
    assert done.stdout == b"['8.8.8.8']\n"


def test_errors_call_standard_input_by_its_name(monkeypatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"8.8.8.8\n\xff\n")))
    with pytest.raises(InputError, match=r"^standard input, line 2: not UTF-8"):
        values(Path("-"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (gzip.compress(ONE, mtime=0) + b"garbage", "the gzip data are damaged"),
        (gzip.compress(gzip.compress(ONE, mtime=0), mtime=0), "is gzip within gzip"),
        (b"%PDF-1.7\n%\xe2\xe3", "is a PDF document"),
        (b"PK\x03\x04\x14\0", "is a ZIP archive"),
        (gzip.compress(b"a" * 257 + b"ustar\0", mtime=0), "is a tar archive"),
        (b"\x89PNG\r\n\x1a\n", "is an image"),
        (b"BZh91AY", "is compressed with bzip2"),
        (b"<!DOCTYPE html>\n<html><body>evil[.]com</body></html>", "a web page, and no list"),
        (b"<?xml version='1.0'?>\n<feed><ip>8.8.8.8</ip></feed>", "XML that is no OpenIOC"),
        (b'{"name": "a graph", "nodes": [1, 2]}', "JSON of a kind that is not known"),
        ("8.8.8.8\n".encode("utf-16-be"), "line 1: a NUL byte"),
        (b"\xff\xfe\0\0" + "8.8.8.8\n".encode("utf-32-le"), "line 1: a NUL byte"),
        (b"\x7fELF\x02\x01", "is a program"),
    ],
)
def test_what_is_no_list(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    with pytest.raises(InputError, match=message) as error:
        values(path)
    assert str(path) in str(error.value)
    assert error.value.hint


def test_zeros_after_gzip_are_padding(tmp_path: Path) -> None:
    path = tmp_path / "padded.gz"
    path.write_bytes(gzip.compress(ONE) + b"\0" * 512)
    assert values(path) == ["8.8.8.8"]


def test_an_input_can_be_read_again_and_again(tmp_path: Path) -> None:
    for name, data in (
        ("plain", ONE + TWO),
        ("gz", gzip.compress(ONE + TWO)),
        ("16", "8.8.8.8\n".encode("utf-16")),
    ):
        path = tmp_path / name
        path.write_bytes(data)
        with Source.open(path) as source:
            whole = source.binary().read()
            assert whole.startswith(ONE), "in UTF-8, whatever it was"
            assert "".join(source.lines()).encode() == whole
            next(source.lines())
            assert source.binary().read() == whole == source.binary().read()
            assert source.sample.encode() == whole


def test_a_file_is_closed_when_reading_ends_early(tmp_path: Path) -> None:
    path = tmp_path / "feed"
    path.write_bytes(ONE * 100)
    before = len(list(Path("/proc/self/fd").iterdir()))
    batches = read(path)
    next(batches)
    batches.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
