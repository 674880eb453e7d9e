"""Where this installation lives on the machine, and that it may live there."""

import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

from nexus.kit import paths
from nexus.local.errors import CannotStart


@dataclass(frozen=True)
class Place:
    """The data directory, which lasts, and the runtime directory with its sockets and pid files, which does not."""

    data: Path
    runtime: Path

    @property
    def logs(self) -> Path:
        return self.data / "log"

    @property
    def cache(self) -> Path:
        return self.data / "cache"

    @property
    def images(self) -> Path:
        return self.data / "images"

    @property
    def agent_data(self) -> Path:
        return self.data / "agent"

    @property
    def join_token(self) -> Path:
        return self.agent_data / "join-token"

    @property
    def agent_socket(self) -> Path:
        return self.runtime / "agent.sock"

    @property
    def supervisor_pid(self) -> Path:
        return self.runtime / "up.pid"

    def child_pid(self, name: str) -> Path:
        return self.runtime / f"{name}.pid"


def here() -> Place:
    """The installation that NEXUS_DATA_DIR (or its default) names; nothing is created."""
    data = paths.data_dir()
    return Place(data=data, runtime=paths.runtime_dir(data))


def prepare(place: Place) -> None:
    """Make the directories and secrets. Raises CannotStart where the machine does not allow what is needed."""
    try:
        # Others may pass through: as root, each machine and the database have a uid of their own. None may list.
        for directory in (place.data, place.cache, place.images, place.agent_data, place.runtime):
            paths.make_private(directory, mode=0o711)
        paths.make_private(place.logs)
        for directory in (place.data, place.runtime):
            require_passage(directory)
        if not place.join_token.exists():
            _write_secret(place.join_token, secrets.token_urlsafe(32))
    except PermissionError as refused:
        raise CannotStart(f"{refused}; choose another data directory with NEXUS_DATA_DIR") from refused
    except OSError as refused:
        raise CannotStart(f"cannot use {refused.filename}: {refused.strerror}") from refused


def require_passage(directory: Path) -> None:
    """As root, refuse a directory below one only root may enter: no machine's own uid could reach its disks there."""
    for parent in directory.resolve().parents if os.geteuid() == 0 else ():
        if parent.exists() and not parent.stat().st_mode & stat.S_IXOTH:
            raise CannotStart(
                f"{directory} is below {parent}, which only its owner may enter, but machines do not run as root. "
                f"Run `chmod o+x {parent}`, or choose another data directory with NEXUS_DATA_DIR."
            )


def _write_secret(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
