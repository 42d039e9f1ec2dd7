"""Two appliers on one database: everything once, nobody waits for ever."""

import time

import pytest
import sqlalchemy as sa

from app.domain.instants import SECOND, now
from app.pipeline.proving.audit import differences
from app.store.engine import open_engine
from app.store.tables import inbox
from tests.builders import JACKET, Shop, order, shipment
from tests.processes import HURRY, run_all

SKUS = (JACKET, "RED-SCARF", "GREEN-HAT")


def is_right(shop):
    with shop.engine.connect() as connection:
        return differences(connection) == []


def _apply_all(url, batch):
    shop = Shop(open_engine(url))
    shop.inbound._batch = batch
    deadline, claimed = time.monotonic() + HURRY, 0
    while _waiting(shop) and time.monotonic() < deadline:
        claimed += shop.inbound.run(now())
    return claimed


def _waiting(shop):
    with shop.engine.connect() as connection:
        return connection.execute(
            sa.select(sa.func.count()).where(inbox.c.state == "waiting")
        ).scalar_one()


@pytest.fixture
def trade(shop) -> Shop:
    """The shop with two more SKUs, a thousand of each."""
    shop.sku(*SKUS[1:])
    for sku in SKUS:
        shop.listing("web", sku, f"ext-{sku}")
        shop.count(sku, "downtown", 1000, at=now() - 3600 * SECOND)
    return shop


def test_two_appliers_on_one_inbox_apply_everything_once(trade, database_url):
    at = now() - 600 * SECOND
    for number in range(60):
        sku = SKUS[number % 3]
        trade.receive("web", order(f"{number}", sku, 2, at=at))
        trade.receive("web", shipment(f"{number}", sku, 1, at=at + SECOND))

    run_all((_apply_all, database_url, 7), (_apply_all, database_url, 11))

    for sku in SKUS:
        assert trade.level(sku) == {"available": 960, "committed": 20}
    assert {state for state, _ in trade.messages()} == {"applied"}
    assert is_right(trade)
    with trade.engine.connect() as connection:
        keys = connection.execute(sa.text("SELECT key FROM stock_events")).scalars()
        told = [key for key in keys if key.startswith("web:")]
    assert len(told) == len(set(told)) == 120
