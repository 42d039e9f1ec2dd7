"""The orders of a sandbox channel: plain values, the same for every provider."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any


@dataclass
class Item:
    """Something the channel sells, as its catalogue knows it."""

    id: str
    sku: str
    parent: str | None = None
    name: str = ""
    barcode: str | None = None


@dataclass
class Line:
    """A line of an order. `removed` units were cancelled or refunded before shipping."""

    id: str
    item: str
    sku: str
    quantity: int
    shipped: int = 0
    removed: int = 0
    returned: int = 0

    @property
    def open(self) -> int:
        """Units still to be shipped."""
        return self.quantity - self.shipped - self.removed


@dataclass
class Shipment:
    """Units that left; `quantities` by line id."""

    id: str
    place: str | None
    quantities: dict[str, int]
    at: datetime


@dataclass
class Refund:
    """Units taken off an order; each row is line, quantity, restock, place."""

    id: str
    rows: list[tuple[str, int, str, str | None]]
    at: datetime
    of_return: str | None = None


@dataclass
class Disposition:
    """What became of some of a return's units."""

    id: str
    kind: str
    quantity: int
    place: str | None
    at: datetime


@dataclass
class Return:
    """Units of a line that the customer sends back."""

    id: str
    line: str
    quantity: int
    dispositions: list[Disposition] = field(default_factory=list)


@dataclass
class Order:
    """An order of this channel. `state`: open, shipped or cancelled."""

    id: str
    number: str
    place: str | None
    lines: list[Line]
    at: datetime
    updated_at: datetime
    source: str = "web"
    state: str = "open"
    is_paid: bool = True
    shipments: list[Shipment] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    returns: list[Return] = field(default_factory=list)

    def line(self, line_id: str) -> Line:
        """One line; raise Refused for an unknown one."""
        for line in self.lines:
            if line.id == line_id:
                return line
        raise Refused(404, f"order {self.id} has no line {line_id}")

    def touch(self) -> None:
        """Something changed just now."""
        self.updated_at = clock()
        if self.state != "cancelled":
            is_open = any(line.open for line in self.lines)
            self.state = "open" if is_open else "shipped"


class Refused(Exception):
    """A control call that cannot be done."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error


_ahead = timedelta()


def clock() -> datetime:
    """The channel's clock."""
    return datetime.now(UTC) + _ahead


def set_clock(ahead: float) -> None:
    """Set it ahead, for all channels in this process."""
    global _ahead
    _ahead = timedelta(seconds=ahead)


def item_from(row: dict[str, Any]) -> Item:
    """An item as the configuration names it."""
    parent = row.get("parent")
    return Item(
        str(row["id"]),
        str(row.get("sku") or ""),
        None if parent is None else str(parent),
        str(row.get("name") or row.get("sku") or row["id"]),
        row.get("barcode"),
    )
