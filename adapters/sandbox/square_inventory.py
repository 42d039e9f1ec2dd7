"""The numbers of the Square sandbox: counts and changes ordered by when they happened."""

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from adapters.sandbox.orders import clock
from adapters.sandbox.square_orders import iso

if TYPE_CHECKING:
    from adapters.sandbox.square import SquareSandbox

_OLDEST = timedelta(hours=24)
_MOST = 100
_turns = itertools.count()


class Wrong(Exception):
    """A refusal in Square's shape."""

    def __init__(
        self,
        code: str,
        detail: str,
        status: int = 400,
        category: str = "INVALID_REQUEST_ERROR",
        field: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.error = {"category": category, "code": code, "detail": detail}
        if field:
            self.error["field"] = field

    def body(self) -> dict[str, Any]:
        """The answer's body."""
        return {"errors": [self.error]}


@dataclass
class History:
    """Everything that happened to one item at one location."""

    counts: list[tuple[datetime, int, int]] = field(default_factory=list)
    changes: list[tuple[datetime, int]] = field(default_factory=list)
    calculated_at: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    """When the last of them was told."""

    def count(self, quantity: int, at: datetime) -> None:
        """Somebody counted; of two counts at one time the later told wins."""
        self.counts.append((at, next(_turns), quantity))

    def change(self, change: int, at: datetime) -> None:
        """Units came or went."""
        self.changes.append((at, change))

    def last_count(self) -> tuple[datetime, int, int] | None:
        """The count that stands, by its own time."""
        return max(self.counts, default=None)

    def shown(self) -> int:
        """The last count and what happened after it."""
        counted = self.last_count()
        if counted is None:
            return sum(change for _, change in self.changes)
        at, _, quantity = counted
        return quantity + sum(change for when, change in self.changes if when > at)


def count(sandbox: "SquareSandbox", item: str, place: str) -> dict[str, Any]:
    """A number as Square writes it."""
    return {
        "catalog_object_id": item,
        "catalog_object_type": "ITEM_VARIATION",
        "state": "IN_STOCK",
        "location_id": place,
        "quantity": str(sandbox.shown(item, place)),
        "calculated_at": iso(sandbox.history(item, place).calculated_at),
    }


def page(sandbox: "SquareSandbox", wanted: dict[str, Any]) -> dict[str, Any]:
    """One page of counts/batch-retrieve."""
    items, places = wanted.get("catalog_object_ids"), wanted.get("location_ids")
    states = wanted.get("states") or ["IN_STOCK"]
    since = datetime.fromisoformat(
        wanted.get("updated_after") or "1970-01-01T00:00:00Z"
    )
    pairs = [
        (item, place)
        for item, place in sorted(sandbox.histories)
        if "IN_STOCK" in states
        and (not items or item in items)
        and (not places or place in places)
        and sandbox.histories[item, place].calculated_at > since
    ]
    first, size = int(wanted.get("cursor") or 0), int(wanted.get("limit") or 100)
    answer: dict[str, Any] = {
        "counts": [count(sandbox, *pair) for pair in pairs[first : first + size]]
    }
    if first + size < len(pairs):
        answer["cursor"] = str(first + size)
    return answer


def apply(sandbox: "SquareSandbox", body: dict[str, Any]) -> dict[str, Any]:
    """Carry out changes/batch-create: all of it or nothing."""
    changes = body.get("changes")
    if not isinstance(changes, list) or not 1 <= len(changes) <= _MOST:
        raise Wrong("INVALID_ARRAY", f"1 to {_MOST} changes.", field="changes")
    read = [_read(sandbox, at, change) for at, change in enumerate(changes)]
    if not sandbox.webhooks.weather.lie:
        is_quiet = body.get("ignore_unchanged_counts", True)
        for kind, row in read:
            _carry_out(sandbox, kind, row, is_quiet)
    pairs = list(dict.fromkeys((row["item"], row["place"]) for _, row in read))
    return {
        "counts": [count(sandbox, *pair) for pair in pairs],
        "changes": changes,
    }


def _carry_out(
    sandbox: "SquareSandbox", kind: str, row: dict[str, Any], is_quiet: bool
) -> None:
    history = sandbox.history(row["item"], row["place"])
    if kind == "ADJUSTMENT":
        history.change(row["quantity"], row["at"])
    else:
        last = history.last_count()
        if is_quiet and last and last[2] == row["quantity"]:
            return
        history.count(row["quantity"], row["at"])
    sandbox.recalculate(row["item"], row["place"])


def _read(
    sandbox: "SquareSandbox", at: int, change: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    kind = change.get("type")
    if kind not in ("PHYSICAL_COUNT", "ADJUSTMENT"):
        raise Wrong("INVALID_ENUM_VALUE", f"{kind}?", field=f"changes[{at}].type")
    name = str(kind).lower()
    row = change.get(name) or {}
    way = f"changes[{at}].{name}"
    item, place = row.get("catalog_object_id"), row.get("location_id")
    if item not in sandbox.items:
        words = f"Catalog object with ID {item} was not found."
        raise Wrong("NOT_FOUND", words, field=f"{way}.catalog_object_id")
    if place not in sandbox.locations:
        words = f"Location {place} was not found."
        raise Wrong("INVALID_VALUE", words, field=f"{way}.location_id")
    found = {
        "item": item,
        "place": place,
        "quantity": _quantity(row, way) * _sign(kind, row, way),
        "at": _time(row, way),
    }
    return str(kind), found


def _sign(kind: object, row: dict[str, Any], way: str) -> int:
    if kind == "PHYSICAL_COUNT":
        if row.get("state") != "IN_STOCK":
            raise Wrong("INVALID_ENUM_VALUE", "IN_STOCK only.", field=f"{way}.state")
        return 1
    return 1 if row.get("to_state") == "IN_STOCK" else -1


def _quantity(row: dict[str, Any], way: str) -> int:
    given = row.get("quantity")
    try:
        number = Decimal(given) if isinstance(given, str) else Decimal("NaN")
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or number < 0 or number % 1:
        raise Wrong("INVALID_VALUE", "A decimal text.", field=f"{way}.quantity")
    return int(number)


def _time(row: dict[str, Any], way: str) -> datetime:
    at = f"{way}.occurred_at"
    try:
        moment = datetime.fromisoformat(str(row.get("occurred_at")))
        age = clock() - moment
    except (ValueError, TypeError):
        raise Wrong("INVALID_TIME", "RFC 3339, please.", field=at) from None
    if age < timedelta(0):
        raise Wrong("INVALID_TIME", "It is in the future.", field=at)
    if age > _OLDEST:
        raise Wrong("INVALID_TIME", "It is more than 24 hours old.", field=at)
    return moment
