"""Where things of Firecracker machines are, and how they are opened although a VMM owns the directory around them.

A jail is `<jails>/<name of the binary>/<jail id>/root`. Everything up to the jail's id is root's; `root` and what is
in it belongs to the VMM's uid, who, broken into, may put there whatever it likes. So nothing in it is opened by its
path: names are looked up below an open directory, never through a symbolic link, and what is found must be of the
kind and owner expected. A socket reached that way also has no 107 bytes to fit in.
"""

import contextlib
import errno
import os
import socket
import stat
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

API_SOCKET = "api.sock"
VSOCK_SOCKET = "v.sock"
LOG = "vmm.log"
METRICS = "metrics"
KERNEL = "kernel"
INITRAMFS = "initramfs"
MEMORY, STATE = "memory", "state"
"""Of a machine that goes on from a snapshot; called so in the snapshot, too."""
SAVED = {MEMORY: "saved.memory", STATE: "saved.state"}
"""Of one that is saved: never a file that the same process may have mapped."""


@dataclass(frozen=True)
class Places:
    """`machines`: what lasts; `jails`: one directory per launch, on the same file system; `exec_name`: the binary's."""

    machines: Path
    jails: Path
    exec_name: str

    def home(self, machine: UUID) -> Path:
        return self.machines / str(machine)

    def record(self, machine: UUID) -> Path:
        return self.home(machine) / "vmm.json"

    def console(self, machine: UUID) -> Path:
        return self.home(machine) / "console.log"

    def vmm_log(self, machine: UUID) -> Path:
        """What Firecracker says, of the last launch: the file that is in its jail too."""
        return self.home(machine) / "vmm.log"

    @property
    def jail_parent(self) -> Path:
        return self.jails / self.exec_name

    def jail(self, jail: UUID) -> Path:
        return self.jail_parent / str(jail)

    def root(self, jail: UUID) -> Path:
        return self.jail(jail) / "root"

    def output(self, jail: UUID) -> Path:
        """Standard output of jailer and VMM: the serial console. Root's, outside of the jail."""
        return self.jails / f"{jail}.console"

    def errors(self, jail: UUID) -> Path:
        return self.jails / f"{jail}.err"

    @property
    def memories(self) -> Path:
        """Copies of memory that guests go on from (`memories`)."""
        return self.jails / "memories"

    def keys(self, jail: UUID) -> Path:
        """Standard input of the VMM, a FIFO: what is typed at the serial console. Becomes the machine's."""
        return self.jails / f"{jail}.keys"

    def console_input(self, machine: UUID) -> Path:
        return self.home(machine) / "console.in"


def open_root(root: Path) -> int:
    """A descriptor of a jail's directory. Raises OSError."""
    return os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def dial(root: Path, name: str, *, uid: int) -> socket.socket:
    """Connect to the VMM's socket `name`. Raises OSError."""
    directory = open_root(root)
    try:
        found = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    finally:
        os.close(directory)
    try:
        about = os.fstat(found)
        if not stat.S_ISSOCK(about.st_mode) or about.st_uid != uid:
            raise OSError(errno.ENOTSOCK, "is not the VMM's socket", name)
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            made.connect(f"/proc/self/fd/{found}")
        except OSError:
            made.close()
            raise
        return made
    finally:
        os.close(found)


def open_file(root: Path, name: str, flags: int = os.O_RDONLY) -> int:
    """Open a plain file of the jail. Raises OSError."""
    directory = open_root(root)
    try:
        fd = os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    finally:
        os.close(directory)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "is no plain file", name)
    return fd


def remove(root: Path, name: str) -> None:
    """Leave no file of that name in the jail. Absent, jail and all, is success."""
    with contextlib.suppress(FileNotFoundError):
        directory = open_root(root)
        try:
            os.unlink(name, dir_fd=directory)
        finally:
            os.close(directory)


def tail(root: Path, name: str, *, limit: int = 8192) -> str:
    """The end of a plain file of the jail; empty when there is none."""
    try:
        fd = open_file(root, name)
    except OSError:
        return ""
    try:
        return os.pread(fd, limit, max(0, os.fstat(fd).st_size - limit)).decode(errors="replace")
    finally:
        os.close(fd)
