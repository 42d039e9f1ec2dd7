"""Channels that are being connected at the dashboard: what was asked, found and done."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from app.domain.instants import Instant
from app.store import bulk
from app.store.tables import connectings

LOOKING: Final = "looking"
FOUND: Final = "found"
TAKING: Final = "taking"
DONE: Final = "done"
AT_WORK: Final = (LOOKING, TAKING)


def put(
    connection: Connection, key: str, provider: str, asked: str, actor: str, at: Instant
) -> int:
    """Keep what somebody asked for (`asked` is sealed); return its id."""
    return bulk.insert_one(
        connection,
        connectings,
        key=key,
        provider=provider,
        asked=asked,
        actor=actor,
        at=at,
        state=LOOKING,
    )


def one(connection: Connection, connecting_id: int) -> RowMapping | None:
    """One by its id."""
    same = connectings.c.id == connecting_id
    return connection.execute(sa.select(connectings).where(same)).mappings().first()


def open_ones(connection: Connection) -> Sequence[RowMapping]:
    """Those that are not done, the newest first."""
    query = sa.select(connectings).where(connectings.c.state != DONE)
    ordered = query.order_by(connectings.c.id.desc())
    return connection.execute(ordered).mappings().all()


def at_work(connection: Connection) -> Sequence[RowMapping]:
    """Those that something is to be done for, the oldest first."""
    query = sa.select(connectings).where(
        connectings.c.state.in_(AT_WORK), connectings.c.wrong == ""
    )
    return connection.execute(query.order_by(connectings.c.id)).mappings().all()


def say(connection: Connection, connecting_id: int, **words: str) -> None:
    """Keep what is being done (`doing`), or why it does not go on (`wrong`)."""
    same = connectings.c.id == connecting_id
    connection.execute(connectings.update().where(same).values(**words))


def move(
    connection: Connection,
    connecting_id: int,
    states: tuple[str, str],
    **found: Mapping[str, Any],
) -> bool:
    """Go on from one state to the next, with what was found; False if it was not there.

    Once it is done, its secrets are those of the channel, and forgotten here.
    """
    before, after = states
    stands = connectings.c.id == connecting_id, connectings.c.state == before
    told = {name: json.dumps(value) for name, value in found.items()}
    over = {"asked": ""} if after == DONE else {}
    done = connection.execute(
        connectings.update()
        .where(*stands)
        .values(state=after, doing="", wrong="", **told, **over)
    )
    return done.rowcount == 1


def drop(connection: Connection, connecting_id: int) -> None:
    """Forget one that nothing came of, with its secrets."""
    connection.execute(connectings.delete().where(connectings.c.id == connecting_id))


def prune(connection: Connection, before: Instant) -> None:
    """Forget what was asked for before then; a channel that was connected stays."""
    connection.execute(connectings.delete().where(connectings.c.at < before))
