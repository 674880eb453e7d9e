"""Whether something goes onto the host's disk, asked before it is written."""

from pathlib import Path
from shutil import disk_usage

from nexus.agent.storage.trouble import StorageTrouble

ROOM_BYTES = 64 << 20
"""What is to stay free on the host's file system."""


def require_room(directory: Path, needed_bytes: int, told: str) -> None:
    """`told`: what takes how much, as the beginning of a sentence for a user. Raises StorageTrouble, OSError."""
    free = disk_usage(directory).free
    if needed_bytes + ROOM_BYTES > free:
        raise StorageTrouble(f"{told}, and the host's disk has {free >> 20} MiB left")
