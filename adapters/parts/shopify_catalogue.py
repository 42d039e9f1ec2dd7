"""Shopify's items and levels: what it shows, and how it knows an item. Moves nothing.

https://shopify.dev/docs/api/webhooks (inventory_levels, inventory_items, products)
"""

from typing import Any, Final

from marshmallow import fields

from adapters.shapes import Each, Name, Part, Time, Units, kept, load, optional
from app.domain.events import OBSERVED, ListingSeen, Normalised, StockEvent


class Level(Part):
    """A number at a location; `available` is null where Shopify does not count."""

    inventory_item_id = Name(required=True)
    location_id = Name(required=True)
    available = Units(signed=True, load_default=None, allow_none=True)
    updated_at = Time(required=True)


class InventoryItem(Part):
    """An item without its variant, which Shopify does not tell here."""

    id = Name(required=True)
    sku = optional(fields.String)
    tracked = optional(fields.Boolean)


class Variant(Part):
    """A variant inside a product."""

    id = Name(required=True)
    inventory_item_id = optional(Name)
    sku = optional(fields.String)
    title = optional(fields.String)
    barcode = optional(fields.String)


class Product(Part):
    """A product; only its first hundred variants come with it."""

    id = Name(required=True)
    title = optional(fields.String)
    variants = Each(Variant)


_LEVEL, _ITEM, _PRODUCT = Level(), InventoryItem(), Product()
KEPT: Final = kept(Level) | kept(InventoryItem) | kept(Product)

_ONLY_VARIANT = "Default Title"
"""What Shopify calls the variant of a product that has no options."""


def level(document: Any) -> Normalised:
    """What Shopify shows now, whoever changed it."""
    told = load(_LEVEL, document)
    item, place = told["inventory_item_id"], told["location_id"]
    if told["available"] is None:
        reason = f"Item {item} is not tracked at location {place}: no number, not 0."
        return Normalised(ignored=(reason,))
    seen = StockEvent(
        OBSERVED,
        told["available"],
        told["updated_at"],
        told["updated_at"],
        external_id=item,
        place=place,
    )
    return Normalised(events=(seen,))


def item(document: Any) -> Normalised:
    """An item's SKU, as it is now."""
    told = load(_ITEM, document)
    reason = f"Item {told['id']} is not tracked: Shopify shows no number for it."
    return Normalised(
        listings=(ListingSeen(told["id"], sku=told["sku"] or None),),
        ignored=(reason,) if told["tracked"] is False else (),
    )


def item_gone(document: Any) -> Normalised:
    """An item that was deleted."""
    told = load(_ITEM, document)
    return Normalised(listings=(ListingSeen(told["id"], gone=True),))


def product(document: Any) -> Normalised:
    """The variants of a product and their inventory items."""
    told = load(_PRODUCT, document)
    listings, ignored = [], []
    for at, variant in enumerate(told["variants"]):
        if variant["inventory_item_id"] is None:
            ignored.append(f"variants[{at}] has no inventory item.")
            continue
        listings.append(
            ListingSeen(
                variant["inventory_item_id"],
                external_parent_id=variant["id"],
                sku=variant["sku"] or None,
                name=_name(told["title"], variant["title"]),
                barcode=variant["barcode"] or None,
            )
        )
    if not told["variants"]:
        ignored.append("The product has no variants.")
    return Normalised(listings=tuple(listings), ignored=tuple(ignored))


def _name(product_title: str | None, variant_title: str | None) -> str | None:
    parts = [product_title, None if variant_title == _ONLY_VARIANT else variant_title]
    return " / ".join(part for part in parts if part) or None
