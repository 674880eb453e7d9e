"""The QEMU driver where its host fails it: a disk that takes nothing, a monitor that says nothing."""

import asyncio
import errno
from pathlib import Path

import pytest
from tests.agent.vmm.conftest import Lab

from nexus.agent.vmm.port import Definition, Vmm
from nexus.agent.vmm.qemu import qmp, record
from nexus.agent.vmm.qemu.qmp import Qmp, QmpTrouble
from nexus.agent.vmm.qemu.record import VmmRecord
from nexus.protocol.machines import ExitReason, Power

GREETING = b'{"QMP": {}}\r\n'


@pytest.mark.parametrize("lab", [pytest.param("qemu", marks=pytest.mark.vm)], indirect=True)
async def test_a_full_disk_holds_up_neither_stop_nor_discard(
    lab: Lab, vmm: Vmm, definition: Definition, monkeypatch: pytest.MonkeyPatch
) -> None:
    await vmm.start(definition, launch=1)

    def full(path: Path, _known: VmmRecord) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(record, "save", full)
    await asyncio.wait_for(vmm.stop(definition.id), 20)
    state = await vmm.observe(definition.id)
    assert (state.power, state.launch) == (Power.OFF, 1)
    assert state.exit is not None
    assert state.exit.reason is ExitReason.ASKED
    assert await vmm.adopt(definition.id) == state
    await vmm.discard(definition.id)
    assert (await vmm.observe(definition.id)).launch == 0


@pytest.mark.parametrize("said", [b"", GREETING])
async def test_a_monitor_that_does_not_answer_is_hung_up_on(
    short_tmp: Path, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    """QEMU serves one connection at a time: one left open would keep the next from ever being greeted."""
    hung_up = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await reader.read()
        hung_up.set()
        writer.close()

    monkeypatch.setattr(qmp, "ANSWER_DEADLINE_S", 0.05)
    async with await asyncio.start_unix_server(silent, str(short_tmp / "qmp.sock")):
        with pytest.raises(QmpTrouble, match="answer"):
            await Qmp.connect(short_tmp / "qmp.sock", on_event=lambda _name, _data: None, on_close=lambda: None)
        await asyncio.wait_for(hung_up.wait(), 5)


async def test_a_monitor_that_says_what_nobody_can_read_is_gone(short_tmp: Path) -> None:
    async def deep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GREETING)
        await reader.readline()
        writer.write(b"[" * 200_000 + b"\n")
        await reader.read()
        writer.close()

    closed = asyncio.Event()
    async with await asyncio.start_unix_server(deep, str(short_tmp / "qmp.sock")):
        with pytest.raises(QmpTrouble, match="gone"):
            await Qmp.connect(short_tmp / "qmp.sock", on_event=lambda _name, _data: None, on_close=closed.set)
    assert closed.is_set()
