"""Where the agent finds the programs it runs: mke2fs, nft, ip and others are in the directories for administration,
which an ordinary user's PATH leaves out on Debian, although everybody may run what is there."""

import os

ADMINISTRATION = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def search_path(path: str | None) -> str:
    """`path` (the variable PATH, or None where it is not set), and the directories for administration it lacks."""
    given = (path or os.defpath).split(os.pathsep)
    return os.pathsep.join((*given, *(directory for directory in ADMINISTRATION if directory not in given)))
