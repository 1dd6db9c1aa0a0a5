"""What is told apart in logs of several makes, and what hostile ones do."""

import io
import random
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.errors import InputError
from exchange.indicators import Indicator, IndicatorType, canonicalise
from exchange.indicators.observed import KINDS, LONG_LINE, MAX_LINE_BYTES, Observed, observe

MD5 = "44d88612fea8a8f36de82e1278abb02f"
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

FIREWALL = (
    "Nov 28 10:53:09 fw kernel: [12345.678] DROP MAC=00:11:22:33:44:55:66:77:88:99:aa:bb:08:00 "
    "SRC=45.83.64.1 DST=192.168.1.5 LEN=40 PROTO=TCP SPT=443 DPT=51234"
)
PROXY = (
    "1700000000.123 45 10.0.0.7 TCP_MISS/200 1234 GET http://evil.example.com:8080/a,b?x=(1) - "
    "HIER_DIRECT/45.83.64.9 text/html"
)


def seen(log: str | bytes) -> Observed:
    return observe(io.BytesIO(log.encode() if isinstance(log, str) else log))


def values(log: str) -> set[str]:
    return {one.value for one in seen(log).indicators}


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (
            FIREWALL,
            {"45.83.64.1"},
        ),
        (
            PROXY,
            {"http://evil.example.com:8080/a,b?x=(1)", "evil.example.com", "45.83.64.9"},
        ),
        ("CONNECT bad.example.org:443 - HIER/[2606:4700::1111]:443", {"bad.example.org", "2606:4700::1111"}),
        (
            r'{"url":"https:\/\/json.example.net\/p","ip":"45.83.64.2","sha256":"' + SHA256,
            {"https://json.example.net/p", "json.example.net", "45.83.64.2", SHA256},
        ),
        (f"Hashes=MD5={MD5.upper()},SHA256={SHA256}", {MD5, SHA256}),
        ("hxxps://fang[.]example[.]com/x evil[.]example[.]net 45[.]83(.)64[dot]3", {
            "https://fang.example.com/x", "fang.example.com", "evil.example.net", "45.83.64.3"}),
        ("from=<Sender@Mail.example.com>, to=x", {"Sender@mail.example.com"}),
        ("(see http://paren.example.com/w_(x)).", {"http://paren.example.com/w_(x)", "paren.example.com"}),
        ("http://csv.example.com,foo,bar", {"http://csv.example.com/", "csv.example.com"}),
        ("tls://45.83.64.4:853 2a00:1450:4001:80b::200e. flow 45.83.64.5->45.83.64.6", {
            "45.83.64.4", "2a00:1450:4001:80b::200e", "45.83.64.5", "45.83.64.6"}),
        ("bücher.example.com.", {"xn--bcher-kva.example.com"}),
        ("http://45.83.64.7/x http://[2606:4700::1]/", {
            "http://45.83.64.7/x", "45.83.64.7", "http://[2606:4700::1]/", "2606:4700::1"}),
        ("version 1.2.3.4.5 /usr/lib/site.py std::string a::b 12:34:56 3.14 e.g. 10.5kB", set()),
        (f"base64 {MD5}== /objects/{SHA256} {MD5}0 x{MD5}", set()),
    ],
    ids=lambda part: part[:24] if isinstance(part, str) else "",
)  # fmt: skip
def test_lines_of_several_makes(line, found):
    assert {value.casefold() for value in values(line)} == {value.casefold() for value in found}


def test_what_is_left_out_is_counted_by_reason_each_value_once():
    told = seen(
        "SRC=10.0.0.1 DST=10.0.0.2\n" * 50 + "SRC=127.0.0.1 x.notatld d41d8cd98f00b204e9800998ecf8427e\n"
    )
    assert told.indicators == set()
    assert told.lines == 51
    assert told.skipped == {"not-global": 3, "unknown-suffix": 1, "empty-digest": 1}


def test_an_empty_log_has_nothing():
    assert seen("") == Observed()
    assert seen("\n\n") == Observed(lines=2)


def test_values_and_lines_survive_the_borders_of_blocks():
    line = "x" * 1000 + " 45.83.%d.%d https://h%d.example.com/\r\n"
    log = "".join(line % (n // 256, n % 256, n) for n in range(3000))
    told = seen(log.removesuffix("\r\n"))
    assert told.lines == 3000
    assert len(told.indicators) == 9000


def test_a_line_of_ten_megabytes_is_left_out_and_nothing_beside_it():
    log = b"45.83.64.1\n" + b"45.83.64.2 " * 1_000_000 + b"\n45.83.64.3\n" + b"9" * (2 * MAX_LINE_BYTES + 5)
    told = seen(log)
    assert {one.value for one in told.indicators} == {"45.83.64.1", "45.83.64.3"}
    assert told.skipped == {LONG_LINE: 2}


def test_bytes_that_are_no_text_do_no_harm():
    noise = random.Random(5).randbytes(300_000)
    told = seen(noise + b"\n\xff\0 45.83.64.1 \xfe\n" + bytes(1000))
    assert Indicator(IndicatorType.IPV4, "45.83.64.1") in told.indicators
    assert {one.type for one in told.indicators} <= KINDS


def test_what_is_compressed_is_said_to_be():
    with pytest.raises(InputError, match="compressed"):
        seen(b"\x1f\x8b\x08 and more")


def test_too_many_values_are_refused(monkeypatch):
    monkeypatch.setattr("exchange.indicators.observed.MAX_DISTINCT", 100)
    with pytest.raises(InputError) as e:
        seen("\n".join(f"45.83.0.{n}" for n in range(101)))
    assert e.value.code == "lookup-too-many"


@pytest.mark.parametrize(
    "piece",
    [
        "a.",
        "1:",
        "a",
        "a@",
        "1.2.3.",
        "[",
        "a.b-",
        "http://",
        ":",
        "[.]a",
        "a[.]",
        "a+b",
        "(",
        ")",
        "::",
        "\\/",
        "-",
        "%",
    ],
)
def test_no_line_takes_long(piece):
    start = process_time()
    seen(piece * (900_000 // len(piece)))
    assert process_time() - start < 20


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_whatever_is_found_is_canonical(data):
    for one in seen(data).indicators:
        assert canonicalise(one.type, one.value) == one
