"""Calls to Shopify's Admin API: orders to their last page, numbers, tokens."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import responses

from adapters.http import Http
from adapters.parts.shopify_topics import READ_ORDER
from adapters.shopify import Shopify
from app.domain.channels import Channel, Wish
from app.domain.errors import (
    ChannelError,
    CredentialsRefused,
    GiveUp,
    RetryLater,
)
from app.domain.events import PLACED, Message, Read
from app.domain.instants import HOUR, MINUTE, SECOND, iso, now, parse
from tests.contract.recorded import recent

NOW = parse("2026-11-23T12:00:00Z")
SHOP = "https://blue-jacket.myshopify.com"
GRAPHQL = f"{SHOP}/admin/api/2026-10/graphql.json"
CREATED = "2026-11-23T10:00:00Z"


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
def test_recent_orders_are_read_page_by_page():
    node = {"id": "gid://shopify/Order/500", "updatedAt": "2026-11-23T10:00:00Z"}
    answer({"orders": page(node, after="c1")})
    answer({"order": an_order_node()})
    answer({"orders": page(node)})
    answer({"order": None})

    found = list(recent(shopify(), NOW))

    assert [topic for topic, _ in found] == [READ_ORDER]
    assert sent(0)["variables"]["query"] == f"updated_at:>='{iso(NOW)}'"
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
def test_changed_numbers_are_asked_for_per_place_page_by_page():
    def level(item: int, available: int, *, tracked: bool = True) -> dict[str, Any]:
        return {
            "updatedAt": "2026-11-23T12:00:01Z",
            "item": {"id": f"gid://shopify/InventoryItem/{item}", "tracked": tracked},
            "quantities": [{"name": "available", "quantity": available}],
        }

    first = page(level(1, 4), level(2, 5, tracked=False), after="c1")
    answer({"location": {"inventoryLevels": first}})
    answer({"location": {"inventoryLevels": page(level(3, -1))}})
    answer({"location": None})  # it is gone

    pages = list(shopify().shown_since(NOW))

    at = NOW + SECOND
    assert pages == [[("1", "1", 4, at)], [("3", "1", -1, at)]]
    asked = [sent(number)["variables"] for number in range(3)]
    assert {one["query"] for one in asked} == {f"updated_at:>='{iso(NOW)}'"}
    assert [one["after"] for one in asked] == [None, "c1", None]
    assert [one["location"][-1] for one in asked] == ["1", "1", "2"]


@responses.activate
def test_a_refusal_without_a_place_in_the_list_is_stale_for_all():
    error = {"code": "CHANGE_FROM_QUANTITY_STALE", "field": None, "message": "no"}
    answer({"inventorySetQuantities": {"userErrors": [error]}})
    wishes = [a_wish("1"), a_wish("2")]
    adapter = shopify()

    outcomes = adapter.send(adapter.compose(wishes), wishes, "key")

    assert [one.verdict for one in outcomes] == ["stale", "stale"]


@responses.activate
@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"errors": ["down for maintenance"]}, "down for maintenance"),
        ({"errors": [None]}, "None"),
        ({"errors": [{"message": "odd", "extensions": [1]}]}, "odd"),
        ({"data": {"inventorySetQuantities": {"userErrors": "odd"}}}, "odd"),
        (
            {"data": {"inventorySetQuantities": {"userErrors": [{"field": 7}]}}},
            "refused",
        ),
        (
            {
                "errors": [{"message": "wait", "extensions": {"code": "THROTTLED"}}],
                "extensions": {"cost": {"throttleStatus": {"restoreRate": "fast"}}},
            },
            "wait",
        ),
    ],
)
def test_an_error_of_another_shape_is_still_told(said: dict[str, Any], words: str):
    responses.post(GRAPHQL, json=said)
    adapter, wishes = shopify(), [a_wish("1"), a_wish("2")]

    with pytest.raises(ChannelError, match=words):
        adapter.send(adapter.compose(wishes), wishes, "key")


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
