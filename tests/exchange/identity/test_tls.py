"""The certificates in real handshakes: gRPC's own TLS (BoringSSL) on loopback, both ends verifying."""

from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from exchange.errors import NotAuthorised
from exchange.identity import certificates, membership
from exchange.identity.keys import generate_ca_key
from exchange.identity.rules import authorise
from tests.exchange.identity.simulator import ALLIANCE, FOUNDER, Alliance

METHOD = "/test.Echo/Who"
WAIT_S = 5


@pytest.fixture(scope="module")
def now():
    """Handshakes go by the machine's clock."""
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def alliance(now):
    alliance = Alliance(now=now)
    alliance.join("globex", "initech")
    return alliance


class Server:
    """Answers every call; remembers what TLS said about the caller."""

    def __init__(self, fetch) -> None:
        self.fetch = fetch
        self.callers = []

    async def who(self, _request, context):
        self.callers.append(context.auth_context())
        return b"here"

    @asynccontextmanager
    async def running(self):
        server = grpc.aio.server()
        handler = grpc.unary_unary_rpc_method_handler(self.who)
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("test.Echo", {"Who": handler}),)
        )

        def configuration():
            tls = self.fetch()
            return grpc.ssl_server_certificate_configuration([(tls.key, tls.chain)], tls.root)

        credentials = grpc.dynamic_ssl_server_credentials(
            configuration(), configuration, require_client_authentication=True
        )
        port = server.add_secure_port("127.0.0.1:0", credentials)
        await server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            await server.stop(0)


@asynccontextmanager
async def channel(address, tls, target):
    options = [
        ("grpc.ssl_target_name_override", target),
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_retries", 0),
    ]
    credentials = grpc.ssl_channel_credentials(tls.root, tls.key, tls.chain)
    async with grpc.aio.secure_channel(address, credentials, options) as opened:
        yield opened


async def call(opened):
    return await opened.unary_unary(METHOD)(b"", timeout=WAIT_S)


async def dial(server_tls, client_tls, target):
    """One call; returns what the server knows of the caller."""
    server = Server(lambda: server_tls)
    async with server.running() as address, channel(address, client_tls, target) as opened:
        assert await call(opened) == b"here"
    return server.callers[0]


async def refused(server_tls, client_tls, target):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await dial(server_tls, client_tls, target)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    return caught.value.details()


async def test_two_members_meet(alliance, now):
    caller = await dial(alliance.leaf("globex"), alliance.leaf("initech"), f"globex.{ALLIANCE}")
    assert authorise(alliance.roster, caller["x509_pem_cert"][0], now).id == "initech"


async def test_what_the_server_knows_of_the_caller(alliance):
    """The rules need the leaf alone: the intermediate that counts is the one on the roster."""
    client = alliance.leaf("initech")
    caller = await dial(alliance.leaf("globex"), client, f"globex.{ALLIANCE}")
    leaf = certificates.load(client.chain).public_bytes(Encoding.PEM)
    assert caller["x509_pem_cert"] == [leaf]
    assert caller["x509_pem_cert_chain"] == [client.chain.removeprefix(leaf)]
    assert caller["ssl_negotiated_key_exchange_group"] == [b"X25519MLKEM768"]
    assert caller["peer_spiffe_id"] == [f"spiffe://{ALLIANCE}/member/initech".encode()]
    assert caller["peer_dns"] == [f"initech.{ALLIANCE}".encode()]
    assert caller["ssl_tls_version"] == [b"TLSv1.3"]
    assert caller["security_level"] == [b"TSI_PRIVACY_AND_INTEGRITY"]


async def test_a_client_does_not_take_one_member_for_another(alliance):
    details = await refused(alliance.leaf("globex"), alliance.leaf("initech"), f"acme.{ALLIANCE}")
    assert "hostname" in details.lower() or "peer name" in details.lower()


def imposter(alliance, member, victim, *, constrained):
    """A member with the victim's names in its leaf, under an intermediate with or without constraints."""
    key, root = generate_ca_key(), certificates.load(alliance.roster.root_certificate)
    builder = (
        x509.CertificateBuilder()
        .subject_name(certificates._name(ALLIANCE, f"{member} CA"))
        .issuer_name(root.subject)
        .public_key(key.public_key())
        .serial_number(2)
        .not_valid_before(alliance.now - timedelta(minutes=5))
        .not_valid_after(alliance.now + timedelta(days=9))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(certificates._CERTIFICATE_SIGN, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if constrained:
        builder = builder.add_extension(certificates._constraints(ALLIANCE, member), critical=True)
    ca = builder.sign(alliance.root_key, hashes.SHA256())
    leaf, leaf_key = certificates.issue_leaf(ca, key, alliance=ALLIANCE, member=victim, now=alliance.now)
    return certificates.tls(leaf, leaf_key, ca=ca, root=root)


async def test_name_constraints_bind_an_intermediate_to_its_member(alliance):
    """Globex signs itself a leaf for Acme's name: in TLS the constraint alone stops it."""
    client, target = alliance.leaf("initech"), f"acme.{ALLIANCE}"
    unbound = imposter(alliance, "globex", "acme", constrained=False)
    await dial(unbound, client, target)
    bound = imposter(alliance, "globex", "acme", constrained=True)
    assert "CERTIFICATE_VERIFY_FAILED" in await refused(bound, client, target)
    await dial(imposter(alliance, "acme", "acme", constrained=True), client, target)


async def test_name_constraints_bind_a_client_too(alliance):
    server = alliance.leaf("initech")
    await refused(server, imposter(alliance, "globex", "acme", constrained=True), f"initech.{ALLIANCE}")
    # Without the constraint TLS lets it in, and the pin in the roster is what refuses it.
    caller = await dial(
        server, imposter(alliance, "globex", "acme", constrained=False), f"initech.{ALLIANCE}"
    )
    with pytest.raises(NotAuthorised) as caught:
        authorise(alliance.roster, caller["x509_pem_cert"][0], alliance.now)
    assert caught.value.code == "key-not-pinned"


async def test_an_intermediate_cannot_make_another(alliance):
    """``pathlen:0``: what a member signs is a leaf or nothing."""
    own = certificates.load(alliance.roster.by_id["globex"].ca_certificate)
    key, root = generate_ca_key(), certificates.load(alliance.roster.root_certificate)
    below = certificates.make_intermediate(
        own,
        alliance.keys["globex"].ca,
        alliance=ALLIANCE,
        member="globex",
        public_key=key.public_key(),
        now=alliance.now,
    )
    below = under_another_name(below, own, alliance.keys["globex"].ca, key)
    leaf, leaf_key = certificates.issue_leaf(below, key, alliance=ALLIANCE, member="globex", now=alliance.now)
    tls = certificates.tls(leaf, leaf_key, ca=below, root=root)
    tls = replace(tls, chain=tls.chain + own.public_bytes(Encoding.PEM))
    await refused(tls, alliance.leaf("initech"), f"globex.{ALLIANCE}")


def under_another_name(certificate, issuer, issuer_key, key):
    """The same certificate under a subject that is not its issuer's, or it would count as self-issued."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(certificates._name(ALLIANCE, "globex second CA"))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(3)
        .not_valid_before(certificate.not_valid_before_utc)
        .not_valid_after(certificate.not_valid_after_utc)
    )
    for extension in certificate.extensions:
        builder = builder.add_extension(extension.value, critical=extension.critical)
    return builder.sign(issuer_key, hashes.SHA256())


async def test_an_expired_certificate_does_not_shake_hands(alliance, now):
    target = f"globex.{ALLIANCE}"
    await refused(expire(alliance, "globex", now), alliance.leaf("initech"), target)
    await refused(alliance.leaf("globex"), expire(alliance, "initech", now), target)


def expire(alliance, member, now):
    past = Alliance(keys=alliance.keys, root_key=alliance.root_key, now=now - timedelta(days=2))
    ca = past.intermediate(member, past.keys[member])
    leaf, key = certificates.issue_leaf(
        certificates.load(ca), past.keys[member].ca, alliance=ALLIANCE, member=member, now=past.now
    )
    root = certificates.load(alliance.roster.root_certificate)
    return certificates.tls(leaf, key, ca=certificates.load(ca), root=root)


async def test_another_alliance_of_the_same_name_does_not_shake_hands(alliance, now):
    other = Alliance(now=now)
    other.join("globex", "initech")
    target = f"globex.{ALLIANCE}"
    await refused(other.leaf("globex"), alliance.leaf("initech"), target)
    await refused(
        alliance.leaf("globex"), replace(other.leaf("initech"), root=alliance.leaf("acme").root), target
    )


async def test_a_client_without_a_certificate_does_not_get_in(alliance):
    server = Server(lambda: alliance.leaf("globex"))
    options = [("grpc.ssl_target_name_override", f"globex.{ALLIANCE}"), ("grpc.enable_retries", 0)]
    credentials = grpc.ssl_channel_credentials(alliance.leaf("acme").root)
    async with server.running() as address, grpc.aio.secure_channel(address, credentials, options) as opened:
        with pytest.raises(grpc.aio.AioRpcError):
            await call(opened)
    assert server.callers == []


async def test_a_renewed_certificate_is_shown_from_the_next_handshake_on(alliance, now):
    """A running server renews without a restart: what changes is what its fetcher returns."""
    shown = [alliance.leaf("globex")]
    server, client, target = Server(lambda: shown[-1]), alliance.leaf("initech"), f"globex.{ALLIANCE}"
    async with server.running() as address:
        async with channel(address, client, target) as opened:
            await call(opened)
            shown.append(expire(alliance, "globex", now))
            await call(opened)  # an open connection is not asked again
        async with channel(address, client, target) as opened:
            with pytest.raises(grpc.aio.AioRpcError):
                await call(opened)
        shown.append(alliance.leaf("globex"))
        async with channel(address, client, target) as opened:
            await call(opened)
    assert len(server.callers) == 3


async def test_a_revoked_member_with_an_open_connection_is_refused_at_its_next_call(alliance, now):
    """TLS does not notice; asking the roster at every call does."""
    server, target = Server(lambda: alliance.leaf("globex")), f"globex.{ALLIANCE}"
    async with server.running() as address, channel(address, alliance.leaf("initech"), target) as opened:
        await call(opened)
        assert authorise(alliance.roster, server.callers[0]["x509_pem_cert"][0], now).id == "initech"
        alliance.take(membership.revoke(alliance.chain, FOUNDER, alliance.keys[FOUNDER], ["initech"], now))
        await call(opened)
    with pytest.raises(NotAuthorised) as caught:
        authorise(alliance.roster, server.callers[1]["x509_pem_cert"][0], now)
    assert caught.value.code == "not-on-roster"
