"""Puts the agent together from its settings, in the one place that knows all parts."""

import asyncio
import os
import ssl
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
from starlette.applications import Starlette

from nexus.agent import credential as credentials
from nexus.agent.api.app import make_app
from nexus.agent.api.console import Consoles
from nexus.agent.api.guest_proxy import GuestProxy
from nexus.agent.api.log_routes import LogRoutes
from nexus.agent.api.routes import Routes
from nexus.agent.api.snapshot_routes import SnapshotRoutes
from nexus.agent.facts import host_boot_id, host_facts, host_usage
from nexus.agent.listening import address_of
from nexus.agent.machines.host import Host
from nexus.agent.machines.registry import Machines, NumberLine
from nexus.agent.manager_link import ManagerLink
from nexus.agent.metrics.host import HostMeter
from nexus.agent.metrics.reader import MetricsReader
from nexus.agent.metrics.recorder import Recorder
from nexus.agent.net.choose import choose_network
from nexus.agent.reporter import Outbox
from nexus.agent.settings import AgentSettings
from nexus.agent.snapshots.registry import SnapshotRegistry
from nexus.agent.snapshots.store import SnapshotStore
from nexus.agent.snapshots.transfers import Transfers
from nexus.agent.storage.host_files import HostFiles
from nexus.agent.storage.images import ImageSource, ImageStore
from nexus.agent.tls import AgentTls
from nexus.agent.vmm.cgroup import Cgroups
from nexus.agent.vmm.choose import choose_vmm
from nexus.kit import log
from nexus.kit.clock import Clock, SystemClock
from nexus.kit.loopback import is_loopback_url
from nexus.kit.paths import data_dir, make_private
from nexus.protocol.hosts import Offer

_log = log.get("nexus.agent")


class CaUnreadable(Exception):
    """The file by which the manager is to be verified cannot be used."""


@dataclass(frozen=True)
class Agent:
    """A running agent: serve `app`, run `link` and `recorder` (None without a manager). `tls`: how `app` is to be
    served at `address`; None on a Unix socket."""

    app: Starlette
    machines: Machines
    link: ManagerLink | None
    recorder: Recorder | None
    address: str
    tls: AgentTls | None


async def build(settings: AgentSettings, stack: AsyncExitStack, *, clock: Clock | None = None) -> Agent:
    """Everything is taken up and watched when this returns; `stack` closes it, leaving guests running.

    Raises NoHypervisor, AcceleratorTrouble, NetTrouble, CredentialUnreadable, CaUnreadable, OSError."""
    _make_directories(settings)
    clock = clock or SystemClock()
    boot_id = host_boot_id(settings.boot_id_file)
    machines_dir, sockets = settings.run_dir / "machines", settings.runtime_dir / "m"
    vmm = await choose_vmm(
        settings, machines=machines_dir, sockets=sockets, host_boot_id=boot_id, clock=clock, cgroups=Cgroups()
    )
    stack.push_async_callback(vmm.close)
    network = await choose_network(
        wanted=settings.network, restrict=settings.user_net_restrict, default_bridge=settings.bridge
    )
    http = _manager_client(settings)
    if http is not None:
        stack.push_async_callback(http.aclose)
    images = ImageStore(
        settings.run_dir / "images", seed=settings.image_seed, source=ImageSource(http) if http is not None else None
    )
    stack.push_async_callback(images.close)
    host_files = HostFiles(settings.drive_roots, private=(data_dir(), settings.run_dir, settings.runtime_dir))
    snapshots = SnapshotStore(settings.run_dir / "snapshots")
    snapshots.open()
    host = Host(
        vmm=vmm,
        network=network,
        images=images,
        host_files=host_files,
        snapshots=snapshots,
        clock=clock,
        machines=machines_dir,
        sockets=sockets,
        boot_id=boot_id,
        boot_slots=asyncio.Semaphore(settings.max_boots or max(2, os.cpu_count() or 1)),
        boot_deadline_s=settings.boot_deadline_s,
        uid_base=settings.machine_uid_base,
    )
    outbox, numbers = Outbox(), NumberLine()
    machines = Machines(host, numbers=numbers, reported=outbox.put)
    offers = frozenset({Offer.HOST_FILES} if host_files.is_open else ())
    facts = host_facts(vmm, network, name=settings.name, disks=settings.run_dir, boot_id=boot_id, offers=offers)
    address = await address_of(settings)
    known = credentials.load(settings.run_dir / "credential.json")
    tls = AgentTls(clock=clock, trust=known.trust if known else None) if settings.tcp is not None else None
    link = None
    if http is not None:
        link = ManagerLink(
            http,
            address=address,
            credential_file=settings.run_dir / "credential.json",
            token=lambda: _join_token(settings),
            facts=facts,
            usage=lambda: host_usage(settings.run_dir),
            outbox=outbox,
            numbers=numbers,
            everything=machines.list,
            discard=machines.discard,
            tls=tls,
            found_again=machines.retry,
        )
        stack.push_async_callback(link.close)
        if known is not None:
            link.use(known)
    await machines.restore()
    stack.push_async_callback(machines.close)
    metrics = MetricsReader(vmm, network, clock=clock)
    recorder = None
    if link is not None:
        meter = HostMeter(settings.run_dir, clock=clock)
        recorder = Recorder(machines.all, metrics, meter, link.tell_samples, clock=clock)
    routes = Routes(facts=facts, machines=machines, vmm=vmm, metrics=metrics, host_files=host_files)
    logs = LogRoutes(machines, vmm, own=settings.log_file)
    transfers = Transfers(snapshots, vmm)
    taken = SnapshotRoutes(SnapshotRegistry(snapshots, machines, vmm, transfers), transfers)
    app = make_app(routes, GuestProxy(machines), Consoles(machines, vmm), logs, taken)
    return Agent(app=app, machines=machines, link=link, recorder=recorder, address=address, tls=tls)


def _manager_client(settings: AgentSettings) -> httpx.AsyncClient | None:
    """Raises CaUnreadable."""
    if settings.manager is None:
        return None
    if not settings.manager.startswith("https:"):
        if not is_loopback_url(settings.manager):
            _log.warning(
                "manager_over_plain_http", risk="who can read this network can command this host and its guests"
            )
        nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # reading the system's authorities takes a while
        return httpx.AsyncClient(base_url=settings.manager, verify=nobody, trust_env=False)
    try:
        trusted = ssl.create_default_context(cafile=settings.manager_ca)
    except (OSError, ssl.SSLError) as unreadable:
        raise CaUnreadable(
            f"AGENT_MANAGER_CA: {settings.manager_ca} holds no certificates: {unreadable}"
        ) from unreadable
    return httpx.AsyncClient(base_url=settings.manager, verify=trusted, trust_env=False)


def _make_directories(settings: AgentSettings) -> None:
    """For us alone: VMMs of other uids are handed what they need, open."""
    make_private(settings.run_dir)
    make_private(settings.runtime_dir)
    (settings.runtime_dir / "m").mkdir(exist_ok=True, mode=0o700)


def _join_token(settings: AgentSettings) -> str | None:
    if settings.join_token:
        return settings.join_token
    path: Path | None = settings.join_token_file
    if path is None or not path.is_file():
        return None
    return path.read_text().strip() or None
