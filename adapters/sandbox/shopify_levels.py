"""The Shopify sandbox's numbers: items, locations, and the level of one at the other.

A level says when it last changed, and can be asked for by that time.
"""

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from adapters.sandbox.shopify_pages import connection
from adapters.sandbox.shopify_words import gid, plain, stamp

if TYPE_CHECKING:
    from adapters.sandbox.shopify import ShopifySandbox

LEVELS = """
type Location implements Node {
  id: ID! legacyResourceId: UnsignedInt64! name: String! isActive: Boolean!
  inventoryLevels(first: Int, after: String, query: String,
                  includeInactive: Boolean): InventoryLevelConnection!
}
type LocationConnection { nodes: [Location!]! pageInfo: PageInfo! }
type InventoryItem implements Node {
  id: ID!
  sku: String
  tracked: Boolean!
  inventoryLevel(locationId: ID!, includeInactive: Boolean): InventoryLevel
}
type InventoryLevelConnection { nodes: [InventoryLevel!]! pageInfo: PageInfo! }
type InventoryLevel implements Node {
  id: ID!
  isActive: Boolean!
  updatedAt: DateTime!
  item: InventoryItem!
  location: Location!
  quantities(names: [String!]!): [InventoryQuantity!]!
}
type InventoryQuantity implements Node { id: ID! name: String! quantity: Int! }
"""
"""This part of the schema."""


class Levels:
    """What a shop shows."""

    def __init__(self, shop: "ShopifySandbox") -> None:
        self.shop = shop

    def item(self, item: str) -> Any:
        """An inventory item."""
        known = self.shop.items.get(item)
        if known is None:
            return None
        return {
            "__typename": "InventoryItem",
            "id": gid("InventoryItem", item),
            "sku": known.sku,
            "tracked": item not in self.shop.untracked,
            "inventoryLevel": lambda info, locationId, includeInactive=False: (
                self._level(item, plain(locationId), includeInactive)
            ),
        }

    def place(self, place: str) -> Any:
        """A location."""
        if place not in self.shop.locations:
            return None
        return {
            "__typename": "Location",
            "id": gid("Location", place),
            "isActive": True,
            "name": place,
            "inventoryLevels": lambda info, query=None, includeInactive=False, **page: (
                connection(self._listed(place, query or "", includeInactive))(
                    info, **page
                )
            ),
        }

    def _listed(self, place: str, query: str, with_inactive: bool) -> list[Any]:
        since = re.search(r"updated_at:>=?'?([^'\s]+)'?", query)
        start = datetime.fromisoformat(since[1]) if since else None
        with self.shop.lock:
            return [
                self._level(item, place, with_inactive)
                for item in sorted(self.shop.items)
                if with_inactive or (item, place) not in self.shop.inactive
                if start is None or self._changed_at(item, place) >= start
            ]

    def _changed_at(self, item: str, place: str) -> datetime:
        """In whole seconds, as it is told."""
        return self.shop.changed_at(item, place).replace(microsecond=0)

    def _level(self, item: str, place: str, with_inactive: bool) -> Any:
        is_active = (item, place) not in self.shop.inactive
        if place not in self.shop.locations:
            return None
        if not is_active and not with_inactive:
            return None
        quantity = self.shop.shown(item, place)
        level = f"{item}{place}"
        return {
            "id": f"{gid('InventoryLevel', level)}?inventory_item_id={item}",
            "isActive": is_active,
            "updatedAt": stamp(self.shop.changed_at(item, place)),
            "item": lambda info: self.item(item),
            "location": lambda info: self.place(place),
            "quantities": lambda info, names: [
                {"id": f"{level}{name}", "name": name, "quantity": quantity}
                for name in names
                if name in ("available", "on_hand")
            ],
        }
