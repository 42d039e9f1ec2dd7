"""Explaining: why a channel shows a number, now or at a moment of the past.

Levels are those of the ledger by then, policies those in force then; the rule is the
one that publishes (`desired`). What was told late was not known when a number was sent:
where that makes another number, it is told beside.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain.instants import Instant, iso
from app.domain.shown import Reckoning, sentence
from app.domain.states import AVAILABLE
from app.pipeline.proving.scene import Scene, seen
from app.pipeline.publishing import desired, disputes
from app.pipeline.publishing.ruling import At, Ruling, ruling
from app.store import timekeeper
from app.store.configuration import policies
from app.store.configuration.policies import Version
from app.store.publishing import attempts
from app.store.stock import aliases, history, holds, recipes
from app.store.tables import listings, publications

MOST_ENTRIES = 10
MOST_HOLDS = 100


def explain(
    connection: Connection,
    sku: str,
    channel_key: str,
    *,
    at: Instant | None,
    now: Instant,
) -> dict[str, Any] | None:
    """Say why a channel shows what it shows of a SKU; None when there is no such SKU.

    Raises UnknownName for a channel that is not there.
    """
    sku_id = aliases.sku_id(connection, sku)
    if sku_id is None:
        return None
    scene = seen(connection, sku_id, channel_key, at, now)
    version = policies.of_channels_at(connection, scene.moment).get(scene.channel.id)
    numbers = list(_numbers(scene, version))
    return {
        "sku": scene.sku,
        "channel": channel_key,
        "at": scene.moment,
        "is_listed": bool(numbers) or _is_listed(scene),
        "explanation": _summed_up(scene, numbers),
        "numbers": numbers,
        "locations": [
            {"location": code, **found}
            for place, found in sorted(scene.spots.items())
            if place in scene.house.physical
            for code in scene.codes([place])
        ],
        "promises": list(_promises(scene)),
        "components": recipes.named(scene.parts, scene.names),
        "holds": _holds(scene),
        "ledger": _entries(scene, at),
    }


def _entries(scene: Scene, at: Instant | None) -> Sequence[Any]:
    period = history.Period(at=at)
    return history.page_of_all(
        scene.connection, scene.names, limit=MOST_ENTRIES, period=period
    )


def _listings(scene: Scene) -> Sequence[Any]:
    return scene.connection.execute(
        sa.select(listings.c.id, listings.c.external_id)
        .where(
            listings.c.channel_id == scene.channel.id,
            listings.c.sku_id == scene.sku_id,
            sa.or_(listings.c.gone_at.is_(None), listings.c.gone_at > scene.moment),
        )
        .order_by(listings.c.id)
    ).all()


def _is_listed(scene: Scene) -> bool:
    return bool(_listings(scene))


def _numbers(scene: Scene, version: Version | None) -> Iterator[dict[str, Any]]:
    """One number per listing and place of the channel's own."""
    for listing in _listings(scene):
        own = policies.of_listing_at(
            scene.connection, scene.channel.id, listing.id, scene.moment
        )
        rules = ruling(scene.house, scene.channel, None if own is None else own.policy)
        for place in rules.places:
            yield _number(scene, listing, place, rules, (version, own))


def _number(
    scene: Scene,
    listing: Any,
    place: str,
    rules: Ruling,
    versions: tuple[Version | None, Version | None],
) -> dict[str, Any]:
    found = scene.reckoned(rules, place)
    as_known = scene.reckoned(rules, place, as_known=True).shown
    aside = _told_late(found.shown, as_known)
    at = rules.at(place)
    assert at is not None  # noqa: S101 - it is one of these rules' places
    codes = scene.codes(at.draws_from)
    row = _publication(scene, listing.id, place)
    last = _last(scene, row)
    dispute = None
    if row is not None and not scene.is_past:
        dispute = disputes.standing(scene.connection, row, found.shown)
        found = replace(found, shown=desired.careful(found.shown, row["disputed"]))
        as_known, aside = found.shown, _disputed(dispute)
    return {
        "external_id": listing.external_id,
        "place": place or None,
        "shown": found.shown,
        "shown_as_known": as_known,
        "explanation": _sentence(scene, place, found, codes, last, aside),
        "dispute": dispute,
        "available": found.there,
        "kept_for_promises": found.there - found.stock,
        "preorder_left": found.ahead,
        "sellable": found.sellable,
        "policy": _policy(at, codes, versions),
        **last,
    }


def _publication(scene: Scene, listing_id: int, place: str) -> sa.RowMapping | None:
    query = sa.select(publications).where(
        publications.c.listing_id == listing_id, publications.c.place == place
    )
    return scene.connection.execute(query).mappings().first()


def _last(scene: Scene, row: sa.RowMapping | None) -> dict[str, Any]:
    """What was last sent, what was taken of that, and what the channel then showed."""
    if row is None:
        return {"pushed": None, "acknowledged": None, "known": None}
    pushed = attempts.last(scene.connection, row["id"], scene.moment)
    taken = attempts.last(scene.connection, row["id"], scene.moment, accepted=True)
    acknowledged = taken and {"number": taken["number"], "at": taken["finished_at"]}
    known = acknowledged and {**acknowledged, "by": "acknowledgement"}
    seen_at = row["observed_at"]
    newest = known["at"] if known else 0
    if seen_at is not None and newest <= seen_at <= scene.moment:
        known = {"number": row["observed"], "at": seen_at, "by": "reading"}
    return {
        "pushed": pushed and _pushed(pushed, scene.moment),
        "acknowledged": acknowledged,
        "known": known,
    }


def _pushed(attempt: sa.RowMapping, moment: Instant) -> dict[str, Any]:
    """An attempt as far as it had got."""
    ended = attempt["finished_at"] is not None and attempt["finished_at"] <= moment
    return {
        "attempt": attempt["id"],
        "number": attempt["number"],
        "at": attempt["started_at"],
        "result": attempt["verdict"] or attempt["result"] if ended else "sending",
        "error": attempt["reason"] or attempt["error"] if ended else None,
    }


def _policy(
    at: At, codes: list[str], versions: tuple[Version | None, Version | None]
) -> dict[str, Any]:
    """What holds there, and which versions say so."""
    channels, own = versions
    return {
        **asdict(at.policy),
        "from": codes,
        "channel_version": None if channels is None else _version(channels),
        "listing_version": None if own is None else _version(own),
    }


def _version(version: Version) -> dict[str, Any]:
    return {
        "version": version.version,
        "changed_at": version.changed_at,
        "actor": version.actor,
    }


def _promises(scene: Scene) -> Iterator[dict[str, Any]]:
    """Those that name no location: they are served before anything is shown."""
    for sku_id, name in scene.names.items():
        here = scene.here(sku_id)
        for spot, channel_id in scene.house.unassigned.items():
            if here.get(spot, 0) < 0:
                channel = scene.house.channels[channel_id]
                yield {
                    "sku": name,
                    "channel": channel.key,
                    "units": -here[spot],
                    "from": scene.codes(desired.draws(channel)),
                }


def _holds(scene: Scene) -> list[dict[str, Any]]:
    moment = timekeeper.theirs(scene.connection, scene.moment)
    rows = [
        row
        for sku_id in scene.names
        for row in holds.standing(scene.connection, sku_id, moment, MOST_HOLDS)
    ]
    return [
        {
            "id": row["hold_id"],
            "sku": row["sku"],
            "reference": row["reference"],
            "location": row["location"],
            "quantity": row["quantity"],
            "expires_at": row["expires_at"],
            "is_counted": row["expires_at"] > moment,
        }
        for row in rows
    ]


# -- in words --------------------------------------------------------------------


def _sentence(
    scene: Scene,
    place: str,
    found: Reckoning,
    codes: list[str],
    last: Mapping[str, Any],
    aside: str,
) -> str:
    who = f"{scene.channel.key} at its place {place}" if place else scene.channel.key
    words = sentence(found, who, codes).removesuffix(".") + _made_of(scene)
    words += aside
    taken = last["acknowledged"]
    if taken is None:
        return f"{words}; it has not taken a number from here yet."
    if taken["number"] == found.shown:
        return f"{words}; it took that number at {iso(taken['at'])}."
    return f"{words}; the last number it took was {taken['number']}, at " + (
        f"{iso(taken['at'])}."
    )


def _told_late(shown: int, as_known: int) -> str:
    if shown == as_known:
        return ""
    return f"; by what had been told by then it was {as_known}"


def _disputed(dispute: Mapping[str, Any] | None) -> str:
    if dispute is None:
        return ""
    words = "; it showed {theirs} where ours is {ours} ({why}), and a person is asked"
    if dispute["held_back"]:
        words += ": {held_back} held back until then"
    return words.format_map(dispute)


def _made_of(scene: Scene) -> str:
    parts = recipes.named(scene.parts, scene.names)
    told = " and ".join(f"{part['quantity']} of {part['sku']}" for part in parts)
    return f"; each is made of {told}" if told else ""


def _summed_up(scene: Scene, numbers: Sequence[Mapping[str, Any]]) -> str:
    key, sku = scene.channel.key, scene.sku
    when = f"At {iso(scene.moment)}: " if scene.is_past else ""
    if numbers:
        told = [one["explanation"].removesuffix(".") for one in numbers]
        return f"{when}{', and '.join(told)}."
    units = sum(
        found[AVAILABLE]
        for place, found in scene.spots.items()
        if place in scene.house.physical
    )
    why = f"{key} shows nothing of {sku}: it is not listed there"
    if scene.channel.publish is None:
        why = f"{key} is shown nothing of {sku}: nothing is published to that channel"
    return f"{when}{why}; {units} units are available in all."
