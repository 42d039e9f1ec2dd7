"""Parcels: shipments that their source tells whole each time, SKU by SKU.

What the newest word on a parcel does not name is not in it, whatever older ones said. A
SKU's own report cannot say so, for there is none: the others of the parcel do.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from sqlalchemy.engine import Connection

from app.domain import events as kinds
from app.pipeline.applying.casebook import Casebook
from app.pipeline.applying.hearing import Said, fact_name
from app.pipeline.applying.told import Meant, Told
from app.pipeline.house import House
from app.store.stock import aliases
from app.store.stock.cases import Case


def keeping(book: Casebook, said: Said, name: str) -> list[Case]:
    """The rows of an order that keep a report by SKU."""
    event, owner = said.event, said.owner
    return [
        row
        for row in book.rows(said.case_key, event.order_number or event.order)
        if name in row.targets
        and (owner is None or owner is said.channel or row.channel_id == owner.id)
    ]


def is_taken_out(book: Casebook, said: Said, name: str) -> bool:
    """Whether a later version of a parcel is known, and this SKU was never told of it."""
    rows = keeping(book, said, name)
    known = {row.sku_id for row in rows}
    newest = max((row.targets[name].version for row in rows), default=0)
    return said.verdict.meant.sku_id not in known and newest > said.event.version


def taken_out(
    connection: Connection,
    house: House,
    book: Casebook,
    told: Told,
    heard: Sequence[Said],
) -> Iterator[Told]:
    """What a message says of the SKUs that its parcels held and hold no more.

    Just before its own version: what it names in that one stays.
    """
    source = house.source_of(told.channel_id)
    for said in heard:
        event = said.event
        if event.scope != kinds.PARCEL:
            continue
        name = fact_name(event, source, by_sku=said.by_sku)
        older = {
            row.sku_id: row.targets[name].location
            for row in keeping(book, said, name)
            if row.targets[name].version < event.version and row.targets[name].quantity
        }
        for sku_id, location in older.items():
            [sku, *_] = aliases.words_of(connection, sku_id or 0)
            gone = replace(event, quantity=0, version=event.version - 1, sku=sku)
            meant = [Meant(sku_id, location)]
            yield replace(told, events=[gone], orders=(), rows=(), meant=meant)
