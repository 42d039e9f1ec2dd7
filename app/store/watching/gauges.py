"""What is measured per channel at the moment of a scrape.

What is done is many and says nothing: only the rest is read, off its indexes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from app.domain.instants import Instant
from app.store.publishing import deliveries
from app.store.receiving import messages
from app.store.tables import channels, inbox, incidents, publications


@dataclass(frozen=True, slots=True)
class Behind:
    """How far what a channel shows is behind."""

    exposure: int = 0
    """Units it shows beyond those that may be sold, as far as they were worked out."""
    exposed: int = 0
    """Listings with such units."""
    overdue_since: Instant | None = None
    """Since when the oldest number could have been sent."""
    wanted_since: Instant | None = None
    """Since when the oldest number is not there, for whatever reason."""


def behind(connection: Connection, now: Instant) -> Mapping[str, Behind]:
    """Channel key → how far it is behind; channels with nothing to send left out."""
    row = publications.c
    state = deliveries.state_at(now)
    due_at = deliveries.due_at()
    is_due = sa.and_(
        state.in_((deliveries.WAITING, deliveries.RETRYING)), due_at <= now
    )
    exposed = sa.case((row.exposure > 0, row.exposure), else_=0)
    found = connection.execute(
        sa.select(
            channels.c.key,
            sa.func.sum(exposed),
            sa.func.sum(sa.case((row.exposure > 0, 1), else_=0)),
            sa.func.min(sa.case((is_due, due_at), else_=None)),
            sa.func.min(sa.case((row.discarded_at.is_(None), row.wanted_at))),
        )
        .select_from(publications)
        .join(channels, channels.c.id == row.channel_id)
        .where(deliveries.is_open(), row.wanted_version > row.accepted_version)
        .group_by(channels.c.key)
    )
    return {one[0]: Behind(int(one[1]), int(one[2]), one[3], one[4]) for one in found}


def inbox_counts(connection: Connection) -> Sequence[RowMapping]:
    """Webhooks that are not done, by channel (its key) and state."""
    query = (
        sa.select(
            channels.c.key.label("channel"),
            inbox.c.state,
            sa.func.count().label("messages"),
        )
        .join(channels, channels.c.id == inbox.c.channel_id)
        .where(inbox.c.state.in_(messages.UNDONE))
        .group_by(channels.c.key, inbox.c.state)
        .order_by(channels.c.key, inbox.c.state)
    )
    return connection.execute(query).mappings().all()


def open_incidents(connection: Connection) -> Mapping[str, int]:
    """How many incidents of each kind are open."""
    found = connection.execute(
        sa.select(incidents.c.kind, sa.func.count())
        .where(incidents.c.closed_at.is_(None))
        .group_by(incidents.c.kind)
    )
    return {row[0]: row[1] for row in found}
