"""`nexus up`: the all-in-one in the foreground, until Ctrl-C, SIGTERM or `nexus down`.

One supervisor per data directory: `up` from other code than the one that runs takes over from it (`takeover`). One that
was killed leaves its children running; the next finds them by their pid files, stops them and starts its own. Guests
belong to nobody here: neither starting nor stopping touches them.
"""

import asyncio
import contextlib
import signal
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from nexus.local import firstrun, identity, leftovers, logs, place, port, postgres, programs, session, takeover, version
from nexus.local.api import ManagerApi, running_machines
from nexus.local.child import Child, Program
from nexus.local.errors import CannotStart
from nexus.local.images import Image, Store
from nexus.local.place import Place
from nexus.local.takeover import Newcomer
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
        supervisor = Supervisor(where, options, console=console)
        newcomer = Newcomer(code=supervisor.code, why_not=supervisor.require_fit, say=lambda words: say(console, words))
        with takeover.sole(where, newcomer):
            return asyncio.run(_supervise(where, supervisor, console=console))
    except takeover.RunsAlready as running:
        say(console, f"Nexus is running already, at {running}. Stop it with: nexus down")
        return 0
    except CannotStart as refused:
        tell(refused, console)
        return 1


async def _supervise(where: Place, supervisor: "Supervisor", *, console: Console) -> int:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stopped.set)
    if names := await leftovers.stop(where):
        say(console, f"Took over from a supervisor that was killed: stopped {', '.join(names)}.")
    supervisor.sign(is_ready=False)
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
        self._next = "nexus vm create web-1"
        self._local_bind = programs.local_bind(self._manager, self._bind)
        self.url = programs.base_url(self._local_bind or self._bind)
        self.code = version.digest()

    def sign(self, *, is_ready: bool) -> None:
        """Write down that this process supervises."""
        takeover.sign(self._place, code=self.code, checkout=version.checkout(), url=self.url, ready=is_ready)

    async def require_fit(self) -> None:
        """Raise CannotStart if this code cannot go on with the database that is there, which runs."""
        database_url = self._manager.find("DATABASE_URL")
        if database_url is None:
            database_url = (await self._prepared_cluster()).url()
        manager = programs.manager(self._place, self._manager, database_url=database_url, bind=self._bind, url=self.url)
        await takeover.require_known_schema(manager.env, self._manager.arguments())

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
        return await self._prepared_cluster()

    async def _prepared_cluster(self) -> postgres.Postgres:
        data, socket_dir = self._place.data / "postgres", self._place.runtime / "pg"
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
            self._next = "nexus image build kernel initramfs python"
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
        self.sign(is_ready=True)
        login = "root / root (change it: nexus passwd)" if minted.has_default_password else "root, with your password"
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
