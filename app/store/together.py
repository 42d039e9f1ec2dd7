"""Together: threads of one process that want to write at the same time share one write.

What can only be done one after the other can share what stands around it: the wait for
its turn, the statements, and the wait for the disk.
"""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Condition
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")
Waiting = tuple[Asked, Future[Answer]]


class Together(Generic[Asked, Answer]):
    """Those who ask for the same. One of them serves all who came until then."""

    def __init__(self) -> None:
        self._waiting: list[Waiting[Asked, Answer]] = []
        self._change = Condition()
        self._is_served = False

    def served(
        self,
        asked: Asked,
        serve: Callable[[Callable[[], list[Waiting[Asked, Answer]]]], None],
    ) -> Answer:
        """What is answered, or raised, to `asked`.

        `serve` answers everybody who has come by the time that it is its turn: it is
        then told of them by the function it is given.
        """
        mine: Future[Answer] = Future()
        with self._change:
            self._waiting.append((asked, mine))
            self._change.wait_for(lambda: mine.done() or not self._is_served)
            if mine.done():
                return mine.result()
            self._is_served = True
        try:
            serve(self._come)
        finally:
            with self._change:
                self._is_served = False
                self._change.notify_all()
        return mine.result()

    def _come(self) -> list[Waiting[Asked, Answer]]:
        with self._change:
            come, self._waiting = self._waiting, []
        return come
