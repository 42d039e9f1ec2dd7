"""Stock events: what a channel says happened, in our words.

The *key* names one business fact by the provider's own ids, the quantity is the
*target* for that key (never an increment), the *version* orders what is said about it.
Saying the same twice changes nothing; a higher version corrects.
"""

from dataclasses import dataclass, field, replace
from typing import Any, Final

from app.domain.instants import SECOND, Instant

PLACED: Final = "placed"
"""Units an order line promises, as ordered. Case: the order line."""
ROUTED: Final = "routed"
"""Of those, units assigned to a place; `fact` is the routing's id. Case: order line."""
RELEASED: Final = "released"
"""Units of a line cancelled. Case: order line."""
WITHDRAWN: Final = "withdrawn"
"""Unshipped units taken off a line and not restocked: to inspection."""
SHIPPED: Final = "shipped"
"""Units handed over; `fact` is the shipment's id. Case: order line."""
RETURNED: Final = "returned"
"""Units that came back; `fact` is the return's id, `disposition` where they went."""
ADVISED: Final = "advised"
"""Units that somebody says will come back: a refund, an RMA, a label, a carrier's scan;
`fact` is that one's id. Moves nothing. Case: order line."""
RECEIVED: Final = "received"
"""Units that arrived: from a supplier, or, when `of` names what they fulfil (an
expected receipt, a transfer), from what was on the way."""
EXPECTED: Final = "expected"
"""Units on the way from a supplier."""
TRANSFERRED: Final = "transferred"
"""Units sent to `to_place`; they arrive as `received` with `of` naming the transfer."""
LOST: Final = "lost"
"""Units on the way that will never come; `of` names what they were of, and
`disposition` scrap says that they are known to be destroyed."""
ADJUSTED: Final = "adjusted"
"""A signed correction with a `reason`; `disposition` damaged or scrap moves it there."""
INSPECTED: Final = "inspected"
"""Units judged: inspection → `disposition`."""
COUNTED: Final = "counted"
"""Absolute: everything there at `occurred_at` was `quantity`; see `scope`."""
HELD: Final = "held"
"""Units reserved; `fact` is the hold's id. Case: the hold's line."""
LET_GO: Final = "let_go"
"""Units of a hold that ended, at its end. Case: the hold's line."""
REVERSED: Final = "reversed"
"""A fact was a mistake and counts as never said; `fact` is its key, `scope` its kind,
`of` and `line` its own id and line. Case: the mistaken fact's own."""
UNPAID: Final = "unpaid"
"""The order of a line is not paid: its units are only held, until `until`. Case: the
order line."""
PAID: Final = "paid"
"""The order of a line is paid, since `occurred_at`. Case: the order line."""
LAPSED: Final = "lapsed"
"""The time to pay in is over, at `occurred_at`. Case: the order line."""
PAYMENT: Final = (UNPAID, PAID, LAPSED)
IGNORED: Final = "ignored"
"""Whether an order is a test or another system's copy, 1 or 0: then nothing that is
said of it moves stock. `fact` is the version of the channel's rules. Case: the order."""
OBSERVED: Final = "observed"
"""What the channel shows. Moves nothing."""
WHOLE: Final = "whole"
"""Which lines an order has, all of them: see `WholeOrder`. Moves nothing by itself."""

NOT_PAID: Final = "not_paid"
"""Scope of an order that is not paid, where its channel tells that."""

BY_HOLD: Final = -1_000_000
"""The version of what a hold's commitment says of an order, one more for each further
hold: before every version that a channel can give, so its own word wins, whenever it
comes."""

AT_ONCE: Final = "at_once"
"""Scope of a shipment that is a till's sale: it left where it was sold, so it needs a
place."""
PARCEL: Final = "parcel"
"""Scope of a shipment that its source tells whole, SKU by SKU: what a later version of it
does not name is not in it."""
SELLABLE: Final = "sellable"
INSPECT: Final = "inspect"
DAMAGED: Final = "damaged"
SCRAP: Final = "scrap"


def is_by_hold(version: int) -> bool:
    """Whether a hold said so, not the order's own channel."""
    return version < 0


@dataclass(frozen=True, slots=True)
class StockEvent:
    """One fact as its source tells it; ids and places are the source's own words.

    Which fields a kind uses is said beside the kinds above. `order_channel` is given
    when the source speaks about another channel's order. The key is made from these
    fields by `key_of`, so that two topics about one fact cannot name it differently.
    """

    kind: str
    quantity: int
    occurred_at: Instant
    version: int
    sku: str | None = None
    """A SKU as text; for `standard`, the listing's external id first, else our SKU."""
    external_id: str | None = None
    external_parent_id: str | None = None
    place: str | None = None
    to_place: str | None = None
    order: str | None = None
    """The provider's id of the order."""
    order_number: str | None = None
    """The number people know it by, if another; how other systems name it."""
    order_channel: str | None = None
    line: str | None = None
    """The provider's id of the line; None: every line of that order with the SKU."""
    fact: str | None = None
    """The shipment's, return's, receipt's … own id."""
    of: str | None = None
    disposition: str | None = None
    reason: str | None = None
    scope: str | None = None
    until: Instant | None = None
    witness: str | None = None
    """Which of its source's own systems says so, where each has its own ids for the same
    shipments: what two of them tell of is not added up."""

    @property
    def item(self) -> str | None:
        """What its source calls the item it is about."""
        return self.external_id or self.external_parent_id or self.sku


def key_of(event: StockEvent) -> str:
    """Name the business fact within its source, by the provider's own ids."""
    parts = (event.kind, event.order_channel, event.order, event.fact, event.line)
    names = [part for part in parts if part is not None]
    is_absolute = event.kind in (COUNTED, OBSERVED)
    if is_absolute or event.line is None:
        names += [event.item or ""]
    if is_absolute:
        names += [event.place or ""]
    key = ":".join(names)
    if "%" not in key and key.count(":") == len(names) - 1:
        return key
    # A colon inside an id must not make two facts look like one.
    return ":".join(name.replace("%", "%25").replace(":", "%3A") for name in names)


def number_in(order: str | None) -> str | None:
    """The number in an order's name as it is printed, `#1001`; None without the sign.

    Who tells of another's order may have read it so; channels tell the number without.
    """
    number = (order or "").removeprefix("#")
    return number if number and number != order else None


def plain(order: str) -> str:
    """An order's name without the sign, if it is one with it: both mean one order."""
    return number_in(order) or order


def is_taken(event: StockEvent) -> bool:
    """Whether it says that an order was taken: placed, or sold at a till at once."""
    return event.kind == PLACED or event.scope == AT_ONCE


def order_names(event: StockEvent) -> list[str]:
    """All that its order may be called by: its id, and its number with the sign or not."""
    number = event.order_number
    names = (event.order, number, f"#{number}" if number else None)
    return [name for name in names if name]


def of_channel(event: StockEvent, channel: str | None) -> StockEvent:
    """The same event, once it is known whose order it means."""
    number = event.order_number or number_in(event.order if channel else None)
    return replace(event, order_channel=channel, order_number=number)


@dataclass(frozen=True, slots=True)
class WholeOrder:
    """This message told the whole order: lines it lacks are not ordered (any more)."""

    order: str
    lines: tuple[str, ...]
    version: int
    occurred_at: Instant
    order_number: str | None = None


@dataclass(frozen=True, slots=True)
class ListingSeen:
    """The channel told how it knows an item now. Upkeep of listings; moves nothing."""

    external_id: str
    external_parent_id: str | None = None
    sku: str | None = None
    name: str | None = None
    barcode: str | None = None
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Read:
    """Something must be read from the channel before this message says everything.

    `what` is the adapter's own word for its `fetch`, `id` the provider's id.
    """

    what: str
    id: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an order came from, as far as its channel tells."""

    order: str
    number: str | None = None
    source: str | None = None
    tags: tuple[str, ...] = ()
    is_test: bool = False
    """It was never sold, by its channel's own word."""


@dataclass(frozen=True, slots=True)
class Normalised:
    """Everything one message says, in our words."""

    events: tuple[StockEvent, ...] = ()
    orders: tuple[WholeOrder, ...] = ()
    listings: tuple[ListingSeen, ...] = ()
    ignored: tuple[str, ...] = ()
    """Why lines (or the whole message) move no stock, one sentence each."""
    bad: tuple[str, ...] = ()
    """Lines that do not have the provider's shape, each with its field named; the
    other lines are applied, and the message is buried so that somebody sees these."""
    read: Read | None = None
    """Ask the channel, then normalise again with what was fetched."""
    origin: Origin | None = None
    """Which order this is about, and who made it."""
    disconnected: str | None = None
    """Set when the channel said good-bye: the reason, in words."""


@dataclass(frozen=True, slots=True)
class Message:
    """One stored webhook, as an adapter reads it: no secrets, no personal data.

    `document` holds only the fields that the adapter keeps; `fetched` what its `fetch`
    brought, likewise.
    """

    topic: str
    document: Any
    received_at: Instant
    headers: dict[str, str] = field(default_factory=dict)
    """The headers the adapter keeps, names in lower case."""
    fetched: Any = None
    fetched_at: Instant | None = None


def sharpened(said: Normalised, read_at: Instant) -> Normalised:
    """What a document says that was read at a time, told apart within its second.

    A provider whose clock ticks whole seconds gives two changes in one second the same
    version. What we read knows everything up to the moment of reading, so it comes
    after what a webhook told of the same second before.
    """

    def sharper(version: int) -> int:
        if version % SECOND:
            return version
        return version + min(max(read_at - version, 0), SECOND - 1)

    return replace(
        said,
        events=tuple(
            replace(event, version=sharper(event.version)) for event in said.events
        ),
        orders=tuple(
            replace(order, version=sharper(order.version)) for order in said.orders
        ),
    )
