"""Names of what is chosen from: roles, kinds of spreadsheets, parts of a filter."""

from collections.abc import Mapping
from typing import Final

from app.store.people import people
from app.web.texts import lazy

ROLES: Final[Mapping[str, str]] = {
    people.VIEWER: lazy("viewer"),
    people.OPERATOR: lazy("operator"),
    people.ADMIN: lazy("admin"),
}

ORDERS: Final[Mapping[str, str]] = {
    "promised": lazy("promised"),
    "not paid yet": lazy("not paid yet"),
    "handed over": lazy("handed over"),
}
"""How far an order is."""

SHEETS: Final[Mapping[str, str]] = {
    "counts": lazy("Counts"),
    "adjustments": lazy("Adjustments"),
    "skus": lazy("SKUs"),
    "recipes": lazy("Recipes of kits"),
    "listings": lazy("Listings"),
    "stock": lazy("Stock"),
    "ledger": lazy("Ledger"),
}
"""What a spreadsheet holds."""

PARTS: Final[Mapping[str, str]] = {
    "state": lazy("state"),
    "channel": lazy("channel"),
    "sku": lazy("sku"),
    "product": lazy("product"),
    "error": lazy("error"),
    "code": lazy("code"),
    "attempts": lazy("attempts"),
    "order": lazy("order"),
    "since": lazy("since"),
    "until": lazy("until"),
    "from": lazy("from"),
    "share": lazy("share"),
    "buffer": lazy("buffer"),
    "cap": lazy("cap"),
    "stop_at": lazy("stop_at"),
    "preorder": lazy("preorder"),
    "drift": lazy("drift"),
}
"""The parts of a filter, and of a policy."""
