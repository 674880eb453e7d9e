"""The certificates of managers and hosts: pure rules, no clock and no storage.

What must stay true: a role is told by two things at once, the extended key usage and the name. A host's certificate is
for a server with a name that holds its id; a manager's is for a client with the name that agents are told when they
join. Neither can stand in for the other, though one authority signs both. Nothing of a request but its public key ends
up in a certificate, so nobody can ask for a role.

The profile is RFC 5280's (basic constraints, key usage and key identifiers everywhere), which Python's strict
verification asks for.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_LIFE = timedelta(days=20 * 365)
HOST_LIFE = timedelta(days=7)
"""Agents ask for the next one when half of it is over."""
MANAGER_LIFE = timedelta(days=1)
CLOCK_TOLERANCE = timedelta(hours=1)
"""Certificates are good from this long before they are made: the clocks of hosts differ."""
_LEAST_RSA_BITS = 2048

CertifiableKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey


class UnusableRequest(ValueError):
    """A certificate signing request that cannot be granted; the message says why."""


@dataclass(frozen=True)
class Ca:
    """The authority. `id` tells it from others, in names too."""

    id: UUID
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> str:
        """Its certificate; everybody may have it."""
        return _pem(self.certificate)

    @property
    def manager_name(self) -> str:
        """The URI in every manager's certificate, by which agents know those that may command them."""
        return f"nexus:manager:{self.id}"


def host_name(host_id: UUID, joining: int) -> str:
    """The DNS name that a host's certificate is for; `joining`: how often it has joined. Nobody resolves it: the
    manager knows the address and asks for this name."""
    return f"{joining}.{host_id}.hosts.nexus.internal"


def make_ca(ca_id: UUID, *, now: datetime) -> Ca:
    """A new authority with a key of its own."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"Nexus {ca_id}")
    usage = _usage(signs_certificates=True)
    constraints = x509.BasicConstraints(ca=True, path_length=0)
    builder = _builder(name, key.public_key(), issuer=name, now=now, life=CA_LIFE)
    builder = builder.add_extension(constraints, critical=True).add_extension(usage, critical=True)
    signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    builder = builder.add_extension(signer, critical=False)
    return Ca(ca_id, builder.sign(key, hashes.SHA256()), key)


def certify_host(ca: Ca, csr_pem: str, host_id: UUID, joining: int, *, now: datetime) -> str:
    """A certificate (PEM) for the key of a request. Raises UnusableRequest."""
    key = _requested_key(csr_pem)
    name = x509.DNSName(host_name(host_id, joining))
    usage = ExtendedKeyUsageOID.SERVER_AUTH
    return _pem(_leaf(ca, key, name, usage, common_name=str(host_id), now=now, life=HOST_LIFE))


def make_manager(ca: Ca, *, now: datetime) -> bytes:
    """A new key for a manager and its certificate, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.UniformResourceIdentifier(ca.manager_name)
    usage = ExtendedKeyUsageOID.CLIENT_AUTH
    certificate = _leaf(ca, key.public_key(), name, usage, common_name="manager", now=now, life=MANAGER_LIFE)
    return private_pem(key) + _pem(certificate).encode()


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption())


def read_ca(ca_id: UUID, certificate: str, key: str) -> Ca:
    """The authority from its certificate and key (PEM)."""
    private = serialization.load_pem_private_key(key.encode(), password=None)
    assert isinstance(private, ec.EllipticCurvePrivateKey), "make_ca makes no other"
    return Ca(ca_id, x509.load_pem_x509_certificate(certificate.encode()), private)


def _requested_key(csr_pem: str) -> CertifiableKey:
    """The public key of a request whose sender has shown to hold the private one."""
    try:
        request = x509.load_pem_x509_csr(csr_pem.encode())
        key = request.public_key()
        if not request.is_signature_valid:
            raise UnusableRequest("its signature is not by the key in it")
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion) as broken:
        if isinstance(broken, UnusableRequest):
            raise
        raise UnusableRequest("it is no certificate signing request in PEM") from broken
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < _LEAST_RSA_BITS:
        raise UnusableRequest(f"an RSA key must have {_LEAST_RSA_BITS} bits or more")
    if not isinstance(key, CertifiableKey):
        raise UnusableRequest("the key must be an elliptic curve, Ed25519 or RSA key")
    return key


def _leaf(
    ca: Ca,
    key: CertifiableKey,
    name: x509.GeneralName,
    usage: x509.ObjectIdentifier,
    *,
    common_name: str,
    now: datetime,
    life: timedelta,
) -> x509.Certificate:
    signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key())
    builder = _builder(_name(common_name), key, issuer=ca.certificate.subject, now=now, life=life)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    builder = builder.add_extension(x509.SubjectAlternativeName([name]), critical=False)
    return builder.add_extension(signer, critical=False).sign(ca.key, hashes.SHA256())


def _builder(
    subject: x509.Name, key: CertifiableKey, *, issuer: x509.Name, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - CLOCK_TOLERANCE).not_valid_after(now + life)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
