"""What became allowed is said, and nothing that did not."""

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.psi import Output
from exchange.agreement import Rung
from exchange.indicators import IndicatorType
from exchange.policy import Policy, Terms, Validity, decide, diff, parse
from tests.exchange.policy.cases import FILE, NOW, POLICY, REQUEST, UNKNOWN, written
from tests.exchange.policy.full import FULL_POLICY
from tests.exchange.policy.together import together


def changed(old: str = "", new: str = "", **more: str) -> tuple[list[str], list[str], list[str]]:
    """What another line in the terms makes of them."""
    found = diff(parse(written(FILE, terms=old)), parse(written(FILE, terms=new, **more)))
    return found.allowed, found.forbidden, found.changed


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("", 'directions = ["initiator", "responder"]', "directions responder"),
        ('reveal = "size"', 'reveal = "overlap"', "reveal estimate, cardinality, sum, overlap"),
        ("", 'learns = ["us", "peer"]', "learns peer"),
        ("", 'types = ["domain", "ipv4", "url"]', "types url"),
        ("", 'protocols = ["voprf", "vole"]', "protocols vole"),
        ("", "our_size = { min = 100, max = 2_000_000 }", "our_size 1,000,001 to 2,000,000"),
        ("", "peer_size = { min = 99, max = 1_000_000 }", "peer_size 99"),
        ("", "sessions_per_day = 4", "sessions_per_day 4, not 3"),
        ("", 'tlp = "AMBER+STRICT"', "tlp AMBER+STRICT, not AMBER"),
        ("", 'purposes = ["a", "shared incident response"]', "purposes a"),
        ('roles = ["member"]', "", "roles of any kind, not member alone"),
        ('profiles = ["cti-c14n/1"]', 'profiles = ["cti-c14n/1", "cti-c14n/2"]', "profiles cti-c14n/2"),
        ("attestation = true", "", "attestation is false now"),
        ('pap = "GREEN"', "", "pap unstated, not GREEN"),
        ('pap = "GREEN"', 'pap = "AMBER"', "pap AMBER, not GREEN"),
        ('provenance = "own"', "", "provenance any, not own"),
        ("max_age_days = { ipv4 = 9 }", "max_age_days = { ipv4 = 10 }", "max_age_days of ipv4 10, not 9"),
        ("max_age_days = { ipv4 = 9 }", "", "max_age_days of ipv4 unstated, not 9"),
        ("size_ratio = 2", "size_ratio = 2.5", "size_ratio 2.5, not 2"),
        ("values_per_day = 1_000", "", "values_per_day unstated, not 1,000"),
        ("values_per_year = 1_000", "values_per_year = 2_000", "values_per_year 2,000, not 1,000"),
        (
            "share = { most = 0.2, days = 365 }",
            "share = { most = 0.3, days = 365 }",
            "share most 0.3, days 365, not most 0.2, days 365",
        ),
        (
            "entries_per_value = { most = 3, days = 9 }",
            "entries_per_value = { most = 3, days = 8 }",
            "entries_per_value most 3, days 8, not most 3, days 9",
        ),
        ("climb = true", "", "climb is false now"),
        ('climb_if = { overlap = "size > 9" }', "", "climb_if unstated, not overlap size > 9"),
        ("ahead_hours = 1", "ahead_hours = 2", "ahead_hours 2, not 1"),
        ("", 'tell_count = "exact"', "tell_count exact, not hidden"),
        ('commitment = "required"', "", "commitment optional, not required"),
        ("growth_per_day = 0.5", "growth_per_day = 1", "growth_per_day 1, not 0.5"),
        ("", 'on_alarm = "record"', "on_alarm record, not quarantine"),
        ("suspended = true", "", "suspended is false now"),
        ("", "valid_until = 2026-07-31", "valid until 2026-07-31, not 2026-06-30"),
        ("", "valid_from = 2026-01-31", "valid from 2026-01-31, not 2026-02-01"),
    ],
)
def test_what_became_allowed(old: str, new: str, sentence: str) -> None:
    assert changed(old, new) == ([f"umbra: {sentence}"], [], [])
    allowed, forbidden, other = changed(new, old)
    assert (allowed, other) == ([], [])
    assert len(forbidden) == 1


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('region = "DE"', 'region = "FR"', "umbra: region FR, not DE"),
        ('attribution = "may"', 'attribution = "must"', "umbra: attribution must, not may"),
        ("canaries = 8", "canaries = 16", "umbra: canaries 16, not 8"),
        (
            "share = { most = 0.2, days = 100 }",
            "share = { most = 0.3, days = 365 }",
            "umbra: share most 0.3, days 365, not most 0.2, days 100",
        ),
        (
            'climb_if = { overlap = "size > 9" }',
            'climb_if = { overlap = "size > 8" }',
            "umbra: climb_if overlap size > 8, not overlap size > 9",
        ),
    ],
)
def test_what_is_neither_more_nor_less(old: str, new: str, sentence: str) -> None:
    assert changed(old, new) == ([], [], [sentence])


def test_bounds_that_do_not_meet() -> None:
    old, new = "our_size = { min = 100, max = 200 }", "our_size = { min = 300, max = 400 }"
    assert changed(old, new) == (["umbra: our_size 300 to 400"], ["umbra: our_size 100 to 200"], [])
    wider = "our_size = { min = 50, max = 300 }"
    assert changed(old, wider)[0] == ["umbra: our_size 50 to 99", "umbra: our_size 201 to 300"]


def test_approvals() -> None:
    old = FULL_POLICY
    needed = old.peers["umbra"].approval
    assert needed is not None

    def with_(**change: Any) -> Policy:
        terms = replace(old.peers["umbra"], approval=replace(needed, **change))
        return replace(old, peers={"umbra": terms})

    assert diff(old, with_(people=1)).allowed == ["umbra: approval by 1 people, not 2"]
    assert diff(old, with_(people=3)).forbidden == ["umbra: approval by 3 people, not 2"]
    assert diff(old, with_(days=9)).allowed == ["umbra: approval for 9 days, not 7"]
    assert diff(old, with_(rungs=frozenset({Rung.SIZE}))).allowed == ["umbra: overlap without approval"]
    assert diff(old, with_(rungs=frozenset({Rung.SIZE}))).forbidden == ["umbra: size needs approval"]
    none = replace(old, peers={"umbra": replace(old.peers["umbra"], approval=None)})
    assert len(diff(old, none).allowed) == len(diff(none, old).forbidden) == 1


def test_peers_come_and_go() -> None:
    globex = replace(POLICY, peers=dict(POLICY.peers) | {"globex": POLICY.peers["umbra"]})
    summary = "we may dial globex, up to overlap; we may learn a result"
    assert diff(POLICY, globex).allowed == [f"globex: its terms were added: {summary}"]
    assert diff(globex, POLICY).forbidden == [f"globex: its terms were taken away: {summary}"]
    everybody = replace(POLICY, peers={"*": replace(POLICY.peers["umbra"], sessions_per_day=9)})
    found = diff(POLICY, everybody)
    assert found.allowed == [
        f"every other member: its terms were added: {summary.replace('globex', 'every other member')}",
        "umbra: sessions_per_day 9, not 3",
    ]
    assert found.changed == ["umbra: it is judged by the terms for every other member now"]


def test_what_stands_beside_the_terms() -> None:
    found = diff(POLICY, FULL_POLICY)
    assert found.forbidden[:2] == ["suspended is true now", "regions other than DE, EU"]
    assert "no longer held to be personal data: ipv4, ipv6, mac" in found.allowed
    assert {"legal_bases.security was changed", "arrangements.isac was added", "approvers.ann was added"} <= {
        *found.changed
    }
    assert "revision 0 became 7" in found.changed
    assert any(text.startswith("iep: attribution, ") or "iep: " in text for text in found.changed)
    longer = replace(POLICY, validity=Validity())
    assert diff(POLICY, longer).allowed == [
        "the policy is valid from any day, not 2026-01-01",
        "the policy is valid until any day, not 2026-12-31",
    ]


def test_the_same_is_no_difference() -> None:
    for policy in (Policy(), POLICY, FULL_POLICY):
        assert not diff(policy, policy)
        assert not diff(policy, Policy.from_content(policy.content()))
    assert changed("", "profiles = ['cti-c14n/1']") == ([], [], [])


@pytest.mark.parametrize("name", [f.name for f in fields(Policy) if f.name != "peers"])
def test_every_part_is_compared(name: str) -> None:
    assert diff(FULL_POLICY, replace(FULL_POLICY, **{name: getattr(Policy(), name)}))


@pytest.mark.parametrize("name", [f.name for f in fields(Terms) if f.name != "profiles"])
def test_every_line_is_compared(name: str) -> None:
    terms = replace(FULL_POLICY.peers["umbra"], **{name: getattr(Terms(), name)})
    assert diff(FULL_POLICY, replace(FULL_POLICY, peers={"umbra": terms}))


@pytest.mark.parametrize(
    ("table", "name"),
    [(t, f.name) for t in ("aggregate", "discover") for f in fields(getattr(FULL_POLICY, t))],
)
def test_every_line_on_the_alliance_is_compared(table: str, name: str) -> None:
    stated = getattr(FULL_POLICY, table)
    less = replace(FULL_POLICY, **{table: replace(stated, **{name: getattr(type(stated)(), name)})})
    follows = ["[discover] least unstated, not 5"] if name == "least" else []  # it could be more or less
    assert diff(FULL_POLICY, less).changed == follows
    assert bool(diff(less, FULL_POLICY).changed) is bool(follows)
    assert diff(FULL_POLICY, less).allowed == [] or diff(FULL_POLICY, less).forbidden == []
    assert diff(FULL_POLICY, less)


def test_what_so_many_have_to_bring_is_compared() -> None:
    assert FULL_POLICY.discover is not None
    six = replace(FULL_POLICY, discover=replace(FULL_POLICY.discover, least=6))
    assert diff(FULL_POLICY, six).forbidden == ["[discover] least 6, not 5"]
    assert diff(six, FULL_POLICY).allowed == ["[discover] least 5, not 6"]


@pytest.mark.parametrize(
    ("lines", "more", "text"),
    [
        ({"coordinators": '["umbra", "acme"]'}, True, "[aggregate] coordinators acme"),
        ({"members": "6"}, False, "[aggregate] members 6, not 5"),
        ({"members": "4"}, True, "[aggregate] members 4, not 5"),
        ({"reporters": "2"}, True, "[aggregate] reporters 2, not 3"),
        ({"dictionary": "{ min = 500, max = 9999 }"}, True, "[aggregate] dictionary 500 to 999"),
        ({"each_type": "7"}, False, "[aggregate] each_type 7, not 1"),
        ({"dominance": "0.9"}, True, "[aggregate] dominance 0.9, not 0.75"),
        ({"epsilon": "1"}, False, "[aggregate] epsilon 1, not unstated"),
        ({"repeated": "0.5"}, True, "[aggregate] repeated 0.5, not 0"),
        ({"per_day": "3"}, True, "[aggregate] per_day 3, not 1"),
        ({"suspended": "true"}, False, "[aggregate] suspended is true now"),
    ],
)
def test_what_a_line_on_the_alliance_allows(lines: dict[str, str], more: bool, text: str) -> None:
    old, new = parse(together()), parse(together(**lines))
    found = diff(old, new)
    assert (found.allowed if more else found.forbidden) == [text]
    back = diff(new, old)
    assert len(back.forbidden if more else back.allowed) == 1


def test_a_table_on_the_alliance_comes_and_goes() -> None:
    without = parse("version = 1")
    (added,) = diff(without, parse(together())).allowed
    assert added.startswith("[aggregate] was added: umbra may convene us to measure count")
    (gone,) = diff(FULL_POLICY, replace(FULL_POLICY, discover=None)).forbidden
    assert gone.startswith("[discover] was taken away: what at least 4 of at least 5 members hold")


LINES = st.fixed_dictionaries(
    {},
    optional={
        "directions": st.sampled_from(['["initiator"]', '["responder"]', '["initiator", "responder"]']),
        "reveal": st.sampled_from(['"size"', '"overlap"', '"context"']),
        "learns": st.sampled_from(['["us"]', '["peer"]', '["us", "peer"]']),
        "types": st.sampled_from(['["domain"]', '["ipv4"]', '["domain", "ipv4", "url"]']),
        "tlp": st.sampled_from(['"GREEN"', '"AMBER"']),
        "protocols": st.sampled_from(['["voprf"]', '["vole"]', '["vole", "voprf"]', "[]"]),
        "our_size": st.sampled_from(["{ min = 0, max = 99 }", "{ min = 50, max = 5000 }"]),
        "peer_size": st.sampled_from(["{ min = 0, max = 99 }", "{ min = 50, max = 5000 }"]),
        "sessions_per_day": st.sampled_from(["0", "1", "9"]),
        "size_ratio": st.sampled_from(["1", "4", "100"]),
        "values_per_day": st.sampled_from(["0", "3000"]),
        "share": st.sampled_from(["{ most = 0.1, days = 30 }", "{ most = 1, days = 30 }"]),
        "commitment": st.sampled_from(['"required"', '"optional"']),
        "roles": st.sampled_from(['["member"]', '["administrator"]']),
        "climb": st.sampled_from(["true", "false"]),
        "suspended": st.sampled_from(["true", "false"]),
        "valid_until": st.sampled_from(["2026-02-28", "2026-12-31"]),
    },
)  # fmt: skip
REQUESTS = st.builds(
    replace,
    st.just(REQUEST),
    direction=st.sampled_from(["initiator", "responder"]),
    output=st.sampled_from(list(Output)),
    rung=st.sampled_from([Rung.SIZE, Rung.OVERLAP]),
    types=st.sampled_from([(IndicatorType.DOMAIN,), (IndicatorType.DOMAIN, IndicatorType.IPV4)]),
    protocol=st.sampled_from(["voprf", "vole"]),
    our_size=st.sampled_from([10, 1000, 3000]),
    peer_size_padded=st.sampled_from([32, 2048]),
    peer_commitment=st.sampled_from([True, False]),
)


@given(LINES, LINES, st.lists(REQUESTS, min_size=1, max_size=8))
def test_whatever_is_decided_otherwise_is_said(
    old: dict[str, str], new: dict[str, str], requests: list[Any]
) -> None:
    """A request that is allowed by one policy alone is never missing on the side where it belongs."""
    before, after = (
        parse(written(FILE, terms="\n".join(f"{key} = {value}" for key, value in lines.items())))
        for lines in (old, new)
    )
    found = diff(before, after)
    for request in requests:
        was, is_ = (decide(policy, request, UNKNOWN, NOW).allowed for policy in (before, after))
        assert found.allowed or is_ <= was
        assert found.forbidden or was <= is_
