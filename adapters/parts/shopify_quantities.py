"""Numbers for Shopify: the variables of one write, what it answered, and readings.

Every write is a compare-and-set (`changeFromQuantity`): a sale whose webhook is still
on its way makes it fail instead of being overwritten. A call is all or nothing, so one
bad item leaves its neighbours unsent.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from adapters.levels import Level
from adapters.parts.shopify_client import Admin
from adapters.parts.shopify_number_documents import (
    CHANGED_LEVELS,
    LEVELS,
    SET_QUANTITIES,
)
from app.domain.channels import (
    ACCEPTED,
    REJECTED,
    STALE,
    UNSENT,
    Outcome,
    Reading,
    Wish,
)
from app.domain.errors import GiveUp, RetryLater
from app.domain.instants import Instant, iso, now, parse

_READ_AT_ONCE = 50
"""Items in one reading: up to some 15 points each, of 1,000 that a query may cost."""

_STALE = {"CHANGE_FROM_QUANTITY_STALE", "COMPARE_QUANTITY_STALE"}
_BUSY = {"IDEMPOTENCY_CONCURRENT_REQUEST", "SERVICE_UNAVAILABLE"}
_SPENT_KEY = {
    "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED",
    "IDEMPOTENCY_KEY_PARAMETER_MISMATCH",
}
"""Another key is needed; what is shown is read first, as nobody knows what happened."""

_WORDS = {
    "INVALID_INVENTORY_ITEM": "the shop has no such inventory item",
    "INVALID_LOCATION": "the shop has no such location",
    "INVALID_QUANTITY_NEGATIVE": "the shop takes no number below 0 here",
    "INVALID_QUANTITY_TOO_HIGH": "the number is higher than the shop takes",
    "INVALID_QUANTITY_TOO_LOW": "the number is lower than the shop takes",
    "NON_MUTABLE_INVENTORY_ITEM": (
        "the shop works this number out itself (a bundle): list its components"
    ),
    "NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR": (
        "two listings name the same inventory item at the same location"
    ),
}


def gid(kind: str, plain: str) -> str:
    """Shopify's global id of a plain one."""
    return f"gid://shopify/{kind}/{plain}"


def plain(global_id: str) -> str:
    """The plain id inside a global one; a plain one stays."""
    return global_id.rsplit("/", 1)[-1].partition("?")[0]


def comparable(wishes: Sequence[Wish]) -> list[Wish]:
    """The wishes that can be written: they name a location and what is there now."""
    return [wish for wish in wishes if wish.place and wish.expected is not None]


def variables(wishes: Sequence[Wish]) -> dict[str, Any]:
    """The variables of one write."""
    rows = [
        {
            "inventoryItemId": gid("InventoryItem", wish.external_id),
            "locationId": gid("Location", str(wish.place)),
            "quantity": wish.available,
            "changeFromQuantity": wish.expected,
        }
        for wish in comparable(wishes)
    ]
    return {"input": {"name": "available", "reason": "correction", "quantities": rows}}


def write(
    admin: Admin, composed: dict[str, Any], wishes: Sequence[Wish], key: str
) -> list[Outcome]:
    """Make one write; one outcome per wish."""
    sent = comparable(wishes)
    told: dict[int, Outcome] = {}
    if sent:
        data = admin.ask(SET_QUANTITIES, {**composed, "key": key}, "write_inventory")
        answer = data.get("inventorySetQuantities")
        if not isinstance(answer, dict):
            words = f"{admin.name} did not say what became of the numbers"
            raise RetryLater(words, unknown=True)
        # Nothing to change is a success with no adjustment group.
        errors = _errors(admin, answer.get("userErrors"))
        _raise_for_call(admin, errors, len(sent))
        told = {o.publication_id: o for o in _outcomes(errors, sent)}
    return [told.get(w.publication_id) or _not_sent(w) for w in wishes]


def _not_sent(wish: Wish) -> Outcome:
    if not wish.place:
        reason = "a number for Shopify needs one of its locations"
        return Outcome(wish.publication_id, REJECTED, reason)
    return Outcome(wish.publication_id, STALE, "the shop's number must be read first")


class _Error(NamedTuple):
    code: str
    message: str
    field: tuple[str, ...]

    @property
    def reason(self) -> str:
        words = _WORDS.get(self.code) or self.message
        return f"{words} ({self.code})" if self.code else words

    def which(self, count: int) -> int | None:
        """Which item is meant; the position comes as text, and can be left out."""
        for step in self.field:
            if step.isdecimal() and int(step) < count:
                return int(step)
        return 0 if count == 1 else None


def _errors(admin: Admin, told: Any) -> list[_Error]:
    rows = told if isinstance(told, list) else [told] if told else []
    return [_error(admin, one) for one in rows]


def _error(admin: Admin, told: Any) -> _Error:
    given = told if isinstance(told, dict) else {"message": told}
    way = given.get("field")
    return _Error(
        str(given.get("code") or ""),
        admin.quote(str(given.get("message") or "refused")),
        tuple(map(str, way)) if isinstance(way, list) else (),
    )


def _raise_for_call(admin: Admin, errors: Sequence[_Error], count: int) -> None:
    """Raise for what concerns the call as a whole."""
    for error in errors:
        if error.code in _BUSY:
            raise RetryLater(f"{admin.name}: {error.reason}", status=200, unknown=True)
        if error.code in _SPENT_KEY:
            words = f"{admin.name}: {error.reason}"
            raise RetryLater(words, status=200, unknown=True, new_key=True)
        if error.which(count) is None and error.code not in _STALE:
            raise GiveUp(f"{admin.name} refuses the call: {error.reason}")


def _outcomes(errors: Sequence[_Error], sent: Sequence[Wish]) -> list[Outcome]:
    if not errors:
        return [Outcome(wish.publication_id, ACCEPTED) for wish in sent]
    named: dict[int, Outcome] = {}
    for error in errors:
        index = error.which(len(sent))
        for at in range(len(sent)) if index is None else (index,):
            named.setdefault(at, _verdict(sent[at], error))
    return [
        named.get(at) or Outcome(wish.publication_id, UNSENT)
        for at, wish in enumerate(sent)
    ]


def _verdict(wish: Wish, error: _Error) -> Outcome:
    if error.code in _STALE:
        reason = f"the shop does not show {wish.expected} any more"
        return Outcome(wish.publication_id, STALE, reason)
    return Outcome(wish.publication_id, REJECTED, error.reason)


def read(admin: Admin, wishes: Sequence[Wish]) -> list[Reading]:
    """What the shop shows: None for what it does not stock or track there."""
    places: dict[str, list[Wish]] = defaultdict(list)
    readings = []
    for wish in wishes:
        if wish.place:
            places[wish.place].append(wish)
        else:
            readings.append(Reading(wish.publication_id, None, now()))
    for place, here in places.items():
        for start in range(0, len(here), _READ_AT_ONCE):
            readings += _read_place(admin, place, here[start : start + _READ_AT_ONCE])
    return readings


def _read_place(admin: Admin, place: str, wishes: Iterable[Wish]) -> list[Reading]:
    asked = list(wishes)
    ids = list(dict.fromkeys(gid("InventoryItem", w.external_id) for w in asked))
    # Taken before the call: what happens while it is under way is later.
    read_at = now()
    data = admin.ask(
        LEVELS, {"ids": ids, "location": gid("Location", place)}, "read_inventory"
    )
    with admin.expecting("a list of numbers"):
        shown = {plain(node["id"]): _available(node) for node in data["nodes"] if node}
    return [
        Reading(wish.publication_id, shown.get(wish.external_id), read_at)
        for wish in asked
    ]


def _available(node: dict[str, Any]) -> int | None:
    level = node["inventoryLevel"]
    if not node["tracked"] or level is None or not level["isActive"]:
        return None
    return _number(level)


def _number(level: dict[str, Any]) -> int:
    found = {one["name"]: one["quantity"] for one in level["quantities"]}
    return int(found["available"])


def changed(admin: Admin, place: str, since: Instant) -> Iterator[list[Level]]:
    """The numbers at a location that changed since then; none of what is not tracked."""
    after = None
    while True:
        asked = {"query": f"updated_at:>='{iso(since)}'", "after": after}
        asked["location"] = gid("Location", place)
        data = admin.ask(CHANGED_LEVELS, asked, "read_inventory")
        with admin.expecting("a list of numbers"):
            if data["location"] is None:
                return  # it is gone
            page = data["location"]["inventoryLevels"]
            levels = [
                Level(
                    plain(one["item"]["id"]),
                    place,
                    _number(one),
                    parse(one["updatedAt"]),
                )
                for one in page["nodes"]
                if one["item"]["tracked"]
            ]
            more, after = page["pageInfo"]["hasNextPage"], page["pageInfo"]["endCursor"]
        yield levels
        if not more:
            return
