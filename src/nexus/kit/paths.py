"""Where a Nexus installation keeps what lasts and what does not.

The data directory lasts. The runtime directory holds sockets and pid files: short, because a Unix socket's path ends at
107 bytes, and named after the data directory, so that two installations of one user do not meet.
"""

import hashlib
import os
import stat
from pathlib import Path


def data_dir() -> Path:
    """NEXUS_DATA_DIR, else /var/lib/nexus for root, else $XDG_DATA_HOME/nexus (~/.local/share/nexus)."""
    if given := os.environ.get("NEXUS_DATA_DIR"):
        return Path(given).absolute()
    if os.geteuid() == 0:
        return Path("/var/lib/nexus")
    home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share"
    return Path(home) / "nexus"


def runtime_dir(data: Path) -> Path:
    """The runtime directory that belongs to the data directory `data`; not created here."""
    key = hashlib.sha256(str(data.absolute()).encode()).hexdigest()[:8]
    if os.geteuid() == 0:
        return Path("/run/nexus") / key
    given = os.environ.get("XDG_RUNTIME_DIR")
    if given and len(given) < 40 and os.access(given, os.W_OK):
        return Path(given) / "nexus" / key
    return Path(f"/tmp/nexus-{os.geteuid()}") / key  # noqa: S108 - see make_private


def make_private(path: Path, *, mode: int = 0o700) -> Path:
    """Create `path` (and parents) for this user alone; refuse one that somebody else owns, or has put into a place like
    /tmp on the way there: whose directory that is could replace ours at any time."""
    path.mkdir(parents=True, exist_ok=True, mode=mode)
    if path.stat().st_uid != os.geteuid():
        raise PermissionError(f"{path} belongs to uid {path.stat().st_uid}, not to us; remove it and try again")
    for place in (path, *path.parents):
        owner = place.lstat().st_uid
        if place.parent.stat().st_mode & stat.S_IWOTH and owner not in (0, os.geteuid()):
            raise PermissionError(f"{place} belongs to uid {owner}, not to us; remove it and try again")
    path.chmod(mode)
    return path
