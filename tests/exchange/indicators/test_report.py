"""Reports: what is taken from prose, tables, lists and code, and what is left where it stands."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.indicators import Tlp, read
from exchange.indicators.readers import detect
from exchange.indicators.readers.source import Source

MD5, SHA1, SHA256 = "5d41402abc4b2a76b9719d911017c592", "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d", "2c" * 32


@pytest.fixture
def found(tmp_path):
    def found(text: str, encoding: str = "utf-8") -> tuple[set[str], dict[str, int]]:
        path = tmp_path / "report"
        path.write_bytes(text.encode(encoding))
        refused: Counter[str] = Counter()
        values: list[str] = []
        for batch in read(path, format="report"):
            refused += batch.refused
            values += [value for column in batch.values.values() for value in column]
        assert len(values) == len(set(values)), "nothing is taken twice from one place"
        return set(values), dict(refused)

    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The backdoor talks to evil[.]com and hxxps://c2[.]evil.org/a?b=c, over port 443.",
         {"evil.com", "https://c2.evil.org/a?b=c"}),
        ("It was sent by bad[@]evil[.]com (see hxxp://evil[.]com/x).", {"bad@evil.com", "http://evil.com/x"}),
        ("Servers: 8.8.8[.]8,8.8.4[.]4; evil [.] com", {"8.8.8.8", "8.8.4.4", "evil.com"}),
        ("**evil[.]org**, `evil[.]net`; “evil[.]info”.", {"evil.org", "evil.net", "evil.info"}),
        ("See www.example.com, run.sh, 8.8.8.8 and https://blog.example.com/post.", set()),
        (f"The sample {MD5} (SHA-1: {SHA1}) drops {SHA256}.", {MD5, SHA1, SHA256}),
        (f"https://github.com/x/y/blob/{SHA1}/f and 5d41402a-bc4b-2a76-b971-9d911017c592", set()),
        ("See [the post](https://www.example.com/a) and https://www.example.com[the paper].", set()),
        ("[evil[.]com](https://www.virustotal.com/x)", {"evil.com"}),
        ("![x](http://evil.com/x.png) image::http://evil.com/y.png[] <https://example.com/>", set()),
        ("http://evil[dot]com[/]path", {"http://evil.com/path"}),
        ("Contact us (at) any time.", set()),
    ],
)  # fmt: skip
def test_prose(found, text: str, expected: set[str]) -> None:
    assert found(text)[0] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- evil.com\n* 8.8.8.8\n1. bad@evil.com\n• http://evil.com/a\n",
         {"evil.com", "8.8.8.8", "bad@evil.com", "http://evil.com/a"}),
        ("- see example.com for more\n- run.sh\n- setup.py\n- c2.evil.sh\n", {"c2.evil.sh"}),
        ("```\nevil.com\n8.8.8.8 # first\nwget http://evil.org/x\n```\n", {"evil.com", "8.8.8.8"}),
        ("[source]\n----\nevil.com\n----\n", {"evil.com"}),
        ("A title of old\n--------------\n\n| Victim | IP |\n|---|---|\n| a.com | 8.8.8.8 |\n", {"8.8.8.8"}),
        ("## References\n- https://blog.example.com\n- evil[.]com\n### More\n- a.com\n## IOCs\n- 8.8.8.8\n",
         {"evil.com", "8.8.8.8"}),
    ],
    ids=["list", "list of words", "fence", "listing", "underlined title", "references"],
)  # fmt: skip
def test_lists_and_code(found, text: str, expected: set[str]) -> None:
    assert found(text)[0] == expected


MARKDOWN = """# Report

| Domain | Host address | Source | Victim IP | Version |
|--------|:------------:|--------|-----------|---------|
| `evil.com`<br>evil.org | 8.8.8.8 | https://example.com/r | 1.1.1.1 | 9.9.9.9 |
| evil[.]net | | hxxp://evil[.]net/s | - | |

| Domain |
|--------|
| evil.info |
"""
ASCIIDOC = f"""= Report
:toc:

[cols="1,1"]
|===
|Customer |Domain

|example.com
|evil.com

|example.org | evil.org
|===

[options="header"]
|====
|SHA-1 hash|Detection Name
|`{SHA1.upper()}`|Win32/Agent.ZWH
|====

|===
|Victim
|IP

|1.1.1.1
|8.8.8.8
|===
"""


def test_a_table_of_markdown(found) -> None:
    assert found(MARKDOWN) == (
        {"evil.com", "evil.org", "evil.net", "evil.info", "8.8.8.8", "http://evil.net/s"},
        {"victim-field": 1},
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_table_of_asciidoc(found, encoding: str) -> None:
    assert found(ASCIIDOC, encoding) == ({"evil.com", "evil.org", SHA1, "8.8.8.8"}, {"victim-field": 3})


def test_places_name_line_and_column_and_no_value(tmp_path: Path) -> None:
    path = tmp_path / "r.md"
    path.write_text(MARKDOWN)
    (batch,) = read(path)
    assert batch.places == {"victim-field": ["line 5, column Victim IP"]}


def test_a_table_without_names_quotes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "r.md"
    path.write_text("| victim.com | x |\n| victim.org | y |\n")
    (batch,) = read(path, format="report")
    assert not batch.places


def test_the_marking_of_a_report(tmp_path: Path) -> None:
    path = tmp_path / "r.md"
    path.write_text("# Report\n\nTLP:AMBER+STRICT\n\nThe backdoor talks to evil[.]com all the time.\n")
    (batch,) = read(path)
    (column,) = batch.contexts.values()
    assert column[0].tlp is Tlp.AMBER_STRICT


@pytest.mark.parametrize(
    ("text", "format_"),
    [
        (MARKDOWN, "report"),
        (ASCIIDOC, "report"),
        ("We saw a campaign of this group, which used evil[.]com as its server.\n", "report"),
        ("Nothing is to be found in these words of ours.\n", "report"),
        (
            "# A list of these servers we have seen\n# TLP:GREEN\n8.8.8.8\nevil.com # these are some words\n",
            "text",
        ),
        ("8.8.8.8\nsome words that somebody left in this list\nevil.com\n", "text"),
        ("- evil.com\n- 8.8.8.8\n", "text"),
        ("/private/var/tmp/hooker\n", "text"),
        ("ip,comment\n8.8.8.8,the server that this group used in May\n", "csv"),
    ],
)
def test_which_format_it_is(tmp_path: Path, text: str, format_: str) -> None:
    path = tmp_path / "file"
    path.write_text(text)
    with Source.open(path) as source:
        assert detect(source) == format_


HARD = [
    "[",
    "]",
    "(",
    ")",
    "[.]",
    "|",
    "`",
    "*",
    "<",
    ">",
    "#",
    "=",
    "-",
    " ",
    "\\",
    "http://",
    "hxxp",
    "a",
    ".",
    "<br>",
    "@",
]


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "pattern", [*HARD, "[a", "](", "[]", "# a=", "a[.]", "|a", "[.] ", " [", "---|", "!["]
)
def test_no_line_takes_long(found, pattern: str) -> None:
    line = (pattern * 100_000)[:200_000]
    found(line + "x\n" + "# " + line)


@given(
    st.lists(st.sampled_from([*HARD, "evil.com", "\n", "8.8.8.8", "victim", "|===", "```", MD5])).map("".join)
)
@settings(max_examples=200, deadline=None)
def test_any_report_is_read(tmp_path_factory, text: str) -> None:
    path = tmp_path_factory.mktemp("r") / "r"
    path.write_text("x" + text)
    for batch in read(path, format="report"):
        assert set(batch.refused) | set(batch.values)
