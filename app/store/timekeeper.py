"""The timekeeper: what time it is by the database's clock.

Machines that share a database each have a clock of their own, and these may differ by
minutes. What one of them begins and another ends goes by the one clock they share. To
ask for it takes a round trip, so it is asked now and then; in between we count on.
"""

import time
from contextlib import ExitStack
from typing import Final, NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy.engine import Connection, Engine

from app.domain import instants
from app.domain.instants import SECOND, Instant
from app.store import driver
from app.store.engine import is_sqlite, reading

_SQLITE: Final = "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)"
_POSTGRES: Final = "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)"

EVERY: Instant = 10 * SECOND
"""How often PostgreSQL is asked for the time."""

_TICKS: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Nobody sets this one; and where it can, it goes on while the machine sleeps."""


def clock(connection: Connection) -> str:
    """The database's time, as a term of its SQL."""
    return _SQLITE if is_sqlite(connection) else _POSTGRES


def now(bound: Engine | Connection) -> Instant:
    """What time it is for all who share this database.

    As a rule without a round trip. When there is one, and the database does not answer,
    its own error is raised: what is to be done at that time would meet the same.
    """
    return theirs(bound, instants.now())


def theirs(bound: Engine | Connection, at: Instant) -> Instant:
    """One of our times by the database's clock; raises as `now` does."""
    if is_sqlite(bound):
        return at  # its clock is this machine's
    return at + _keepers.setdefault(bound.engine, _Keeper()).ahead(bound)


class _Told(NamedTuple):
    """What time it was, and what our counter said then."""

    at: Instant
    ticks: Instant


class _Keeper:
    """What one database has told. Threads share it without waiting for each other."""

    def __init__(self) -> None:
        self._told: _Told | None = None
        self._due = 0

    def ahead(self, bound: Engine | Connection) -> Instant:
        """How far the database's clock is ahead of ours; below 0 when it is behind."""
        told, ticks = self._told, _ticks()
        if told is None or ticks >= self._due:
            # Only one asks again: by what was told before, the others can go on.
            self._due = ticks + EVERY
            told = self._told = _asked(bound)
        return told.at + (_ticks() - told.ticks) - instants.now()


_keepers: "WeakKeyDictionary[Engine, _Keeper]" = WeakKeyDictionary()


def _asked(bound: Engine | Connection) -> _Told:
    with ExitStack() as opened:
        if isinstance(bound, Engine):
            bound = opened.enter_context(reading(bound))
        before = _ticks()
        ((at,),) = driver.fetched(bound, f"SELECT {_POSTGRES}")
        return _Told(at, (before + _ticks()) // 2)


def _ticks() -> Instant:
    """Microseconds that have passed since some moment."""
    return time.clock_gettime_ns(_TICKS) // 1000
