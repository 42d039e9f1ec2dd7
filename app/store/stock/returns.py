"""Returns as they are listed: how far each is, and where."""

from collections.abc import Iterable, Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.store import bulk, keyset
from app.store.keyset import Page, Position
from app.store.stock import aliases
from app.store.tables import (
    channels,
    incidents,
    locations,
    return_cases as cases,
    skus,
    stock_levels,
)

ADVISED: Final = "advised"
"""None of it is here yet."""
WAITING: Final = "waiting"
"""It names no order, or more came back than was shipped: a person looks at it."""
RECEIVED: Final = "received"
"""Some of it is here, and more is advised."""
INSPECTION: Final = "inspection"
DISPOSED: Final = "disposed"
STATES: Final = (ADVISED, WAITING, RECEIVED, INSPECTION, DISPOSED)


def ids(connection: Connection, case_keys: Iterable[str]) -> dict[tuple[str, str], int]:
    """(Case, line) → the row's id, of the returns known in these cases."""
    query = "SELECT id, case_key, line FROM return_cases WHERE case_key {among}"
    found = bulk.select(connection, query, sorted(set(case_keys)))
    return {(row[1], row[2]): row[0] for row in found}


def forget(connection: Connection, row_ids: Sequence[int]) -> None:
    """These are no returns any more."""
    if row_ids:
        connection.execute(cases.delete().where(cases.c.id.in_(row_ids)))


def page(
    connection: Connection,
    *,
    limit: int,
    after: Position | None = None,
    state: str | None = None,
    channel: str | None = None,
    sku: str | None = None,
) -> Page[sa.RowMapping]:
    """Up to `limit` returns, newest first; without a `state`, those that are open."""
    is_at = _state()
    query = (
        sa.select(
            cases,
            is_at.label("state"),
            skus.c.sku,
            channels.c.key.label("channel"),
            locations.c.code.label("location"),
        )
        .join(skus, skus.c.id == cases.c.sku_id)
        .join(channels, channels.c.id == cases.c.channel_id, isouter=True)
        .join(locations, locations.c.id == cases.c.judged_at, isouter=True)
        .where(is_at == state if state is not None else is_at != DISPOSED)
    )
    if channel is not None:
        query = query.where(channels.c.key == channel)
    if sku is not None:
        query = query.where(aliases.names(sku))
    return keyset.read(
        connection, query, [cases.c.id], limit=limit, after=after, newest_first=True
    )


def _state() -> sa.ColumnElement[str]:
    unresolved = sa.exists().where(
        incidents.c.kind == "unlinked_return",
        incidents.c.subject == cases.c.case_key + "/" + cases.c.line,
        incidents.c.closed_at.is_(None),
    )
    unjudged = sa.exists().where(
        stock_levels.c.sku_id == cases.c.sku_id,
        stock_levels.c.location_id == cases.c.judged_at,
        stock_levels.c.inspection > 0,
    )
    told = cases.c
    return sa.case(
        (sa.or_(told.surplus > 0, sa.and_(told.unlinked > 0, unresolved)), WAITING),
        (sa.and_(told.received == 0, told.advised > 0), ADVISED),
        (told.received < told.advised, RECEIVED),
        (sa.and_(told.to_judge > 0, unjudged), INSPECTION),
        else_=DISPOSED,
    )
