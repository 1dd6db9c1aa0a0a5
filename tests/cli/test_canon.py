"""``cosight canon``: what a value becomes, step by step."""

import io
import json
import re

import pytest

from exchange.indicators import PROFILE
from tests.architecture.tree import ROOT
from tests.cli.command import cosight


def test_json() -> None:
    done = cosight("canon", "hxxp://u@Evil[.]Example[.]com/a#b", "10.0.0.1", "--json")
    assert (done.code, done.err) == (1, "")
    assert set(done.json) == {"profile", "values"}
    assert done.json["profile"] == PROFILE
    accepted, refused = done.json["values"]
    page = (ROOT / "docs/commands.md").read_text().split("\n## `canon`\n")[1].split("\n## ")[0]
    keys = {*accepted, *accepted["steps"][0], *accepted["result"], *refused["refused"]}
    assert keys <= set(re.findall(r"`(\w+)`", page)), "documented"
    assert accepted["result"] == {"type": "url", "value": "http://evil.example.com/a"}
    assert (accepted["refused"], accepted["lossy"]) == (None, True)
    assert [step["rule"] for step in accepted["steps"]] == [
        "refang", "type", "whatwg", "credentials", "fragment",
    ]  # fmt: skip
    assert refused["result"] is None
    assert (refused["refused"]["reason"], refused["refused"]["rule"]) == ("not-global", "global")
    assert all(refused["refused"].values())


def test_for_people() -> None:
    done = cosight("canon", "8.8.8.8:53", "CO.uk")
    assert (done.code, done.err) == (1, "")
    assert "= ipv4 8.8.8.8\n" in done.out
    assert re.search(r"port +the same server on another port .* lossy\n +8\.8\.8\.8\n", done.out)
    assert "refused (public-suffix) itself a public suffix" in done.out
    assert re.search(r"hint +name a host or a domain below it\n", done.out)


def test_all_accepted_is_success() -> None:
    done = cosight("canon", "evil.com")
    assert (done.code, done.err) == (0, "")


def test_a_stated_type() -> None:
    value = "c7269d59926fa4252270f407e4dab043"
    results = [
        cosight("canon", value, *option, "--json").json["values"][0]["result"]["type"]
        for option in ([], ["--type", "imphash"])
    ]
    assert results == ["md5", "imphash"]
    assert cosight("canon", value, "--type", "colour", "--json").error["code"] == "usage"


def _typed(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    _typed(monkeypatch, "evil.com\r\n\n  \n -x.com\nbücher.example.com".encode())
    done = cosight("canon", "8.8.8.8", "-", "--json")
    found = [(v["value"], v["result"] and v["result"]["value"]) for v in done.json["values"]]
    assert found == [
        ("8.8.8.8", "8.8.8.8"),
        ("evil.com", "evil.com"),
        (" -x.com", None),
        ("bücher.example.com", "xn--bcher-kva.example.com"),
    ]
    assert done.code == 1


def test_standard_input_that_is_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    _typed(monkeypatch, b"evil.com\n\xff\xfe\n")
    error = cosight("canon", "-", "--json").error
    assert (error["code"], error["message"]) == ("input", "line 2 of standard input is not UTF-8 text")


@pytest.mark.parametrize(
    "text", ["\x1b[31mevil.com", "ev\u200bil.com", "evil\u202e.com", "\udcff.com", "a\0b"]
)
def test_what_is_invisible_is_shown_and_harmless(text: str) -> None:
    for_people = cosight("canon", text)
    assert all(c.isprintable() or c == "\n" for c in for_people.out)
    assert f"\\{'x' if ord(next(c for c in text if not c.isprintable())) < 256 else 'u'}" in for_people.out
    for_scripts = cosight("canon", text, "--json")
    json.dumps(for_scripts.json).encode()
    for_scripts.out.encode()
    assert for_scripts.code == for_people.code


def test_a_value_that_looks_like_an_option() -> None:
    assert (
        cosight("canon", "--json", "--", "-evil.com").json["values"][0]["refused"]["reason"] == "bad-domain"
    )
    assert cosight("canon", "--json").error["code"] == "usage"
