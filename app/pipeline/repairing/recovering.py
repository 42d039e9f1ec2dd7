"""Recovering: after a restore nobody knows what channels were told and did since.

Every accepted number is unsure, and every channel is read from a time on; it publishes
again once that is applied. A channel that cannot be asked is named.
"""

from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

import adapters
from app.domain.instants import Instant
from app.store.configuration import channels
from app.store.engine import reading, writing
from app.store.people import deeds
from app.store.publishing import retries
from app.store.tables import channels as table

PORTION = 500
"""Rows per transaction: others write in between."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """What was set off."""

    numbers: int
    polled: list[str]
    unpolled: list[str]

    @property
    def lanes(self) -> set[str]:
        """The lanes to wake."""
        pushed = {f"outbound:{key}" for key in self.unpolled}
        return pushed | {f"fetch:{key}" for key in self.polled}


def recover(
    engine: Engine,
    since: Instant,
    actor: str,
    now: Instant,
    progress: Callable[[int], None] = lambda _: None,
) -> Recovered:
    """Doubt every accepted number, and ask every channel what changed since then.

    `progress` is called with how many numbers there are so far.
    """
    with writing(engine) as connection:
        # First: nothing is published before it is known what happened.
        polled = poll_from(connection, since)
        deeds.note(connection, actor, "recover", "channels", now, {"since": since})
    numbers, after = 0, 0
    while True:
        with writing(engine) as connection:
            after, doubted = retries.doubt_accepted(connection, after, PORTION, now)
        if not after:
            break
        numbers += doubted
        progress(numbers)
    with reading(engine) as connection:
        keys = [row["key"] for row in channels.rows(connection)]
    return Recovered(numbers, polled, [key for key in keys if key not in polled])


def poll_from(connection: Connection, since: Instant) -> list[str]:
    """Let every channel that can be polled be read from a time on; return their keys.

    They publish nothing before that is done. Who is asked from an earlier time already
    stays so.
    """
    asked = [
        row["key"]
        for row in channels.rows(connection)
        if row["disconnected_at"] is None
        and row["provider"] in adapters.names()
        and adapters.get(row["provider"]).polls
    ]
    earliest = sa.case((table.c.poll_from < since, table.c.poll_from), else_=since)
    afresh = {"poll_due_at": 0, "poll_began_at": None, "poll_position": None}
    connection.execute(
        table.update()
        .where(table.c.key.in_(asked))
        .values(poll_from=earliest, **afresh)
    )
    return asked
