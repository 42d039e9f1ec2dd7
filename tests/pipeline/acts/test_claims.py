"""Units asked for through our own API: only these can be refused."""

import itertools

import pytest
import sqlalchemy as sa

from app.domain.errors import HoldEnded, ShortOfUnits, UnknownName
from app.domain.events import WholeOrder
from app.domain.instants import HOUR, SECOND, iso, now
from app.pipeline.acts import claims, holding, transferring
from app.pipeline.apply import apply
from app.pipeline.applying.told import Told
from app.pipeline.applying.travelling import Arrival
from app.pipeline.configuring.parked import unpark
from app.pipeline.configuring.recipes import set_recipe
from app.pipeline.house import read_house
from app.pipeline.proving.audit import differences
from app.pipeline.proving.rehearsal import rehearse
from app.store.configuration import channels
from app.store.engine import applying, writing
from app.store.receiving import inbox
from app.store.stock import balances
from app.store.tables import ledger
from tests.builders import JACKET, Shop, cancellation, order, sale, shipment


def hold(shop: Shop, quantity: int, **values):
    lines = [{"sku": JACKET, "quantity": quantity}]
    at = values.pop("at", now())
    seconds = values.pop("expires_in", 900)
    return holding.hold(shop.engine, lines, seconds, actor="test", now=at, **values)


def is_right(shop: Shop) -> bool:
    with shop.engine.connect() as connection:
        return differences(connection) == []


def test_a_hold_takes_units_out_of_sale_and_gives_them_back(shop):
    held = hold(shop, 3)
    assert shop.level(JACKET) == {"available": 7, "reserved": 3}

    assert holding.release(shop.engine, held["id"], actor="test", now=now())[
        "state"
    ] == ("released")
    assert shop.level(JACKET) == {"available": 10}
    assert is_right(shop)


def test_a_claim_beyond_what_is_free_is_refused_whole(shop):
    with pytest.raises(ShortOfUnits) as refused:
        holding.hold(
            shop.engine,
            [{"sku": JACKET, "quantity": 6}, {"sku": JACKET, "quantity": 5}],
            60,
            actor="test",
            now=now(),
        )

    assert refused.value.short == [{"sku": JACKET, "requested": 11, "available": 10}]
    assert shop.level(JACKET) == {"available": 10}


def test_an_unknown_sku_is_named_with_its_line(shop):
    with pytest.raises(UnknownName) as refused:
        holding.hold(
            shop.engine,
            [{"sku": JACKET, "quantity": 1}, {"sku": "NOPE", "quantity": 1}],
            60,
            actor="test",
            now=now(),
        )

    assert refused.value.field == "lines[1].sku"


def test_a_hold_that_has_expired_stands_in_nobody_s_way(shop):
    hold(shop, 10, expires_in=1, at=now() - 5 * SECOND)

    hold(shop, 10)

    assert shop.level(JACKET) == {"reserved": 10}
    assert is_right(shop)


def test_committing_turns_a_hold_into_an_order_and_says_the_same_again(shop):
    held = hold(shop, 2)
    first = holding.commit(
        shop.engine, held["id"], "web", "1001", actor="test", now=now()
    )

    again = holding.commit(
        shop.engine, held["id"], "web", "1001", actor="test", now=now()
    )

    assert first == again
    assert shop.level(JACKET) == {"available": 8, "committed": 2}
    with pytest.raises(HoldEnded):
        holding.release(shop.engine, held["id"], actor="test", now=now())


def test_an_order_that_was_committed_and_also_arrives_counts_once(shop):
    held = hold(shop, 2)
    holding.commit(shop.engine, held["id"], "web", "1001", actor="test", now=now())

    shop.tell("web", order("1001", JACKET, 2, at=now()))

    assert shop.level(JACKET) == {"available": 8, "committed": 2}
    assert is_right(shop)


def test_an_order_that_arrives_first_and_is_committed_counts_once(shop):
    held = hold(shop, 2)
    shop.tell("web", order("1001", JACKET, 2, at=now()))
    holding.commit(shop.engine, held["id"], "web", "1001", actor="test", now=now())

    assert shop.level(JACKET) == {"available": 8, "committed": 2}


def test_an_order_consumes_the_hold_that_refers_to_it(shop):
    hold(shop, 2, reference="1001")

    shop.tell("web", order("1001", JACKET, 2, at=now()))

    assert shop.level(JACKET) == {"available": 8, "committed": 2}
    assert is_right(shop)


@pytest.mark.parametrize("named", [None, "X-1"])
def test_an_order_of_no_channel_is_shipped_and_cancelled_like_any(shop, named):
    held = hold(shop, 3)
    lines = [{"id": "1", "sku": JACKET}]
    done = holding.commit(
        shop.engine, held["id"], order=named, lines=lines, actor="test", now=now()
    )
    api = {"channel": "api"}

    shop.tell("till", shipment(done["order"], JACKET, 2, at=now()) | api)
    assert shop.level(JACKET) == {"available": 7, "committed": 1}
    shop.tell("till", cancellation(done["order"], JACKET, 1, at=now()) | api)

    assert shop.level(JACKET) == {"available": 8}
    assert is_right(shop)


@pytest.mark.parametrize("lines", [None, [{"id": "1", "sku": JACKET}]])
def test_an_order_by_a_hold_is_shipped_in_any_order_of_arrival(shop, lines):
    """Whether the hold names the order's line or not."""
    shop.count(JACKET, "downtown", 50)
    at = now()

    for n, arrival in enumerate(itertools.permutations(["web", "till", "hold"])):
        number = f"X-{n}"
        parcel = shipment(number, JACKET, 2, at=at, location="downtown")
        told = {"till": parcel | {"channel": "web"}}
        told["web"] = order(number, JACKET, 3, at=at)
        held = hold(shop, 3)["id"]
        for who in arrival:
            if who == "hold":
                of = "web", number, lines
                holding.commit(shop.engine, held, *of, actor="test", now=now())
            else:
                shop.tell(who, told[who])

        left = {"available": 50 - 3 * (n + 1), "committed": n + 1}
        assert shop.level(JACKET) == left, arrival
    assert is_right(shop)


def test_what_two_places_held_leaves_from_where_most_of_it_is(shop):
    shop.locations("uptown")
    shop.channel("web", mapped={"downtown": "D", "uptown": "U"}, publish={})
    shop.count(JACKET, "uptown", 3)
    held = hold(shop, 12)
    assert shop.level(JACKET, "uptown")["reserved"] == 2
    of = "web", "X-1"
    holding.commit(shop.engine, held["id"], *of, actor="test", now=now())

    shop.tell("web", shipment("X-1", JACKET, 10, at=now()))

    assert shop.level(JACKET, "downtown") == {}
    assert shop.level(JACKET, "uptown") == {"available": 1, "committed": 2}


@pytest.mark.parametrize("first", [None, [{"id": "1", "sku": JACKET}]])
def test_two_holds_are_one_promise_whichever_names_its_line(shop, first):
    second = None if first else [{"id": "1", "sku": JACKET}]
    for units, lines in ((2, first), (1, second)):
        held = hold(shop, units)
        of = "web", "X-1", lines
        holding.commit(shop.engine, held["id"], *of, actor="test", now=now())

    assert shop.level(JACKET) == {"available": 7, "committed": 3}
    shop.tell("web", order("X-1", JACKET, 3, at=now()))
    assert shop.level(JACKET) == {"available": 7, "committed": 3}
    assert is_right(shop)


def test_a_tills_sale_consumes_the_hold_that_refers_to_it(shop):
    hold(shop, 2, reference="1001")

    shop.tell("till", sale("1001", JACKET, 2, at=now()))

    assert shop.level(JACKET) == {"available": 8}
    assert is_right(shop)


def order_of_two(version=1, **second):
    """A jacket, and two of what the store calls by a name that nobody knows yet."""
    body = order("1001", JACKET, 1, at=now() - SECOND, version=version)
    line = {"id": "2", "sku": "scarf-on-the-web", "quantity": 2, **second}
    return body | {"lines": [*body["lines"], line]}


@pytest.fixture
def half_known(shop):
    """A basket of three jackets, four scarves and a set of both that order 1001 names;
    a scarf is not listed yet."""
    shop.sku("SCARF", "SET")
    shop.count("SCARF", "downtown", 10)
    parts = {JACKET: 1, "SCARF": 1}
    set_recipe(shop.engine, "SET", parts, now=now(), actor="test")
    lines = [
        {"sku": sku, "quantity": units}
        for sku, units in ((JACKET, 3), ("SCARF", 4), ("SET", 1))
    ]
    made = holding.hold(shop.engine, lines, 900, "1001", actor="test", now=now())
    shop.tell("web", order_of_two())
    return shop, made["id"]


def unpark_all(shop: Shop) -> None:
    with applying(shop.engine) as connection:
        unpark(connection, read_house(connection), now())


def reserved(shop: Shop) -> tuple[int, int]:
    return shop.level(JACKET).get("reserved", 0), shop.level("SCARF").get("reserved", 0)


def test_what_an_order_may_still_take_stays_held(half_known):
    shop, _ = half_known
    assert reserved(shop) == (1, 5), "of the set as well"
    assert shop.level(JACKET)["committed"] == 1
    assert is_right(shop)

    shop.tell("web", order_of_two(), order_of_two(version=2))
    assert reserved(shop) == (1, 5), "it was told before"

    shop.listing("web", "SCARF", "scarf-on-the-web")
    unpark_all(shop)
    assert reserved(shop) == (0, 0)
    assert shop.level("SCARF") == {"available": 8, "committed": 2}
    assert is_right(shop)


def test_of_a_kit_that_is_taken_no_part_stays_held(half_known):
    shop, _ = half_known
    shop.listing("web", "SET", "set-on-the-web")
    body = order_of_two(version=2)
    line = {"id": "3", "sku": "set-on-the-web", "quantity": 1}

    shop.tell("web", body | {"lines": [*body["lines"], line]})

    assert reserved(shop) == (0, 4)
    assert is_right(shop)


def test_what_stays_held_of_a_hold_ends_once(half_known):
    shop, hold_id = half_known
    told = {"actor": "test", "now": now()}

    again = holding.hold(
        shop.engine, [{"sku": JACKET, "quantity": 3}], 900, hold_id=hold_id, **told
    )
    assert (again["id"], again["state"], reserved(shop)) == (hold_id, "active", (1, 5))
    holding.release(shop.engine, hold_id, **told)
    holding.release(shop.engine, hold_id, **told)
    claims.expire_holds(shop.engine, now() + HOUR)

    assert reserved(shop) == (0, 0)
    assert shop.level("SCARF") == {"available": 10}
    assert is_right(shop)


def test_what_stays_held_of_a_hold_expires(half_known):
    shop, hold_id = half_known

    claims.expire_holds(shop.engine, now() + HOUR)

    assert reserved(shop) == (0, 0)
    assert shop.level(JACKET) == {"available": 9, "committed": 1}
    assert is_right(shop)
    with pytest.raises(HoldEnded):
        holding.commit(shop.engine, hold_id, actor="test", now=now() + HOUR)


@pytest.mark.parametrize("reference", ["820982911946154508", "1234", "#1234"])
def test_a_hold_may_refer_to_an_orders_number(shopify, reference):
    hold(shopify, 2, reference=reference)
    at = iso(now())
    line = {"id": 1, "variant_id": 8, "sku": JACKET, "quantity": 2}
    told = {"id": 820982911946154508, "name": "#1234", "line_items": [line]}

    told |= {"created_at": at, "updated_at": at}

    with writing(shopify.engine) as connection:
        web = channels.row(connection, "web")["id"]
        found = [("orders/create", told, inbox.READ)]
        inbox.store_read(connection, web, found, now())
    shopify.apply()

    assert shopify.level(JACKET) == {"available": 8, "committed": 2}


def test_a_late_payment_does_not_sell_silently(shop):
    held = hold(shop, 2, expires_in=1, at=now() - 5 * SECOND)

    with pytest.raises(HoldEnded):
        holding.commit(shop.engine, held["id"], actor="test", now=now())
    assert shop.level(JACKET) == {"available": 10}


def test_a_transfer_is_on_the_way_until_it_arrives(shop):
    shop.locations("uptown")
    sent = transferring.transfer(
        shop.engine,
        "downtown",
        "uptown",
        [{"sku": JACKET, "quantity": 4}],
        actor="test",
        now=now(),
    )
    assert shop.level(JACKET, "downtown") == {"available": 6}
    assert shop.level(JACKET, "uptown") == {"incoming": 4}

    with pytest.raises(ShortOfUnits):
        transferring.receive_transfer(
            shop.engine,
            sent["id"],
            Arrival([{"sku": JACKET, "quantity": 5}]),
            actor="test",
            now=now(),
        )
    transferring.receive_transfer(
        shop.engine,
        sent["id"],
        Arrival([{"sku": JACKET, "quantity": 3}]),
        actor="test",
        now=now(),
    )
    assert shop.level(JACKET, "uptown") == {"available": 3, "incoming": 1}
    assert is_right(shop)


def test_a_hold_that_has_ended_was_still_there_before(shop):
    began = now() - 60 * SECOND
    held = hold(shop, 2, at=began)
    ended = began + 30 * SECOND
    holding.release(shop.engine, held["id"], actor="test", now=ended)

    def reserved(at: int) -> int:
        with shop.engine.connect() as connection:
            found = balances.stock_of(connection, JACKET, balances.When(now(), at=at))
        return found["reserved"]

    moments = (began - 1, began, ended - 1, ended)
    assert [reserved(at) for at in moments] == [0, 2, 2, 0]


def test_a_hold_nobody_swept_up_in_time_ended_when_it_expired(shop):
    began = now() - 60 * SECOND
    hold(shop, 2, at=began, expires_in=10)
    claims.expire_holds(shop.engine, now())

    with shop.engine.connect() as connection:
        entries = connection.execute(
            sa.select(ledger.c.occurred_at).where(ledger.c.from_state == "reserved")
        ).scalars()
        assert list(entries) == [began + 10 * SECOND]


def test_two_holds_of_one_order_are_promised_together(shop):
    first, second = hold(shop, 2), hold(shop, 3)
    for held in (first, second):
        holding.commit(shop.engine, held["id"], "web", "1001", actor="test", now=now())
    assert shop.level(JACKET) == {"available": 5, "committed": 5}

    shop.tell("web", order("1001", JACKET, 4, at=now()))

    assert shop.level(JACKET) == {"available": 6, "committed": 4}
    assert is_right(shop)


def test_two_holds_of_one_order_at_two_places_are_promised_where_they_were(shop):
    shop.locations("uptown")
    shop.count(JACKET, "uptown", 10)
    for place, units in (("downtown", 2), ("uptown", 3), ("uptown", 1)):
        lines = [{"sku": JACKET, "quantity": units, "location": place}]
        held = holding.hold(shop.engine, lines, 60, actor="test", now=now())
        holding.commit(shop.engine, held["id"], "web", "1001", actor="test", now=now())

    assert shop.level(JACKET, "downtown") == {"available": 8, "committed": 2}
    assert shop.level(JACKET, "uptown") == {"available": 6, "committed": 4}
    assert is_right(shop)
    with shop.engine.connect() as connection:
        assert list(rehearse(connection, now(), 1)) == []


@pytest.mark.parametrize("is_first", [True, False])
def test_an_order_told_whole_promises_nothing_else_that_was_held_for_it(shop, is_first):
    lines = [{"sku": JACKET, "quantity": 2}]
    held = holding.hold(shop.engine, lines, 60, actor="test", now=now())

    def tell_whole():
        whole = WholeOrder("1001", ("1",), now(), now())
        with applying(shop.engine) as connection:
            house = read_house(connection)
            told = Told(house.by_key["web"], [], now(), orders=[whole])
            apply(connection, house, [told], now())

    if is_first:
        tell_whole()
    holding.commit(shop.engine, held["id"], "web", "1001", actor="test", now=now())
    if not is_first:
        tell_whole()

    assert shop.level(JACKET) == {"available": 10}
    assert is_right(shop)
    with shop.engine.connect() as connection:
        assert list(rehearse(connection, now(), 1)) == []
