"""Pictures of every page, for the documentation: dark and light, desktop and phone, as WebP in docs/images.

    .venv/bin/python tools/screenshots.py [--url URL] [--vm NAME] [PAGE…]

Of an installation that runs, with whatever it holds; sign in is as `--username` with `--password`. `--vm` is a
running VM with a guest that answers, for the pages of one VM.
"""

import argparse
import asyncio
import base64
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, async_playwright

OUT = Path(__file__).parents[1] / "docs" / "images"
MOST_BYTES = 3_000_000
QUALITY = 60
SIZES = {"desktop": (1280, 800), "phone": (390, 844)}
SETTLE_MS = 700
LIVE_MS = 9000
"""How long a page of live figures is watched before it is taken."""

PAGES = {
    "sign-in": "/login",
    "dashboard": "/dashboard",
    "vms": "/vms?sort=name",
    "vms-cards": "/vms?sort=name&view=cards",
    "vm-overview": "/vms/{vm}",
    "vm-config": "/vms/{vm}?tab=config",
    "vm-storage": "/vms/{vm}?tab=storage",
    "vm-network": "/vms/{vm}?tab=network",
    "vm-snapshots": "/vms/{vm}?tab=snapshots",
    "vm-terminal": "/vms/{vm}?tab=terminal",
    "vm-console": "/vms/{vm}?tab=console",
    "vm-metrics": "/vms/{vm}?tab=metrics",
    "vm-activity": "/vms/{vm}?tab=activity",
    "create": "/vms/create",
    "create-machine": "/vms/create?step=machine",
    "create-review": "/vms/create?step=review",
    "create-restore": "/vms/create?from=snapshot",
    "snapshots": "/snapshots",
    "images": "/images",
    "templates": "/templates",
    "hosts": "/hosts",
    "operations": "/operations",
    "activity": "/activity",
    "settings": "/settings",
    "help": "/help",
}
LIVE = {"vm-terminal", "vm-metrics", "vms", "vms-cards"}


@dataclass(frozen=True)
class Wanted:
    url: str
    username: str
    password: str
    vm: str
    pages: list[str]


def main() -> int:
    parser = argparse.ArgumentParser(prog="tools/screenshots.py", description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:18080")
    parser.add_argument("--username", default="root")
    parser.add_argument("--password", default="root")
    parser.add_argument("--vm", default="web-1")
    parser.add_argument("pages", nargs="*", metavar="PAGE", help=", ".join(PAGES))
    options = parser.parse_args()
    pages = options.pages or list(PAGES)
    if unknown := set(pages) - set(PAGES):
        parser.error(f"there is no page {', '.join(sorted(unknown))}")
    OUT.mkdir(parents=True, exist_ok=True)
    asyncio.run(_take(Wanted(options.url, options.username, options.password, options.vm, pages)))
    size = sum(file.stat().st_size for file in OUT.iterdir())
    print(f"{OUT}: {size:,} bytes (at most {MOST_BYTES:,})")
    return 1 if size > MOST_BYTES else 0


async def _take(wanted: Wanted) -> None:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        raise SystemExit("no Chromium on this machine: on Debian, apt-get install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        for theme in ("dark", "light"):
            for size in SIZES:
                await _take_all(browser, wanted, theme=theme, size=size)
        await browser.close()


async def _take_all(browser: Browser, wanted: Wanted, *, theme: str, size: str) -> None:
    width, height = SIZES[size]
    context = await browser.new_context(viewport={"width": width, "height": height}, ignore_https_errors=True)
    await context.add_init_script(f"localStorage.setItem('theme', '{theme}')")
    page = await context.new_page()
    if "sign-in" in wanted.pages:
        await page.goto(wanted.url + PAGES["sign-in"])
        await _shoot(page, f"sign-in-{theme}-{size}")
    vm = await _sign_in(page, wanted)
    for name in wanted.pages:
        if name == "sign-in":
            continue
        await page.goto(wanted.url + PAGES[name].format(vm=vm))
        await page.get_by_role("heading", level=1).first.wait_for(timeout=60_000)
        await _use(page, name)
        await _shoot(page, f"{name}-{theme}-{size}")
    await context.close()


async def _sign_in(page: Page, wanted: Wanted) -> str:
    """The id of the VM to show."""
    login = {"username": wanted.username, "password": wanted.password}
    answer = await page.request.post(f"{wanted.url}/v1/auth/login", data=login, headers={"Origin": wanted.url})
    if not answer.ok:
        raise SystemExit(f"could not sign in: {await answer.text()}")
    found = (await (await page.request.get(f"{wanted.url}/v1/vms?name={wanted.vm}")).json())["items"]
    if not found:
        raise SystemExit(f"there is no VM {wanted.vm}")
    return found[0]["id"]


async def _use(page: Page, name: str) -> None:
    """Let the page come to rest, or to life."""
    if name == "vm-terminal":
        await page.get_by_text("connected", exact=True).wait_for(timeout=60_000)
        await page.keyboard.type("uname -a; uptime; df -h /\n")
    await page.wait_for_timeout(LIVE_MS if name in LIVE else SETTLE_MS)


async def _shoot(page: Page, name: str) -> None:
    """By the browser's own protocol, which knows WebP."""
    session: Any = await page.context.new_cdp_session(page)
    shot = await session.send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    (OUT / f"{name}.webp").write_bytes(base64.b64decode(shot["data"]))


if __name__ == "__main__":
    sys.exit(main())
