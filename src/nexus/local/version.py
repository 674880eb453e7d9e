"""Which code this is: two checkouts, or one before and after a `git pull`, differ where what they would run differs."""

import hashlib
import sys
from importlib import metadata
from pathlib import Path

import nexus
from nexus.local.firstrun import guest_init


def digest() -> str:
    """Of everything that `nexus up` runs: this package, the guest's binary, and the packages installed beside it.

    Raises CannotStart where the guest's binary is missing.
    """
    root = Path(nexus.__file__).parent
    found = hashlib.sha256(sys.version.encode())
    for file in sorted(path for path in root.rglob("*") if path.is_file() and path.suffix != ".pyc"):
        found.update(f"\n{file.relative_to(root)}\n".encode() + file.read_bytes())
    found.update(guest_init().read_bytes())
    installed = sorted(f"{one.metadata['Name']} {one.version}" for one in metadata.distributions())
    found.update("\n".join(installed).encode())
    return found.hexdigest()


def checkout() -> Path:
    """Where this code is, as its users know the place."""
    return Path(nexus.__file__).parents[2]
