"""Watching: a thread that tells people what is wrong.

Beside the scheduler's rounds and beside the inbound worker, so that either tells when
the other is dead, stopped or hangs; a lease says which of them looks. It is a thread of
its own, so that a service which hangs delays no round; and another watches that thread,
for a database may also never answer: frozen, or locked by somebody else's program.
"""

import threading
import time
import uuid

import structlog
from sqlalchemy.engine import Engine

from app.domain.instants import SECOND, now
from app.messenger import Messenger
from app.pipeline.watching.alerting import Outages, Tell, watch
from app.store import leases
from app.store.engine import writing
from app.store.trouble import AWAY, need_room, trouble
from config.settings import Settings

LOOK_SECONDS = 5.0
LEASE = "watching"
LEASE_SECONDS = 30.0
"""How long the other waits before it looks instead."""
SILENT_SECONDS = 20.0
"""A database that takes longer for a look does not answer."""

log = structlog.get_logger()


class Watch:
    """Looks every few seconds, if anybody is to be told and nobody else looks."""

    def __init__(self, engine: Engine, settings: Settings, who: str) -> None:
        """`who` tells, where the database cannot say who does."""
        self._engine = engine
        self._outages = Outages(who)
        self._patience = int(settings.alert_after_seconds * SECOND)
        self._urls = settings.alerts
        self._name = uuid.uuid4().hex
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._asked_at: float | None = None

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
            messenger = Messenger(self._urls)
        except ValueError as error:
            log.error("nobody can be told what is wrong", error=f"ALERTS: {error}")
            return
        heed = threading.Thread(target=self._heed_silence, args=(messenger,))
        heed.daemon = True
        heed.start()
        while not self._stopping.wait(LOOK_SECONDS):
            self._look(messenger.tell)
            messenger.again()
        heed.join()

    def _heed_silence(self, messenger: Messenger) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            asked_at = self._asked_at
            if asked_at and time.monotonic() - asked_at > SILENT_SECONDS:
                self._outages.heed(AWAY, messenger.tell, now())

    def _look(self, tell: Tell) -> None:
        def tell_meanwhile(title: str, text: str) -> bool:
            # It is not the database that is waited for.
            self._asked_at = None
            is_heard = tell(title, text)
            self._asked_at = time.monotonic()
            return is_heard

        wrong, self._asked_at = None, time.monotonic()
        try:
            with writing(self._engine, durable=False) as connection:
                need_room(connection)
                is_ours = leases.acquire(connection, LEASE, self._name, LEASE_SECONDS)
            if is_ours:
                watch(self._engine, tell_meanwhile, now(), self._patience)
        except Exception as error:
            log.exception("looking for trouble failed")
            wrong = trouble(error)
            if wrong is None:
                # It says nothing of the database, nor that it is well again.
                return
        finally:
            self._asked_at = None
        self._outages.heed(wrong, tell, now())
