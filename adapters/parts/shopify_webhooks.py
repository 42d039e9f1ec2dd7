"""A shop's webhook subscriptions: what must be there, looked up and mended.

Shopify deletes a subscription after eight failures in a row. It lists only those that
were made through the API, and tells the reason of a refusal in words alone (2026-11).

https://shopify.dev/docs/api/admin-graphql/2026-10/mutations/webhookSubscriptionCreate
"""

from collections.abc import Iterator
from typing import Any

from adapters.parts import shopify_access as access
from adapters.parts.shopify_client import Admin
from adapters.parts.shopify_setup_documents import SUBSCRIBE, SUBSCRIPTIONS, UNSUBSCRIBE
from app.domain.connecting import Subscribed
from app.domain.errors import CredentialsRefused

NEEDED = (
    *("orders/create", "orders/updated", "orders/paid", "orders/cancelled"),
    *("orders/edited", "orders/delete", "refunds/create"),
    *("fulfillments/create", "fulfillments/update"),
    *("fulfillment_orders/order_routing_complete", "fulfillment_orders/moved"),
    *("fulfillment_orders/split", "fulfillment_orders/merged"),
    *("fulfillment_orders/cancelled", "inventory_levels/update"),
    *("inventory_items/update", "inventory_items/delete", "products/update"),
    "app/uninstalled",
)
OF_RETURNS = "reverse_fulfillment_orders/dispose"
"""Wanted too, by an app that may read returns."""
_SCOPE = "(none)"
_TAKEN = "already been taken"
"""Somebody else registered it a moment ago."""


def subscribe(admin: Admin, address: str, *, mend: bool) -> Subscribed:
    """Compare a shop's subscriptions with `NEEDED`; register those that lack."""
    found = list(_listed(admin))
    right = {one["topic"] for one in found if _is_right(one, address)}
    missing = [topic for topic in NEEDED if enum(topic) not in right]
    if enum(OF_RETURNS) not in right and access.may(admin, "read_returns"):
        missing.append(OF_RETURNS)
    if not mend:
        return Subscribed(tuple(missing))
    mended, refused = [], dict[str, list[str]]()
    for topic in missing:
        words = _register(admin, topic, address)
        if words is None:
            mended.append(topic)
        else:
            refused.setdefault(words, []).append(topic)
    there = right | {enum(topic) for topic in mended}
    for one in found:
        if one["topic"] in there and _is_cut_down(one, address):
            _delete(admin, one["id"])
    return Subscribed(tuple(missing), tuple(mended), tuple(_sentences(refused)))


def enum(topic: str) -> str:
    """A topic as GraphQL writes it."""
    return topic.upper().replace("/", "_")


def _listed(admin: Admin) -> Iterator[dict[str, Any]]:
    after, more = None, True
    while more:
        data = admin.ask(SUBSCRIPTIONS, {"after": after}, _SCOPE)
        with admin.expecting("a list of subscriptions"):
            page = data["webhookSubscriptions"]
            found = [
                {**one, "id": str(one["id"]), "topic": str(one["topic"])}
                for one in page["nodes"]
            ]
            more, after = page["pageInfo"]["hasNextPage"], page["pageInfo"]["endCursor"]
        yield from found


def _is_right(one: dict[str, Any], address: str) -> bool:
    is_whole = not one.get("filter") and not one.get("includeFields")
    return one.get("uri") == address and one.get("format") == "JSON" and is_whole


def _is_cut_down(one: dict[str, Any], address: str) -> bool:
    """Whether it is ours and wrong. What goes elsewhere may be another hub's."""
    return one.get("uri") == address and not _is_right(one, address)


def _register(admin: Admin, topic: str, address: str) -> str | None:
    """Register one topic; what the shop said against it, or None."""
    asked = {"topic": enum(topic), "subscription": {"uri": address, "format": "JSON"}}
    try:
        data = admin.ask(SUBSCRIBE, asked, _SCOPE)
    except CredentialsRefused as error:
        if error.status != 200:
            raise
        return str(error)
    with admin.expecting("a subscription"):
        errors = data["webhookSubscriptionCreate"]["userErrors"]
        words = [str(one["message"]) for one in errors]
    if not words or _TAKEN in words[0]:
        return None
    return admin.quote(words[0])


def _delete(admin: Admin, subscription: str) -> None:
    # One that is gone meanwhile is what was wanted.
    admin.ask(UNSUBSCRIBE, {"id": subscription}, _SCOPE)


def _sentences(refused: dict[str, list[str]]) -> Iterator[str]:
    for words, topics in refused.items():
        yield (
            f"The shop does not let this app subscribe to {', '.join(topics)}: {words}. "
            "It is polled for what changes instead, so numbers are right a little "
            "later; to have these webhooks, give the app their scopes and, for orders, "
            "access to protected customer data"
        )
