"""Start the workers of one kind: `python -m workers.run inbound|outbound|scheduler`.

RQ's SimpleWorker does not fork for each job: a job here is a drain that may serve a
thousand webhooks, and forking one that opens a connection costs a hundred milliseconds.
"""

import ctypes
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess

import redis
import rq
import structlog
from rq.serializers import JSONSerializer
from rq.timeouts import UnixSignalDeathPenalty

from app.domain.instants import now
from app.pipeline.applying import twins
from app.pipeline.proving import sealing
from app.queues import INBOUND, OUTBOUND, SLOW, Wakes
from app.store.engine import open_engine, writing
from app.store.watching import rounds
from config.logs import configure
from config.settings import Settings
from workers import connecting, hands, scheduled
from workers.watching import Watch

log = structlog.get_logger()

DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
STOPS = (signal.SIGTERM, signal.SIGINT)
RETRY_SECONDS = 1.0
PRUNE_SECONDS = 3600.0
NOTE_SECONDS = 10.0


class OutOfTime(BaseException):
    """A drain has had its time. No Exception: whoever handles one would take it for the
    fault of the message or the channel that was just dealt with."""


class Alarm(UnixSignalDeathPenalty):
    """Ends a drain that takes longer than it may."""

    def handle_death_penalty(self, _signum: int, _frame: object) -> None:
        """The signal has come."""
        raise OutOfTime(f"took longer than {self._timeout} seconds")


class Worker(rq.SimpleWorker):
    """A worker that keeps quiet about every drain it runs."""

    death_penalty_class = Alarm
    log_job_description = False
    # Longer, and a worker that is told to stop while Redis is away would not hear it.
    max_connection_wait_time = 2.0

    @property
    def is_told_to_stop(self) -> bool:
        """Whether somebody asked this worker to stop."""
        return self._shutdown_requested_date is not None


def work(queue: str) -> None:
    """Serve one queue for ever; a lost Redis is waited for."""
    settings = Settings.from_env(os.environ)
    configure(settings)
    while True:
        connection = redis.Redis.from_url(settings.redis_url)
        worker = None
        # RQ puts its own handlers in while it works, and takes them out again.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        try:
            worker = Worker(
                [rq.Queue(queue, connection=connection, serializer=JSONSerializer)],
                connection=connection,
                serializer=JSONSerializer,
            )
            worker.work(logging_level="WARNING")
            return
        except redis.RedisError as error:
            if worker is not None and worker.is_told_to_stop:
                return
            log.warning("redis is away", queue=queue, error=str(error))
            time.sleep(RETRY_SECONDS)


def pool(queues: list[str]) -> None:
    """One worker process per entry; one that dies is replaced."""
    running: dict[BaseProcess, str] = {}
    stopping: list[int] = []

    def stop(number: int, _frame: object) -> None:
        stopping.append(number)
        for process in running:
            process.terminate()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    waiting = list(queues)
    while waiting or running:
        while waiting and not stopping:
            _start(waiting.pop(0), running, stopping)
        wait([p.sentinel for p in running], timeout=1)
        for process in [p for p in running if not p.is_alive()]:
            queue = running.pop(process)
            if not stopping:
                log.warning("worker died", queue=queue, exit=process.exitcode)
                time.sleep(RETRY_SECONDS)
                waiting.append(queue)
        if stopping:
            waiting.clear()


def _start(
    queue: str, running: dict[BaseProcess, str], stopping: Sequence[int]
) -> None:
    """Start a worker, unless they are to stop. A signal in between is kept: it would be
    told to nobody who is not known yet, and be lost on a process that has no handlers of
    its own yet."""
    context = multiprocessing.get_context("fork")
    process: BaseProcess = context.Process(target=_child, args=(queue,))
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        if not stopping:
            process.start()
            running[process] = queue
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)


def _child(queue: str) -> None:
    for one in STOPS:
        signal.signal(one, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGTERM)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
    work(queue)


def schedule() -> None:
    """Sweep for ever, every few seconds; prune every hour."""
    settings = Settings.from_env(os.environ)
    configure(settings)
    mine = hands.make(settings)
    Watch(mine.engine, settings, "scheduler").start()
    connecting.start(mine)
    acts: tuple[Callable[[], object], ...] = (
        lambda: scheduled.sweep(mine),
        lambda: twins.look(mine.engine, now()),
        lambda: sealing.seal(mine.engine, now()),
    )
    pruned = noted = 0.0
    while True:
        try:
            for act in acts:
                act()
                # All in one go, they would take the processor from what is sold.
                time.sleep(settings.sweep_seconds / len(acts))
            if time.monotonic() - noted > NOTE_SECONDS:
                with writing(mine.engine, durable=False) as connection:
                    rounds.over(connection)
                noted = time.monotonic()
            if time.monotonic() - pruned > PRUNE_SECONDS:
                scheduled.prune(mine)
                pruned = time.monotonic()
        except Exception:
            # The database may be away for a while; the next round tries again.
            log.exception("sweep failed")
            time.sleep(settings.sweep_seconds)


def apply() -> None:
    """Serve the inbound lane; watch beside it, also over the scheduler."""
    settings = Settings.from_env(os.environ)
    # One process serves this lane: whoever said to be draining it is dead.
    Wakes(settings.redis_url).died("inbound")
    engine = open_engine(settings.database_url, pool_size=1)
    Watch(engine, settings, "inbound worker").start()
    work(INBOUND)


def main(kind: str) -> None:
    """Run one kind of worker until it is told to stop."""
    if kind == "scheduler":
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        schedule()
    elif kind == "inbound":
        apply()
    elif kind == "outbound":
        count = Settings.from_env(os.environ).outbound_workers
        pool([OUTBOUND] * count + [SLOW])
    else:
        sys.exit(f"no workers of kind {kind!r}: inbound, outbound or scheduler")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
