"""The agent's settings: what a host's owner may choose, with the names the specification promises.

Wrong combinations are refused here, before anything is touched, with the key's name in the message.
"""

import os
import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from nexus.kit.loopback import is_loopback_url
from nexus.kit.paths import data_dir, runtime_dir
from nexus.kit.settings import Settings

DEFAULT_CONFIG = Path("nexus-agent.toml")
KERNEL_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
DEFAULT_TCP = ("0.0.0.0", 18081)  # noqa: S104 - every connection is checked for a manager's certificate
WILDCARDS = ("0.0.0.0", "::")  # noqa: S104 - compared with
PATHS = ("firecracker", "jailer", "cpu_template")
_PLACE = re.compile(r"([A-Za-z0-9.-]{1,253}|\[[0-9a-fA-F:.]{2,45}\]):(\d{1,5})")


def _directories(given: object) -> object:
    return given.split(":") if isinstance(given, str) and given else given or ()


def split_place(place: str) -> tuple[str, int]:
    """Host (without the brackets of IPv6) and port. Raises ValueError."""
    match = _PLACE.fullmatch(place)
    if match is None or not 0 < int(match[2]) < 65536:
        raise ValueError("must be unix:/path or host:port, such as 0.0.0.0:18081 or [::]:18081")
    return match[1].strip("[]"), int(match[2])


class AgentSettings(Settings):
    """Environment over `nexus-agent.toml` over these defaults."""

    bind: str | None = Field(
        default=None,
        alias="AGENT_BIND",
        description="unix:/path of a socket, or host:port for a manager on another machine, which is then known by its "
        "certificate. Default: a socket in the runtime directory, or 0.0.0.0:18081 where the manager is elsewhere",
    )
    advertise: str | None = Field(
        default=None,
        alias="AGENT_ADVERTISE",
        description="host:port at which managers reach this agent; default: as in AGENT_BIND, and for 0.0.0.0 the "
        "address of this machine that has the route to the manager",
    )
    run_dir: Path = Field(
        default_factory=lambda: data_dir() / "agent",
        alias="FC_RUN_DIR",
        description="Where machines, their disks and fetched images are kept",
    )
    runtime_dir: Path = Field(
        default_factory=lambda: runtime_dir(data_dir()),
        alias="AGENT_RUNTIME_DIR",
        description="Sockets; short, because a socket's path ends at 107 bytes",
    )
    bridge: str = Field(
        default="fcbr0",
        alias="FC_BRIDGE",
        pattern=r"^[a-z][a-z0-9-]{0,14}$",
        description="This host's name for the bridge of the default network",
    )
    allow_plain_http: bool = Field(
        default=False,
        alias="AGENT_ALLOW_PLAIN_HTTP",
        description="Speak to a manager on another machine without encryption: whoever is on the network between can "
        "take the join token or the credential, pose as this host or as its manager, and then command it",
    )
    manager: str | None = Field(
        default=None,
        alias="MANAGER_BASE",
        validate_default=True,
        description="Base URL of the manager; none: serve only, report to nobody",
    )
    manager_ca: Path | None = Field(
        default=None,
        alias="AGENT_MANAGER_CA",
        description="Certificates (PEM) by which the manager's own is verified, such as that of a private authority or "
        "a self-signed one; default: those this system trusts",
    )
    name: str | None = Field(default=None, alias="AGENT_NAME", description="This host's name; default: its host name")
    vmm: Literal["auto", "firecracker", "qemu", "fake"] = Field(
        default="auto",
        alias="AGENT_VMM",
        description="auto (Firecracker where it, its jailer and KVM can be used, else QEMU), firecracker, qemu, or "
        "fake, which runs nothing: for tests and scale runs",
    )
    firecracker: Path | None = Field(
        default=None, alias="AGENT_FIRECRACKER", description="The program `firecracker`; default: the one on PATH"
    )
    jailer: Path | None = Field(
        default=None, alias="AGENT_JAILER", description="Its `jailer`, of the same release; default: the one on PATH"
    )
    firecracker_unjailed: bool = Field(
        default=False,
        alias="AGENT_FIRECRACKER_UNJAILED",
        description="For development only: run Firecracker without its jailer, under the agent's own uid, with nothing "
        "between a guest that breaks out and this host",
    )
    spare_vmms: int = Field(
        default=2,
        ge=0,
        le=1000,
        alias="AGENT_SPARE_VMMS",
        description="With Firecracker: jailed processes with a network namespace each, started before they are needed",
    )
    zygotes: bool = Field(
        default=True,
        alias="AGENT_ZYGOTES",
        description="With QEMU in software emulation: machines begin from the memory of a guest of their shape that "
        "was booted once, which is made in the background and kept in zygotes/ of FC_RUN_DIR: four at most, 1 GiB "
        "together. Off: what is there is removed",
    )
    jail_uids: int = Field(
        default=4096,
        ge=1,
        le=1_000_000,
        alias="AGENT_JAIL_UIDS",
        description="With Firecracker: how many uids, from AGENT_UID_BASE + 1000000 on, there are for its processes, "
        "each of which has one of its own",
    )
    cpu_template: Path | None = Field(
        default=None,
        alias="AGENT_CPU_TEMPLATE",
        description="With Firecracker: a custom CPU template (JSON), for guests to see the same CPU on unlike hosts",
    )
    fake_boot_s: float = Field(
        default=0, ge=0, alias="AGENT_FAKE_BOOT_S", description="With AGENT_VMM=fake: how long a simulated guest boots"
    )
    accel: Literal["auto", "kvm", "tcg"] = Field(
        default="auto",
        alias="AGENT_ACCEL",
        description="auto (KVM where a guest has been seen to run on it), kvm or tcg",
    )
    network: Literal["auto", "bridge", "user"] = Field(
        default="auto",
        alias="AGENT_NETWORK",
        description="auto (bridge where there are the rights for it), bridge or user",
    )
    user_net_restrict: bool = Field(
        default=False,
        alias="AGENT_USER_NET_RESTRICT",
        description="In user mode, let no packet of a guest leave this machine",
    )
    max_boots: int | None = Field(
        default=None, ge=1, alias="AGENT_MAX_BOOTS", description="Boots at once; default: one per core, at least 2"
    )
    boot_deadline_s: float = Field(
        default=60, gt=0, alias="AGENT_BOOT_DEADLINE_S", description="For one attempt of a boot; there are three"
    )
    uid_base: int = Field(
        default=64_000_000,
        ge=1000,
        alias="AGENT_UID_BASE",
        description="As root, machine number N runs under uid AGENT_UID_BASE + N",
    )
    image_seed: Path | None = Field(
        default=None,
        alias="AGENT_IMAGE_SEED",
        description="A directory of images named by sha256, looked at before the manager is asked",
    )
    drive_roots: Annotated[tuple[Path, ...], BeforeValidator(_directories)] = Field(
        default=(),
        alias="AGENT_DRIVE_ROOTS",
        description="Directories, with colons between them, whose files may be drives of VMs (by their path, for "
        "administrators); default: none. Symbolic links that lead out of them are refused",
    )
    join_token: str | None = Field(
        default=None, alias="AGENT_JOIN_TOKEN", description="What lets this host join its manager, once"
    )
    join_token_file: Path | None = Field(
        default=None, alias="AGENT_JOIN_TOKEN_FILE", description="A file with that token; looked at until there is one"
    )
    boot_id_file: Path = Field(
        default=KERNEL_BOOT_ID,
        alias="AGENT_BOOT_ID_FILE",
        description="What names the present run of this host: when its content changes, all that ran here is over. "
        "Another than the kernel's where the agent lives in a container that restarts without the machine",
    )
    log_file: Path | None = Field(
        default=None,
        alias="AGENT_LOG_FILE",
        description="Where whoever starts the agent keeps what it logs (standard error); only then can it be shown",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", alias="AGENT_LOG_LEVEL", description="debug, info, warning or error"
    )

    @field_validator("bind")
    @classmethod
    def _bind_is_a_place(cls, given: str | None) -> str | None:
        if given is not None and not given.startswith("unix:/"):
            split_place(given)
        return given

    @field_validator("advertise")
    @classmethod
    def _advertised_is_a_place(cls, given: str | None) -> str | None:
        if given is not None and split_place(given)[0] in WILDCARDS:
            raise ValueError("must be an address that managers can connect to")
        return given

    @field_validator("run_dir", "runtime_dir", "image_seed", "join_token_file", "manager_ca", "boot_id_file", *PATHS)
    @classmethod
    def _paths_are_absolute(cls, given: Path | None) -> Path | None:
        return given.absolute() if given is not None else None

    @field_validator("runtime_dir")
    @classmethod
    def _sockets_fit(cls, given: Path) -> Path:
        longest = given / "m" / ("0" * 36) / "guest.sock"
        if len(str(longest)) > 107:
            raise ValueError(f"{given} is too long: sockets below it would pass the 107 bytes a socket's path may have")
        return given

    @field_validator("drive_roots")
    @classmethod
    def _roots_are_directories(cls, given: tuple[Path, ...]) -> tuple[Path, ...]:
        for root in given:
            if not root.is_absolute() or root.resolve() == Path("/"):
                raise ValueError(f"{root} must be an absolute path, and not the whole file system")
        return given

    @field_validator("manager")
    @classmethod
    def _manager_is_a_url(cls, given: str | None, info: ValidationInfo) -> str | None:
        if given is None:
            if info.data.get("bind") and not info.data["bind"].startswith("unix:"):
                raise ValueError("is needed: an agent on TCP (AGENT_BIND) serves only the manager that it has joined")
            return None
        if not given.startswith(("http://", "https://")) or not urlsplit(given).hostname:
            raise ValueError("must be a URL such as http://127.0.0.1:18080")
        if given.startswith("http:") and not is_loopback_url(given) and not info.data.get("allow_plain_http"):
            raise ValueError(
                "is on another machine and must be https:// (MANAGER_TLS_CERT there): over plain HTTP whoever is on "
                "the network between can take this host over. AGENT_ALLOW_PLAIN_HTTP=1 if that network is yours alone"
            )
        return given.rstrip("/")

    @property
    def tcp(self) -> tuple[str, int] | None:
        """Host and port to listen on; None for a Unix socket."""
        if self.bind is not None:
            return None if self.bind.startswith("unix:") else split_place(self.bind)
        return None if self.manager is None or is_loopback_url(self.manager) else DEFAULT_TCP

    @property
    def socket(self) -> Path:
        """Where the agent listens if not on TCP."""
        return Path(self.bind.removeprefix("unix:")) if self.bind else self.runtime_dir / "agent.sock"

    @property
    def machine_uid_base(self) -> int | None:
        """None: machines run under the agent's own uid, because only root can give them others."""
        return self.uid_base if os.geteuid() == 0 else None
