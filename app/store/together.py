"""Together: threads of one process that want to write at the same time share one write.

What can only be done one after the other can share what stands around it: the wait for
its turn, the statements, and the wait for the disk.
"""

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Generic, TypeVar

from app.store.trouble import trouble

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


class Seat(Generic[Answer]):
    """Where one who asks waits: woken once, to be answered or to serve."""

    def __init__(self) -> None:
        self._bell = Lock()
        self._bell.acquire()
        self._answers: list[Answer] = []
        self._error: Exception | None = None

    def set_result(self, answer: Answer) -> None:
        """Answer who sits here."""
        self._answers.append(answer)
        self._bell.release()

    def set_exception(self, error: Exception) -> None:
        """Let it be raised to who sits here."""
        self._error = error
        self._bell.release()

    def call(self) -> None:
        """Let who sits here serve."""
        self._bell.release()

    def wait(self) -> bool:
        """Wait; whether there is an answer. Else it is this one's turn to serve."""
        self._bell.acquire()
        return bool(self._answers) or self._error is not None

    def result(self) -> Answer:
        """What was answered, or raised."""
        if self._error is not None:
            raise self._error
        return self._answers[0]


Waiting = tuple[Asked, Seat[Answer]]
Come = Callable[[], list[Asked]]
Serve = Callable[[Come[Asked]], Sequence[Answer | Exception]]


class Together(Generic[Asked, Answer]):
    """Those who ask for the same. One of them serves all who came until then, and
    hands on to one of those who came meanwhile."""

    def __init__(self) -> None:
        self._waiting: list[Waiting[Asked, Answer]] = []
        self._lock = Lock()
        self._is_served = False

    def served(self, asked: Asked, serve: Serve[Asked, Answer]) -> Answer:
        """What is answered, or raised, to `asked`.

        `serve` answers everybody who has come by the time that it is its turn: the
        function it is given tells what they ask, and it returns an answer for each, or
        an error to raise. What it raises itself for another reason than the database is
        found out one by one: nobody pays for what somebody else asked.
        """
        mine = Seat[Answer]()
        with self._lock:
            self._waiting.append((asked, mine))
            is_first, self._is_served = not self._is_served, True
        if is_first or not mine.wait():
            try:
                self._share(serve, self._come)
            finally:
                self._hand_on(mine)
        return mine.result()

    def _share(
        self,
        serve: Serve[Asked, Answer],
        come: Callable[[], list[Waiting[Asked, Answer]]],
    ) -> None:
        here: list[Waiting[Asked, Answer]] = []

        def all_asked() -> list[Asked]:
            here.extend(come())
            return [asked for asked, _ in here]

        try:
            answers = serve(all_asked)
        except Exception as error:  # noqa: BLE001 - each hears of it from their own call
            here = here or come()
            if len(here) > 1 and trouble(error) is None:
                for one in here:
                    self._share(serve, [one].copy)
            else:
                for _, seat in here:
                    seat.set_exception(error)
            return
        for (_, seat), answer in zip(here, answers, strict=True):
            if isinstance(answer, Exception):
                seat.set_exception(answer)
            else:
                seat.set_result(answer)

    def _come(self) -> list[Waiting[Asked, Answer]]:
        with self._lock:
            come, self._waiting = self._waiting, []
        return come

    def _hand_on(self, done: Seat[Answer]) -> None:
        with self._lock:
            # Who died before asking who came still sits there, and hears no call.
            self._waiting = [one for one in self._waiting if one[1] is not done]
            if self._waiting:
                self._waiting[0][1].call()
            else:
                self._is_served = False
