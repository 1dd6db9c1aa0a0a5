"""What a policy says in words is what it does: the quotas, how long a sweep takes, what deserves a look."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.agreement import Rung
from exchange.policy import History, Past, Policy, Sweep, Validity, decide, limits, parse, sweep, warnings
from exchange.policy.sweep import IPV4, SLASH_16
from tests.exchange.policy.cases import ANSWERING, ASKED, FILE, NOW, POLICY, REQUEST, past, written
from tests.exchange.policy.full import FULL_POLICY

OPEN = f"{ANSWERING}\nsessions_per_day = 24"


def opened(terms: str) -> Policy:
    """A policy under which the peer asks, without an end, with further lines."""
    lines = dict(line.split(" = ", 1) for line in f"{OPEN}\n{terms}".splitlines())
    policy = parse(written(FILE, terms="\n".join(f"{key} = {value}" for key, value in lines.items())))
    bases = {name: replace(basis, validity=Validity()) for name, basis in policy.legal_bases.items()}
    umbra = replace(policy.peers["umbra"], validity=Validity())
    return replace(policy, validity=Validity(), legal_bases=bases, peers={"umbra": umbra})


def said(terms: str, about: str) -> list[str]:
    return [s.text for s in limits(opened(terms)) if s.about == about]


class TestSweep:
    def test_the_numbers_of_the_documents(self) -> None:
        assert said("", "asks") == [
            "umbra may ask 24 sessions x 1,000,000 = 24,000,000 values a day at most; 8,760,000,000 in a year"
        ]
        assert said("", "sweep") == [
            "sweeping all of IPv4 takes at least 179 days (0.5 years); a /16 is swept in 1 day"
        ]

    def test_tighter_quotas_take_longer(self) -> None:
        assert said("values_per_day = 100_000", "sweep") == [
            "sweeping all of IPv4 takes at least 42,950 days (118 years); a /16 is swept in 1 day"
        ]
        assert said("values_per_day = 10_000\nvalues_per_year = 1_000_000", "sweep") == [
            "sweeping all of IPv4 takes at least 1,567,407 days (4,294 years); a /16 is swept in 7 days"
        ]
        assert said("values_per_day = 100_000", "asks")[0].endswith(
            "a day at most, of which 100,000 are allowed; 36,500,000 in a year"
        )

    def test_a_protocol_that_lets_a_peer_cheat_counts(self) -> None:
        assert "148 days" in said('protocols = ["voprf", "vole"]', "sweep")[0]
        assert said('protocols = ["vole"]', "cheats") == [
            "a cheating peer asks up to 121 values with 100 that it declares"
        ]
        assert said("", "cheats") == []

    @pytest.mark.parametrize(
        ("terms", "says"),
        [
            ('learns = ["us"]', "umbra cannot ask about single items of ours"),
            ('reveal = "size"', "umbra cannot ask about single items of ours"),
            (
                "sessions_per_day = 0",
                "umbra may ask 0 sessions x 1,000,000 = 0 values a day at most; 0 in a year",
            ),
        ],
    )
    def test_who_cannot_ask(self, terms: str, says: str) -> None:
        assert said(terms, "asks") == [says]

    def test_where_there_is_nothing_to_sweep(self) -> None:
        assert said('types = ["domain"]', "sweep") == ["no IPv4 address goes in: there is nothing to sweep"]
        assert said("sessions_per_day = 0", "sweep") == ["nothing can be swept"]

    @given(
        st.integers(1, 40), st.integers(100, 3000), st.integers(50, 4000), st.integers(1000, 200_000),
        st.integers(1, 6000),
    )  # fmt: skip
    def test_the_days_are_those_of_the_rules(
        self, sessions: int, size: int, per_day: int, per_year: int, values: int
    ) -> None:
        """A peer that asks as much as it may, each day, has asked all of it on the day that is predicted."""
        found = Sweep(sessions, size, min(sessions * size, per_day), min(per_day * 365, per_year), 100)
        asked, days, by_day = 0, 0, []
        while asked < values:
            room = found.per_year - sum(by_day[-364:])
            by_day.append(min(found.per_day, room, values - asked))
            asked += by_day[-1]
            days += 1
        assert found.days(values) == days

    def test_a_peer_that_walks_a_16_is_stopped_when_it_is_predicted(self) -> None:
        """Sets of 1,024 values, six sessions a day, until the policy refuses; then it waits for the next."""
        policy = opened("sessions_per_day = 6\npeer_size = { min = 100, max = 1024 }")
        found = sweep(policy.peers["umbra"])
        assert found is not None
        request = replace(REQUEST, **ASKED, peer_size_padded=1024)
        sessions: list[Past] = []
        now, walked, days = NOW, 0, 0
        while walked < SLASH_16:
            days += 1
            while walked < SLASH_16 and decide(policy, request, History(tuple(sessions)), now).allowed:
                sessions.append(replace(past(), began=now, peer_padded=1024))
                walked += 1024
            now += timedelta(hours=24, seconds=1)
        assert days == found.days(SLASH_16) == 11

    def test_a_year_of_sweeping_stops_at_the_quota_of_the_year(self) -> None:
        policy = opened("values_per_year = 10_240")
        request = replace(REQUEST, **ASKED, peer_size_padded=1024)
        sessions: list[Past] = []
        for day in range(365):
            now = NOW + timedelta(days=day)
            if decide(policy, request, History(tuple(sessions)), now).allowed:
                sessions.append(replace(past(), began=now, peer_padded=1024))
        assert len(sessions) == 10
        assert decide(policy, request, History(tuple(sessions)), NOW + timedelta(days=366)).allowed

    def test_of_nothing_there_is_none(self) -> None:
        assert sweep(POLICY.peers["umbra"]) is None
        assert Sweep(0, 9, 0, 0, 100).days(IPV4) is None


class TestLimits:
    def test_nothing_is_allowed_by_little(self) -> None:
        for terms in ("directions = []", "learns = []", "types = []"):
            policy = parse(written(FILE, terms=terms))
            assert [s.text for s in limits(policy)] == ["nothing is allowed with umbra"]

    def test_every_other_member(self) -> None:
        policy = replace(POLICY, peers={"*": POLICY.peers["umbra"]})
        assert (
            limits(policy)[0].text == "we may dial every other member, up to overlap; we may learn a result"
        )

    def test_every_line_is_mentioned(self) -> None:
        text = "\n".join(s.text for s in limits(FULL_POLICY))
        for line in FULL_POLICY.peers["umbra"].content():
            words = {
                "reveal": "up to overlap", "directions": "dial and answer", "learns": "we and the peer",
                "types": "domain, email go in", "protocols": "protocols vole, voprf",
                "our_size": "ours 1 to 2",
                "peer_size": "theirs 3 to 4", "sessions_per_day": "5 sessions", "tlp": "TLP GREEN",
                "pap": "PAP AMBER", "provenance": "our own sightings", "values_per_day": "of which 6",
                "values_per_year": "7 in a year", "valid_from": "from 2026-02-01",
                "valid_until": "until 2026-06-30", "suspended": "suspended yes",
                "max_age_days": "max_age_days email 30", "tell_count": "tell_count band",
                "on_alarm": "on_alarm record",
            }.get(line, line)  # fmt: skip
            assert words in text, line


class TestWarnings:
    @pytest.mark.parametrize(
        ("policy", "about", "says"),
        [
            ({"top": "valid_until = 2026-03-30"}, "validity", "the policy ends within 30 days"),
            ({"top": "valid_until = 2026-02-28"}, "validity", "the policy is not in force now"),
            ({"terms": "valid_until = 2026-03-30"}, "validity", "[peers.umbra] ends within 30 days"),
            (
                {"tables": '[iep]\nid = "7"\nname = "x"\niep_version = 2\nend_date = 2026-03-02T00:00:00Z\n'},
                "validity",
                "its IEP ends within 30 days",
            ),
            (
                {
                    "tables": '[arrangements.isac]\nreference = "x"\nvalid_until = 2026-03-30\n',
                    "terms": 'arrangement = "isac"',
                },
                "arrangement",
                "the arrangement isac ends within 30 days",
            ),
            ({"top": "suspended = true"}, "suspended", "everything is suspended"),
            ({"without": "tlp"}, "refused", "states no tlp: every session is refused"),
            ({"without": "legal_basis"}, "refused", "states no legal_basis: sessions with ipv4 are refused"),
            ({"terms": "attestation = true"}, "refused", "asks for attestation"),
            ({"terms": OPEN}, "quota", "states no values_per_day and no values_per_year"),
            ({"terms": OPEN}, "share", "states no share"),
            ({"terms": OPEN}, "sweep", "sweep all of IPv4 in 179 days: less than a year"),
            ({"terms": f"{OPEN}\npeer_size = {{ min = 9, max = 99 }}"}, "few", "declare 9 items"),
            (
                {"terms": 'climb_if = { context = "sum >= 20" }'},
                "climb",
                "never allows context: a session of overlap tells no sum",
            ),
        ],
    )
    def test_what_deserves_a_look(self, policy: dict[str, str], about: str, says: str) -> None:
        found = [s for s in warnings(parse(written(FILE, **policy)), NOW) if s.about == about]
        assert any(says in s.text for s in found), found

    def test_a_policy_without_a_doubt(self) -> None:
        assert warnings(POLICY, NOW) == []
        assert warnings(Policy(), NOW) == []
        quiet = "values_per_year = 1_000_000\nshare = { most = 0.5, days = 365 }"
        assert warnings(parse(written(FILE, terms=f"{OPEN}\n{quiet}")), NOW) == []

    def test_a_statute_lapses(self) -> None:
        basis = '[legal_bases.us]\nbasis = "cisa-2015"\n'
        stated = written(FILE, terms='legal_basis = "us"', tables=basis)
        assert [s.about for s in warnings(parse(stated), NOW)] == ["legal-basis"]
        until = parse(stated.replace('"cisa-2015"', '"cisa-2015"\nvalid_until = 2026-03-20'))
        assert "the legal basis us ends within 30 days" in warnings(until, NOW)[0].text
        assert until.legal_bases["us"].validity.last == date(2026, 3, 20)

    def test_a_climb_that_can_be_judged(self) -> None:
        assert warnings(parse(written(FILE, terms='climb_if = { overlap = "size >= 20" }')), NOW) == []
        assert Rung.OVERLAP in FULL_POLICY.peers["umbra"].climb_if
