"""The one authority of a platform, made when the first host on another machine joins and shared by all managers.

Its key is in the database, sealed with the secret key that all managers share: whoever has only one of the two cannot
sign. A manager makes its own certificate for each day and keeps its key in memory.
"""

from uuid import UUID

from nexus.kit.clock import Clock
from nexus.kit.db import Db
from nexus.kit.ids import new_id
from nexus.kit.seal import Seal
from nexus.manager.authority import certificates, repository
from nexus.manager.authority.certificates import Ca
from nexus.protocol.hosts import HostIdentity

_PURPOSE = "certificate-authority"


class Authority:
    """Signs for hosts and for this manager. SealError from any method: the secret key is not the one the authority was
    made with."""

    def __init__(self, db: Db, seal: Seal, *, clock: Clock) -> None:
        self._db = db
        self._seal = seal
        self._clock = clock
        self._ca: Ca | None = None

    async def certify_host(self, csr_pem: str, host_id: UUID, joining: int) -> HostIdentity:
        """What a host needs to be known and to know its managers. Raises certificates.UnusableRequest."""
        ca = await self.ca()
        certificate = certificates.certify_host(ca, csr_pem, host_id, joining, now=self._clock.now())
        return HostIdentity(certificate=certificate, ca=ca.pem, manager=ca.manager_name)

    async def certify_manager(self) -> bytes:
        """A key and certificate (PEM) with which a manager may command hosts, good for MANAGER_LIFE."""
        return certificates.make_manager(await self.ca(), now=self._clock.now())

    async def ca(self) -> Ca:
        """The authority, made if this platform has none yet. No transaction may be open."""
        if self._ca is None:
            self._ca = await self._find() or await self._make()
        return self._ca

    async def _find(self) -> Ca | None:
        row = await repository.find(self._db)
        if row is None:
            return None
        key = self._seal.unseal(row["key_sealed"], purpose=_PURPOSE)
        return certificates.read_ca(row["id"], row["certificate"], key)

    async def _make(self) -> Ca:
        """Of several managers at once the first wins, and all use what it made."""
        made = certificates.make_ca(new_id(), now=self._clock.now())
        sealed = self._seal.seal(certificates.private_pem(made.key).decode(), purpose=_PURPOSE)
        await repository.add_first(self._db, made.id, certificate=made.pem, key_sealed=sealed)
        kept = await self._find()
        assert kept is not None, "it is never removed"
        return kept
