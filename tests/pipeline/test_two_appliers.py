"""Several processes on one database: everything once, nobody waits for ever."""

import multiprocessing
import random
import time
import traceback

import pytest
import sqlalchemy as sa

from app.domain import events as kinds
from app.domain.errors import HoldEnded, ShortOfUnits
from app.domain.events import StockEvent
from app.domain.instants import SECOND, now
from app.pipeline import facts, holding
from app.pipeline.audit import differences
from app.store.engine import open_engine
from app.store.tables import inbox
from tests.builders import JACKET, Shop, order, sale, shipment

SKUS = (JACKET, "RED-SCARF", "GREEN-HAT")
processes = multiprocessing.get_context("spawn")
HURRY = 60


def run_all(*calls):
    """Run each call in its own process; fail with what any of them reported."""
    told = processes.Queue()
    workers = [
        processes.Process(target=_reporting, args=(told, *call)) for call in calls
    ]
    for worker in workers:
        worker.start()
    answers = [told.get(timeout=HURRY) for _ in workers]
    for worker in workers:
        worker.join(HURRY)
        assert worker.exitcode == 0
    for answer in answers:
        assert not isinstance(answer, str), answer
    return answers


def _reporting(told, work, *arguments):
    try:
        told.put(work(*arguments))
    except Exception:  # noqa: BLE001 - told to the test, in the other process
        told.put(traceback.format_exc())


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


def _trade(url, seed, seconds):
    """Sell, count out, hold and apply at random; return units (sold, adjusted, held)."""
    chance, shop = random.Random(seed), Shop(open_engine(url))
    sold = adjusted = held = number = 0
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        number += 1
        name = f"{seed}-{number}"
        what = chance.choice(["sell", "adjust", "hold", "apply", "several"])
        if what == "sell":
            shop.sent = seed * 100_000 + number
            shop.receive("till", _basket(name, chance))
            sold += 3
        elif what == "adjust":
            facts.record(shop.engine, [_lost(name, chance)], actor="test", now=now())
            adjusted += 1
        elif what == "apply":
            shop.inbound.run(now())
        else:
            held += _hold(shop, chance, 3 if what == "several" else 1)
    shop.receiver.close()
    return sold, adjusted, held


def _basket(name, chance):
    body = sale(name, SKUS[0], 1, at=now())
    lines = [
        {"id": f"{n}", "sku": sku, "quantity": 1}
        for n, sku in enumerate(chance.sample(SKUS, k=3))
    ]
    return body | {"lines": lines}


def _lost(name, chance):
    at = now()
    return StockEvent(
        kinds.ADJUSTED,
        -1,
        at,
        at,
        sku=chance.choice(SKUS),
        place="downtown",
        fact=name,
        line="1",
        reason="lost",
    )


def _hold(shop, chance, lines):
    """Hold one unit of some SKUs; let go of half of them; return what stays held."""
    wanted = [{"sku": sku, "quantity": 1} for sku in chance.sample(SKUS, k=lines)]
    try:
        made = holding.hold(shop.engine, wanted, 900, actor="test", now=now())
        if chance.random() < 0.5:
            holding.release(shop.engine, made["id"], actor="test", now=now())
            return 0
    except (ShortOfUnits, HoldEnded):
        return 0
    return lines


def test_eight_processes_trade_at_once_without_a_deadlock(trade, database_url):
    answers = run_all(*((_trade, database_url, seed, 4.0) for seed in range(1, 9)))
    trade.apply()

    sold, adjusted, held = (sum(units) for units in zip(*answers, strict=True))
    assert sold > 0
    assert adjusted > 0
    assert held > 0
    levels = [trade.level(sku) for sku in SKUS]
    assert sum(level.get("reserved", 0) for level in levels) == held
    left = 3000 - sold - adjusted - held
    assert sum(level.get("available", 0) for level in levels) == left
    assert {state for state, _ in trade.messages()} == {"applied"}
    assert is_right(trade)
