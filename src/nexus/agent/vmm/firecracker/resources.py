"""What a machine is made of, put into its jail: hard links where the file must be the same, with the right owner
(fact 11)."""

import errno
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from nexus.agent.storage.files import clone
from nexus.agent.vmm.firecracker.places import INITRAMFS, KERNEL, MEMORY, STATE, open_root
from nexus.agent.vmm.port import Definition, Disk, VmmTrouble

READABLE = 0o444


def disk_name(index: int) -> str:
    """The file in the jail behind the guest's /dev/vda, vdb …"""
    return f"disk{index}"


def put_in(definition: Definition, root: Path, *, uid: int) -> None:
    """Everything the definition names, under its name in the jail. Raises VmmTrouble, OSError."""
    with _directory(root) as jail:
        _share(definition.kernel, jail, KERNEL, uid=uid)
        _give(definition.initramfs, jail, INITRAMFS, uid=uid)
        for index, disk in enumerate(definition.disks):
            put_disk(disk, jail, disk_name(index), uid=uid)


def put_in_saved(definition: Definition, root: Path, *, uid: int, memory: Path, state: Path) -> None:
    """What a machine needs that goes on: its disks, `memory` itself, which is root's and of the same file system, and a
    copy of `state`. Neither kernel nor initramfs, which are in memory. Raises VmmTrouble, OSError."""
    with _directory(root) as jail:
        for index, disk in enumerate(definition.disks):
            put_disk(disk, jail, disk_name(index), uid=uid)
        os.link(memory, MEMORY, dst_dir_fd=jail, follow_symlinks=False)
        _copy(state, jail, STATE, uid=uid)


def put_disk(disk: Disk, jail: int, name: str, *, uid: int) -> None:
    if disk.is_host_file:
        raise VmmTrouble(f"drive {disk.drive_id} is a file of the host's own, which cannot be taken into a jail")
    if disk.read_only:
        _share(disk.path, jail, name, uid=uid)
    else:
        _give(disk.path, jail, name, uid=uid)


def give_back(path: Path, *, uid: int, owner: int) -> None:
    """Let a disk belong to whom it belonged before the VMM of `uid` had it. Absent is fine."""
    try:
        if path.lstat().st_uid == uid != owner:
            os.chown(path, owner, owner, follow_symlinks=False)
    except FileNotFoundError:
        return


def replace_disk(disk: Disk, root: Path, name: str, *, uid: int) -> None:
    """Put another file under a name that the VMM is about to open again."""
    with _directory(root) as jail:
        staged = f".{name}.new"
        _remove(jail, staged)
        put_disk(disk, jail, staged, uid=uid)
        os.rename(staged, name, src_dir_fd=jail, dst_dir_fd=jail)


def _give(source: Path, jail: int, name: str, *, uid: int) -> None:
    """The very file, the VMM's own: what the guest writes is in the machine's directory."""
    _remove(jail, name)
    try:
        os.link(source, name, dst_dir_fd=jail, follow_symlinks=False)
    except OSError as refused:
        if refused.errno == errno.EXDEV:
            raise VmmTrouble(f"{source} is on another file system than the jails, which must share one") from refused
        raise
    os.chown(name, uid, uid, dir_fd=jail, follow_symlinks=False)


def _share(source: Path, jail: int, name: str, *, uid: int) -> None:
    """A file that others have too, for reading; a copy where it cannot be linked."""
    _remove(jail, name)
    try:
        os.link(source, name, dst_dir_fd=jail, follow_symlinks=False)
    except OSError as refused:
        if refused.errno not in (errno.EXDEV, errno.EMLINK):
            raise
        _copy(source, jail, name, uid=uid)
        return
    mode = source.stat().st_mode & 0o777
    if mode | READABLE != mode:
        source.chmod(mode | READABLE)


def _copy(source: Path, jail: int, name: str, *, uid: int) -> None:
    clone(source, Path(f"/proc/self/fd/{jail}") / name, mode=0o400)
    os.chown(name, uid, uid, dir_fd=jail, follow_symlinks=False)


def _remove(jail: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=jail)
    except FileNotFoundError:
        return


@contextmanager
def _directory(root: Path) -> Generator[int]:
    fd = open_root(root)
    try:
        yield fd
    finally:
        os.close(fd)
