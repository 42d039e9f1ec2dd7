"""What counts, and sales told after the count that had them inside, cost: they ask the
ledger what happened since, so its length must not matter."""

import random
from itertools import count

import sqlalchemy as sa

from app.domain import events as kinds
from app.domain.events import StockEvent
from app.domain.instants import SECOND, now
from app.pipeline.apply import apply
from app.pipeline.applying.told import Told
from app.pipeline.house import read_house
from app.store.engine import applying
from tests.benchmarks import house as homes
from tests.benchmarks.measure import stopwatch

BATCH = 100


class Counter:
    """Counts a hundred SKUs, then tells of a late sale of each."""

    def __init__(self, engine: sa.Engine, skus: range) -> None:
        self._engine = engine
        self._skus = skus
        self._random = random.Random(7)
        self._numbers = count(1)
        with engine.connect() as connection:
            self._house = read_house(connection)
        self._till = self._house.by_key[homes.TILL]

    def run(self) -> float:
        """Counts and late sales per second, each hundred committed."""
        at = now() - SECOND
        chosen = self._random.sample(self._skus, BATCH)
        names = [f"SKU-{n:05d}" if n < homes.SKUS else f"SKU-{n}" for n in chosen]
        counted = [self._event(kinds.COUNTED, name, at, 900) for name in names]
        late = [self._event(kinds.SHIPPED, name, at - SECOND, 1) for name in names]
        with stopwatch() as seconds:
            for events in (counted, late):
                with applying(self._engine) as connection:
                    told = Told(self._till, events, now())
                    apply(connection, self._house, [told], now())
        return 2 * BATCH / seconds()

    def _event(self, kind: str, sku: str, at: int, quantity: int) -> StockEvent:
        fact = f"{kind}-{next(self._numbers)}"
        order = fact if kind == kinds.SHIPPED else None
        return StockEvent(
            kind,
            quantity,
            at,
            at,
            sku=sku,
            place="downtown",
            order=order,
            line="1",
            fact=fact,
        )
