"""Words before a command that take privileges away from it."""

SETPRIV = "setpriv"
DROPPED = ("--bounding-set=-all", "--inh-caps=-all")


def identity(uid: int | None, *, group: int | None = None) -> list[str]:
    """No new privileges and, where `uid` is given, that user's alone (needs root).

    `group`: a supplementary group that the command needs (the one that may use KVM)."""
    if uid is None:
        return [SETPRIV, "--no-new-privs", "--"]
    groups = "--clear-groups" if group is None else f"--groups={group}"
    return [SETPRIV, f"--reuid={uid}", f"--regid={uid}", groups, *DROPPED, "--no-new-privs", "--"]
