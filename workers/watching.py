"""Watching: a thread beside the scheduler's rounds that tells people what is wrong.

It has a thread of its own, so that a service which hangs delays no round, and so that
it notices when the rounds themselves stand still.
"""

import threading
import time

import structlog
from sqlalchemy.engine import Engine

from app.domain.instants import SECOND, now
from app.messenger import by_apprise
from app.pipeline.watching.alerting import Tell, watch
from config.settings import Settings

LOOK_SECONDS = 5.0
SILENT_SECONDS = 60.0

log = structlog.get_logger()


class Watch:
    """Looks every few seconds, if anybody is to be told."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine = engine
        self._patience = int(settings.alert_after_seconds * SECOND)
        self._urls = settings.alerts
        self._beat = time.monotonic()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def beat(self) -> None:
        """A round of the scheduler is over."""
        self._beat = time.monotonic()

    def start(self) -> None:
        """Begin to look."""
        if self._urls:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stop looking."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            tell = by_apprise(self._urls)
        except ValueError as error:
            log.error("nobody can be told what is wrong", error=f"ALERTS: {error}")
            return
        while not self._stopping.wait(LOOK_SECONDS):
            self._look(tell)

    def _look(self, tell: Tell) -> None:
        silent = {}
        if time.monotonic() - self._beat > SILENT_SECONDS:
            words = f"the scheduler has made no round for {SILENT_SECONDS:.0f} seconds"
            silent["silent:scheduler"] = words
        try:
            watch(self._engine, tell, now(), self._patience, silent)
        except Exception:
            # The database may be away; the next look tries again.
            log.exception("looking for trouble failed")
