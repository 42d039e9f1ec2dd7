"""A channel that takes pushes: a real HTTP server that answers as it is told."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class ListeningChannel:
    """Remembers every push; answers with `status` (and may be slow)."""

    def __init__(self) -> None:
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body: Any = None
        self.delay = 0.0
        self.chokes_on: set[str] = set()
        """External ids that make a whole call fail with 500."""
        self.pushes: list[dict[str, Any]] = []
        self.ids: list[str] = []
        self.url = ""

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Every row that was accepted, in order."""
        return [row for push in self.pushes for row in push["data"]]

    def shows(self) -> dict[str, int]:
        """External id → the newest number by version."""
        newest: dict[str, dict[str, Any]] = {}
        for row in self.rows:
            known = newest.get(row["external_id"])
            if known is None or row["version"] > known["version"]:
                newest[row["external_id"]] = row
        return {name: row["available"] for name, row in newest.items()}


@contextmanager
def listening() -> Iterator[ListeningChannel]:
    """Run such a channel on a free port."""
    channel = ListeningChannel()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            channel.ids.append(self.headers["webhook-id"])
            if channel.delay:
                time.sleep(channel.delay)
            status = channel.status
            if status < 300:
                told = json.loads(body)
                named = {row["external_id"] for row in told["data"]}
                status = 500 if named & channel.chokes_on else status
                if status < 300:
                    channel.pushes.append(told)
            answer = b"" if channel.body is None else json.dumps(channel.body).encode()
            self.send_response(status)
            for name, value in channel.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def do_GET(self) -> None:
            self.send_response(channel.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    channel.url = f"http://127.0.0.1:{server.server_port}/stock"
    try:
        yield channel
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
