"""The Shopify sandbox's one write: compare-and-set, all or nothing, under a key.

An idempotency key belongs to one set of variables: the same again gets the same answer,
others are refused, and a key whose call failed is spent.
"""

import json
import time
from typing import TYPE_CHECKING, Any

from graphql import GraphQLError, get_directive_values

from adapters.sandbox.orders import clock
from adapters.sandbox.shopify_schema import SCHEMA
from adapters.sandbox.shopify_words import plain, stamp

if TYPE_CHECKING:
    from adapters.sandbox.shopify import ShopifySandbox

MOST_IN_A_LIST = 250
_LIMIT = 1_000_000_000
_REASONS = {
    *("correction", "cycle_count_available", "damaged", "movement_canceled"),
    *("movement_created", "movement_received", "movement_updated", "other"),
    *("promotion", "quality_control", "received", "reservation_created"),
    *("reservation_deleted", "reservation_updated", "restock", "safety_stock"),
    "shrinkage",
}
_WORDS = {
    "CHANGE_FROM_QUANTITY_STALE": (
        "The changeFromQuantity argument no longer matches the persisted quantity."
    ),
    "IDEMPOTENCY_CONCURRENT_REQUEST": (
        "This request is currently in progress, please try again."
    ),
    "IDEMPOTENCY_KEY_PARAMETER_MISMATCH": (
        "The same idempotency key cannot be used with different parameters."
    ),
    "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED": (
        "A previous request with this idempotency key failed."
    ),
    "INVALID_INVENTORY_ITEM": "The specified inventory item could not be found.",
    "INVALID_LOCATION": "The specified location could not be found.",
    "INVALID_NAME": "The quantity name must be either 'available' or 'on_hand'.",
    "INVALID_QUANTITY_TOO_HIGH": "The total quantity is too high.",
    "INVALID_QUANTITY_TOO_LOW": "The total quantity is too low.",
    "INVALID_REASON": "The specified reason is invalid.",
    "NON_MUTABLE_INVENTORY_ITEM": (
        "The specified inventory item is not allowed to be adjusted via API."
    ),
    "NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR": (
        "The combination of inventoryItemId and locationId must be unique."
    ),
}


class Writes:
    """The writes of one shop, and the keys they came under."""

    def __init__(self, shop: "ShopifySandbox") -> None:
        self.shop = shop
        self.seconds = float(shop.config.get("write_seconds", 0))
        self._answers: dict[str, tuple[str, Any]] = {}
        self._under_way: set[str] = set()

    def set_quantities(self, info: Any, input: dict[str, Any]) -> Any:
        """Answer `inventorySetQuantities`."""
        key = _key(info)
        check_size(input["quantities"])
        if any("changeFromQuantity" not in row for row in input["quantities"]):
            raise GraphQLError(
                "InventoryQuantityInput must include the following argument: "
                "changeFromQuantity.",
                extensions={"code": "INVALID_FIELD_ARGUMENTS"},
            )
        exact = json.dumps(input, sort_keys=True)
        with self.shop.lock:
            if code := self._refused_key(key, exact):
                return _payload([_error(code)])
            if key in self._answers:
                return self._answers[key][1]
            self._under_way.add(key)
        if self.seconds:
            time.sleep(self.seconds)
        with self.shop.lock:
            self._under_way.discard(key)
            answer = self._write(input)
            self._answers[key] = (exact, answer)
            return answer

    def _refused_key(self, key: str, exact: str) -> str | None:
        if key in self._under_way:
            return "IDEMPOTENCY_CONCURRENT_REQUEST"
        earlier = self._answers.get(key)
        if earlier is None:
            return None
        if earlier[0] != exact:
            return "IDEMPOTENCY_KEY_PARAMETER_MISMATCH"
        if earlier[1]["userErrors"]:
            return "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED"
        return None

    def _write(self, wanted: dict[str, Any]) -> Any:
        errors = list(self._errors(wanted))
        if errors:
            return _payload(errors)
        has_changed = False
        for row in wanted["quantities"]:
            item, place = plain(row["inventoryItemId"]), plain(row["locationId"])
            change = row["quantity"] - self.shop.shown(item, place)
            has_changed |= change != 0
            if not self.shop.webhooks.weather.lie:
                self.shop.change(item, place, change)
        # Nothing to change is a success without a group.
        return _payload([], self._group(wanted["reason"]) if has_changed else None)

    def _errors(self, wanted: dict[str, Any]) -> Any:
        if wanted["name"] not in ("available", "on_hand"):
            yield _error("INVALID_NAME", "input", "name")
        if wanted["reason"] not in _REASONS:
            yield _error("INVALID_REASON", "input", "reason")
        seen: set[tuple[str, str]] = set()
        for at, row in enumerate(wanted["quantities"]):
            item, place = plain(row["inventoryItemId"]), plain(row["locationId"])
            code, field = self._wrong(item, place, row)
            if code is None and (item, place) in seen:
                code = "NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR"
            if code is not None:
                yield _error(code, "input", "quantities", str(at), field)
            seen.add((item, place))

    def _wrong(self, item: str, place: str, row: Any) -> tuple[str | None, str]:
        shop, expected = self.shop, row["changeFromQuantity"]
        if item not in shop.items:
            return "INVALID_INVENTORY_ITEM", "inventoryItemId"
        if place not in shop.locations:
            return "INVALID_LOCATION", "locationId"
        if item in shop.bundles:
            return "NON_MUTABLE_INVENTORY_ITEM", "inventoryItemId"
        if abs(row["quantity"]) > _LIMIT:
            is_high = row["quantity"] > 0
            return f"INVALID_QUANTITY_TOO_{'HIGH' if is_high else 'LOW'}", "quantity"
        if expected is not None and expected != shop.shown(item, place):
            return "CHANGE_FROM_QUANTITY_STALE", "changeFromQuantity"
        return None, "inventoryItemId"

    def _group(self, reason: str) -> dict[str, Any]:
        return {
            "id": f"gid://shopify/InventoryAdjustmentGroup/{self.shop.new_id('group')}",
            "createdAt": stamp(clock()),
            "reason": reason,
        }


def check_size(rows: list[Any]) -> None:
    """Refuse a list that is longer than any list may be."""
    if len(rows) > MOST_IN_A_LIST:
        raise GraphQLError(
            f"The input array size of {len(rows)} is greater than the maximum allowed "
            f"of {MOST_IN_A_LIST}.",
            extensions={"code": "MAX_INPUT_SIZE_EXCEEDED"},
        )


def _key(info: Any) -> str:
    directive = SCHEMA.get_directive("idempotent")
    given = directive and get_directive_values(
        directive, info.field_nodes[0], info.variable_values
    )
    if not given or not given["key"]:
        raise GraphQLError(
            "The @idempotent directive is required for this mutation but was not "
            "provided.",
            extensions={"code": "BAD_REQUEST"},
        )
    return str(given["key"])


def _error(code: str, *field: str) -> dict[str, Any]:
    return {"code": code, "field": list(field) or None, "message": _WORDS[code]}


def _payload(errors: list[Any], group: Any = None) -> dict[str, Any]:
    return {"inventoryAdjustmentGroup": group, "userErrors": errors}
