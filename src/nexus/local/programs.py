"""What the all-in-one runs: the database, the manager, the agent, and with which settings.

A setting its user gave, in the environment or in a settings file, wins over ours. The environment wins over the file in
the children too (kit/settings.py), so what the file says must not be put there.
"""

import os
import sys
import tomllib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx

from nexus.local import leftovers
from nexus.local.child import Program
from nexus.local.errors import CannotStart
from nexus.local.place import Place
from nexus.local.postgres import Postgres

DEFAULT_BIND = "127.0.0.1:18080"
_MANAGER_KEYS = {
    "MANAGER_BIND": "bind",
    "MANAGER_LOCAL_BIND": "local_bind",
    "MANAGER_TLS_CERT": "tls_cert",
    "DATABASE_URL": "database_url",
    "MANAGER_IMAGE_ROOT": "image_root",
    "MANAGER_SECRET_KEY_FILE": "secret_key_file",
    "MANAGER_LOCAL_JOIN_TOKEN_FILE": "local_join_token_file",
    "MANAGER_LOG_FILE": "log_file",
}
_AGENT_KEYS = {
    "AGENT_BIND": "bind",
    "MANAGER_BASE": "manager",
    "FC_RUN_DIR": "run_dir",
    "AGENT_RUNTIME_DIR": "runtime_dir",
    "AGENT_IMAGE_SEED": "image_seed",
    "AGENT_JOIN_TOKEN_FILE": "join_token_file",
    "AGENT_LOG_FILE": "log_file",
}


@dataclass(frozen=True)
class Given:
    """What the user set for one process: in `file` by a key's name, or in the environment by its variable's."""

    file: Path | None
    keys: Mapping[str, str]
    values: Mapping[str, object]

    def find(self, variable: str) -> str | None:
        """The user's value, or None."""
        if variable in os.environ:
            return os.environ[variable]
        value = self.values.get(self.keys[variable])
        return None if value is None else str(value)

    def environment(self, defaults: Mapping[str, str]) -> dict[str, str]:
        """Of our `defaults` those that the user has not set otherwise."""
        return {name: value for name, value in defaults.items() if self.find(name) is None}

    def arguments(self) -> list[str]:
        return ["--config", str(self.file)] if self.file else []


def manager_settings(place: Place, config: Path | None) -> Given:
    return _given(config, place.data / "nexus-manager.toml", _MANAGER_KEYS)


def agent_settings(place: Place, config: Path | None) -> Given:
    return _given(config, place.data / "nexus-agent.toml", _AGENT_KEYS)


def _given(config: Path | None, default: Path, keys: Mapping[str, str]) -> Given:
    file = config.absolute() if config else default if default.exists() else None
    try:
        return Given(file=file, keys=keys, values=tomllib.loads(file.read_text()) if file else {})
    except OSError as unreadable:
        raise CannotStart(f"cannot read {file}: {unreadable.strerror}") from unreadable
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as broken:
        raise CannotStart(f"{file} is not valid TOML: {broken}") from broken


def split_bind(bind: str) -> tuple[str, int]:
    """`host:port` (an IPv6 host in brackets). Raises CannotStart for anything else."""
    host, _, port = bind.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise CannotStart(f"MANAGER_BIND is {bind!r}; it must look like {DEFAULT_BIND}")
    return host.strip("[]"), int(port)


def local_bind(given: Given, bind: str) -> str | None:
    """Where a manager that serves https, under a name that is not this machine's to check, is reached from here: a port
    of its own, without encryption, on loopback. None for one that serves plain http."""
    if given.find("MANAGER_TLS_CERT") is None:
        return None
    return given.find("MANAGER_LOCAL_BIND") or f"127.0.0.1:{split_bind(bind)[1] + 2}"


def base_url(bind: str) -> str:
    """Where this machine reaches a manager bound there: one bound to every address is asked over loopback."""
    host, port = split_bind(bind)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def database(place: Place, postgres: Postgres) -> Program:
    async def is_ready() -> bool:
        try:
            connection = await asyncpg.connect(postgres.url(), timeout=5)
        except (OSError, asyncpg.PostgresError, TimeoutError):
            return False
        await connection.close()
        return True

    return Program(
        stopping=leftovers.DATABASE,
        command=postgres.command(),
        log=place.logs / "postgres.log",
        pid_file=place.child_pid("postgres"),
        is_ready=is_ready,
        uid=postgres.run_as,
        gid=postgres.run_as_group,
    )


def manager(place: Place, given: Given, *, database_url: str, bind: str, url: str) -> Program:
    """`url`: where it is reached from this machine."""
    local = local_bind(given, bind)
    defaults = {
        "DATABASE_URL": database_url,
        "MANAGER_BIND": bind,
        **({"MANAGER_LOCAL_BIND": local} if local else {}),
        "MANAGER_IMAGE_ROOT": str(place.images),
        "MANAGER_SECRET_KEY_FILE": str(place.data / "secret.key"),
        "MANAGER_LOCAL_JOIN_TOKEN_FILE": str(place.join_token),
        "MANAGER_LOG_FILE": str(place.logs / "manager.log"),
    }
    return Program(
        stopping=leftovers.MANAGER,
        command=[sys.executable, "-m", "nexus.manager", *given.arguments()],
        log=place.logs / "manager.log",
        pid_file=place.child_pid("manager"),
        is_ready=_answers(f"{url}/health/startup"),
        env=given.environment(defaults) | {"NEXUS_DATA_DIR": str(place.data)},
        cwd=place.data,
    )


def agent(place: Place, given: Given, *, url: str, image_root: Path) -> Program:
    """`url`: where the manager is. Raises CannotStart for an agent on TCP: it would be no part of this."""
    defaults = {
        "MANAGER_BASE": url,
        "AGENT_BIND": f"unix:{place.agent_socket}",
        "FC_RUN_DIR": str(place.agent_data),
        "AGENT_RUNTIME_DIR": str(place.runtime),
        "AGENT_IMAGE_SEED": str(image_root),
        "AGENT_JOIN_TOKEN_FILE": str(place.join_token),
        "AGENT_LOG_FILE": str(place.logs / "agent.log"),
    }
    agent_bind = given.find("AGENT_BIND") or defaults["AGENT_BIND"]
    if not agent_bind.startswith("unix:/"):
        raise CannotStart(
            f"AGENT_BIND is {agent_bind!r}, but the agent beside a manager is on a Unix socket (unix:/path). "
            "For a host of another manager run: nexus agent --join URL --token TOKEN"
        )
    socket = Path(agent_bind.removeprefix("unix:"))
    return Program(
        stopping=leftovers.AGENT,
        command=[sys.executable, "-m", "nexus.agent", *given.arguments()],
        log=place.logs / "agent.log",
        pid_file=place.child_pid("agent"),
        is_ready=_answers("http://agent/v1/host", socket=socket),
        env=given.environment(defaults) | {"NEXUS_DATA_DIR": str(place.data)},
        cwd=place.data,
    )


def _answers(url: str, *, socket: Path | None = None) -> Callable[[], Awaitable[bool]]:
    """Whether a GET of `url` (on a Unix socket, if one is given) is answered 200."""

    async def is_ready() -> bool:
        transport = httpx.AsyncHTTPTransport(uds=str(socket)) if socket else None
        async with httpx.AsyncClient(transport=transport, timeout=5, trust_env=False) as client:
            try:
                return (await client.get(url)).is_success
            except httpx.TransportError:
                return False

    return is_ready
