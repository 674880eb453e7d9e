"""KVM or software emulation (TCG), by proof.

A `/dev/kvm` that opens is not yet usable KVM: under some nested or paravirtual hosts it dies on the first unusual
instruction, or never starts. So KVM is taken only where the CPU has the flags and a tiny guest (`proof.S`) has run to
its end under it, as the user a machine would run as. The proof is kept per boot of the host and version of QEMU.
"""

import asyncio
import contextlib
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from nexus.agent.privilege import identity
from nexus.agent.storage.files import write_atomically
from nexus.agent.vmm.qemu.config import Accelerator
from nexus.agent.vmm.qemu.tsc import measure_khz
from nexus.protocol.base import Message

KVM = Path("/dev/kvm")
PROOF_DEADLINE_S = 5.0
PROVEN_STATUS = 42 << 1 | 1
"""isa-debug-exit turns the guest's 42 into this exit status."""
ROM_BYTES = 64 * 1024
PROOF_CODE = bytes.fromhex(
    "fa2e660f0116d0fe0f20c00c010f22c066ea18fe0f00080066b810008ed88ec08ed0bc00800000bf0010000031c0b9000c0000f3abc705"
    "0010000003200000c7050020000003300000c7050030000083000000b8001000000f22d8b8200200000f22e0b9800000c0b80001000031d2"
    "0f300f20c00d000000800f22c0ea83fe0f00180031c031d231db31c948c7c700400000f0480fc70f0fae04250042000066baf400b02aeef4"
    "ebfd8db400008d74000000000000000000ffff0000009acf00ffff00000092cf00ffff0000009aaf001f00b0fe0f"
)
RESET_VECTOR = bytes.fromhex("e90dfe") + bytes(13)


class AcceleratorTrouble(Exception):
    """The wanted accelerator does not work here; the message says why."""


@dataclass(frozen=True)
class Choice:
    accelerator: Accelerator
    why: str


class _Proof(Message):
    host_boot_id: str
    qemu_version: str
    refusal: str | None


async def choose(
    binary: str, *, wanted: str, qemu_version: str, host_boot_id: str, uid: int | None, cache: Path
) -> Choice:
    """`wanted`: auto, kvm or tcg. Raises AcceleratorTrouble when kvm is demanded and does not work."""
    if wanted == "tcg":
        return Choice(_tcg(), "QEMU with software emulation, as AGENT_ACCEL demands.")
    refusal = await kvm_refusal(binary, qemu_version, host_boot_id, uid, cache)
    if refusal is None:
        return Choice(Accelerator("kvm", None), "QEMU with KVM: the CPU has it, and a test guest ran under it.")
    if wanted == "kvm":
        raise AcceleratorTrouble(f"AGENT_ACCEL demands kvm, but {refusal}")
    return Choice(_tcg(), f"QEMU with software emulation: {refusal}.")


def kvm_group(device: Path = KVM) -> int | None:
    """The group that may use KVM, where it is a group's business at all."""
    try:
        found = device.stat()
    except OSError:
        return None
    return found.st_gid if found.st_mode & stat.S_IRGRP and found.st_mode & stat.S_IWGRP else None


async def kvm_refusal(binary: str, qemu_version: str, host_boot_id: str, uid: int | None, cache: Path) -> str | None:
    """Why KVM is no good here, as a part of a sentence; None when a guest has run under it."""
    if why_not := missing(uid):
        return why_not
    known = _known(cache)
    if known is not None and (known.host_boot_id, known.qemu_version) == (host_boot_id, qemu_version):
        return known.refusal
    refusal = await prove(binary, "kvm", uid=uid)
    proof = _Proof(host_boot_id=host_boot_id, qemu_version=qemu_version, refusal=refusal)
    write_atomically(cache, proof.model_dump_json().encode())
    return refusal


def is_closed(uid: int | None) -> bool:
    """Whether there is KVM that we may not use: an ordinary user needs the group of /dev/kvm."""
    return uid is None and KVM.exists() and not os.access(KVM, os.R_OK | os.W_OK)


def missing(uid: int | None) -> str | None:
    """What KVM lacks, as far as one can tell without running a guest."""
    if not KVM.exists():
        return "there is no /dev/kvm"
    if not _cpu_virtualizes(Path("/proc/cpuinfo").read_text()):
        return "/dev/kvm is there, but the CPU offers neither vmx nor svm"
    if is_closed(uid):
        return "/dev/kvm is there, but this user may not use it"
    return None


def _known(cache: Path) -> _Proof | None:
    with contextlib.suppress(FileNotFoundError, ValidationError):
        return _Proof.model_validate_json(cache.read_bytes())
    return None


def _cpu_virtualizes(cpuinfo: str) -> bool:
    flags = next((line for line in cpuinfo.splitlines() if line.startswith("flags")), "")
    return not {"vmx", "svm"}.isdisjoint(flags.split())


async def prove(binary: str, accelerator: str, *, uid: int | None) -> str | None:
    """Run the tiny guest; None when it came to its end, else why it is no good."""
    with tempfile.TemporaryFile() as rom:
        rom.write(bytes(ROM_BYTES - 512) + PROOF_CODE.ljust(0x1F0, b"\0") + RESET_VECTOR)
        rom.flush()
        os.fchmod(rom.fileno(), 0o444)
        argv = [
            *identity(uid, group=kvm_group() if accelerator == "kvm" else None),
            binary,
            *("-M", "microvm,rtc=off,pit=off,pic=off", "-accel", accelerator),
            *("-cpu", "host" if accelerator == "kvm" else "max", "-m", "16M"),
            *("-nodefaults", "-no-user-config", "-nographic", "-bios", f"/proc/self/fd/{rom.fileno()}"),
            *("-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"),
        ]
        return await _judge(argv, rom.fileno())


async def _judge(argv: list[str], rom_fd: int) -> str | None:
    guest = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        pass_fds=(rom_fd,),
    )
    try:
        async with asyncio.timeout(PROOF_DEADLINE_S):
            _, errors = await guest.communicate()
    except TimeoutError:
        guest.kill()
        await guest.wait()
        return f"a test guest under it did nothing for {PROOF_DEADLINE_S:g} s"
    if guest.returncode == PROVEN_STATUS:
        return None
    words = errors.decode(errors="replace").strip().splitlines()
    return f"a test guest under it failed with status {guest.returncode}{': ' + words[0] if words else ''}"


def _tcg() -> Accelerator:
    return Accelerator("tcg", measure_khz())
