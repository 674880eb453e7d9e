"""How a manager shows agents on other machines that it is one, and knows whom it speaks to."""

import ssl
from datetime import datetime

from nexus.kit.clock import Clock
from nexus.kit.seal import SealError
from nexus.kit.tls import use_certificate
from nexus.manager.authority.certificates import MANAGER_LIFE
from nexus.manager.authority.service import Authority
from nexus.protocol.trouble import Retryable


class ManagerTls:
    """A TLS context for connections to agents: this manager's certificate, and trust in our own authority alone.

    Which host answers is checked by the server name that the connection asks for (authority.certificates.host_name)."""

    def __init__(self, authority: Authority, *, clock: Clock) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_3
        self._authority = authority
        self._clock = clock
        self._renew_at: datetime | None = None

    async def prepare(self) -> None:
        """Have a certificate that is good for a while; before every use of the context. Raises Retryable."""
        now = self._clock.now()
        if self._renew_at is not None and now < self._renew_at:
            return
        try:
            ca, certificate = await self._authority.ca(), await self._authority.certify_manager()
        except SealError as other_key:
            raise Retryable(f"this manager cannot prove to be one: {other_key}") from other_key
        use_certificate(self.context, certificate)
        if self._renew_at is None:
            self.context.load_verify_locations(cadata=ca.pem)
        self._renew_at = now + MANAGER_LIFE / 2
