"""Numbers for Shopify: the variables of one write, what it answered, and readings.

Every write is a compare-and-set (`changeFromQuantity`): a sale whose webhook is still
on its way makes it fail instead of being overwritten. A call is all or nothing, so one
bad item leaves its neighbours unsent.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from adapters.parts.shopify_client import Admin
from adapters.parts.shopify_documents import LEVELS, SET_QUANTITIES
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
from app.domain.instants import now

_READ_AT_ONCE = 50
"""Items in one reading: up to some 15 points each, of 1,000 that a query may cost."""

_STALE = {"CHANGE_FROM_QUANTITY_STALE", "COMPARE_QUANTITY_STALE"}
_BUSY = {"IDEMPOTENCY_CONCURRENT_REQUEST", "SERVICE_UNAVAILABLE"}
_SPENT_KEY = "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED"
_WRONG_KEY = "IDEMPOTENCY_KEY_PARAMETER_MISMATCH"

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
            raise RetryLater("Shopify did not say what became of it", unknown=True)
        # Nothing to change is a success with no adjustment group.
        errors = answer.get("userErrors") or []
        told = {o.publication_id: o for o in _outcomes(errors, sent)}
    return [told.get(w.publication_id) or _not_sent(w) for w in wishes]


def _not_sent(wish: Wish) -> Outcome:
    if not wish.place:
        reason = "a number for Shopify needs one of its locations"
        return Outcome(wish.publication_id, REJECTED, reason)
    return Outcome(wish.publication_id, STALE, "the shop's number must be read first")


def _outcomes(errors: Sequence[Any], sent: Sequence[Wish]) -> list[Outcome]:
    if not errors:
        return [Outcome(wish.publication_id, ACCEPTED) for wish in sent]
    codes = [str(error.get("code") or "") for error in errors]
    if _SPENT_KEY in codes:
        reason = "an earlier call under this key failed"
        return [Outcome(wish.publication_id, UNSENT, reason) for wish in sent]
    _raise_for_call(errors, codes)
    named: dict[int, Outcome] = {}
    for code, error in zip(codes, errors, strict=True):
        index = _index(error, len(sent))
        if index is None and code not in _STALE:
            raise GiveUp(f"Shopify refuses the call: {_reason(code, error)}")
        for i in range(len(sent)) if index is None else (index,):
            named.setdefault(i, _verdict(sent[i], code, error))
    return [
        named.get(i) or Outcome(wish.publication_id, UNSENT)
        for i, wish in enumerate(sent)
    ]


def _raise_for_call(errors: Sequence[Any], codes: list[str]) -> None:
    """Raise for what concerns the call as a whole."""
    for code, error in zip(codes, errors, strict=True):
        if code in _BUSY:
            raise RetryLater(f"Shopify: {error.get('message')}", unknown=True)
        if code == _WRONG_KEY:
            raise GiveUp(f"Shopify: {error.get('message')}")


def _verdict(wish: Wish, code: str, error: Any) -> Outcome:
    if code in _STALE:
        reason = f"the shop does not show {wish.expected} any more"
        return Outcome(wish.publication_id, STALE, reason)
    return Outcome(wish.publication_id, REJECTED, _reason(code, error))


def _reason(code: str, error: Any) -> str:
    words = _WORDS.get(code) or str(error.get("message") or "refused")
    return f"{words} ({code})" if code else words


def _index(error: Any, count: int) -> int | None:
    """Which item an error names; the position comes as text, or with one item not."""
    for step in error.get("field") or ():
        if str(step).isdigit() and int(step) < count:
            return int(step)
    return 0 if count == 1 else None


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
    shown = {
        plain(str(node.get("id"))): _available(node)
        for node in data.get("nodes") or ()
        if isinstance(node, dict) and node.get("id")
    }
    return [
        Reading(wish.publication_id, shown.get(wish.external_id), read_at)
        for wish in asked
    ]


def _available(node: dict[str, Any]) -> int | None:
    level = node.get("inventoryLevel")
    if not node.get("tracked") or not level or not level.get("isActive"):
        return None
    for one in level.get("quantities") or ():
        if one.get("name") == "available":
            return int(one["quantity"])
    return None
