"""What a channel says of its own items: listings follow, and what waited applies."""

import pytest

from adapters.parts.shopify_topics import READ_ORDER
from app.domain.instants import MINUTE, iso, now
from app.pipeline.configuring.listings import save_listing
from app.pipeline.configuring.revising import relist
from app.pipeline.proving.audit import differences
from app.store.configuration import channels
from app.store.engine import applying, writing
from app.store.receiving import inbox
from tests.builders import JACKET, Shop

AT = iso(now() - MINUTE)
ORDER = {
    "id": "500",
    "created_at": AT,
    "updated_at": AT,
    "line_items": [{"id": "7", "variant_id": "8", "sku": JACKET, "quantity": 2}],
    "fulfillment_orders": [],
}
VARIANT = {"id": 8, "inventory_item_id": 9, "sku": JACKET, "title": "M"}
PRODUCT = {"id": 3, "title": "Blue jacket", "variants": [VARIANT]}


@pytest.fixture
def store(shopify) -> Shop:
    """A store whose listing names the inventory item alone, as a file may do."""
    with applying(shopify.engine) as connection:
        save_listing(connection, "web", JACKET, "9", None)
    return shopify


def tell(store, topic, told):
    with writing(store.engine) as connection:
        web = channels.row(connection, "web")["id"]
        inbox.store_read(connection, web, [(topic, told, inbox.READ)], now())


@pytest.mark.parametrize("together", [True, False], ids=["at once", "one by one"])
def test_a_line_applies_once_the_channel_tells_the_id_it_goes_by(store, together):
    for topic, told in ((READ_ORDER, ORDER), ("products/update", PRODUCT)):
        tell(store, topic, told)
        if not together:
            store.apply()
    store.apply()

    assert store.level(JACKET) == {"available": 8, "committed": 2}
    assert store.messages() == [("applied", None)] * 2
    with store.engine.connect() as connection:
        assert differences(connection) == []


def test_open_lines_that_name_the_variant_follow_its_item(store):
    store.sku("HAT")
    listing = {"channel": "web", "external_id": "9", "external_parent_id": "8"}
    relist(store.engine, listing | {"sku": JACKET}, now=now())
    tell(store, READ_ORDER, ORDER)
    store.apply()

    moved = listing | {"sku": "HAT", "open_lines": "move"}
    relist(store.engine, moved, now=now())

    assert store.level(JACKET) == {"available": 10}
    assert store.level("HAT") == {"available": -2, "committed": 2}
    with store.engine.connect() as connection:
        assert differences(connection) == []
