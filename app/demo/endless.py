"""The demo that goes on for ever, slowly, so that the dashboard has something to show.

Small scenes at random: sales, parcels, returns, deliveries, a channel that is down for
a while, a number edited by hand, now and then a sale that nobody can place.
"""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import requests
import structlog

from app.demo.sandboxes import Sandbox, SoldOut
from app.demo.shop import (
    DEPOT,
    DOWNTOWN,
    GOODS,
    MUG,
    TILL_PLACE,
    WEB_PLACES,
    Good,
    Shop,
)
from app.demo.watch import units

log = structlog.get_logger(__name__)

PAUSE_SECONDS = (2.0, 7.0)
OUTAGE_SECONDS = 45.0
FEW = 4
MOST_MUGS = 3


@dataclass
class Order:
    """An online order on its way."""

    id: str
    number: str
    good: Good
    is_shipped: bool = False


@dataclass
class Stage:
    """What the scenes remember."""

    shop: Shop
    dice: random.Random = field(default_factory=random.Random)
    orders: list[Order] = field(default_factory=list)
    down: Sandbox | None = None
    down_until: float = 0.0
    mugs: int = 0


Scene = Callable[[Stage], None]


def play(shop: Shop) -> None:
    """Play until the process is ended."""
    stage = Stage(shop)
    pause = threading.Event()
    while True:
        pause.wait(stage.dice.uniform(*PAUSE_SECONDS))
        play_one(stage)


def play_one(stage: Stage) -> None:
    """One scene, by chance."""
    recover(stage)
    names, weights = zip(*SCENES.items(), strict=True)
    (scene,) = stage.dice.choices(names, weights)
    act(stage, scene)


def act(stage: Stage, scene: Scene) -> None:
    """Play a scene. A channel that is being restarted is no reason to stop."""
    try:
        scene(stage)
    except SoldOut:
        restock(stage)
    except requests.RequestException as error:
        log.debug("a scene failed", scene=scene.__name__, error=str(error))


def sell_online(stage: Stage) -> None:
    """A shopper buys something."""
    good = stage.dice.choice(GOODS)
    number = f"W{time.time_ns() // 1_000_000}"
    sold = stage.shop.web.sell(good.web, stage.dice.choice((1, 1, 2)), number=number)
    stage.orders.append(Order(str(sold["order"]), number, good))


def sell_downtown(stage: Stage) -> None:
    """The till sells something."""
    good = stage.dice.choice(GOODS)
    stage.shop.till.sell(good.till, place=TILL_PLACE, shipped=True)


def ship(stage: Stage) -> None:
    """The oldest online order leaves; both systems tell of it."""
    order = next((one for one in stage.orders if not one.is_shipped), None)
    if order is None:
        return
    order.is_shipped = True
    shipped = _ordered(stage, order)
    lines = [{"sku": order.good.sku, "quantity": shipped}]
    stage.shop.parcels.do("ship", number=order.number, lines=lines)
    stage.shop.web.do("ship", order=order.id)


def _ordered(stage: Stage, order: Order) -> int:
    for one in stage.shop.web.orders():
        if one["id"] == order.id:
            return sum(int(line["quantity"]) for line in one["lines"])
    return 0


def cancel(stage: Stage) -> None:
    """A shopper thinks again before the parcel leaves."""
    order = next((one for one in stage.orders if not one.is_shipped), None)
    if order is not None:
        stage.orders.remove(order)
        stage.shop.web.do("cancel", order=order.id, restock=True)


def bring_back(stage: Stage) -> None:
    """A shopper brings one back to the store."""
    order = next((one for one in stage.orders if one.is_shipped), None)
    if order is not None:
        stage.orders.remove(order)
        place = WEB_PLACES[DOWNTOWN]
        stage.shop.web.do("refund", order=order.id, quantity=1, place=place)


def restock(stage: Stage) -> None:
    """What runs low arrives again, so that it goes on for ever."""
    for good in GOODS:
        if units(stage.shop, good, "available") < FEW:
            place = stage.dice.choice((DOWNTOWN, DEPOT))
            line = {"id": "1", "sku": good.sku, "quantity": stage.dice.randint(3, 9)}
            stage.shop.wms.do("tell", type="receipt", location=place, lines=[line])


def edit_by_hand(stage: Stage) -> None:
    """Somebody knows better than the count."""
    good = stage.dice.choice(GOODS)
    place = WEB_PLACES[DOWNTOWN]
    shown = stage.shop.web.shows(good.web, place)
    wrong = shown + stage.dice.choice((1, 2, 3))
    stage.shop.web.do("edit", item=good.web, place=place, quantity=wrong)


def go_down(stage: Stage) -> None:
    """A channel does not answer for a while."""
    if stage.down is None:
        stage.down = stage.dice.choice((stage.shop.till, stage.shop.wms))
        stage.down_until = time.monotonic() + OUTAGE_SECONDS
        stage.down.do("weather", status=503)


def recover(stage: Stage) -> None:
    """It answers again."""
    if stage.down is not None and time.monotonic() > stage.down_until:
        try:
            stage.down.do("weather")
        except requests.RequestException:
            return
        stage.down = None


def sell_unknown(stage: Stage) -> None:
    """The till sells something that has no listing; it waits on the dashboard."""
    if stage.mugs < MOST_MUGS:
        stage.mugs += 1
        stage.shop.till.sell(MUG.till, place=TILL_PLACE, shipped=True)


SCENES: dict[Scene, float] = {
    sell_online: 8,
    sell_downtown: 8,
    ship: 7,
    bring_back: 2,
    cancel: 1,
    restock: 3,
    edit_by_hand: 1,
    go_down: 0.5,
    sell_unknown: 0.3,
}
