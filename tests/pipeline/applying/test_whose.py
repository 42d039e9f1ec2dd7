"""A return that names an order but no channel: whose order it is, now or later."""

import itertools
from dataclasses import replace

import pytest
import sqlalchemy as sa

from app.domain import events as kinds
from app.domain.errors import AmbiguousName
from app.domain.events import StockEvent
from app.domain.instants import DAY, MINUTE, SECOND, now
from app.pipeline.acts import facts
from app.pipeline.apply import apply
from app.pipeline.applying.told import Told
from app.pipeline.house import read_house
from app.pipeline.proving.audit import differences
from app.pipeline.proving.rehearsal import rehearse
from app.store.engine import applying
from app.store.tables import incidents, ledger, stock_events
from tests.builders import JACKET, order, sale, shipment

AT = now() - DAY


def back(order, quantity=1, *, sku=JACKET, fact="r", to=kinds.SELLABLE):
    return StockEvent(
        kinds.RETURNED,
        quantity,
        AT + 10 * MINUTE,
        AT + 10 * MINUTE,
        sku=sku,
        place="downtown",
        order=order,
        fact=fact,
        disposition=to,
    )


def send(shop, teller, **named):
    """A parcel with one jacket of order 1001, told of by who names no channel."""
    parcel = StockEvent(
        kinds.SHIPPED,
        1,
        AT,
        AT,
        sku=JACKET,
        place="downtown",
        order="1001",
        fact="parcel",
        **named,
    )
    with applying(shop.engine) as connection:
        house = read_house(connection)
        apply(connection, house, [Told(house.by_key[teller], [parcel], now())], now())


def say(shop, *events):
    """Through the API, as a person does."""
    return facts.record(shop.engine, events, actor="test", now=now())


def number(
    shop, order_, number_, *, channel="web", quantity=1, kind=kinds.PLACED, sku=JACKET
):
    """A channel's own words with an id and a number, as providers other than
    `standard` have them."""
    event = StockEvent(
        kind,
        quantity,
        AT,
        AT,
        sku=sku,
        place="downtown",
        order=order_,
        order_number=number_,
        line="1",
        fact="s" if kind == kinds.SHIPPED else None,
    )
    with applying(shop.engine) as connection:
        house = read_house(connection)
        told = Told(house.by_key[channel], [event], now())
        apply(connection, house, [told], now())


def flagged(shop):
    """What a person is asked about returns."""
    query = sa.select(incidents).where(
        incidents.c.closed_at.is_(None), incidents.c.kind != "twin"
    )
    with shop.engine.connect() as connection:
        assert differences(connection) == []
        return [row.kind for row in connection.execute(query)]


def whose(shop):
    """The channels that the returns are written down for."""
    query = sa.select(stock_events.c.key).where(stock_events.c.kind == kinds.RETURNED)
    with shop.engine.connect() as connection:
        return [key.split(":")[2] for key in connection.execute(query).scalars()]


@pytest.fixture
def shop(empty_shop):
    shop = empty_shop
    shop.locations("downtown")
    for channel in ("web", "till", "wms"):
        shop.channel(channel)
    shop.sku(JACKET)
    shop.count(JACKET, "downtown", 10, at=AT - DAY)
    return shop


# -- one channel has it --------------------------------------------------------


def test_the_order_is_found_by_its_id(shop):
    shop.tell(
        "web", order("1001", JACKET, 2, at=AT), shipment("1001", JACKET, 2, at=AT)
    )

    recorded = say(shop, back("1001"))

    assert len(recorded.entries) == 1
    assert shop.level(JACKET) == {"available": 9}
    assert (whose(shop), flagged(shop)) == (["web"], [])


def test_the_order_is_found_by_its_number(shop):
    number(shop, "9987", "1001")
    number(shop, "9987", "1001", kind=kinds.SHIPPED)

    say(shop, back("1001", to=kinds.DAMAGED))

    assert shop.level(JACKET) == {"available": 9, "damaged": 1}
    assert (whose(shop), flagged(shop)) == (["web"], [])


def test_a_sale_at_the_till_is_an_order_too(shop):
    shop.tell("till", sale("T-7", JACKET, 1, at=AT))

    say(shop, back("T-7"))

    assert shop.level(JACKET) == {"available": 10}


def test_a_channel_that_is_named_needs_no_search(shop):
    for channel in ("web", "till"):
        shop.tell(channel, sale("1001", JACKET, 1, at=AT))

    say(shop, replace(back("1001"), order_channel="till"))

    assert shop.level(JACKET) == {"available": 9}


# -- several have it -----------------------------------------------------------


def test_an_order_that_two_channels_have_must_be_named_with_its_channel(shop):
    for channel in ("web", "till"):
        shop.tell(channel, sale("1001", JACKET, 1, at=AT))

    with pytest.raises(
        AmbiguousName, match="till and web have an order '1001'"
    ) as told:
        say(shop, back("1001"))

    assert told.value.field == "channel"
    assert shop.level(JACKET) == {"available": 8}
    assert (whose(shop), flagged(shop)) == ([], [])


def test_one_channel_s_id_and_another_s_number_are_two_orders(shop):
    number(shop, "9987", "1001")
    shop.tell("till", sale("1001", JACKET, 1, at=AT))

    with pytest.raises(AmbiguousName):
        say(shop, back("1001"))


def test_whoever_only_sent_the_parcel_did_not_take_the_order(shop):
    """A warehouse that names no channel speaks of a store's order by its number."""
    shop.tell("web", order("1001", JACKET, 1, at=AT))
    send(shop, "wms")

    say(shop, back("1001"))

    assert whose(shop) == ["web"]


# -- nobody has it yet ---------------------------------------------------------


def test_it_waits_for_an_order_that_no_channel_has_told_of(shop):
    recorded = say(shop, back("1001", 2))

    assert recorded.entries == []
    assert shop.level(JACKET) == {"available": 10}
    assert flagged(shop) == ["surplus_return"]


@pytest.mark.parametrize("batch", [1, 100])
@pytest.mark.parametrize(
    "told",
    list(
        itertools.permutations(
            [
                ("web", order("1001", JACKET, 2, at=AT)),
                ("web", shipment("1001", JACKET, 2, at=AT + MINUTE)),
                ("api", back("1001", 1, to=kinds.DAMAGED)),
            ]
        )
    ),
)
def test_it_moves_by_itself_whatever_comes_first(shop, told, batch):
    shop.inbound._batch = batch
    for who, body in told:
        if who == "api":
            shop.apply()
            say(shop, body)
        else:
            shop.receive(who, body)
    shop.apply()

    assert shop.level(JACKET) == {"available": 8, "damaged": 1}
    assert flagged(shop) == []


def test_it_moves_when_the_order_s_number_becomes_known(shop):
    say(shop, back("1001"))

    number(shop, "9987", "1001")
    assert flagged(shop) == ["surplus_return"]
    number(shop, "9987", "1001", kind=kinds.SHIPPED)

    assert shop.level(JACKET) == {"available": 10}
    assert flagged(shop) == []


@pytest.mark.parametrize("order_first", [True, False])
def test_it_moves_when_the_warehouse_tells_of_the_shipment(shop, order_first):
    ordered = order("1001", JACKET, 1, at=AT)
    say(shop, back("1001"))
    parcel = shipment("1001", JACKET, 1, at=AT + MINUTE) | {"channel": "web"}
    if order_first:
        shop.tell("web", ordered)
    shop.tell("wms", parcel)
    assert shop.level(JACKET) == {"available": 10}
    assert flagged(shop) == []

    shop.tell("web", ordered)
    assert shop.level(JACKET) == {"available": 10}
    assert flagged(shop) == []


def test_it_is_dealt_out_to_the_lines_that_its_sku_is_on(shop):
    say(shop, back("1001", 3))
    at = AT + MINUTE
    lines = [{"id": str(n), "sku": JACKET, "quantity": 2} for n in (1, 2)]
    shop.tell("web", order("1001", JACKET, 2, at=AT) | {"lines": lines})
    shop.tell("web", shipment("1001", JACKET, 2, at=at) | {"lines": lines})

    assert shop.level(JACKET) == {"available": 9}
    assert flagged(shop) == []


def test_it_waits_for_an_order_with_its_sku(shop):
    shop.sku("RED-SCARF")
    say(shop, back("1001", sku="RED-SCARF"))
    shop.tell("till", sale("1001", JACKET, 1, at=AT))
    assert flagged(shop) == ["surplus_return"]

    shop.tell("web", sale("1001", "RED-SCARF", 1, at=AT))
    assert shop.level("RED-SCARF") == {}
    assert flagged(shop) == []


def test_a_return_is_no_sign_that_a_channel_has_the_order(shop):
    say(shop, back("1001"))
    say(shop, replace(back("1001", fact="typed wrongly"), order_channel="till"))
    shop.tell("web", sale("1001", JACKET, 1, at=AT))

    assert shop.level(JACKET) == {"available": 10}
    assert flagged(shop) == ["surplus_return"]


# -- what is written down ------------------------------------------------------


def test_what_waited_is_told_again_with_its_channel(shop):
    say(shop, back("1001"))
    shop.tell("web", sale("1001", JACKET, 1, at=AT))

    with shop.engine.connect() as connection:
        rows = connection.execute(
            sa.select(stock_events)
            .where(stock_events.c.kind == kinds.RETURNED)
            .order_by(stock_events.c.id)
        ).all()
        moved = connection.execute(
            sa.select(ledger).where(ledger.c.event_id == rows[1].id)
        ).one()
    assert [row.verdict for row in rows] == ["superseded", "posted"]
    assert "web's" in rows[0].note
    assert (rows[1].actor, rows[1].channel_id) == ("test", None)
    assert (moved.kind, moved.channel_id, moved.actor) == ("returned", None, "test")
    assert moved.to_state == "available"


@pytest.mark.parametrize("seed", range(4))
def test_everything_told_again_in_another_order_leaves_the_same(shop, seed):
    say(shop, back("1001", fact="early"))
    number(shop, "9987", "1001", quantity=3)
    number(shop, "9987", "1001", quantity=3, kind=kinds.SHIPPED)
    say(shop, back("1001", fact="late"))
    shop.tell("till", sale("1001", JACKET, 1, at=AT))
    say(shop, back("1002", fact="waits"))
    say(shop, replace(back(None, fact="unlinked"), line="1"))

    assert shop.level(JACKET) == {"available": 9}
    with shop.engine.connect() as connection:
        assert list(rehearse(connection, now() + SECOND, seed)) == []
