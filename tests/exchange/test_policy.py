"""The policy refuses by default, rule by rule, and says what would allow it; the file is read strictly."""

from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.psi import Output
from exchange.errors import ConfigError
from exchange.indicators import IndicatorType
from exchange.policy import (
    DEFAULT_POLICY,
    RULES,
    Bounds,
    Decision,
    History,
    Policy,
    Request,
    Rung,
    Terms,
    Validity,
    decide,
    parse,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FILE = """\
version = 1
valid_from = 2026-01-01
valid_until = 2026-12-31

[peers.umbra]
directions = ["initiator"]
reveal = "overlap"
learns = ["us"]
types = ["domain", "ipv4"]
protocols = ["voprf"]
our_size = { min = 100, max = 1_000_000 }
peer_size = { min = 100, max = 1_000_000 }
sessions_per_day = 3
purposes = ["shared incident response"]
valid_from = 2026-02-01
valid_until = 2026-06-30
"""
POLICY = parse(FILE)
REQUEST = Request(
    peer="umbra",
    direction="initiator",
    rung=Rung.OVERLAP,
    types=(IndicatorType.DOMAIN, IndicatorType.IPV4),
    protocol="voprf",
    output=Output.RECEIVER,
    our_size=1000,
    peer_size_padded=2048,
    purpose="shared incident response",
)
# Rule -> what this rule alone refuses: changes to the request, another history or another time.
REFUSED: dict[str, list[dict[str, Any]]] = {
    "p2-policy-validity": [{"now": NOW - timedelta(days=90)}, {"now": NOW + timedelta(days=400)}],
    "p1-peer": [{"peer": "globex"}],
    "p2-validity": [
        {"now": datetime(2026, 1, 31, 23, 59, tzinfo=UTC)},
        {"now": datetime(2026, 7, 1, tzinfo=UTC)},
    ],
    "p1-direction": [{"direction": "responder"}],
    "p8-rung": [{"rung": Rung.CONTEXT}],
    "rung-available": [{"rung": Rung.ESTIMATE}, {"rung": Rung.CARDINALITY}, {"rung": Rung.SUM}],
    "p8-output": [{"output": Output.BOTH}],
    "p3-types": [{"types": (IndicatorType.IPV4, IndicatorType.URL)}, {"types": ()}],
    "protocol": [{"protocol": "vole"}],
    "p7-our-size": [{"our_size": 99}, {"our_size": 1_000_001}],
    "p7-peer-size": [{"peer_size_padded": 96}, {"peer_size_padded": 1 << 20}],
    "purpose": [{"purpose": "marketing"}, {"purpose": ""}],
    "p11-sessions-per-day": [{"history": History(3)}, {"history": History(4)}],
}
CASES = [(rule, case) for rule, cases in REFUSED.items() for case in cases]
UNKNOWN = History()
NO_REMEDY = {"p2-policy-validity", "p2-validity", "rung-available"}


def ask(policy: Policy, *, history: History = UNKNOWN, now: datetime = NOW, **change: Any) -> Decision:
    return decide(policy, replace(REQUEST, **change), history, now)


class TestDecide:
    def test_what_the_file_allows(self) -> None:
        decision = decide(POLICY, REQUEST, History(2), NOW)
        assert (decision.allowed, decision.rule) == (True, "allowed")
        assert "[peers.umbra]" in decision.explanation
        for change in (
            {"rung": Rung.SIZE},
            {"peer_size_padded": None},
            {"our_size": 100},
            {"our_size": 1_000_000},
        ):
            assert decide(POLICY, replace(REQUEST, **change), History(), NOW).allowed
        for day in (datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 6, 30, 23, 59, 59, tzinfo=UTC)):
            assert decide(POLICY, REQUEST, History(), day).allowed

    def test_every_rule_is_tried_alone(self) -> None:
        assert REFUSED.keys() == {"p2-policy-validity", "p1-peer", *(rule.id for rule in RULES)}
        assert all(rule.about for rule in RULES)
        assert all(len(rule) <= 31 for rule in REFUSED), "the ledger holds rule ids"

    @pytest.mark.parametrize(("rule", "case"), CASES)
    def test_the_one_rule_that_refuses(self, rule: str, case: dict[str, Any]) -> None:
        decision = ask(POLICY, **case)
        assert (decision.allowed, decision.rule) == (False, rule)
        assert decision.explanation.startswith(f"refused by {rule}: ")

    @pytest.mark.parametrize(("rule", "case"), [c for c in CASES if c[0] not in NO_REMEDY])
    def test_following_the_explanation_satisfies_the_rule(self, rule: str, case: dict[str, Any]) -> None:
        explanation = ask(POLICY, **case).explanation
        if case.get("purpose") == "" or case.get("types") == ():  # nothing in the policy can be wrong then
            assert "To allow it" not in explanation
            return
        header, *lines = explanation.partition("policy.toml:\n\n")[2].split("\n")
        keys = {line.partition(" ")[0] for line in lines}
        if header == "[peers.umbra]":
            kept = [
                line
                for line in FILE.splitlines()
                if line.partition(" ")[0] not in keys or line.startswith("v")
            ]
            text = "\n".join([*kept, *lines])
        else:
            text = "\n".join([FILE, header, *lines])
        assert ask(parse(text), **case).rule != rule

    def test_the_terms_suggested_for_a_stranger_allow_exactly_this(self) -> None:
        request = replace(REQUEST, peer="globex", output=Output.BOTH)
        text = decide(Policy(), request, History(), NOW).explanation.partition("policy.toml:\n\n")[2]
        policy = parse(f"version = 1\n{text}\n")
        assert decide(policy, request, History(), NOW).allowed
        for name, value in (
            ("our_size", 1001),
            ("direction", "responder"),
            ("protocol", "vole"),
            ("peer", "umbra"),
        ):
            assert not decide(policy, replace(request, **{name: value}), History(), NOW).allowed
        assert not decide(policy, request, History(1), NOW).allowed

    @given(st.sampled_from([f.name for f in fields(Terms) if f.name not in {"purposes", "validity"}]))
    def test_whatever_is_not_stated_is_refused(self, name: str) -> None:
        terms = replace(POLICY.peers["umbra"], **{name: getattr(Terms(), name)})
        assert not decide(Policy({"umbra": terms}), REQUEST, History(), NOW).allowed

    def test_nothing_is_allowed_by_nothing(self) -> None:
        for policy in (Policy(), parse(DEFAULT_POLICY), Policy({"umbra": Terms()})):
            assert not decide(policy, REQUEST, History(), NOW).allowed

    def test_own_terms_come_before_anyones(self) -> None:
        policy = Policy({"*": POLICY.peers["umbra"], "globex": Terms()})
        assert decide(policy, REQUEST, History(), NOW).allowed
        assert not decide(policy, replace(REQUEST, peer="globex"), History(), NOW).allowed
        refusal = decide(policy, replace(REQUEST, protocol="vole"), History(), NOW)
        assert '[peers."*"]' in refusal.explanation

    @pytest.mark.parametrize(
        ("direction", "output", "learners"),
        [
            ("initiator", Output.RECEIVER, {"us"}),
            ("responder", Output.RECEIVER, {"peer"}),
            ("initiator", Output.BOTH, {"us", "peer"}),
            ("responder", Output.BOTH, {"us", "peer"}),
        ],
    )
    def test_who_learns(self, direction: str, output: Output, learners: set[str]) -> None:
        assert replace(REQUEST, direction=direction, output=output).learners == learners

    def test_days_are_utc(self) -> None:
        validity = Validity(date(2026, 3, 1), date(2026, 3, 1))
        assert validity.covers(datetime.fromisoformat("2026-03-01T23:59:59+00:00"))
        assert validity.covers(datetime.fromisoformat("2026-03-02T08:00:00+09:00"))
        assert not validity.covers(datetime.fromisoformat("2026-03-01T08:00:00+09:00"))


class TestFile:
    def test_reads_what_it_says(self) -> None:
        assert (
            Policy(
                {
                    "umbra": Terms(
                        directions=frozenset({"initiator"}),
                        reveal=Rung.OVERLAP,
                        learns=frozenset({"us"}),
                        types=frozenset({IndicatorType.DOMAIN, IndicatorType.IPV4}),
                        protocols=frozenset({"voprf"}),
                        our_size=Bounds(100, 1_000_000),
                        peer_size=Bounds(100, 1_000_000),
                        sessions_per_day=3,
                        purposes=frozenset({"shared incident response"}),
                        validity=Validity(date(2026, 2, 1), date(2026, 6, 30)),
                    )
                },
                Validity(date(2026, 1, 1), date(2026, 12, 31)),
            )
            == POLICY
        )

    def test_the_default_is_an_example_once_its_marks_are_removed(self) -> None:
        example = "\n".join(line.removeprefix("# ") for line in DEFAULT_POLICY.splitlines() if " = " in line)
        example = example.replace("directions", "[peers.their-name]\ndirections", 1)
        terms = parse(example).peers["their-name"]
        assert terms.reveal is Rung.OVERLAP
        assert terms.purposes is not None

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ("version = 1", "version = 2", "line 1: version must be 1"),
            ("version = 1", "", "version must be 1"),
            ("version = 1", "version = true", "line 1: version must be 1"),
            ("[peers.umbra]", "[peers.Umbra]", "line 5: peers.Umbra is no member id"),
            ("[peers.umbra]", "[peer.umbra]", "line 5: peer is not known here"),
            ("reveal", "reveals", "line 7: peers.umbra.reveals is not known here; known are: directions, "),
            ('"overlap"', '"everything"', "line 7: peers.umbra.reveal must be one of: size, estimate, "),
            ('"overlap"', "3", "line 7: peers.umbra.reveal must be one of"),
            ('["us"]', '["them"]', r"line 8: peers.umbra.learns\[0\] must be one of: us, peer"),
            ('["us"]', '"us"', "line 8: peers.umbra.learns must be a list"),
            (
                '["domain", "ipv4"]',
                '["domain", "ipv9"]',
                r"line 9: peers.umbra.types\[1\] must be one of: ipv4, ",
            ),
            ('["domain", "ipv4"]', '["ipv4", "ipv4"]', "line 9: peers.umbra.types holds a value twice"),
            (
                '["voprf"]',
                '["Vo prf"]',
                r"line 10: peers.umbra.protocols\[0\] must be the name of a protocol",
            ),
            (
                "our_size = { min = 100, ",
                "our_size = { ",
                "line 11: peers.umbra.our_size must be { min = NUMBER",
            ),
            (
                "our_size = { min = 100, ",
                "our_size = { min = -1, ",
                "line 11: peers.umbra.our_size.min must be a",
            ),
            ("our_size = { min = 100, ", "our_size = { min = 2_000_000, ", "line 11: .*min above its max"),
            (
                "peer_size = { min = 100, ",
                "peer_size = { min = true, ",
                "line 12: peers.umbra.peer_size.min must",
            ),
            (
                "sessions_per_day = 3",
                "sessions_per_day = 1.5",
                "line 13: peers.umbra.sessions_per_day must be",
            ),
            ('["shared incident response"]', '[""]', r"line 14: peers.umbra.purposes\[0\] must be a text"),
            (
                "valid_from = 2026-02-01",
                'valid_from = "2026-02-01"',
                "line 15: peers.umbra.valid_from must be a day",
            ),
            ("valid_from = 2026-02-01", "valid_from = 2026-02-01T00:00:00Z", "line 15: .*must be a day"),
            ("2026-06-30", "2026-01-30", "line 16: peers.umbra.valid_until is before valid_from"),
            ("2026-12-31", "2025-12-31", "line 3: valid_until is before valid_from"),
            ("[peers.umbra]", "[peers.umbra", r"not valid TOML: .*line 5"),
        ],
    )
    def test_faults_name_their_place(self, old: str, new: str, message: str) -> None:
        text = FILE.replace(old, new, 1)
        assert text != FILE
        with pytest.raises(ConfigError, match=r"^policy\.toml.*" + message) as refused:
            parse(text)
        assert refused.value.code == "config"

    @pytest.mark.parametrize(
        "text", ["version = 1\npeers = 3", "version = 1\n[peers]\numbra = 3", "\x00", "x"]
    )
    def test_other_shapes(self, text: str) -> None:
        with pytest.raises(ConfigError):
            parse(text)

    def test_dotted_and_inline_forms_have_lines_too(self) -> None:
        with pytest.raises(ConfigError, match=r"line 2: peers\.umbra\.reveal"):
            parse('version = 1\npeers.umbra.reveal = "all"')
        with pytest.raises(ConfigError, match=r"line 3: peers\.umbra\.types"):
            parse('version = 1\n[peers]\numbra = { types = "ipv4" }')

    @given(st.text(max_size=80))
    def test_no_text_breaks_the_reader(self, text: str) -> None:
        for content in (text, FILE + text, f"version = 1\n[peers.umbra]\n{text}"):
            try:
                parse(content)
            except ConfigError:
                continue


class TestHash:
    def test_order_and_comments_do_not_count(self) -> None:
        head, table = FILE.split("\n\n")
        name, *lines = table.splitlines()
        other = "\n".join(["# a comment", head, "", name, *reversed(lines)]).replace(
            '"domain", "ipv4"', '"ipv4","domain"'
        )
        assert other != FILE
        assert parse(other).hash == POLICY.hash
        assert len(POLICY.hash) == 32

    def test_every_statement_counts(self) -> None:
        hashes = {
            POLICY.hash,
            Policy().hash,
            Policy(POLICY.peers).hash,
            Policy({"*": POLICY.peers["umbra"]}).hash,
        }
        for f in fields(Terms):
            terms = replace(POLICY.peers["umbra"], **{f.name: getattr(Terms(), f.name)})
            hashes.add(Policy({"umbra": terms}, POLICY.validity).hash)
        assert len(hashes) == 4 + len(fields(Terms))


class TestDocs:
    text = (Path(__file__).parents[2] / "docs" / "policy.md").read_text()

    def test_the_example_says_what_the_page_says(self) -> None:
        policy = parse(self.text.partition("```toml\n")[2].partition("```")[0])
        assert policy.peers.keys() == {"umbra", "globex", "*"}
        assert ask(policy, output=Output.BOTH, direction="responder").allowed
        stranger = {"peer": "initech", "direction": "responder", "peer_size_padded": 1024}
        assert ask(policy, rung=Rung.SIZE, **stranger).allowed
        assert ask(policy, **stranger).rule == "p8-rung"

    def test_every_rule_and_key_has_its_line(self) -> None:
        names = {*REFUSED, *(f.name for f in fields(Terms)), *Rung, *IndicatorType} - {"validity"}
        assert {name for name in names if f"`{name}`" not in self.text} == set()

    def test_the_messages_are_the_real_ones(self) -> None:
        terms = replace(POLICY.peers["umbra"], types=frozenset({IndicatorType.DOMAIN, IndicatorType.IPV4}))
        refusal = ask(Policy({"umbra": terms}), types=(IndicatorType.DOMAIN, IndicatorType.URL)).explanation
        assert refusal in self.text
        with pytest.raises(ConfigError) as refused:
            parse('version = 1\n\n[peers.umbra]\nreveal = "everything"')
        assert str(refused.value) in self.text
