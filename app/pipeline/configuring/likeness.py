"""Likeness: which of our SKUs an item that nobody has named may be.

Proposals only: a person decides. By the text of the SKU, the barcode and the name that
its channel sent.
"""

import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.engine import Connection, RowMapping

from app.store.stock import catalogue

MOST: Final = 4
_LOOKED_AT: Final = 200
_TELLING: Final = ("sku", "barcode", "name", "title", "variant_title", "upc", "gtin")
_WORD: Final = re.compile(r"[^\W_]{2,}")


@dataclass(frozen=True, slots=True)
class Item:
    """A channel's own item, as its webhook told of it."""

    external_id: str
    external_parent_id: str
    words: tuple[str, ...]
    """Its SKU, barcode and name over there, whatever of them was sent."""


def item_of(row: Mapping[str, Any]) -> Item:
    """The item that a parked line is about; the row is from `traces.unnamed`."""
    told = json.loads(row["details"])
    external = told.get("external_id") or told.get("sku") or row["word"]
    names = {str(told[key]) for key in ("sku",) if told.get(key)}
    parent = told.get("external_parent_id") or ""
    ids = {str(one) for one in (external, parent, told.get("sku")) if one}
    document = _parsed(row["document"]), _parsed(row["fetched"])
    names |= {word for part in document for word in _called(part, ids)}
    return Item(external, parent, tuple(sorted(names | {external})))


def _parsed(text: str | None) -> Any:
    try:
        return json.loads(text or "")
    except ValueError:
        return None


def _called(document: Any, ids: set[str]) -> Iterator[str]:
    """What the parts of a document that hold one of these ids call it."""
    if isinstance(document, Mapping):
        flat = {key: one for key, one in document.items() if isinstance(one, str | int)}
        if any(str(one).rpartition("/")[2] in ids for one in flat.values()):
            yield from (str(flat[key]) for key in _TELLING if flat.get(key))
        for below in document.values():
            yield from _called(below, ids)
    elif isinstance(document, Sequence) and not isinstance(document, str):
        for below in document:
            yield from _called(below, ids)


def candidates(connection: Connection, item: Item) -> list[RowMapping]:
    """Up to four SKUs that it may be, the likeliest first."""
    parts = {word.lower() for text in item.words for word in _WORD.findall(text)}
    found = catalogue.resembling(
        connection, item.words, sorted(parts, key=len, reverse=True), _LOOKED_AT
    )
    scored = [(_score(row, item), row) for row in found]
    likely = [pair for pair in scored if pair[0] > 0.5]
    likely.sort(key=lambda pair: (-pair[0], pair[1]["sku"]))
    return [row for _, row in likely[:MOST]]


def _score(row: RowMapping, item: Item) -> float:
    """1 for the very same code, less the less they look alike."""
    best = 0.0
    for word in item.words:
        if word == row["barcode"]:
            return 1.0
        for ours in (row["sku"], row["name"]):
            if ours:
                best = max(best, _alike(word.lower(), ours.lower()))
    return best


def _alike(one: str, other: str) -> float:
    matcher = difflib.SequenceMatcher(None, one, other)
    return matcher.ratio() if matcher.real_quick_ratio() > 0.5 else 0.0
