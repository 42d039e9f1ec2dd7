"""Opening: a channel's open orders and its numbers become our first counts.

What a channel shows is what may be sold, so units of open orders are not in it (but for
those that its adapter says it still counts). They are promises here as well: first the
open orders are applied, then on_hand is counted as the channel's number plus what left
it for promises. Numbers are read before and after that: one that is the same was so all
the while, and every promise known in between had left it, whatever the clocks say. A
number that changes is read again; one that never stands still is left out and named.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from adapters.base import Adapter
from app.domain.channels import Wish
from app.domain.connecting import TheirItem
from app.domain.events import COUNTED, StockEvent
from app.domain.instants import Instant, iso, now as clock
from app.domain.states import AVAILABLE, COMMITTED, CUSTOMER
from app.pipeline.acts.facts import Waker, record
from app.pipeline.house import read_house
from app.pipeline.inbound import Inbound
from app.pipeline.spreadsheets.importing import portions
from app.store.engine import reading, writing
from app.store.receiving.inbox import READ, store_read
from app.store.stock import cases
from app.store.stock.aliases import sku_ids
from app.store.tables import lines
from app.store.vault import Vault

ROUNDS: Final = 3
"""How often a number that does not stand still is read again."""
PORTION: Final = 100

Spot = tuple[str, str]
"""Our SKU and our location's code."""


@dataclass(slots=True)
class Opened:
    """What was taken over."""

    orders: int = 0
    counted: int = 0
    restless: list[Spot] = field(default_factory=list)
    """Sold all the while: not counted."""
    shared: list[str] = field(default_factory=list)
    """The channel's locations that several of ours map to: their number is no one's."""


class Opening:
    """Takes one channel over. `adapter` is that of the loaded channel."""

    def __init__(
        self, engine: Engine, vault: Vault, adapter: Adapter, wakes: Waker
    ) -> None:
        self._engine = engine
        self._adapter = adapter
        self._wakes = wakes
        self._inbound = Inbound(engine, vault)

    def take(self, pairs: Sequence[tuple[str, TheirItem]]) -> Opened:
        """Take open orders and numbers over; `pairs`: our SKU and the channel's item.

        Raises RetryLater, GiveUp or CredentialsRefused; doing it again is harmless.
        """
        opened = Opened()
        mapped = self._adapter.channel.locations
        times = Counter(mapped.values())
        opened.shared = sorted(place for place, n in times.items() if n > 1)
        alone = {code: one for code, one in mapped.items() if times[one] == 1}
        spots = [
            (sku, code, item, place)
            for sku, item in pairs
            if item.is_tracked
            for code, place in alone.items()
        ]
        wishes = [
            Wish(number, sku, item.external_id, item.external_parent_id, place, 0, 0)
            for number, (sku, _, item, place) in enumerate(spots)
        ]
        for turn in range(ROUNDS):
            before = self._numbers(wishes)
            at = self._adapter.http.theirs(clock())
            orders, counted = self._take_orders()
            opened.orders = orders if turn == 0 else opened.orders
            promised = self._promised(
                [spots[one.publication_id][:2] for one in wishes], at, counted
            )
            after = self._numbers(wishes)
            still = {id_: n for id_, n in before.items() if after.get(id_) == n}
            numbers = {spots[id_][:2]: n for id_, n in still.items()}
            self._count(numbers, promised, at)
            opened.counted += len(still)
            wishes = [one for one in wishes if _moves(one, before, after)]
            if not wishes:
                break
        opened.restless = [spots[one.publication_id][:2] for one in wishes]
        return opened

    def _numbers(self, wishes: Sequence[Wish]) -> dict[int, int]:
        """Numbers by wish; an item that is not stocked there has none."""
        found: dict[int, int] = {}
        for some in portions(wishes, self._adapter.batch_limit):
            found |= {
                one.publication_id: one.available
                for one in self._adapter.read(some)
                if one.available is not None
            }
        return found

    def _take_orders(self) -> tuple[int, set[str]]:
        """How many there are, and the ids of those that the numbers still count."""
        found = [(one.topic, one.document, READ) for one in self._adapter.open_orders()]
        ids = {self._adapter.still_counts(document) for _, document, _ in found}
        for some in portions(found, PORTION):
            with writing(self._engine) as connection:
                store_read(connection, self._adapter.channel.id, some, clock())
        while self._inbound.run(clock()):
            pass
        while self._inbound.woken:
            self._wakes.wake(self._inbound.woken.pop())
        return len(found), {one for one in ids if one is not None}

    def _promised(
        self, spots: Iterable[Spot], at: Instant, counted: Collection[str]
    ) -> Mapping[Spot, int]:
        with reading(self._engine) as connection:
            return promised(connection, self._adapter.channel.id, spots, at, counted)

    def _count(
        self, numbers: Mapping[Spot, int], promised: Mapping[Spot, int], at: Instant
    ) -> None:
        if not numbers:
            return
        with reading(self._engine) as connection:
            recipes = read_house(connection).recipes
            ids = sku_ids(connection, {sku for sku, _ in numbers})
        events = [
            _counted(spot, max(0, number + promised.get(spot, 0)), at)
            for spot, number in numbers.items()
            # A kit has no units of its own; its components are counted.
            if not recipes.components(ids[spot[0]], at)
        ]
        actor = f"opening of {self._adapter.channel.key}"
        for some in portions(events, PORTION):
            record(self._engine, some, actor=actor, now=clock(), wakes=self._wakes)


def _moves(wish: Wish, before: Mapping[int, int], after: Mapping[int, int]) -> bool:
    id_ = wish.publication_id
    return before.get(id_) != after.get(id_)


def _counted(spot: Spot, quantity: int, at: Instant) -> StockEvent:
    sku, code = spot
    return StockEvent(
        COUNTED,
        quantity,
        at,
        version=clock(),
        sku=sku,
        place=code,
        fact=f"{code}@{iso(at)}",
    )


def promised(
    connection: Connection,
    channel_id: int,
    spots: Iterable[Spot],
    at: Instant,
    counted: Collection[str],
) -> Mapping[Spot, int]:
    """Units that a channel's own orders are promised, or got after a time; but for the
    orders, by id, whose units its numbers still count."""
    asked = list(spots)
    names = {
        id_: sku for sku, id_ in sku_ids(connection, {s for s, _ in asked}).items()
    }
    codes = read_house(connection).names
    found: Counter[Spot] = Counter()
    keys = sa.select(lines.c.case_key).where(lines.c.channel_id == channel_id)
    every = sorted(set(connection.execute(keys).scalars()))
    for some in portions(every, 500):
        for case in cases.load(connection, some):
            if case.case_key.partition("/order/")[2] in counted:
                continue
            for movement, quantity in case.posted.items():
                sku = names.get(movement.sku_id)
                if movement.from_state != AVAILABLE or sku is None:
                    continue
                is_open = movement.to_state == COMMITTED
                # A count at that time has it: it is taken off as what came later.
                is_later = movement.to_state == CUSTOMER and movement.occurred_at > at
                if is_open or is_later:
                    found[sku, codes[movement.from_location]] += quantity
    return found
