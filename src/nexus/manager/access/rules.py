"""Who may call a route. Every route, WebSockets included, declares exactly one rule among its parameters:

    async def stop_vm(vm_id: VmId, actor: Operator, …)

`Public` · `Viewer` (anybody signed in) · `Operator` (user or admin: may change what is theirs) · `Admin` · `HostAgent`
(a host with its credential). `rule_of` reads the rule back; a test walks the router and fails on a route without one.

A user comes with a bearer token, or with the browser's cookie. The cookie is sent by the browser whoever caused the
request, so with it a change or a WebSocket must prove that it comes from our own pages.
"""

from collections.abc import Iterator
from typing import Annotated, Any
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import Depends
from fastapi.dependencies.models import Dependant
from starlette.requests import HTTPConnection

from nexus.kit import log
from nexus.kit.http import service
from nexus.kit.problems import NotAllowed, NotSignedIn
from nexus.manager.access.models import Actor, Role
from nexus.manager.access.service import Access

COOKIE = "nexus_session"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class ForeignOrigin(NotAllowed):
    code = "foreign_origin"


async def identify(connection: HTTPConnection) -> Actor | None:
    """Who is asking; None when nobody is signed in. Raises ForeignOrigin for a cookie sent from another site."""
    access = service(connection, Access)
    if token := bearer(connection):
        return await access.actor_behind(token)
    cookie = connection.cookies.get(COOKIE)
    if not cookie:
        return None
    actor = await access.actor_behind(cookie)
    if actor is not None and (
        connection.scope["type"] == "websocket" or connection.scope["method"] not in _SAFE_METHODS
    ):
        require_own_origin(connection)
    return actor


def bearer(connection: HTTPConnection) -> str | None:
    """The token of the Authorization header, or None."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def require_own_origin(connection: HTTPConnection) -> None:
    """Raise ForeignOrigin unless the browser says that one of our own pages caused this request.

    `Sec-Fetch-Site` where the browser sends it, else `Origin` against `Host` (a WebSocket has always an Origin).
    """
    site = connection.headers.get("sec-fetch-site")
    if site is not None:
        is_ours = site == "same-origin"
    else:
        origin = connection.headers.get("origin", "")
        is_ours = bool(origin) and urlsplit(origin).netloc == connection.headers.get("host")
    if not is_ours:
        raise ForeignOrigin(
            "This request came with a browser's cookie, but not from a page of this server.",
            suggestion="Use the web UI of this server, or send the token as 'Authorization: Bearer …'.",
        )


async def _signed_in(connection: HTTPConnection) -> Actor:
    actor = await identify(connection)
    if actor is None:
        raise NotSignedIn(
            "You are not signed in, or your session has ended.",
            suggestion="Sign in with 'nexus login' or POST /v1/auth/login.",
        )
    log.bind(user=actor.username)
    return actor


async def public() -> None:
    """Anybody may call this."""


async def viewer(connection: HTTPConnection) -> Actor:
    """Anybody signed in."""
    return await _signed_in(connection)


async def operator(connection: HTTPConnection) -> Actor:
    """Anybody who may change things: users (their own) and admins."""
    actor = await _signed_in(connection)
    if actor.role is Role.VIEWER:
        raise NotAllowed(
            f"{actor.username} may look but not change anything: the role is viewer.",
            suggestion="Ask an administrator for the role user.",
        )
    return actor


async def admin(connection: HTTPConnection) -> Actor:
    """Administrators only."""
    actor = await _signed_in(connection)
    if not actor.is_admin:
        raise NotAllowed(
            f"{actor.username} may not do this: it takes an administrator, and the role is {actor.role}.",
            suggestion="Ask an administrator.",
        )
    return actor


async def host_agent(connection: HTTPConnection) -> UUID:
    """A host's agent, by its own credential: the id of that host."""
    token = bearer(connection)
    host_id = await service(connection, Access).host_behind(token) if token else None
    if host_id is None:
        raise NotSignedIn(
            "This is for registered hosts, and no valid host credential came with it.",
            suggestion="Register the host with a join token: nexus agent --join TOKEN.",
        )
    log.bind(host_id=str(host_id))
    return host_id


Public = Annotated[None, Depends(public)]
Viewer = Annotated[Actor, Depends(viewer)]
Operator = Annotated[Actor, Depends(operator)]
Admin = Annotated[Actor, Depends(admin)]
HostAgent = Annotated[UUID, Depends(host_agent)]

RULES: dict[Any, str] = {
    public: "public",
    viewer: "viewer",
    operator: "operator",
    admin: "admin",
    host_agent: "host",
}


def rules_of(dependant: Dependant) -> set[str]:
    """The names of the rules a route's dependencies declare; exactly one is right."""
    return {RULES[call] for call in _calls(dependant) if call in RULES}


def _calls(dependant: Dependant) -> Iterator[Any]:
    for dependency in dependant.dependencies:
        yield dependency.call
        yield from _calls(dependency)
