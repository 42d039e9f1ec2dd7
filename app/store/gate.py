"""The gate that on SQLite every write transaction of every process passes.

Without it busy writers starve each other for seconds.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.engine import Engine


def gate_path(engine: Engine) -> str | None:
    """The file whose lock is the write gate; None where there is none to take."""
    name = engine.url.database
    if engine.dialect.name != "sqlite" or not name or name == ":memory:":
        return None
    return f"{name}.gate"


@contextmanager
def gate(path: str | None) -> Iterator[None]:
    """Wait for the gate that this file is; the system opens it when a process dies."""
    if path is None:
        yield
        return
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextmanager
def gate_until(path: str, ends: float) -> Iterator[bool]:
    """Whether the write gate was passed before `ends`, by the monotonic clock."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        passed = _try(handle)
        while not passed and time.monotonic() < ends:
            time.sleep(0.05)
            passed = _try(handle)
        yield passed
    finally:
        os.close(handle)


def _try(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
