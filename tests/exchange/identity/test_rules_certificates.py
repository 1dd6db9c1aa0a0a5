"""Rule 9, broken alone: certificates on a roster that are not what the alliance's root makes."""

from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from exchange.errors import RosterError
from exchange.identity import certificates
from exchange.identity.keys import NodeKeys, generate_ca_key
from exchange.identity.rules import RosterChain
from tests.exchange.identity.simulator import altered, refused, sort


def test_a_root_of_another_shape_is_refused(alliance):
    """With the right name and key, so that every intermediate still verifies under it."""
    root = certificates.load(alliance.roster.root_certificate)
    loose = (
        x509.CertificateBuilder()
        .subject_name(root.subject)
        .issuer_name(root.subject)
        .public_key(root.public_key())
        .serial_number(1)
        .not_valid_before(root.not_valid_before_utc)
        .not_valid_after(root.not_valid_after_utc)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(alliance.root_key, hashes.SHA256())
    )
    roster = replace(alliance.roster, root_certificate=certificates.der(loose))
    with pytest.raises(RosterError, match="root certificate is not that"):
        RosterChain.begin(roster.hash, alliance.forge(roster))


def foreign_root(alliance, keys):
    return alliance.intermediate("umbra", keys, root_key=generate_ca_key())


def another_name(alliance, keys):
    return alliance.intermediate("initech", keys)


def another_alliance(alliance, keys):
    return alliance.intermediate("umbra", keys, alliance="other.example")


def the_root_itself(alliance, keys):
    return alliance.roster.root_certificate


def no_constraints(alliance, keys):
    return rebuilt(alliance.intermediate("umbra", keys), alliance.root_key, x509.NameConstraints)


def no_path_length(alliance, keys):
    return rebuilt(alliance.intermediate("umbra", keys), alliance.root_key, x509.BasicConstraints)


def rebuilt(der, root_key, without):
    """The certificate with one extension left out, signed by the true root."""
    old = certificates.load(der)
    builder = (
        x509.CertificateBuilder()
        .subject_name(old.subject)
        .issuer_name(old.issuer)
        .public_key(old.public_key())
        .serial_number(1)
        .not_valid_before(old.not_valid_before_utc)
        .not_valid_after(old.not_valid_after_utc)
    )
    for extension in old.extensions:
        if not isinstance(extension.value, without):
            builder = builder.add_extension(extension.value, critical=extension.critical)
    return certificates.der(builder.sign(root_key, hashes.SHA256()))


def a_leaf(alliance, keys):
    return certificates.der(certificates.load(alliance.leaf("globex").chain))


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (foreign_root, "not issued by"),
        (another_name, "another subject"),
        (another_alliance, "another subject"),
        (the_root_itself, "another subject"),
        (a_leaf, "not issued by"),
        (no_constraints, "constraints are not"),
        (no_path_length, "constraints are not"),
    ],
)
def test_9_an_intermediate_is_that_of_its_member(three, make, why):
    keys = NodeKeys.generate()
    three.keys["umbra"] = keys
    newcomer = three.newcomer("umbra", ca_certificate=make(three, keys))
    refused(
        three, three.forge(three.next(members=sort([*three.roster.members, newcomer]))), "roster-invalid", why
    )


def test_9_two_members_do_not_share_a_certificate_key(three):
    shared = three.intermediate("umbra", three.keys["globex"])
    roster = three.next(members=sort([*three.roster.members, three.newcomer("umbra", ca_certificate=shared)]))
    refused(three, three.forge(roster), "roster-invalid", "share")


def test_9_a_member_already_there_cannot_take_a_bad_one(three):
    bad = three.intermediate("globex", three.keys["globex"], root_key=generate_ca_key())
    roster = three.next(members=altered(three, "globex", ca_certificate=bad))
    refused(three, three.forge(roster), "roster-invalid", "root")
