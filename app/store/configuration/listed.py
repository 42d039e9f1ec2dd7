"""Listings, read: one of them, those with a policy of their own, where they may sell."""

import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from app.store.tables import channel_locations, channels, listings, locations, skus


def listing(connection: Connection, listing_id: int) -> RowMapping | None:
    """One listing: id, channel, sku, name, external_id and policy (JSON), or None."""
    query = _listings().where(listings.c.id == listing_id)
    return connection.execute(query).mappings().first()


def sku_of(connection: Connection, channel_id: int, item: str) -> str | None:
    """The SKU that an item of a channel, or every variant of it, is mapped to."""
    query = (
        sa.select(skus.c.sku)
        .join(listings, listings.c.sku_id == skus.c.id)
        .where(
            listings.c.channel_id == channel_id,
            sa.or_(
                listings.c.external_id == item, listings.c.external_parent_id == item
            ),
        )
    )
    found: str | None = connection.execute(query.limit(1)).scalar()
    return found


def with_policy(
    connection: Connection, channel_id: int, *, limit: int
) -> Sequence[dict[str, Any]]:
    """Listings of a channel with a policy of their own, that policy read."""
    query = (
        _listings()
        .where(listings.c.channel_id == channel_id, listings.c.policy.is_not(None))
        .order_by(skus.c.sku, listings.c.id)
        .limit(limit)
    )
    found = connection.execute(query).mappings()
    return [{**row, "policy": json.loads(row["policy"])} for row in found]


def listeners(connection: Connection, sku_id: int) -> Sequence[str]:
    """The channels that sell a SKU and are shown nothing: they only listen."""
    query = (
        sa.select(channels.c.key)
        .join(listings, listings.c.channel_id == channels.c.id)
        .where(listings.c.sku_id == sku_id, listings.c.gone_at.is_(None))
        .where(channels.c.publish.is_(None))
        .distinct()
        .order_by(channels.c.key)
    )
    return connection.scalars(query).all()


def _listings() -> sa.Select[Any]:
    return (
        sa.select(
            listings.c.id,
            channels.c.key.label("channel"),
            skus.c.sku,
            skus.c.name,
            listings.c.external_id,
            listings.c.policy,
        )
        .join(channels, channels.c.id == listings.c.channel_id)
        .join(skus, skus.c.id == listings.c.sku_id)
    )


def places_of(connection: Connection, channel_id: int) -> list[str]:
    """The locations a channel may sell from: those it maps, else all."""
    mapped = (
        sa.select(locations.c.code)
        .join(channel_locations, channel_locations.c.location_id == locations.c.id)
        .where(channel_locations.c.channel_id == channel_id)
        .order_by(channel_locations.c.position)
    )
    found = list(connection.execute(mapped).scalars())
    if found:
        return found
    every = sa.select(locations.c.code).where(locations.c.unassigned_of.is_(None))
    return list(connection.execute(every.order_by(locations.c.code)).scalars())
