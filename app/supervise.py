"""Keeping processes running: start them, start again what dies, stop them all.

circus does the watching; here it learns to wait longer after every early death, and
to stop what the others lean on last.
"""

import asyncio
import os
import shlex
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psutil
import structlog
from circus.arbiter import Arbiter
from circus.watcher import Watcher

from app.procfile import ROOT
from app.tether import adopt_orphans, tethered

log = structlog.get_logger(__name__)

LOOK_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 30.0
STEADY_SECONDS = 60.0
"""A process that lived this long is started again at once."""


@dataclass(frozen=True)
class Program:
    """One process to keep running."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    is_foundation: bool = False
    """The others lean on it: started first, stopped last."""
    is_ready: Callable[[], bool] = lambda: True
    """Waits until the foundation can be leaned on."""


class PatientWatcher(Watcher):
    """A watcher that starts a dead process again, later each time it dies early."""

    def __init__(self, program: Program, patience: float) -> None:
        ends_with = signal.SIGKILL if program.is_foundation else signal.SIGTERM
        command, *arguments = tethered(program.argv, ends_with)
        super().__init__(
            program.name,
            shlex.quote(command),
            args=arguments,
            working_dir=str(ROOT),
            env={**os.environ, **program.env},
            graceful_timeout=patience,
            priority=1 if program.is_foundation else 0,
            singleton=True,
            hooks={
                "after_start": (lambda **_: program.is_ready(), False),
                "after_reap": (self._note_end, True),
            },
        )
        self._exit_code: int | None = None
        self._started_at: float | None = None
        self._start_again_at: float | None = None
        self._early_deaths = 0

    def spawn_process(self, recovery_wid: int | None = None) -> Any:
        """Start it, unless it has to wait; circus asks again and again."""
        now = time.monotonic()
        if self._started_at is not None and self._start_again_at is None:
            self._start_again_at = now + self._wait(lived=now - self._started_at)
        if self._start_again_at is not None and now < self._start_again_at:
            return True
        self._started_at, self._start_again_at = now, None
        return super().spawn_process(recovery_wid)

    def _wait(self, lived: float) -> float:
        self._early_deaths = 0 if lived > STEADY_SECONDS else self._early_deaths + 1
        doubled = 0.25 * 2 ** min(self._early_deaths, 10)
        wait = min(doubled, LONGEST_WAIT_SECONDS) if self._early_deaths else 0.0
        log.warning(
            "process ended, starting it again",
            process=self.name,
            exit_code=self._exit_code,
            wait=wait,
        )
        return wait

    def _note_end(self, exit_code: int | None, **_: object) -> None:
        self._exit_code = exit_code


class OrderlyArbiter(Arbiter):
    """An arbiter that stops foundations after what stands on them."""

    async def _stop_watchers(
        self, close_output_streams: bool = False, watcher_iter_func: Any = None
    ) -> None:
        for priority in sorted({watcher.priority for watcher in self.watchers}):
            await asyncio.gather(
                *(
                    watcher._stop(close_output_streams)
                    for watcher in self.watchers
                    if watcher.priority == priority
                )
            )


async def run(
    programs: Sequence[Program], *, patience: float, meanwhile: Awaitable[None]
) -> bool:
    """Run until a signal says stop. False when something could not even start."""
    adopt_orphans()
    stopping = asyncio.Event()
    arbiter = OrderlyArbiter(
        [PatientWatcher(program, patience) for program in programs],
        # Nobody commands this arbiter from outside: its sockets stay in the process.
        endpoint="inproc://onecount-commands",
        pubsub_endpoint="inproc://onecount-events",
        check_delay=-1,
        loop=_current_loop(),
        proc_name="onecount",
    )
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        asyncio.get_running_loop().add_signal_handler(name, stopping.set)
    errand = asyncio.ensure_future(meanwhile)
    try:
        await arbiter.start()
        failed = [watcher.name for watcher in arbiter.watchers if watcher.is_stopped()]
        if failed:
            log.error("could not start", processes=failed)
        else:
            await _watch(arbiter, stopping)
        await arbiter.stop()
        return not failed
    finally:
        errand.cancel()
        await _end_what_is_left()


def _current_loop() -> Any:
    from tornado.ioloop import IOLoop

    return IOLoop.current()


async def _watch(arbiter: Arbiter, stopping: asyncio.Event) -> None:
    while not stopping.is_set():
        await arbiter.manage_watchers()
        try:
            await asyncio.wait_for(stopping.wait(), LOOK_SECONDS)
        except TimeoutError:
            continue


async def _end_what_is_left() -> None:
    """End grandchildren whose parents died without doing so."""
    left = psutil.Process().children(recursive=True)
    for process in left:
        process.terminate()
    _, stubborn = await asyncio.to_thread(psutil.wait_procs, left, 5)
    for process in stubborn:
        process.kill()
