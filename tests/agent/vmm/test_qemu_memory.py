"""Memory of a machine that is kept for its next boot: what it holds then, and who gets it."""

import asyncio
import os
import subprocess
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from nexus.agent.vmm.qemu import memory
from nexus.agent.vmm.qemu.memory import Outlived, empty_memory, overwrite
from nexus.kit.ids import new_id

PAGE = 4096
SIZE = 64 * PAGE


@pytest.mark.parametrize("pages", [(), (0,), (3, 4, 40), (63,), tuple(range(64))])
def test_memory_that_is_overwritten_holds_what_was_saved_and_nothing_else(
    tmp_path: Path, pages: tuple[int, ...]
) -> None:
    saved, guest = tmp_path / "memory", empty_memory(SIZE)
    with saved.open("wb") as file:
        file.truncate(SIZE)
        for page in pages:
            file.seek(page * PAGE)
            file.write(bytes([page + 1]) * PAGE)
    os.pwrite(guest, b"\xff" * SIZE, 0)
    read = os.open(saved, os.O_RDONLY)
    try:
        overwrite(read, guest)
        assert os.pread(guest, SIZE, 0) == saved.read_bytes()
        assert os.fstat(guest).st_blocks * 512 == len(pages) * PAGE, "what is not used is given back"
    finally:
        os.close(read)
        os.close(guest)


@contextmanager
def process_with_memory() -> Generator[subprocess.Popen[bytes]]:
    fd = empty_memory(SIZE)
    process = subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=(fd,))
    os.pwrite(fd, b"then", 0)
    os.close(fd)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


async def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    await asyncio.to_thread(process.wait)


def memories() -> set[str]:
    """Descriptors of ours that are memory of a guest."""
    found: set[str] = set()
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            if str(link.readlink()).startswith(memory.MEMORY_LINK):
                found.add(link.name)
    return found


async def test_memory_is_kept_for_its_machine_alone_and_once() -> None:
    outlived, machine = Outlived(), new_id()
    with process_with_memory() as process:
        with outlived.keeping(machine, process.pid):
            await end(process)
        assert outlived.take(new_id(), size_bytes=SIZE) is None
        assert outlived.take(machine, size_bytes=2 * SIZE) is None
        fd = outlived.take(machine, size_bytes=SIZE)
        assert fd is not None
        assert os.pread(fd, 4, 0) == b"then"
        os.close(fd)
        assert outlived.take(machine, size_bytes=SIZE) is None


async def test_memory_that_nobody_takes_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "KEPT_S", 0.01)
    outlived, machine = Outlived(), new_id()
    with process_with_memory() as process:
        before = memories()
        with outlived.keeping(machine, process.pid):
            await end(process)
        async with asyncio.timeout(60):
            while memories() - before:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    assert outlived.take(machine, size_bytes=SIZE) is None


async def test_memory_of_a_process_that_may_be_there_still_is_not_kept() -> None:
    outlived, machine = Outlived(), new_id()
    with process_with_memory() as process:
        with pytest.raises(TimeoutError), outlived.keeping(machine, process.pid):
            raise TimeoutError
        assert outlived.take(machine, size_bytes=SIZE) is None


async def test_a_process_without_memory_of_a_guest_is_no_trouble() -> None:
    outlived, machine = Outlived(), new_id()
    for pid in (None, 2**22 + 1):
        with outlived.keeping(machine, pid):
            pass
        assert outlived.take(machine, size_bytes=SIZE) is None
