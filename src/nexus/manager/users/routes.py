"""Signing in and out."""

from typing import Annotated

from fastapi import APIRouter, Request, Response

from nexus.kit.http import problems, provided
from nexus.kit.problems import InvalidField, Malformed, NotSignedIn
from nexus.manager.access import Public, Viewer
from nexus.manager.access.rules import COOKIE, ForeignOrigin, require_own_origin
from nexus.manager.access.service import SESSION_LONGEST_S
from nexus.manager.users.errors import TooManyAttempts, WrongCredentials
from nexus.manager.users.models import User
from nexus.manager.users.schemas import LoginAnswer, LoginRequest, Ok, PasswordRequest, UserBody, UserItem
from nexus.manager.users.service import Users

router = APIRouter(prefix="/v1/auth", tags=["auth"])

UserService = Annotated[Users, provided(Users)]


@router.post(
    "/login",
    responses=problems(WrongCredentials, TooManyAttempts, ForeignOrigin, Malformed, InvalidField),
)
async def login(
    wanted: LoginRequest, request: Request, response: Response, users: UserService, _: Public
) -> LoginAnswer:
    """Sign in with user name and password; the answer holds a bearer token, and browsers get a cookie too."""
    if "origin" in request.headers or "sec-fetch-site" in request.headers:
        require_own_origin(request)
    session = await users.sign_in(wanted.username, wanted.password, address=_address(request))
    response.set_cookie(
        COOKIE,
        session.token,
        max_age=SESSION_LONGEST_S,
        httponly=True,
        samesite="lax",
        secure=_is_https(request),
        path="/",
    )
    response.headers["Cache-Control"] = "no-store"
    return LoginAnswer(token=session.token, expires_at=session.expires_at, user=_body(session.user))


@router.post("/logout", responses=problems(NotSignedIn, ForeignOrigin))
async def logout(actor: Viewer, response: Response, users: UserService) -> Ok:
    """End the session this request came with."""
    await users.sign_out(actor)
    response.delete_cookie(COOKIE, path="/")
    return Ok()


@router.get("/me", responses=problems(NotSignedIn))
async def me(actor: Viewer, users: UserService) -> UserItem:
    """Who is signed in."""
    return UserItem(item=_body(await users.me(actor)))


@router.put(
    "/password",
    responses=problems(NotSignedIn, WrongCredentials, TooManyAttempts, ForeignOrigin, Malformed, InvalidField),
)
async def change_password(wanted: PasswordRequest, actor: Viewer, request: Request, users: UserService) -> Ok:
    """Change one's own password; every other session of the user ends."""
    await users.change_password(actor, wanted.current_password, wanted.new_password, address=_address(request))
    return Ok()


def _body(user: User) -> UserBody:
    return UserBody(id=user.id, username=user.username, role=user.role, has_default_password=user.has_default_password)


def _address(request: Request) -> str:
    return request.client.host if request.client else "unknown"


def _is_https(request: Request) -> bool:
    """Also when a proxy ends TLS before us: the browser's Origin tells what it speaks."""
    return request.url.scheme == "https" or request.headers.get("origin", "").startswith("https://")
