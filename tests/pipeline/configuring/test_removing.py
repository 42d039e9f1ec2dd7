"""Removing a channel: made by mistake it goes with all that is its own; one on which
something happened stays."""

import pytest
import sqlalchemy as sa

from app.domain.errors import BadConfiguration, MissingHeader, UnknownChannel
from app.domain.instants import iso, now
from app.pipeline.configuring import removing
from app.pipeline.receive import Receiver
from app.store.engine import applying, writing
from app.store.tables import (
    audit_log,
    channels,
    inbox,
    incidents,
    locations,
    metadata,
    secret_facts,
)
from app.store.watching import incidents as incident_store, unheard
from tests.builders import JACKET, Limits, Shop

SALE = {
    "type": "sale",
    "id": "T-1",
    "occurred_at": iso(now()),
    "location": "downtown",
    "lines": [{"id": "1", "sku": JACKET, "quantity": 1}],
}


@pytest.fixture
def shop(engine):
    shop = Shop(engine)
    shop.locations("downtown", "harbour")
    shop.sku(JACKET)
    shop.channel("till")
    shop.channel("wbe", publish={})
    shop.listing("wbe", JACKET, "jacket")
    yield shop
    shop.receiver.close()


def remove(shop: Shop, key: str = "wbe") -> None:
    with applying(shop.engine) as connection:
        removing.remove_in(connection, key, actor="ada", now=now())


def refused(shop: Shop, key: str = "wbe") -> str:
    with pytest.raises(BadConfiguration) as found:
        remove(shop, key)
    return str(found.value)


def all_rows(shop: Shop, table: sa.Table) -> list[sa.Row]:
    with shop.engine.connect() as connection:
        return list(connection.execute(sa.select(table)))


def test_a_channel_goes_with_all_that_is_its_own(shop):
    with writing(shop.engine) as connection:
        channel_id = connection.scalar(
            sa.select(channels.c.id).where(channels.c.key == "wbe")
        )
        told = incident_store.open_incident
        told(connection, "webhooks", "wbe", "x", now=now(), channel_id=channel_id)

    remove(shop)

    assert [row.key for row in all_rows(shop, channels)] == ["till"]
    assert "unassigned:wbe" not in [row.code for row in all_rows(shop, locations)]
    (incident,) = all_rows(shop, incidents)
    assert incident.closed_at is not None
    (deed,) = all_rows(shop, audit_log)
    assert (deed.action, deed.subject) == ("remove channel", "wbe")
    for table in metadata.tables.values():
        if "channel_id" in table.c:
            assert channel_id not in [row.channel_id for row in all_rows(shop, table)]


def test_its_name_is_free_again(shop):
    elsewhere = Receiver(shop.engine, shop.vault, shop.bell, Limits())
    for _ in range(unheard.FEW):
        with pytest.raises(MissingHeader):
            elsewhere.receive("wbe", {}, b"{}", None, now())
    elsewhere.close()
    remove(shop)
    shop.channel("wbe", publish={})
    shop.listing("wbe", JACKET, "jacket")
    shop.count(JACKET, "downtown", 3)

    shop.tell("wbe", SALE)

    assert shop.level(JACKET) == {"available": 2}
    with writing(shop.engine) as connection:
        connection.execute(secret_facts.delete())
        assert unheard.listed(connection) == []


def test_every_table_about_channels_either_goes_or_is_history():
    about = {t for t in metadata.tables.values() if "channel_id" in t.c}
    assert about == {*removing.OWN, *removing.HISTORY, incidents}


@pytest.mark.parametrize(
    ("publish", "advice"), [(None, "rid of it, end"), ({}, "pause it, and end")]
)
def test_a_channel_that_told_something_stays(shop, publish, advice):
    shop.channel("wbe", publish=publish)
    shop.tell("wbe", SALE)

    said = refused(shop)

    assert said.startswith("wbe cannot be removed any more: its webhooks that came")
    assert advice in said


def test_a_channel_stays_whose_webhooks_are_forgotten(shop):
    shop.tell("wbe", SALE)
    with writing(shop.engine) as connection:
        connection.execute(inbox.delete())

    assert "its orders and receipts explain the count" in refused(shop)


def test_a_channel_stays_whose_orders_others_told_of(shop):
    shop.tell("till", {**SALE, "channel": "wbe", "order": "1001"})

    assert "its orders and receipts explain the count" in refused(shop)


def test_a_channel_that_others_rely_on_stays(shop):
    shop.channel("parcels", provider="shipstation", settings={"channel": "wbe"})
    assert refused(shop) == "parcels names wbe: load that without it first"
    shop.channel("parcels", provider="shipstation", authority={"shipped": "wbe"})
    assert refused(shop) == "parcels names wbe: load that without it first"
    shop.channel("parcels", provider="shipstation")
    shop.locations("harbour", custodian="wbe")
    assert "custodian of harbour" in refused(shop)
    with pytest.raises(UnknownChannel):
        remove(shop, "nobody")


def test_a_webhook_that_came_while_its_channel_was_removed_holds_nobody_up(shop):
    """A web process knows a channel for two seconds after it is gone."""
    shop.count(JACKET, "downtown", 3)
    with pytest.raises(MissingHeader):
        shop.receiver.receive("wbe", {}, b"{}", None, now())
    remove(shop)
    shop.receive("wbe", {**SALE, "id": "T-2"})

    shop.tell("till", SALE)

    assert shop.level(JACKET) == {"available": 2}
    assert [row.state for row in all_rows(shop, inbox)] == ["applied"]
