"""Many hosts in one process: each the real agent with the hypervisor that runs nothing.

python -m benchmarks._hosts HOME MANAGER_URL JOIN_TOKEN NUMBER
"""

import asyncio
import signal
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import uvloop

from nexus.agent import wiring
from nexus.agent.listening import listen
from nexus.agent.serve import serve_on, server_of
from nexus.agent.settings import AgentSettings
from nexus.kit import log


async def hosts(home: Path, *, manager: str, join_token: str, count: int) -> None:
    """Until SIGTERM."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    async with AsyncExitStack() as stack:
        for number in range(count):
            settings = AgentSettings.model_validate(
                {
                    "run_dir": home / f"host-{number}",
                    "runtime_dir": home / f"r{number}",
                    "image_seed": home / "images",
                    "manager": manager,
                    "name": f"{home.name}-{number}",
                    "vmm": "fake",
                    "network": "user",
                    "join_token": join_token,
                    "max_boots": 100,
                }
            )
            agent = await wiring.build(settings, stack)
            assert agent.link is not None
            for running in (serve_on(listen(settings), server_of(agent), agent.tls), agent.link.run()):
                task = asyncio.create_task(running)
                stack.callback(task.cancel)
        await ended.wait()


def main(arguments: list[str]) -> None:
    home, manager, join_token, count = arguments
    log.setup(process="hosts", level="warning")
    uvloop.run(hosts(Path(home), manager=manager, join_token=join_token, count=int(count)))


if __name__ == "__main__":
    main(sys.argv[1:])
