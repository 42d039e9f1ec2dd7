"""A hub of the demo's own: `onecount up` on a temporary data dir and a free port."""

import contextlib
import random
import secrets
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from signal import SIGTERM

import requests

from app.demo.watch import within
from app.procfile import ROOT
from app.tether import tethered
from config.settings import Settings

START_SECONDS = 90.0
STOP_SECONDS = 40.0
EMAIL = "admin@localhost"


class NotStarted(Exception):
    """The hub did not come up; says what it printed."""


@contextlib.contextmanager
def temporary(environ: Mapping[str, str]) -> Iterator[Settings]:
    """Run one; nothing of the caller's own configuration reaches it."""
    with tempfile.TemporaryDirectory(prefix="onecount-hub-") as folder:
        kept = {k: v for k, v in environ.items() if not k.startswith("ONECOUNT_")}
        own = {
            **kept,
            "ONECOUNT_DATA_DIR": folder,
            "ONECOUNT_PORT": str(free_port()),
            "ONECOUNT_ADMIN_EMAIL": EMAIL,
            "ONECOUNT_ADMIN_PASSWORD": secrets.token_urlsafe(12),
            "ONECOUNT_SWEEP_SECONDS": "1",
            # Numbers are edited all day here, and nobody would be there to be asked.
            "ONECOUNT_HEALS_A_DAY": "100000",
            "ONECOUNT_WEB_WORKERS": "1",
        }
        settings = Settings.from_env(own)
        with started(own, settings, Path(folder) / "up.log"):
            yield settings


@contextlib.contextmanager
def started(
    environ: Mapping[str, str], settings: Settings, log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """`onecount up` with exactly this environment, which is what these settings say.

    Ready when it is given, stopped afterwards. Raises NotStarted with what it printed.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            tethered((sys.executable, "-m", "app.cli", "up"), SIGTERM),
            cwd=ROOT,
            env=dict(environ),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        ready = f"http://{settings.host}:{settings.port}/readyz"
        is_up = within(
            START_SECONDS, lambda: process.poll() is not None or answers(ready)
        )
        if not is_up or process.poll() is not None:
            raise NotStarted(log.read_text()[-2000:])
        yield process
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        process.kill()
        process.wait()


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).status_code == 200
    except requests.RequestException:
        return False


def free_port() -> int:
    """A port that nobody uses; not of those that the system hands out for outgoing
    calls, of which any may be taken before the hub is up."""
    while True:
        port = random.randrange(20_000, 32_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
