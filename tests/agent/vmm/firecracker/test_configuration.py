"""What a machine becomes for Firecracker and its jailer: `golden/` holds it whole."""

import json
import os
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from tests.agent.vmm.firecracker.contract import load
from tests.agent.vmm.firecracker.stand_in import parse
from tests.agent.vmm.firecracker.test_table import Recorder

from nexus.agent.vmm.firecracker.api import FirecrackerApi
from nexus.agent.vmm.firecracker.config import Configuration, Inside, configuration, kernel_command_line, new_limiter
from nexus.agent.vmm.firecracker.jailer import Cell, Programs, jailed_command, unjailed_command
from nexus.agent.vmm.firecracker.launching import apply, template
from nexus.agent.vmm.firecracker.launching import load as load_saved
from nexus.agent.vmm.port import BalloonTarget, Definition, Disk, Nic, VmmTrouble
from nexus.protocol.cpu import CpuConfig, CpuidModifier, MsrModifier, RegisterModifier
from nexus.protocol.limits import RateLimiter, TokenBucket
from nexus.protocol.machines import CacheType, EntropyLimit, IoEngine, LogLevel

GOLDEN = Path(__file__).parent / "golden"
MACHINE = UUID("01900000-0000-7000-8000-000000000001")
LIMITER = RateLimiter(
    bandwidth=TokenBucket(size=10 << 20, refill_time=100, one_time_burst=64 << 20),
    ops=TokenBucket(size=1000, refill_time=1000),
)
DISKS = (
    Disk(UUID(int=1), "rootfs", Path("/images/base"), read_only=True),
    Disk(UUID(int=2), "data", Path("/disks/data.img"), read_only=False, rate_limiter=LIMITER),
    Disk(
        UUID(int=3),
        "scratch",
        Path("/disks/scratch.img"),
        read_only=False,
        cache_type=CacheType.UNSAFE,
        io_engine=IoEngine.ASYNC,
    ),
)
NICS = (Nic("02:00:00:00:00:01", "nxabc"), Nic("02:00:00:00:00:02", "nxdef"))
PLAIN = Definition(MACHINE, 1, 128, Path("/images/kernel"), Path("/initramfs"), None, DISKS[:1], (), None)
FULL = replace(
    PLAIN,
    vcpus=4,
    memory_mib=4096,
    boot_args="nexus.test=1",
    disks=DISKS,
    nics=NICS,
    uid=64_000_001,
    balloon=BalloonTarget(amount_mib=512, stats_s=2),
    balloon_deflates_on_oom=False,
    entropy_limit=EntropyLimit(size=1000, refill_time=100),
    log_level=LogLevel.DEBUG,
    cpu_config=CpuConfig(
        kvm_capabilities=("!121",),
        cpuid_modifiers=(
            CpuidModifier(
                leaf="0x1",
                subleaf="0x0",
                flags=0,
                modifiers=(RegisterModifier(register="ecx", bitmap="0b" + "x" * 31 + "0"),),
            ),
        ),
        msr_modifiers=(MsrModifier(addr="0x10a", bitmap="0b" + "x" * 63 + "1"),),
    ),
)
PROGRAMS = Programs(Path("/usr/bin/firecracker"), Path("/usr/bin/jailer"))
CELL = Cell(MACHINE, 65_000_001, Path("/var/lib/nexus/agent/jails"), "/proc/7/fd/9")


def check(name: str, made: str) -> None:
    golden = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(made)
    assert made == golden.read_text()


def of(definition: Definition, *, is_jailed: bool = True) -> Configuration:
    return configuration(definition, Inside.of(definition, is_jailed=is_jailed))


@pytest.mark.parametrize(("name", "definition"), [("plain.json", PLAIN), ("full.json", FULL)])
def test_the_configuration_is_the_golden_one(name: str, definition: Definition) -> None:
    said = json.loads(of(definition).json_bytes())
    check(name, json.dumps(said, indent=1) + "\n")
    shape = load().types["FullVmConfiguration"]
    fields = shape["fields"] | {"serial": {"ref": "SerialDevice"}}
    assert load().misfits(said, shape | {"fields": fields}, "configuration") == []


def test_the_jailers_command_line_is_the_golden_one_and_one_that_it_takes() -> None:
    command = jailed_command(PROGRAMS, CELL)
    check("jailer.txt", "\n".join(command) + "\n")
    options, flags, rest = parse(command[1:])
    assert (options["--cgroup-version"], flags) == (["2"], {"--new-pid-ns"})
    assert "--no-seccomp" not in rest
    assert [command[-len(rest) :], unjailed_command(PROGRAMS, CELL, uid=None)[-len(rest) :]] == [rest, rest]


@pytest.mark.parametrize("definition", [PLAIN, FULL])
async def test_everything_a_launch_says_fits_the_table_and_comes_before_boot(definition: Definition) -> None:
    table = load()
    recorder = Recorder(table)
    await apply(FirecrackerApi(recorder), of(definition), cpu_template=template(definition, host=b"{}"))
    assert all(faults == [] for faults in recorder.sent.values())
    assert {table.operations[name].phase for name in recorder.sent} == {"before_boot"}
    order = list(recorder.sent)
    assert "PUT /metrics" in order[:2]
    assert {"PUT /boot-source", "PUT /vsock", "PUT /balloon", "PUT /entropy", "PUT /serial"} <= set(order)


@pytest.mark.parametrize("definition", [PLAIN, FULL])
async def test_everything_that_going_on_says_fits_the_table_and_nothing_but_sinks_comes_before_the_load(
    definition: Definition,
) -> None:
    table = load()
    recorder = Recorder(table)
    inside = Inside.of(definition, is_jailed=True)
    await load_saved(FirecrackerApi(recorder), of(definition), definition, inside=inside, patience_s=1)
    assert all(faults == [] for faults in recorder.sent.values())
    order = list(recorder.sent)
    loading = order.index("PUT /snapshot/load")
    assert set(order[:loading]) <= {"PUT /logger", "PUT /metrics", "PUT /serial"}
    assert {"PUT /metrics", "PUT /serial"} <= set(order[:loading])
    assert {table.operations[name].phase for name in order[loading + 1 :]} <= {"after_boot", "any"}
    assert "PATCH /balloon" in order, "the table's own answer is another machine's"


def test_our_own_boot_arguments_are_always_given() -> None:
    """Firecracker's would disable modules, which our initramfs loads, and the console."""
    line = kernel_command_line("nexus.test=1")
    assert "nomodule" not in line
    assert "8250.nr_uarts=0" not in line
    assert "reboot=k" in line
    assert line.endswith(" nexus.test=1")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"boot_args": "x" * 2048}, "too long"),
        ({"nics": (Nic("02:00:00:00:00:01", None),)}, "bridge mode"),
        ({"disks": DISKS * 5}, "has places for 14"),
        ({"disks": (replace(DISKS[1], cache_type=CacheType.WRITETHROUGH),)}, "write through"),
    ],
)
def test_what_firecracker_cannot_be_is_refused_in_words(change: dict[str, object], words: str) -> None:
    with pytest.raises(VmmTrouble, match=words):
        of(replace(FULL, **change))


def test_a_limit_that_is_taken_away_is_said_to_be_none() -> None:
    """A bucket that an update leaves out stays as it was (fact 23)."""
    none = {"size": 0, "refill_time": 0}
    assert json.loads(new_limiter(None).json_bytes()) == {"bandwidth": none, "ops": none}
    kept = new_limiter(RateLimiter(ops=TokenBucket(size=5, refill_time=1000)))
    assert json.loads(kept.json_bytes()) == {"bandwidth": none, "ops": {"size": 5, "refill_time": 1000}}
