"""Numbers to and from Square: physical counts out, counts and refusals back in.

https://developer.squareup.com/reference/square/inventory-api
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from marshmallow import fields

from adapters.checks import time_or_none
from adapters.http import Answer
from adapters.levels import Level
from adapters.shapes import Name, Part, Time, Units, decimal, load
from app.domain.channels import ACCEPTED, REJECTED, UNSENT, Outcome, Reading, Wish
from app.domain.errors import (
    ChannelError,
    CredentialsRefused,
    GiveUp,
    MalformedPayload,
    RetryLater,
)
from app.domain.events import OBSERVED, Normalised, StockEvent
from app.domain.instants import Instant, iso

_SHOWN = "IN_STOCK"
"""The only state that a till sells from."""
_TIME = "INVALID_TIME"
_INDEX = re.compile(r"^changes\[(\d+)\]")


class Count(Part):
    """A number Square worked out, for one item in one state at one location."""

    catalog_object_id = Name(required=True)
    location_id = Name(required=True)
    state = fields.String(required=True)
    # Square goes below zero when a till sells what it does not have.
    quantity = Units(required=True, signed=True)
    calculated_at = Time(required=True)


_COUNT = Count()


def observed(rows: Any) -> Normalised:
    """What the counts of a webhook show; a count is never a fact about the ledger."""
    if not isinstance(rows, list):
        raise MalformedPayload("data.object.inventory_counts: expected a list")
    events, ignored = [], []
    for place, row in enumerate(rows):
        at = f"data.object.inventory_counts[{place}]"
        if _is_by_measure(row):
            ignored.append(f"{at} is sold by measure: no number of units.")
            continue
        count = load(_COUNT, row, at)
        if count["state"] != _SHOWN:
            ignored.append(f"A count of units {count['state']} is not what is shown.")
            continue
        events.append(
            StockEvent(
                OBSERVED,
                count["quantity"],
                count["calculated_at"],
                count["calculated_at"],
                external_id=count["catalog_object_id"],
                place=count["location_id"],
            )
        )
    return Normalised(events=tuple(events), ignored=tuple(ignored))


def _is_by_measure(row: Any) -> bool:
    number = decimal(row.get("quantity")) if isinstance(row, dict) else None
    return number is not None and number % 1 != 0


def question(wishes: Sequence[Wish]) -> dict[str, Any]:
    """Ask for the numbers of these wishes: every item at every location among them."""
    return {
        "catalog_object_ids": sorted({wish.external_id for wish in wishes}),
        "location_ids": sorted({wish.place for wish in wishes if wish.place}),
        "states": [_SHOWN],
        "limit": 1000,
    }


def question_since(places: Sequence[str], since: Instant) -> dict[str, Any]:
    """Ask for the numbers at these locations that changed since then."""
    return {
        "location_ids": places,
        "states": [_SHOWN],
        "updated_after": iso(since),
        "limit": 1000,
    }


def levels(page: Mapping[str, Any]) -> list[Level]:
    """The whole numbers of one page, each with when it last changed."""
    times = {
        _spot(row): time_or_none(row.get("calculated_at"))
        for row in rows(page, "counts")
    }
    return [
        Level(*spot, number, at)
        for spot, number in answered(page)
        if (at := times[spot]) is not None
    ]


def readings(
    pages: Iterable[Mapping[str, Any]], wishes: Sequence[Wish], read_at: Instant
) -> list[Reading]:
    """What the pages show for these wishes."""
    found: dict[tuple[str, str | None], int] = {}
    for page in pages:
        found |= dict(answered(page))
    spots = [(one.publication_id, (one.external_id, one.place)) for one in wishes]
    return [Reading(id_, found.get(spot), read_at) for id_, spot in spots]


def answered(page: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], int]]:
    """The whole numbers of one page, by item and location.

    What is sold by weight has no number of units; it is left out.
    """
    for row in rows(page, "counts"):
        number = decimal(row.get("quantity"))
        if row.get("state") == _SHOWN and number is not None and number % 1 == 0:
            yield _spot(row), int(number)


def _spot(row: Mapping[str, Any]) -> tuple[str, str]:
    return str(row.get("catalog_object_id")), str(row.get("location_id"))


def rows(page: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The objects of a list in an answer; Square leaves empty lists out."""
    found = page.get(name)
    return (
        [one for one in found if isinstance(one, dict)]
        if isinstance(found, list)
        else []
    )


def change(wish: Wish) -> dict[str, Any]:
    """The physical count that makes Square show the number of a wish."""
    if wish.stamp is None:
        raise ValueError("Square orders its counts by time; this wish has no stamp")
    return {
        "type": "PHYSICAL_COUNT",
        "physical_count": {
            "catalog_object_id": wish.external_id,
            "state": _SHOWN,
            "location_id": wish.place,
            "quantity": str(wish.available),
            "occurred_at": iso(wish.stamp),
        },
    }


@dataclass(frozen=True)
class Judge:
    """Reads the errors in Square's answers. `quote` hides secrets and people's data."""

    who: str
    quote: Callable[[str], str]

    def outcomes(self, answer: Answer, sent: Sequence[Wish]) -> list[Outcome]:
        """One outcome per wish from an answer, which may be a 200 with errors inside.

        Raises when an error blames no item: then the call as a whole did not work.
        """
        body = self._body(answer)
        errors = rows(body, "errors")
        if not errors and answer.status < 300:
            return [Outcome(wish.publication_id, ACCEPTED) for wish in sent]
        blamed: dict[int, str] = {}
        for error in errors or [{}]:
            if error.get("code") == _TIME:
                # By its clock our stamp is to come or a day old: no item's fault.
                raise RetryLater(f"{self.who}: {self._words(error)}")
            named = _named(error, sent)
            if not named:
                raise self.refusal(error, answer.status)
            blamed |= dict.fromkeys(named, self._words(error))
        taken = _taken(body) if answer.status < 300 else set()
        return [
            _outcome(wish, blamed.get(place), taken) for place, wish in enumerate(sent)
        ]

    def refusal(self, error: Mapping[str, Any], status: int) -> ChannelError:
        """What an error means that is about the whole call."""
        words = f"{self.who} answered {status}: {self._words(error)}"
        category = error.get("category")
        if category == "AUTHENTICATION_ERROR":
            return CredentialsRefused(words, status=status)
        if category == "RATE_LIMIT_ERROR":
            return RetryLater(words, status=status)
        if category == "API_ERROR":
            return RetryLater(words, status=status, unknown=True)
        return GiveUp(words, status=status)

    def _body(self, answer: Answer) -> dict[str, Any]:
        is_refused = answer.status >= 300
        try:
            body = answer.json()
        except RetryLater:
            if not is_refused:
                raise
            body = {}  # a refusal in a proxy's own words
        if not isinstance(body, dict) and not is_refused:
            words = f"{self.who} answered with JSON that is no object"
            raise RetryLater(words, status=answer.status, unknown=True)
        return body if isinstance(body, dict) else {}

    def _words(self, error: Mapping[str, Any]) -> str:
        parts = (error.get("code"), error.get("detail"))
        words = ": ".join(str(part) for part in parts if part)
        return self.quote(words) or "(no reason given)"


def _named(error: Mapping[str, Any], sent: Sequence[Wish]) -> list[int]:
    """Which changes an error is about: by its field, else by an id in its words."""
    if found := _INDEX.match(str(error.get("field") or "")):
        place = int(found[1])
        return [place] if place < len(sent) else []
    if error.get("category") != "INVALID_REQUEST_ERROR":
        return []
    words = re.findall(r"[\w-]+", str(error.get("detail") or ""))
    items = [place for place, wish in enumerate(sent) if wish.external_id in words]
    return items or [place for place, wish in enumerate(sent) if wish.place in words]


def _taken(body: dict[str, Any]) -> set[tuple[str, str]]:
    """What a 200 with errors says it did all the same."""
    counts = [one.get("physical_count") for one in rows(body, "changes")]
    return {
        (str(one.get("catalog_object_id")), str(one.get("location_id")))
        for one in counts
        if isinstance(one, dict)
    }


def _outcome(wish: Wish, blame: str | None, taken: set[tuple[str, str]]) -> Outcome:
    if blame:
        return Outcome(wish.publication_id, REJECTED, blame)
    is_taken = (wish.external_id, wish.place) in taken
    return Outcome(wish.publication_id, ACCEPTED if is_taken else UNSENT)
