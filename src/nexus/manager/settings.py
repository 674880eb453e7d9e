"""The manager's settings: environment over `nexus-manager.toml` over default (see kit.settings)."""

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, StringConstraints, field_validator

from nexus.kit import paths
from nexus.kit.settings import Settings

DEFAULT_CONFIG = Path("nexus-manager.toml")


def _in_data_dir(name: str) -> Path:
    return paths.data_dir() / name


class ManagerSettings(Settings):
    """What one manager process is told. Several may run against one database with the same settings."""

    database_url: SecretStr = Field(alias="DATABASE_URL", description="postgresql://… of the database")
    bind: Annotated[str, StringConstraints(pattern=r"^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):\d{1,5}$")] = Field(
        default="127.0.0.1:18080", alias="MANAGER_BIND", description="host:port to listen on; [::1]:port for IPv6"
    )
    image_root: Path = Field(
        default_factory=lambda: _in_data_dir("images"),
        alias="MANAGER_IMAGE_ROOT",
        description="Where the manager keeps images, named by sha256",
    )
    reconciler_disabled: bool = Field(
        default=False,
        alias="MANAGER_RECONCILER_DISABLED",
        description="Serve the API only: move no flows and run no sweeps in this process",
    )
    metrics_disabled: bool = Field(
        default=False, alias="MANAGER_METRICS_DISABLED", description="Refuse metric streams of machines"
    )
    secret_key_file: Path = Field(
        default_factory=lambda: _in_data_dir("secret.key"),
        alias="MANAGER_SECRET_KEY_FILE",
        description="Key that seals guest passwords; made with mode 0600 if missing",
    )
    secret_key: SecretStr | None = Field(
        default=None, alias="MANAGER_SECRET_KEY", description="The key itself (32 bytes, base64); wins over the file"
    )
    local_join_token_file: Path | None = Field(
        default=None,
        alias="MANAGER_LOCAL_JOIN_TOKEN_FILE",
        description="A file whose content is accepted as a join token: how this machine's own agent joins",
    )
    cpu_overcommit: float = Field(
        default=16.0, ge=1, le=100, alias="MANAGER_CPU_OVERCOMMIT", description="Guest vCPUs admitted per CPU of a host"
    )
    memory_overcommit: float = Field(
        default=1.0,
        gt=0,
        le=10,
        alias="MANAGER_MEMORY_OVERCOMMIT",
        description="Guest memory admitted per MiB of a host",
    )
    disk_overcommit: float = Field(
        default=4.0,
        gt=0,
        le=100,
        alias="MANAGER_DISK_OVERCOMMIT",
        description="Guest disk admitted per byte of a host's disk; disks are sparse and take what is written",
    )
    log_level: Annotated[str, StringConstraints(pattern=r"^(debug|info|warning|error)$")] = Field(
        default="info", alias="MANAGER_LOG_LEVEL", description="debug, info, warning or error"
    )

    @field_validator("bind")
    @classmethod
    def _port_exists(cls, bind: str) -> str:
        if not 1 <= int(bind.rpartition(":")[2]) <= 65535:
            raise ValueError("the port must be between 1 and 65535")
        return bind

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, url: SecretStr) -> SecretStr:
        if not url.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("the URL must begin with postgresql://")
        return url

    @property
    def host(self) -> str:
        """The host part of `bind`, without the brackets of an IPv6 address."""
        return self.bind.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.bind.rpartition(":")[2])

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the manager."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"
