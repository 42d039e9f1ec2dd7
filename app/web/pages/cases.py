"""Incidents in words: what each kind means, what to do, and the ways out of one."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.domain.instants import Instant
from app.web.pages import words


@dataclass(frozen=True, slots=True)
class Saying:
    """A kind of incident: what it is, what it means, what mends it."""

    title: str
    meaning: str
    fix: str
    tone: str = "warn"


SAYINGS: Final[Mapping[str, Saying]] = {
    "oversell": Saying(
        "More was sold than there is",
        "More units are promised or handed over than anybody has counted.",
        "Serve an order from another place, wait for what is on the way, count again, "
        "or cancel an order. It closes by itself once there is enough.",
        "bad",
    ),
    "contradiction": Saying(
        "Two reports contradict each other",
        "The same fact was told twice with different numbers and one version. What was "
        "told first is in the stock.",
        "Look at both, find out which is true, correct the stock if it is the second, "
        "and close this with a note.",
        "bad",
    ),
    "drift": Saying(
        "A channel shows another number than ours",
        "Somebody or something changes this number there, or it is not plausible.",
        "Find who changes it; then take one of the two. Until then the smaller is "
        "shown there.",
    ),
    "surplus_return": Saying(
        "More came back than was shipped",
        "Units came back for an order that never shipped so many: they are in no stock.",
        "Check the order's number. It closes by itself once the shipment is told; add "
        "the units by an adjustment if none will be.",
    ),
    "unlinked_return": Saying(
        "Units came back without an order",
        "They count as stock already. If the order's own channel tells of this return "
        "too, they count twice.",
        "Find the order. If its return is told as well, take these units off again.",
    ),
    "uncounted": Saying(
        "A whole count left SKUs out",
        "Units of them should be there, but nobody said how many were found.",
        "Count these SKUs too, with 0 where nothing is. It closes by itself with the "
        "next whole count that names them all.",
    ),
    "twin": Saying(
        "The same sale was told by two channels",
        "Two channels took the same units at the same place at about the same time.",
        "If it was one sale, cancel it on one of the two; if it was two, close this.",
    ),
    "assumed_location": Saying(
        "Where a shipment left from is only assumed",
        "Its channel named no location, so units were taken where it usually ships.",
        "Look where it really left from; transfer the units if it was elsewhere.",
    ),
    "kit_surplus": Saying(
        "More of a kit's components left than its order takes",
        "They are off the stock, for that is what was reported.",
        "Ask who packed it. If fewer left, have the shipment told again.",
    ),
    "counted_kit": Saying(
        "A kit was counted",
        "A kit has no units of its own, so the count changed nothing.",
        "Count its components instead, then close this with a note.",
    ),
    "unpolled": Saying(
        "A channel cannot be asked for what webhooks did not tell",
        "A webhook that gets lost there is not found by asking.",
        "Read why in the message, and put that right at the provider.",
    ),
    "webhooks": Saying(
        "A channel's webhooks may not reach us",
        "What happens there is heard of by polling only, so minutes later.",
        "Read what to do in the message; it is looked at again every hour.",
    ),
    "channel": Saying(
        "A channel takes no numbers",
        "What should be sent to it waits.",
        "Where it refuses our credentials, renew them on its page and resume it; what "
        "only failed is tried again by itself.",
        "bad",
    ),
}


def saying(kind: str) -> Saying:
    """What is said of a kind of incident."""
    named = kind.replace("_", " ").capitalize()
    return SAYINGS.get(kind, Saying(named, "It does not add up.", "Look at it."))


def details(row: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of an incident, for programs."""
    found = json.loads(row["details"])
    return found if isinstance(found, dict) else {}


def skus(row: Mapping[str, Any]) -> list[str]:
    """The SKUs an incident is about."""
    told = details(row)
    named = [told.get("sku"), *(part.get("sku") for part in told.get("parts", ()))]
    if row["kind"] == "drift":
        named.append(row["subject"].partition(":")[2])
    return sorted({one for one in named if one})


def units(row: Mapping[str, Any]) -> int:
    """How many units it is about; 0 where that is not known."""
    told = details(row)
    if row["units"] is not None:
        return int(row["units"])
    if "locations" in told:
        return sum(told["locations"].values())
    return sum(part.get("quantity", 0) for part in told.get("parts", ()))


def state(row: Mapping[str, Any], now: Instant) -> words.Word:
    """How far it has got."""
    if row["resolved_at"] is not None:
        return words.Word("Dealt with", "ok", "A person has dealt with it.")
    if row["closed_at"] is not None:
        return words.Word("Over", "ok", "It closed by itself.")
    if (row["snoozed_until"] or 0) > now:
        return words.Word("Put off", "quiet", "It comes back by itself.")
    return words.Word("Open", saying(row["kind"]).tone, "It waits for a person.")


def ways_out(row: Mapping[str, Any]) -> Iterator[str]:
    """What could be done about an oversell, in sentences."""
    for way in details(row).get("ways_out", ()):
        some = words.units(way["units"])
        if way["way"] == "other_location":
            are = "is" if way["units"] == 1 else "are"
            yield f"{some} {are} free at {way['location']}: ship from there"
        elif way["way"] == "on_the_way":
            yield f"{some} on the way to {way['location']}: let the buyer wait"
        else:
            yield f"Cancel {some} of order {way['order']} on {way['channel']}"
