"""The hub as it really runs: gunicorn, an outbound worker, a channel over HTTP, and
Chromium in front of it. Set CHROMIUM where the browser is not on the PATH."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO

import psutil
import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from sqlalchemy.engine import Engine

from app.demo.hub import free_port
from app.store.engine import writing
from app.store.people import people
from app.store.vault import Vault
from config.settings import Settings
from tests.builders import Shop

ROOT = Path(__file__).parent.parent.parent
PICTURES = ROOT / "var" / "screenshots"
"""What every test saw at its end, and all pages: to be looked at after a run."""
EMAIL = "anna@blue-jacket.example"
PASSWORD = "correct horse battery"
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture
def backend() -> str:
    """One database is enough here: the pages' own tests run on both."""
    return "sqlite"


@pytest.fixture(scope="session")
def chromium() -> str:
    named = os.environ.get("CHROMIUM")
    found = named or shutil.which("chromium") or shutil.which("chromium-browser")
    if not found or not Path(found).exists():
        pytest.fail(
            f"no Chromium at {named!r}; install Debian's package chromium, or name "
            "the browser in CHROMIUM"
            if named
            else "no Chromium on the PATH; install Debian's package chromium, or name "
            "the browser in CHROMIUM",
            pytrace=False,
        )
    return found


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(QUIET))
        yield browser
        browser.close()


# -- the hub ---------------------------------------------------------------------


@dataclass(frozen=True)
class Web:
    """gunicorn with one worker. The next test gets another worker, which knows nothing
    of the last one's: it is forked at once, where a process would take seconds."""

    settings: Settings
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def database(self) -> Path:
        return self.settings.data_dir / "onecount.db"

    def begin_anew(self, template: Path) -> None:
        """Let nothing remain of the last test, and serve a copy of this database."""
        for worker in psutil.Process(self.process.pid).children():
            worker.kill()
            worker.wait(timeout=10)
        for part in self.database.parent.glob(f"{self.database.name}*"):
            part.unlink()  # what belongs to it, too: nothing of it may be replayed
        shutil.copy(template, self.database)


@pytest.fixture(scope="session")
def web(valkey_server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    port, folder = free_port(), tmp_path_factory.mktemp("browser")
    settings = Settings(
        database_url=f"sqlite:///{folder / 'onecount.db'}",
        redis_url=f"redis://{valkey_server.host}:{valkey_server.port}/0",
        data_dir=folder,
        secret_key="a secret key for tests only",
        port=port,
        public_url=f"http://127.0.0.1:{port}",
        retry_limit=1,
        web_workers=1,
        outbound_workers=1,
        private_addresses=True,
    )
    log = folder / "web.log"
    command = ("gunicorn", "-c", "config/gunicorn.conf.py", "app.factory:create_app()")
    with log.open("wb") as output:
        process = started(settings, command, output)
        yield Web(settings, process, log)
        stop(process)


@pytest.fixture
def database_url(web: Web, _sqlite_template: Path) -> str:
    web.begin_anew(_sqlite_template)
    return web.settings.database_url


@pytest.fixture
def settings(web: Web, database_url: str, redis_url: str) -> Settings:
    return web.settings


@pytest.fixture
def run(settings: Settings, tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Start a process of the hub; all are stopped afterwards."""
    processes: list[subprocess.Popen[bytes]] = []
    with (tmp_path / "processes.log").open("wb") as output:
        yield lambda *command: processes.append(started(settings, command, output))
        stop(*processes)


def started(
    settings: Settings, command: Sequence[str], output: BinaryIO
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env={**os.environ, **settings.to_env()},
        stdout=output,
        stderr=subprocess.STDOUT,
    )


def stop(*processes: subprocess.Popen[bytes]) -> None:
    for process in processes:
        process.send_signal(signal.SIGTERM)
    for process in processes:
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture
def hub(web: Web, settings: Settings) -> str:
    """The address of a running hub with one login."""
    deadline = time.monotonic() + 90
    while True:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{settings.public_url}/healthz", timeout=5).close()
            return settings.public_url
        if time.monotonic() > deadline:
            pytest.fail(web.log.read_text(), pytrace=False)
        time.sleep(0.05)


@pytest.fixture
def shop(engine: Engine, settings: Settings) -> Iterator[Shop]:
    with writing(engine) as connection:
        people.create_user(connection, EMAIL, PASSWORD, people.OPERATOR)
    shop = Shop(engine, Vault(settings.secret_keys))
    yield shop
    shop.receiver.close()


# -- a channel ----------------------------------------------------------------------


@dataclass
class Endpoint:
    """A shop's own system: takes pushes, in the weather it is told."""

    url: str = ""
    status: int = 200
    text: str = "{}"
    pushes: list[bytes] = field(default_factory=list)


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    state = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            state.pushes.append(self.rfile.read(int(self.headers["content-length"])))
            body = state.text.encode()
            self.send_response(state.status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}/push"
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


# -- a person -------------------------------------------------------------------------


@dataclass
class Desk:
    """A browser window, and what went wrong in it."""

    page: Page
    hub: str
    troubles: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("dialog", self._dialog)
        self.page.on("console", self._said)

    def _dialog(self, dialog) -> None:
        self.troubles.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _said(self, message) -> None:
        if message.type == "error" and "Content Security Policy" in message.text:
            self.troubles.append(message.text)

    def open(self, path: str) -> Page:
        self.page.goto(f"{self.hub}{path}")
        return self.page

    def keep(self, name: str) -> None:
        """Keep a picture of what is seen now."""
        word = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "first"
        self.page.screenshot(path=PICTURES / f"{word}.png", full_page=True)

    def log_in(self, email: str = EMAIL) -> Page:
        page = self.open("/login")
        page.get_by_label("E-mail").fill(email)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url(f"{self.hub}/**")
        return page


@pytest.fixture
def desk(
    browser: Browser, hub: str, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Desk]]:
    """Open a window: `desk(width=390)`, `desk(java_script_enabled=False)`."""
    contexts = []
    desks: list[Desk] = []

    def make(width: int = 1280, height: int = 860, **options) -> Desk:
        context = browser.new_context(
            viewport={"width": width, "height": height}, **options
        )
        context.set_default_timeout(30_000)
        contexts.append(context)
        desks.append(Desk(context.new_page(), hub))
        return desks[-1]

    yield make
    for number, one in enumerate(desks):
        if not one.page.is_closed():
            one.keep(f"{request.node.name} {number or ''}")
    for context in contexts:
        context.close()
    assert [trouble for one in desks for trouble in one.troubles] == []
