"""The bell: requests ring it, one thread of the process tells Redis for all of them.

A sender's answer must not wait for Redis, and a hundred webhooks stored in one moment
need one wake, not a hundred. A ring that is lost with its process costs the time to the
next sweep, like any lost wake.
"""

import threading
import time

from app.queues import INBOUND, Wakes

PAUSE_SECONDS = 0.005
"""After a wake; whatever is rung meanwhile shares the next one. A wake takes from the
requests that are being served ten times what a ring does."""
CALM_SECONDS = 0.02
"""The same after a wake for channels alone: their answers take longer than that."""


class Bell:
    """Wakes lanes soon, from a thread that begins at the first ring."""

    def __init__(self, wakes: Wakes) -> None:
        self._wakes = wakes
        self._rung: set[str] = set()
        self._ringing = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def wake(self, lane: str) -> None:
        """Have this lane woken; returns at once."""
        self._rung.add(lane)
        self._ringing.set()
        if self._thread is None:
            with self._starting:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._tell, daemon=True)
                    self._thread.start()

    def ping(self) -> bool:
        """Whether Redis answers."""
        return self._wakes.ping()

    def close(self) -> None:
        """Tell what is rung, then end the thread and let go of Redis."""
        self._is_closed = True
        self._ringing.set()
        if self._thread is not None:
            self._thread.join()
        self._wakes.redis.close()

    def _tell(self) -> None:
        while not self._is_closed or self._rung:
            self._ringing.wait()
            # Cleared before reading: what is rung from here on sets it again.
            self._ringing.clear()
            rung = [self._rung.pop() for _ in range(len(self._rung))]
            if rung:
                self._wakes.wake_all(rung)
                time.sleep(PAUSE_SECONDS if INBOUND in rung else CALM_SECONDS)
