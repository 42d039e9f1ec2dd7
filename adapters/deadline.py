"""Deadline: cuts off what takes longer than it may.

One thread watches while call follows call. To start one for each would keep the call
waiting for it: for milliseconds, where the processor is busy.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition, Thread


class Deadline:
    """Calls `cut` when what is under way has had its time; one thing at a time."""

    def __init__(self, cut: Callable[[], None]) -> None:
        self._cut = cut
        self._changed = Condition()
        self._ends: float | None = None
        self._looks_at = 0.0
        self._watch: Thread | None = None
        self.is_over = False
        """Whether the time of the last thing was up before it was done."""

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Cut off what is done here when it takes longer than that."""
        with self._changed:
            self.is_over, self._ends = False, time.monotonic() + seconds
            # In a fork of this process it is there, and does not live.
            if self._watch is None or not self._watch.is_alive():
                self._looks_at = self._ends
                self._watch = Thread(target=self._keep_watch, daemon=True)
                self._watch.start()
            elif self._ends < self._looks_at:
                self._looks_at = self._ends
                self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._ends = None

    def _keep_watch(self) -> None:
        """Look when the first thing seen has to be done; go when nothing is then.

        Not sooner: what is over before this thread first ran is followed by more.
        """
        with self._changed:
            while True:
                left = self._looks_at - time.monotonic()
                if left > 0:
                    self._changed.wait(left)
                elif self._ends is None:
                    break
                elif self._ends > self._looks_at:
                    self._looks_at = self._ends
                else:
                    self.is_over, self._ends = True, None
                    self._cut()
            self._watch = None
