"""The policy refuses by default, rule by rule, each one alone, and says what would allow it."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.psi import Output
from exchange.indicators import PROFILE, IndicatorType, Tlp
from exchange.indicators.context import Pap
from exchange.policy import (
    ADMISSION_RULES,
    DEFAULT_POLICY,
    EVERYTHING,
    RULES,
    Admission,
    History,
    Policy,
    Rung,
    Terms,
    admission,
    at_stake,
    decide,
    explain,
    parse,
    told,
)
from tests.exchange.policy.cases import (
    ANSWERING,
    APPROVED,
    ASKED,
    BANDED_RUN,
    CASES,
    CLIMB_IF,
    COUNTED,
    FILE,
    HALF,
    LOWER_RUN,
    NOISE,
    NOW,
    POLICY,
    REFUSED,
    REQUEST,
    UNKNOWN,
    Alone,
    answering,
    approval,
    approved,
    past,
    terms,
    written,
)

ESTIMATED = replace(LOWER_RUN, rung=Rung.ESTIMATE, matched=11)
TOO = {"p1-peer": {rule.id for rule in RULES}}
"""Rules that cannot help objecting too: to a stranger, for whom nothing is stated."""
REQUIRED = {
    "directions", "reveal", "learns", "types", "protocols", "our_size", "peer_size", "sessions_per_day",
    "tlp", "legal_basis",
}  # fmt: skip


class TestDecide:
    def test_what_the_file_allows(self) -> None:
        decision = decide(POLICY, REQUEST, History((past(),) * 2), NOW)
        assert (decision.allowed, decision.rule) == (True, "allowed")
        assert "[peers.umbra]" in decision.explanation
        for change in (
            {"rung": Rung.SIZE},
            {"peer_size_padded": None},
            {"our_size": None},
            {"our_size": 100},
            {"our_size": 1_000_000},
        ):
            assert decide(POLICY, replace(REQUEST, **change), UNKNOWN, NOW).allowed
        for day in (datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 6, 30, 23, 59, 59, tzinfo=UTC)):
            assert decide(POLICY, REQUEST, UNKNOWN, day).allowed

    def test_every_rule_is_tried_alone(self) -> None:
        assert list(REFUSED) == [rule.id for rule in RULES]
        assert len({rule.id for rule in RULES}) == len(RULES)
        assert all(rule.about for rule in RULES)
        assert all(len(rule) <= 31 for rule in REFUSED), "the ledger holds rule ids"

    @pytest.mark.parametrize(("rule", "case"), CASES, ids=[rule for rule, _ in CASES])
    def test_the_one_rule_that_refuses(self, rule: str, case: Alone) -> None:
        decision = case.decision()
        assert (decision.allowed, decision.rule) == (False, rule), decision.explanation
        assert decision.explanation.startswith(f"refused by {rule}: ")
        said = explain(parse(case.text()), case.asked(), case.history, case.now)
        objecting = {v.rule for v in said if v.verdict == "objects"}
        assert objecting == {rule} or objecting <= TOO.get(rule, set())

    @pytest.mark.parametrize(("rule", "case"), CASES, ids=[rule for rule, _ in CASES])
    def test_following_the_explanation_satisfies_the_rule(self, rule: str, case: Alone) -> None:
        lines = case.decision().explanation.partition("policy.toml:\n\n")[2]
        if lines:
            assert merged(case, lines).rule != rule

    def test_rules_without_a_line_that_helps(self) -> None:
        helpless = {rule for rule, case in CASES if "policy.toml" not in case.decision().explanation}
        assert helpless == {
            "p2-policy-validity", "p22-suspended", "p22-quarantine", "p2-validity", "p2-arrangement",
            "p21-region", "p24-attestation", "purpose", "p16-personal-data", "p3-types",
            "p8-climb", "p19-approval", "p12-share",
        }  # fmt: skip

    def test_the_terms_suggested_for_a_stranger_allow_exactly_this(self) -> None:
        request = replace(REQUEST, peer="globex", output=Output.BOTH)
        text = decide(Policy(), request, UNKNOWN, NOW).explanation.partition("policy.toml:\n\n")[2]
        policy = parse(f"version = 1\n{text}\n")
        assert decide(policy, request, UNKNOWN, NOW).allowed
        for name, value in (
            ("our_size", 1001),
            ("direction", "responder"),
            ("protocol", "vole"),
            ("peer", "umbra"),
        ):
            assert not decide(policy, replace(request, **{name: value}), UNKNOWN, NOW).allowed
        assert not decide(policy, request, History((past(),)), NOW).allowed

    @pytest.mark.parametrize("name", sorted(REQUIRED))
    def test_whatever_is_not_stated_is_refused(self, name: str) -> None:
        stated = replace(POLICY.peers["umbra"], **{name: getattr(Terms(), name)})
        assert not decide(replace(POLICY, peers={"umbra": stated}), REQUEST, UNKNOWN, NOW).allowed

    @pytest.mark.parametrize("name", sorted({f.name for f in fields(Terms)} - REQUIRED))
    def test_what_may_be_left_out(self, name: str) -> None:
        stated = replace(POLICY.peers["umbra"], **{name: getattr(Terms(), name)})
        assert decide(replace(POLICY, peers={"umbra": stated}), REQUEST, UNKNOWN, NOW).allowed

    def test_nothing_is_allowed_by_nothing(self) -> None:
        for policy in (Policy(), parse(DEFAULT_POLICY), Policy({"umbra": Terms()})):
            assert not decide(policy, REQUEST, UNKNOWN, NOW).allowed

    def test_own_terms_come_before_anyones(self) -> None:
        policy = replace(POLICY, peers={"*": POLICY.peers["umbra"], "globex": Terms()})
        assert decide(policy, REQUEST, UNKNOWN, NOW).allowed
        assert not decide(policy, replace(REQUEST, peer="globex"), UNKNOWN, NOW).allowed
        refusal = decide(policy, replace(REQUEST, protocol="vole"), UNKNOWN, NOW)
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


def merged(case: Alone, printed: str):
    """The decision once the lines that were printed are in the policy, as an operator puts them in."""
    blocks = dict(block.partition("\n")[::2] for block in printed.split("\n\n") if block.startswith("["))
    top = "\n".join(block for block in printed.split("\n\n") if not block.startswith("["))
    own = blocks.pop("[peers.umbra]", "")
    text = written(case.text(), terms=own, top=top)
    for header, lines in blocks.items():
        if header in text:
            keys = {line.partition(" ")[0] for line in lines.splitlines()}
            before, _, after = text.partition(f"{header}\n")
            table, mark, rest = after.partition("\n[")
            kept = [line for line in table.splitlines() if line.partition(" ")[0] not in keys]
            text = "\n".join([before, header, *kept, lines]) + mark + rest
        else:
            text = written(text, tables=f"{header}\n{lines}\n")
    return case.decision(parse(text))


class TestAllowed:
    """What lies just inside of a limit."""

    @pytest.mark.parametrize(
        "case",
        [
            Alone({"tables": '[iep]\nid = "7"\nname = "x"\niep_version = 2.0\nend_date = 2026-03-01\n'}),
            Alone(
                {
                    "tables": '[arrangements.isac]\nreference = "x"\nparties = ["umbra"]\n',
                    "terms": 'arrangement = "isac"',
                }
            ),
            terms('roles = ["administrator", "member"]', role="administrator"),
            Alone({"top": 'regions = ["EU", "DE"]', "terms": 'region = "DE"'}),
            terms('attribution = "must-not"', attributed=False),
            terms('attribution = "must-not"'),
            terms('attribution = "must"', attributed=True),
            Alone(
                {
                    "terms": 'attribution = "may"',
                    "tables": '[iep]\nid = "7"\nname = "x"\niep_version = "2.0"\nattribution = "must-not"\n',
                },
                {"attributed": True},
            ),
            Alone({"without": "legal_basis"}, {"types": (IndicatorType.DOMAIN,)}),
            Alone({"without": "legal_basis", "tables": '[personal_data]\ntypes = ["email"]\n'}),
            terms(f'profiles = ["cti-c14n/2", "{PROFILE}"]'),
            terms("ahead_hours = 24", ahead_age_s=24 * 3600),
            terms("ahead_hours = 24"),
            terms("size_ratio = 2"),
            terms('commitment = "required"', peer_commitment=True),
            terms('commitment = "required"'),
            terms("growth_per_day = 0.5", peer_growth=0.5),
            terms("growth_per_day = 0.5"),
            Alone(history=History((past(timedelta(hours=24, seconds=1)),) * 3)),
            answering("values_per_day = 2048"),
            answering("values_per_day = 4096", past()),
            answering("values_per_day = 2048", past(timedelta(hours=24, seconds=1))),
            answering("values_per_day = 2048", past(rung=Rung.SIZE)),
            answering("values_per_day = 2048", past(direction="initiator")),
            answering("values_per_day = 2048", past(peer_padded=None)),
            answering("values_per_day = 0", rung=Rung.SIZE),
            terms("values_per_day = 0"),
            answering("values_per_year = 2048", past(timedelta(days=365, seconds=1))),
            answering("share = { most = 1, days = 30 }"),
            answering(HALF, past(timedelta(days=30, seconds=1), charge=501), peer_size_padded=128),
            terms("share = { most = 0, days = 30 }"),
            answering(HALF, past(charge=372), peer_size_padded=128),
            terms("climb = true", History((LOWER_RUN,))),
            terms("climb = true", rung=Rung.SIZE),
            terms("climb = true", below=LOWER_RUN),
            terms(CLIMB_IF.replace("3000", "2048"), History((LOWER_RUN, past()))),
            approved(approval("ann"), approval("bo")),
            approved(approval("ann", days=0), approval("bo", days=7)),
        ],
    )  # fmt: skip
    def test_the_edge_is_inside(self, case: Alone) -> None:
        decision = case.decision()
        assert decision.allowed, decision.explanation

    @pytest.mark.parametrize(
        "case",
        [
            terms('climb_if = { overlap = "cardinality >= 10" }', History((BANDED_RUN,))),
            terms('climb_if = { overlap = "estimate > 10" }', History((ESTIMATED,))),
            terms(
                'climb_if = { overlap = "sum >= 7" }', History((replace(LOWER_RUN, rung=Rung.SUM, total=7),))
            ),
            answering('sums = ["sightings"]', rung=Rung.SUM, over="sightings"),
            terms("", rung=Rung.SUM, over="sightings"),
            answering('reveal = "context"\ncontext = { fields = ["tlp"], bytes = 64 }', rung=Rung.CONTEXT),
            answering(
                f"{NOISE}, most = 2, days = 30 }}", past(timedelta(days=31), epsilon_milli=1000), **COUNTED
            ),
        ],
    )
    def test_what_stands_between_the_sizes_and_the_overlap(self, case: Alone) -> None:
        decision = case.decision()
        assert decision.allowed, decision.explanation

    def test_the_newest_session_of_the_rung_below_counts(self) -> None:
        older = replace(LOWER_RUN, began=NOW - timedelta(hours=5), peer_padded=4096)
        case = terms(CLIMB_IF, History((older,)))
        assert case.decision().allowed
        assert not replace(case, history=History((LOWER_RUN, older))).decision().allowed

    def test_another_revision_of_the_policy_needs_approving_anew(self) -> None:
        case = approved(approval("ann"), approval("bo"))
        assert case.decision().allowed
        assert case.decision(replace(APPROVED, revision=1)).rule == "p19-approval"

    def test_an_approval_is_for_one_request(self) -> None:
        given = approved(approval("ann"), approval("bo"))
        wider = 'types = ["domain"]\npurposes = ["a", "shared incident response"]'
        for change in ({"types": (IndicatorType.DOMAIN,)}, {"purpose": "a"}):
            policy = {"tables": given.policy["tables"], "terms": given.policy["terms"] + "\n" + wider}
            assert "p19-approval" in {
                v.rule
                for v in explain(
                    parse(written(FILE, **policy)), replace(REQUEST, **change), given.history, NOW
                )
                if v.verdict == "objects"
            }


class TestExplain:
    def test_every_rule_has_its_verdict(self) -> None:
        said = explain(POLICY, REQUEST, UNKNOWN, NOW)
        assert [v.rule for v in said] == [*(rule.id for rule in RULES), *ADMISSION_RULES]
        assert {v.verdict for v in said} == {"passes", "not stated", "item by item"}
        unstated = {v.rule for v in said if v.verdict == "not stated"}
        assert unstated == {
            "p2-arrangement", "p1-role", "p21-region", "p6-attribution", "p20-ahead", "p7-ratio",
            "guard-commitment", "guard-growth", "p11-values-per-day", "p11-values-per-year", "p12-share",
            "p8-climb", "p19-approval", "p8-sum", "p8-context", "p10-bands", "p10-noise",
        }  # fmt: skip
        assert all(v.reason for v in said if v.verdict == "item by item")

    def test_what_is_not_known_is_said(self) -> None:
        policy = parse(
            written(
                FILE,
                terms=f"{ANSWERING}\nsize_ratio = 3\nvalues_per_day = 9999\nvalues_per_year = 9999\n"
                'share = { most = 1, days = 9 }\ncommitment = "required"\ngrowth_per_day = 1',
            )
        )
        request = replace(REQUEST, **ASKED, our_size=None, peer_size_padded=None)
        waiting = {
            "p7-our-size", "p7-peer-size", "p7-ratio", "p11-values-per-day", "p11-values-per-year",
            "p12-share", "guard-commitment", "guard-growth",
        }  # fmt: skip
        said = explain(policy, request, UNKNOWN, NOW)
        assert {v.rule for v in said if v.verdict == "not known yet"} == waiting
        assert decide(policy, request, UNKNOWN, NOW).allowed
        known = explain(policy, replace(request, our_size=1000), UNKNOWN, NOW)
        assert {v.rule for v in known if v.verdict == "not known yet"} == waiting - {"p7-our-size"}

    @pytest.mark.parametrize(("rule", "case"), CASES, ids=[rule for rule, _ in CASES])
    def test_the_first_that_objects_decides(self, rule: str, case: Alone) -> None:
        said = explain(parse(case.text()), case.asked(), case.history, case.now)
        first = next(v for v in said if v.verdict == "objects")
        text = case.decision().explanation
        assert first.rule == rule
        assert first.reason in text
        assert text.endswith(first.remedy or first.reason)


class TestAdmission:
    def test_of_nothing_stated_nothing_but_what_is_public_enters(self) -> None:
        assert admission(Terms(), UNKNOWN, NOW) == Admission(tlp=Tlp.CLEAR)

    @pytest.mark.parametrize(
        ("lines", "changed"),
        [
            ('tlp = "AMBER+STRICT"', {"tlp": Tlp.AMBER_STRICT}),
            ('tlp = "tlp:white"', {"tlp": Tlp.CLEAR}),
            ('pap = "GREEN"', {"pap": Pap.GREEN}),
            ('provenance = "own"', {"own": True}),
            ("max_age_days = 90", {"max_age_days": dict.fromkeys(IndicatorType, 90)}),
            ("max_age_days = { ipv4 = 7 }", {"max_age_days": {IndicatorType.IPV4: 7}}),
        ],
    )
    def test_the_terms_say_what_enters(self, lines: str, changed: dict[str, object]) -> None:
        usual = replace(EVERYTHING, tlp=Tlp.AMBER)
        found = admission(parse(written(FILE, terms=lines)).peers["umbra"], UNKNOWN, NOW)
        assert found == replace(usual, **changed)

    def test_a_value_enters_so_often(self) -> None:
        stated = parse(written(FILE, terms="entries_per_value = { most = 2, days = 30 }")).peers["umbra"]
        ago = [timedelta(days=n) for n in (31, 29, 8, 1)]
        sessions = [past(day) for day in ago]
        spent = [
            admission(stated, History(tuple(sessions[:n])), NOW).imported_after for n in range(len(ago) + 1)
        ]
        assert spent == [None, None, None, NOW - ago[1], NOW - ago[2]]
        size = History((past(rung=Rung.SIZE),) * 9)
        assert admission(stated, size, NOW).imported_after is None, "no value enters a session of sizes"


class TestAtStake:
    @pytest.mark.parametrize(
        ("change", "most"),
        [
            ({}, 0),
            (ASKED, 1000),
            (ASKED | {"peer_size_padded": 128}, 128),
            (ASKED | {"peer_size_padded": 128, "protocol": "vole"}, 154),
            ({"output": Output.BOTH, "peer_size_padded": 128}, 128),
            (ASKED | {"rung": Rung.SIZE}, 0),
            (ASKED | {"peer_size_padded": None}, 1000),
            (ASKED | {"our_size": None}, 2048),
        ],
    )
    def test_the_most_that_the_peer_can_learn(self, change: dict[str, object], most: int) -> None:
        assert at_stake(replace(REQUEST, **change)) == most

    @given(st.integers(0, 1 << 40))
    def test_what_is_told_of_a_count(self, count: int) -> None:
        assert told(count, "hidden") is None
        assert told(count, "exact") == count
        band = told(count, "band")
        assert band is not None
        assert count <= band <= 10 * count
        assert set(str(band)) <= {"9"} or band == 0
