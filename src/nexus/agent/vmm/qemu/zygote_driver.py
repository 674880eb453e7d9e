"""QEMU whose machines begin from zygotes: a guest of the same shape that was booted once, as far as nothing in it is of
one machine only, and saved. A machine gets a copy of that memory, its own disks, and is told who it is.

Must stay true: whatever goes wrong with a zygote costs a moment, never the boot: the machine is booted from its kernel
instead. A machine that was not told who it is answers nobody (`zygote_channel`): the boot's deadline ends it, and the
next attempt is made without zygotes.
"""

import asyncio
import contextlib
import time
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from nexus.agent.guest.mux import MuxTransport
from nexus.agent.guest.transport import Transport
from nexus.agent.vmm.port import Definition, VmmTrouble
from nexus.agent.vmm.qemu import zygote_channel
from nexus.agent.vmm.qemu.driver import QemuVmm
from nexus.agent.vmm.qemu.snapshots import Source, default_spare
from nexus.agent.vmm.qemu.zygote_making import ZygoteMaker
from nexus.agent.vmm.qemu.zygotes import ZygoteStore, shape
from nexus.kit import log
from nexus.protocol.hosts import Offer
from nexus.protocol.trouble import Trouble

_log = log.get("nexus.agent.vmm.qemu")

BEGIN_DEADLINE_S: Final = 30.0
HELLO_PAUSE_S: Final = (0.05, 10.0)
"""A machine that begins from a zygote may still have the zygote's end of the port: the first HELLO is then lost."""


class ZygoteVmm(QemuVmm):
    offers = QemuVmm.offers | {Offer.ZYGOTE}

    def __init__(self, *, store: ZygoteStore, maker: ZygoteMaker, **driver: Any) -> None:
        """`store` and `maker` are of a host with the same hypervisor."""
        super().__init__(**driver)
        self._store = store
        self._maker = maker

    async def start(self, definition: Definition, *, launch: int) -> None:
        if definition.guest is None or self._is_launched(definition.id, launch):
            await super().start(definition, launch=launch)
            return
        name = shape(definition, self._store.host)
        self._maker.wait_for_quiet()
        source = self._store.find(name)
        if source is not None and definition.guest.attempt > 1:
            self._maker.give_up(name)  # it may be what the last attempt began from
        elif source is not None and await self._begin_from(source, definition, launch=launch):
            return
        await super().start(definition, launch=launch)
        self._maker.want(name, definition)

    async def close(self) -> None:
        await self._maker.close()
        await super().close()

    def transport(self, machine: UUID) -> Transport:
        return MuxTransport(self._places.channel(machine), hello_pause_s=HELLO_PAUSE_S)

    async def _begin_from(self, source: Path, definition: Definition, *, launch: int) -> bool:
        """False: it did not work, and nothing is left of it."""
        begun = time.monotonic()
        try:
            async with Source.open(source, spare=default_spare(definition)) as opened:
                await self._begin(definition, launch=launch, source=opened)
            await self._tell(definition)
        except (VmmTrouble, Trouble, OSError) as refused:
            _log.warning("zygote_of_no_use", machine_id=str(definition.id), why=str(refused))
            await self._forget(definition.id)
            self._maker.give_up(source.name)
            return False
        except asyncio.CancelledError:
            await self.stop(definition.id)
            raise
        _log.info("begun_from_zygote", machine_id=str(definition.id), took_ms=round(1000 * (time.monotonic() - begun)))
        return True

    async def _tell(self, definition: Definition) -> None:
        assert definition.guest is not None
        channel, config = self._places.channel(definition.id), definition.guest.config
        await zygote_channel.begin(channel, config, clock=self._clock, within_s=BEGIN_DEADLINE_S)

    async def _forget(self, machine: UUID) -> None:
        """As if it had not been launched."""
        await self.stop(machine)
        self._unwritten.pop(machine, None)
        with contextlib.suppress(FileNotFoundError):
            self._places.record(machine).unlink()

    def _is_launched(self, machine: UUID, launch: int) -> bool:
        known = self._known(machine)
        return known is not None and known.launch >= launch
