"""Leases: who works on a lane now, judged by the database's clock alone."""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain.instants import SECOND
from app.store.engine import is_sqlite

_SQLITE_CLOCK = "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)"
_POSTGRES_CLOCK = "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)"


def acquire(connection: Connection, name: str, holder: str, seconds: float) -> bool:
    """Take or renew a lease; False while somebody else's lives.

    A dead holder's lease ends by itself, at most `seconds` after its last renewal; or
    after somebody asked for it, when the database's clock was set back meanwhile.
    """
    clock = _SQLITE_CLOCK if is_sqlite(connection) else _POSTGRES_CLOCK
    until = f"{clock} + {int(seconds * SECOND)}"
    taken = connection.execute(
        sa.text(
            f"INSERT INTO leases (name, holder, until) VALUES (:name, :holder, {until}) "
            f"ON CONFLICT (name) DO UPDATE SET holder = :holder, until = {until} "
            f"WHERE leases.holder = :holder OR leases.until < {clock}"
        ),
        {"name": name, "holder": holder},
    )
    if not taken.rowcount:
        connection.execute(
            sa.text(
                f"UPDATE leases SET until = {until} "
                f"WHERE name = :name AND until > {until}"
            ),
            {"name": name},
        )
    return taken.rowcount == 1


def release(connection: Connection, name: str, holder: str) -> None:
    """Give a lease back, if it is still ours."""
    connection.execute(
        sa.text("DELETE FROM leases WHERE name = :name AND holder = :holder"),
        {"name": name, "holder": holder},
    )
