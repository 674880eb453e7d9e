"""A signed-in CLI for whoever runs `nexus up`: the right to the data directory is the right to a session.

The session comes from `python -m nexus.manager mint-session`, which works on the database itself, and goes where the
CLI looks (`contexts.json`, see nexus.cli.contexts), beside the contexts that are there.
"""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from nexus.local.errors import CannotStart

CONTEXT = "local"
USERNAME = "root"


@dataclass(frozen=True)
class Session:
    token: str
    expires_at: str
    """ISO 8601."""
    has_default_password: bool
    """Whether the user still has the password that everybody knows."""


async def mint(environment: Mapping[str, str], arguments: list[str]) -> Session:
    """A new session of the first user; `environment` and `arguments` are the manager's own. Raises CannotStart."""
    command = [sys.executable, "-m", "nexus.manager", "mint-session", *arguments, "--username", USERNAME]
    process = await asyncio.create_subprocess_exec(
        *command, env=os.environ | environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    if process.returncode != 0:
        raise CannotStart(f"cannot sign in as {USERNAME}: {err.decode(errors='replace').strip()}")
    answer = json.loads(out)
    return Session(
        token=str(answer["token"]),
        expires_at=str(answer["expires_at"]),
        has_default_password=bool(answer["has_default_password"]),
    )


def contexts_file() -> Path:
    """Where the CLI keeps its contexts: $NEXUS_CONFIG_DIR, $XDG_CONFIG_HOME/nexus, ~/.config/nexus."""
    if given := os.environ.get("NEXUS_CONFIG_DIR"):
        return Path(given) / "contexts.json"
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "nexus" / "contexts.json"


def save(session: Session, *, url: str, path: Path) -> None:
    """Make it the CLI's current context, in one step, readable by nobody else."""
    try:
        found = json.loads(path.read_text()).get("contexts") if path.exists() else None
    except (ValueError, AttributeError) as damaged:
        raise CannotStart(f"{path} is damaged; remove it and try again") from damaged
    contexts = cast("dict[str, object]", found) if isinstance(found, dict) else {}
    contexts[CONTEXT] = {"url": url, "token": session.token, "username": USERNAME}
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, fresh = tempfile.mkstemp(dir=path.parent, prefix=".contexts-")
    with os.fdopen(descriptor, "w") as file:
        json.dump({"current": CONTEXT, "contexts": contexts}, file, indent=2)
    Path(fresh).replace(path)


def signed_in(url: str) -> str:
    """The token of the session that `save` left for the manager at `url`. Raises CannotStart without one."""
    path = contexts_file()
    try:
        context = json.loads(path.read_text())["contexts"][CONTEXT]
    except (FileNotFoundError, ValueError, KeyError, TypeError) as absent:
        raise CannotStart(f"nobody is signed in here ({path})") from absent
    if context["url"] != url or not context["token"]:
        raise CannotStart(f"nobody is signed in at {url} ({path})")
    return str(context["token"])
