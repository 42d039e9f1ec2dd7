"""Foreseeing: what a change would lead to, by making it and taking it back.

No rule is written twice: the change itself runs, in a transaction that never commits,
and levels and numbers are read before and after it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Connection, Engine, RowMapping

from app.domain.instants import Instant
from app.pipeline.publishing import desired
from app.store.engine import applying
from app.store.publishing import deliveries
from app.store.stock import balances
from app.store.stock.balances import When

Act = Callable[[Connection], Any]
"""A change inside the transaction it is given."""
Rows = Callable[[Connection], Sequence[RowMapping]]
"""The publications that are looked at, as `overview` reads them."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What one channel would show of a listing at one of its places."""

    channel: str
    sku: str
    place: str | None
    before: int | None
    """None: nothing is shown there."""
    after: int | None

    @property
    def changes(self) -> bool:
        """Whether the channel would be told another number."""
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What a change would lead to."""

    stock: Mapping[str, tuple[Any, Any]]
    """SKU → its balance before and after."""
    shown: Sequence[Shown]


class _TakenBack(Exception):
    """Ends the transaction without a trace."""


def foresee(
    engine: Engine, act: Act, rows: Rows, skus: Sequence[str], now: Instant
) -> Foreseen:
    """What `act` would lead to. What it raises is raised; nothing is ever written."""
    found: list[Foreseen] = []
    try:
        with applying(engine) as connection:
            before = _stock(connection, skus, now), _numbers(connection, rows, now)
            act(connection)
            after = _stock(connection, skus, now), _numbers(connection, rows, now)
            found.append(_compared(before, after))
            raise _TakenBack
    except _TakenBack:
        return found[0]


Spot = tuple[str, str, str, str | None]


def _stock(connection: Connection, skus: Sequence[str], now: Instant) -> dict[str, Any]:
    return {sku: balances.stock_of(connection, sku, When(now)) for sku in skus}


def _numbers(connection: Connection, rows: Rows, now: Instant) -> dict[Spot, int]:
    listed = rows(connection)
    numbers = desired.numbers(connection, listed, now=now)
    places = deliveries.places(connection)
    return {
        (
            row["channel"],
            row["sku"],
            row["external_id"],
            places.get((row["channel_id"], row["place"])),
        ): numbers[row["id"]]
        for row in listed
    }


def _compared(
    before: tuple[dict[str, Any], dict[Spot, int]],
    after: tuple[dict[str, Any], dict[Spot, int]],
) -> Foreseen:
    spots = sorted(
        before[1].keys() | after[1].keys(), key=lambda spot: (*spot[:3], spot[3] or "")
    )
    return Foreseen(
        {sku: (before[0][sku], after[0][sku]) for sku in before[0]},
        [
            Shown(spot[0], spot[1], spot[3], before[1].get(spot), after[1].get(spot))
            for spot in spots
        ],
    )
