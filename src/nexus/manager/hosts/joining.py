"""How a host becomes one of ours and stays it: join tokens, credentials and certificates.

A host's credential and certificate are worth as much as its row says: one that joins again gets a new credential and a
new joining number, one that is removed or given up has neither, and what it held before opens nothing from that moment.
"""

import asyncio
import hmac
from datetime import timedelta
from uuid import UUID

from nexus.kit.db import Db, Tx
from nexus.kit.http import Unavailable
from nexus.kit.problems import InvalidField
from nexus.kit.seal import SealError
from nexus.manager import audit, events
from nexus.manager.access import Access, Actor
from nexus.manager.access.tokens import HOST, JOIN, digest, mint
from nexus.manager.authority.certificates import UnusableRequest
from nexus.manager.authority.service import Authority
from nexus.manager.hosts import repository
from nexus.manager.hosts.errors import HostIsAbandoned, HostNameTaken, HostNotFound, JoinTokenInvalid
from nexus.manager.hosts.models import KIND
from nexus.manager.hosts.reached import public_url
from nexus.manager.hosts.repository import Joined
from nexus.manager.hosts.schemas import JoinTokenBody
from nexus.manager.settings import ManagerSettings
from nexus.manager.subjects import Subject
from nexus.protocol.hosts import CertificateRequest, HostIdentity, Registered, RegisterRequest

_SHORTEST_LOCAL_TOKEN = 32
_LOCAL = "unix:"


class HostJoining:
    def __init__(self, db: Db, access: Access, authority: Authority, *, settings: ManagerSettings) -> None:
        self._db = db
        self._access = access
        self._authority = authority
        self._local_token_file = settings.local_join_token_file
        self._url = public_url(settings)

    async def make_join_token(self, actor: Actor, *, life: timedelta) -> JoinTokenBody:
        """A token that lets one host register. It is in the answer and nowhere else."""
        token = mint(JOIN)
        async with self._db.transaction() as tx:
            token_id, until = await repository.add_join_token(tx, digest(token), created_by=actor.user_id, life=life)
            await audit.write(tx, actor, verb="create", subject=Subject("join_token", token_id))
        return JoinTokenBody(id=token_id, token=token, expires_at=until, url=self._url)

    async def register(self, request: RegisterRequest) -> Registered:
        """Let a host in. One that comes again under its name with a new token gets a new credential (and certificate)
        for its old ones. Raises JoinTokenInvalid, HostIsAbandoned, HostNameTaken, InvalidField."""
        credential = mint(HOST)
        is_local = await asyncio.to_thread(self._is_local_token, request.join_token)
        if not is_local and not await repository.knows_join_token(self._db, digest(request.join_token)):
            raise JoinTokenInvalid
        _require_sensible(request, is_local=is_local)
        if request.csr is not None:
            await self._have_authority()
        async with self._db.transaction() as tx:
            token_id = None if is_local else await repository.use_join_token(tx, digest(request.join_token))
            if token_id is None and not is_local:
                raise JoinTokenInvalid
            if await repository.is_abandoned(tx, request.facts.name):
                raise HostIsAbandoned(request.facts.name)
            if await repository.is_elsewhere(tx, request.facts.name, address=request.address):
                raise HostNameTaken(request.facts.name)
            joined = await repository.register(tx, request, credential_sha256=digest(credential))
            if token_id is not None:
                await repository.note_join(tx, token_id, joined.host_id)
            self._access.revoke(tx)
            identity = None if request.csr is None else await self._certify(request.csr, joined)
            await self._note(tx, joined.host_id, request.facts.name, verb="register", address=request.address)
            subject = Subject(KIND, joined.host_id, request.facts.name)
            await events.emit(tx, type="host.joined", subject=subject, owner_user_id=None)
        return Registered(host_id=joined.host_id, credential=credential, identity=identity)

    async def certify(self, host_id: UUID, request: CertificateRequest) -> HostIdentity:
        """The next certificate of a host that has joined, and its address from now on. Raises InvalidField."""
        if request.address.startswith(_LOCAL):
            raise InvalidField("address: an agent on a Unix socket needs no certificate.")
        await self._have_authority()
        async with self._db.transaction() as tx:
            found = await repository.move(tx, host_id, address=request.address)
            if found is None:
                raise HostNotFound
            joined, name = found
            identity = await self._certify(request.csr, joined)
            await self._note(tx, host_id, name, verb="certify", address=request.address)
        return identity

    async def _have_authority(self) -> None:
        """Once it is there, signing needs no database any more."""
        try:
            await self._authority.ca()
        except SealError as other_key:
            raise Unavailable(
                "This manager cannot certify hosts: its secret key is not the one the authority was made with.",
                suggestion="Give all managers of one database the same MANAGER_SECRET_KEY_FILE.",
            ) from other_key

    async def _certify(self, csr: str, joined: Joined) -> HostIdentity:
        try:
            return await self._authority.certify_host(csr, joined.host_id, joined.joining)
        except UnusableRequest as unusable:
            raise InvalidField(f"csr: {unusable}.") from unusable

    async def _note(self, tx: Tx, host_id: UUID, name: str, *, verb: str, address: str) -> None:
        subject = Subject(KIND, host_id, name)
        await audit.write_as(tx, None, f"host {name}", verb=verb, subject=subject, details={"address": address})

    def _is_local_token(self, token: str) -> bool:
        """Whether this is the token that this machine's own agent finds in a file; good as long as that is there."""
        try:
            kept = self._local_token_file.read_text().strip() if self._local_token_file else ""
        except OSError:
            return False
        return len(kept) >= _SHORTEST_LOCAL_TOKEN and hmac.compare_digest(kept.encode(), token.encode())


def _require_sensible(request: RegisterRequest, *, is_local: bool) -> None:
    """A socket's path means something on this machine only, so nobody from elsewhere may have us speak to one."""
    is_socket = request.address.startswith(_LOCAL)
    if is_socket and not is_local:
        raise InvalidField(
            "address: a Unix socket is for this machine's own agent.",
            suggestion="Have the agent listen on TCP: AGENT_BIND=0.0.0.0:18081.",
        )
    if not is_socket and request.csr is None:
        raise InvalidField("csr: an agent on TCP must ask for a certificate.")
