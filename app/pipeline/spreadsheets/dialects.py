"""Inventory files as Shopify, Square and WooCommerce write them, read as ours.

Which one it is, its columns tell:

- Shopify's inventory: a line per variant and location, `On hand (current)` beside
  `On hand (new)`. https://help.shopify.com/en/manual/products/inventory/getting-started-with-inventory/inventory-csv
- Square's item library: a line per variation, `Current Quantity NAME` and
  `New Quantity NAME` per location. https://squareup.com/help/us/en/article/5153
- WooCommerce's products: a line per product with one `Stock`; no location.
  https://github.com/woocommerce/woocommerce/wiki/Product-CSV-Importer-&-Exporter

A file in which somebody filled in new numbers tells only these, beside the numbers
they saw; one as it was exported tells them all.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

Line = tuple[int, Mapping[str, str]]
"""A line's number, and its cells by the names of their columns."""

_NONE: Final = ("", "not stocked")
"""How Shopify says that there is no number; it does not mean zero."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one program writes stock."""

    title: str
    knows: Callable[[Sequence[str]], bool]
    counts: Callable[[Sequence[Line]], Iterator[Line]]
    """Its lines with our columns of counts; `quantity` and `was` as text."""
    name: str
    barcode: str

    def skus(self, lines: Sequence[Line]) -> Iterator[Line]:
        """Its lines with our columns of SKUs, each SKU once."""
        seen = set[str]()
        for line, cells in lines:
            sku = cells.get("SKU", "")
            if sku in seen or not sku:
                continue
            seen.add(sku)
            name, barcode = cells.get(self.name, ""), cells.get(self.barcode, "")
            yield line, {"sku": sku, "name": name, "barcode": barcode}


def recognised(header: Sequence[str]) -> Dialect | None:
    """The dialect that has these columns, if it is one."""
    return next((one for one in DIALECTS if one.knows(header)), None)


def _edited(
    pairs: Sequence[tuple[int, str, str, str, str]],
) -> Iterator[Line]:
    """(line, SKU, location, now, new): the new numbers, or all if there is none."""
    is_edited = any(new.lower() not in _NONE for *_, new in pairs)
    for line, sku, place, now, new in pairs:
        quantity = new if is_edited else now
        if not sku or quantity.lower() in _NONE:
            continue
        was = "" if now.lower() in _NONE or not is_edited else now
        told = {"sku": sku, "location": place, "quantity": quantity, "was": was}
        yield line, told


# -- Shopify -------------------------------------------------------------------

_CURRENT: Final = ("On hand (current)", "On hand")
_NEW: Final = "On hand (new)"


def _is_shopify(header: Sequence[str]) -> bool:
    named = {"SKU", "Location"} <= set(header)
    return named and not {_NEW, *_CURRENT}.isdisjoint(header)


def _shopify(lines: Sequence[Line]) -> Iterator[Line]:
    yield from _edited(
        [
            (
                line,
                cells.get("SKU", ""),
                cells.get("Location", ""),
                next((cells[name] for name in _CURRENT if cells.get(name)), ""),
                cells.get(_NEW, ""),
            )
            for line, cells in lines
        ]
    )


# -- Square --------------------------------------------------------------------

_NOW_AT: Final = "Current Quantity "
_NEW_AT: Final = "New Quantity "


def _is_square(header: Sequence[str]) -> bool:
    return "SKU" in header and any(name.startswith(_NOW_AT) for name in header)


def _square(lines: Sequence[Line]) -> Iterator[Line]:
    yield from _edited(
        [
            (
                line,
                cells.get("SKU", ""),
                name.removeprefix(_NOW_AT).strip(),
                now,
                cells.get(name.replace(_NOW_AT, _NEW_AT, 1), ""),
            )
            for line, cells in lines
            for name, now in cells.items()
            if name.startswith(_NOW_AT)
        ]
    )


# -- WooCommerce ---------------------------------------------------------------


def _is_woocommerce(header: Sequence[str]) -> bool:
    return {"Type", "SKU", "Stock"} <= set(header)


def _woocommerce(lines: Sequence[Line]) -> Iterator[Line]:
    for line, cells in lines:
        sku, stock = cells.get("SKU", ""), cells.get("Stock", "")
        if sku and stock:
            yield line, {"sku": sku, "location": "", "quantity": stock, "was": ""}


DIALECTS: Final = (
    Dialect("Shopify's inventory", _is_shopify, _shopify, "Title", "Barcode"),
    Dialect("Square's item library", _is_square, _square, "Item Name", "GTIN"),
    Dialect(
        "WooCommerce's products",
        _is_woocommerce,
        _woocommerce,
        "Name",
        "GTIN, UPC, EAN, or ISBN",
    ),
)
