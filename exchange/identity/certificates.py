"""X.509 for the alliance: a root, one intermediate per member, leaves that live for a day.

The root signs a member's intermediate once, when it joins; then each node renews its own leaf and no CA has
to be online. Name constraints bind an intermediate to its member's DNS name, so that TLS itself refuses a
server that shows another's. What decides is still the roster (``rules.authorise``): TLS proves possession.

Source: RFC 5280 (profile, name constraints), SPIFFE X509-SVID (the URI).
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from exchange.errors import ConfigError
from exchange.identity.keys import generate_ca_key, to_pem

ROOT_LIFE = timedelta(days=20 * 365)
INTERMEDIATE_LIFE = timedelta(days=5 * 365)
LEAF_LIFE = timedelta(hours=24)
BACKDATE = timedelta(minutes=5)
"""Members' clocks differ; a certificate is good a little before it is made."""

_MAX_BYTES = 8192
_ROOT = "cosight alliance root"
_CERTIFICATE_SIGN = x509.KeyUsage(
    digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
    key_agreement=False, key_cert_sign=True, crl_sign=False, encipher_only=False, decipher_only=False,
)  # fmt: skip
_DIGITAL_SIGNATURE = x509.KeyUsage(
    digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
    key_agreement=False, key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False,
)  # fmt: skip
_NOT_CA = x509.BasicConstraints(ca=False, path_length=None)
_PURPOSES = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])


@dataclass(frozen=True, slots=True)
class Tls:
    """What one end of a connection shows and trusts, PEM.

    Attributes:
        key: private key of the leaf; never in a ``repr``, never on a disk.
        chain: the leaf, then its intermediate.
        root: the alliance's root.
    """

    key: bytes = field(repr=False)
    chain: bytes
    root: bytes


def load(data: bytes) -> x509.Certificate:
    """A certificate, from DER or PEM.

    Raises:
        ValueError: it is none.
    """
    if len(data) > _MAX_BYTES:
        raise ValueError("it is too large")
    try:
        if data.startswith(b"-----"):
            return x509.load_pem_x509_certificate(data)
        return x509.load_der_x509_certificate(data)
    except Exception as e:  # the library has several types for what it does not like
        raise ValueError("it is not a certificate") from e


def der(certificate: x509.Certificate) -> bytes:
    """The certificate, DER."""
    return certificate.public_bytes(Encoding.DER)


def dns_name(alliance: str, member: str) -> str:
    """The name in a member's certificate, and what a client expects of the server it dials."""
    return f"{member}.{alliance}"


def spiffe_id(alliance: str, member: str) -> str:
    """The member as a URI."""
    return f"spiffe://{alliance}/member/{member}"


def make_root(alliance: str, key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    """The alliance's root, signed by itself."""
    name = _name(alliance, _ROOT)
    now = now.replace(microsecond=0)  # X.509 has whole seconds
    builder = _builder(name, name, key.public_key(), (now - BACKDATE, now + ROOT_LIFE))
    return (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        .add_extension(_CERTIFICATE_SIGN, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def check_root(certificate: x509.Certificate, alliance: str) -> None:
    """Check that a certificate is what ``make_root`` gives for this alliance, whatever the time.

    Raises:
        ValueError: it is not.
    """
    try:
        certificate.verify_directly_issued_by(certificate)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm) as e:
        raise ValueError("the root certificate is not signed by itself") from e
    _ = p256(certificate)
    critical = {e.value for e in _extensions(certificate) if e.critical}
    expected = {x509.BasicConstraints(ca=True, path_length=1), _CERTIFICATE_SIGN}
    if certificate.subject != _name(alliance, _ROOT) or critical != expected:
        raise ValueError("the root certificate is not that of the alliance")


def make_intermediate(
    root: x509.Certificate,
    root_key: ec.EllipticCurvePrivateKey,
    *,
    alliance: str,
    member: str,
    public_key: ec.EllipticCurvePublicKey,
    now: datetime,
) -> x509.Certificate:
    """A member's intermediate: it can sign leaves for that member's name and nothing else.

    Raises:
        ConfigError: the root has expired.
    """
    validity = _within(root, now, INTERMEDIATE_LIFE)
    return (
        _builder(_name(alliance, f"{member} CA"), root.subject, public_key, validity)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_CERTIFICATE_SIGN, critical=True)
        .add_extension(_constraints(alliance, member), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(_issued_by(root), critical=False)
        .sign(root_key, hashes.SHA256())
    )


def check_intermediate(
    certificate: x509.Certificate, root: x509.Certificate, *, alliance: str, member: str
) -> None:
    """Check that a certificate is what ``make_intermediate`` gives for this member, whatever the time.

    Raises:
        ValueError: it is not; says in what.
    """
    try:
        certificate.verify_directly_issued_by(root)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm) as e:
        raise ValueError("it was not issued by the alliance's root") from e
    _ = p256(certificate)
    if certificate.subject != _name(alliance, f"{member} CA"):
        raise ValueError("it names another subject")
    critical = {
        x509.BasicConstraints(ca=True, path_length=0),
        _CERTIFICATE_SIGN,
        _constraints(alliance, member),
    }
    found = _extensions(certificate)
    if {e.value for e in found if e.critical} != critical:
        raise ValueError(f"its constraints are not those of {member}")
    if not all(
        isinstance(e.value, x509.SubjectKeyIdentifier | x509.AuthorityKeyIdentifier)
        for e in found
        if not e.critical
    ):
        raise ValueError("it carries an extension that has no place there")


def make_request(member: str, key: ec.EllipticCurvePrivateKey) -> bytes:
    """A PKCS #10 request, DER: proves that the member holds its CA key."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, member)])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return request.public_bytes(Encoding.DER)


def check_request(request_der: bytes, member: str) -> ec.EllipticCurvePublicKey:
    """The CA key that a request of this member proves.

    Raises:
        ValueError: it is damaged, another's, not proven, or not P-256.
    """
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, member)])
    try:
        request = x509.load_der_x509_csr(request_der)
        proven = request.subject == name and request.is_signature_valid
    except Exception as e:  # as in ``load``
        raise ValueError("the certificate request cannot be read") from e
    if not proven:
        raise ValueError("the certificate request is not that of the member, or does not prove its key")
    return p256(request)


def issue_leaf(
    ca: x509.Certificate, ca_key: ec.EllipticCurvePrivateKey, *, alliance: str, member: str, now: datetime
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """A leaf under the member's own intermediate, and its fresh key.

    Raises:
        ConfigError: the intermediate has expired.
    """
    validity = _within(ca, now, LEAF_LIFE)
    key = generate_ca_key()
    leaf = (
        _builder(_name(alliance, member), ca.subject, key.public_key(), validity)
        .add_extension(_NOT_CA, critical=True)
        .add_extension(_DIGITAL_SIGNATURE, critical=True)
        .add_extension(_PURPOSES, critical=False)
        .add_extension(_names(alliance, member), critical=False)
        .add_extension(_issued_by(ca), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    return leaf, key


def tls(
    leaf: x509.Certificate, key: ec.EllipticCurvePrivateKey, *, ca: x509.Certificate, root: x509.Certificate
) -> Tls:
    """What gRPC wants of a leaf."""
    leaf_pem, ca_pem, root_pem = (c.public_bytes(Encoding.PEM) for c in (leaf, ca, root))
    return Tls(to_pem(key), leaf_pem + ca_pem, root_pem)


def needs_renewal(leaf: x509.Certificate, now: datetime) -> bool:
    """Whether half of the leaf's life has passed."""
    start, end = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    return now >= start + (end - start) / 2


def is_valid_at(certificate: x509.Certificate, now: datetime) -> bool:
    """Whether the time lies within the certificate's validity."""
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def p256(holder: x509.Certificate | x509.CertificateSigningRequest) -> ec.EllipticCurvePublicKey:
    """The P-256 key in a certificate or request.

    Raises:
        ValueError: it holds another kind of key.
    """
    try:
        key = holder.public_key()
    except Exception as e:  # the library has several ways to say that it does not know a key
        raise ValueError("its key cannot be read") from e
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise ValueError("its key is not on the curve P-256")


def spki(key: ec.EllipticCurvePublicKey) -> bytes:
    """The public key as X.509 writes it, DER."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def member_named(leaf: x509.Certificate, alliance: str) -> str:
    """The member that a leaf names, if it is shaped exactly as ``issue_leaf`` shapes them.

    Raises:
        ValueError: it is not; says in what.
    """
    extensions = _extensions(leaf)
    names = next((e.value for e in extensions if isinstance(e.value, x509.SubjectAlternativeName)), None)
    uris = names.get_values_for_type(x509.UniformResourceIdentifier) if names is not None else []
    prefix = spiffe_id(alliance, "")
    if len(uris) != 1 or not uris[0].startswith(prefix):
        raise ValueError("it names no member of this alliance")
    member = uris[0].removeprefix(prefix)
    shape = {_NOT_CA, _DIGITAL_SIGNATURE, _PURPOSES, _names(alliance, member)}
    if not shape <= {e.value for e in extensions}:
        raise ValueError("its names do not belong together, or it is for another use")
    if leaf.not_valid_after_utc - leaf.not_valid_before_utc > LEAF_LIFE + BACKDATE:
        raise ValueError("it lives longer than a day")
    return member


def _name(alliance: str, common: str) -> x509.Name:
    return x509.Name([
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, alliance),
        x509.NameAttribute(NameOID.COMMON_NAME, common),
    ])  # fmt: skip


def _names(alliance: str, member: str) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([
        x509.DNSName(dns_name(alliance, member)),
        x509.UniformResourceIdentifier(spiffe_id(alliance, member)),
    ])  # fmt: skip


def _extensions(certificate: x509.Certificate) -> list[x509.Extension[x509.ExtensionType]]:
    try:
        return list(certificate.extensions)
    except Exception as e:  # parsed here and now; the library has several types for what it does not like
        raise ValueError("its extensions cannot be read") from e


def _constraints(alliance: str, member: str) -> x509.NameConstraints:
    permitted = [x509.DNSName(dns_name(alliance, member)), x509.UniformResourceIdentifier(alliance)]
    return x509.NameConstraints(permitted_subtrees=permitted, excluded_subtrees=None)


def _issued_by(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def _within(issuer: x509.Certificate, now: datetime, life: timedelta) -> tuple[datetime, datetime]:
    """A validity that starts a little before now and never outlives the issuer."""
    now = now.replace(microsecond=0)
    start = max(now - BACKDATE, issuer.not_valid_before_utc)
    end = min(now + life, issuer.not_valid_after_utc)
    if not is_valid_at(issuer, now) or start >= end:
        raise ConfigError(
            "the certificate above ours is not valid now",
            code="certificate-expired",
            hint="check this machine's clock; an administrator renews with: cosight alliance renew",
        )
    return start, end


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    validity: tuple[datetime, datetime],
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(validity[0])
        .not_valid_after(validity[1])
    )
