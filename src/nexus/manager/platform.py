"""What slices are built on (`Platform`) and what they give back (`Built`); the wiring puts the two together."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nexus.kit.clock import Clock
from nexus.kit.db import Db, Listener
from nexus.kit.seal import Seal
from nexus.manager.access import Access
from nexus.manager.flows import Flow, Flows
from nexus.manager.operations import Operations
from nexus.manager.settings import ManagerSettings
from nexus.manager.sweeps import Sweep


@dataclass(frozen=True)
class Platform:
    """What slices are built on. The database is open; the listener is not started, so that they may subscribe."""

    settings: ManagerSettings
    clock: Clock
    db: Db
    listener: Listener
    seal: Seal
    access: Access
    flows: Flows
    operations: Operations


@dataclass(frozen=True)
class Built:
    """What a slice gives to the manager: services for its routes (found by class), flows to run, sweeps, and how to
    close what it has opened."""

    services: Sequence[object] = ()
    flows: Sequence[Flow[Any]] = ()
    sweeps: Sequence[Sweep] = ()
    close: Callable[[], Awaitable[None]] | None = None


Builder = Callable[[Platform], Built]
