"""How a sandbox channel delivers its webhooks: at least once, retried, not in order.

A small heap of deliveries and a few threads. The provider's habits are the list of
waiting times between tries; duplicates, losses and reordering come with the weather.
"""

import heapq
import itertools
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import requests

HeadersFor = Callable[[bytes, int], Mapping[str, str]]
"""(body, try number from 0) → all headers of that try, the signature included."""


@dataclass
class Weather:
    """How the channel behaves from now on; the defaults are fair weather."""

    status: int | None = None
    """Every API call is answered with this status."""
    retry_after: float | None = None
    delay: float = 0.0
    """Seconds before an API call is answered."""
    errors: float = 0.0
    """Share of API calls that fail and are answered 200, with the error in the body,
    where the provider does that."""
    hang_up: float = 0.0
    """Share of API calls that are carried out but whose answer is lost."""
    drop: float = 0.0
    """Share of webhooks that are never sent."""
    duplicate: float = 0.0
    """Share of webhooks that are delivered twice."""
    reorder: bool = False
    """Webhooks wait a random moment, so that they overtake each other."""
    lie: bool = False
    """Writes are confirmed and not carried out."""
    ahead: float = 0.0
    """Seconds by which the channel's clock is ahead of everybody else's."""


@dataclass(order=True)
class _Delivery:
    due: float
    turn: int
    url: str = field(compare=False)
    body: bytes = field(compare=False)
    headers: HeadersFor = field(compare=False)
    tries: int = field(compare=False, default=0)


class Sender:
    """Delivers webhooks in the background until `close`."""

    def __init__(
        self,
        url: str | None,
        retry_seconds: Sequence[float],
        *,
        timeout: float = 5.0,
        threads: int = 4,
    ) -> None:
        self.url = url
        self.retry_seconds = list(retry_seconds)
        self.timeout = timeout
        self.weather = Weather()
        self.sent = 0
        self.failed = 0
        self._open = 0
        self._heap: list[_Delivery] = []
        self._turns = itertools.count()
        self._changed = threading.Condition()
        self._closed = False
        for _ in range(threads):
            threading.Thread(target=self._work, daemon=True).start()

    @property
    def waiting(self) -> int:
        """Deliveries not yet accepted and not yet given up."""
        return self._open

    def send(self, headers: HeadersFor, body: bytes, url: str | None = None) -> None:
        """Deliver a body; `headers` is called anew for each try."""
        target = url or self.url
        if target is None or random.random() < self.weather.drop:
            return
        copies = 2 if random.random() < self.weather.duplicate else 1
        for _ in range(copies):
            wait = random.uniform(0, 0.5) if self.weather.reorder else 0.0
            self._put(_Delivery(time.monotonic() + wait, 0, target, body, headers))

    def close(self) -> None:
        """Stop sending; what waits is forgotten."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _put(self, delivery: _Delivery) -> None:
        with self._changed:
            self._open += delivery.tries == 0
            delivery.turn = next(self._turns)
            heapq.heappush(self._heap, delivery)
            self._changed.notify()

    def _work(self) -> None:
        session = requests.Session()
        while (delivery := self._next()) is not None:
            if self._delivered(session, delivery):
                self._finish(True)
            elif delivery.tries < len(self.retry_seconds):
                delivery.due = time.monotonic() + self.retry_seconds[delivery.tries]
                delivery.tries += 1
                self._put(delivery)
            else:
                self._finish(False)

    def _finish(self, accepted: bool) -> None:
        with self._changed:
            self._open -= 1
            self.sent += accepted
            self.failed += not accepted

    def _next(self) -> _Delivery | None:
        with self._changed:
            while not self._closed:
                if not self._heap:
                    self._changed.wait()
                    continue
                wait = self._heap[0].due - time.monotonic()
                if wait <= 0:
                    return heapq.heappop(self._heap)
                self._changed.wait(wait)
        return None

    def _delivered(self, session: requests.Session, delivery: _Delivery) -> bool:
        try:
            answer = session.post(
                delivery.url,
                data=delivery.body,
                headers=dict(delivery.headers(delivery.body, delivery.tries)),
                timeout=self.timeout,
                allow_redirects=False,
            )
        except requests.RequestException:
            return False
        return 200 <= answer.status_code < 300
