"""`Idempotency-Key` on every POST of a signed-in user: the same request again gets the first one's answer."""

import hashlib
import re
from collections.abc import Callable
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nexus.kit import log
from nexus.kit.asgi import problem_response
from nexus.kit.bodies import read_body, replay_body
from nexus.kit.db import LOST, Db
from nexus.kit.http import database_lost, service
from nexus.kit.problems import Conflict, InvalidField, Problem
from nexus.kit.seal import Seal
from nexus.manager.access.rules import ForeignOrigin, identify
from nexus.manager.idempotency import repository
from nexus.manager.idempotency.claim import Claim, Replayed, current
from nexus.manager.idempotency.repository import Request

_log = log.get("idempotency")

HEADER = "idempotency-key"
REPLAYED = "idempotent-replayed"
_VALID_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_HOW_LONG_TO_WAIT = "wait"
"""A query parameter that asks for patience, not for another change."""


class KeyReused(Conflict):
    code = "idempotency_key_reused"


class AnswerUnknown(Conflict):
    code = "idempotency_answer_unknown"


class IdempotencyMiddleware:
    def __init__(self, app: ASGIApp, *, is_streamed: Callable[[Scope], bool] = lambda _scope: False) -> None:
        """`is_streamed`: bodies that are never held whole, and so cannot be told from others."""
        self._app = app
        self._is_streamed = is_streamed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = Headers(scope=scope).get(HEADER) if scope["type"] == "http" and scope["method"] == "POST" else None
        if key is None:
            await self._app(scope, receive, send)
            return
        if not _VALID_KEY.fullmatch(key):
            refusal = InvalidField("Idempotency-Key: 1 to 255 visible ASCII characters are needed.")
            await problem_response(refusal)(scope, receive, send)
            return
        if self._is_streamed(scope):
            refusal = InvalidField(
                "Idempotency-Key: what is as long as this cannot be compared with what came before.",
                suggestion="Leave it out, and look at the list before you send it again.",
            )
            await problem_response(refusal)(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        body = await read_body(receive)
        receive = replay_body(body, receive)
        try:
            claim = await _claim(connection, key, body)
            kept = None if claim is None else await repository.find(service(connection, Db), claim.request)
        except ForeignOrigin as foreign:
            await problem_response(foreign)(scope, receive, send)
        except LOST as lost:
            await problem_response(database_lost(lost))(scope, receive, send)
        else:
            if claim is None:
                await self._app(scope, receive, send)
            elif kept is None:
                await self._first(service(connection, Db), claim, scope, receive, send)
            else:
                await _answer(claim, kept)(scope, receive, send)

    async def _first(self, db: Db, claim: Claim, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve what nobody seems to have asked for under this key; somebody else may still be faster."""
        reset = current.set(claim)
        try:
            await self._app(scope, receive, _Keeper(db, claim, send))
        except Replayed:
            await (await _replay(db, claim))(scope, receive, send)
        finally:
            current.reset(reset)


async def _claim(connection: HTTPConnection, key: str, body: bytes) -> Claim | None:
    """What this request claims; None when nobody is signed in. Raises ForeignOrigin."""
    actor = await identify(connection)
    if actor is None:
        return None
    request = Request(actor.user_id, key, "POST", _path(connection.scope), hashlib.sha256(body).digest())
    return Claim(request, service(connection, Seal))


class _Keeper:
    """Passes the answer on, and keeps it under the key before its last byte leaves, if anything was changed."""

    def __init__(self, db: Db, claim: Claim, send: Send) -> None:
        self._db, self._claim, self._send = db, claim, send
        self._status = 0
        self._body = bytearray()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
        elif message["type"] == "http.response.body":
            self._body += message.get("body", b"")
            if self._claim.is_committed and not message.get("more_body", False):
                await self._keep()
        await self._send(message)

    async def _keep(self) -> None:
        """The change has been made, whatever becomes of this: whoever asked is told, and asks no more."""
        try:
            await self._claim.keep(self._db, status=self._status, body=self._body.decode())
        except LOST as lost:
            _log.warning("answer_not_kept", path=self._claim.request.path, why=str(lost) or type(lost).__name__)


async def _replay(db: Db, claim: Claim) -> Response:
    try:
        return _answer(claim, await repository.find(db, claim.request))
    except LOST as lost:
        return problem_response(database_lost(lost))


def _answer(claim: Claim, kept: repository.Kept | None) -> Response:
    if kept is not None and kept.is_same and kept.status is not None and kept.response is not None:
        return Response(
            claim.open(kept.response),
            status_code=kept.status,
            media_type="application/json",
            headers={REPLAYED: "true"},
        )
    problem: Problem
    if kept is not None and not kept.is_same:
        problem = KeyReused(
            "This Idempotency-Key belongs to another request: its path or body was different.",
            suggestion="Use a new key for a new request.",
        )
    else:
        problem = AnswerUnknown(
            "The first request with this Idempotency-Key is still being answered, or its answer was lost.",
            suggestion="Try again in a moment; if this stays so, look whether the change has been made.",
        )
    return problem_response(problem)


def _path(scope: Scope) -> str:
    query = [pair for pair in parse_qsl(scope["query_string"].decode("latin-1")) if pair[0] != _HOW_LONG_TO_WAIT]
    return scope["path"] + ("?" + urlencode(sorted(query)) if query else "")
