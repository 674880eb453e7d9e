"""Which manager the CLI talks to, and as whom: named contexts in one private file.

`contexts.json` is in $NEXUS_CONFIG_DIR (default: ~/.config/nexus), mode 0600, because it holds session tokens:

    {"current": "local", "contexts": {"local": {"url": "http://127.0.0.1:18080", "token": "…", "username": "root"}}}

NEXUS_URL and NEXUS_TOKEN in the environment win over the file, each by itself; a token from the file is never sent to
a URL from the environment that is not its own.
"""

import os
import tempfile
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from nexus.cli.failures import USAGE, CliFailure

DEFAULT_URL = "http://127.0.0.1:18080"
DEFAULT_NAME = "local"


class Context(BaseModel):
    """A manager's URL, and the session on it: `token` is None when signed out."""

    model_config = ConfigDict(frozen=True)

    url: str = DEFAULT_URL
    token: str | None = None
    username: str | None = None


class Contexts(BaseModel):
    """The whole file. Change it with `with_context` and `using`, then `save`."""

    model_config = ConfigDict(frozen=True)

    current: str = DEFAULT_NAME
    contexts: dict[str, Context] = {}

    def named(self, name: str | None) -> Context:
        """The context `name` (None: the current one); a fresh one if the current one was never saved."""
        wanted = name or self.current
        if wanted in self.contexts:
            return self.contexts[wanted]
        if name is None:
            return Context()
        known = ", ".join(sorted(self.contexts)) or "none yet"
        raise CliFailure(
            f"There is no context {name!r}.", suggestion=f"Known contexts: {known}. `nexus login` makes one."
        )

    def with_context(self, name: str, context: Context) -> "Contexts":
        return Contexts(current=self.current, contexts=self.contexts | {name: context})

    def using(self, name: str) -> "Contexts":
        return Contexts(current=name, contexts=self.contexts)


def config_dir() -> Path:
    """$NEXUS_CONFIG_DIR, else $XDG_CONFIG_HOME/nexus, else ~/.config/nexus."""
    if given := os.environ.get("NEXUS_CONFIG_DIR"):
        return Path(given)
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "nexus"


def contexts_file() -> Path:
    return config_dir() / "contexts.json"


def load() -> Contexts:
    """What the file says; nothing saved yet is no error, a file that cannot be read is."""
    path = contexts_file()
    try:
        return Contexts.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Contexts()
    except OSError as unreadable:
        raise CliFailure(f"Cannot read {path}: {unreadable.strerror}.") from unreadable
    except ValidationError as broken:
        raise CliFailure(
            f"{path} is damaged.", suggestion="Remove it and sign in again with `nexus login`."
        ) from broken


def save(contexts: Contexts) -> None:
    """Replace the file in one step, readable by nobody else."""
    path = contexts_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".contexts-", delete=False) as fresh:
            fresh.write(contexts.model_dump_json(indent=2).encode() + b"\n")
        Path(fresh.name).replace(path)  # made 0600 by tempfile
    except OSError as refused:
        raise CliFailure(f"Cannot write {path}: {refused.strerror}.") from refused


def effective(name: str | None) -> Context:
    """The context to use: `name` or the current one, with NEXUS_URL and NEXUS_TOKEN over it."""
    context = load().named(name)
    url = checked_url(os.environ.get("NEXUS_URL") or context.url)
    if token := os.environ.get("NEXUS_TOKEN"):
        return Context(url=url, token=token)
    return context if url == context.url.rstrip("/") else Context(url=url)


def checked_url(text: str) -> str:
    """`text` as the base of every URL, without the slash at its end."""
    if not text.startswith(("http://", "https://")):
        raise CliFailure(
            f"{text!r} is not the URL of a manager.", suggestion=f"Write it like {DEFAULT_URL}.", exit_code=USAGE
        )
    return text.rstrip("/")
