"""Channels that are not heard: their webhooks are turned away, one after the other."""

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from app.domain.instants import MINUTE, Instant
from app.store.tables import channels, refused_samples as samples, secret_facts

FEW: Final = 3
"""Fewer may be anybody's: the address is no secret."""
_KNOWN_TO: Final[Instant] = MINUTE
"""How exactly it is known when a secret last proved a webhook."""


def listed(connection: Connection) -> Sequence[RowMapping]:
    """Channels that sent nothing good since some of their webhooks were refused: `key`,
    `cause` (that of the last one), `times` (of those that are kept) and `last_at`."""
    proved = (
        sa.select(sa.func.coalesce(sa.func.max(secret_facts.c.used_at) + _KNOWN_TO, 0))
        .where(secret_facts.c.channel_id == channels.c.id)
        .scalar_subquery()
    )
    since = (
        sa.select(
            channels.c.key,
            sa.func.count().label("times"),
            sa.func.max(samples.c.id).label("last"),
        )
        .join(samples, samples.c.channel == channels.c.key)
        .where(samples.c.received_at > proved)
        .where(samples.c.cause.in_(("signature", "stale", "missing_header")))
        .group_by(channels.c.key)
        .having(sa.func.count() >= FEW)
        .subquery()
    )
    query = (
        sa.select(since.c.key, since.c.times, samples.c.cause)
        .add_columns(samples.c.received_at.label("last_at"))
        .join(samples, samples.c.id == since.c.last)
        .order_by(since.c.key)
    )
    return connection.execute(query).mappings().all()
