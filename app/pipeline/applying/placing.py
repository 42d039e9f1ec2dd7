"""Placing: where an event happened, as far as it says or implies it."""

from app.domain import events as kinds
from app.domain.events import StockEvent
from app.domain.targets import UNLINKED
from app.pipeline.applying.names import Names, missing_location, missing_sku
from app.pipeline.house import House, Place

NEEDS_PLACE = {
    kinds.RETURNED,
    kinds.RECEIVED,
    kinds.EXPECTED,
    kinds.TRANSFERRED,
    kinds.ADJUSTED,
    kinds.INSPECTED,
    kinds.COUNTED,
    kinds.HELD,
    kinds.LET_GO,
}


def where(
    house: House, names: Names, channel: Place | None, event: StockEvent
) -> tuple[int | None, str | None]:
    """Our location, where the event names or implies one; and what it waits for."""
    if event.place is not None:
        found = names.location_id(channel, event.place)
        if found is None:
            return None, missing_location(channel, event.place)
        return found, None
    if event.kind == kinds.PLACED and channel is not None:
        return channel.promise_place, None
    if event.kind not in NEEDS_PLACE and event.scope != kinds.AT_ONCE:
        return None, None
    own = _only_place(house, channel)
    return own, None if own is not None else missing_location(channel, None)


def shown_at(names: Names, channel: Place, event: StockEvent) -> str | None:
    """The channel's own place that an observation is about; None when that is unknown.

    A channel that maps no places shows one number for all it sells from ('').
    """
    if not channel.by_external:
        here = names.location_id(channel, event.place) if event.place else None
        return "" if event.place is None or (here,) == channel.draws_from else None
    if event.place is not None:
        return event.place if event.place in channel.by_external else None
    own = list(channel.by_external)
    return own[0] if len(own) == 1 else None


def unseen(
    channel: Place, event: StockEvent, sku_id: int | None, place: str | None
) -> str | None:
    """What an observation waits for, if anything.

    A provider tells of all that it has: items that nobody listed and places that nobody
    mapped are no news.
    """
    if event.external_id is not None:
        return None
    if sku_id is None:
        return missing_sku(channel, event)
    return missing_location(channel, event.place) if place is None else None


def _only_place(house: House, channel: Place | None) -> int | None:
    own = tuple(channel.by_external.values()) if channel is not None else ()
    places = own or house.physical
    return places[0] if len(places) == 1 else None


def detail(
    names: Names, channel: Place | None, event: StockEvent
) -> tuple[str | int | None, str | None]:
    """What else a target must keep, by its kind; and what it waits for."""
    if event.kind == kinds.TRANSFERRED:
        found = names.location_id(channel, event.to_place or "")
        if found is None:
            return None, missing_location(channel, event.to_place)
        return found, None
    if event.kind in (kinds.RECEIVED, kinds.LOST) and event.of is not None:
        return f"{event.disposition or ''}|{event.of}", None
    if event.kind == kinds.RETURNED and event.order is None:
        return f"{event.disposition or kinds.SELLABLE}{UNLINKED}", None
    if event.kind == kinds.UNPAID:
        return event.until, None
    if event.kind == kinds.ADVISED:
        return event.scope, None
    return event.disposition, None
