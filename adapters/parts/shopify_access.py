"""May we do at a shop what we have to do there? Its scopes, and the locations mapped.

https://shopify.dev/docs/api/usage/access-scopes
"""

from collections.abc import Iterator, Mapping
from typing import Any

from adapters.parts.shopify_client import Admin
from adapters.parts.shopify_quantities import gid, plain
from adapters.parts.shopify_setup_documents import ACCESS, PLACES
from app.domain.channels import Channel

NEEDED = (
    "read_orders",
    "read_fulfillments",
    "read_inventory",
    "write_inventory",
    "read_products",
    "read_locations",
    "read_merchant_managed_fulfillment_orders",
)
_NO_SCOPE = "(none)"


def problems(admin: Admin, channel: Channel) -> list[str]:
    """What is missing, each in one sentence with what to do."""
    data = admin.ask(ACCESS, {}, _NO_SCOPE)
    with admin.expecting("its access"):
        domain = str(data["shop"]["myshopifyDomain"])
        granted = _granted(data)
    found = [
        f"The app lacks the scope {scope}: add it to the app's version, release it and "
        "approve it in the shop"
        for scope in NEEDED
        if not _is_granted(scope, granted)
    ]
    if channel.secret("webhook") is None:
        found.append(
            "Without the secret webhook none of its webhooks can be checked, and all are "
            "refused: put in the app's client secret"
        )
    wanted = str(channel.settings.get("shop") or "").lower()
    if domain.lower() != wanted:
        found.append(
            f"The credentials are of the shop {domain[:80]} and not of {wanted}: put in "
            "those of the right one"
        )
    if _is_granted("read_locations", granted):
        found += _places(admin, channel)
    return found


def may(admin: Admin, scope: str) -> bool:
    """Whether the app was granted a scope that it can do without."""
    data = admin.ask(ACCESS, {}, _NO_SCOPE)
    with admin.expecting("its access"):
        return _is_granted(scope, _granted(data))


def _granted(access: Mapping[str, Any]) -> set[str]:
    scopes = access["currentAppInstallation"]["accessScopes"]
    return {str(one["handle"]) for one in scopes}


def _is_granted(scope: str, granted: set[str]) -> bool:
    """Who may write may read as well."""
    return scope in granted or scope.replace("read_", "write_", 1) in granted


def _places(admin: Admin, channel: Channel) -> Iterator[str]:
    mapped = channel.locations
    if not mapped:
        return
    ids = [gid("Location", place) for place in sorted(set(mapped.values()))]
    data = admin.ask(PLACES, {"ids": ids}, "read_locations")
    with admin.expecting("locations"):
        active = {
            plain(node["id"])
            for node in data["nodes"]
            if node is not None and node["isActive"]
        }
    for code, place in mapped.items():
        if place not in active:
            yield (
                f"The shop has no active location {place}: map {code} to another one "
                "in `locations` and load the file again"
            )
