"""OpenIOC: what a tree of conditions gives, who is in it by accident, and XML that means harm."""

import re
from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.errors import InputError
from exchange.indicators import Batch, read
from exchange.indicators.readers import detect, openioc
from exchange.indicators.readers.source import Source
from exchange.indicators.tlp import Tlp

MD5 = "5d41402abc4b2a76b9719d911017c592"


def item(search: str, content: str, condition: str = 'condition="is"') -> str:
    return f"""<IndicatorItem id="x" {condition}><Context document="FileItem" search="{search}" type="mir"/>
      <Content type="string">{content}</Content></IndicatorItem>"""


def group(operator: str, *inner: str) -> str:
    return f'<Indicator operator="{operator}">{"".join(inner)}</Indicator>'


def old(*inner: str, head: str = "") -> str:
    return f"""<?xml version="1.0" encoding="utf-8"?>
<ioc xmlns="http://schemas.mandiant.com/2010/ioc" id="1" last-modified="2026-01-01T00:00:00">
{head}<definition>{"".join(inner)}</definition></ioc>"""


HEAD = """<short_description>EXAMPLE (BACKDOOR)</short_description><description>long</description>
<keywords>example test</keywords><authored_by>Example Labs</authored_by>
<authored_date>2026-01-01</authored_date><links><link rel="threatgroup">EX-1</link>
<link rel="family">ExampleRat</link><link rel="TLP">TLP:GREEN</link></links>"""


def whole(path: Path, **how: str) -> Batch:
    batches = list(read(path, **how))
    assert len(batches) == 1
    return batches[0]


@pytest.fixture
def ioc(tmp_path):
    def ioc(text: str | bytes) -> Path:
        path = tmp_path / "example.ioc"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return ioc


def test_terms_of_every_type(ioc) -> None:
    terms = {
        "FileItem/Md5sum": MD5,
        "FileItem/Sha1sum": "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d",
        "FileItem/Sha256sum": "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
        "ServiceItem/serviceDLLmd5sum": "6d41402abc4b2a76b9719d911017c592",
        "FileItem/FileName": "EVIL.exe",
        "DnsEntryItem/Host": "evil.com",
        "Network/DNS": "evil[.]org",
        "PortItem/remoteIP": "8.8.8.8",
        "Network/URI": "http://evil.com/a?b=1&amp;c=2",
        "Email/From": "bad@evil.com",
        "ProcessItem/HandleList/Handle/Name": "Example_Mutex",
    }
    batch = whole(ioc(old(group("OR", *(item(*pair) for pair in terms.items())))))
    assert {kind.value: values for kind, values in batch.values.items()} == {
        "md5": [MD5, "6d41402abc4b2a76b9719d911017c592"],
        "sha1": [terms["FileItem/Sha1sum"]],
        "sha256": [terms["FileItem/Sha256sum"]],
        "file-name": ["evil.exe"],
        "domain": ["evil.com", "evil.org"],
        "ipv4": ["8.8.8.8"],
        "url": ["http://evil.com/a?b=1&c=2"],
        "email": ["bad@evil.com"],
        "mutex": ["example_mutex"],
    }
    assert not batch.refused


def test_what_the_head_says_goes_with_every_value(ioc) -> None:
    text = old(group("OR", item("Network/DNS", "evil.com"), item("FileItem/Md5sum", MD5)), head=HEAD)
    batch = whole(ioc(text))
    contexts = [context for column in batch.contexts.values() for context in column.values()]
    assert len(contexts) == 2
    assert contexts[0] is contexts[1]
    context = contexts[0]
    assert (context.tlp, context.producer, context.malware) == (Tlp.GREEN, "Example Labs", ("ExampleRat",))
    assert context.tags == ("example", "test", "threatgroup:EX-1")
    assert context.comment == "EXAMPLE (BACKDOOR)"


def test_version_1_1(ioc) -> None:
    text = f"""<OpenIOC xmlns="http://openioc.org/schemas/OpenIOC_1.1" id="1"><metadata>{
        HEAD
    }</metadata><criteria>
    {
        group(
            "OR",
            item("DnsEntryItem/Host", "evil.com"),
            item("DnsEntryItem/Host", "x.com", 'condition="contains"'),
            item("DnsEntryItem/Host", "y.com", 'condition="is" negate="true"'),
        )
    }
    </criteria><parameters><param id="1" ref-id="x" name="score"/></parameters></OpenIOC>"""
    batch = whole(ioc(text))
    assert batch.values == {"domain": ["evil.com"]}
    assert batch.refused == {"pattern-comparison": 2}


A, B, C = (item("Network/DNS", name) for name in ("a.com", "b.com", "c.com"))


@pytest.mark.parametrize(
    ("tree", "values", "refused"),
    [
        (group("OR", A, group("OR", B)), ["a.com", "b.com"], 0),
        (group("AND", A), ["a.com"], 0),
        (group("AND", A, B), [], 2),
        (group("OR", A, group("AND", B, C)), ["a.com"], 2),
        (group("AND", group("OR", A, B)), ["a.com", "b.com"], 0),
        (group("AND", group("OR", A, B), C), [], 3),
        (group("AND", group("AND", A), B), [], 2),
        (group("AND", B, group("OR", A)), [], 2),
        (group("OR", group("and", group("AND", A)), B), ["a.com", "b.com"], 0),
        (A, ["a.com"], 0),
    ],
)
def test_and(ioc, tree: str, values: list[str], refused: int) -> None:
    batch = whole(ioc(old(tree)))
    assert sorted(batch.values.get("domain", [])) == values
    assert batch.refused == ({"pattern-and": refused} if refused else {})


TREES = st.recursive(
    st.just("x"),
    lambda inner: st.tuples(st.sampled_from(["OR", "AND"]), st.lists(inner, max_size=3)),
    max_leaves=9,
)


@settings(max_examples=80, deadline=None)
@given(tree=TREES)
def test_and_as_its_definition_says(tmp_path_factory, tree: object) -> None:
    """A value stands alone if every AND above it joins one thing only. Asked of the tree, not of a stream."""
    expected = Counter[str]()

    def written(node: object, *, alone: bool) -> str:
        if node == "x":
            expected["taken" if alone else "pattern-and"] += 1
            return A
        operator, inner = node
        below = alone and (operator == "OR" or len(inner) <= 1)
        return group(operator, *(written(n, alone=below) for n in inner))

    path = tmp_path_factory.mktemp("ioc") / "tree.ioc"
    path.write_text(old(written(tree, alone=True)))
    if not expected:
        with pytest.raises(InputError, match="no condition"):
            list(read(path))
        return
    batch = whole(path)
    assert Counter({"taken": sum(map(len, batch.values.values()))}) + batch.refused == +expected


def test_victims_are_refused_with_their_place(ioc) -> None:
    victims = [
        "PortItem/localIP",
        "Email/To",
        "SystemInfoItem/HostName",
        "UserItem/Username",
        "TaskItem/AccountName",
    ]
    batch = whole(ioc(old(group("OR", A, *(item(term, "8.8.4.4") for term in victims)))))
    assert batch.refused == {"victim-field": 5}
    assert batch.places == {
        "victim-field": [f"IndicatorItem {n} ({term})" for n, term in enumerate(victims, start=2)]
    }
    assert "8.8.4.4" not in str(batch.values)


def test_a_place_never_holds_a_value(ioc) -> None:
    batch = whole(ioc(old(group("OR", item("8.8.8.8", "x"), item("evil.com/FileItem", "x")))))
    assert batch.places == {"unsupported-type": ["IndicatorItem 1", "IndicatorItem 2"]}


BOMB = """<?xml version="1.0"?><!DOCTYPE ioc [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><ioc xmlns="http://schemas.mandiant.com/2010/ioc"><definition>&c;</definition></ioc>"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, "declares a document type"),
        (
            '<!DOCTYPE ioc SYSTEM "file:///etc/passwd"><ioc xmlns="http://schemas.mandiant.com/2010/ioc"/>',
            "declares a document type",
        ),
        (old("<Indicator>"), "line 3, column 26: not XML: mismatched tag"),
        (old("&unknown;"), "not XML: undefined entity"),
        (old()[:80], "not XML"),
        (old("<a>" * 200 + "</a>" * 200), "nested more than 64 deep"),
        (old(), "no condition"),
        (old(group("AND", group("OR", *[A] * 10_001))), "more than 10,000 conditions under an AND"),
        (old(group("OR", A)).replace("utf-8", "x-klingon"), "not XML: unknown encoding|not in the encoding"),
    ],
)
def test_bad_xml_is_an_error_of_the_input(ioc, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        list(read(ioc(text), format="openioc"))
    assert "a.com" not in str(raised.value)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_marks(ioc, encoding: str) -> None:
    text = old(group("OR", A)).replace("utf-8", encoding.removesuffix("-sig"))
    assert whole(ioc(text.encode(encoding))).values == {"domain": ["a.com"]}


def test_one_endless_tag(ioc, monkeypatch) -> None:
    monkeypatch.setattr(openioc, "_MAX_SILENCE", 200_000)
    with pytest.raises(InputError, match="single tag"):
        list(read(ioc(old(f'<a b="{"x" * 600_000}"/>'))))


def test_a_long_value_is_refused(ioc) -> None:
    batch = whole(ioc(old(group("OR", item("Network/DNS", "a" * 300_000 + ".com"), A))))
    assert (batch.values, batch.refused) == ({"domain": ["a.com"]}, {"too-long": 1})


def test_detection(ioc) -> None:
    for text in (old(A), f"<ioc>{A}</ioc>"):
        with Source.open(ioc(text)) as source:
            assert detect(source) == "openioc"


@settings(max_examples=80, deadline=None)
@given(cut=st.integers(0, 900), junk=st.text(alphabet='<>&"/ a\0\x1f€', max_size=5))
def test_damage_is_an_error_of_the_input_and_nothing_else_is(tmp_path_factory, cut: int, junk: str) -> None:
    text = old(group("OR", A, group("AND", B, C)), head=HEAD)
    path = tmp_path_factory.mktemp("ioc") / "damaged.ioc"
    path.write_text(text[:cut] + junk + text[cut:])
    with nullcontext() if _is_xml(path) else pytest.raises(InputError, match=re.escape(str(path))):
        list(read(path, format="openioc"))


def _is_xml(path: Path) -> bool:
    try:
        ET.parse(path)
    except (ET.ParseError, LookupError, ValueError):
        return False
    return True
