"""What was told, and what became of it: the values that applying works with."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from app.domain import events as kinds
from app.domain.events import StockEvent, WholeOrder
from app.domain.instants import Instant
from app.store.stock.levels import Levels

POSTED: Final = "posted"
SUPERSEDED: Final = "superseded"
QUARANTINED: Final = "quarantined"
PARKED: Final = "parked"
DUPLICATE: Final = "duplicate"
OBSERVED: Final = "observed"
NOT_STOCK: Final = "not stock"


class Meant(NamedTuple):
    """What the names in an event meant when it was decided; None: nothing, or not yet.

    Listings and channels' locations change afterwards; what was told does not.
    """

    sku_id: int | None = None
    location_id: int | None = None
    to_location_id: int | None = None


NOT_YET: Final = Meant()


@dataclass(frozen=True, slots=True)
class Told:
    """What one message, call or file says."""

    channel_id: int | None
    events: Sequence[StockEvent]
    received_at: Instant
    orders: Sequence[WholeOrder] = ()
    inbox_id: int | None = None
    actor: str | None = None
    rows: Sequence[int] = ()
    """Ids of the stock events' rows, when they were parked and are tried again."""
    meant: Sequence[Meant] = ()
    """What the events mean, when they are told again or a claim has looked it up."""
    is_first: bool = False
    """Whether nothing can have been told of its cases before."""


class Prepared(NamedTuple):
    """What whoever lets a batch be applied has read already, for reasons of their own."""

    levels: Levels | None = None
    """Locked, and not changed since."""
    event_ids: Sequence[int] = ()
    """Reserved for the rows of the batch's events."""


NOTHING_YET: Final = Prepared()


@dataclass(slots=True)
class Verdict:
    """What became of one event."""

    key: str
    verdict: str
    note: str | None = None
    event_id: int | None = None
    reread: str | None = None
    """The order that must be read again, because two webhooks of it tie."""
    apart: str = ""
    """What another report that says as many of this fact in this version does not say:
    the name it waits for, or the SKU it contradicts it with."""
    meant: Meant = NOT_YET


@dataclass(slots=True)
class Applied:
    """What became of a batch: verdicts per `Told`, and the channels to wake."""

    verdicts: list[list[Verdict]] = field(default_factory=list)
    wake: set[int] = field(default_factory=set)


def event_of(row: Any) -> StockEvent:
    """The stock event that a row of stock_events was written from."""
    return StockEvent(
        row.kind, row.target, row.occurred_at, row.version, **json.loads(row.details)
    )


def whole_of(row: Any) -> WholeOrder:
    """The order told whole that a row of stock_events was written from."""
    told = json.loads(row.details)
    return WholeOrder(
        told["order"],
        tuple(told["lines"]),
        row.version,
        row.occurred_at,
        told.get("order_number"),
    )


def released(
    held: Sequence[Any], now: Instant, at: Instant | None = None
) -> list[StockEvent]:
    """The events that end a hold; rows are from `holds`.

    It ends at `at`, or now; after its expiry, when it expired; never before it began.
    """
    ended_at = now if at is None else min(at, now)
    return [
        StockEvent(
            kinds.LET_GO,
            row.quantity,
            max(row.created_at, min(ended_at, row.expires_at)),
            now,
            sku=row.sku,
            place=row.location,
            fact=row.hold_id,
            line=f"{row.line_id}",
        )
        for row in held
    ]


def clamped(event: StockEvent, arrival: Instant) -> StockEvent:
    """No source is from the future: a time ahead of arrival becomes the arrival."""
    if event.version <= arrival and event.occurred_at <= arrival:
        return event
    return replace(
        event,
        version=min(event.version, arrival),
        occurred_at=min(event.occurred_at, arrival),
    )
