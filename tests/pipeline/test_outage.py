"""A channel that is down for an hour: what it costs when it is back.

A thousand SKUs every day; `--times 10` for ten thousand.
"""

import math
from collections.abc import Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa
import time_machine

import adapters
from app.domain import events as kinds
from app.domain.events import StockEvent
from app.domain.instants import HOUR, now
from app.pipeline.apply import apply
from app.pipeline.applying.told import Told
from app.pipeline.configuring.listings import publish_listings
from app.pipeline.house import read_house
from app.pipeline.publish import Publisher
from app.store import bulk
from app.store.engine import applying, writing
from app.store.tables import channels, listings, publications, skus
from tests.builders import Shop
from tests.listening import ListeningChannel

SKUS = 1_000
STOCKED = 100
MINUTES = 60
ROUNDS = 3
"""How often each SKU changes within the hour."""


@pytest.fixture
def goods(times: int) -> list[str]:
    return [f"SKU-{number:05d}" for number in range(SKUS * times)]


@pytest.fixture
def full(empty_shop: Shop, channel: ListeningChannel, goods: list[str]) -> Shop:
    """Every SKU in stock, and every number published."""
    shop = empty_shop
    shop.locations("downtown")
    shop.channel("web", publish={}, settings={"push_url": channel.url})
    with applying(shop.engine) as connection:
        bulk.insert(connection, skus, ("sku",), [(name,) for name in goods])
        house = read_house(connection)
        rows = connection.execute(sa.select(skus.c.id, skus.c.sku)).all()
        listed = [(house.by_key["web"], row.id, row.sku) for row in rows]
        bulk.insert(
            connection, listings, ("channel_id", "sku_id", "external_id"), listed
        )
        publish_listings(connection, house, now())
    move(shop, goods, STOCKED, "first")
    with writing(shop.engine) as connection:
        settled = {
            "accepted_version": publications.c.wanted_version,
            "accepted": STOCKED,
        }
        connection.execute(publications.update().values(settled))
        connection.execute(
            channels.update().values(marked_to=sa.text("(SELECT max(id) FROM ledger)"))
        )
    return shop


def move(shop: Shop, names: list[str], quantity: int, fact: str) -> None:
    """Receive this many units of each."""
    at = now() - HOUR
    for first in range(0, len(names), 100):
        batch = [
            StockEvent(
                kinds.RECEIVED,
                quantity,
                at,
                at,
                sku=name,
                place="downtown",
                fact=f"{fact}-{name}",
                line="1",
            )
            for name in names[first : first + 100]
        ]
        with applying(shop.engine) as connection:
            apply(connection, read_house(connection), [Told(None, batch, at)], now())


def minutes(goods: list[str]) -> Iterator[tuple[int, list[str]]]:
    """What changes in each minute: over the hour every SKU, several times."""
    a_minute = len(goods) * ROUNDS // MINUTES
    for minute in range(MINUTES):
        first = minute * a_minute
        yield minute, [goods[n % len(goods)] for n in range(first, first + a_minute)]


def test_an_hour_down_costs_one_call_for_each_batch_of_skus_that_changed(
    full: Shop, channel: ListeningChannel, goods: list[str], settings
) -> None:
    publisher = Publisher(full.engine, full.vault, settings)
    channel.status = 503
    with time_machine.travel(timedelta(0)) as clock:
        for minute, changed in minutes(goods):
            move(full, changed, 1, f"minute-{minute}")
            while publisher.push_due("web"):
                pass
            clock.shift(60)
        down = len(channel.ids)
        channel.status = 200

        clock.shift(settings.circuit_cap_seconds)
        while publisher.push_due("web"):
            pass

    probe = 1
    batches = math.ceil(len(goods) / adapters.get("standard").batch_limit)
    assert down <= settings.circuit_failures + MINUTES / 2
    assert channel.shows() == dict.fromkeys(goods, STOCKED + ROUNDS)
    assert len(channel.rows) == len(goods)
    assert len(channel.ids) - down <= batches + probe + 1
