"""The page on the policy says what the program does."""

import re
from dataclasses import fields, replace

import pytest

from crypto.psi import Output
from exchange.aggregation.opening import Measure, Visibility
from exchange.errors import ConfigError
from exchange.indicators import IndicatorType
from exchange.indicators.context import Context
from exchange.planning import DEFAULTS
from exchange.policy import (
    ADMISSION_RULES,
    RULES,
    Aggregate,
    Bounds,
    Discover,
    Policy,
    Rung,
    Terms,
    aggregation,
    decide,
    discovery,
    doubts,
    parse,
)
from exchange.policy.tables import BASES, IEP_WORDS
from exchange.policy.together import LEARNERS
from tests.architecture.tree import ROOT
from tests.exchange.policy.cases import NOW, POLICY, REQUEST, UNKNOWN

PAGE = (ROOT / "docs/policy.md").read_text()
EXAMPLE, ALLIANCE, SAID, TABLES = (block.partition("```")[0] for block in PAGE.split("```toml\n")[1:])
FINDING = (*discovery.RULES, discovery.PARTS[-1])
IEP = PAGE.partition("```json\n")[2].partition("```")[0]


def test_the_example_says_what_the_page_says() -> None:
    policy = parse(EXAMPLE)
    assert policy.peers.keys() == {"umbra", "globex", "*"}
    answer = replace(REQUEST, direction="responder", output=Output.BOTH)
    small = replace(answer, our_size=10_000, peer_size_padded=2048)
    assert decide(policy, small, UNKNOWN, NOW).allowed
    assert decide(policy, answer, UNKNOWN, NOW).rule == "p12-share"
    types = (IndicatorType.DOMAIN,)
    stranger = replace(answer, peer="initech", output=Output.RECEIVER, types=types)
    assert decide(policy, replace(stranger, rung=Rung.SIZE), UNKNOWN, NOW).allowed
    assert decide(policy, stranger, UNKNOWN, NOW).rule == "p8-rung"


def test_the_tables_and_the_iep_are_read() -> None:
    tables = parse(TABLES)
    assert tables.peers["umbra"].approval is not None
    assert tables.arrangements["isac"].parties == {"umbra", "globex"}
    iep = parse(IEP, name="policy.json")
    assert iep.iep is not None
    assert iep.attribution("umbra") == "must-not"
    assert iep.peers["umbra"].reveal is Rung.SIZE


def test_what_is_done_with_the_alliance_is_read() -> None:
    policy = parse(ALLIANCE)
    assert policy.aggregate is not None
    assert policy.discover is not None
    assert policy.aggregate.dictionary == Bounds(1000, 1_000_000)
    assert [s.text for s in doubts(policy, NOW)] == []


def test_what_a_rung_says_of_us_is_read() -> None:
    terms = parse(SAID).peers["umbra"]
    assert terms.bands[-1] == 1000
    assert terms.context is not None
    assert {f.name for f in fields(Context)} <= set(re.findall(r"`(\w+)`", PAGE))


def test_the_policy_of_the_ladder_lets_every_rung_be_asked() -> None:
    policy = parse((ROOT / "docs/ladder.md").read_text().partition("```toml\n")[2].partition("```")[0])
    asked = replace(
        REQUEST,
        peer="acme",
        direction="responder",
        types=(IndicatorType.DOMAIN,),
        over="sightings",
        purpose="",
    )
    for rung, protocol in DEFAULTS.items():
        decision = decide(policy, replace(asked, rung=rung, protocol=protocol), UNKNOWN, NOW)
        assert decision.allowed or decision.rule == "p8-climb", decision.explanation


def test_every_rule_and_key_has_its_line() -> None:
    lines = {f.name for f in fields(Terms)} | {f.name for f in fields(Policy)}
    lines |= {f.name for table in (Aggregate, Discover) for f in fields(table)}
    rules = {*(rule.id for rule in (*RULES, *aggregation.RULES, *FINDING)), *ADMISSION_RULES}
    names = {*rules, *lines, *Measure, *Visibility, *LEARNERS, *Rung, *IndicatorType, *IEP_WORDS} - {
        "validity",
        "peers",
        "iep",
    }
    inline = {word for code in re.findall(r"`([^`\n]+)`", PAGE) for word in re.findall(r"[\w+-]+", code)}
    assert names - inline == {"legal_bases", "arrangements", "approvers"} - inline
    assert all(table in PAGE for table in ("[legal_bases.", "[arrangements.", "[approvers]", "[iep]"))
    assert [basis for basis in BASES if not basis.startswith("gdpr") and basis not in TABLES] == []


def test_the_rules_stand_in_their_order() -> None:
    deciding = PAGE.partition("And these lines refuse nothing")[0]
    together = PAGE.partition("## With the whole alliance")[2].partition("\n## ")[0]
    table = re.findall(r"^\| .*? \| `([a-z0-9-]+)` \|", deciding, re.MULTILINE)
    assert table == [*(rule.id for rule in RULES), *ADMISSION_RULES]
    table = re.findall(r"^\| .*? \| `([a-z0-9-]+)` \|", together, re.MULTILINE)
    assert table == [*(rule.id for rule in (*aggregation.RULES, *FINDING))]


def test_the_messages_are_the_real_ones() -> None:
    types = frozenset({IndicatorType.DOMAIN, IndicatorType.IPV4})
    policy = replace(POLICY, peers={"umbra": replace(POLICY.peers["umbra"], types=types)})
    request = replace(REQUEST, types=(IndicatorType.DOMAIN, IndicatorType.URL))
    assert decide(policy, request, UNKNOWN, NOW).explanation in PAGE
    with pytest.raises(ConfigError) as refused:
        parse('version = 1\n\n[peers.umbra]\nreveal = "everything"')
    assert str(refused.value) in PAGE
