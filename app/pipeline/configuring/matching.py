"""Matching: how the items of a channel fit our SKUs: as somebody said, by SKU, then by
barcode."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain.connecting import TheirItem
from app.pipeline.spreadsheets.importing import LISTINGS
from app.pipeline.spreadsheets.sheet import SKUS, Row, Sheet
from app.store.stock import aliases
from app.store.tables import channels, listings, skus

NAMED: Final = 10
"""How many items of a list are named."""


@dataclass(slots=True)
class Matching:
    """How the channel's items fit our SKUs."""

    by_sku: list[tuple[str, TheirItem]] = field(default_factory=list)
    by_barcode: list[tuple[str, TheirItem]] = field(default_factory=list)
    listed: list[tuple[str, TheirItem]] = field(default_factory=list)
    """Items that are listed as another SKU than these would make of them."""
    new: list[TheirItem] = field(default_factory=list)
    """Items whose SKU nobody knows here."""
    twins: dict[str, list[TheirItem]] = field(default_factory=dict)
    """Our SKU, or theirs, → the items that all claim to be it; none is mapped."""
    nameless: list[TheirItem] = field(default_factory=list)
    """Items without a SKU whose barcode nobody knows."""
    absent: list[str] = field(default_factory=list)
    """Our SKUs that the channel does not sell."""

    def pairs(self, *, with_new: bool) -> list[tuple[str, TheirItem]]:
        """Our SKU and the item, of all that are mapped."""
        new = [(one.sku or "", one) for one in self.new] if with_new else []
        return [*self.by_sku, *self.by_barcode, *self.listed, *new]

    def new_skus(self) -> Sheet:
        """The unknown SKUs, as a file of SKUs would have them."""
        rows = [(one.sku or "", one.name, one.barcode or "") for one in self.new]
        return _sheet(SKUS, rows)

    def listings(self, channel: str, *, with_new: bool) -> Sheet:
        """The listings, as a file of listings would have them."""
        rows = [
            (channel, sku, one.external_id, one.external_parent_id or "")
            for sku, one in self.pairs(with_new=with_new)
        ]
        return _sheet(LISTINGS, rows)

    def sentences(self, *, with_new: bool) -> Iterator[str]:
        """What a person should know before anything is mapped."""
        listed = f", {len(self.listed)} listed already" if self.listed else ""
        yield (
            f"Items: {len(self.by_sku)} matched by SKU, {len(self.by_barcode)} by "
            f"barcode{listed}."
        )
        if self.new:
            what = "will be added" if with_new else "are left out (--opening adds them)"
            names = some(one.sku or "" for one in self.new)
            yield f"  {len(self.new)} SKUs are unknown here and {what}: {names}"
        for sku, twins in list(self.twins.items())[:NAMED]:
            ids = some(one.external_id for one in twins)
            yield (
                f"  {sku}: {len(twins)} of its items claim to be it ({ids}); none is "
                "mapped, say which with `onecount import listings`"
            )
        if len(self.twins) > NAMED:
            yield f"  … and {len(self.twins) - NAMED} more such SKUs"
        if self.nameless:
            names = some(one.name or one.external_id for one in self.nameless)
            yield f"  {len(self.nameless)} have no SKU or barcode we know: {names}"
        if self.absent:
            yield f"  {len(self.absent)} of our SKUs it lacks: {some(self.absent)}"


def some(names: Iterable[str]) -> str:
    """The first of these names, and how many more there are."""
    listed = list(names)
    more = f" … and {len(listed) - NAMED} more" if len(listed) > NAMED else ""
    return ", ".join(listed[:NAMED]) + more


def _sheet(columns: Sequence[str], rows: Iterable[tuple[str, ...]]) -> Sheet:
    return Sheet(
        [
            Row(number, dict(zip(columns, row, strict=True)))
            for number, row in enumerate(rows, 1)
        ]
    )


def match(connection: Connection, items: Iterable[TheirItem], channel: str) -> Matching:
    """Fit a channel's items to our SKUs: as they are listed, else by SKU (or alias), then
    by barcode.

    What is not clear is not mapped: an item that several claim to be is named.
    """
    every = list(items)
    known = aliases.sku_ids(connection, [one.sku for one in every if one.sku])
    codes, barcodes = _ours(connection)
    told = _told(connection, channel)
    claims: dict[str, list[TheirItem]] = defaultdict(list)
    found = Matching()
    lists: dict[str, list[tuple[str, TheirItem]]] = {}
    for one in every:
        by_sku = codes.get(known.get(one.sku or "", 0))
        by_itself = by_sku or barcodes.get(one.barcode or "") or one.sku
        sku = told.get(one.external_id) or by_itself
        if sku is None:
            found.nameless.append(one)
            continue
        claims[sku].append(one)
        by_its_code = found.by_sku if by_sku else found.by_barcode
        lists[one.external_id] = by_its_code if sku == by_itself else found.listed
    ours = set(codes.values())
    for sku, claimed in claims.items():
        # Of several, the one that somebody said it is.
        said = [one for one in claimed if told.get(one.external_id) == sku]
        [one, *twins] = said if len(said) == 1 else claimed
        if twins:
            found.twins[sku] = claimed
        elif sku not in ours:
            found.new.append(one)
        else:
            lists[one.external_id].append((sku, one))
    found.absent = sorted(ours - claims.keys())
    return found


def _told(connection: Connection, channel: str) -> dict[str, str]:
    """The channel's items that are listed, each with its SKU."""
    query = (
        sa.select(listings.c.external_id, skus.c.sku)
        .join(channels, channels.c.id == listings.c.channel_id)
        .join(skus, skus.c.id == listings.c.sku_id)
        .where(channels.c.key == channel, listings.c.gone_at.is_(None))
    )
    return {row.external_id: row.sku for row in connection.execute(query)}


def _ours(connection: Connection) -> tuple[dict[int, str], dict[str, str]]:
    """SKUs by id; and by barcode, where only one has it."""
    rows = connection.execute(sa.select(skus.c.id, skus.c.sku, skus.c.barcode)).all()
    times = Counter(row.barcode for row in rows if row.barcode)
    return (
        {row.id: row.sku for row in rows},
        {row.barcode: row.sku for row in rows if times[row.barcode] == 1},
    )
