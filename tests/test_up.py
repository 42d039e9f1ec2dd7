"""`onecount up`: real processes that die, are killed, and must not be left behind."""

import itertools
import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import click
import psutil
import pytest

from app.commands.up import only_one, with_free_port
from app.procfile import ROOT, processes
from config.settings import ConfigurationError, Settings

DRIVER = """
import asyncio, sys, time
from pathlib import Path
from app.procfile import processes
from app.supervise import Program, run

async def nothing(): pass

def has_started(name):
    while f"started {name} " not in Path(sys.argv[2]).read_text():
        time.sleep(0.01)
    return True

programs = [
    Program(
        line.name,
        line.argv,
        {},
        is_foundation=line.name == "base",
        is_ready=lambda name=line.name: name != "base" or has_started(name),
    )
    for line in processes(Path(sys.argv[1]))
]
sys.exit(not asyncio.run(run(programs, patience=5, meanwhile=nothing())))
"""

STEADY = """
import os, signal, sys, time
name, diary = sys.argv[1:3]

def write(word):
    with open(diary, "a") as file:
        file.write(f"{word} {name} {os.getpid()}\\n")

def stop(*_):
    write("stopped")
    sys.exit(0)

signal.signal(signal.SIGTERM, stop)
write("started")
while True:
    signal.pause()
"""

SHORT_LIVED = """
import psutil, sys
with open(sys.argv[2], "a") as file:
    file.write(f"started {sys.argv[1]} {psutil.Process().create_time()}\\n")
sys.exit(3)
"""

WITH_CHILD = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"],
                         start_new_session=True)
with open(sys.argv[2], "a") as file:
    file.write(f"started child {child.pid}\\nstarted {sys.argv[1]} {os.getpid()}\\n")
time.sleep(600)
"""


class Supervised:
    """A supervisor in a process of its own, over a Procfile of the test's."""

    def __init__(self, folder: Path, scripts: dict[str, str]) -> None:
        self.diary = folder / "diary"
        self.diary.touch()
        lines = []
        for name, script in scripts.items():
            path = folder / f"{name}.py"
            path.write_text(textwrap.dedent(script))
            lines.append(f"{name}: python {path} {name} {self.diary}")
        (folder / "Procfile").write_text("\n".join(lines))
        self.process = subprocess.Popen(
            [sys.executable, "-c", DRIVER, folder / "Procfile", self.diary], cwd=ROOT
        )

    def entries(self, word: str, name: str | None = None) -> list[str]:
        """The third words of the diary's lines."""
        lines = [line.split() for line in self.diary.read_text().splitlines()]
        return [
            third
            for first, second, third in lines
            if first == word and name in (None, second)
        ]

    def order_of(self, word: str) -> list[str]:
        lines = [line.split() for line in self.diary.read_text().splitlines()]
        return [second for first, second, _ in lines if first == word]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Callable[..., Supervised]]:
    started: list[Supervised] = []

    def start(**scripts: str) -> Supervised:
        started.append(Supervised(tmp_path, scripts))
        return started[-1]

    yield start
    for supervised in started:
        supervised.process.kill()
        supervised.process.wait()


def is_alive(pid: str) -> bool:
    try:
        return psutil.Process(int(pid)).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_killed_process_is_started_again(supervise, eventually) -> None:
    hub = supervise(web=STEADY, inbound=STEADY)
    eventually(lambda: len(hub.entries("started")) == 2)
    (first,) = hub.entries("started", "web")

    os.kill(int(first), signal.SIGKILL)

    eventually(lambda: len(hub.entries("started", "web")) == 2)
    assert len(hub.entries("started", "inbound")) == 1


def test_a_stop_ends_everything_and_what_others_lean_on_last(
    supervise, eventually
) -> None:
    hub = supervise(web=STEADY, base=STEADY, inbound=STEADY)
    eventually(lambda: len(hub.entries("started")) == 3)
    assert hub.order_of("started")[0] == "base"

    assert hub.stop() == 0

    assert sorted(hub.order_of("stopped")) == ["base", "inbound", "web"]
    assert hub.order_of("stopped")[-1] == "base"
    assert not any(map(is_alive, hub.entries("started")))


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel cannot be asked")
def test_killing_the_supervisor_leaves_nothing_running(supervise, eventually) -> None:
    hub = supervise(web=STEADY, base=STEADY)
    eventually(lambda: len(hub.entries("started")) == 2)

    hub.process.kill()

    eventually(lambda: not any(map(is_alive, hub.entries("started"))))


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel cannot be asked")
def test_what_a_killed_process_left_behind_is_ended(supervise, eventually) -> None:
    hub = supervise(web=WITH_CHILD)
    eventually(lambda: hub.entries("started", "web"))
    os.kill(int(hub.entries("started", "web")[0]), signal.SIGKILL)
    eventually(lambda: len(hub.entries("started", "web")) == 2)

    assert hub.stop() == 0

    children = hub.entries("started", "child")
    assert len(children) == 2
    assert not any(map(is_alive, children))


def test_a_process_that_dies_at_once_is_tried_again_ever_later(
    supervise, eventually
) -> None:
    hub = supervise(web=SHORT_LIVED, inbound=STEADY)

    eventually(lambda: len(hub.entries("started", "web")) >= 4)

    times = [float(when) for when in hub.entries("started", "web")[:4]]
    # How long each lived comes on top.
    for waited, least in zip(itertools.pairwise(times), (0.5, 1, 2), strict=True):
        assert waited[1] - waited[0] > least - 0.05
    assert len(hub.entries("started", "inbound")) == 1


def test_a_second_run_on_the_same_data_is_refused(tmp_path: Path) -> None:
    with only_one(tmp_path):
        with pytest.raises(click.ClickException) as caught, only_one(tmp_path):
            pass

        assert f"process {os.getpid()}" in str(caught.value)

    with only_one(tmp_path):
        pass


@pytest.fixture
def local(tmp_path: Path) -> Settings:
    return Settings.from_env({"ONECOUNT_DATA_DIR": str(tmp_path)})


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_taken_default_port_is_exchanged_for_a_free_one(
    local: Settings, taken_port: int, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setattr(Settings, "port", taken_port)
    usual = replace(local, port=taken_port, public_url=f"http://127.0.0.1:{taken_port}")

    moved = with_free_port(usual)

    assert moved.port != taken_port
    assert moved.public_url == f"http://127.0.0.1:{moved.port}"
    assert f"takes {moved.port}" in capsys.readouterr().out


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_of_another_machine_is_told_as_that(
    local: Settings, host: str
) -> None:
    with pytest.raises(click.ClickException, match="set ONECOUNT_HOST"):
        with_free_port(replace(local, host=host))


def test_a_chosen_port_is_never_exchanged(local: Settings, taken_port: int) -> None:
    with pytest.raises(click.ClickException, match="ONECOUNT_PORT"):
        with_free_port(replace(local, port=taken_port))


def test_the_procfile_names_the_four_processes() -> None:
    lines = processes()

    assert [line.name for line in lines] == ["web", "inbound", "outbound", "scheduler"]
    assert all(
        line.argv[0].startswith(str(Path(sys.executable).parent)) for line in lines
    )


def test_a_procfile_line_without_a_command_is_named(tmp_path: Path) -> None:
    (tmp_path / "Procfile").write_text("web: gunicorn\n\nnonsense\n")

    with pytest.raises(ConfigurationError, match="line 3"):
        processes(tmp_path / "Procfile")
