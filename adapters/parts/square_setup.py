"""Connecting a Square account: its scopes, webhook subscription, locations, catalogue.

Subscriptions belong to the application, so only its own access token may look after
them; one that a seller granted by OAuth is refused (2026-11).

https://developer.squareup.com/docs/webhooks/webhook-subscriptions-api
"""

import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from adapters.parts.square_counts import rows
from app.domain.connecting import Subscribed, TheirItem, TheirPlace
from app.domain.errors import CredentialsRefused, GiveUp

Read = Callable[..., dict[str, Any]]
"""(method, path, …) → the answer's body, or one of the errors."""

_NEEDED = (
    *("MERCHANT_PROFILE_READ", "ITEMS_READ", "INVENTORY_READ", "INVENTORY_WRITE"),
    *("ORDERS_READ", "PAYMENTS_READ"),
)
_PATH = "/v2/webhooks/subscriptions"
_MOST_PAGES = 1000


def lacking(read: Read) -> list[str]:
    """The scopes that a token lacks, each in one sentence with what to do.

    https://developer.squareup.com/docs/oauth-api/token-introspection
    """
    try:
        granted = read("POST", "/oauth2/token/status", json={}).get("scopes")
    except GiveUp:
        # The calls themselves say whether it is good for anything.
        granted = None
    if not isinstance(granted, list):
        return []
    return [
        f"The access token lacks the scope {scope}: have the seller authorise the "
        "application again, with it"
        for scope in _NEEDED
        if scope not in granted
    ]


def subscribe(
    read: Read, address: str, topics: Sequence[str], keys: Sequence[str], *, mend: bool
) -> Subscribed:
    """See that one subscription sends these topics here, and that we know its key."""
    try:
        known = _known(read, address)
        if known is None:
            return _made(read, address, topics) if mend else Subscribed(tuple(topics))
        return _mended(read, known, topics, keys, mend=mend)
    except CredentialsRefused as error:
        words = (
            f"Square lets only the application's own access token look after webhooks "
            f"({error}). Use that one, or subscribe {address} in the Developer Console "
            f"to {', '.join(topics)} and put its signature key in as the secret `webhook`"
        )
        return Subscribed(problems=(words,))


def _known(read: Read, address: str) -> dict[str, Any] | None:
    for page in _pages(read, f"{_PATH}?include_disabled=true"):
        for one in rows(page, "subscriptions"):
            if one.get("notification_url") == address:
                return one
    return None


def _made(read: Read, address: str, topics: Sequence[str]) -> Subscribed:
    wanted = {
        "name": "Onecount",
        "event_types": list(topics),
        "notification_url": address,
    }
    asked = {"idempotency_key": str(uuid.uuid4()), "subscription": wanted}
    made = read("POST", _PATH, json=asked).get("subscription")
    return Subscribed(tuple(topics), tuple(topics), secret=_key(made))


def _mended(
    read: Read,
    known: dict[str, Any],
    topics: Sequence[str],
    keys: Sequence[str],
    *,
    mend: bool,
) -> Subscribed:
    path = f"{_PATH}/{known.get('id')}"
    sent = [str(one) for one in known.get("event_types") or ()]
    is_off = known.get("enabled") is not True
    missing = [topic for topic in topics if is_off or topic not in sent]
    if missing and mend:
        changed = {"enabled": True, "event_types": sorted({*sent, *topics})}
        read("PUT", path, json={"subscription": changed})
    # Only this answer tells the key.
    key = _key(read("GET", path).get("subscription"))
    return Subscribed(
        tuple(missing),
        tuple(missing) if mend else (),
        problems=() if mend or key is None or key in keys else (_OTHER_KEY,),
        secret=key if mend and key not in keys else None,
    )


_OTHER_KEY = (
    "Square signs with another key than the secret `webhook`: put in the subscription's "
    "signature key, or let the watchdog take it over within the hour"
)


def _key(subscription: Any) -> str | None:
    found = subscription if isinstance(subscription, dict) else {}
    key = found.get("signature_key")
    return key if isinstance(key, str) and key else None


def places(read: Read) -> list[TheirPlace]:
    """The account's active locations."""
    return [
        TheirPlace(str(one.get("id")), str(one.get("name") or one.get("id")))
        for one in rows(read("GET", "/v2/locations"), "locations")
        if one.get("status") == "ACTIVE"
    ]


def items(read: Read) -> Iterator[TheirItem]:
    """Every variation in the catalogue."""
    for page in _pages(read, "/v2/catalog/list?types=ITEM"):
        for one in rows(page, "objects"):
            item = _inside(one, "item_data")
            for variation in rows(item, "variations"):
                yield _variation(variation, str(item.get("name") or ""))


def _variation(variation: dict[str, Any], item: str) -> TheirItem:
    data = _inside(variation, "item_variation_data")
    parts = [item, str(data.get("name") or "")]
    return TheirItem(
        str(variation.get("id")),
        sku=_text(data, "sku"),
        barcode=_text(data, "upc"),
        name=" / ".join(part for part in parts if part),
        is_tracked=data.get("track_inventory") is not False,
    )


def _inside(row: dict[str, Any], name: str) -> dict[str, Any]:
    found = row.get(name)
    return found if isinstance(found, dict) else {}


def _text(row: dict[str, Any], name: str) -> str | None:
    found = row.get(name)
    return found if isinstance(found, str) and found else None


def _pages(read: Read, path: str) -> Iterator[dict[str, Any]]:
    cursor = ""
    for _ in range(_MOST_PAGES):
        page = read("GET", path + (f"&cursor={cursor}" if cursor else ""))
        yield page
        cursor = str(page.get("cursor") or "")
        if not cursor:
            return
