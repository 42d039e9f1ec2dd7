"""Shopify, where it is peculiar; what every adapter must do is in tests/contract."""

import json
from typing import Any

import pytest

from adapters.http import Http
from adapters.shopify import Shopify
from adapters.signatures import SignedRequest
from app.domain.channels import Channel, Wish
from app.domain.errors import (
    BadConfiguration,
    InvalidSignature,
    MalformedPayload,
)
from app.domain.events import PLACED, WITHDRAWN, Message, Normalised, Read
from app.domain.instants import parse

NOW = parse("2026-11-23T12:00:00Z")
SHOP = "https://blue-jacket.myshopify.com"
GRAPHQL = f"{SHOP}/admin/api/2026-10/graphql.json"


def shopify(**changes: Any) -> Shopify:
    given: dict[str, Any] = {
        "settings": {"shop": "blue-jacket.myshopify.com"},
        "secrets": {"webhook": ["hush"], "access_token": ["shpat_1234"]},
        "locations": {"downtown": "1", "warehouse": "2"},
    }
    channel = Channel(1, "web", "shopify", **{**given, **changes})
    return Shopify(channel, Http("Shopify", "web", deadline=5))


def a_wish(item: str = "9", place: str | None = "1", expected: int | None = 5) -> Wish:
    return Wish(int(item), "JACKET", item, None, place, 3, 7, expected)


# -- configuration -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({}, "settings.shop"),
        ({"shop": "shop.example.com"}, "settings.shop"),
        ({"shop": "x.myshopify.com.example.com"}, "settings.shop"),
        ({"shop": "https://blue-jacket.myshopify.com"}, "settings.shop"),
        (
            {"shop": "red-scarf.myshopify.com", "api_version": "latest"},
            "settings.api_version",
        ),
        (
            {"shop": "red-scarf.myshopify.com", "api_version": "2026"},
            "settings.api_version",
        ),
        ({"shop": "red-scarf.myshopify.com", "region": "eu"}, "settings.region"),
    ],
)
def test_a_channel_that_cannot_work_is_refused(settings: dict[str, str], field: str):
    with pytest.raises(BadConfiguration) as caught:
        Shopify.check(Channel(1, "web", "shopify", settings=settings))

    assert caught.value.field == field


def test_a_client_id_needs_its_secret():
    secrets = {"client_id": ["id"]}
    settings = {"shop": "blue-jacket.myshopify.com"}

    with pytest.raises(BadConfiguration) as caught:
        Shopify.check(Channel(1, "web", "shopify", None, settings, secrets))

    assert caught.value.field == "secrets.client_secret"


def test_a_channel_with_any_way_in_is_accepted():
    for secrets in (
        {"webhook": ["hush"]},
        {"webhook": ["new", "old"], "access_token": ["shpat_1"]},
        {"webhook": ["hush"], "client_id": ["id"], "client_secret": ["secret"]},
    ):
        settings = {"shop": "Blue-Jacket.myshopify.com", "api_version": "2026-07"}
        Shopify.check(Channel(1, "web", "shopify", None, settings, secrets))


# -- whose webhook it is -----------------------------------------------------------


def signed(headers: dict[str, str], body: bytes = b"{}") -> SignedRequest:
    made = shopify().signature.sign(body, "hush", NOW)
    lowered = {name.lower(): value for name, value in made.items()}
    return SignedRequest({**lowered, **headers}, body, NOW)


def test_both_families_of_headers_are_read():
    classic = signed({"x-shopify-webhook-id": "b1"})
    event = SignedRequest(
        {
            "shopify-hmac-sha256": classic.headers["x-shopify-hmac-sha256"],
            "shopify-webhook-id": "b2",
            "shopify-shop-domain": "blue-jacket.myshopify.com",
        },
        b"{}",
        NOW,
    )

    for request, delivery in ((classic, "b1"), (event, "b2")):
        shopify().verify(request)
        assert shopify().delivery_id(request) == delivery


def test_a_webhook_of_another_shop_with_the_same_app_is_refused():
    ours = signed({"x-shopify-shop-domain": "Blue-Jacket.myshopify.com"})
    theirs = signed({"x-shopify-shop-domain": "red-scarf.myshopify.com"})

    shopify().verify(ours)
    with pytest.raises(InvalidSignature, match=r"red-scarf\.myshopify\.com"):
        shopify().verify(theirs)


# -- what an order says --------------------------------------------------------------

CREATED = "2026-11-23T10:00:00Z"


def an_order(line: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": 500,
        "name": "#1001",
        "created_at": CREATED,
        "updated_at": "2026-11-23T11:00:00Z",
        "line_items": [{"id": 7, "variant_id": 8, "sku": "JACKET", **line}],
        **more,
    }


def a_fulfillment(quantity: int, status: str = "success") -> dict[str, Any]:
    return {
        "id": f"4{quantity}{status}",
        "status": status,
        "location_id": 1,
        "created_at": CREATED,
        "updated_at": CREATED,
        "line_items": [{"id": 7, "quantity": quantity}],
    }


def a_refund(**quantities: int) -> dict[str, Any]:
    rows = [
        {"line_item_id": 7, "quantity": quantity, "restock_type": kind}
        for kind, quantity in quantities.items()
    ]
    return {"id": 3, "created_at": CREATED, "refund_line_items": rows}


def said(document: dict[str, Any], adapter: Shopify | None = None) -> Normalised:
    made = (adapter or shopify()).document(json.dumps(document).encode())
    return (adapter or shopify()).normalise(Message("orders/updated", made, NOW))


@pytest.mark.parametrize(
    ("story", "line", "more", "placed", "withdrawn"),
    [
        ("nothing yet", (3, 3), {}, 3, None),
        ("shipped in part", (3, 1), {"fulfillments": [a_fulfillment(2)]}, 3, None),
        (
            "with a fulfillment service: neither fulfillable nor gone",
            (3, 1),
            {"fulfillments": [a_fulfillment(2, "pending")]},
            3,
            None,
        ),
        (
            "a cancelled fulfillment gives its units back",
            (3, 3),
            {"fulfillments": [a_fulfillment(3, "cancelled")]},
            3,
            None,
        ),
        (
            "one taken off and restocked",
            (3, 2),
            {"refunds": [a_refund(cancel=1)]},
            2,
            None,
        ),
        (
            "one taken off and not restocked",
            (3, 2),
            {"refunds": [a_refund(no_restock=1)]},
            2,
            1,
        ),
        (
            "both ways",
            (5, 2),
            {"refunds": [a_refund(cancel=1, no_restock=2)]},
            2,
            2,
        ),
        (
            "a shipped unit refunded and kept by the buyer",
            (2, 0),
            {"fulfillments": [a_fulfillment(2)], "refunds": [a_refund(no_restock=1)]},
            2,
            0,
        ),
        ("removed by an edit, which is no refund", (3, 1), {}, 1, None),
        (
            "cancelled, whatever the line still says",
            (3, 3),
            {"cancelled_at": CREATED, "refunds": [a_refund(no_restock=3)]},
            0,
            3,
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_order_promises_what_was_and_what_can_be_fulfilled(
    story: str,
    line: tuple[int, int],
    more: dict[str, Any],
    placed: int,
    withdrawn: int | None,
):
    quantity, fulfillable = line
    told = {"quantity": quantity, "fulfillable_quantity": fulfillable}
    # Never to be read: it counts refunds of shipped units as well.
    told["current_quantity"] = 99

    events = {event.kind: event for event in said(an_order(told, **more)).events}

    assert events[PLACED].quantity == placed
    found = events.get(WITHDRAWN)
    assert (found.quantity if found else None) == withdrawn


def test_a_return_of_a_unit_that_never_left_lets_go_of_its_promise_once():
    line = {"quantity": 2, "fulfillable_quantity": 1}
    refund = a_refund()
    row = {"line_item_id": 7, "quantity": 1, "restock_type": "return", "location_id": 1}
    refund["refund_line_items"] = [row]

    events = said(an_order(line, refunds=[refund])).events

    # The line's case takes what came back above what was shipped off the promise.
    assert [(e.kind, e.quantity) for e in events] == [("placed", 2), ("returned", 1)]


def test_a_subscription_may_leave_out_what_is_fulfillable():
    order = an_order(
        {"quantity": 5},
        fulfillments=[a_fulfillment(1)],
        refunds=[a_refund(cancel=1, no_restock=1)],
    )

    placed, *_ = said(order).events

    assert placed.quantity == 3


def test_a_line_that_is_no_stock_is_still_a_line_of_the_order():
    order = an_order({"quantity": 1, "fulfillable_quantity": 1})
    order["line_items"].append({"id": 9, "variant_id": None, "quantity": 1})

    found = said(order)

    assert found.orders[0].lines == ("7", "9")
    assert [(event.line, event.item) for event in found.events] == [
        ("7", "8"),
        ("9", None),
    ]
    assert found.ignored == ("line_items[1] is no variant of the catalogue.",)


def test_a_bad_line_is_named():
    order = an_order({"quantity": -1, "fulfillable_quantity": 1})

    with pytest.raises(MalformedPayload, match=r"^line_items\[0\]\.quantity: "):
        said(order)


# -- when it is worth asking ---------------------------------------------------------


def test_the_routing_is_read_only_where_there_is_a_choice_and_something_to_leave():
    waiting = {"quantity": 1, "fulfillable_quantity": 1}
    one_place = shopify(locations={"downtown": "1", "annex": "1"})
    shipped = an_order(
        {"quantity": 1, "fulfillable_quantity": 0}, fulfillments=[a_fulfillment(1)]
    )

    assert said(an_order(waiting)).read == Read("routing", "500")
    assert said(an_order(waiting), one_place).read is None
    assert said(an_order(waiting, location_id=1)).read is None
    assert said(an_order(waiting, cancelled_at=CREATED)).read is None
    assert said(shipped).read is None


def test_a_shop_without_a_token_is_never_asked():
    silent = shopify(secrets={"webhook": ["hush"]})
    order = an_order({"quantity": 1, "fulfillable_quantity": 1})
    edit = Message("orders/edited", {"order_edit": {"order_id": 500}}, NOW)

    assert said(order, silent).read is None
    assert silent.normalise(edit).read is None
    assert "token" in silent.normalise(edit).ignored[0]
    assert shopify().normalise(edit).read == Read("order", "500")


def test_what_was_read_and_what_was_sent_are_said_together():
    webhook = an_order({"quantity": 2, "fulfillable_quantity": 2})
    older = an_order({"quantity": 2, "fulfillable_quantity": 1})
    older |= {"updated_at": "2026-11-23T10:30:00Z", "fulfillment_orders": []}
    message = Message("orders/updated", webhook, NOW, fetched=older)

    found = shopify().normalise(message)

    # The reading was behind the webhook: its older word does not win.
    assert [event.quantity for event in found.events] == [2]
    assert found.orders[0].version == parse("2026-11-23T11:00:00Z")
    assert found.read is None
