"""Orders that another system copied in: kept, told why, and of no effect."""

import itertools

import pytest
import sqlalchemy as sa

from app.domain import events as kinds
from app.domain.events import StockEvent
from app.domain.instants import MINUTE, SECOND, iso, now
from app.pipeline.apply import apply
from app.pipeline.applying.copies import A_COPY
from app.pipeline.applying.told import Told
from app.pipeline.configuring.listings import save_listing
from app.pipeline.house import read_house
from app.pipeline.proving.audit import differences
from app.pipeline.proving.rehearsal import rehearse
from app.pipeline.repairing.replaying import replay
from app.store.configuration import channels
from app.store.engine import applying, writing
from app.store.receiving import inbox
from app.store.stock import cases
from app.store.tables import stock_events
from tests.builders import JACKET, cancellation, order, shipment

WHY = "Order M-1 is another system's copy: its number begins with M-."


@pytest.fixture
def ignoring(shop):
    """The store also holds copies of a marketplace's orders, named M-…"""
    shop.channel("web", publish={}, ignore={"order_prefix": ["M-"]})
    return shop


def told(at):
    return [
        order("M-1", JACKET, 3, at=at),
        shipment("M-1", JACKET, 2, at=at + SECOND, location="downtown"),
        cancellation("M-1", JACKET, 1, at=at + 2 * SECOND),
    ]


def test_a_copy_is_kept_as_ignored_with_the_reason(ignoring):
    ignoring.tell("web", *told(now() - MINUTE))

    assert ignoring.messages() == [("ignored", WHY)] * 3
    assert ignoring.level(JACKET) == {"available": 10}


def test_the_stores_own_orders_count(ignoring):
    ignoring.tell("web", order("1001", JACKET, 3, at=now()))

    assert ignoring.messages() == [("applied", None)]
    assert ignoring.level(JACKET) == {"available": 7, "committed": 3}


def test_an_order_of_another_channel_with_such_a_number_counts(ignoring):
    ignoring.tell("till", order("M-1", JACKET, 3, at=now()))

    assert ignoring.level(JACKET) == {"available": 7, "committed": 3}


@pytest.mark.parametrize("arrival", list(itertools.permutations(range(3))))
def test_what_others_say_of_a_copy_does_not_count_whenever_it_comes(ignoring, arrival):
    ignoring.channel("wms")
    at = now() - MINUTE
    reports = [
        ("web", order("M-1", JACKET, 3, at=at)),
        ("wms", shipment("M-1", JACKET, 2, at=at) | {"channel": "web"}),
        ("wms", shipment("M-1", JACKET, 3, at=at) | {"channel": "web", "id": "s-2"}),
    ]

    for number in arrival:
        ignoring.tell(*reports[number])

    assert ignoring.level(JACKET) == {"available": 10}
    assert told_anew(ignoring) == []


def test_a_rule_that_comes_late_takes_back_what_was_posted(shop):
    at = now() - MINUTE
    shop.tell("web", *told(at))
    assert shop.level(JACKET) == {"available": 8}
    shop.channel("web", publish={}, ignore={"order_prefix": ["M-"]})

    shop.tell("web", order("M-1", JACKET, 3, at=at, version=at + MINUTE))

    assert shop.level(JACKET) == {"available": 10}
    assert shop.messages()[-1] == ("ignored", WHY)


def test_another_rule_lets_a_replay_apply_what_was_ignored(ignoring):
    at = now() - MINUTE
    ignoring.channel("wms")
    parcel = shipment("M-1", JACKET, 1, at=at, location="downtown")
    ignoring.tell("web", *told(at))
    ignoring.tell("wms", parcel | {"channel": "web", "id": "wms-1"})
    assert ignoring.messages()[-1] == ("ignored", A_COPY)
    ignoring.channel("web", publish={}, ignore={"order_prefix": ["Z-"]})
    assert ignoring.level(JACKET) == {"available": 10}

    replay(ignoring.engine, filter={"state": "ignored"})
    ignoring.apply()

    assert {state for state, _ in ignoring.messages()} == {"applied"}
    assert ignoring.level(JACKET) == {"available": 8}
    assert told_anew(ignoring) == []


def test_a_rule_that_comes_back_ignores_again(ignoring):
    at = now() - MINUTE
    for marks in ({"order_prefix": ["M-"]}, {}, {"order_prefix": ["M-"]}):
        ignoring.channel("web", publish={}, ignore=marks)
        ignoring.tell("web", order("M-1", JACKET, 3, at=at))

    assert ignoring.level(JACKET) == {"available": 10}
    assert told_anew(ignoring) == []


def test_lines_that_nobody_can_read_make_no_noise_in_a_copy(ignoring):
    body = order("M-1", "UNKNOWN", 3, at=now())
    body["lines"].append({"id": "2", "sku": JACKET, "quantity": -1})

    ignoring.tell("web", body)

    assert ignoring.messages() == [("ignored", WHY)]


def told_anew(shop):
    with shop.engine.connect() as connection:
        found = differences(connection)
        return found + [
            said for seed in range(6) for said in rehearse(connection, now(), seed)
        ]


def test_the_log_says_once_that_an_order_is_a_copy(ignoring):
    at = now() - MINUTE
    ignoring.tell("web", *told(at)[:1], *told(at)[:1])

    with ignoring.engine.connect() as connection:
        kinds = sa.select(stock_events.c.kind, stock_events.c.verdict)
        rows = connection.execute(kinds.where(stock_events.c.channel_id.is_not(None)))
        assert rows.all() == [("ignored", "posted")]


@pytest.mark.parametrize("arrival", list(itertools.permutations(range(3))))
def test_a_test_order_s_parcel_and_refund_do_not_say_that_it_is_a_test(shop, arrival):
    shop.channel(
        "store",
        provider="shopify",
        mapped={"downtown": "1"},
        settings={"shop": "blue-jacket.myshopify.com"},
    )
    with applying(shop.engine) as connection:
        save_listing(connection, "store", JACKET, "9", "8")
    at = iso(now() - MINUTE)
    times = {"created_at": at, "updated_at": at}
    line = {"id": 7, "variant_id": 8, "sku": JACKET, "quantity": 2}
    back = {
        "line_item_id": 7,
        "quantity": 1,
        "restock_type": "return",
        "line_item": line,
    }
    of = {"order_id": 500, "location_id": 1, **times}
    messages = [
        ("orders/create", {"id": 500, "test": True, "line_items": [line], **times}),
        (
            "fulfillments/create",
            {"id": 91, "status": "success", "line_items": [line], **of},
        ),
        (
            "refunds/create",
            {"id": 92, "refund_line_items": [{**back, "location_id": 1}], **of},
        ),
    ]

    for number in arrival:
        with writing(shop.engine) as connection:
            found = [(*messages[number], inbox.READ)]
            store = channels.row(connection, "store")["id"]
            inbox.store_read(connection, store, found, now())
        shop.apply()

    assert shop.level(JACKET) == {"available": 10}
    assert told_anew(shop) == []


def by_number(shop, kind, *, channel, **more):
    """A warehouse's words about order 1001, with or without whose order that is."""
    event = StockEvent(
        kind,
        2,
        now() - MINUTE,
        now() - MINUTE,
        sku=JACKET,
        place="downtown",
        order="1001",
        order_number="1001",
        order_channel=channel,
        fact="A",
        **more,
    )
    with applying(shop.engine) as connection:
        house = read_house(connection)
        told = Told(house.by_key["wms"], [event], now())
        apply(connection, house, [told], now())


@pytest.mark.parametrize("whose", ["store", None])
@pytest.mark.parametrize("arrival", list(itertools.permutations(range(3))))
def test_a_copy_that_others_call_by_its_number_does_not_count(shop, arrival, whose):
    def rules(**ignore):
        shop.channel(
            "store",
            provider="shopify",
            mapped={"downtown": "1"},
            settings={"shop": "blue-jacket.myshopify.com"},
            ignore=ignore,
        )

    def told():
        times = dict.fromkeys(("created_at", "updated_at"), iso(now() - MINUTE))
        line = {"id": 7, "variant_id": 8, "sku": JACKET, "quantity": 2}
        names = {"id": 500, "name": "#1001", "tags": "amazon"}
        document = {**names, "line_items": [line], **times}
        with writing(shop.engine) as connection:
            store = channels.row(connection, "store")["id"]
            found = [("orders/create", document, inbox.READ)]
            inbox.store_read(connection, store, found, now())
        shop.apply()

    rules(tags=["amazon"])
    shop.channel("wms")
    with applying(shop.engine) as connection:
        save_listing(connection, "store", JACKET, "9", "8")
    acts = (
        told,
        lambda: by_number(shop, kinds.SHIPPED, channel=whose),
        lambda: by_number(shop, kinds.RETURNED, channel=whose, disposition="damaged"),
    )
    for number in arrival:
        acts[number]()

    assert shop.level(JACKET) == {"available": 10}
    assert told_anew(shop) == []

    rules(tags=["ebay"])
    told()
    assert shop.level(JACKET) == {"available": 8, "damaged": 2}
    assert told_anew(shop) == []


def test_a_return_that_waits_for_its_order_is_of_no_copy_with_that_number(ignoring):
    """Another channel's order with it may be told of still."""
    copy = StockEvent(
        kinds.IGNORED, 1, now(), now(), order="500", order_number="1001", fact="0"
    )
    back = StockEvent(
        kinds.RETURNED,
        1,
        now(),
        now(),
        sku=JACKET,
        place="downtown",
        order="1001",
        fact="r",
        disposition=kinds.SELLABLE,
    )
    with applying(ignoring.engine) as connection:
        house = read_house(connection)
        of_the_store = Told(house.by_key["web"], [copy], now())
        of_a_person = Told(None, [back], now(), actor="test")
        apply(connection, house, [of_the_store, of_a_person], now())

    assert ignoring.level(JACKET) == {"available": 10}
    with ignoring.engine.connect() as connection:
        [waits] = cases.load(connection, ["api/order/1001"])
    assert kinds.IGNORED not in waits.targets
