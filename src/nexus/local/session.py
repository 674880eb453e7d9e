"""A signed-in CLI for whoever runs `nexus up`: the right to the data directory is the right to a session.

The session comes from `python -m nexus.manager mint-session`, which works on the database itself, and goes where the
CLI looks (`contexts.json`, see nexus.cli.contexts), beside the contexts that are there.
"""

import asyncio
import os
import sys
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from nexus.local.errors import CannotStart

CONTEXT = "local"
USERNAME = "root"


class Session(BaseModel):
    """What `mint-session` prints."""

    model_config = ConfigDict(frozen=True)

    token: str
    expires_at: AwareDatetime
    has_default_password: bool
    """Whether the user still has the password that everybody knows."""

    @property
    def half_life_s(self) -> float:
        """Seconds until half of what is left of it has passed: time for a new one."""
        return max((self.expires_at - datetime.now(UTC)).total_seconds() / 2, 1)


class _Context(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")

    url: str
    token: str | None = None
    username: str | None = None


class _Contexts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")

    current: str = CONTEXT
    contexts: dict[str, _Context] = {}


async def mint(environment: Mapping[str, str], arguments: list[str]) -> Session:
    """A new session of the first user; `environment` and `arguments` are the manager's own. Raises CannotStart."""
    command = [sys.executable, "-m", "nexus.manager", *arguments, "mint-session", "--username", USERNAME]
    process = await asyncio.create_subprocess_exec(
        *command, env=os.environ | environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    if process.returncode != 0:
        raise CannotStart(f"cannot sign in as {USERNAME}: {err.decode(errors='replace').strip()}")
    return Session.model_validate_json(out)


def contexts_file() -> Path:
    """Where the CLI keeps its contexts: in $NEXUS_CONFIG_DIR, else $XDG_CONFIG_HOME/nexus, else ~/.config/nexus."""
    if given := os.environ.get("NEXUS_CONFIG_DIR"):
        return Path(given) / "contexts.json"
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "nexus" / "contexts.json"


def sign_in(session: Session, *, url: str, path: Path) -> None:
    """Make it the CLI's current context."""
    found = _read(path)
    ours = _Context(url=url, token=session.token, username=USERNAME)
    _write(path, found.model_copy(update={"current": CONTEXT, "contexts": found.contexts | {CONTEXT: ours}}))


def renew(session: Session, *, old: Session, path: Path) -> None:
    """Put `session` in the place of `old`; whoever has signed out or in as somebody else is left alone."""
    found = _read(path)
    context = found.contexts.get(CONTEXT)
    if context is not None and context.token == old.token:
        renewed = context.model_copy(update={"token": session.token})
        _write(path, found.model_copy(update={"contexts": found.contexts | {CONTEXT: renewed}}))


def signed_in(url: str, *, path: Path) -> str:
    """The token that `sign_in` left for the manager at `url`. Raises CannotStart without one."""
    context = _read(path).contexts.get(CONTEXT)
    if context is None or context.url != url or context.token is None:
        raise CannotStart(f"nobody is signed in at {url} ({path})")
    return context.token


def _read(path: Path) -> _Contexts:
    try:
        return _Contexts.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return _Contexts()
    except ValidationError as damaged:
        raise CannotStart(f"{path} is damaged; remove it and try again") from damaged


def _write(path: Path, contexts: _Contexts) -> None:
    """In one step, readable by nobody else."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, fresh = tempfile.mkstemp(dir=path.parent, prefix=".contexts-")
    with os.fdopen(descriptor, "w") as file:
        file.write(contexts.model_dump_json(indent=2) + "\n")
    Path(fresh).replace(path)
