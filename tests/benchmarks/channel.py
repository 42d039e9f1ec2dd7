"""A channel's API in a process of its own: notes when it is called, and about what.

`python -m tests.benchmarks.channel PORT FILE`. Posting to /delay/150 makes each of the
calls that follow take 150 ms. Times are the machine's monotonic clock.
"""

import asyncio
import json
import sys
import time
from typing import TextIO


class Channel:
    """Answers 200 to everything."""

    def __init__(self, notes: TextIO) -> None:
        self._notes = notes
        self._delay = 0.0

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """One connection, kept alive."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = int(head.partition("content-length:")[2].split("\r\n")[0])
                body = await reader.readexactly(length)
                await self._called(head.split()[1], body)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _called(self, path: str, body: bytes) -> None:
        at = time.monotonic()
        if path.startswith("/delay/"):
            self._delay = int(path.removeprefix("/delay/")) / 1000
            return
        skus = [row["sku"] for row in json.loads(body)["data"]]
        self._notes.write(json.dumps({"at": at, "skus": skus}) + "\n")
        self._notes.flush()
        if self._delay:
            await asyncio.sleep(self._delay)


async def main(port: int, notes: TextIO) -> None:
    """Serve until stopped."""
    server = await asyncio.start_server(Channel(notes).serve, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    with open(sys.argv[2], "w") as file:
        asyncio.run(main(int(sys.argv[1]), file))
