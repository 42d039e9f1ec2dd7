"""Rulings: what a listing may show where, by its channel's policy and its own.

A key of the listing's own policy says instead of the channel's; the others hold on. A
channel's place that a listing draws nothing from shows 0: what stood there before is
not left standing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.domain.errors import BadConfiguration, UnknownName
from app.domain.shown import Policy
from app.pipeline.house import House, Place

Own = Mapping[str, Any] | None
"""A listing's own policy: what it says instead of its channel's."""


@dataclass(frozen=True, slots=True)
class At:
    """What holds at one of the channel's own places."""

    draws_from: tuple[int, ...]
    policy: Policy
    counted_at: tuple[int, ...]
    """Locations where what was pre-ordered counts against the limit."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What holds for one listing."""

    places: Mapping[str, tuple[int, ...]]
    """The channel's own place ('' for none) → our locations that it draws from."""
    policy: Policy

    def at(self, place: str) -> At | None:
        """What holds at a place, or None when nothing is published there.

        Pre-orders are offered once, at the first place that sells: a buyer who sees
        the sum of a channel's places must not see them twice.
        """
        draws = self.places.get(place)
        if draws is None:
            return None
        first = next((name for name, at in self.places.items() if at), place)
        if place != first:
            return At(draws, replace(self.policy, preorder=0), ())
        return At(
            draws, self.policy, self._everywhere() if self.policy.preorder else ()
        )

    def _everywhere(self) -> tuple[int, ...]:
        return tuple(sorted({spot for draws in self.places.values() for spot in draws}))


def ruling(house: House, channel: Place, own: Own = None) -> Ruling:
    """What holds for a listing with this policy of its own."""
    if channel.publish is None:
        return Ruling({}, Policy())
    told = {**channel.publish, **(own or {})}
    return Ruling(_places(house, channel, own), policy_of(told))


def policy_of(told: Mapping[str, Any]) -> Policy:
    """A policy as it is written down, with what it leaves out."""
    return Policy(
        buffer=int(told.get("buffer", 0)),
        cap=told.get("cap"),
        share=int(told.get("share", 100)),
        stop_at=int(told.get("stop_at", 0)),
        preorder=int(told.get("preorder", 0)),
    )


def _places(house: House, channel: Place, own: Own) -> Mapping[str, tuple[int, ...]]:
    if not own or "from" not in own:
        return channel.places
    draws = _draws(house, channel, own["from"])
    if not channel.links:
        return {"": draws}
    places: dict[str, tuple[int, ...]] = {}
    for location, external in channel.links:
        if location in draws:
            places[external] = (*places.get(external, ()), location)
        elif external in channel.places:
            places.setdefault(external, ())
    return places


def _draws(
    house: House, channel: Place, codes: Sequence[str] | None
) -> tuple[int, ...]:
    if codes is None:
        return channel.mapped or house.physical
    return tuple(house.codes[code] for code in codes if code in house.codes)


def check_own(house: House, channel: Place, own: Own) -> None:
    """Raise UnknownName or BadConfiguration, naming the field, for a bad `from`."""
    for position, code in enumerate((own or {}).get("from") or ()):
        field = f"policy.from[{position}]"
        if code not in house.codes:
            raise UnknownName(f"there is no location {code!r}", field)
        if channel.mapped and house.codes[code] not in channel.mapped:
            known = ", ".join(house.names[one] for one in channel.mapped)
            raise BadConfiguration(
                f"{code!r} is not among the channel's locations; map it there "
                f"(mapped: {known})",
                field,
            )


def changed(
    rows: Iterable[Any],
    before: Mapping[Any, Ruling],
    after: Mapping[Any, Ruling],
) -> list[int]:
    """Ids of the publications for which something else holds than before.

    Rows have `id`, `listing_id` and `place`; rulings are by listing.
    """
    return [
        row.id
        for row in rows
        if before[row.listing_id].at(row.place) != after[row.listing_id].at(row.place)
    ]
