"""The scheduler's rounds: others notice when they stand still.

Each round that is over renews the scheduler's lease, by the database's clock; nobody
takes it over. A process that died, was stopped or hangs does not renew it.
"""

from typing import Final

from sqlalchemy.engine import Connection

from app.domain.instants import MINUTE, SECOND, Instant
from app.store import leases

SILENT: Final[Instant] = MINUTE
"""So long without a round is too long."""
WORDS: Final = (
    f"the scheduler has made no round for more than {SILENT // SECOND} seconds"
)

_LEASE = "scheduler"


def over(connection: Connection) -> None:
    """A round is over."""
    leases.acquire(connection, _LEASE, _LEASE, SILENT / SECOND)


def silence(connection: Connection) -> Instant:
    """How long ago a round was over; 0 when there never was one."""
    ended = leases.ended(connection, _LEASE)
    return 0 if ended is None else max(0, ended + SILENT)


def is_silent(connection: Connection) -> bool:
    """Whether that is too long."""
    return silence(connection) > SILENT
