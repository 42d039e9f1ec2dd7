"""Everybody at once: real processes, through the API and signed webhooks.

Of fifty units exactly fifty are claimed by two hundred buyers, and one less for each
that a till sells meanwhile; and whoever trades in whatever order waits for nobody for
long.
"""

import json
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from statistics import median
from typing import Any

import pytest

from adapters.signatures import StandardWebhooks
from app.domain.instants import iso, now
from app.factory import create_app
from app.pipeline.inbound import Inbound
from app.pipeline.proving.audit import differences
from app.pipeline.proving.rehearsal import rehearse
from app.store.engine import writing
from app.store.people import people
from app.store.vault import Vault
from app.web.hub import EXTENSION, Hub
from tests.builders import SECRET, Shop
from tests.processes import HURRY, processes, run_all
from tests.web.calls import Api

RUNS = 4
UNITS = 50
BUYING, EACH, FIRST = 4, 50, 10
"""Processes that buy, buyers in each, and those of them that come while it sells."""
THREADS = 5
TRADING, SECONDS = 6, 5.0
LONGEST = 5.0
"""Seconds that nobody may wait for one write."""
GOODS = [f"GOODS-{number}" for number in range(6)]


@contextmanager
def calling(settings: Any, token: str) -> Iterator[Api]:
    """The API in a process of its own."""
    app = create_app(settings)
    yield Api(app.test_client(), token)
    hub: Hub = app.extensions[EXTENSION]
    hub.receiver.close()
    hub.engine.dispose()


@pytest.fixture
def token(engine) -> str:
    with writing(engine) as connection:
        return people.create_token(connection, "buyers", people.OPERATOR)


@pytest.fixture
def shop(engine, settings) -> Iterator[Shop]:
    shop = Shop(engine, Vault(settings.secret_keys))
    shop.locations("downtown", "harbour")
    shop.channel("web", publish={})
    shop.channel("till", mapped={"downtown": "1"}, publish={})
    yield shop
    shop.receiver.close()


def send(api: Api, name: str, body: dict[str, Any]) -> None:
    raw = json.dumps({"occurred_at": iso(now()), **body}).encode()
    headers = StandardWebhooks().sign(raw, SECRET, now(), name)
    answer = api.client.post("/webhooks/till", data=raw, headers=headers)
    assert answer.status_code == 200, answer.text


def is_right(shop: Shop) -> bool:
    with shop.engine.connect() as connection:
        assert list(rehearse(connection, now(), 1)) == []
        return differences(connection) == []


# -- two hundred buyers --------------------------------------------------------


def _sales(runs: int) -> list[int]:
    """Units that the till sells meanwhile, run by run; in the last one before."""
    return [0, 10, *random.Random(7).choices(range(1, 10), k=runs - 3), 60]


def _buy(settings: Any, token: str, sales: list[int], together: Any) -> list[int]:
    """Buy in every run; how many were accepted in each."""
    with calling(settings, token) as api, ThreadPoolExecutor(THREADS) as pool:
        found = []
        for run, units in enumerate(sales):
            buys = [f"HOT-{run}"] * EACH
            together.wait(HURRY)
            early = FIRST if units <= UNITS else 0
            bought = [*pool.map(lambda sku: _one(api, sku), buys[:early])]
            together.wait(HURRY)
            bought += pool.map(lambda sku: _one(api, sku), buys[early:])
            found.append(sum(bought))
        return found


def _one(api: Api, sku: str) -> int:
    buyer = Api(api.client.application.test_client(), api.token)
    answer = buyer.call("POST", "/holds", {"lines": [{"sku": sku, "quantity": 1}]})
    assert answer.status_code in (201, 409), answer.text
    return int(answer.status_code == 201)


def _sell(settings: Any, token: str, sales: list[int], together: Any) -> list[int]:
    """Sell what the till sells in every run, webhook by webhook."""
    with calling(settings, token) as api:
        hub: Hub = api.client.application.extensions[EXTENSION]
        inbound = Inbound(hub.engine, hub.vault)
        for run, units in enumerate(sales):
            together.wait(HURRY)
            for number in range(units):
                line = {"id": "1", "sku": f"HOT-{run}", "quantity": 1}
                name = f"T-{run}-{number}"
                send(api, name, {"type": "sale", "id": name, "lines": [line]})
                if number % 3 == 0:
                    inbound.run(now())
            while inbound.run(now()):
                pass
            together.wait(HURRY)
        return []


def test_two_hundred_buyers_get_exactly_what_the_till_leaves(
    shop, settings, token, times
):
    sales = _sales(RUNS * times)
    hot = [f"HOT-{run}" for run in range(len(sales))]
    shop.sku(*hot)
    for sku in hot:
        shop.count(sku, "downtown", UNITS)
    together = processes.Barrier(BUYING + 1)
    buyers = [(_buy, settings, token, sales, together)] * BUYING

    answers = run_all(*buyers, (_sell, settings, token, sales, together))

    accepted = [sum(run) for run in zip(*filter(None, answers), strict=True)]
    assert accepted == [max(0, UNITS - sold) for sold in sales]
    for sku, bought, sold in zip(hot, accepted, sales, strict=True):
        left = UNITS - bought - sold
        wanted = {"available": left, "reserved": bought}
        assert shop.level(sku) == {state: n for state, n in wanted.items() if n}
    assert is_right(shop)


# -- everybody trades ----------------------------------------------------------


def _trade(settings: Any, token: str, seed: int) -> dict[str, Any]:
    """Do this and that with several SKUs at a time; what came of it."""
    dice, made = random.Random(seed), {"sold": 0, "lost": 0, "held": 0, "came": 0}
    waits: list[float] = []
    with calling(settings, token) as api:
        hub: Hub = api.client.application.extensions[EXTENSION]
        inbound = Inbound(hub.engine, hub.vault)
        deeds = [_sells, _loses, _holds, _holds, _receives, _sends]
        ends = time.monotonic() + SECONDS
        while time.monotonic() < ends:
            began = time.monotonic()
            name = f"{seed}-{len(waits)}"
            if dice.random() < 0.2:
                inbound.run(now())
            else:
                dice.choice(deeds)(api, dice, name, made)
            waits.append(time.monotonic() - began)
    return made | {"deeds": len(waits), "longest": max(waits)}


def _lines(dice: random.Random) -> list[dict[str, Any]]:
    """One to four SKUs in any order."""
    chosen = dice.sample(GOODS, k=dice.randint(1, 4))
    return [{"sku": sku, "quantity": 1} for sku in chosen]


def _sells(api: Api, dice: random.Random, name: str, made: dict[str, int]) -> None:
    lines = [line | {"id": f"{n}"} for n, line in enumerate(_lines(dice))]
    send(api, f"msg-{name}", {"type": "sale", "id": name, "lines": lines})
    made["sold"] += len(lines)


def _loses(api: Api, dice: random.Random, name: str, made: dict[str, int]) -> None:
    lost = {"sku": dice.choice(GOODS), "location": "downtown", "change": -1}
    api.post("/adjustments", lost | {"reason": name})
    made["lost"] += 1


def _holds(api: Api, dice: random.Random, name: str, made: dict[str, int]) -> None:
    lines = _lines(dice)
    held = api.call("POST", "/holds", {"lines": lines})
    assert held.status_code in (201, 409), held.text
    if held.status_code == 409:
        return
    if dice.random() < 0.5:
        made["held"] += len(lines)
    else:
        done = api.call("DELETE", f"/holds/{held.json['id']}")
        assert done.status_code == 200, done.text


def _receives(api: Api, dice: random.Random, name: str, made: dict[str, int]) -> None:
    lines = _lines(dice)
    api.post("/receipts", {"location": "harbour", "lines": lines})
    made["came"] += len(lines)


def _sends(api: Api, dice: random.Random, name: str, made: dict[str, int]) -> None:
    lines = _lines(dice)
    body = {"from": "downtown", "to": "harbour", "lines": lines}
    sent = api.call("POST", "/transfers", body)
    assert sent.status_code in (201, 409), sent.text
    if sent.status_code == 201:
        api.post(f"/transfers/{sent.json['id']}/receive", {"lines": lines}, status=200)


def test_many_processes_trade_at_once_and_nobody_starves(shop, settings, token):
    shop.sku(*GOODS)
    for sku in GOODS:
        shop.listing("till", sku, sku)
        shop.count(sku, "downtown", 200)

    answers = run_all(*((_trade, settings, token, seed) for seed in range(TRADING)))
    shop.apply()

    made = {name: sum(one[name] for one in answers) for name in answers[0]}
    assert min(made["sold"], made["lost"], made["held"], made["came"]) > 0
    assert {state for state, _ in shop.messages()} == {"applied"}
    levels = [shop.level(sku) for sku in GOODS]
    assert sum(level.get("reserved", 0) for level in levels) == made["held"]
    left = 200 * len(GOODS) + made["came"] - made["sold"] - made["lost"] - made["held"]
    assert sum(level.get("available", 0) for level in levels) == left
    assert sum(level.get("incoming", 0) for level in levels) == 0
    assert is_right(shop)
    deeds = [one["deeds"] for one in answers]
    assert min(deeds) > median(deeds) / 5, f"somebody starved: {deeds}"
    assert max(one["longest"] for one in answers) < LONGEST
