"""What was taken over from a channel: until which of its times, by which stock event."""

from collections.abc import Collection, Sequence
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
    connection: Connection, row: RowMapping, here: Collection[int]
) -> Sequence[sa.Row[Any]]:
    """The stock events by which the channel of this publication changed what is
    available of its SKU `here`, by the ledger's entries after what its row was `known_to`, each with its
    `change`, the `entry_at` of that and whether it `was_told` otherwise before.

    A kit's movements are of its parts, its stock events of itself; what a count took
    of a movement is of another kind.
    """
    gained = sa.and_(ledger.c.to_state == AVAILABLE, ledger.c.to_location_id.in_(here))
    lost = sa.and_(
        ledger.c.from_state == AVAILABLE, ledger.c.from_location_id.in_(here)
    )
    before = stock_events.alias()
    was_told = sa.exists().where(
        before.c.key == stock_events.c.key, before.c.version < stock_events.c.version
    )
    return connection.execute(
        sa.select(
            stock_events,
            sa.case((gained, ledger.c.quantity), else_=-ledger.c.quantity).label(
                "change"
            ),
            ledger.c.occurred_at.label("entry_at"),
            was_told.label("was_told"),
        )
        .join(ledger, ledger.c.event_id == stock_events.c.id)
        .where(
            ledger.c.id > row["known_to"],
            ledger.c.sku_id == row["sku_id"],
            ledger.c.channel_id == row["channel_id"],
            stock_events.c.sku_id == row["sku_id"],
            stock_events.c.kind == ledger.c.kind,
            gained != lost,
        )
    ).all()
