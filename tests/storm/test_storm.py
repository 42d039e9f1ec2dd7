"""The storm: everything goes wrong at once, and afterwards every number is right.

Channels answer late, with errors, or not at all; webhooks come twice, out of order and
while nobody listens; people edit numbers by hand; the hub's processes and its Valkey
are killed one after the other. What the channels themselves sold, shipped, cancelled
and took back is known here from their own answers: that is what the ledger must say,
and what every channel must show once it is calm again.

`ONECOUNT_STORM_SECONDS` makes it last longer, `ONECOUNT_STORM_SEED` blows it again.
"""

import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import RedisError

from app.demo.sandboxes import SoldOut
from tests.conftest import _copied
from tests.hubs import GOODS, PLACE, World, item, running, within

pytestmark = pytest.mark.slow

SECONDS = float(os.environ.get("ONECOUNT_STORM_SECONDS", "8"))
SEED = int(os.environ.get("ONECOUNT_STORM_SEED", "1"))
STOCKED = 40
CALM_WITHIN = 120
"""Seconds: what was being sent when a worker died waits for its lease to end."""

VICTIMS = (
    "app.factory",
    "workers.run inbound",
    "workers.run outbound",
    "workers.run scheduler",
    "valkey-server",
)


@pytest.fixture(params=["sqlite", "postgres"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    if request.param == "sqlite":
        with running(None, tmp_path) as world:
            yield world
        return
    server = request.getfixturevalue("_postgres_server")
    for url in _copied(server, request.getfixturevalue("_postgres_template")):
        with running(url, tmp_path) as world:
            yield world


class Storm:
    """Things that happen, and what they must have done to stock."""

    def __init__(self, world: World, seed: int) -> None:
        self._world = world
        self._random = random.Random(seed)
        self.true = Counter({world.stock(STOCKED): STOCKED for _ in range(GOODS)})
        self._open: list[tuple[str, str, int]] = []
        self._shipped: list[tuple[str, str]] = []
        self.happened: Counter[str] = Counter()
        self._happenings: list[tuple[int, Callable[[], None]]] = [
            (40, self.sale),
            (12, self.parcel),
            (5, self.cancellation),
            (5, self.return_),
            (5, self.weather),
            (2, self.edit),
            (2, self.kill),
            (1, self.flush),
        ]

    def blow(self, seconds: float) -> None:
        weights, happenings = zip(*self._happenings, strict=True)
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            [happens] = self._random.choices(happenings, weights)
            try:
                happens()
                self.happened[happens.__name__] += 1
            except SoldOut:
                self.happened["sold out"] += 1
            time.sleep(self._random.expovariate(20))

    def _sku(self) -> str:
        return self._random.choice(sorted(self.true))

    def sale(self) -> None:
        key, sku, units = self._random.choice(sorted(PLACE)), self._sku(), 1
        if self._random.random() < 0.2:
            units = 3
        sold = self._world.sell(key, sku, units)
        self.true[sku] -= units
        if key == "web":
            self._open.append((sold["order"], sku, units))

    def parcel(self) -> None:
        if self._open:
            order, sku, _ = self._open.pop(self._random.randrange(len(self._open)))
            self._world.channels["web"].do("ship", order=order)
            self._shipped.append((order, sku))

    def cancellation(self) -> None:
        if self._open:
            order, sku, units = self._open.pop(self._random.randrange(len(self._open)))
            self._world.channels["web"].do("cancel", order=order, restock=True)
            self.true[sku] += units

    def return_(self) -> None:
        if self._shipped:
            order, sku = self._shipped.pop(self._random.randrange(len(self._shipped)))
            self._world.channels["web"].do("refund", order=order, quantity=1)
            self.true[sku] += 1

    def weather(self) -> None:
        bad = self._random.choice(
            [
                {"status": 503},
                {"status": 429, "retry_after": 1},
                {"delay": self._random.uniform(0.1, 1.5)},
                {"hang_up": 0.3},
                {},
            ]
        )
        more = {"duplicate": 0.3, "reorder": self._random.random() < 0.5}
        key = self._random.choice(sorted(PLACE))
        self._world.channels[key].do("weather", **bad, **more)

    def edit(self) -> None:
        key, sku = self._random.choice(["till", "web"]), self._sku()
        self._world.channels[key].do(
            "edit",
            item=item(key, sku),
            place=PLACE[key],
            quantity=self._random.randrange(60),
        )

    def kill(self) -> None:
        self._world.kill(self._random.choice(VICTIMS))

    def flush(self) -> None:
        try:
            self._world.flush()
        except RedisError:
            return  # it is being started again


def test_after_the_storm_every_number_is_right(world: World) -> None:
    storm = Storm(world, SEED)
    assert within(30, lambda: all(world.all_show(sku, STOCKED) for sku in storm.true))

    storm.blow(SECONDS)
    for channel in world.channels.values():
        channel.do("weather")

    def right(sku: str) -> bool:
        return world.all_show(sku, max(0, storm.true[sku]))

    def is_calm() -> bool:
        return world.is_settled() and all(map(right, storm.true))

    calm = within(CALM_WITHIN, is_calm)
    available = {sku: world.level(sku)["available"] for sku in storm.true}
    assert available == dict(storm.true), (SEED, storm.happened)
    assert calm, (SEED, storm.happened, world.waiting())
    assert "right" in world.onecount("audit")
    assert storm.happened["kill"] > 0
    assert storm.happened["sale"] > 20
