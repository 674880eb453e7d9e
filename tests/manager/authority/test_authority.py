"""The authority: one for all managers, its key sealed, and what it signs."""

import asyncio
import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store
from hypothesis import example, given
from hypothesis import strategies as st
from tests.manager.compute.acting import signing_request

from nexus.kit.clock import SystemClock
from nexus.kit.db import Db
from nexus.kit.seal import KEY_BYTES, Seal, SealError
from nexus.manager.agents.tls import ManagerTls
from nexus.manager.authority import certificates
from nexus.manager.authority.certificates import MANAGER_LIFE, UnusableRequest, certify_host, host_name, make_ca
from nexus.manager.authority.service import Authority
from nexus.protocol.trouble import Retryable

NOW = datetime.now(UTC)
HOST = uuid4()
CA = make_ca(uuid4(), now=NOW)


def authority(db: Db, key: bytes = b"k" * KEY_BYTES) -> Authority:
    return Authority(db, Seal(key), clock=SystemClock())


async def test_managers_that_begin_at_once_share_one_authority(db: Db) -> None:
    made = await asyncio.gather(*(authority(db).ca() for _ in range(10)))
    assert len({ca.pem for ca in made}) == 1
    assert len({ca.key.private_numbers().private_value for ca in made}) == 1
    assert (await authority(db).ca()).id == made[0].id


async def test_a_copy_of_the_database_signs_nothing(db: Db) -> None:
    await authority(db).ca()
    row = await db.fetchval("select to_jsonb(c)::text from certificate_authority c")
    key = await db.fetchval("select key_sealed from certificate_authority")
    assert "BEGIN CERTIFICATE" in row
    assert "PRIVATE" not in row
    assert b"PRIVATE" not in key
    with pytest.raises(SealError):
        await authority(db, b"x" * KEY_BYTES).ca()
    with pytest.raises(Retryable, match="cannot prove to be one"):
        await ManagerTls(authority(db, b"x" * KEY_BYTES), clock=SystemClock()).prepare()


async def test_a_manager_has_a_new_certificate_before_the_old_one_ends(db: Db) -> None:
    class Clock:
        time = NOW

        def now(self) -> datetime:
            return self.time

    issued: list[bytes] = []

    class Counting(Authority):
        async def certify_manager(self) -> bytes:
            issued.append(await super().certify_manager())
            return issued[-1]

    clock = Clock()
    tls = ManagerTls(Counting(db, Seal(b"k" * KEY_BYTES), clock=clock), clock=clock)
    for passed, so_many in ((0.0, 1), (0.49, 1), (0.51, 2), (0.9, 2), (1.02, 3)):
        clock.time = NOW + MANAGER_LIFE * passed
        await tls.prepare()
        assert len(issued) == so_many
        end = x509.load_pem_x509_certificates(issued[-1])[0].not_valid_after_utc
        assert end - clock.time > MANAGER_LIFE / 3


def test_a_hosts_certificate_is_for_a_server_of_its_own_name_and_nothing_else() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    greedy = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, CA.manager_name)])
    )
    for extension in (
        x509.SubjectAlternativeName([x509.UniformResourceIdentifier(CA.manager_name)]),
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]),
        x509.BasicConstraints(ca=True, path_length=None),
    ):
        greedy = greedy.add_extension(extension, critical=True)
    csr = greedy.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
    granted = x509.load_pem_x509_certificate(certify_host(CA, csr, HOST, 3, now=NOW).encode())
    assert granted.public_key() == key.public_key()
    names = granted.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(names) == [x509.DNSName(f"3.{HOST}.hosts.nexus.internal")]
    usage = granted.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert not granted.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert "manager" not in granted.subject.rfc4514_string()


def test_what_it_signs_is_valid_by_the_strict_rules_of_others() -> None:
    host = x509.load_pem_x509_certificate(certify_host(CA, signing_request(), HOST, 1, now=NOW).encode())
    verifier = PolicyBuilder().store(Store([CA.certificate])).time(NOW)
    verifier.build_server_verifier(x509.DNSName(host_name(HOST, 1))).verify(host, [])
    manager = x509.load_pem_x509_certificates(certificates.make_manager(CA, now=NOW))[0]
    shown = verifier.build_client_verifier().verify(manager, [])
    assert shown.subjects == [x509.UniformResourceIdentifier(CA.manager_name)]


def test_every_curve_and_kind_of_key_that_is_strong_enough_is_certified() -> None:
    for key in (
        ec.generate_private_key(ec.SECP384R1()),
        ed25519.Ed25519PrivateKey.generate(),
        rsa.generate_private_key(65537, 2048),
    ):
        algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
        csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, algorithm)
        pem = csr.public_bytes(serialization.Encoding.PEM).decode()
        granted = x509.load_pem_x509_certificate(certify_host(CA, pem, HOST, 1, now=NOW).encode())
        assert granted.public_key() == key.public_key()
        assert granted.not_valid_after_utc - NOW <= timedelta(days=7)


def weak() -> str:
    key = rsa.generate_private_key(65537, 1024)
    return _request(key)


def of_an_old_kind() -> str:
    return _request(dsa.generate_private_key(2048))


def of_anothers_key() -> str:
    """A request with the signature of another: whoever sends it does not hold the key."""
    mine, theirs = (x509.load_pem_x509_csr(signing_request().encode()) for _ in range(2))
    der = mine.public_bytes(serialization.Encoding.DER)
    body, signature = mine.tbs_certrequest_bytes, theirs.signature
    assert der.startswith(b"\x30")
    algorithm = der[der.index(body) + len(body) :][:12]
    inner = body + algorithm + b"\x03" + bytes([len(signature) + 1]) + b"\0" + signature
    forged = b"\x30\x81" + bytes([len(inner)]) + inner
    return x509.load_der_x509_csr(forged).public_bytes(serialization.Encoding.PEM).decode()


def _request(key: rsa.RSAPrivateKey | dsa.DSAPrivateKey) -> str:
    signed = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


GOOD = x509.load_pem_x509_csr(signing_request().encode()).public_bytes(serialization.Encoding.DER)


@given(
    flips=st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=3),
    end=st.integers(1, len(GOOD)),
)
@example(flips=[(GOOD.index(b"\x02\x01\x00") + 2, 81)], end=len(GOOD))
def test_a_damaged_request_is_never_more_than_refused(flips: list[tuple[int, int]], end: int) -> None:
    damaged = bytearray(GOOD)
    for at, value in flips:
        damaged[at] = value
    body = base64.encodebytes(bytes(damaged[:end])).decode()
    pem = f"-----BEGIN CERTIFICATE REQUEST-----\n{body}-----END CERTIFICATE REQUEST-----\n"
    if bytes(damaged[:end]) == GOOD:
        return
    with pytest.raises(UnusableRequest):
        certify_host(CA, pem, HOST, 1, now=NOW)


@pytest.mark.parametrize(
    ("csr", "why"),
    [
        (lambda: "", "no certificate signing request"),
        (lambda: CA.pem, "no certificate signing request"),
        (lambda: "\0" * 100, "no certificate signing request"),
        (lambda: "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n", "no certificate"),
        (weak, "2048 bits"),
        (of_an_old_kind, "elliptic curve, Ed25519 or RSA"),
        (of_anothers_key, "its signature is not by the key in it"),
    ],
)
def test_a_request_that_cannot_be_granted_is_refused_with_the_reason(csr: Callable[[], str], why: str) -> None:
    with pytest.raises(UnusableRequest, match=why):
        certify_host(CA, csr(), HOST, 1, now=NOW)
