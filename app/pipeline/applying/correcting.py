"""Correcting: which SKU an event means where its line, or its fact, is known already.

A line keeps the SKU in force at the order's time: mapping an item to another SKU moves
no open line. It is another SKU's once its own source names another item than before.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from app.domain import events as kinds
from app.domain.events import StockEvent, key_of
from app.domain.targets import Target
from app.pipeline.applying import copies
from app.pipeline.applying.casebook import Casebook
from app.pipeline.applying.eventlog import EventLog
from app.pipeline.applying.hearing import BY_SKU, REPORTED, Said
from app.pipeline.applying.parcels import keeping
from app.pipeline.applying.traits import is_provisional, is_told
from app.store.stock.cases import Case

_NAMED_BY: Final = {
    kinds.PLACED,
    kinds.RECEIVED,
    kinds.EXPECTED,
    kinds.TRANSFERRED,
    kinds.ADJUSTED,
}
"""The facts that say which SKU their case is about, as a sale does that was handed over
at once. What else is told of an order's line says it only until one of these does."""


def sku_of(said: Said, case: Case, sku_id: int | None, log: EventLog) -> int | None:
    """The SKU that a known case is about, by what is newly said of it; None when that
    names another item, which nobody has told us of yet."""
    known, event = case.sku_id, said.event
    if known is None or sku_id == known or said.is_foreign:
        return known or sku_id
    told = log.standing(_keys(said, case))
    before = max(told, key=_weight, default=None)
    if before is None or _weight(before) > _weight(event):
        return known
    if said.verdict.meant.sku_id is not None:
        return sku_id
    return sku_id if _is_another(before, event) else known


def _keys(said: Said, case: Case) -> set[str]:
    """The keys of all that the same source told of a case."""
    event, keys = said.event, {said.verdict.key}
    who = said.verdict.key.removesuffix(key_of(event))
    for name in case.targets:
        kind, _, fact = name.partition(":")
        if kind in REPORTED:
            fact = fact.partition(":")[2]
        keys.add(f"{who}{key_of(replace(event, kind=kind, fact=fact or None))}")
    return keys


def _weight(event: StockEvent) -> tuple[bool, int, str]:
    """Of two events that name a case's item, the heavier one is right."""
    is_named = event.kind in _NAMED_BY or event.scope == kinds.AT_ONCE
    return is_named, event.version, key_of(event)


def reported(
    book: Casebook, said: Said, name: str, sku_id: int | None, log: EventLog
) -> int | None:
    """The SKU of a report by SKU: the former one's where its line names no other item."""
    known = _elsewhere(book, said, name, sku_id)
    if not known or said.verdict.meant.sku_id is not None:
        return sku_id
    before = max(log.standing({said.verdict.key}), key=_weight, default=None)
    if before is None or _is_another(before, said.event):
        return sku_id
    return known[0].sku_id


def others(
    book: Casebook, said: Said, found: Sequence[Case], name: str, sku_id: int
) -> Sequence[Case]:
    """Where the same fact is known as one of another SKU."""
    if said.by_sku:
        return _elsewhere(book, said, name, sku_id)
    known = [case for case in found if case.sku_id not in (None, sku_id)]
    return [case for case in known if name in case.targets]


def _elsewhere(book: Casebook, said: Said, name: str, sku_id: int | None) -> list[Case]:
    """The rows of an order that keep a report, by its line, as one of another SKU."""
    if said.event.line is None:
        return []  # One parcel holds many SKUs: each is a fact of its own.
    return [row for row in keeping(book, said, name) if row.sku_id != sku_id]


def _is_another(before: StockEvent, event: StockEvent) -> bool:
    """Whether these two name different items, in the same kind of id."""
    for one, other in (
        (before.external_id, event.external_id),
        (before.external_parent_id, event.external_parent_id),
        (before.sku, event.sku),
    ):
        if one is not None or other is not None:
            return None not in (one, other) and one != other
    return False


def is_elsewhere(said: Said, known: Target, target: Target, log: EventLog) -> bool:
    """Whether one version names two places by its own words: what they mean may have
    been mapped anew. Where an order's lines leave from is its channel's to change."""
    event = said.event
    goes = event.kind == kinds.TRANSFERRED and known.extra != target.extra
    is_fact = event.order is None or event.scope == kinds.AT_ONCE
    moves = is_fact and event.place and known.location not in (None, target.location)
    if not (goes or moves):
        return False
    stands = log.standing({said.verdict.key})
    told = {(o.place, o.to_place) for o in stands if o.version == event.version}
    return bool(told) and (event.place, event.to_place) not in told


def cases_of(
    book: Casebook, said: Said, found: list[Case], sku_id: int
) -> tuple[list[Case], Sequence[Case]]:
    """The cases that an event changes, and those that give or take reports for it."""
    if not found:
        made, adopted = book.make(said, sku_id)
        copies.follow(book, said, made)
        return [made], adopted
    if said.is_foreign:
        return found, ()
    if found[0].sku_id not in (None, sku_id):
        return found, _become(book, found[0], sku_id, said)
    if said.owner is None or not is_provisional(found[0], str(said.owner.id)):
        return found, ()
    return found, book.adopt(found[0], said.owner)


def _become(book: Casebook, case: Case, sku_id: int, said: Said) -> list[Case]:
    """A line is another SKU's: what others reported by SKU stays with the former."""
    reports = {name: told for name, told in case.targets.items() if BY_SKU in name}
    takes = [_about_the_same(book, case)] if reports else []
    case.sku_id = sku_id
    for name, report in reports.items():
        known = takes[0].targets.get(name)
        units = report.quantity + (known.quantity if known else 0)
        takes[0].targets[name] = report._replace(quantity=units)
        del case.targets[name]
        book.touch(takes[0])
    return takes + (book.adopt(case, said.owner) if said.owner is not None else [])


def _about_the_same(book: Casebook, case: Case) -> Case:
    """Another line of the order with a line's SKU, else where reports of it wait."""
    waiting = f"sku:{case.sku_id}"
    rows = [row for row in book.around(case) if row.sku_id == case.sku_id]
    told = [row for row in rows if row is not case and is_told(row)]
    if found := told or [row for row in rows if row.line == waiting]:
        return min(found, key=lambda row: (row.case_key, row.line))
    key, channel, number = case.case_key, case.channel_id, case.order_number
    made = Case(None, key, waiting, channel, number, case.sku_id)
    book.add(made)
    return made
