"""The session under `Http`: it can be cut off in time, and knows where it may go.

A read timeout starts anew with every byte that arrives, so that a channel that sends
one byte a second would hold its lane for ever. `cut_after` is a deadline for all of it.
"""

import contextlib
import socket
import weakref
from contextlib import AbstractContextManager
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from adapters.addresses import is_public
from adapters.deadline import Deadline
from app.domain.errors import GiveUp


class Wire(requests.Session):
    """A session without redirects, without .netrc, with an end.

    `public_only` refuses every connection into the own network, whatever name led
    there and however often that name changes its mind.
    """

    def __init__(self, *, public_only: bool) -> None:
        super().__init__()
        self.public_only = public_only
        # Given so that requests does not look into .netrc for other credentials.
        self.auth = _as_it_is
        self._lines: weakref.WeakSet[_Line | _TlsLine] = weakref.WeakSet()
        self._deadline = Deadline(self._cut)
        self._surroundings: dict[tuple[str, str], Any] = {}
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Mount(self))

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Nowhere: a redirect is an answer like any other."""

    def merge_environment_settings(self, url: Any, *given: Any) -> Any:
        """The proxies and certificates that the environment names, asked once for each
        host: requests would copy and search all of it for every call."""
        asked = urlsplit(url).netloc, repr(given)
        if asked not in self._surroundings:
            found = super().merge_environment_settings(url, *given)
            self._surroundings[asked] = found
        return self._surroundings[asked]

    def cut_after(self, seconds: float) -> AbstractContextManager[None]:
        """Whatever is open after that time is shut under the hands of its reader."""
        return self._deadline.within(seconds)

    def is_over(self) -> bool:
        """Whether the time of the last `cut_after` was up."""
        return self._deadline.is_over

    def admit(self, line: "_Line | _TlsLine", sock: socket.socket) -> None:
        """Take up a fresh connection, or refuse it before a byte is sent."""
        line.held = sock
        self._lines.add(line)
        if self.is_over():
            sock.close()
            raise TimeoutError("connected too late")
        if self.public_only and not is_public(sock.getpeername()[0]):
            sock.close()
            raise GiveUp(f"{line.host} is not a public address")

    def _cut(self) -> None:
        for line in list(self._lines):
            if line.held is not None:
                with contextlib.suppress(OSError):
                    # Of the plain class: TLS would want to say good-bye first.
                    socket.socket.shutdown(line.held, socket.SHUT_RDWR)


class _Mount(HTTPAdapter):
    """Makes connections that report to the session they belong to."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": partial(_Pool, wire=self._wire),
            "https": partial(_TlsPool, wire=self._wire),
        }


class _Line(HTTPConnection):
    wire: Wire
    held: socket.socket | None = None
    """What is read from. A connection lets go of its `sock` when it hands it on to an
    answer that ends with the connection."""

    def _new_conn(self) -> socket.socket:
        sock = super()._new_conn()
        self.wire.admit(self, sock)
        return sock


class _TlsLine(HTTPSConnection):
    wire: Wire
    held: socket.socket | None = None

    def _new_conn(self) -> socket.socket:
        sock = super()._new_conn()
        self.wire.admit(self, sock)
        # While they shake hands it belongs to an object that nobody else has yet.
        self.held = sock.dup()
        return sock

    def connect(self) -> None:
        """Connect and shake hands; neither may take longer than the call."""
        self.held = None
        try:
            super().connect()
        finally:
            if self.held is not None:
                self.held.close()
            self.held = self.sock
        if self.wire.is_over():
            self.close()
            raise TimeoutError("shook hands too late")


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Line

    def __init__(self, *args: Any, wire: Wire, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.wire = wire

    def _new_conn(self) -> Any:
        line: Any = super()._new_conn()
        line.wire = self.wire
        return line


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsLine

    def __init__(self, *args: Any, wire: Wire, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.wire = wire

    def _new_conn(self) -> Any:
        line: Any = super()._new_conn()
        line.wire = self.wire
        return line


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
