"""Texts that look like indicators: at random, and plausible ones of each type."""

import hashlib

from hypothesis import strategies as st

from exchange.indicators import IndicatorType
from exchange.indicators.bitcoin import BASE58
from exchange.indicators.digests import LENGTHS

T = IndicatorType

# Parts of all the types put together at random, between heads and tails that make them pass as one.
_FANGED = ["http://", "hxxp", "ftp://", "https[:]//", "[.]", "(dot)", "[at]", "\\[.\\]", "meow://"]
_PLAIN = [
    "com", ".com", ".co.uk", "xn--", "8.8.8.8", "::", "ffff", "2606:4700::", "/24", ":80", "%2e", "%00", "..",
    "Global\\", "BaseNamedObjects\\", "CVE-2021-", "AS", "bc1q", ".exe", "00:16:3e",
]  # fmt: skip
_ODD = [
    "ß",
    "\u200b",
    "\ufeff",
    "\u0308",
    "é",
    "İ",
    "。",
    "\uff0e",
    "\uff11",
    "\u0149",
    "①",
    "㎏",
    "💀",
    "Σ",
    "\u2013",
]
_PIECES = st.sampled_from(
    [*"abcXYZ019._-/:@[](){}%#?&=+*~^$!'\",;|<>\\ \t\n\r\0\xa0\x85\ud800", *_FANGED, *_PLAIN, *_ODD]
)
_HEADS = st.sampled_from(
    [
        "",
        "",
        "http://",
        "http://evil.com/",
        "ftp://evil.com/?",
        "hxxp://",
        "a@",
        "8.8.",
        "2606:",
        "AS",
        "C:\\",
    ]
)
_TAILS = st.sampled_from(["", "", ".com", ".example.com/", "@evil.com", "::1", "/24", ".8.8", ".exe"])
_MIDDLES = st.one_of(st.text(max_size=20), st.lists(_PIECES, max_size=10).map("".join))

TEXTS = st.builds("{}{}{}".format, _HEADS, _MIDDLES, _TAILS)
KINDS = st.sampled_from([*IndicatorType, "any"])


def _hex(length: int) -> st.SearchStrategy[str]:
    return st.text("0123456789abcdef", min_size=length, max_size=length)


def _base58check(payload: bytes) -> str:
    raw = payload + hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:4]
    number, text = int.from_bytes(raw, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = BASE58[digit] + text
    return "1" * (len(raw) - len(raw.lstrip(b"\0"))) + text


_LABELS = st.from_regex(r"[a-z0-9](?:[a-z0-9_-]{0,10}[a-z0-9])?", fullmatch=True).filter(
    lambda s: "--" not in s
)
_DOMAINS = st.builds(lambda labels: ".".join([*labels, "com"]), st.lists(_LABELS, min_size=1, max_size=3))
_V4 = st.ip_addresses(v=4).map(str)
_V6 = st.one_of(st.ip_addresses(v=6, network="2a00::/12"), st.ip_addresses(v=6, network="::ffff:0:0/96")).map(
    str
)
_HOSTS = st.one_of(_DOMAINS, _V4, _V6.map("[{}]".format))

VALUES: dict[IndicatorType, st.SearchStrategy[str]] = {
    T.IPV4: st.one_of(_V4, st.builds("{}:{}".format, _V4, st.integers(0, 65535))),
    T.IPV6: st.one_of(_V6, st.builds("[{}]:{}".format, _V6, st.integers(0, 65535))),
    T.CIDR: st.one_of(
        st.builds("{}/{}".format, _V4, st.integers(1, 33)),
        st.builds("{}/{}".format, _V6, st.integers(16, 129)),
    ),
    T.DOMAIN: _DOMAINS,
    T.URL: st.builds(
        "{}://{}/{}".format,
        st.sampled_from(["http", "https"]),
        _HOSTS,
        st.from_regex(r"[a-z0-9/]{0,9}(?:\?[a-z=&]{0,5})?(?:#[a-z]{0,3})?", fullmatch=True),
    ),
    T.URL_HOST: _HOSTS,
    T.EMAIL: st.builds("{}@{}".format, _LABELS, _DOMAINS),
    **{kind: st.one_of(*map(_hex, lengths)) for kind, lengths in LENGTHS.items()},
    T.JA4: st.builds("{}13d1516h2_{}_{}".format, st.sampled_from("tqd"), _hex(12), _hex(12)),
    T.MAC: st.binary(min_size=6, max_size=6).map(lambda octets: octets.hex("-")),
    T.ASN: st.builds("{}{}".format, st.sampled_from(["AS", "ASN", ""]), st.integers(1, 300_000)),
    T.CVE: st.builds("CVE-{}-{:04}".format, st.integers(1999, 2030), st.integers(0, 99999)),
    T.BTC: st.builds(
        lambda version, rest: _base58check(bytes([version]) + rest),
        st.sampled_from([0, 5]),
        st.binary(min_size=20, max_size=20),
    ),
    T.MUTEX: st.builds(
        "{}{}".format,
        st.sampled_from(["", "Global\\", "Local\\"]),
        st.from_regex(r"[A-Za-z0-9_.{}-]{1,20}", fullmatch=True),
    ),
    T.FILE_NAME: st.builds(
        "{}{}.{}".format,
        st.sampled_from(["", "C:\\a b\\", "/tmp/", "%TEMP%\\"]),
        st.from_regex(r"[A-Za-z0-9_ -]{1,20}", fullmatch=True),
        st.sampled_from(["exe", "DLL", "tar.gz"]),
    ),
}
"""Mostly values of the type; some that it refuses."""
