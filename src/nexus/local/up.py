"""`nexus up`: the all-in-one in the foreground, until Ctrl-C, SIGTERM or `nexus down`.

One supervisor per data directory. One that was killed leaves its children running; the next finds them by their pid
files, stops them and starts its own. Guests belong to nobody here: neither starting nor stopping touches them.
"""

import asyncio
import contextlib
import os
import signal
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from nexus.local import firstrun, identity, leftovers, lock, logs, place, port, postgres, programs, session
from nexus.local.api import ManagerApi, running_machines
from nexus.local.child import Child, Program
from nexus.local.errors import CannotStart
from nexus.local.images import Image, Store
from nexus.local.place import Place
from nexus.local.talk import say, tell

HOST_PATIENCE_S = 120
"""For the agent to prove its hypervisor and register; a first proof boots a guest."""
_ROUND_S = 10


@dataclass(frozen=True)
class Options:
    """Settings files to use in place of nexus-manager.toml and nexus-agent.toml in the data directory."""

    manager_config: Path | None = None
    agent_config: Path | None = None


def run(options: Options, *, console: Console) -> int:
    """Run until told to stop. 0 after that, or when it runs already; 1 when it cannot be started."""
    where = place.here()
    try:
        place.prepare(where)
        with lock.hold(where.runtime / "up.lock"):
            return asyncio.run(_supervise(where, options, console=console))
    except lock.AlreadyHeld:
        say(console, f"Nexus is running already, at {_url_of(where)}. Stop it with: nexus down")
        return 0
    except CannotStart as refused:
        tell(refused, console)
        return 1


async def _supervise(where: Place, options: Options, *, console: Console) -> int:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stopped.set)
    if names := await leftovers.stop(where):
        say(console, f"Took over from a supervisor that was killed: stopped {', '.join(names)}.")
    supervisor = Supervisor(where, options, console=console)
    me = identity.find(os.getpid())
    assert me is not None, "we run"
    identity.write(where.supervisor_pid, me, url=supervisor.url, ready=False)
    try:
        work = asyncio.create_task(supervisor.work())
        stopping = asyncio.create_task(stopped.wait())
        await asyncio.wait([work, stopping], return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            work.result()  # it only ends by failing
        stopping.cancel()
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work
    finally:
        await supervisor.stop()
        where.supervisor_pid.unlink(missing_ok=True)
    return 0


class Supervisor:
    """Starts everything in order, then minds it."""

    def __init__(self, where: Place, options: Options, *, console: Console) -> None:
        self._place = where
        self._console = console
        self._manager = programs.manager_settings(where, options.manager_config)
        self._agent = programs.agent_settings(where, options.agent_config)
        self._bind = self._manager.find("MANAGER_BIND") or programs.DEFAULT_BIND
        self._image_root = Path(self._manager.find("MANAGER_IMAGE_ROOT") or where.images)
        self._children: list[Child] = []
        self._next = "./nexus vm create web-1"
        self._local_bind = programs.local_bind(self._manager, self._bind)
        self.url = programs.base_url(self._local_bind or self._bind)

    async def work(self) -> None:
        """Start, announce, and go on for ever. Raises CannotStart."""
        port.require_free(self._bind)
        if self._local_bind is not None:
            port.require_free(self._local_bind)
        images = firstrun.start_build(self._image_root, cache=self._place.cache)
        try:
            manager, minted = await self._start_processes()
            api = ManagerApi(self.url, minted.token)
            await self._register(api, await self._made(images))
        finally:
            images.cancel()
        await self._wait_for_host(api)
        await self._announce(minted)
        await self._mind(manager, minted)

    async def stop(self) -> None:
        """Stop the children in order, the youngest first, and say what goes on without them."""
        if not self._children:
            return
        running = await running_machines(self._place.agent_socket)
        self._say("Stopping.")
        while self._children:
            await self._children.pop().stop()
        self._say(f"Nexus is stopped. {leftovers.about_guests(running)}")

    async def _start_processes(self) -> tuple[Program, session.Session]:
        database_url = self._manager.find("DATABASE_URL")
        if database_url is None:
            embedded = await self._prepare_database()
            await self._start(programs.database(self._place, embedded)).wait_ready()
            database_url = embedded.url()
        manager = programs.manager(self._place, self._manager, database_url=database_url, bind=self._bind, url=self.url)
        agent = programs.agent(self._place, self._agent, url=self.url, image_root=self._image_root)
        manager_child, agent_child = self._start(manager), self._start(agent)
        await manager_child.wait_ready()
        minted = await self._sign_in(manager)  # while the agent starts
        await agent_child.wait_ready()
        return manager, minted

    async def _prepare_database(self) -> postgres.Postgres:
        data = self._place.data / "postgres"
        if not data.exists():
            self._say("Making the database.")
        if server := postgres.running_server(data):
            await identity.stop(server, by=postgres.STOP_SIGNAL, patience_s=30)
        socket_dir = self._place.runtime / "pg"
        return await asyncio.to_thread(postgres.prepare, data=data, socket_dir=socket_dir, cache=self._place.cache)

    def _start(self, program: Program) -> Child:
        child = Child(program, say=self._say)
        self._children.append(child)
        child.start()
        return child

    async def _sign_in(self, manager: Program) -> session.Session:
        minted = await session.mint(manager.env, self._manager.arguments())
        session.sign_in(minted, url=self.url, path=session.contexts_file())
        return minted

    async def _made(self, images: "asyncio.Task[tuple[Image, ...]]") -> tuple[Image, ...]:
        """The images; those made earlier where new ones cannot be. VMs that exist must not wait for a download."""
        try:
            return await images
        except firstrun.ImagesNotMade:
            self._say("warning: images for new VMs could not be made, as said above; going on without.")
            self._next = "./nexus image build kernel initramfs python"
            return Store(self._image_root).images()

    async def _register(self, api: ManagerApi, images: tuple[Image, ...]) -> None:
        if new := await api.register(images, root=self._image_root):
            self._say(f"Registered images: {', '.join(new)}.")

    async def _wait_for_host(self, api: ManagerApi) -> None:
        deadline = asyncio.get_running_loop().time() + HOST_PATIENCE_S
        while not await api.has_host():
            if asyncio.get_running_loop().time() > deadline:
                raise CannotStart(
                    f"this host did not register within {HOST_PATIENCE_S} s; see {self._place.logs}/agent.log"
                )
            await asyncio.sleep(0.05)

    async def _announce(self, minted: session.Session) -> None:
        me = identity.find(os.getpid())
        assert me is not None, "we run"
        identity.write(self._place.supervisor_pid, me, url=self.url, ready=True)
        login = "root / root (change it: ./nexus passwd)" if minted.has_default_password else "root, with your password"
        self._say(f"""
Nexus is ready.

  URL     {self.url}{f" (from elsewhere: https, port {self._bind.rpartition(':')[2]})" if self._local_bind else ""}
  Login   {login}; this checkout's CLI is signed in
  Data    {self._place.data}
  Stop    Ctrl-C here, or `make down`; guests keep running

  Next    {self._next}
""")

    async def _mind(self, manager: Program, minted: session.Session) -> None:
        """Keep logs bounded and the CLI signed in, for ever. What fails of that is no reason to stop a platform."""
        clock = asyncio.get_running_loop().time
        renewal = clock() + minted.half_life_s
        while True:
            await asyncio.sleep(_ROUND_S)
            try:
                for child in self._children:
                    logs.rotate(child.program.log)
                if clock() >= renewal:
                    minted = await self._renew(manager, minted)
                    renewal = clock() + minted.half_life_s
            except Exception as failed:
                self._say(f"{type(failed).__name__}: {failed}")

    async def _renew(self, manager: Program, minted: session.Session) -> session.Session:
        fresh = await session.mint(manager.env, self._manager.arguments())
        session.renew(fresh, old=minted, path=session.contexts_file())
        return fresh

    def _say(self, text: str) -> None:
        say(self._console, text)


def _url_of(where: Place) -> str:
    found = identity.read(where.supervisor_pid)
    return str(found[1].get("url", "")) if found else ""
