"""How an agent on TCP is known to managers, and whom it obeys: managers of the platform that it has joined.

The key is made anew whenever the agent starts and is never written anywhere; what lasts is the credential, with which a
certificate for it is asked for. Until the first one is granted nothing is served. A connection is let in when its
certificate was signed by the authority learned at joining, is meant for clients, and bears the name that only managers
get: other hosts hold certificates of the same authority, and must not be able to command this one.
"""

import asyncio
import ssl
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from nexus.kit.clock import Clock
from nexus.kit.tls import use_certificate
from nexus.protocol.base import Message
from nexus.protocol.hosts import HostIdentity


class Trust(Message):
    """Whom this host obeys: the authority's certificate (PEM), and the URI in those of its managers."""

    ca: str
    manager: str


class UnfitIdentity(Exception):
    """What the manager granted cannot be used; the message says why."""


class AgentTls:
    """`context` serves connections; `request` is what to ask a certificate with. `trust`: what was learned at joining,
    None before that."""

    def __init__(self, *, clock: Clock, trust: Trust | None) -> None:
        self._clock = clock
        self._trust = trust
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._granted = asyncio.Event()
        self._renew_at: datetime | None = None
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_3
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.context.num_tickets = 0  # a resumed session would be let in without its certificate being looked at

    @property
    def request(self) -> str:
        """A PKCS#10 request in PEM for this agent's key. It names nothing: who asks is told by the credential."""
        unsigned = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        return unsigned.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()

    @property
    def is_granted(self) -> bool:
        return self._granted.is_set()

    @property
    def is_due(self) -> bool:
        """Whether it is time to ask: there is no certificate yet, or half of its life is over."""
        return self._renew_at is None or self._clock.now() >= self._renew_at

    async def granted(self) -> None:
        """Until there is a certificate to serve with."""
        await self._granted.wait()

    def use(self, identity: HostIdentity) -> None:
        """Serve with this from now on. Raises UnfitIdentity when it is for another key or of another authority."""
        told = Trust(ca=identity.ca, manager=identity.manager)
        if self._trust is not None and told != self._trust:
            raise UnfitIdentity("the manager's authority is not the one that this host has joined")
        try:
            certificate = x509.load_pem_x509_certificate(identity.certificate.encode())
            if certificate.public_key() != self._key.public_key():
                raise UnfitIdentity("the manager certified another key than this host's")
            if not self.is_granted:
                self.context.load_verify_locations(cadata=identity.ca)
            use_certificate(self.context, self._key_pem + identity.certificate.encode())
        except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion, ssl.SSLError) as broken:
            raise UnfitIdentity(f"the manager's certificate for this host cannot be used: {broken}") from broken
        self._trust = told
        now = self._clock.now()
        self._renew_at = now + (certificate.not_valid_after_utc - now) / 2
        self._granted.set()

    def is_manager(self, certificate: Mapping[str, Any] | None) -> bool:
        """Whether this peer, whose certificate OpenSSL has verified (`SSLSocket.getpeercert`), may command us."""
        names = certificate.get("subjectAltName") if certificate else None
        return self._trust is not None and names == (("URI", self._trust.manager),)

    @property
    def _key_pem(self) -> bytes:
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        return self._key.private_bytes(encoding, form, serialization.NoEncryption())
