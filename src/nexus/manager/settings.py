"""The manager's settings: environment over `nexus-manager.toml` over default (see kit.settings)."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, StringConstraints, ValidationInfo, field_validator

from nexus.kit import paths
from nexus.kit.loopback import is_loopback
from nexus.kit.settings import Settings

DEFAULT_CONFIG = Path("nexus-manager.toml")
Bind = Annotated[str, StringConstraints(pattern=r"^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):\d{1,5}$")]

Seconds = Annotated[float, Field(gt=0, le=86_400)]


def _in_data_dir(name: str) -> Path:
    return paths.data_dir() / name


class ManagerSettings(Settings):
    """What one manager process is told. Several may run against one database with the same settings."""

    database_url: SecretStr = Field(alias="DATABASE_URL", description="postgresql://… of the database")
    bind: Bind = Field(
        default="127.0.0.1:18080", alias="MANAGER_BIND", description="host:port to listen on; [::1]:port for IPv6"
    )
    tls_cert: Path | None = Field(
        default=None,
        alias="MANAGER_TLS_CERT",
        description="Certificate (PEM, with its chain) to serve https with; none: plain http. Read at the start only",
    )
    tls_key: Path | None = Field(
        default=None, validate_default=True, alias="MANAGER_TLS_KEY", description="The key of that certificate (PEM)"
    )
    local_bind: Bind | None = Field(
        default=None,
        alias="MANAGER_LOCAL_BIND",
        description="host:port on loopback to serve plain http on as well, for programs of this machine",
    )
    public_url: Annotated[str, StringConstraints(pattern=r"^https?://[^/\s]+$")] | None = Field(
        default=None,
        alias="MANAGER_PUBLIC_URL",
        description="Where hosts reach this manager, to join one; default: by its certificate and port",
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
    flow_lease_s: float = Field(
        default=30,
        ge=6,
        le=600,
        alias="MANAGER_FLOW_LEASE_S",
        description="How long what a manager was doing lies still when that manager is killed, until another goes on "
        "with it. A call to a host is given up after two thirds of it. The same for all managers of one database",
    )
    metrics_disabled: bool = Field(
        default=False,
        alias="MANAGER_METRICS_DISABLED",
        description="Refuse metric streams of machines, and keep no history of what they use",
    )
    metrics_interval_s: float = Field(
        default=10.0,
        ge=1,
        le=60,
        alias="MANAGER_METRICS_INTERVAL_S",
        description="Seconds between samples that hosts take of their machines",
    )
    metrics_minutes_days: int = Field(
        default=2,
        ge=1,
        le=366,
        alias="MANAGER_METRICS_MINUTES_DAYS",
        description="Days for which history is kept by the minute",
    )
    metrics_days: int = Field(
        default=90,
        ge=1,
        le=3660,
        alias="MANAGER_METRICS_DAYS",
        description="Days for which history is kept at all, by the quarter of an hour",
    )
    secret_key_file: Path = Field(
        default_factory=lambda: _in_data_dir("secret.key"),
        alias="MANAGER_SECRET_KEY_FILE",
        description="Key that seals guest passwords and what hosts are certified with; made with mode 0600 if missing. "
        "The same for all managers of one database",
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
    create_deadline_s: Seconds = Field(
        default=30, alias="MANAGER_CREATE_DEADLINE_S", description="For a create, from its host's first action on"
    )
    start_deadline_s: Seconds = Field(default=10, alias="MANAGER_START_DEADLINE_S", description="The same for a start")
    reboot_deadline_s: Seconds = Field(
        default=30,
        alias="MANAGER_REBOOT_DEADLINE_S",
        description="For a reboot, besides the time that the guest is given to shut down",
    )
    stop_deadline_s: Seconds = Field(
        default=30,
        alias="MANAGER_STOP_DEADLINE_S",
        description="For a stop, besides the time that the guest is given to shut down",
    )
    pause_deadline_s: Seconds = Field(default=10, alias="MANAGER_PAUSE_DEADLINE_S", description="For a pause")
    resume_deadline_s: Seconds = Field(default=10, alias="MANAGER_RESUME_DEADLINE_S", description="For a resume")
    delete_deadline_s: Seconds = Field(default=60, alias="MANAGER_DELETE_DEADLINE_S", description="For a delete")
    queue_deadline_s: Seconds = Field(
        default=1800,
        alias="MANAGER_QUEUE_DEADLINE_S",
        description="For a host to begin with any of these: boots wait for a slot, and for images to be fetched",
    )
    emulation_factor: float = Field(
        default=20,
        ge=1,
        le=1000,
        alias="MANAGER_EMULATION_FACTOR",
        description="How many times these deadlines, but for the queue's, are longer on a host without KVM",
    )
    terminal_idle_s: int = Field(
        default=43_200,
        ge=0,
        le=31_536_000,
        alias="MANAGER_TERMINAL_IDLE_S",
        description="A terminal in which nothing was typed or printed for so many seconds is hung up; 0: never",
    )
    terminal_unwatched_s: int = Field(
        default=3_600,
        ge=0,
        le=31_536_000,
        alias="MANAGER_TERMINAL_UNWATCHED_S",
        description="The same for one that nobody is connected to; 0: never. Both are for terminals opened afterwards",
    )
    log_file: Path | None = Field(
        default=None,
        alias="MANAGER_LOG_FILE",
        description="Where whoever starts the manager keeps what it logs (standard error); only then can it be shown",
    )
    log_level: Annotated[str, StringConstraints(pattern=r"^(debug|info|warning|error)$")] = Field(
        default="info", alias="MANAGER_LOG_LEVEL", description="debug, info, warning or error"
    )

    @field_validator("bind", "local_bind")
    @classmethod
    def _port_exists(cls, bind: str | None) -> str | None:
        if bind is not None and not 1 <= split_bind(bind)[1] <= 65535:
            raise ValueError("the port must be between 1 and 65535")
        return bind

    @field_validator("local_bind")
    @classmethod
    def _is_local(cls, bind: str | None) -> str | None:
        if bind is not None and not is_loopback(split_bind(bind)[0]):
            raise ValueError("must be on loopback, such as 127.0.0.1:18082: it is served without encryption")
        return bind

    @field_validator("tls_key")
    @classmethod
    def _comes_with_its_certificate(cls, key: Path | None, info: ValidationInfo) -> Path | None:
        if (key is None) != (info.data.get("tls_cert") is None):
            raise ValueError("a certificate and its key (MANAGER_TLS_CERT, MANAGER_TLS_KEY) go together")
        return key

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, url: SecretStr) -> SecretStr:
        if not url.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("the URL must begin with postgresql://")
        return url

    @property
    def host(self) -> str:
        """The host part of `bind`, without the brackets of an IPv6 address."""
        return split_bind(self.bind)[0]

    @property
    def port(self) -> int:
        return split_bind(self.bind)[1]

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the manager."""
        return is_loopback(self.host)


def split_bind(bind: str) -> tuple[str, int]:
    """Host, without the brackets of IPv6, and port."""
    host, _, port = bind.rpartition(":")
    return host.strip("[]"), int(port)
