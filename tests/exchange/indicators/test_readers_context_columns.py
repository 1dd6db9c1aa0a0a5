"""What the names of columns and keys say, and what stands below them."""

from collections import Counter
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.indicators import Tlp
from exchange.indicators.context import Context, Pap
from exchange.indicators.readers.context_columns import context_of, is_context, is_victim

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
VICTIMS = """victim victim_ip VictimIP victimip src_victim customer-name Customers client clients client_ip
target target_url target-user targetIP targeted_domain infected_host compromised_url asset_owner_customer
tenant_id employeeEmail patient impacted_organisation target_domain_name"""
NO_VICTIMS = """ip host domain url user name client_ja3 clientHello client_id email_client http_client
target_os target_file target_type infected_file is_compromised compromised affected affected_product
trail signature"""


@pytest.mark.parametrize("name", VICTIMS.split())
def test_names_of_victims(name: str) -> None:
    assert is_victim(name)


@pytest.mark.parametrize("name", [*NO_VICTIMS.split(), "", "_", "%"])
def test_names_of_anything_else(name: str) -> None:
    assert not is_victim(name)


def test_a_row_of_threatfox() -> None:
    row = {
        "first_seen_utc": "2026-08-22 03:00:01", "ioc_id": "1", "threat_type": "botnet_cc",
        "malware_printable": "Cobalt Strike", "malware_alias": "None", "last_seen_utc": "",
        "confidence_level": "75", "tags": "AsyncRAT,RAT", "anonymous": "0", "reporter": "abuse_ch",
    }  # fmt: skip
    assert context_of(row) == Context(
        first_seen=datetime(2026, 8, 22, 3, 0, 1, tzinfo=UTC),
        confidence=75,
        producer="abuse_ch",
        malware=("Cobalt Strike",),
        tags=("AsyncRAT", "RAT", "botnet_cc"),
    )


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"tlp": "white"}, Context(tlp=Tlp.CLEAR)),
        ({"tlp": "TLP:AMBER+STRICT", "tags": ["tlp:green", "x"]}, Context(tlp=Tlp.AMBER_STRICT, tags=("x",))),
        ({"TLP Marking": "tlp:clear", "tags": "TLP:RED, PAP:RED"}, Context(tlp=Tlp.RED, pap=Pap.RED)),
        ({"tags": "#phish #evil"}, Context(tags=("evil", "phish"))),
        ({"tags": "None", "Reporter": "n/a", "family": "unknown"}, None),
        ({"confidence": "high"}, Context(confidence=85)),
        ({"confidence": "60 %"}, Context(confidence=60)),
        ({"confidence": 101, "count": -1, "first_seen": "soon", "expires": True}, None),
        ({"date": "2026-02-02", "First Seen": "2026-01-01"}, Context(first_seen=NEW_YEAR)),
        ({"Valid Until": 1767225600}, Context(valid_until=NEW_YEAR)),
        ({"source": "https://x.com/a/status/1"}, None),
        ({"source": "Sekoia.io", "hits": "1"}, Context(producer="Sekoia.io", sightings=1)),
        ({"mitre": "Phishing - T1566.001; T1071"}, Context(techniques=("T1071", "T1566.001"))),
        ({"kill_chain": "impact (mitre-attack), lm:delivery, c2"},
         Context(phases=("lm:delivery", "mitre-attack:impact"), tags=("c2",))),
        ({"colour": "red", "": "x", "victim": "x"}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_what_is_said(told: dict[str, object], expected: Context | None) -> None:
    assert context_of(told) == expected
    assert is_context("TLP-Marking")
    assert not is_context("victim")


def test_an_unknown_marking_is_none_and_is_counted() -> None:
    notes: Counter[str] = Counter()
    assert context_of({"tlp": "internal", "pap": "PAP:BLUE", "tags": "tlp:ex:chr"}, notes) is None
    assert notes == {"unknown-marking": 3}


NAMES = st.sampled_from(
    ["tlp", "pap", "date", "tags", "malware", "mitre", "confidence", "count", "source", "phase"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=2),
)


@given(st.dictionaries(NAMES | st.text(max_size=9), VALUES, max_size=6))
def test_anything_may_stand_there(told: dict[str, object]) -> None:
    context = context_of(told)
    assert context is None or Context.from_json(context.to_json()) == context
