"""Hearing: each event of a batch, with who says it and whose order it is about.

What every later step asks about an event is answered here once.
"""

from dataclasses import dataclass
from typing import Final

from app.domain import events as kinds, way
from app.domain.events import StockEvent, key_of, plain
from app.domain.instants import Instant
from app.domain.targets import WITNESS
from app.pipeline.applying.told import (
    DUPLICATE,
    NOT_STOCK,
    NOT_YET,
    PARKED,
    POSTED,
    Told,
    Verdict,
    clamped,
)
from app.pipeline.house import API, House, Place

ORDER_KINDS = {
    kinds.PLACED,
    kinds.ROUTED,
    kinds.RELEASED,
    kinds.WITHDRAWN,
    kinds.SHIPPED,
    kinds.RETURNED,
    kinds.IGNORED,
    *kinds.PAYMENT,
    kinds.ADVISED,
}
REPORTED = {kinds.SHIPPED, kinds.RETURNED, kinds.ADVISED}
"""What other systems than the order's own channel report about it."""

WAYS: Final = "way\n"
"""Before the id of a transfer or expected receipt, where an order has its number."""


@dataclass(slots=True)
class Said:
    """One event while it is being decided."""

    told: Told
    channel: Place | None
    """Who says it; None for people and tokens."""
    owner: Place | None
    """Whose order it is: the channel named, else the sender."""
    event: StockEvent
    verdict: Verdict
    case_key: str
    """The order; or, for what is no order, the fact's kind and own id."""
    is_foreign: bool
    """It names none of the order's own lines: they go by their SKU."""
    by_sku: bool
    """It speaks of every line of an order with its SKU."""

    @property
    def at(self) -> Instant:
        """When its source came to say so: its version, where that is a time."""
        event = self.event
        if event.version >= event.occurred_at:
            return event.version
        return self.told.received_at

    def park(self, waits_for: str) -> str | None:
        """It waits until somebody tells us of a name; return what it waits for.

        An item that is gone from its channel has no name: of a line that nobody told of
        before, that is no news, and nothing to wait for. What is not stock waits, too,
        until somebody says that it is.
        """
        kind, _, rest = waits_for.partition(":")
        word = rest.split(":", 1)[-1]
        if kind == "sku" and not word:
            self.verdict.verdict = DUPLICATE
            return None
        self.verdict.verdict, self.verdict.apart = PARKED, waits_for
        self.verdict.note = f"unknown {kind} {word or '(none named)'}"
        if kind == "sku" and self.channel and word in self.channel.not_stock:
            self.verdict.verdict, self.verdict.note = NOT_STOCK, f"{word} is not stock"
        return waits_for


def hear(house: House, told: Told) -> list[Said]:
    """Every event of one message, call or file."""
    channel = house.channels.get(told.channel_id or 0)
    who = channel.key if channel is not None else API
    latest = house.behind.latest(told.received_at)
    heard = []
    for number, event in enumerate(told.events):
        event = clamped(event, latest)
        owner, owner_key = channel, who
        if event.order_channel is not None:
            owner = house.named(event.order_channel)
            owner_key = owner.key if owner is not None else API
        foreign = owner is not channel or event.line is None
        row = told.rows[number] if told.rows else None
        meant = told.meant[number] if told.meant else NOT_YET
        heard.append(
            Said(
                told,
                channel,
                owner,
                event,
                Verdict(f"{who}:{key_of(event)}", POSTED, None, row, meant=meant),
                case_key(owner_key, event),
                foreign,
                foreign and event.kind in REPORTED,
            )
        )
    return heard


def case_key(owner: str, event: StockEvent) -> str:
    """How the case is called that this event, about the owner's business, belongs to."""
    if event.kind in ORDER_KINDS and event.order is not None:
        return order_key(owner, event.order)
    if event.kind == kinds.REVERSED:
        return f"{owner}/{event.scope}/{event.of or ''}"
    kind = kinds.HELD if event.kind == kinds.LET_GO else event.kind
    return f"{owner}/{kind}/{event.fact or ''}"


def way_named(event: StockEvent) -> str | None:
    """The number under which the cases of one transfer or expected receipt are found.

    Whoever tells of it: a warehouse receives what a buyer expected.
    """
    is_sent = event.kind in (kinds.EXPECTED, kinds.TRANSFERRED)
    return way_number(event.fact if is_sent else event.of)


def way_number(of: str | None) -> str | None:
    """The same for its id; never an order's number."""
    return None if of is None else f"{WAYS}{of}"


def number_named(event: StockEvent) -> str | None:
    """Under which number others than the case's own source may know it."""
    if event.kind in way.KINDS and (of := way_named(event)) is not None:
        return of
    if event.order_number is not None or event.order_channel is None:
        return event.order_number
    return None if event.order is None else plain(event.order)


def order_key(owner: str, order: str) -> str:
    """How an order's case is called: `#1001` and `1001` are one order of a channel's."""
    return f"{owner}/order/{plain(order)}"


def line_name(said: Said, sku_id: int | None) -> str:
    """The line's id; where the source names none of the order's, the SKU."""
    line = said.event.line
    return f"sku:{sku_id}" if said.by_sku or line is None else line


BY_SKU = "\n"
"""In the name of a fact that is shared among the lines of an order with its SKU;
behind it the line's id as its source counts them."""


def fact_name(event: StockEvent, source: str, *, by_sku: bool = False) -> str:
    """The name under which a case keeps this fact."""
    if event.kind in REPORTED:
        who = source if event.witness is None else f"{source}{WITNESS}{event.witness}"
        name = f"{event.kind}:{who}:{event.fact or ''}"
        return f"{name}{BY_SKU}{event.line or ''}" if by_sku else name
    if event.kind == kinds.ROUTED:
        return f"{event.kind}:{event.fact or ''}"
    return event.kind
