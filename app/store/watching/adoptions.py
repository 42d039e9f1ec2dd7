"""What was taken over from a channel: until which of its times, by which stock event."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from app.domain.instants import Instant
from app.domain.states import AVAILABLE
from app.store.tables import adoptions, ledger, publications, stock_events


def add(connection: Connection, publication_id: int, until: Instant, key: str) -> None:
    """What this channel did up to then is in the number that was taken over."""
    connection.execute(
        adoptions.insert().values(publication_id=publication_id, until=until, key=key)
    )
    newest = sa.case(
        (publications.c.adopted_until > until, publications.c.adopted_until),
        else_=until,
    )
    connection.execute(
        publications.update()
        .where(publications.c.id == publication_id)
        .values(adopted_until=newest)
    )


def first(
    connection: Connection, publication_id: int, at: Instant
) -> sa.Row[Any] | None:
    """The earliest that had inside what happened then: its stock event, as it stands."""
    earliest = (
        sa.select(adoptions.c.key)
        .where(adoptions.c.publication_id == publication_id, adoptions.c.until >= at)
        .order_by(adoptions.c.until, adoptions.c.id)
        .limit(1)
    )
    return connection.execute(
        sa.select(stock_events)
        .where(stock_events.c.key == earliest.scalar_subquery())
        .order_by(stock_events.c.version.desc())
        .limit(1)
    ).first()


def done_since(
    connection: Connection, row: RowMapping, location_id: int, known_to: int
) -> list[tuple[Instant, int]]:
    """When, and by how much, the channel of this publication changed what is available,
    by the ledger's entries after `known_to`."""
    spot = (AVAILABLE, location_id)
    gained = sa.tuple_(ledger.c.to_state, ledger.c.to_location_id) == spot
    lost = sa.tuple_(ledger.c.from_state, ledger.c.from_location_id) == spot
    change = sa.case((gained, ledger.c.quantity), else_=-ledger.c.quantity)
    found = connection.execute(
        sa.select(ledger.c.occurred_at, change).where(
            ledger.c.id > known_to,
            ledger.c.sku_id == row["sku_id"],
            ledger.c.channel_id == row["channel_id"],
            gained != lost,
        )
    )
    return [(at, int(units)) for at, units in found]
