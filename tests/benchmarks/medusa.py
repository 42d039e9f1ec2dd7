"""Medusa's inventory module in a Node process, when Node and npm are there.

https://www.npmjs.com/package/@medusajs/inventory: the stock function of a shop system
that many use. It is installed into `build/peers` once, and asked line by line.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from tests.benchmarks import servers

HOME = servers.ROOT / "build" / "peers"
PACKAGES = ("@medusajs/inventory@2", "@medusajs/framework@2", "@medusajs/test-utils@2")
_SCRIPT = Path(__file__).with_suffix(".js")
_INSTALL_SECONDS = 600


class NotHere(Exception):
    """There is nothing to compare with; says what is missing."""


def modules() -> Path:
    """The folder of its packages, installed now if need be. Raises NotHere."""
    if shutil.which("node") is None:
        raise NotHere("node is not here")
    found = HOME / "node_modules"
    if not (found / "@medusajs" / "inventory").is_dir():
        _install()
    return found


def _install() -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise NotHere("npm is not here")
    HOME.mkdir(parents=True, exist_ok=True)
    (HOME / "package.json").write_text('{"name": "peers", "private": true}')
    command = (npm, "install", "--no-audit", "--no-fund", *PACKAGES)
    try:
        subprocess.run(
            command, cwd=HOME, check=True, capture_output=True, timeout=_INSTALL_SECONDS
        )
    except (subprocess.SubprocessError, OSError) as error:
        raise NotHere("npm could not install @medusajs/inventory") from error


class Medusa:
    """The module, on an empty PostgreSQL database of its own."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.done = self.lost = 0
        """Adjustments since these were last set to 0, and how many had no effect."""

    def ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """One question, one answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{json.dumps(question)}\n")
        self._process.stdin.flush()
        return self.hear()

    def hear(self) -> dict[str, Any]:
        """The next line it says."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise NotHere("Medusa's inventory module did not start")
        told: dict[str, Any] = json.loads(line)
        return told

    def adjust(self, clients: int, seconds: float) -> float:
        """Adjustments of one hot item a second."""
        told = self.ask({"adjust": clients, "seconds": seconds})
        self.done += told["done"]
        self.lost += told["lost"]
        return float(told["done"] / told["seconds"])

    def accepts(self, buyers: int, units: int) -> int:
        """How many of these buyers it lets reserve one of so many units."""
        return int(self.ask({"reserve": buyers, "units": units})["accepted"])


@contextmanager
def medusa(server: sa.URL) -> Iterator[Medusa]:
    """Start it on a database of its own; raises NotHere."""
    packages = modules()
    with _database(server, "medusa"):
        process = subprocess.Popen(
            ("node", str(_SCRIPT), "postgresql:///medusa"),
            cwd=HOME,
            env={**os.environ, **_way_to(server), "NODE_PATH": str(packages)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            started = Medusa(process)
            started.hear()
            yield started
        finally:
            process.kill()
            process.wait()


def _way_to(server: sa.URL) -> dict[str, str]:
    """How PostgreSQL's own clients are told of a server, a socket's folder included."""
    host = server.host or str(server.query.get("host", ""))
    told = {"PGHOST": host, "PGUSER": server.username or "postgres"}
    told |= {
        "PGPASSWORD": str(server.password or ""),
        "PGPORT": str(server.port or 5432),
    }
    return told


@contextmanager
def _database(server: sa.URL, name: str) -> Iterator[None]:
    admin = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f'CREATE DATABASE "{name}"')
    try:
        yield
    finally:
        with admin.connect() as connection:
            connection.exec_driver_sql(f'DROP DATABASE "{name}" WITH (FORCE)')
        admin.dispose()
