"""Leases: who works on a lane now, judged by the database's clock alone."""

from functools import cache

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain.instants import SECOND, Instant
from app.store import driver, timekeeper


def acquire(connection: Connection, name: str, holder: str, seconds: float) -> bool:
    """Take or renew a lease; False while somebody else's lives.

    A dead holder's lease ends by itself, at most `seconds` after its last renewal; or
    after somebody asked for it, when the database's clock was set back meanwhile.
    """
    clock, slot = timekeeper.clock(connection), driver.slot(connection)
    take, shorten = _statements(clock, slot, int(seconds * SECOND))
    if driver.executed(connection, take, (name, holder)).rowcount:
        return True
    driver.executed(connection, shorten, (name,))
    return False


@cache
def _statements(clock: str, slot: str, length: int) -> tuple[str, str]:
    """Take or renew a lease of this length; let nobody's last longer than that."""
    until = f"{clock} + {length}"
    take = (
        f"INSERT INTO leases (name, holder, until) VALUES ({slot}, {slot}, {until}) "
        f"ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = {until} "
        f"WHERE leases.holder = excluded.holder OR leases.until < {clock}"
    )
    shorten = (
        f"UPDATE leases SET until = {until} WHERE name = {slot} AND until > {until}"
    )
    return take, shorten


def ended(connection: Connection, name: str) -> Instant | None:
    """How long ago a lease ended; below 0 while it lives, None if nobody ever took it."""
    query = (
        f"SELECT {timekeeper.clock(connection)} - until FROM leases WHERE name = :name"
    )
    return connection.execute(sa.text(query), {"name": name}).scalar()


def release(connection: Connection, name: str, holder: str) -> None:
    """Give a lease back, if it is still ours."""
    connection.execute(
        sa.text("DELETE FROM leases WHERE name = :name AND holder = :holder"),
        {"name": name, "holder": holder},
    )
