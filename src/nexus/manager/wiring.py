"""Putting the manager together: what every slice gets (`Platform`), what a slice gives back (`Built`), and their life
from start to stop.

To add a slice: its routers to ROUTERS, its `build` to BUILDERS. Nothing here knows what slices do.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from fastapi import APIRouter, FastAPI

from nexus.kit import seal
from nexus.kit.clock import Clock, SystemClock
from nexus.kit.db import Db, Listener
from nexus.kit.http import provide
from nexus.kit.seal import Seal
from nexus.manager.access import Access
from nexus.manager.app import create_app
from nexus.manager.audit.routes import router as audit_router
from nexus.manager.compute import build as build_compute
from nexus.manager.compute import routers as compute_routers
from nexus.manager.docs.routes import router as docs_router
from nexus.manager.events.routes import router as events_router
from nexus.manager.events.tail import Tail
from nexus.manager.flows import Engine, Flows
from nexus.manager.health.routes import router as health_router
from nexus.manager.idempotency.claim import take
from nexus.manager.metrics.routes import router as metrics_router
from nexus.manager.metrics.service import build as build_metrics
from nexus.manager.migrate import migrate
from nexus.manager.operations import Operations
from nexus.manager.operations.routes import router as operations_router
from nexus.manager.platform import Builder, Platform
from nexus.manager.settings import ManagerSettings
from nexus.manager.ssh_keys.routes import router as ssh_keys_router
from nexus.manager.ssh_keys.service import build as build_ssh_keys
from nexus.manager.sweeps import Sweeper
from nexus.manager.sweeps.expiry import platform_sweeps
from nexus.manager.templates.routes import router as templates_router
from nexus.manager.templates.service import build as build_templates
from nexus.manager.ui.site import Site
from nexus.manager.users.routes import router as users_router
from nexus.manager.users.service import Users, ensure_first_user

ROUTERS: list[APIRouter] = [
    users_router,
    *compute_routers,
    ssh_keys_router,
    templates_router,
    metrics_router,
    operations_router,
    events_router,
    audit_router,
    health_router,
    docs_router,
]


BUILDERS: list[Builder] = [build_compute, build_ssh_keys, build_templates, build_metrics]


@dataclass(frozen=True)
class Manager:
    """A manager that runs: its application, ready to serve, and what stands behind it."""

    app: FastAPI
    platform: Platform
    engine: Engine
    tail: Tail


def describe() -> FastAPI:
    """The application without anything behind it, for its OpenAPI description and its routes' rules."""
    return create_app(ROUTERS)


@asynccontextmanager
async def running(
    settings: ManagerSettings, *, builders: Sequence[Builder] = BUILDERS, clock: Clock | None = None
) -> AsyncGenerator[Manager]:
    """A manager from its first connection to its orderly end. Raises MigrationError, DefaultPassword, SealError, or
    OSError when the database cannot be reached."""
    async with AsyncExitStack() as stack:
        platform = await _platform(settings, clock or SystemClock(), stack)
        built = [build(platform) for build in builders]
        for slice_ in built:
            if slice_.close is not None:
                stack.push_async_callback(slice_.close)
        app = create_app(ROUTERS, site=Site.packaged())
        tail = Tail(platform.db, platform.listener)
        users = Users(platform.db, platform.access)
        provide(app, platform.db, platform.access, platform.seal, platform.operations, tail, users, settings)
        provide(app, *(service for slice_ in built for service in slice_.services))
        flows = [flow for slice_ in built for flow in slice_.flows]
        engine = Engine(platform.db, platform.listener, platform.flows, flows, lease_s=settings.flow_lease_s)
        sweeps = [*platform_sweeps(platform.db, platform.flows), *(s for slice_ in built for s in slice_.sweeps)]
        await _start(platform, tail, engine, Sweeper(platform.db.dsn, sweeps), stack)
        yield Manager(app, platform, engine, tail)


async def _platform(settings: ManagerSettings, clock: Clock, stack: AsyncExitStack) -> Platform:
    dsn = settings.database_url.get_secret_value()
    await migrate(dsn)
    db = Db(dsn)
    await db.open()
    stack.push_async_callback(db.close)
    db.on_begin.append(take)
    await ensure_first_user(db, is_loopback=settings.is_loopback)
    listener = Listener(dsn)
    return Platform(
        settings=settings,
        clock=clock,
        db=db,
        listener=listener,
        seal=await asyncio.to_thread(_seal, settings),
        access=Access(db, listener),
        flows=Flows(),
        operations=Operations(db, listener),
    )


async def _start(platform: Platform, tail: Tail, engine: Engine, sweeper: Sweeper, stack: AsyncExitStack) -> None:
    """Start what runs behind the routes; the stack stops it in reverse."""
    platform.listener.start()
    stack.push_async_callback(platform.listener.stop)
    await tail.start()
    stack.push_async_callback(tail.stop)
    if platform.settings.reconciler_disabled:
        return
    engine.start()
    stack.push_async_callback(engine.stop)
    sweeper.start()
    stack.push_async_callback(sweeper.stop)


def _seal(settings: ManagerSettings) -> Seal:
    if settings.secret_key is not None:
        return seal.from_text(settings.secret_key.get_secret_value())
    return seal.from_file(settings.secret_key_file)
