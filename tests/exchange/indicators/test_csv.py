"""Tables: the exports of abuse.ch, headers, columns stated by the operator, victims, and what rows say."""

from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.errors import InputError
from exchange.indicators import Batch, Tlp, read
from exchange.indicators.context import Context
from exchange.indicators.readers.base import Options
from exchange.indicators.readers.layout import find, stated


@pytest.fixture
def table(tmp_path):
    def table(text: str, *columns: str, format_: str = "auto") -> Batch:
        path = tmp_path / "table.csv"
        path.write_text(text)
        batches = list(read(path, format=format_, options=Options(columns=columns)))
        assert len(batches) <= 1
        return batches[0] if batches else Batch()

    return table


def values(batch: Batch) -> dict[str, list[str]]:
    return {kind.value: column for kind, column in batch.values.items()}


MD5, SHA1, SHA256 = "5d41402abc4b2a76b9719d911017c592", "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d", "2c" * 32
THREATFOX = """################################################################
# ThreatFox IOCs: recent                                       #
# Terms Of Use: https://threatfox.abuse.ch/faq/#tos            #
################################################################
#
# "first_seen_utc","ioc_id","ioc_value","ioc_type","threat_type","fk_malware","malware_alias",\
"malware_printable","last_seen_utc","confidence_level","is_compromised","reference","tags","anonymous","reporter"
"2026-08-22 03:00:01", "1", "8.8.8.8:4443", "ip:port", "botnet_cc", "win.cobalt_strike", "BEACON", \
"Cobalt Strike", "", "100", "False", "https://example.com/r", "CobaltStrike,cs-1", "0", "abuse_ch"
"2026-08-22 03:00:02", "2", "evil.com", "domain", "payload_delivery", "unknown", "None", "Unknown malware", \
"2026-08-22 04:00:02", "50", "True", "None", "None", "1", "anonymous"
"""
URLHAUS = """################
# id,dateadded,url,url_status,last_online,threat,tags,urlhaus_link,reporter
"1","2026-08-22 03:00:01","http://8.8.8.8:5555/Mozi.m","online","2026-08-22 04:00:00","malware_download",\
"elf,Mozi","https://urlhaus.abuse.ch/url/1/","geenensp"
"2","2026-08-22 03:00:02","http://evil.com/a,b;c","offline","","malware_download","None",\
"https://urlhaus.abuse.ch/url/2/","lrz_urlhaus"
"""
BAZAAR = f"""# "first_seen_utc","sha256_hash","md5_hash","sha1_hash","reporter","file_name",\
"file_type_guess","mime_type","signature","clamav","vtpercent","imphash","ssdeep","tlsh"
"2026-08-22 03:00:01", "{SHA256}", "{MD5}", "{SHA1}", "abuse_ch", "a.exe", "exe", "application/x-dosexec", \
"AgentTesla", "n/a", "55.56", "f34d5f2d4577ed6d9ceec516c1f5a744", "3:abc", "T1"
"2026-08-22 03:00:01", "{"3c" * 32}", "n/a", "n/a", "abuse_ch", "n/a", "exe", \
"x", "n/a", "n/a", "", "n/a", "", ""
"""
FEODO = """# Dataset: Feodo Tracker
"first_seen_utc","dst_ip","dst_port","c2_status","last_online","malware"
"2026-08-22 03:00:01","8.8.8.8","443","online","2026-08-23","QakBot"
"""


def test_threatfox(table) -> None:
    batch = table(THREATFOX)
    assert values(batch) == {"ipv4": ["8.8.8.8"], "domain": ["evil.com"]}
    assert not batch.refused
    first, second = (context for column in batch.contexts.values() for context in column.values())
    assert first == Context(
        first_seen=datetime(2026, 8, 22, 3, 0, 1, tzinfo=UTC), confidence=100, producer="abuse_ch",
        malware=("Cobalt Strike",), tags=("CobaltStrike", "botnet_cc", "cs-1"),
    )  # fmt: skip
    assert second.last_seen == datetime(2026, 8, 22, 4, 0, 2, tzinfo=UTC)
    assert (second.malware, second.tags) == ((), ("payload_delivery",))


def test_urlhaus(table) -> None:
    batch = table(URLHAUS)
    assert values(batch) == {"url": ["http://8.8.8.8:5555/Mozi.m", "http://evil.com/a,b;c"]}
    (column,) = batch.contexts.values()
    assert column[0].tags == ("Mozi", "elf", "malware_download")
    assert column[1].last_seen is None


def test_malwarebazaar(table) -> None:
    """Several digests of a row are one each, and say the same; file names and imphashes describe them."""
    batch = table(BAZAAR)
    assert values(batch) == {"md5": [MD5], "sha1": [SHA1], "sha256": [SHA256, "3c" * 32]}
    assert not batch.refused
    contexts = [column[0] for column in batch.contexts.values()]
    assert contexts[0].malware == ("AgentTesla",)
    assert all(context is contexts[0] for context in contexts), "one object for all of a row"


def test_feodo_tracker(table) -> None:
    batch = table(FEODO)
    assert values(batch) == {"ipv4": ["8.8.8.8"]}
    assert [c.malware for column in batch.contexts.values() for c in column.values()] == [("QakBot",)]


def test_a_table_without_header_says_when_and_what(table) -> None:
    batch = table("2026-01-01 01:00:07,a,domain,evil.com,#phish #x,https://x.com/1\n"
                  "2026-01-01 01:00:08,a,ip,8.8.8.8,,https://x.com/2\n")  # fmt: skip
    contexts = [c for column in batch.contexts.values() for c in column.values()]
    assert {c.tags for c in contexts} == {("phish", "x"), ()}
    assert min(c.first_seen for c in contexts) == datetime(2026, 1, 1, 1, 0, 7, tzinfo=UTC)


def test_only_a_table_of_nothing_else_holds_what_describes(table) -> None:
    assert values(table("ip,asn,cve,country\n8.8.8.8,AS15169,CVE-2021-44228,US\n")) == {"ipv4": ["8.8.8.8"]}
    assert values(table("AS15169,8.8.8.8\nAS3356,8.8.4.4\n")) == {"ipv4": ["8.8.8.8", "8.8.4.4"]}
    assert values(table("cve,cvss\nCVE-2021-44228,10\n")) == {"cve": ["CVE-2021-44228"]}


def test_victims_are_refused_cell_by_cell(table) -> None:
    batch = table("ip,victim_ip,Customer Name,tags\n8.8.8.8,8.8.4.4,n/a,x\n9.9.9.9,1.1.1.1,Example,x\n")
    assert values(batch) == {"ipv4": ["8.8.8.8", "9.9.9.9"]}
    assert batch.refused == {"victim-field": 3}
    assert batch.places == {"victim-field": ["column victim_ip", "column victim_ip", "column Customer Name"]}
    assert len(batch) == 5


@pytest.mark.parametrize("text", ["x;target_url\na;http://evil.com/\n", "victim_ip\n8.8.8.8\n"])
def test_lists_of_nothing_but_victims(table, text: str) -> None:
    batch = table(text)
    assert not batch.values
    assert set(batch.refused) == {"victim-field"}


@pytest.mark.parametrize(
    ("cell", "expected", "refused"),
    [
        (f"{MD5};{SHA1}", {"md5": [MD5], "sha1": [SHA1]}, {}),
        ('"evil.com, evil.org"', {"domain": ["evil.com", "evil.org"]}, {}),
        ('"8.8.8.8\n9.9.9.9"', {"ipv4": ["8.8.8.8", "9.9.9.9"]}, {}),
        ("8.8.8.8\t9", {}, {"not-one-value": 1}),
        ("evil.com something", {}, {"not-one-value": 1}),
        ("http://evil.com/a;evil.org", {"url": ["http://evil.com/a;evil.org"]}, {}),
        ("[domain-name:value = 'evil.com' OR ipv4-addr:value = '8.8.8.8']",
         {"domain": ["evil.com"], "ipv4": ["8.8.8.8"]}, {}),
        ("[ipv4-addr:value = '8.8.8.8' AND file:size = 80]", {}, {"pattern-and": 1}),
        ("[a=", {}, {"bad-pattern": 1}),
    ],
    ids=["digests", "names", "lines", "tab", "words", "URL", "pattern", "AND", "no pattern"],
)  # fmt: skip
def test_a_cell_with_several_values(
    table, cell: str, expected: dict[str, list[str]], refused: dict[str, int]
) -> None:
    batch = table(f"ioc,comment\n{cell},c\n")
    assert (values(batch), dict(batch.refused)) == (expected, refused)


def test_markings_of_file_and_row(table) -> None:
    assert [
        c.tlp for column in table("# TLP:RED\nip,x\n8.8.8.8,1\n").contexts.values() for c in column.values()
    ] == [Tlp.RED]
    batch = table("# TLP : GREEN\nip,tlp\n8.8.8.8,\n9.9.9.9,amber\n1.1.1.1,ours\n")
    (column,) = batch.contexts.values()
    assert [column[i].tlp if i in column else None for i in range(3)] == [Tlp.GREEN, Tlp.AMBER, None]
    assert batch.notes == {"unknown-marking": 1}


def test_columns_of_the_operator(table) -> None:
    rows = "x,evil.com,domain,8.8.4.4,a;b\nx,8.8.8.8,ip,8.8.4.4,\n"
    batch = table(rows, "-", "value", "type", "victim", "tags")
    assert values(batch) == {"ipv4": ["8.8.8.8"], "domain": ["evil.com"]}
    assert batch.refused == {"victim-field": 2}
    assert [c.tags for column in batch.contexts.values() for c in column.values()] == [("a", "b")]
    assert values(table(rows, "", "-", "-", "ip", "-")) == {"ipv4": ["8.8.4.4", "8.8.4.4"]}
    both = table(rows, "-", "domain", "-", "ip", "-")
    assert (values(both)["domain"], both.refused) == (["evil.com"], {"unknown-suffix": 1})


def test_columns_of_the_operator_over_a_header(table) -> None:
    assert values(table("ip;asn\n8.8.8.8;AS15169\n", "ip", "asn")) == {"ipv4": ["8.8.8.8"], "asn": ["15169"]}
    assert values(table("evil.com\nevil.org\n", "domain")) == {"domain": ["evil.com", "evil.org"]}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (("value", "colour"), "column 2 has no meaning"),
        (("-", "tags"), "no column holds values"),
        (("value",), "names 1 columns, and the file has 2"),
        (("value", "-", "-"), "names 3 columns, and the file has 2"),
    ],
)
def test_columns_that_do_not_fit(table, columns: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        table("evil.com,x\nevil.org,y\n", *columns)


def test_tables_of_markdown_are_no_tables() -> None:
    assert find("| ip | x |\n|---|---|\n| 8.8.8.8 | y |\n") is None


CELLS = [
    "8.8.8.8",
    "evil.com",
    "type",
    "ip",
    "victim",
    "tlp",
    "#x",
    "",
    '"',
    "[a:b = 'c']",
    "a;b",
    "2026-01-01",
    "n/a",
]


@given(st.lists(st.lists(st.sampled_from(CELLS), max_size=5), max_size=6), st.sampled_from(",;|\t"))
@settings(max_examples=150, deadline=None)
def test_any_table_is_read_without_loss(tmp_path_factory, rows: list[list[str]], delimiter: str) -> None:
    path: Path = tmp_path_factory.mktemp("t") / "t"
    path.write_text("#\n8.8.8.8,evil.com\n" + "\n".join(map(delimiter.join, rows)))
    with suppress(InputError):
        for batch in read(path, format="csv"):
            assert len(batch) == sum(map(len, batch.values.values())) + batch.refused.total()
            assert set(batch.contexts) <= set(batch.values)


def test_a_stated_layout_needs_no_sample_of_values() -> None:
    layout = stated("a,b\n", ["ip", "victim"])
    assert (layout.columns[0][0], layout.victims, layout.context) == (0, ((1, "victim"),), ())
    assert Counter(layout.delimiter) == {",": 1}
