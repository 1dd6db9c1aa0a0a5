"""Over TLS: whom we trust, and what we say when we do not."""

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from exchange import taxii
from exchange.errors import ConfigError, InputError
from tests.exchange.taxii.servers import Liar, indicator, liar, page

NONE = {"NETRC": ""}


def certificate(folder: Path, host: str) -> Path:
    """A certificate that is its own authority, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a server of a test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{host}.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return file


@pytest.fixture
def served(tmp_path: Path):
    """An HTTPS server and its certificate."""
    file = certificate(tmp_path, "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    with liar(context) as server:
        server.objects = lambda _: page(indicator(1))
        yield server, file


def count(server: Liar, ca: Path | None = None) -> int:
    with taxii.connect(server.address, ca=ca, environ=NONE) as found, found.download() as got:
        return got.objects


def test_an_authority_of_ones_own_is_trusted_if_named(served) -> None:
    server, file = served
    assert server.address.startswith("taxii+https://")
    assert count(server, ca=file) == 1


def test_or_if_the_environment_names_it(served, monkeypatch: pytest.MonkeyPatch) -> None:
    server, file = served
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    assert count(server) == 1


def test_otherwise_nothing_is_sent(served) -> None:
    server, _ = served
    with pytest.raises(InputError, match="certificate that we do not trust") as caught:
        count(server)
    assert caught.value.code == "taxii-unavailable"
    assert "SSL_CERT_FILE" in caught.value.hint
    assert server.seen == []


def test_nor_where_the_certificate_is_for_another_host(tmp_path: Path) -> None:
    file = certificate(tmp_path, "127.0.0.2")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    with liar(context) as server:
        with pytest.raises(InputError, match="certificate that we do not trust"):
            count(server, ca=file)
        assert server.seen == []


def test_plain_http_behind_an_https_address_is_no_answer() -> None:
    with liar() as server:
        server.origin = server.origin.replace("http:", "https:")
        with pytest.raises(InputError) as caught:
            count(server)
    assert caught.value.code == "taxii-unavailable"


def test_certificates_that_cannot_be_read_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ca.pem").write_text("none")
    for setting in (tmp_path / "ca.pem", tmp_path / "missing.pem"):
        with (
            pytest.raises(ConfigError, match="no certificates"),
            taxii.connect("taxii+https://127.0.0.1/", ca=setting, environ=NONE),
        ):
            pass
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    with (
        pytest.raises(ConfigError, match="SSL_CERT_FILE"),
        taxii.connect("taxii+https://127.0.0.1/", environ=NONE),
    ):
        pass
