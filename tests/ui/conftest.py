"""A real browser on a real installation. What a page says on its console, and what its policy stops, fails the test."""

import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright
from tests.cli.installation import Installation, installed

from nexus.local.images import Store

PATIENCE_MS = 60_000
"""How long a page may take to show something: these machines are shared and slow."""

_QUIET = ("--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync")
_EXPECTED_REFUSALS = ("401", "404", "409", "422")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """For a file, no longer: an event loop of its own runs in this thread until it ends, and no other could begin."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium on this machine: on Debian, apt-get install chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=[*_QUIET, "--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="session")
def fleet(session_tmp: Path, built_images: Store) -> Iterator[Installation]:
    """An installation whose machines are simulated, with a few of them."""
    home = session_tmp / "ui"
    home.mkdir(mode=0o711)
    with installed(home, built_images, AGENT_VMM="fake") as site:
        for name in ("web-1", "web-2", "web-3"):
            site.done("vm", "create", name, "--tag", "web", "--description", "for the browser")
        site.done("vm", "create", "db-1", "--no-start", "--tag", "db")
        site.done("snapshot", "create", "web-1", "--name", "kept")
        yield site


class Visitor:
    """Somebody at a browser: `page`, and what went wrong on it."""

    def __init__(self, page: Page, base: str) -> None:
        self.page = page
        self.base = base
        self.troubles: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda message: self._hear(message.type, message.text))
        page.on("pageerror", lambda error: self.troubles.append(str(error)))

    def _hear(self, kind: str, text: str) -> None:
        is_refusal = "Failed to load resource" in text and any(status in text for status in _EXPECTED_REFUSALS)
        is_refusal |= "HTTP Authentication failed" in text  # how a WebSocket tells of 401
        if kind in ("error", "warning") and not is_refusal:
            self.troubles.append(text)

    def visit(self, path: str) -> None:
        self.page.goto(self.base + path)

    def sign_in(self) -> None:
        self.visit("/login")
        self.page.get_by_label("User name").fill("root")
        self.page.get_by_label("Password").fill("root")
        self.page.keyboard.press("Enter")
        self.page.wait_for_url("**/dashboard")
        self.page.get_by_role("heading", level=1).wait_for()  # before that no key is heard


Visits = Callable[..., Visitor]
"""What the fixture `visits` is."""


@pytest.fixture
def visits(browser: Browser) -> Iterator[Visits]:
    """`visits(site, theme=…, size=…)`: a visitor who is signed in."""
    with ExitStack() as stack:
        made: list[Visitor] = []

        def visit(site: Installation, *, theme: str = "dark", size: tuple[int, int] = (1360, 860)) -> Visitor:
            visitor = stack.enter_context(_visitor(browser, site, theme, size))
            made.append(visitor)
            visitor.sign_in()
            return visitor

        yield visit
        for visitor in made:
            assert visitor.troubles == []


@contextmanager
def _visitor(browser: Browser, site: Installation, theme: str, size: tuple[int, int]) -> Generator[Visitor]:
    context = browser.new_context(viewport=ViewportSize(width=size[0], height=size[1]))
    context.add_init_script(f"localStorage.setItem('theme', '{theme}')")
    try:
        yield Visitor(context.new_page(), f"http://{site.environment['MANAGER_BIND']}")
    finally:
        context.close()
