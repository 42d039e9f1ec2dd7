"""Duplicates, reordering and replay of every recorded webhook leave the same ledger."""

import json
import random

import pytest
import sqlalchemy as sa

import adapters
from app.domain import instants
from app.domain.instants import DAY
from app.pipeline.configuring.listings import publish_listings, save_listing
from app.pipeline.fetching import Fetcher
from app.pipeline.house import read_house
from app.pipeline.proving.audit import differences
from app.pipeline.repairing.replaying import replay
from app.store.configuration import channels
from app.store.engine import applying, writing
from app.store.tables import inbox, listings
from tests.builders import Shop
from tests.contract.recorded import NOW, Provider, played, whole_message

ORDERS_TRIED = 6
SETTLED = {"applied", "ignored", "parked"}
"""Parked: one sale names none of the till's two places."""
PROVIDERS = [Provider(name) for name in adapters.names()]


@pytest.fixture(params=PROVIDERS, ids=lambda provider: provider.name)
def provider(request) -> Provider:
    return request.param


@pytest.fixture
def known(provider, empty_shop) -> Shop:
    """A shop with the recorded channel, which knows every item that is spoken of."""
    shop, channel = empty_shop, provider.channel()
    shop.locations(*channel.locations, *(() if channel.locations else ("downtown",)))
    for key, kind in ((channel.key, provider.name), *_others(provider, channel)):
        shop.channel(
            key,
            provider=kind,
            mapped=channel.locations if key == channel.key else {},
            settings=channel.settings if key == channel.key else {},
            secrets=channel.secrets if key == channel.key else {},
            publish={},
        )
    skus, items = _items(provider)
    shop.sku(*skus)
    with applying(shop.engine) as connection:
        made = [
            save_listing(connection, channel.key, sku, external, parent)["id"]
            for sku, external, parent in items
        ]
        house = read_house(connection)
        publish_listings(connection, house, instants.now(), made)
    return shop


def _others(provider, channel):
    """Channels that the recorded messages name, beside their own."""
    named = {
        event.order_channel
        for _, said in _said(provider)
        for event in said.events
        if event.order_channel and event.order_channel != channel.key
    }
    return [(key, "standard") for key in sorted(named)]


def _said(provider):
    """Every recorded message with what it says in the end."""
    adapter = provider.adapter()
    for case in provider.cases():
        message = whole_message(provider, adapter, case)
        yield case, adapter.normalise(message)


def _items(provider):
    """The SKUs and listings that make every recorded item known."""
    told = [event for _, said in _said(provider) for event in said.events]
    listed = [seen for _, said in _said(provider) for seen in said.listings]
    parents = {
        one.external_parent_id: one.external_id
        for one in (*told, *listed)
        if one.external_parent_id and one.external_id
    }
    skus, items = set(), {}
    for event in told:
        parent = event.external_parent_id
        external = event.external_id or (
            parents.get(parent, f"item of {parent}") if parent else None
        )
        if external is not None:
            sku = items.get(external, (event.sku or f"SKU-{external}",))[0]
            known = items.get(external, (None, None, None))[2]
            items[external] = (sku, external, parent or known)
            skus.add(sku)
        elif event.sku is not None:
            skus.add(event.sku)
    return sorted(skus), sorted(items.values(), key=lambda item: item[1])


def put(shop, provider, cases):
    """Store messages as the claim leaves them: kept fields, no body."""
    adapter = provider.adapter()
    with writing(shop.engine) as connection:
        for number, case in enumerate(cases):
            headers = provider.headers(case)
            document = adapter.document(provider.body(case))
            connection.execute(
                inbox.insert().values(
                    channel_id=1,
                    delivery_id=f"{case}-{number}",
                    body_hash="",
                    headers=json.dumps(
                        {n: headers[n] for n in adapter.headers if n in headers}
                    ),
                    document=json.dumps(document),
                    topic=adapter.topic(headers, document),
                    received_at=NOW + DAY,
                )
            )


def work(shop, provider, settings):
    """Apply and fetch, each fetch answered by what was recorded for its message.

    One at a time: what was recorded for two is the same order at two times, and one read
    would serve both.
    """
    shop.apply()
    key = provider.channel().key
    fetcher = Fetcher(shop.engine, shop.vault, settings)
    while pointer := _next_fetch(shop):
        with played(provider.json(f"webhooks/{pointer}/exchange.json"), all_used=False):
            assert fetcher.fetch_due(key) == 1
        shop.apply()


def _next_fetch(shop):
    """The recorded case that the oldest message waiting to be fetched was made from; the
    others are not due yet."""
    waits = sa.and_(inbox.c.state == "waiting", inbox.c.lane == "fetch")
    with writing(shop.engine) as connection:
        query = sa.select(inbox.c.id, inbox.c.delivery_id).where(waits)
        row = connection.execute(query.order_by(inbox.c.id)).first()
        if row is None:
            return None
        due_at = sa.case((inbox.c.id == row.id, 0), else_=NOW + 1000 * DAY)
        connection.execute(inbox.update().where(waits).values(next_attempt_at=due_at))
    return row.delivery_id.rpartition("-")[0]


def picture(shop):
    """Every level by SKU, place and state; and that the audit finds nothing."""
    with shop.engine.connect() as connection:
        assert differences(connection) == []
        rows = connection.execute(sa.text("SELECT * FROM stock_levels")).mappings()
        return {
            (row["sku_id"], row["location_id"], state): units
            for row in rows
            for state, units in row.items()
            if state not in ("id", "sku_id", "location_id", "counted_at") and units
        }


def entries(shop):
    with shop.engine.connect() as connection:
        return connection.execute(sa.text("SELECT count(*) FROM ledger")).scalar_one()


def forget(shop):
    with writing(shop.engine) as connection:
        for table in (
            "ledger",
            "stock_levels",
            "checkpoints",
            "lines",
            "stock_events",
            "inbox",
            "incidents",
            "leases",
        ):
            connection.execute(sa.text(f"DELETE FROM {table}"))
        connection.execute(sa.text("UPDATE channels SET disconnected_at = NULL"))
        connection.execute(sa.text("UPDATE listings SET gone_at = NULL"))


def _parked(states):
    return {note for state, note in states.values() if state == "parked"}


def test_any_order_of_all_recorded_webhooks_leaves_the_same_levels(
    known, provider, settings
):
    chance = random.Random(provider.name)
    cases, pictures = provider.cases(), []
    for attempt in range(ORDERS_TRIED):
        told = list(cases)
        if attempt:
            told += chance.sample(cases, k=len(cases) // 2)
            chance.shuffle(told)
        forget(known)
        put(known, provider, told)
        work(known, provider, settings)
        states = dict(zip(told, known.messages(), strict=True))
        assert {state for state, _ in states.values()} <= SETTLED, states
        assert _parked(states) <= {"unknown location (none named)"}
        pictures.append((picture(known), told))

    for found, told in pictures[1:]:
        assert found == pictures[0][0], f"told in this order: {told}"
    assert pictures[0][0]


def connections(shop):
    """Which channels have said good-bye, and what each says of its items."""
    with shop.engine.connect() as connection:
        channels = connection.execute(
            sa.text("SELECT key, disconnected_at FROM channels ORDER BY id")
        )
        listings = connection.execute(sa.text("SELECT * FROM listings ORDER BY id"))
        return channels.all(), listings.all()


def test_replaying_what_was_recorded_changes_nothing(known, provider, settings):
    put(known, provider, provider.cases())
    work(known, provider, settings)
    with writing(known.engine) as connection:
        # It came back since, and somebody named its items otherwise.
        channels.resume(connection, provider.channel().key, instants.now())
        connection.execute(listings.update().values(name="Renamed", gone_at=None))
    before = (picture(known), entries(known), connections(known))

    replay(known.engine, filter={})
    work(known, provider, settings)

    assert (picture(known), entries(known), connections(known)) == before
