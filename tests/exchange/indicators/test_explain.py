"""An explanation is what was done: the same rules, the same outcome, every change in it."""

import pytest
from hypothesis import given, settings

from exchange.indicators import REASONS, Indicator, IndicatorType
from exchange.indicators.canonical import RULES, cleaning
from exchange.indicators.explain import ADVICE, GUESS, Explanation, explain
from exchange.indicators.text import CLEAN
from tests.exchange.indicators.golden import CASES, outcome
from tests.exchange.indicators.test_canonical import OF_READERS
from tests.exchange.indicators.texts import KINDS, TEXTS, VALUES

T = IndicatorType


def _explained(kind: str, text: str) -> Explanation:
    return explain(text, None if kind == "any" else T(kind))


def _check(kind: str, text: str) -> None:
    told = _explained(kind, text)
    assert (told.result or told.reason) == outcome(kind, text)
    at = text
    for step in told.steps:
        assert step.before == at
        assert step.after != step.before or step.rule == GUESS
        assert step.why
        at = step.after
    if told.result is not None:
        assert (at, told.reason, told.refused_by, told.advice) == (told.result.value, "", "", "")
    else:
        rules = {rule.name for rule in (*CLEAN, *(r for t in T for r in RULES[t]))} | {GUESS}
        assert told.refused_by in rules
        assert told.advice


@pytest.mark.parametrize(("kind", "text", "_expected"), CASES)
def test_golden_cases(kind: str, text: str, _expected: str) -> None:
    _check(kind, text)


@settings(max_examples=500, deadline=None)
@given(KINDS, TEXTS)
def test_any_text(kind: str, text: str) -> None:
    _check(kind, text)


@pytest.mark.parametrize("kind", [*VALUES], ids=str)
def test_plausible_values(kind: IndicatorType) -> None:
    @settings(max_examples=25, deadline=None)
    @given(VALUES[kind])
    def check(value: str) -> None:
        _check(kind, value)
        _check("any", value)

    check()


def _names(kind: str, text: str) -> list[str]:
    return [step.rule for step in _explained(kind, text).steps]


@pytest.mark.parametrize(
    ("kind", "text", "rules"),
    [
        ("any", "evil.com", [GUESS]),
        ("domain", "evil.com", []),
        ("domain", " Ev\u200bil[.]com. ", ["invisible", "trim", "refang", "dots", "case"]),
        ("domain", "bu\u0308cher.example.com", ["nfc", "a-labels"]),
        (
            "url",
            "http://u@3279880203:80/a/../?#b",
            ["whatwg", "credentials", "fragment", "empty query"],
        ),
        ("url", "http://[::ffff:8.8.8.8]./", []),
        ("url", "http://[::ffff:8.8.8.8]/", ["whatwg", "host"]),
        ("url-host", "3279880203", ["as a url", "whatwg", "only the host"]),
        ("ipv6", "[2606:4700:0::1111%eth0]:53", ["port", "brackets", "zone", "address"]),
        ("cidr", "::ffff:8.8.8.8/120", ["address", "network", "mapped"]),
        ("email", "Bad@Evil.COM.", ["local part", "domain part"]),
        ("sha1", "AAF4C61DDCC5E8A2DABEDE0F3B482CD9AEA9434D", ["case"]),
        ("x509-fingerprint", "AA:F4:C6:1D:DC:C5:E8:A2:DA:BE:DE:0F:3B:48:2C:D9", ["separators", "case"]),
        ("mac", "0016.3E12.3456", ["case", "octets"]),
        ("asn", "AS013335", ["number"]),
        ("cve", "cve\u20132021-44228", ["hyphens", "case"]),
        ("btc", "bitcoin:BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", ["uri", "case"]),
        ("mutex", "Global\\\\Some.Name", ["backslashes", "case", "namespace"]),
        ("file-name", '"C:\\A B\\Evil[.]EXE."', ["quotes", "path", "refang", "case", "trailing dots"]),
    ],
)
def test_each_change_is_a_step_of_its_own(kind: str, text: str, rules: list[str]) -> None:
    assert _names(kind, text) == rules


@pytest.mark.parametrize(
    ("kind", "text", "lossy"),
    [
        ("any", "8.8.8.8:53", True),
        ("any", "8.8.8.8", False),
        ("any", "http://evil.com/a#b", True),
        ("any", "HTTP://EVIL.com:80/a", False),
        ("any", "Bad@evil.com", True),
        ("any", "Evil.com.", False),
        ("mutex", "Global\\x", True),
        ("file-name", "Evil.exe", True),
        ("file-name", "evil.exe", False),
        ("url-host", "http://evil.com/", True),
    ],
)
def test_what_is_lost_is_said(kind: str, text: str, lossy: bool) -> None:
    assert _explained(kind, text).lossy is lossy


def test_a_refusal_names_the_rule_and_what_was_done_before_it() -> None:
    told = explain("hxxp://Intranet[.]local/", T.URL)
    assert (told.result, told.reason, told.refused_by) == (None, "unknown-suffix", "host")
    assert [step.rule for step in told.steps] == ["refang", "whatwg"]
    assert explain("a b").refused_by == GUESS
    assert explain("\u200b").refused_by == "empty"


def test_a_type_of_the_same_family() -> None:
    assert explain("[::ffff:8.8.8.8]:53", T.IPV6).result == Indicator(T.IPV4, "8.8.8.8")


def test_there_is_advice_on_every_reason_of_the_profile() -> None:
    assert set(ADVICE) == set(REASONS) - OF_READERS


def test_names_of_rules_tell_them_apart() -> None:
    """But for those that are meant to run twice, such as the trimming after refanging."""
    for kind in T:
        names = [rule.name for rule in (*cleaning(kind), *RULES[kind])]
        twice = {name for name in names if names.count(name) > 1}
        assert twice <= {"trim"}, kind
