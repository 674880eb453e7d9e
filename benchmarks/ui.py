"""The web UI over many VMs, in Chromium: how soon the list is there, and how soon it follows.

A manager as it is served over a database with so many running VMs, hosts and flows left out. Everything shares one
machine: PostgreSQL, the manager, the browser. Measured in the page with its own clock:

* first rows: from the start of the navigation to the frame that shows the first rows of the list;
* keystroke: from the key event to the next frame painted (Event Timing API, 8 ms steps), with every VM loaded;
* found: from the last keystroke to the frame that shows what the server found;
* change: from the commit of a state in the database to the frame in which the row says so, with every VM loaded;
* scrolling: frames that took longer than two ordinary ones while the whole list goes by.

    python -m benchmarks ui [--size N] [--rounds N]
"""

import argparse
import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

import httpx
from playwright.async_api import Browser, Page, async_playwright

from benchmarks._figures import spread
from benchmarks._fleet import fill
from benchmarks._platform import free_port
from benchmarks._processes import create_database, postgres, scratch, wait_until
from nexus.kit.db import Db
from nexus.local import postgres as embedded
from nexus.manager import events
from nexus.manager.access.rules import COOKIE
from nexus.manager.migrate import migrate
from nexus.manager.vms import repository as vms
from nexus.manager.vms.lifecycle import State

FIRST_ROWS_MS, KEYSTROKE_MS, CHANGE_MS = 1000, 50, 250
PATIENCE_MS = 120_000
LEAST_TOLD_MS = 16.0
"""A key that was painted sooner is not told of."""

_WATCH = """
window.__first = null
window.__typed = []
const look = () => {
  if (window.__first === null && document.querySelector('tbody tr[aria-rowindex] a')) {
    requestAnimationFrame(() => requestAnimationFrame(() => { window.__first ??= performance.now() }))
  } else if (window.__first === null) requestAnimationFrame(look)
}
requestAnimationFrame(look)
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (entry.name === 'keydown') window.__typed.push(entry.duration)
}).observe({ type: 'event', durationThreshold: 16, buffered: true })
"""

_FIRST = """() => new Promise((resolve) => {
  const look = () => window.__first === null ? requestAnimationFrame(look) : resolve(window.__first)
  look()
})"""

_WHEN_SAYS = """([name, state]) => new Promise((resolve) => {
  const look = () => {
    const row = [...document.querySelectorAll('tbody tr')].find((one) => one.querySelector('a')?.textContent === name)
    if (row?.textContent.includes(state)) resolve(Date.now())
    else requestAnimationFrame(look)
  }
  look()
})"""

_SCROLL = """() => new Promise((resolve) => {
  const frames = []
  let before = performance.now()
  const step = (now) => {
    frames.push(now - before)
    before = now
    window.scrollBy(0, 400)
    const { scrollHeight } = document.documentElement
    if (window.scrollY + window.innerHeight >= scrollHeight - 2) resolve(frames.slice(2))
    else requestAnimationFrame(step)
  }
  window.scrollTo(0, 0)
  requestAnimationFrame(step)
})"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks ui", description=__doc__)
    parser.add_argument("--size", type=int, default=10_000, help="VMs")
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _end)  # or what was started would be left behind
    with scratch() as home, postgres(home) as database:
        os.sched_setaffinity(0, range(os.cpu_count() or 1))  # the browser may have all cores
        database_url = database.url("fleet")
        with _manager(home, database, database_url, options.size) as (url, token):
            return asyncio.run(_measure(url, token, database_url, size=options.size, rounds=options.rounds))


def _end(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit("stopped")


async def _measure(url: str, token: str, database_url: str, *, size: int, rounds: int) -> int:
    """The number of figures that are worse than they may be."""
    async with _chromium() as browser:
        context = await browser.new_context(viewport={"width": 1360, "height": 860})
        await context.add_cookies([{"name": COOKIE, "value": token, "url": url}])
        await context.add_init_script(_WATCH)
        page = await context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        print(f"list of {size:,} VMs in Chromium", flush=True)
        missed = _judge("first rows", [await _first_rows(page, url) for _ in range(rounds + 1)][1:], FIRST_ROWS_MS)
        await _load_all(page, size)
        frames: list[float] = await page.evaluate(_SCROLL)
        late = sum(frame > 34 for frame in frames)
        print(
            f"scrolling  {late} of {len(frames)} frames took more than 34 ms, the longest {max(frames):.0f} ms",
            flush=True,
        )
        missed += _judge("change", await _changes(page, database_url, rounds), CHANGE_MS)
        keys, found = await _typing(page, size, rounds)
        missed += _judge("keystroke", keys, KEYSTROKE_MS)
        print(f"found      {spread(found, unit='ms', digits=0)}")
        return missed


def _judge(name: str, values: list[float], most: int) -> bool:
    """Whether the median is more than it may be."""
    is_missed = sorted(values)[len(values) // 2] > most
    print(
        f"{name:<11}{spread(values, unit='ms', digits=0)} (at most {most} ms: {'MISSED' if is_missed else 'met'})",
        flush=True,
    )
    return is_missed


@contextmanager
def _manager(home: Path, database: embedded.Postgres, database_url: str, size: int) -> Generator[tuple[str, str]]:
    """A manager over the fleet: its address and a session token."""
    asyncio.run(create_database(database, "fleet"))
    asyncio.run(migrate(database_url))
    token, _ = asyncio.run(fill(database_url, size=size))
    url = f"http://127.0.0.1:{free_port()}"
    env = os.environ | {
        "NEXUS_DATA_DIR": str(home),
        "DATABASE_URL": database_url,
        "MANAGER_BIND": url.removeprefix("http://"),
        "MANAGER_RECONCILER_DISABLED": "1",
    }
    log = home / "manager.log"
    with log.open("wb") as written:
        process = subprocess.Popen([sys.executable, "-m", "nexus.manager"], env=env, stdout=written, stderr=written)
    try:
        wait_until(lambda: _answers(url), process, log)
        yield url, token
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready").is_success
    except httpx.TransportError:
        return False


@asynccontextmanager
async def _chromium() -> AsyncGenerator[Browser]:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        raise SystemExit("no Chromium on this machine: on Debian, apt-get install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        await browser.close()


async def _first_rows(page: Page, url: str) -> float:
    await page.goto(f"{url}/vms?sort=name")
    return await page.evaluate(_FIRST)


async def _load_all(page: Page, size: int) -> None:
    """Scroll until every page of the list has come."""
    await page.evaluate(
        """(size) => new Promise((resolve) => {
          const step = () => {
            const table = document.querySelector('table[aria-rowcount]')
            if (Number(table.getAttribute('aria-rowcount')) > size) resolve()
            else { window.scrollTo(0, document.documentElement.scrollHeight); setTimeout(step, 20) }
          }
          step()
        })""",
        size,
    )


async def _changes(page: Page, database_url: str, rounds: int) -> list[float]:
    """Milliseconds from commit to frame, for one row after another of those in view."""
    await page.evaluate("window.scrollTo(0, 0)")
    db = Db(database_url, min_size=1, max_size=1)
    await db.open()
    took: list[float] = []
    try:
        for number in range(rounds):
            name, state = f"web-{number:05}", State.PAUSED
            seen = asyncio.create_task(page.evaluate(_WHEN_SAYS, [name, state]))
            async with db.transaction() as tx:
                vm_id = await tx.fetchval("select id from vms where name = $1", name)
                vm = await vms.lock(tx, vm_id, sees_only=None)
                await vms.write_state(tx, vm_id, state)
                await events.emit(
                    tx,
                    type="vm.state_changed",
                    subject=vm.subject,
                    owner_user_id=vm.created_by_user_id,
                    data={"state": state, "previous": vm.state},
                )
            committed = time.time() * 1000
            took.append(await seen - committed)
    finally:
        await db.close()
    return took


async def _typing(page: Page, size: int, rounds: int) -> tuple[list[float], list[float]]:
    """How long each key took to be painted, and how long after the last one the found rows stood there."""
    found: list[float] = []
    search = page.get_by_label("Search VMs")
    name = ""
    for number in range(rounds):
        name = f"web-{size // 2 + number:05}"
        await search.fill("")
        await page.get_by_role("link", name="web-00000").wait_for()
        await search.press_sequentially(name, delay=60)
        typed = time.time() * 1000
        found.append(await page.evaluate(_WHEN_SAYS, [name, State.RUNNING]) - typed)
    told: list[float] = await page.evaluate("window.__typed")
    pressed = rounds * len(name)
    return told + [LEAST_TOLD_MS] * (pressed - len(told)), found


if __name__ == "__main__":
    sys.exit(main())
