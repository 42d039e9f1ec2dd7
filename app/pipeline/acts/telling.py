"""Telling: what people and programs say of stock, as stock events.

The API and the dashboard say the same facts by the same words; each telling has an id
and a time of its own, so that said twice it is the same fact.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from app.domain import events
from app.domain.events import StockEvent
from app.domain.instants import Instant

Told = Mapping[str, Any]
"""A fact as it was told: `location`, `lines` …, times as instants."""


class Telling(Protocol):
    """One telling: the id of what it says, and when it was first said."""

    @property
    def id(self) -> str:
        """The same for a repeat."""

    @property
    def now(self) -> Instant:
        """The same for a repeat."""


def adjusted(told: Told, one: Telling) -> list[StockEvent]:
    """A signed correction of one SKU at one location, with its reason."""
    line = {**told, "quantity": told["change"], "disposition": told.get("to")}
    reason = ": ".join(told[part] for part in ("reason", "note") if part in told)
    return [_event(one, events.ADJUSTED, told, line, reason=reason)]


def counted(told: Told, one: Telling) -> list[StockEvent]:
    """What was found at a location; each line may have its own time."""
    scope = told.get("scope")
    counted_at = told.get("counted_at", told.get("occurred_at"))
    return [
        _event(
            one,
            events.COUNTED,
            {**told, "occurred_at": line.get("counted_at", counted_at)},
            line,
            position,
            scope=scope if scope == events.SELLABLE else None,
        )
        for position, line in enumerate(told["lines"])
    ]


def received(told: Told, one: Telling) -> list[StockEvent]:
    """What arrived at a location; `of` names what it fulfils."""
    of, reference = told.get("of"), told.get("reference")
    return [
        _event(one, events.RECEIVED, told, line, position, of=of, reason=reference)
        for position, line in enumerate(told["lines"])
    ]


def returned(told: Told, one: Telling) -> list[StockEvent]:
    """What came back to a location, perhaps of an order; or at the stage `advised`,
    what will."""
    number = events.number_in(told.get("order")) if told.get("channel") else None
    return [
        _event(
            one,
            events.ADVISED if "stage" in told else events.RETURNED,
            told,
            line,
            position,
            order=told.get("order"),
            order_number=number,
            order_channel=told.get("channel"),
            reason=told.get("reason"),
        )
        for position, line in enumerate(told["lines"])
    ]


def _event(
    one: Telling,
    kind: str,
    told: Told,
    line: Told,
    position: int = 0,
    **more: Any,
) -> StockEvent:
    occurred_at = told.get("occurred_at")
    return StockEvent(
        kind=kind,
        quantity=line["quantity"],
        occurred_at=one.now if occurred_at is None else occurred_at,
        version=one.now,
        sku=line["sku"],
        place=told.get("location"),
        # A return names an order but no line of it: every line with the SKU.
        line=None if more.get("order") else str(position + 1),
        fact=f"{one.id}-{position + 1}" if more.get("order") else one.id,
        disposition=line.get("disposition"),
        **more,
    )
