"""A shop so small that rows can be counted on one hand."""

import pytest

from app.store import bulk
from app.store.engine import writing
from app.store.tables import (
    channels,
    listings,
    locations,
    publications,
    skus,
    stock_levels,
)


@pytest.fixture
def places(engine):
    """The ids of two SKUs and two locations."""
    with writing(engine) as connection:
        return (
            [bulk.insert_one(connection, skus, sku=word, name="") for word in "AB"],
            [
                bulk.insert_one(connection, locations, code=code, name=code)
                for code in ("north", "south")
            ],
        )


@pytest.fixture
def shelf(engine, places):
    """The ids of two empty stock levels."""
    (first, second), (north, _) = places
    with writing(engine) as connection:
        return [
            bulk.insert_one(connection, stock_levels, sku_id=sku, location_id=north)
            for sku in (first, second)
        ]


@pytest.fixture
def listed(engine, places):
    """The id of one publication, of the first SKU."""
    (sku, _), _ = places
    with writing(engine) as connection:
        channel = bulk.insert_one(
            connection, channels, key="web", provider="standard", changed_at=1
        )
        listing = bulk.insert_one(
            connection, listings, channel_id=channel, sku_id=sku, external_id="ext-A"
        )
        return bulk.insert_one(
            connection,
            publications,
            channel_id=channel,
            listing_id=listing,
            sku_id=sku,
            place="",
            wanted_at=5,
        )
