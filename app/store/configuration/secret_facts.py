"""What is known of a channel's secrets besides what they are: since when, until when,
when one last proved a webhook. They are named by a fingerprint."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from app.domain.instants import Instant
from app.store.tables import channels, secret_facts as table

THEIRS: Final = ""
"""Instead of a fingerprint: a key of the provider's own."""


def fingerprint(secret: str) -> str:
    """What a person can tell a secret by: too short to guess it from."""
    return hashlib.sha256(secret.encode()).hexdigest()[:8]


def of_channel(
    connection: Connection, channel_id: int
) -> Mapping[tuple[str, str], RowMapping]:
    """What is known of a channel's secrets, by name and fingerprint."""
    query = sa.select(table).where(table.c.channel_id == channel_id)
    rows = connection.execute(query).mappings()
    return {(row["name"], row["fingerprint"]): row for row in rows}


def learn(
    connection: Connection,
    channel_id: int,
    name: str,
    mark: str,
    told: Mapping[str, Any],
) -> None:
    """Keep something about the secret with that fingerprint."""
    same = _same(channel_id, name, mark)
    known = connection.execute(table.update().where(*same).values(**told))
    if not known.rowcount:
        named = {"channel_id": channel_id, "name": name, "fingerprint": mark}
        connection.execute(table.insert().values(**named, **told))


def forget(connection: Connection, channel_id: int, name: str, mark: str) -> None:
    """Forget a secret that is none any more."""
    connection.execute(table.delete().where(*_same(channel_id, name, mark)))


def ending(connection: Connection, now: Instant) -> Sequence[RowMapping]:
    """Secrets whose time is over, each with the `key` of its channel."""
    query = (
        sa.select(table, channels.c.key)
        .join(channels, channels.c.id == table.c.channel_id)
        .where(table.c.ends_at <= now)
    )
    return connection.execute(query).mappings().all()


def _same(channel_id: int, name: str, mark: str) -> tuple[sa.ColumnElement[bool], ...]:
    named = table.c.name == name, table.c.fingerprint == mark
    return table.c.channel_id == channel_id, *named
