"""Read this first: what the hub is for, seen from outside.

Real processes (`onecount up`: web, inbound, outbound, scheduler, a Valkey), a real
database, and three channels that behave like Shopify, Square and a warehouse. Nothing
is called from inside; each test takes a jacket of its own.
"""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from app.demo.sandboxes import SoldOut
from app.domain.instants import HOUR, iso, now
from tests.conftest import _copied
from tests.hubs import PLACE, World, crowd, running, within

pytestmark = pytest.mark.slow

SOON = 10
"""Seconds; on a quiet machine it is about one."""


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp("hub")
    if request.param == "sqlite":
        with running(None, folder) as world:
            yield world
        return
    server = request.getfixturevalue("_postgres_server")
    for url in _copied(server, request.getfixturevalue("_postgres_template")):
        with running(url, folder) as world:
            yield world


@pytest.fixture(autouse=True)
def fair_weather(world: World) -> Iterator[None]:
    """After every test everything comes to rest, and the ledger adds up."""
    yield
    for channel in world.channels.values():
        channel.do("weather")
    assert within(60, world.is_settled)
    assert world.audit() == []


def next_second() -> None:
    """Shopify's clock ticks whole seconds: two changes within one cannot be ordered."""
    this = int(time.time())
    assert within(5, lambda: int(time.time()) > this)


def test_a_sale_in_one_channel_lowers_stock_in_the_others(world: World) -> None:
    sku = world.stock(1)
    assert within(SOON, lambda: world.all_show(sku, 1))

    world.sell("till", sku)

    assert within(SOON, lambda: world.all_show(sku, 0))
    with pytest.raises(SoldOut):
        world.sell("web", sku)


def test_an_online_order_holds_a_unit_until_it_is_cancelled(world: World) -> None:
    sku = world.stock(3)
    assert within(SOON, lambda: world.all_show(sku, 3))

    order = world.sell("web", sku, 2)
    assert within(SOON, lambda: world.all_show(sku, 1))
    assert world.level(sku)["committed"] == 2
    next_second()
    world.channels["web"].do("cancel", order=order["order"], restock=True)

    assert within(SOON, lambda: world.all_show(sku, 3))
    assert world.level(sku)["committed"] == 0


def test_webhooks_twice_and_out_of_order_count_every_sale_once(world: World) -> None:
    sku = world.stock(40)
    assert within(SOON, lambda: world.all_show(sku, 40))
    for key in PLACE:
        world.channels[key].do("weather", duplicate=1, reorder=True)

    for _ in range(4):
        order = world.sell("web", sku)
        world.sell("till", sku)
        world.sell("wms", sku)
        world.channels["web"].do("ship", order=order["order"])

    assert within(30, lambda: world.is_settled() and world.all_show(sku, 28))
    level = world.level(sku)
    assert (level["available"], level["committed"]) == (28, 4)


def test_a_lost_valkey_loses_no_sale_and_no_delivery(world: World) -> None:
    sku = world.stock(20)
    assert within(SOON, lambda: world.all_show(sku, 20))

    world.sell("web", sku)
    world.flush()
    world.sell("till", sku)
    assert world.kill("valkey-server") == 1
    for _ in range(3):
        world.sell("till", sku)
        world.sell("wms", sku)

    assert within(60, lambda: world.is_settled() and world.all_show(sku, 12))


def test_what_a_killed_worker_was_doing_is_done_within_a_minute(world: World) -> None:
    sku = world.stock(5)
    assert within(SOON, lambda: world.all_show(sku, 5))
    channel = world.channels["wms"]
    calls = channel.state()["calls"]
    channel.do("weather", delay=3)

    world.sell("till", sku)
    assert within(SOON, lambda: channel.state()["calls"] > calls)
    assert world.kill("workers.run outbound") > 0
    assert world.kill("workers.run inbound") > 0
    world.sell("web", sku)

    assert within(60, lambda: world.all_show(sku, 3)), world.waiting()


def test_sales_whose_webhooks_are_all_lost_are_asked_for(world: World) -> None:
    sku = world.stock(20)
    assert within(SOON, lambda: world.all_show(sku, 20))
    # The first poll of a new channel: the next follows in a few minutes.
    assert within(60, lambda: world.polled() == ["till", "web"])
    for key in ("web", "till"):
        world.channels[key].do("weather", drop=1.0)

    order = world.sell("web", sku, 3)
    world.sell("web", sku, 2)
    world.sell("till", sku, 4)
    world.channels["web"].do("cancel", order=order["order"], restock=True)
    # After a pause they are polled at once, and not in a few minutes.
    world.onecount("channels", "pause", "--all")
    world.onecount("channels", "resume", "--all")

    assert within(60, lambda: world.all_show(sku, 14)), world.waiting()
    level = world.level(sku)
    assert (level["available"], level["committed"]) == (14, 2)


def test_after_a_restore_what_happened_meanwhile_is_asked_for(world: World) -> None:
    sku, began = world.stock(9), iso(now() - HOUR)
    assert within(SOON, lambda: world.all_show(sku, 9))
    for key in ("web", "till"):
        world.channels[key].do("weather", drop=1.0)
    world.sell("web", sku, 2)
    world.sell("till", sku, 1)

    said = world.onecount("recover", "--since", began)

    assert "Asked for all that changed since" in said
    assert within(60, lambda: world.all_show(sku, 6)), world.waiting()
    assert within(60, world.is_settled)
    assert "Webhooks" in world.onecount("channels", "check")
    world.onecount("replay", "--sku", sku)
    assert within(60, world.is_settled)
    assert world.level(sku)["on_hand"] == 8


def test_two_hundred_buyers_hold_fifty_units_fifty_times(world: World) -> None:
    sku = world.stock(50)
    body = {"lines": [{"sku": sku, "quantity": 1}], "expires_in": 900}
    headers = {"Authorization": f"Bearer {world.token}"}

    def buy() -> int:
        url = f"{world.address}/api/v1/holds"
        return requests.post(url, json=body, headers=headers, timeout=60).status_code

    answers = Counter(crowd([buy] * 200))

    assert answers == {201: 50, 409: 150}
    level = world.level(sku)
    assert (level["available"], level["reserved"], level["on_hand"]) == (0, 50, 50)
    assert within(SOON, lambda: world.all_show(sku, 0))


def test_two_hundred_sales_of_fifty_units_are_all_written_down(world: World) -> None:
    sku = world.stock(50)

    def sale(number: int) -> dict:
        lines = [{"id": "1", "sku": sku, "quantity": 1}]
        return {"type": "sale", "id": f"{sku}-{number}", "lines": lines}

    answers = crowd([lambda n=n: world.tell(sale(n)) for n in range(200)])

    assert Counter(answers) == {200: 200}
    assert within(30, lambda: world.level(sku)["available"] == -150)
    assert within(SOON, lambda: world.all_show(sku, 0))


def test_a_channel_that_hangs_slows_no_other(world: World) -> None:
    sku = world.stock(9)
    assert within(SOON, lambda: world.all_show(sku, 9))
    world.channels["wms"].do("weather", delay=30)
    began = time.monotonic()

    for number in range(8, 4, -1):
        world.sell("till", sku)
        assert within(SOON, lambda n=number: world.shows("web", sku) == n)

    assert time.monotonic() - began < 20
    world.channels["wms"].do("weather")
    assert within(60, lambda: world.all_show(sku, 5))


def test_a_channel_that_is_down_gets_the_newest_number_later(world: World) -> None:
    sku = world.stock(9)
    assert within(SOON, lambda: world.all_show(sku, 9))
    world.channels["web"].do("weather", status=503)

    for _ in range(3):
        world.sell("till", sku)
    assert within(SOON, lambda: world.shows("wms", sku) == 6)
    assert world.shows("web", sku) == 9
    world.channels["web"].do("weather")

    assert within(60, lambda: world.all_show(sku, 6))


def test_a_number_edited_by_hand_is_put_right(world: World) -> None:
    sku = world.stock(4)
    assert within(SOON, lambda: world.all_show(sku, 4))

    for key, item in (("web", f"808{sku[7:]}"), ("till", f"V{sku[7:]}")):
        world.channels[key].do("edit", item=item, place=PLACE[key], quantity=30)

    assert within(60, lambda: world.is_settled() and world.all_show(sku, 4))
    assert world.level(sku)["on_hand"] == 4
