"""Shopify, where it is peculiar; what every adapter must do is in tests/contract."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import responses

from adapters.base import SignedRequest
from adapters.http import Http
from adapters.shopify import Shopify
from app.domain.channels import Channel, Wish
from app.domain.errors import (
    BadConfiguration,
    CredentialsRefused,
    GiveUp,
    InvalidSignature,
    MalformedPayload,
    RetryLater,
)
from app.domain.events import PLACED, WITHDRAWN, Message, Normalised, Read
from app.domain.instants import HOUR, MINUTE, iso, now, parse

NOW = parse("2026-11-23T12:00:00Z")
SHOP = "https://blue-jacket.myshopify.com"
GRAPHQL = f"{SHOP}/admin/api/2026-10/graphql.json"
END = {"hasNextPage": False, "endCursor": None}


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
    assert [event.line for event in found.events] == ["7"]
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


# -- reading orders ------------------------------------------------------------------


def answer(data: Any, **more: Any) -> None:
    responses.post(GRAPHQL, json={"data": data}, **more)


def page(*nodes: Any, after: str | None = None) -> dict[str, Any]:
    info = {"hasNextPage": after is not None, "endCursor": after}
    return {"nodes": list(nodes), "pageInfo": info}


def a_line(line: int) -> dict[str, Any]:
    return {
        "id": f"gid://shopify/LineItem/{line}",
        "sku": "JACKET",
        "quantity": 1,
        "unfulfilledQuantity": 1,
        "isGiftCard": False,
        "variant": {"id": "gid://shopify/ProductVariant/8"},
    }


def a_shipment(number: int, rows: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"gid://shopify/Fulfillment/{number}",
        "status": "SUCCESS",
        "createdAt": CREATED,
        "updatedAt": CREATED,
        "location": {"id": "gid://shopify/Location/1"},
        "fulfillmentLineItems": rows,
    }


def a_row(line: int) -> dict[str, Any]:
    return {"quantity": 1, "lineItem": {"id": f"gid://shopify/LineItem/{line}"}}


def an_order_node(**more: Any) -> dict[str, Any]:
    return {
        "id": "gid://shopify/Order/500",
        "name": "#1001",
        "createdAt": CREATED,
        "updatedAt": CREATED,
        "cancelledAt": None,
        "test": False,
        "retailLocation": None,
        "lineItems": page(a_line(7)),
        "fulfillments": [],
        "refunds": [],
        "fulfillmentOrders": page(),
        **more,
    }


def sent(at: int) -> Any:
    return json.loads(responses.calls[at].request.body)


@responses.activate
def test_an_order_is_read_to_its_last_line():
    answer({"order": an_order_node(lineItems=page(a_line(7), after="c1"))})
    answer({"node": {"lineItems": page(a_line(8), after="c2")}})
    answer({"node": {"lineItems": page(a_line(9))}})

    found = shopify().fetch(Message("orders/edited", {}, NOW), Read("order", "500"))

    assert [line["id"] for line in found["line_items"]] == ["7", "8", "9"]
    assert sent(2)["variables"] == {"id": "gid://shopify/Order/500", "after": "c2"}


@responses.activate
def test_a_long_list_of_fulfillments_is_read_to_its_end():
    first = [a_shipment(n, page(a_row(7))) for n in range(5)]
    every = [a_shipment(n, page(a_row(7))) for n in range(11)]
    every[4] = a_shipment(4, page(a_row(7), after="c1"))
    answer({"order": an_order_node(fulfillments=first)})
    answer({"order": {"fulfillments": every}})
    answer({"node": {"fulfillmentLineItems": page(a_row(8))}})

    found = shopify().fetch(Message("orders/edited", {}, NOW), Read("order", "500"))

    assert len(found["fulfillments"]) == 11
    assert [row["id"] for row in found["fulfillments"][4]["line_items"]] == ["7", "8"]
    assert sent(2)["variables"]["id"] == "gid://shopify/Fulfillment/4"


@responses.activate
def test_an_order_that_cannot_be_read_to_its_end_is_not_read_at_all():
    many = [a_shipment(n, page(a_row(7))) for n in range(100)]
    answer({"order": an_order_node(fulfillments=many[:5])})
    answer({"order": {"fulfillments": many}})

    with pytest.raises(GiveUp, match="500 has 100 fulfillments or more"):
        shopify().fetch(Message("orders/edited", {}, NOW), Read("order", "500"))


@responses.activate
def test_recent_orders_are_read_page_by_page_with_an_overlap():
    node = {"id": "gid://shopify/Order/500"}
    answer({"orders": page(node, after="c1")})
    answer({"order": an_order_node()})
    answer({"orders": page(node)})
    answer({"order": None})

    found = list(shopify().recent(NOW))

    assert [topic for topic, _ in found] == ["orders/updated"]
    assert sent(0)["variables"]["query"] == f"updated_at:>='{iso(NOW - 2 * MINUTE)}'"
    assert sent(2)["variables"]["after"] == "c1"
    said_then = shopify().normalise(Message(*found[0], NOW))
    assert [e.kind for e in said_then.events] == [PLACED]
    assert said_then.read is None


# -- numbers -------------------------------------------------------------------------


def test_nothing_is_written_blindly():
    unread, nowhere = a_wish("1", expected=None), a_wish("2", place=None)
    adapter = shopify()
    composed = adapter.compose([unread, nowhere])

    with responses.RequestsMock():
        outcomes = adapter.send(composed, [unread, nowhere], "key")

    assert [one.verdict for one in outcomes] == ["stale", "rejected"]


def a_node(item: int, available: int | None = 4, **more: Any) -> dict[str, Any]:
    level = {
        "isActive": True,
        "quantities": [{"name": "available", "quantity": available}],
    }
    return {
        "id": f"gid://shopify/InventoryItem/{item}",
        "tracked": True,
        "inventoryLevel": level if available is not None else None,
        **more,
    }


@responses.activate
def test_a_reading_tells_what_is_shown_and_none_where_nothing_is():
    inactive = {"isActive": False, "quantities": [{"name": "available", "quantity": 7}]}
    nodes = [
        a_node(1, -2),
        a_node(2, None),
        a_node(3, tracked=False),
        a_node(4, inventoryLevel=inactive),
        None,
    ]
    answer({"nodes": nodes})
    wishes = [a_wish(str(item)) for item in range(1, 6)]

    found = shopify().read([*wishes, a_wish("6", place=None)])

    shown = {one.publication_id: one.available for one in found}
    assert shown == {1: -2, 2: None, 3: None, 4: None, 5: None, 6: None}
    assert all(one.read_at <= now() for one in found)


@responses.activate
def test_readings_are_asked_for_per_place_and_in_small_batches():
    for _ in range(3):
        answer({"nodes": []})
    wishes = [a_wish(str(n)) for n in range(51)] + [a_wish("60", place="2")]

    assert len(shopify().read(wishes)) == 52

    asked = [sent(at)["variables"] for at in range(3)]
    assert [len(one["ids"]) for one in asked] == [50, 1, 1]
    assert asked[2]["location"] == "gid://shopify/Location/2"


@responses.activate
def test_a_refusal_without_a_place_in_the_list_is_stale_for_all():
    error = {"code": "CHANGE_FROM_QUANTITY_STALE", "field": None, "message": "no"}
    answer({"inventorySetQuantities": {"userErrors": [error]}})
    wishes = [a_wish("1"), a_wish("2")]
    adapter = shopify()

    outcomes = adapter.send(adapter.compose(wishes), wishes, "key")

    assert [one.verdict for one in outcomes] == ["stale", "stale"]


@responses.activate
def test_too_many_calls_from_one_address_wait_a_minute():
    responses.post(GRAPHQL, status=430)

    with pytest.raises(RetryLater) as caught:
        shopify().read([a_wish()])

    assert caught.value.after == 60


# -- tokens --------------------------------------------------------------------------


def by_client(name: str) -> tuple[Shopify, str]:
    """A channel with a client id, at an address that no other test uses."""
    address = f"https://{name}.example.com"
    secrets = {
        "webhook": ["hush"],
        "client_id": ["client-1"],
        "client_secret": ["secret-1"],
    }
    return shopify(secrets=secrets, base_url=address), address


def give_token(address: str, token: str, seconds: int = 86_399) -> responses.Response:
    body = {"access_token": token, "scope": "write_inventory", "expires_in": seconds}
    return responses.post(f"{address}/admin/oauth/access_token", json=body)


def shows(address: str, *tokens: str) -> None:
    """The API knows these tokens only."""

    def reply(request: Any) -> tuple[int, dict[str, str], str]:
        if request.headers["X-Shopify-Access-Token"] in tokens:
            return 200, {}, json.dumps({"data": {"nodes": [a_node(9)]}})
        return 401, {}, json.dumps({"errors": "[API] Invalid access token"})

    url = f"{address}/admin/api/2026-10/graphql.json"
    responses.add_callback(responses.POST, url, callback=reply)


@responses.activate
def test_a_token_is_asked_for_once_and_used_until_it_ends():
    adapter, address = by_client("once")
    asked = give_token(address, "shpat_a")
    shows(address, "shpat_a")

    for _ in range(3):
        assert adapter.read([a_wish()])[0].available == 4

    assert asked.call_count == 1
    assert b"client_secret=secret-1" in str(responses.calls[0].request.body).encode()


@responses.activate
def test_a_token_is_renewed_before_it_ends(time_machine: Any):
    adapter, address = by_client("renewed")
    time_machine.move_to("2026-11-23T12:00:00Z", tick=False)
    asked = give_token(address, "shpat_a")
    shows(address, "shpat_a")
    adapter.read([a_wish()])

    time_machine.shift((23 * HOUR + 45 * MINUTE) / 1_000_000)
    adapter.read([a_wish()])
    assert asked.call_count == 1

    time_machine.shift(6 * MINUTE / 1_000_000)
    adapter.read([a_wish()])
    assert asked.call_count == 2


@responses.activate
def test_a_token_refused_before_its_time_is_replaced_once():
    adapter, address = by_client("refused")
    responses.post(
        f"{address}/admin/oauth/access_token",
        json={"access_token": "shpat_old", "expires_in": 86_399},
    )
    give_token(address, "shpat_new")
    shows(address, "shpat_new")

    assert adapter.read([a_wish()])[0].available == 4


@responses.activate
def test_credentials_that_stay_refused_are_told():
    adapter, address = by_client("dead")
    give_token(address, "shpat_a")
    shows(address)

    with pytest.raises(CredentialsRefused, match="401"):
        adapter.read([a_wish()])


@responses.activate
def test_an_app_that_is_not_installed_is_told_without_its_secret():
    adapter, address = by_client("absent")
    body = {"error": "app_not_installed"}
    responses.post(f"{address}/admin/oauth/access_token", json=body, status=400)

    with pytest.raises(CredentialsRefused, match="installed") as caught:
        adapter.read([a_wish()])

    assert "secret-1" not in str(caught.value)


def test_many_threads_ask_for_one_token():
    _, address = by_client("threads")
    together = threading.Barrier(8)

    def ask(_: int) -> int | None:
        adapter, _ = by_client("threads")
        together.wait()
        return adapter.read([a_wish()])[0].available

    with responses.RequestsMock() as mock:
        body = {"access_token": "shpat_a", "expires_in": 86_399}
        asked = mock.post(f"{address}/admin/oauth/access_token", json=body)
        url = f"{address}/admin/api/2026-10/graphql.json"
        mock.post(url, json={"data": {"nodes": [a_node(9)]}})
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(ask, range(8))) == [4] * 8

    assert asked.call_count == 1


@responses.activate
def test_a_channel_without_a_token_cannot_ask():
    silent = shopify(secrets={"webhook": ["hush"]})

    with pytest.raises(CredentialsRefused, match="access_token"):
        silent.read([a_wish()])
