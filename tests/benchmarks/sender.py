"""A load generator: requests made beforehand, kept-alive connections, one thread.

Closed loop (as fast as the server answers) or open loop (at a rate, whatever it
answers; lateness counts from the moment a request was due).
"""

import json
import selectors
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapters.signatures import StandardWebhooks
from app.domain.instants import now
from tests.benchmarks.house import SECRET, as_bytes

CONNECTIONS = 16
PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Answered:
    """One request: when it was due (or sent), and how long its answer took."""

    due_at: float
    seconds: float


@dataclass(slots=True)
class _Open:
    """A connection and the request on it."""

    socket: socket.socket
    number: int = 0
    due_at: float = 0.0
    received: bytes = b""


def webhook(path: str, message_id: str, body: Mapping[str, Any]) -> bytes:
    """A whole signed request. The sender's clock may be five minutes off."""
    raw = as_bytes(body)
    signed = StandardWebhooks().sign(raw, SECRET, now(), message_id)
    headers = {
        "Host": "127.0.0.1",
        "Content-Type": "application/json",
        "Content-Length": str(len(raw)),
        **signed,
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode() + raw


def asked(connection: socket.socket, request: bytes) -> tuple[int, bytes]:
    """The status and body of the answer to one request on a kept-alive connection."""
    connection.sendall(request)
    received = b""
    while not _is_complete(received):
        part = connection.recv(65536)
        if not part:
            raise ConnectionError("the server closed a connection")
        received += part
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head[9:12]), body


@dataclass
class Load:
    """Requests on their way to one server."""

    port: int
    requests: Sequence[bytes]
    rate: float | None = None
    answers: list[Answered] = field(default_factory=list)

    def send(self) -> list[Answered]:
        """Send everything; return the answers in the order they came."""
        self._selector = selectors.DefaultSelector()
        self._began = time.monotonic()
        free = [self._open() for _ in range(CONNECTIONS)]
        opened, unsent = list(free), iter(range(len(self.requests)))
        following = next(unsent, None)
        while len(self.answers) < len(self.requests):
            while free and following is not None and self._is_due(following):
                self._send(free.pop(), following)
                following = next(unsent, None)
            free += self._received(following if free else None)
            if time.monotonic() > self._began + self._expected() + PATIENCE_SECONDS:
                raise TimeoutError(f"{len(self.answers)} of {len(self.requests)}")
        for one in opened:
            one.socket.close()
        self._selector.close()
        return self.answers

    def _expected(self) -> float:
        return len(self.requests) / self.rate if self.rate else PATIENCE_SECONDS

    def _open(self) -> _Open:
        connection = _Open(socket.create_connection(("127.0.0.1", self.port)))
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector.register(connection.socket, selectors.EVENT_READ, connection)
        return connection

    def _due_at(self, number: int) -> float:
        if self.rate is None:
            return time.monotonic()
        return self._began + number / self.rate

    def _is_due(self, number: int) -> bool:
        return self._due_at(number) <= time.monotonic()

    def _send(self, connection: _Open, number: int) -> None:
        connection.number, connection.due_at = number, self._due_at(number)
        connection.received = b""
        connection.socket.sendall(self.requests[number])

    def _received(self, following: int | None) -> Iterator[_Open]:
        wait = 1.0
        if following is not None:
            wait = max(0.0, self._due_at(following) - time.monotonic())
        for key, _ in self._selector.select(wait):
            connection: _Open = key.data
            connection.received += connection.socket.recv(65536)
            if not connection.received:
                raise ConnectionError("the server closed a connection")
            if _is_complete(connection.received):
                _check(connection.received)
                late = time.monotonic() - connection.due_at
                self.answers.append(Answered(connection.due_at, late))
                yield connection


def _is_complete(answer: bytes) -> bool:
    head, separator, body = answer.partition(b"\r\n\r\n")
    if not separator:
        return False
    length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
    return len(body) >= int(length)


def _check(answer: bytes) -> None:
    if not answer.startswith(b"HTTP/1.1 200"):
        raise ConnectionError(f"refused: {json.dumps(answer.decode())[:400]}")
