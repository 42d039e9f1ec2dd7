"""How each channel was: one row whenever that changed."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from app.domain.instants import Instant
from app.store.tables import conditions


def latest(connection: Connection) -> Mapping[int, str]:
    """Channel's id → how it was last."""
    newest = sa.select(sa.func.max(conditions.c.id)).group_by(conditions.c.channel_id)
    query = sa.select(conditions).where(conditions.c.id.in_(newest))
    return {row.channel_id: row.state for row in connection.execute(query)}


def add(
    connection: Connection, channel_id: int, state: str, why: str, at: Instant
) -> None:
    """Say how a channel is from now on."""
    values = {"channel_id": channel_id, "state": state, "why": why, "at": at}
    connection.execute(conditions.insert().values(**values))


def of_channel(
    connection: Connection, channel_id: int, *, limit: int
) -> Sequence[RowMapping]:
    """How a channel was, the newest first."""
    same = conditions.c.channel_id == channel_id
    query = sa.select(conditions).where(same).order_by(conditions.c.id.desc())
    return connection.execute(query.limit(limit)).mappings().all()


def prune(connection: Connection, before: Instant) -> None:
    """Forget what was before then, but for how each channel is now."""
    newest = sa.select(sa.func.max(conditions.c.id)).group_by(conditions.c.channel_id)
    old = conditions.c.at < before, conditions.c.id.not_in(newest)
    connection.execute(conditions.delete().where(*old))
