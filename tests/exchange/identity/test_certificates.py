"""Who may call: every way in which a certificate can fail to be a member's."""

import dataclasses
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from exchange.errors import ConfigError, NotAuthorised
from exchange.identity import certificates, membership
from exchange.identity.keys import NodeKeys, generate_ca_key
from exchange.identity.rules import authorise
from tests.exchange.identity.simulator import ALLIANCE, FOUNDER, NOW, Alliance


def refused(code, roster, leaf, now=NOW):
    with pytest.raises(NotAuthorised) as caught:
        authorise(roster, leaf, now)
    assert caught.value.code == code
    return caught.value


def forged(alliance, member="globex", *, key=None, names=None, **more: Any):
    """A leaf under the member's own intermediate, with anything in it."""
    ca = certificates.load(alliance.roster.by_id[member].ca_certificate)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, member)])
    uses = x509.ExtendedKeyUsage(
        more.get("uses", [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    )
    own = [
        x509.DNSName(f"{member}.{ALLIANCE}"),
        x509.UniformResourceIdentifier(f"spiffe://{ALLIANCE}/member/{member}"),
    ]
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(ca.subject)
        .public_key(generate_ca_key().public_key())
        .serial_number(1)
        .not_valid_before(more.get("start", NOW - timedelta(minutes=5)))
        .not_valid_after(more.get("end", NOW + timedelta(hours=24)))
        .add_extension(x509.BasicConstraints(ca=more.get("ca", False), path_length=None), critical=True)
        .add_extension(certificates._DIGITAL_SIGNATURE, critical=True)
        .add_extension(uses, critical=False)
    )
    if names != []:
        builder = builder.add_extension(x509.SubjectAlternativeName(names or own), critical=False)
    leaf = builder.sign(key or alliance.keys[member].ca, hashes.SHA256())
    return leaf.public_bytes(Encoding.PEM)


def test_a_member_is_recognised(three):
    for member in three.roster.members:
        assert authorise(three.roster, three.leaf(member.id).chain, NOW) == member
    assert authorise(three.roster, forged(three), NOW).id == "globex"  # the helper alone changes nothing


def test_only_the_leaf_counts_not_what_is_sent_with_it(three):
    mine, theirs = (certificates.load(three.leaf(name).chain) for name in ("globex", "initech"))
    both = [c.public_bytes(Encoding.PEM) for c in (mine, theirs)]
    assert authorise(three.roster, b"".join(both), NOW).id == "globex"


@pytest.mark.parametrize(
    "pem", [b"", b"junk", b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n", b"-" * 10**6]
)
def test_what_is_no_certificate_is_a_bad_identity(three, pem):
    refused("bad-identity", three.roster, pem)


URI, DNS = x509.UniformResourceIdentifier, x509.DNSName
OWN_URI, OWN_DNS = URI(f"spiffe://{ALLIANCE}/member/globex"), DNS(f"globex.{ALLIANCE}")


@pytest.mark.parametrize(
    "names",
    [
        [],
        [OWN_DNS],
        [OWN_URI],
        [OWN_URI, OWN_DNS, URI(f"spiffe://{ALLIANCE}/member/initech")],
        [OWN_DNS, OWN_URI, DNS(f"initech.{ALLIANCE}")],
        [DNS(f"initech.{ALLIANCE}"), OWN_URI],
        [OWN_DNS, URI("spiffe://other.example/member/globex")],
        [OWN_DNS, URI(f"https://{ALLIANCE}/member/globex")],
        [OWN_DNS, URI(f"spiffe://{ALLIANCE}/member/globex/")],
        [OWN_DNS, URI(f"spiffe://{ALLIANCE}/member/globex?x")],
        [OWN_DNS, URI(f"spiffe://{ALLIANCE}/member/")],
    ],
    ids=lambda names: " ".join(n.value for n in names) or "none",
)
def test_the_names_are_exactly_the_two_of_a_member(three, names):
    refused("bad-identity", three.roster, forged(three, names=names))


@pytest.mark.parametrize(
    "more",
    [
        {"ca": True},
        {"uses": [ExtendedKeyUsageOID.SERVER_AUTH]},
        {"uses": [ExtendedKeyUsageOID.EMAIL_PROTECTION]},
        {"end": NOW + timedelta(days=365)},
    ],
    ids=lambda more: next(iter(more)),
)
def test_a_certificate_for_another_use_is_a_bad_identity(three, more):
    refused("bad-identity", three.roster, forged(three, **more))


def test_who_is_not_on_the_roster_is_refused(three):
    other = Alliance(root_key=three.root_key)
    other.join("umbra")
    refused("not-on-roster", three.roster, other.leaf("umbra").chain)


def test_who_was_revoked_is_refused_at_once_with_a_certificate_still_valid(three):
    leaf = three.leaf("globex").chain
    authorise(three.roster, leaf, NOW)
    three.take(membership.revoke(three.chain, FOUNDER, three.keys[FOUNDER], ["globex"], NOW))
    refused("not-on-roster", three.roster, leaf)


def test_a_member_cannot_issue_for_another(three):
    globex = three.keys["globex"].ca
    refused("key-not-pinned", three.roster, forged(three, "initech", key=globex))


def test_nor_can_another_alliance_of_the_same_name(three):
    other = Alliance()
    other.join("globex")
    refused("key-not-pinned", three.roster, other.leaf("globex").chain)


def test_nor_can_a_second_intermediate_of_the_same_root(three):
    keys = NodeKeys.generate()
    second = certificates.load(three.intermediate("globex", keys))
    leaf, _ = certificates.issue_leaf(second, keys.ca, alliance=ALLIANCE, member="globex", now=NOW)
    refused("key-not-pinned", three.roster, leaf.public_bytes(Encoding.PEM))


def test_a_certificate_has_its_day(three):
    leaf = three.leaf("globex").chain
    for minutes in (-5, 0, 24 * 60):
        authorise(three.roster, leaf, three.later(minutes=minutes))
    for minutes in (-6, 24 * 60 + 1):
        refused("certificate-expired", three.roster, leaf, three.later(minutes=minutes))


def test_an_intermediate_has_its_years(three):
    ca = certificates.load(three.roster.by_id["globex"].ca_certificate)
    after = ca.not_valid_after_utc + timedelta(minutes=1)
    leaf = forged(three, start=after - timedelta(hours=1), end=after + timedelta(hours=1))
    refused("certificate-expired", three.roster, leaf, after)
    with pytest.raises(ConfigError) as caught:
        three.leaf("globex", after)
    assert caught.value.code == "certificate-expired"
    near = ca.not_valid_after_utc - timedelta(hours=1)
    assert certificates.load(three.leaf("globex", near).chain).not_valid_after_utc == ca.not_valid_after_utc


def test_a_leaf_is_renewed_at_half_of_its_life(three):
    leaf = certificates.load(three.leaf("globex").chain)
    assert not certificates.needs_renewal(leaf, three.later(hours=11, minutes=57))
    assert certificates.needs_renewal(leaf, three.later(hours=11, minutes=58))
    assert leaf.not_valid_before_utc == NOW - timedelta(minutes=5)
    assert leaf.not_valid_after_utc == NOW + timedelta(hours=24)


def test_every_leaf_has_a_fresh_key(three):
    first, second = three.leaf("globex"), three.leaf("globex")
    assert first.key != second.key
    assert certificates.load(first.chain).public_key() != certificates.load(second.chain).public_key()


def test_a_refusal_does_not_repeat_what_the_caller_wrote(three):
    error = refused("bad-identity", three.roster, forged(three, names=[DNS("evil\x1b[2J.example")]))
    assert "evil" not in str(error)


@pytest.mark.parametrize("change", ["subject", "curve", "kind"])
def test_a_request_proves_the_right_key(change):
    key = {"subject": generate_ca_key(), "curve": ec.generate_private_key(ec.SECP384R1())}.get(
        change, ed25519.Ed25519PrivateKey.generate()
    )
    name = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, "initech" if change == "subject" else "globex")]
    )
    digest = None if change == "kind" else hashes.SHA256()
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, digest)
    with pytest.raises(ValueError, match="member" if change == "subject" else "P-256"):
        certificates.check_request(request.public_bytes(Encoding.DER), "globex")


def test_private_keys_are_in_no_text(three):
    tls, keys = three.leaf("globex"), three.keys["globex"]
    shown = f"{tls!r} {keys!r} {tls} {dataclasses.replace(keys)!r}"
    assert "PRIVATE" not in shown
    assert tls.key.decode().splitlines()[1] not in shown
