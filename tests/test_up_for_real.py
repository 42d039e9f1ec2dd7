"""`onecount up` as a retailer starts it: one command, and everything answers."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests

from app.commands.up import only_one
from app.demo.hub import free_port
from app.procfile import ROOT

PROCESSES = {
    "gunicorn": "app.factory",
    "workers": "workers.run",
    "valkey": "valkey-server",
}


class Hub:
    """`onecount up` on a data dir of its own, with nothing else set."""

    def __init__(self, folder: Path) -> None:
        self.address = f"http://127.0.0.1:{(port := free_port())}"
        self.log = folder / "log"
        kept = {k: v for k, v in os.environ.items() if not k.startswith("ONECOUNT_")}
        self.environ = {
            **kept,
            "ONECOUNT_DATA_DIR": str(folder / "data"),
            "ONECOUNT_PORT": str(port),
            "ONECOUNT_WEB_WORKERS": "1",
            "ONECOUNT_OUTBOUND_WORKERS": "1",
        }
        with self.log.open("w") as log:
            self.process = self.start(log)

    def start(self, log: object = subprocess.PIPE) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "app.cli", "up"],
            cwd=ROOT,
            env=self.environ,
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def answers(self, path: str) -> bool:
        try:
            return requests.get(self.address + path, timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def says(self, path: str) -> dict[str, object]:
        try:
            return requests.get(self.address + path, timeout=5).json()
        except requests.RequestException:  # or no answer yet: it is starting
            return {}

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def running(self, word: str) -> list[psutil.Process]:
        found = []
        for process in self.family():
            try:
                if word in " ".join(process.cmdline()):
                    found.append(process)
            except psutil.NoSuchProcess:
                continue
        return found


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    started = Hub(tmp_path)
    yield started
    started.process.terminate()
    try:
        started.process.wait(30)
    finally:
        started.process.kill()


def test_one_command_runs_everything_and_a_stop_ends_it_all(hub, eventually) -> None:
    eventually(lambda: "Password:" in hub.log.read_text(), within=60)
    assert hub.answers("/healthz")
    assert hub.answers("/readyz")
    for word in PROCESSES.values():
        eventually(lambda word=word: hub.running(word))
    assert re.search(r"E-mail: +admin@localhost", hub.log.read_text())

    second = hub.start()
    said, _ = second.communicate(timeout=30)
    assert second.returncode == 1
    assert f"already running on {hub.environ['ONECOUNT_DATA_DIR']}" in said

    family = hub.family()
    hub.process.send_signal(signal.SIGTERM)

    assert hub.process.wait(30) == 0
    assert not any(process.is_running() for process in family)
    assert "Traceback" not in hub.log.read_text()


def test_the_web_and_valkey_come_back_when_they_are_killed(hub, eventually) -> None:
    eventually(lambda: "Password:" in hub.log.read_text(), within=60)

    for word in ("valkey-server", "app.factory"):
        (first, *_) = hub.running(word)
        first.kill()
        eventually(lambda word=word, first=first: first not in hub.running(word))
        eventually(lambda word=word: hub.running(word), within=30)

    eventually(lambda: hub.says("/readyz").get("redis") == "ok", within=30)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel cannot be asked")
def test_nothing_survives_a_killed_hub(hub, eventually) -> None:
    eventually(lambda: "Password:" in hub.log.read_text(), within=60)
    family = hub.family()

    hub.process.kill()

    eventually(lambda: not any(map(is_alive, family)), within=30)
    with only_one(Path(hub.environ["ONECOUNT_DATA_DIR"])):
        pass  # and the data dir is free again


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
