"""Another version of this code: a copy that differs, to be run from its own place."""

import shutil
from pathlib import Path

import nexus


def another_version(home: Path, *, guest_init: Path, forgets_migration: bool = False) -> dict[str, str]:
    """The environment in which `python -m nexus…` runs a copy in `home` that differs in a comment, or (as an older
    version would) does not know the newest migration."""
    place = home / "checkout"
    package = place / "nexus"
    shutil.copytree(Path(nexus.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    with (package / "__init__.py").open("a") as file:
        file.write("# another version\n")
    if forgets_migration:
        max((package / "manager" / "migrations").glob("*.sql")).unlink()
    return {"PYTHONPATH": str(place), "NEXUS_GUEST_INIT": str(guest_init)}
