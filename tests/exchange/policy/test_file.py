"""A policy is read strictly, from TOML and from JSON; what is wrong is named with its place."""

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.errors import ConfigError
from exchange.indicators import IndicatorType, Tlp
from exchange.policy import (
    DEFAULT_POLICY,
    Bounds,
    Iep,
    LegalBasis,
    Policy,
    Rung,
    Terms,
    Validity,
    doubts,
    parse,
)
from tests.exchange.policy.cases import APPROVED, FILE, NOW, POLICY, written
from tests.exchange.policy.full import FULL, FULL_POLICY

IEP: dict[str, Any] = {
    "id": "01bc4353", "name": "ours", "description": "what we share", "iep_version": 2.0,
    "start_date": "2026-01-01T00:00:00Z", "end_date": None, "encrypt_in_transit": "may",
    "permitted_actions": "externally-visible-direct-actions", "affected_party_notifications": "may",
    "tlp": "amber", "attribution": "must-not", "unmodified_resale": "must-not",
    "external_references": ["https://www.first.org/tlp"],
}  # fmt: skip


def as_json(**change: Any) -> str:
    """The same policy as a FIRST IEP with our extension; None takes a member away."""
    told = IEP | {"cosight": POLICY.content()} | change
    return json.dumps({key: value for key, value in told.items() if value is not None or key == "end_date"})


def test_reads_what_it_says() -> None:
    assert (
        Policy(
            {
                "umbra": Terms(
                    directions=frozenset({"initiator"}),
                    reveal=Rung.OVERLAP,
                    learns=frozenset({"us"}),
                    types=frozenset({IndicatorType.DOMAIN, IndicatorType.IPV4}),
                    tlp=Tlp.AMBER,
                    legal_basis="security",
                    protocols=frozenset({"voprf"}),
                    our_size=Bounds(100, 1_000_000),
                    peer_size=Bounds(100, 1_000_000),
                    sessions_per_day=3,
                    purposes=frozenset({"shared incident response"}),
                    validity=Validity(date(2026, 2, 1), date(2026, 6, 30)),
                )
            },
            Validity(date(2026, 1, 1), date(2026, 12, 31)),
            legal_bases={
                "security": LegalBasis(
                    basis="gdpr-6-1-f",
                    balancing_test="file 7",
                    validity=Validity(None, date(2026, 9, 30)),
                )
            },
        )
        == POLICY
    )


def test_the_default_is_an_example_once_its_marks_are_removed() -> None:
    headers = ("# [legal", "# [aggregate]", "# [discover]")
    lines = [line for line in DEFAULT_POLICY.splitlines() if " = " in line or line.startswith(headers)]
    example = "\n".join(line.removeprefix("# ") for line in lines)
    example = example.replace("directions", "[peers.their-name]\ndirections", 1)
    policy = parse(example)
    assert doubts(policy, NOW) == []
    assert policy.aggregate is not None
    assert policy.discover is not None
    assert policy.aggregate.lacks == policy.discover.lacks == []
    terms = policy.peers["their-name"]
    assert terms.reveal is Rung.OVERLAP
    assert terms.purposes is not None


FAULTS = [
    ("version = 1", "version = 2", "line 1: version must be 1"),
    ("version = 1", "", "version must be 1"),
    ("version = 1", "version = true", "line 1: version must be 1"),
    ("[peers.umbra]", "[peers.Umbra]", "line 10: peers.Umbra is no member id"),
    ("[peers.umbra]", "[peer.umbra]", "line 10: peer is not known here"),
    ("reveal", "reveals", "line 12: peers.umbra.reveals is not known here; known are: directions, "),
    ('"overlap"', '"everything"', "line 12: peers.umbra.reveal must be one of: size, estimate, "),
    ('"overlap"', "3", "line 12: peers.umbra.reveal must be one of"),
    ('["us"]', '["them"]', r"line 13: peers.umbra.learns\[0\] must be one of: us, peer"),
    ('["us"]', '"us"', "line 13: peers.umbra.learns must be a list"),
    ('["domain", "ipv4"]', '["domain", "ipv9"]', r"line 14: peers.umbra.types\[1\] must be one of: ipv4, "),
    ('["domain", "ipv4"]', '["ipv4", "ipv4"]', "line 14: peers.umbra.types holds a value twice"),
    ('"AMBER"', '"PURPLE"', r"line 15: peers.umbra.tlp must be one of: CLEAR, GREEN, AMBER, AMBER\+STRICT"),
    ('"AMBER"', "7", "line 15: peers.umbra.tlp must be one of"),
    (
        '= "security"',
        '= "nobody"',
        "line 16: .*legal_basis names nobody, and there is no .legal_bases.nobody",
    ),
    ('["voprf"]', '["Vo prf"]', r"line 17: peers.umbra.protocols\[0\] must be the name of a protocol"),
    ("our_size = { min = 100, ", "our_size = { ", "line 18: peers.umbra.our_size must be { min = NUMBER"),
    ("our_size = { min = 100, ", "our_size = { min = -1, ", "line 18: peers.umbra.our_size.min must be a"),
    ("our_size = { min = 100, ", "our_size = { min = 2_000_000, ", "line 18: .*min above its max"),
    ("peer_size = { min = 100, ", "peer_size = { min = true, ", "line 19: peers.umbra.peer_size.min must"),
    ("sessions_per_day = 3", "sessions_per_day = 1.5", "line 20: peers.umbra.sessions_per_day must be"),
    ('["shared incident response"]', '[""]', r"line 21: peers.umbra.purposes\[0\] must be a text"),
    ("valid_from = 2026-02-01", 'valid_from = "2026-02-01"', "line 22: peers.umbra.valid_from must be a day"),
    ("valid_from = 2026-02-01", "valid_from = 2026-02-01T00:00:00Z", "line 22: .*must be a day"),
    ("2026-06-30", "2026-01-30", "line 23: peers.umbra.valid_until is before valid_from"),
    ("2026-12-31", "2025-12-31", "line 3: valid_until is before valid_from"),
    ("gdpr-6-1-f", "because", "line 6: legal_bases.security.basis must be one of: gdpr-6-1-a, "),
    ('basis = "gdpr-6-1-f"', "", "line 5: legal_bases.security needs basis, one of"),
    ('balancing_test = "file 7"', "", "line 5: legal_bases.security needs balancing_test"),
    ("[legal_bases.security]", "[legal_bases.Security]", "legal_bases.Security is no name"),
    ("[peers.umbra]", "[peers.umbra", r"not valid TOML: .*line 10"),
]


@pytest.mark.parametrize(("old", "new", "message"), FAULTS)
def test_faults_name_their_place(old: str, new: str, message: str) -> None:
    text = FILE.replace(old, new, 1)
    assert text != FILE
    with pytest.raises(ConfigError, match=r"^policy\.toml.*" + message) as refused:
        parse(text)
    assert refused.value.code == "config"


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ("size_ratio = 0.5", "size_ratio must be a number from 1 to"),
        ("size_ratio = nan", "size_ratio must be a number"),
        ("size_ratio = inf", "size_ratio must be a number"),
        ("share = { most = 1.5, days = 3 }", "share.most must be a number from 0 to 1"),
        ("share = { most = 1 }", "share must be { most = NUMBER, days = NUMBER }"),
        ("share = 0.5", "share must be { most"),
        (
            "entries_per_value = { most = 0, days = 3 }",
            "entries_per_value.most must be a whole number from 1",
        ),
        ("max_age_days = 0", "max_age_days must be a whole number from 1"),
        ("max_age_days = { ipv9 = 3 }", "max_age_days.ipv9 is not known here"),
        ('climb_if = { size = "size > 1" }', "climb_if.size is not known here; known are: estimate, "),
        ('climb_if = { overlap = "size => 1" }', "climb_if.overlap must be a condition, such as"),
        ('approval = { rungs = ["overlap"], people = 1, days = 7 }', "approval asks for more people"),
        (
            'approval = { rungs = ["overlap"], people = 0, days = 7 }',
            "approval.people must be a whole number",
        ),
        ('arrangement = "isac"', "arrangement names isac, and there is no .arrangements.isac"),
        ('arrangement = "I sac"', "arrangement must be the name of a table"),
        ('region = "Bavaria"', "region must be a region, such as EU"),
        ('roles = ["king"]', r"roles\[0\] must be one of: administrator, member"),
        ('pap = "BLUE"', "pap must be one of: CLEAR, GREEN, AMBER, RED"),
        ('tell_count = "all"', "tell_count must be one of: hidden, band, exact"),
        ('commitment = "perhaps"', "commitment must be one of: required, optional"),
        ('on_alarm = "ignore"', "on_alarm must be one of: quarantine, record"),
        ("suspended = 1", "suspended must be true or false"),
        ('profiles = ["CTI"]', r"profiles\[0\] must be the name of a profile"),
        ("canaries = 1001", "canaries must be a whole number from 0 to 1000"),
        ("growth_per_day = -1", "growth_per_day must be a number from 0"),
        ("values_per_year = -1", "values_per_year must be a whole number"),
    ],
)
def test_faults_of_the_terms(terms: str, message: str) -> None:
    with pytest.raises(ConfigError, match=r"policy\.toml, line \d+: peers\.umbra\." + message):
        parse(written(FILE, terms=terms))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"top": "revision = -1"}, "line 2: revision must be a whole number"),
        ({"top": 'suspended = "yes"'}, "line 2: suspended must be true or false"),
        ({"top": 'regions = ["eu"]'}, r"line 2: regions\[0\] must be a region"),
        ({"tables": "[personal_data]\n"}, "personal_data must be a table with the one line types"),
        ({"tables": '[approvers]\nann = "1234"\n'}, "approvers.ann must be a public key"),
        ({"tables": f'[approvers]\nann = "{"00" * 32}"\n'}, "approvers.ann must be a public key"),
        ({"tables": '[arrangements.isac]\nparties = ["umbra"]\n'}, "arrangements.isac needs reference"),
        (
            {"tables": '[arrangements.isac]\nreference = "x"\nparties = ["Umbra"]\n'},
            r"parties\[0\] must be a",
        ),
        ({"tables": '[iep]\nname = "x"\niep_version = 2.0\n'}, "iep needs id"),
        ({"tables": '[iep]\nid = "7"\nname = "x"\niep_version = 1.0\n'}, "iep.iep_version must be 2.0"),
        ({"tables": '[iep]\nid = "7"\nname = "x"\niep_version = true\n'}, "iep.iep_version must be 2.0"),
        (
            {"tables": '[iep]\nid = "7"\nname = "x"\niep_version = 2\ntlp = "green"\n'},
            "line 22: peers.umbra.tlp is more closed than the GREEN of the policy's own IEP",
        ),
        (
            {"tables": '[iep]\nid = "7"\nname = "x"\niep_version = 2\nend_date = 2026-01-01T00:00:00\n'},
            "iep.end_date must be a day or a time with its zone",
        ),
    ],
)
def test_faults_beside_the_terms(change: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=r"^policy\.toml.*" + message):
        parse(written(FILE, **change))


@pytest.mark.parametrize(
    "text",
    [
        "version = 1\npeers = 3",
        "version = 1\n[peers]\numbra = 3",
        "\x00",
        "x",
        "a = " + "[" * 5000,
        "a = " + "9" * 5000,
    ],
)
def test_other_shapes(text: str) -> None:
    with pytest.raises(ConfigError):
        parse(text)


def test_dotted_and_inline_forms_have_lines_too() -> None:
    with pytest.raises(ConfigError, match=r"line 2: peers\.umbra\.reveal"):
        parse('version = 1\npeers.umbra.reveal = "all"')
    with pytest.raises(ConfigError, match=r"line 3: peers\.umbra\.types"):
        parse('version = 1\n[peers]\numbra = { types = "ipv4" }')


@given(st.text(max_size=80))
def test_no_text_breaks_the_reader(text: str) -> None:
    for content in (text, FILE + text, f"version = 1\n[peers.umbra]\n{text}"):
        for name in ("policy.toml", "policy.json"):
            try:
                parse(content, name=name)
            except ConfigError:
                continue


class TestJson:
    def test_an_iep_with_our_extension(self) -> None:
        read = parse(as_json(), name="policy.json")
        assert (read.peers, read.legal_bases, read.validity) == (
            POLICY.peers,
            POLICY.legal_bases,
            POLICY.validity,
        )
        assert read.iep == Iep(
            id="01bc4353", name="ours", description="what we share", encrypt_in_transit="may",
            permitted_actions="externally-visible-direct-actions", affected_party_notifications="may",
            tlp=Tlp.AMBER, attribution="must-not", unmodified_resale="must-not",
            external_references=("https://www.first.org/tlp",),
            validity=Validity(datetime(2026, 1, 1, tzinfo=UTC), None),
        )  # fmt: skip
        assert read.attribution("umbra") == "must-not"

    def test_it_says_the_same_in_toml(self) -> None:
        lines = [
            f"{key} = {json.dumps(v)}" for key, v in IEP.items() if key not in {"start_date", "end_date"}
        ]
        table = "\n".join(["[iep]", *lines, "start_date = 2026-01-01T00:00:00Z", ""])
        assert parse(written(FILE, tables=table)).hash == parse(as_json(), name="policy.json").hash

    def test_white_is_clear(self) -> None:
        content = POLICY.content()
        content["peers"]["umbra"]["tlp"] = "white"  # type: ignore[index]
        read = parse(as_json(tlp="white", cosight=content), name="policy.json")
        assert read.iep is not None
        assert (read.iep.tlp, read.peers["umbra"].tlp) == (Tlp.CLEAR, Tlp.CLEAR)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"tlp": "pink"}, "tlp must be one of: CLEAR"),
            ({"tlp": "green"}, "cosight.peers.umbra.tlp is more closed"),
            ({"colour": "pink"}, "colour is not known here; known are: id, "),
            ({"permitted_actions": "all"}, "permitted_actions must be one of: none, contact-for-instruction"),
            ({"encrypt_in_transit": "MUST"}, "encrypt_in_transit must be one of: must, may"),
            ({"iep_version": 1.0}, "iep_version must be 2.0"),
            ({"name": None}, "needs name"),
            ({"start_date": "soon"}, "start_date must be a day or a time with its zone"),
            ({"start_date": "2026-01-01T00:00:00"}, "start_date must be a day or a time with its zone"),
            ({"start_date": "0001-01-01T00:00:00+14:00"}, "start_date must be a day or a time"),
            ({"end_date": "2025-01-01T00:00:00Z"}, "end_date is before start_date"),
            ({"cosight": None}, "cosight must be an object"),
            ({"cosight": {"version": 1, "iep": IEP}}, "cosight must be an object"),
            ({"cosight": {"version": 2}}, "cosight.version must be 1"),
            ({"cosight": {"version": 1, "valid_from": "2026-1-1"}}, "cosight.valid_from must be a day"),
            ({"cosight": {"version": 1, "valid_from": "20260101"}}, "cosight.valid_from must be a day"),
            (
                {"cosight": {"version": 1, "peers": {"umbra": {"types": ["ipv9"]}}}},
                r"cosight.peers.umbra.types\[0\] must be one of",
            ),
            ({"cosight": {"version": 1, "peers": {"umbra": []}}}, "cosight.peers.umbra must be a table"),
        ],
    )
    def test_faults_name_their_path(self, change: dict[str, Any], message: str) -> None:
        with pytest.raises(ConfigError, match=r"^the/policy\.json: " + message) as refused:
            parse(as_json(**change), name="the/policy.json")
        assert refused.value.code == "config"

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("[]", "must be one JSON object"),
            ("{", "is not valid JSON"),
            ("", "is not valid JSON"),
            ('{"id": 1, "id": 2}', "'id' stands twice in one object"),
            ('{"cosight": {"version": NaN}}', "NaN is no number"),
            ("[" * 100_000, "nested too deeply"),
            ('{"a": ' + "9" * 5000 + "}", "is not valid JSON"),
        ],
    )
    def test_other_shapes(self, text: str, message: str) -> None:
        with pytest.raises(ConfigError, match=message):
            parse(text, name="policy.json")


def test_every_line_is_read() -> None:
    assert parse(FULL) == FULL_POLICY
    assert parse(json.dumps(IEP | {"cosight": APPROVED.content()}), name="x.json").approvers
