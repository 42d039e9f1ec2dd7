"""Incidents in words: what each kind means, what to do, and the ways out of one."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.domain.instants import Instant
from app.web.pages import words
from app.web.texts import gettext, lazy, ngettext


@dataclass(frozen=True, slots=True)
class Saying:
    """A kind of incident: what it is, what it means, what mends it."""

    title: str
    meaning: str
    fix: str
    tone: str = "warn"


SAYINGS: Final[Mapping[str, Saying]] = {
    "oversell": Saying(
        lazy("More was sold than there is"),
        lazy("More units are promised or handed over than anybody has counted."),
        lazy(
            "Serve an order from another place, wait for what is on the way, count again, "
            "or cancel an order. It closes by itself once there is enough."
        ),
        "bad",
    ),
    "contradiction": Saying(
        lazy("Two reports contradict each other"),
        lazy(
            "The same fact was told twice with different numbers or SKUs and one version. "
            "What was told first is in the stock."
        ),
        lazy(
            "Look at both, find out which is true, correct the stock if it is the second, "
            "and close this with a note."
        ),
        "bad",
    ),
    "drift": Saying(
        lazy("A channel shows another number than ours"),
        lazy(
            "Somebody or something changes this number there, or it is not plausible."
        ),
        lazy(
            "Find who changes it; then take one of the two. Until then the smaller is "
            "shown there."
        ),
    ),
    "drift:mapping": Saying(
        lazy("A channel shows another number than ours"),
        lazy("It keeps no stock of this item where we publish a number of it."),
        lazy("Let it keep stock there, or correct the listing."),
    ),
    "surplus_return": Saying(
        lazy("More came back than was shipped"),
        lazy(
            "Units came back for an order that never shipped so many: they are in no stock."
        ),
        lazy(
            "Check the order's number. It closes by itself once the shipment is told; add "
            "the units by an adjustment if none will be."
        ),
    ),
    "unlinked_return": Saying(
        lazy("Units came back without an order"),
        lazy(
            "They count as stock already. If the order's own channel tells of this return "
            "too, they count twice."
        ),
        lazy(
            "Find the order. If its return is told as well, take these units off again."
        ),
    ),
    "uncounted": Saying(
        lazy("A whole count left SKUs out"),
        lazy("Units of them should be there, but nobody said how many were found."),
        lazy(
            "Count these SKUs too, with 0 where nothing is. It closes by itself with the "
            "next whole count that names them all."
        ),
    ),
    "twin": Saying(
        lazy("The same sale was told by two channels"),
        lazy(
            "Two channels took the same units at the same place at about the same time."
        ),
        lazy(
            "If it was one sale, cancel it on one of the two; if it was two, close this."
        ),
    ),
    "assumed_location": Saying(
        lazy("Where a shipment left from is only assumed"),
        lazy(
            "Its channel named no location, so units were taken where it usually ships."
        ),
        lazy("Look where it really left from; transfer the units if it was elsewhere."),
    ),
    "surplus_shipment": Saying(
        lazy("More left for an order than it takes"),
        lazy("They are off the stock, for that is what was reported."),
        lazy(
            "Ask who packed it. Two orders may have left in one parcel; if fewer left, "
            "have the shipment told again."
        ),
    ),
    "kit_surplus": Saying(
        lazy("More of a kit's components left than its order takes"),
        lazy("They are off the stock, for that is what was reported."),
        lazy("Ask who packed it. If fewer left, have the shipment told again."),
    ),
    "counted_kit": Saying(
        lazy("A kit was counted"),
        lazy("A kit has no units of its own, so the count changed nothing."),
        lazy("Count its components instead, then close this with a note."),
    ),
    "unpolled": Saying(
        lazy("A channel cannot be asked for what webhooks did not tell"),
        lazy("A webhook that gets lost there is not found by asking."),
        lazy("Read why in the message, and put that right at the provider."),
    ),
    "webhooks": Saying(
        lazy("A channel's webhooks may not reach us"),
        lazy("What happens there is heard of by polling only, so minutes later."),
        lazy("Read what to do in the message; it is looked at again every hour."),
    ),
    "channel": Saying(
        lazy("A channel takes no numbers"),
        lazy("What should be sent to it waits."),
        lazy(
            "Where it refuses our credentials, renew them on its page and resume it; what "
            "only failed is tried again by itself."
        ),
        "bad",
    ),
}


def saying(kind: str, cause: str | None = None) -> Saying:
    """What is said of a kind of incident, or of one with a cause of its own."""
    named = kind.replace("_", " ").capitalize()
    usual = SAYINGS.get(
        kind, Saying(named, gettext("It does not add up."), gettext("Look at it."))
    )
    return SAYINGS.get(f"{kind}:{cause}", usual)


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


def reports(row: Mapping[str, Any]) -> list[str]:
    """The keys of the reports that contradict each other: their fact's, and those that
    earlier releases gave them."""
    told = details(row).get("parts", ())
    return sorted({row["subject"], *(part["key"] for part in told)})


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
        return words.Word(
            gettext("Dealt with"), "ok", gettext("A person has dealt with it.")
        )
    if row["closed_at"] is not None:
        return words.Word(gettext("Over"), "ok", gettext("It closed by itself."))
    if (row["snoozed_until"] or 0) > now:
        return words.Word(
            gettext("Put off"), "quiet", gettext("It comes back by itself.")
        )
    return words.Word(
        gettext("Open"), saying(row["kind"]).tone, gettext("It waits for a person.")
    )


def ways_out(row: Mapping[str, Any]) -> Iterator[str]:
    """What could be done about an oversell, in sentences."""
    for way in details(row).get("ways_out", ()):
        told = {name: way.get(name) for name in ("location", "order", "channel")}
        if way["way"] == "other_location":
            yield ngettext(
                "%(num)s unit is free at %(location)s: ship from there",
                "%(num)s units are free at %(location)s: ship from there",
                way["units"],
                **told,
            )
        elif way["way"] == "on_the_way":
            yield ngettext(
                "%(num)s unit on the way to %(location)s: let the buyer wait",
                "%(num)s units on the way to %(location)s: let the buyer wait",
                way["units"],
                **told,
            )
        else:
            yield ngettext(
                "Cancel %(num)s unit of order %(order)s on %(channel)s",
                "Cancel %(num)s units of order %(order)s on %(channel)s",
                way["units"],
                **told,
            )
