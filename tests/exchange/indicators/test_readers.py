"""Reading files: what people export, and what goes wrong with files."""

import gzip
import re
from collections import Counter
from pathlib import Path

import pytest

from exchange.data import samples
from exchange.errors import InputError
from exchange.indicators import Batch, IndicatorType, formats, read, readers
from exchange.indicators.readers import source


@pytest.fixture
def write(tmp_path):
    def write(content: str | bytes, name: str = "feed.txt") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def everything(path: Path, **how: str) -> tuple[dict[str, list[str]], dict[str, int]]:
    """All values of a file by type, and how many were refused for which reason."""
    values: dict[str, list[str]] = {}
    refused: Counter[str] = Counter()
    for batch in read(path, **how):
        refused += batch.refused
        for kind, column in batch.values.items():
            values.setdefault(kind.value, []).extend(column)
    return values, dict(refused)


TEXT = """# a list
8.8.8.8
8.8.4[.]4  # resolver
; another comment
// and another

hxxps://evil[.]com/a#fragment   ; seen twice
 "Evil.Example.COM",
- bad[@]evil.com
`5D41402ABC4B2A76B9719D911017C592`
evil.com other.com
8.8.8.8\t9
10.0.0.1
"""
TEXT_VALUES = {
    "ipv4": ["8.8.8.8", "8.8.4.4"],
    "url": ["https://evil.com/a"],
    "domain": ["evil.example.com"],
    "email": ["bad@evil.com"],
    "md5": ["5d41402abc4b2a76b9719d911017c592"],
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gzip", "crlf", "cr"])
def test_text(write, encoding: str) -> None:
    match encoding:
        case "gzip":
            path = write(gzip.compress(TEXT.encode()))
        case "crlf" | "cr":
            path = write(TEXT.replace("\n", {"crlf": "\r\n", "cr": "\r"}[encoding]))
        case _:
            path = write(TEXT.encode(encoding))
    assert everything(path) == (TEXT_VALUES, {"not-one-value": 2, "not-global": 1})


THREATFOX = """################
# "first_seen_utc","ioc_id","ioc_value","ioc_type","threat_type","confidence"
"2026-08-22 03:00:01", "1", "8.8.8.8:4443", "ip:port", "botnet_cc", "100"
"2026-08-22 03:00:02", "2", "evil.com", "domain", "botnet_cc", "75"
"2026-08-22 03:00:03", "3", "http://evil.com/x", "url", "payload_delivery", "50"
"2026-08-22 03:00:04", "4", "5D41402ABC4B2A76B9719D911017C592", "md5_hash", "payload", "50"
"""
TWEETFEED = """2026-01-01 01:00:07,somebody,domain,evil.com,#phish,https://x.com/a/status/1
2026-01-01 01:00:08,somebody,url,https://evil.com/a,,https://x.com/a/status/1
2026-01-01 01:00:09,somebody,ip,8.8.8.8,,https://x.com/a/status/2
2026-01-01 01:00:10,somebody,md5,5d41402abc4b2a76b9719d911017c592,,https://x.com/a/status/2
"""
FOUND = {"ipv4", "domain", "url", "md5"}


@pytest.mark.parametrize("text", [THREATFOX, TWEETFEED], ids=["threatfox", "tweetfeed"])
def test_tables_with_a_type_column(write, text: str) -> None:
    values, refused = everything(write(text))
    assert (set(values), refused) == (FOUND, {})
    assert all(len(column) == 1 for column in values.values())
    assert "x.com" not in str(values), "the column of sources is no column of indicators"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("family\ttrail\nx\tevil.com\nx\t8.8.8.8:80\n", {"domain": ["evil.com"], "ipv4": ["8.8.8.8"]}),
        ("njrat\tevil.com\nnjrat\thttp://8.8.8.8\n", {"domain": ["evil.com"], "url": ["http://8.8.8.8/"]}),
        ("# IPsum\n#\n8.8.8.8\t9\n8.8.4.4\t7\n", {"ipv4": ["8.8.8.8", "8.8.4.4"]}),
        ("IOC, Valid From\n8.8.8[.]8:80,2026-01-01\n", {"ipv4": ["8.8.8.8"]}),
        ("note;sha1;ip\nx;aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d;8.8.8.8\n",
         {"sha1": ["aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d"], "ipv4": ["8.8.8.8"]}),
        ('name,domain\n"a, ""b""",evil.com\nc,evil.org\n', {"domain": ["evil.com", "evil.org"]}),
        ("evil.com|x\nevil.org|y\n", {"domain": ["evil.com", "evil.org"]}),
        ("http://evil.com/a,b\nhttp://evil.com/c\nhttp://evil.com/d,e,f\n",
         {"url": ["http://evil.com/a,b", "http://evil.com/c", "http://evil.com/d,e,f"]}),
        ('njrat\t"evil.com"\nnjrat\t"evil.org\nnjrat\tevil.net\n',
         {"domain": ["evil.com", "evil.org", "evil.net"]}),
    ],
    ids=["header", "trails", "comments", "spaces", "typed columns", "quotes", "bars", "commas", "tsv quotes"],
)  # fmt: skip
def test_tables(write, text: str, expected: dict[str, list[str]]) -> None:
    assert everything(write(text)) == (expected, {})


def test_types_of_others_are_refused_and_counted(write) -> None:
    rows = "type,value\nyara,evil.com\nfile-path,evil.org\ndomain,evil.net\nsha256,evil.net\nhash,8.8.8.8\n"
    values, refused = everything(write(rows))
    assert values == {"domain": ["evil.net"], "ipv4": ["8.8.8.8"]}
    assert refused == {"unsupported-type": 2, "bad-digest": 1}


def test_an_open_quote_does_not_join_lines(write) -> None:
    rows = 'type,value\nurl,http://evil.com/a\nurl,"http://evil.com/b\nurl,http://evil.com/c\n'
    assert everything(write(rows)) == ({"url": ["http://evil.com/a"]}, {"not-one-value": 1})


def test_a_column_called_type_need_not_name_types(write) -> None:
    rows = "indicator,type\nevil.com,C2\n8.8.8.8,scanner\n"
    assert everything(write(rows)) == ({"domain": ["evil.com"], "ipv4": ["8.8.8.8"]}, {})


def test_a_first_row_that_is_no_header_is_counted(write) -> None:
    rows = "njrat\tevil.bazar\nnjrat\tevil.com\nnjrat\tevil.org\n"
    assert everything(write(rows)) == ({"domain": ["evil.com", "evil.org"]}, {"unknown-suffix": 1})


def test_the_format_can_be_stated(write) -> None:
    path = write("evil.com,evil.org\nevil.net,evil.info\n")
    assert everything(path, format="csv")[0] == {"domain": ["evil.com", "evil.net"]}
    assert everything(path, format="text") == ({}, {"bad-domain": 2})
    with pytest.raises(InputError, match="no format 'xml'"):
        everything(path, format="xml")
    assert {"csv", "report", "text"} <= set(formats())


def test_a_file_comes_in_batches(write, monkeypatch) -> None:
    monkeypatch.setattr(readers, "BATCH_SIZE", 10)
    path = write("".join(f"8.8.8.{i}\n" for i in range(25)))
    assert [len(batch) for batch in read(path)] == [10, 10, 5]


ZIPPED = gzip.compress(b"".join(b"8.8.%d.%d\n" % (i >> 8, i & 255) for i in range(65536)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (gzip.compress(b""), "is empty"),
        (ZIPPED[:-9], r"line 6553\d: the gzip data are damaged"),
        (ZIPPED[:5], "line 1: the gzip data are damaged"),
        (ZIPPED[:99_000] + b"\xff" * 99 + ZIPPED[99_000:], r"line \d+: the gzip data are damaged"),
        (ZIPPED[:-4] + b"\0\0\0\0", "line 65537: the gzip data are damaged"),
        (b"8.8.8.8\n8.8.4.4\0\n", "line 2: a NUL byte"),
        ("8.8.8.8\n".encode("utf-16-le"), "line 1: a NUL byte"),
        (b"8.8.8.8\nb\xfcro.com\n", "line 2: not UTF-8"),
        ("8.8.8.8\n".encode("utf-16")[:-1], "not UTF-16"),
        (b"8.8.8.8\n" * 3 + b"a" * source.MAX_LINE_CHARS, "line 4: longer than"),
        (b"type,value\n" + b'url,"' + b"a\n" * 70_000, r"line \d+: not a table"),
    ],
    ids=["empty", "empty gzip", "cut gzip", "cut header", "damaged gzip", "wrong checksum", "NUL", "no mark",
         "latin1", "odd UTF-16", "endless line", "endless cell"],
)  # fmt: skip
def test_damaged_files(write, content: bytes, message: str) -> None:
    path = write(content)
    with pytest.raises(InputError, match=re.escape(str(path)) + ".*" + message) as error:
        everything(path, format="csv" if b"type," in content else "auto")
    assert error.value.code == "input"
    assert len(str(error.value)) < len(str(path)) + 80, "an error names the place, and quotes nothing"


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        everything(tmp_path / "none.txt")
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        everything(tmp_path)


def test_no_column_of_indicators(write) -> None:
    with pytest.raises(InputError, match="no column of indicators"):
        everything(write("a,b\nc,d\n"), format="csv")


def test_a_batch_counts_what_it_was_given() -> None:
    batch = Batch.of(
        [
            ("8.8.8.8", None, None),
            ("evil.com", IndicatorType.DOMAIN, None),
            ("evil.com", IndicatorType.MD5, None),
        ]
    )
    assert len(batch) == 3
    assert batch.refused == {"bad-digest": 1}


def test_samples_have_their_licence_beside_them() -> None:
    assert list(samples()) == ["eset", "sekoia", "unit42"]
    for feed in samples().values():
        assert {"LICENSE", "README.md"} <= {entry.name for entry in feed.parent.iterdir()}
    assert sum(feed.stat().st_size for feed in samples().values()) < 700_000


SAMPLE_OVERLAPS = {
    ("eset", "sekoia"): {"domain": 1, "md5": 4, "url": 9},
    ("eset", "unit42"): {"domain": 3, "ipv4": 1, "md5": 2, "sha256": 4, "url": 28},
    ("sekoia", "unit42"): {"domain": 1, "ipv4": 16, "url": 9},
}


def test_what_the_samples_share() -> None:
    sets = {
        name: {(kind, v) for batch in read(feed) for kind, column in batch.values.items() for v in column}
        for name, feed in samples().items()
    }
    for (a, b), overlap in SAMPLE_OVERLAPS.items():
        assert Counter(kind.value for kind, _ in sets[a] & sets[b]) == overlap
    assert all(5_000 < len(items) < 25_000 for items in sets.values())


def test_batches_are_cut_by_what_they_weigh(write, monkeypatch) -> None:
    """Or else values of thousands of characters, or contexts full of tags, fill the memory."""
    monkeypatch.setattr(readers, "BATCH_CHARS", 5_000)
    long = "".join(f"http://evil.com/{'a' * 1000}{i}\n" for i in range(12))
    assert [len(batch) for batch in read(write(long))] == [5, 5, 2]
    tags = "".join(f"8.8.8.{i},{'t' * 200}{i}\n" for i in range(50))
    assert len(list(read(write("ip,tags\n" + tags)))) > 1
