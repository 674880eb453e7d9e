"""Serving the UI: GET and HEAD of every path that is not the API's.

A middleware and not routes, because it answers what no route may: any path there is. The files are the same for
everybody and tell nothing of the platform's state, so nobody has to be signed in to get them.
"""

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from nexus.manager.ui.site import File, Site

_API = ("/v1", "/health", "/openapi.json", "/swagger-ui")


class UiMiddleware:
    """Answers for the UI what is the UI's, and passes on the rest. Without a built site everything is passed on."""

    def __init__(self, app: ASGIApp, *, site: Site | None) -> None:
        self._app = app
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._site is None or scope["type"] != "http" or scope["method"] not in ("GET", "HEAD") or _is_api(scope):
            await self._app(scope, receive, send)
            return
        answer = _answer(self._site, scope)
        await (answer or self._app)(scope, receive, send)


def _is_api(scope: Scope) -> bool:
    path: str = scope["path"]
    return any(path == prefix or path.startswith(f"{prefix}/") for prefix in _API)


def _answer(site: Site, scope: Scope) -> Response | None:
    """What the UI has for this path; None where it has nothing and the client is no browser that wants a page."""
    path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1").partition("?")[0]
    if len(path) > 1 and path.endswith("/"):
        query = scope.get("query_string", b"").decode("latin-1")
        # one slash in front: //example.org would lead to another site
        return RedirectResponse(f"/{path.strip('/')}{f'?{query}' if query else ''}", 308)
    asked = Headers(scope=scope)
    if file := site.find(path):
        return _sent(file, asked, status=200)
    if site.not_found is not None and "text/html" in asked.get("accept", ""):
        return _sent(site.not_found, asked, status=404)
    return None


def _sent(file: File, asked: Headers, *, status: int) -> Response:
    headers = {**file.headers, "ETag": file.etag}
    if status == 200 and file.etag in asked.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    content = file.content
    if file.packed is not None and "gzip" in asked.get("accept-encoding", ""):
        content = file.packed
        headers["Content-Encoding"] = "gzip"
    return Response(content, status, headers=headers)
