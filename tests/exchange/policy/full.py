"""A policy that states everything that can be stated."""

from datetime import UTC, date, datetime
from typing import Any

from exchange.indicators import IndicatorType, Tlp
from exchange.indicators.context import Pap
from exchange.policy import (
    Aggregate,
    Approving,
    Arrangement,
    Bounds,
    Condition,
    Discover,
    Iep,
    LegalBasis,
    Noise,
    PerValue,
    Policy,
    Rung,
    Share,
    Terms,
    Told,
    Validity,
)
from tests.exchange.policy.cases import KEYS, LINES

FULL = f"""\
version = 1
revision = 7
suspended = true
regions = ["DE", "EU"]
valid_from = 2026-01-01
valid_until = 2026-12-31

[iep]
id = "01bc4353"
name = "ours"
description = "what we share"
iep_version = 2.0
start_date = 2026-01-01T00:00:00Z
end_date = 2026-12-31
encrypt_in_transit = "must"
permitted_actions = "internally-visible-actions"
affected_party_notifications = "may"
tlp = "AMBER+STRICT"
attribution = "must"
unmodified_resale = "must-not"
external_references = ["https://www.first.org/iep"]

[personal_data]
types = ["email"]

[legal_bases.security]
basis = "gdpr-6-1-f"
balancing_test = "file 7"
reference = "file 8"
valid_from = 2026-01-01
valid_until = 2026-09-30

[arrangements.isac]
reference = "file 9"
parties = ["umbra"]
conditions = "no onward release"
valid_from = 2026-01-01
valid_until = 2026-10-31

[approvers]
{LINES}

[aggregate]
coordinators = ["umbra", "globex"]
purposes = ["weekly count"]
measures = ["count", "sightings"]
types = ["email"]
tlp = "GREEN"
pap = "AMBER"
legal_basis = "security"
provenance = "own"
max_age_days = {{ email = 30 }}
members = 5
minimum = 4
reporters = 3
dictionary = {{ min = 1000, max = 100_000 }}
each_type = 100
repeated = 0.25
dominance = 0.5
epsilon = 1
visibility = ["everyone", "reporters"]
per_day = 2
suspended = true
valid_from = 2026-02-01
valid_until = 2026-06-30

[discover]
relays = ["*"]
relay = true
counter = true
helper = true
purposes = ["weekly search"]
types = ["email"]
tlp = "GREEN"
pap = "AMBER"
legal_basis = "security"
provenance = "own"
max_age_days = {{ email = 30 }}
members = 5
threshold = 4
least = 5
learns = ["individual"]
per_day = 2
quota = 1.5
suspended = true
valid_from = 2026-02-01
valid_until = 2026-06-30

[peers.umbra]
directions = ["initiator", "responder"]
reveal = "overlap"
learns = ["us", "peer"]
types = ["email", "domain"]
protocols = ["voprf", "vole"]
our_size = {{ min = 1, max = 2 }}
peer_size = {{ min = 3, max = 4 }}
sessions_per_day = 5
tlp = "GREEN"
legal_basis = "security"
purposes = ["shared incident response"]
roles = ["member"]
arrangement = "isac"
region = "DE"
profiles = ["cti-c14n/1"]
attestation = true
pap = "AMBER"
provenance = "own"
attribution = "must-not"
max_age_days = {{ email = 30 }}
size_ratio = 10
values_per_day = 6
values_per_year = 7
entries_per_value = {{ most = 8, days = 9 }}
share = {{ most = 0.25, days = 365 }}
climb = true
climb_if = {{ overlap = "size >= 1000" }}
approval = {{ rungs = ["overlap"], people = 2, days = 7 }}
ahead_hours = 24
tell_count = "band"
sums = ["sightings"]
bands = [0, 1, 10]
noise = {{ epsilon = 0.5, most = 5, days = 30 }}
context = {{ fields = ["tlp", "confidence"], bytes = 256 }}
commitment = "required"
growth_per_day = 0.5
canaries = 8
on_alarm = "record"
suspended = true
valid_from = 2026-02-01
valid_until = 2026-06-30
"""

TOGETHER: dict[str, Any] = {
    "types": frozenset({IndicatorType.EMAIL}),
    "tlp": Tlp.GREEN,
    "pap": Pap.AMBER,
    "legal_basis": "security",
    "provenance": "own",
    "max_age_days": {IndicatorType.EMAIL: 30},
    "members": 5,
    "per_day": 2,
    "suspended": True,
    "validity": Validity(date(2026, 2, 1), date(2026, 6, 30)),
}
FULL_POLICY = Policy(
    peers={
        "umbra": Terms(
            directions=frozenset({"initiator", "responder"}),
            reveal=Rung.OVERLAP,
            learns=frozenset({"us", "peer"}),
            types=frozenset({IndicatorType.EMAIL, IndicatorType.DOMAIN}),
            protocols=frozenset({"voprf", "vole"}),
            our_size=Bounds(1, 2),
            peer_size=Bounds(3, 4),
            sessions_per_day=5,
            tlp=Tlp.GREEN,
            legal_basis="security",
            purposes=frozenset({"shared incident response"}),
            roles=frozenset({"member"}),
            arrangement="isac",
            region="DE",
            profiles=frozenset({"cti-c14n/1"}),
            attestation=True,
            pap=Pap.AMBER,
            provenance="own",
            attribution="must-not",
            max_age_days={IndicatorType.EMAIL: 30},
            size_ratio=10.0,
            values_per_day=6,
            values_per_year=7,
            entries_per_value=PerValue(8, 9),
            share=Share(0.25, 365),
            climb=True,
            climb_if={Rung.OVERLAP: Condition("size", ">=", 1000)},
            approval=Approving(frozenset({Rung.OVERLAP}), 2, 7),
            ahead_hours=24.0,
            tell_count="band",
            sums=frozenset({"sightings"}),
            bands=(0, 1, 10),
            noise=Noise(0.5, 5.0, 30),
            context=Told(frozenset({"tlp", "confidence"}), 256),
            commitment="required",
            growth_per_day=0.5,
            canaries=8,
            on_alarm="record",
            suspended=True,
            validity=Validity(date(2026, 2, 1), date(2026, 6, 30)),
        )
    },
    validity=Validity(date(2026, 1, 1), date(2026, 12, 31)),
    revision=7,
    suspended=True,
    aggregate=Aggregate(
        **TOGETHER,
        coordinators=frozenset({"umbra", "globex"}),
        purposes=frozenset({"weekly count"}),
        measures=frozenset({"count", "sightings"}),
        minimum=4,
        reporters=3,
        dictionary=Bounds(1000, 100_000),
        each_type=100,
        repeated=0.25,
        dominance=0.5,
        epsilon=1.0,
        visibility=frozenset({"everyone", "reporters"}),
    ),
    discover=Discover(
        **TOGETHER,
        relays=frozenset({"*"}),
        relay=True,
        counter=True,
        helper=True,
        purposes=frozenset({"weekly search"}),
        threshold=4,
        least=5,
        learns=frozenset({"individual"}),
        quota=1.5,
    ),
    regions=frozenset({"DE", "EU"}),
    personal_data=frozenset({IndicatorType.EMAIL}),
    legal_bases={
        "security": LegalBasis(
            basis="gdpr-6-1-f",
            balancing_test="file 7",
            reference="file 8",
            validity=Validity(date(2026, 1, 1), date(2026, 9, 30)),
        )
    },
    arrangements={
        "isac": Arrangement(
            reference="file 9",
            parties=frozenset({"umbra"}),
            conditions="no onward release",
            validity=Validity(date(2026, 1, 1), date(2026, 10, 31)),
        )
    },
    approvers={name: key.public_key().public_bytes_raw() for name, key in KEYS.items()},
    iep=Iep(
        id="01bc4353",
        name="ours",
        description="what we share",
        encrypt_in_transit="must",
        permitted_actions="internally-visible-actions",
        affected_party_notifications="may",
        tlp=Tlp.AMBER_STRICT,
        attribution="must",
        unmodified_resale="must-not",
        external_references=("https://www.first.org/iep",),
        validity=Validity(datetime(2026, 1, 1, tzinfo=UTC), date(2026, 12, 31)),
    ),
)
