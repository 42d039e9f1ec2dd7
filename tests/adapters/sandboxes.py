"""Sandbox channels for tests: served for real, and somebody who takes their webhooks."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests
from werkzeug.serving import make_server

from adapters.sandbox.server import ByTheirClock, Sandbox
from adapters.signatures import SignedRequest
from app.domain import instants


@dataclass
class Receiver:
    """Keeps every webhook it gets; `answers` are the statuses it gives, then 200."""

    url: str = ""
    got: list[SignedRequest] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    def wait(self, enough: Callable[[list[SignedRequest]], Any]) -> list[SignedRequest]:
        """What came, once it is enough; fail after five seconds."""
        ends = time.monotonic() + 5
        while not enough(self.got):
            assert time.monotonic() < ends, [one.body for one in self.got]
            threading.Event().wait(0.01)
        return list(self.got)


@contextlib.contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on a free port."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            token = self.path.removeprefix("/webhooks/till").strip("/") or None
            request = SignedRequest(headers, body, instants.now(), token)
            status = receiver.answers.pop(0) if receiver.answers else 200
            receiver.got.append(request)
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    receiver.url = f"http://127.0.0.1:{server.server_port}/webhooks/till"
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def serving(sandbox: Sandbox) -> Iterator[str]:
    """The address of a sandbox that is being served."""
    server = make_server(
        "127.0.0.1", 0, sandbox.app, threaded=True, request_handler=ByTheirClock
    )
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        sandbox.webhooks.close()


def control(url: str, action: str, **body: Any) -> dict[str, Any]:
    """Let something happen in the sandbox."""
    answer = requests.post(f"{url}/_sandbox/{action}", json=body, timeout=5)
    assert answer.ok, answer.text
    return answer.json()
