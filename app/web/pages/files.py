"""Files that a page hands out: written whole first, so that an error is a page still."""

from collections.abc import Callable, Iterator
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Final

from flask import Response

from app.domain import instants

IN_MEMORY: Final = 1024 * 1024
"""Bytes of a file kept there; a longer one is on disk until it is sent."""
TYPES: Final = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def attachment(
    name: str, ending: str, now: instants.Instant, write: Callable[[IO[bytes]], Any]
) -> Response:
    """Answer with the file that `write` writes, named after the time."""
    file: IO[bytes] = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115
    try:
        write(file)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    answer = Response(_parts(file), content_type=TYPES[ending])
    at = instants.to_datetime(now).strftime("%Y-%m-%d-%H%M")
    named = f"{name}-{at}.{ending}"
    answer.headers.set("Content-Disposition", "attachment", filename=named)
    return answer


def _parts(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while part := file.read(IN_MEMORY):
            yield part
