"""The agent's settings: what a host's owner may choose, with the names the specification promises.

Wrong combinations are refused here, before anything is touched, with the key's name in the message.
"""

import os
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from nexus.kit.paths import data_dir, runtime_dir
from nexus.kit.settings import Settings

DEFAULT_CONFIG = Path("nexus-agent.toml")


class AgentSettings(Settings):
    """Environment over `nexus-agent.toml` over these defaults."""

    bind: str | None = Field(
        default=None,
        alias="AGENT_BIND",
        description="unix:/path of the agent's socket; default: in the runtime directory",
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
    manager: str | None = Field(
        default=None, alias="MANAGER_BASE", description="Base URL of the manager; none: serve only, report to nobody"
    )
    name: str | None = Field(default=None, alias="AGENT_NAME", description="This host's name; default: its host name")
    vmm: Literal["auto", "qemu", "fake"] = Field(default="auto", alias="AGENT_VMM")
    fake_boot_s: float = Field(
        default=0, ge=0, alias="AGENT_FAKE_BOOT_S", description="With AGENT_VMM=fake: how long a simulated guest boots"
    )
    accel: Literal["auto", "kvm", "tcg"] = Field(default="auto", alias="AGENT_ACCEL")
    network: Literal["auto", "bridge", "user"] = Field(default="auto", alias="AGENT_NETWORK")
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
    join_token: str | None = Field(default=None, alias="AGENT_JOIN_TOKEN")
    join_token_file: Path | None = Field(default=None, alias="AGENT_JOIN_TOKEN_FILE")
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", alias="AGENT_LOG_LEVEL")

    @field_validator("bind")
    @classmethod
    def _bind_is_a_socket_path(cls, given: str | None) -> str | None:
        if given is not None and not given.startswith("unix:/"):
            raise ValueError("must be unix:/path; an agent on TCP would need mutual TLS, which it cannot do yet")
        return given

    @field_validator("run_dir", "runtime_dir", "image_seed", "join_token_file")
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

    @field_validator("manager")
    @classmethod
    def _manager_is_a_url(cls, given: str | None) -> str | None:
        if given is not None and not given.startswith(("http://", "https://")):
            raise ValueError("must be a URL such as http://127.0.0.1:18080")
        return given.rstrip("/") if given else None

    @property
    def socket(self) -> Path:
        """Where the agent listens."""
        return Path(self.bind.removeprefix("unix:")) if self.bind else self.runtime_dir / "agent.sock"

    @property
    def machine_uid_base(self) -> int | None:
        """None: machines run under the agent's own uid, because only root can give them others."""
        return self.uid_base if os.geteuid() == 0 else None
