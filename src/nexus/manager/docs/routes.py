"""`/openapi.json`, and Swagger UI at `/swagger-ui/`, its files from a Python package and its start script our own:
nothing inline and nothing from elsewhere, so that it runs under our content security policy.
"""

from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from nexus.kit.problems import NotFound
from nexus.manager.access import Public

router = APIRouter(tags=["docs"], include_in_schema=False)

_PAGE = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>Nexus API</title>
  <link rel="stylesheet" href="swagger-ui.css">
</head>
<body>
  <div id="swagger-ui"></div>
  <script src="swagger-ui-bundle.js"></script>
  <script src="start.js"></script>
</body>
</html>
"""
_START = """SwaggerUIBundle({
  url: "../openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
  withCredentials: true,
  tagsSorter: "alpha",
});
"""
_PACKAGED = {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript"}
_OURS = {"": (_PAGE, "text/html"), "start.js": (_START, "text/javascript")}
_CACHED = {"Cache-Control": "public, max-age=3600"}


@router.get("/")
async def front_page(_: Public) -> RedirectResponse:
    """To the API's description, where the web UI was not built."""
    return RedirectResponse("swagger-ui/")


@router.get("/openapi.json")
async def openapi(request: Request, _: Public) -> dict[str, Any]:
    """The API's description."""
    return request.app.openapi()


@router.get("/swagger-ui")
async def swagger_ui_without_slash(_: Public) -> RedirectResponse:
    """The page's own links are relative to its directory."""
    return RedirectResponse("swagger-ui/")


@router.get("/swagger-ui/{name:path}")
def swagger_ui(name: str, _: Public) -> Response:
    """One of Swagger UI's files."""
    if name in _OURS:
        text, media_type = _OURS[name]
        return Response(text, media_type=media_type)
    if name not in _PACKAGED:
        raise NotFound(f"There is no {name} in Swagger UI.")
    return Response(_static().joinpath(name).read_bytes(), media_type=_PACKAGED[name], headers=_CACHED)


def _static() -> Traversable:
    return resources.files("fastapi_offline") / "static"
