"""What a shop has, read when it is connected: its locations and its variants."""

from collections.abc import Iterator
from typing import Any

from adapters.parts.shopify_client import Admin
from adapters.parts.shopify_quantities import plain
from adapters.parts.shopify_setup_documents import LOCATIONS, VARIANTS
from app.domain.connecting import TheirItem, TheirPlace

OPEN = "status:open AND -fulfillment_status:fulfilled"
"""Without the scope `read_all_orders` Shopify shows those of the last sixty days."""


def places(admin: Admin) -> list[TheirPlace]:
    """The shop's active locations."""
    found = []
    for nodes in _pages(admin, LOCATIONS, "locations", "read_locations"):
        with admin.expecting("locations"):
            found += [
                TheirPlace(plain(one["id"]), str(one["name"]))
                for one in nodes
                if one["isActive"]
            ]
    return found


def items(admin: Admin) -> Iterator[TheirItem]:
    """Every variant of the shop."""
    for nodes in _pages(admin, VARIANTS, "productVariants", "read_products"):
        with admin.expecting("variants"):
            page = [_item(one) for one in nodes]
        yield from page


def _item(node: dict[str, Any]) -> TheirItem:
    return TheirItem(
        plain(node["inventoryItem"]["id"]),
        plain(node["id"]),
        sku=node["sku"] or None,
        barcode=node["barcode"] or None,
        name=str(node["displayName"]),
        is_tracked=bool(node["inventoryItem"]["tracked"]),
    )


def _pages(admin: Admin, document: str, field: str, scope: str) -> Iterator[list[Any]]:
    after, more = None, True
    while more:
        data = admin.ask(document, {"after": after}, scope)
        with admin.expecting(field):
            nodes = list(data[field]["nodes"])
            page = data[field]["pageInfo"]
            more, after = page["hasNextPage"], page["endCursor"]
        yield nodes
