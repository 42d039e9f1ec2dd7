"""gunicorn: two processes of eight threads, alone or behind a proxy.

https://docs.gunicorn.org/en/stable/settings.html
"""

import gc
import importlib
import os
import shutil
import socket
from pathlib import Path
from typing import Any

from gunicorn.glogging import Logger

from config import logs
from config.settings import Settings

_settings = Settings.from_env(os.environ)


class _OneFormat(Logger):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's own lines, written as every other process writes its lines."""

    def setup(self, cfg: object) -> None:
        """Hand what gunicorn says to the root logger."""
        super().setup(cfg)
        logs.configure(_settings)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


_METRICS = "PROMETHEUS_MULTIPROC_DIR"

bind = f"{_settings.host}:{_settings.port}"
proc_name = "onecount-web"
worker_class = "gthread"
workers = _settings.web_workers
threads = _settings.web_threads

# Senders keep connections open; closing after the default two seconds loses requests
# that were on their way.
keepalive = 75
timeout = 30
graceful_timeout = 20
backlog = 2048

_MEMORY = Path("/dev/shm")  # noqa: S108 - gunicorn picks a name there and unlinks it
if _MEMORY.is_dir():
    # A worker notes there around every request that it is alive. On a disk that would
    # wait for what the database has made durable.
    worker_tmp_dir = str(_MEMORY)

limit_request_line = 4094
limit_request_fields = 100
limit_request_field_size = 8190

# Every request would cost a line; what matters is in the metrics and the audit log.
accesslog = None
loglevel = _settings.log_level.lower()
logger_class = _OneFormat
control_socket_disable = True

if _METRICS not in os.environ:
    # The client library reads this when it is imported: so not before this line.
    os.environ[_METRICS] = str(_settings.data_dir / "metrics")
    shutil.rmtree(os.environ[_METRICS], ignore_errors=True)
    os.makedirs(os.environ[_METRICS], exist_ok=True)


def on_starting(_server: object) -> None:
    """Import once what every worker needs: one that takes the place of another serves
    at once, and they share the memory. Nothing is opened before they are forked.

    The garbage collector would look at all modules again and again meanwhile, and move
    what is shared into each worker afterwards.
    """
    gc.disable()
    importlib.import_module("app.factory")
    gc.freeze()
    gc.enable()


QUIET_SECONDS = 30
"""How long the kernel keeps a connection on which nothing was said yet."""


def when_ready(server: Any) -> None:
    """Let connections be accepted when something is asked on them.

    A new one takes a thread for up to five seconds of saying nothing: sixteen that a
    sender, a browser or a proxy opened in advance, and nobody else would be answered.
    """
    if hasattr(socket, "TCP_DEFER_ACCEPT"):  # Linux
        for one in server.LISTENERS:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, QUIET_SECONDS)


COUNTED_BYTES = 64 * 1024
"""How large a worker's file for /metrics is from its first count on."""


def post_fork(server: Any, worker: object) -> None:
    """Have room on the disk for what this worker counts before it counts anything.

    The file is mapped into memory, with holes in it: on a full disk the first count would
    end the process (SIGBUS), and whoever sent the webhook would not hear a 503.
    """
    from prometheus_client import values

    counted = Path(os.environ[_METRICS], f"counter_{os.getpid()}.db")
    draft = counted.with_suffix(".draft")  # an empty file would be read by /metrics
    try:
        draft.write_bytes(bytes(COUNTED_BYTES))
        draft.replace(counted)
    except OSError as error:
        server.log.warning("what this worker counts is not in /metrics: %s", error)
        draft.unlink(missing_ok=True)
        unshared: Any = values
        unshared.ValueClass = values.MutexValue


def child_exit(server: object, worker: object) -> None:
    """Let go of what a dead worker was measuring."""
    from prometheus_client import multiprocess

    forget: Any = multiprocess.mark_process_dead
    forget(getattr(worker, "pid", 0))
