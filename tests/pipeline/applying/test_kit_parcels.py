"""A store sells a kit, a warehouse packs its components: they leave once."""

import itertools
from functools import partial

import pytest
import sqlalchemy as sa
from hypothesis import given, settings, strategies as st

from app.domain import events as kinds
from app.domain.events import StockEvent
from app.domain.instants import HOUR, MINUTE, SECOND, iso, now
from app.pipeline.apply import apply
from app.pipeline.applying.told import Told
from app.pipeline.configuring.recipes import set_recipe
from app.pipeline.house import read_house
from app.pipeline.proving.audit import differences
from app.pipeline.proving.rehearsal import rehearse
from app.store.configuration import channels
from app.store.engine import applying
from app.store.tables import incidents
from tests.builders import JACKET, cancellation, order, shipment
from tests.pipeline.test_properties import bounded, hasty

SCARF, GIFT = "RED-SCARF", "GIFT-BOX"
AT = now() - HOUR // 2
NUMBERS = itertools.count(1)


@pytest.fixture
def gifts(shop):
    """Ten jackets, nine scarves; a gift is one jacket and two scarves. A warehouse."""
    shop.channel("parcels")
    shop.sku(SCARF)
    shop.count(SCARF, "downtown", 9)
    set_recipe(shop.engine, GIFT, {JACKET: 1, SCARF: 2}, now=now())
    shop.listing("web", GIFT, "gift-1")
    shop.listing("web", SCARF, SCARF)
    return shop


def parcel(number, parcel_id, at=AT + 5 * MINUTE, kind="shipment", **units):
    """What the warehouse says it packed, in its own words."""
    named = {"jacket": JACKET, "scarf": SCARF, "gift": GIFT}
    return {
        "type": kind,
        "id": parcel_id,
        "order": number,
        "channel": "web",
        "location": "downtown",
        "occurred_at": iso(at),
        "lines": [
            {"id": f"p{n}", "sku": named[word], "quantity": quantity}
            for n, (word, quantity) in enumerate(units.items())
        ],
    }


def is_right(shop):
    with shop.engine.connect() as connection:
        return differences(connection) == [] == list(rehearse(connection, now(), 3))


def surplus(shop):
    """Open incidents of components above what an order takes: units."""
    query = sa.select(incidents.c.units).where(
        incidents.c.kind == "kit_surplus", incidents.c.closed_at.is_(None)
    )
    with shop.engine.connect() as connection:
        return connection.execute(query).scalars().all()


def levels(shop):
    return shop.level(JACKET), shop.level(SCARF)


def told_of(number):
    """An order of two gifts: what the store says, and what the warehouse says."""
    return (
        ("web", order(number, "gift-1", 2, at=AT)),
        ("parcels", parcel(number, "A", jacket=2, scarf=1)),
        ("parcels", parcel(number, "B", scarf=3)),
        ("web", shipment(number, "gift-1", 2, at=AT + 10 * MINUTE)),
    )


def test_components_leave_once_in_any_order_of_arrival(gifts):
    for count, mixed in enumerate(itertools.permutations(told_of("1")), 1):
        for channel, body in mixed:
            gifts.tell(channel, body | {"order": f"{count}"})

        left = [10 - 2 * count, 9 - 4 * count]
        assert [{"available": n} if n else {} for n in left] == [*levels(gifts)], mixed
        assert surplus(gifts) == []
    assert is_right(gifts)


def test_what_is_not_packed_yet_stays_promised(gifts):
    gifts.tell("web", order("1", "gift-1", 2, at=AT))
    gifts.tell("parcels", parcel("1", "A", jacket=2, scarf=1))

    assert gifts.level(JACKET) == {"available": 8}
    assert gifts.level(SCARF) == {"available": 5, "committed": 3}

    gifts.tell("web", cancellation("1", "gift-1", 1, at=AT + MINUTE))
    assert gifts.level(SCARF) == {"available": 7, "committed": 1}
    assert surplus(gifts) == [1], "a second jacket left for an order of one gift"

    gifts.tell(
        "parcels",
        parcel("1", "A", jacket=1, scarf=1) | {"version": iso(AT + 20 * MINUTE)},
    )
    assert gifts.level(JACKET) == {"available": 9}
    assert surplus(gifts) == []
    assert is_right(gifts)


def test_a_loose_component_in_the_same_order_is_served_before_the_kit(gifts):
    both = order("1", "gift-1", 1, at=AT)
    both["lines"].append({"id": "2", "sku": SCARF, "quantity": 1})
    gifts.tell("parcels", parcel("1", "A", scarf=2))
    gifts.tell("web", both)
    assert gifts.level(SCARF) == {"available": 6, "committed": 1}

    gifts.tell("parcels", parcel("1", "B", jacket=1, scarf=1))
    gifts.tell("web", shipment("1", "gift-1", 1, at=AT + MINUTE, location="downtown"))

    assert levels(gifts) == ({"available": 9}, {"available": 6})
    assert is_right(gifts)


def test_a_warehouse_that_knows_only_the_orders_number(gifts):
    def say(key, kind, line=None, **more):
        event = StockEvent(
            kind, 2, AT, AT, order_number="#1001", line=line, place="downtown", **more
        )
        with applying(gifts.engine) as connection:
            channel = channels.row(connection, key)["id"]
            house = read_house(connection)
            apply(connection, house, [Told(channel, [event], now())], now())

    say("parcels", kinds.SHIPPED, order="#1001", fact="A", sku=JACKET)
    assert gifts.level(JACKET) == {"available": 8}
    say("web", kinds.PLACED, "1", order="77", sku="gift-1")
    say("parcels", kinds.SHIPPED, order="#1001", fact="B", sku=SCARF)
    assert gifts.level(SCARF) == {"available": 5, "committed": 2}

    say("web", kinds.SHIPPED, "1", order="77", fact="F", sku="gift-1")
    assert levels(gifts) == ({"available": 8}, {"available": 5})
    assert is_right(gifts)


@pytest.mark.parametrize("is_together", [False, True])
@pytest.mark.parametrize("arrival", list(itertools.permutations(range(3))))
def test_who_names_no_channel_finds_an_order_by_its_number_alone(
    gifts, arrival, is_together
):
    """Like an order without kits: its id is no number, whatever else is told of it."""
    carried = StockEvent(
        kinds.SHIPPED,
        2,
        AT,
        AT,
        sku=SCARF,
        place="downtown",
        order="1001",
        order_number="1001",
        fact="A",
    )
    notice = StockEvent(
        kinds.ADVISED,
        1,
        AT,
        AT,
        sku=JACKET,
        order="1001",
        order_channel="web",
        fact="R",
    )
    placed = StockEvent(kinds.PLACED, 2, AT, AT, sku="gift-1", order="1001", line="1")
    with gifts.engine.connect() as connection:
        rows = {key: channels.row(connection, key)["id"] for key in ("web", "parcels")}
    told = [
        Told(rows["parcels"], [carried], now()),
        Told(rows["parcels"], [notice], now()),
        Told(rows["web"], [placed], now()),
    ]
    told = [told[number] for number in arrival]
    for some in [told] if is_together else [[one] for one in told]:
        with applying(gifts.engine) as connection:
            apply(connection, read_house(connection), some, now())

    assert gifts.level(SCARF) == {"available": 3, "committed": 4}
    assert is_right(gifts)


def test_components_that_come_back_come_back_once(gifts):
    for channel, body in told_of("1")[::3]:
        gifts.tell(channel, body)
    back = parcel("1", "R", AT + 20 * MINUTE, "return", jacket=1, scarf=2)
    gifts.tell("parcels", back)
    assert levels(gifts) == ({"available": 9}, {"available": 7})

    for channel, body in told_of("1")[1:3]:
        gifts.tell(channel, body)
    assert levels(gifts) == ({"available": 9}, {"available": 7})
    assert is_right(gifts)


small = st.integers(0, 3)
parcels = st.lists(st.tuples(small, small), min_size=1, max_size=3)


def test_any_parcels_in_any_order_leave_the_larger_report_of_each_component(gifts):
    """Kits placed and handed over by the store, components by the warehouse, a loose
    scarf beside: each component leaves as often as the larger of the two says."""
    hasty(gifts)

    @settings(bounded, max_examples=20)
    @given(small, small, small, small, parcels, st.randoms(), st.sampled_from([1, 100]))
    def law(placed, released, handed, loose, packed, dice, batch):
        number = f"P{next(NUMBERS)}"
        before = levels(gifts)
        bought = order(number, "gift-1", placed, at=AT)
        bought["lines"].append({"id": "2", "sku": SCARF, "quantity": loose})
        told = [
            ("web", bought),
            ("web", cancellation(number, "gift-1", released, at=AT + SECOND)),
            ("web", shipment(number, "gift-1", handed, at=AT + MINUTE)),
            *(
                ("parcels", parcel(number, f"{n}", jacket=jackets, scarf=scarves))
                for n, (jackets, scarves) in enumerate(packed)
            ),
        ]
        told += told[-2:]
        dice.shuffle(told)
        gifts.inbound._batch = batch
        for channel, body in told:
            gifts.receive(channel, body)
        gifts.apply()

        jackets = sum(one for one, _ in packed)
        scarves = sum(one for _, one in packed)
        rest = max(0, placed - released)
        for sku, was, units, left, alone in (
            (JACKET, before[0], 1, jackets, 0),
            (SCARF, before[1], 2, scarves, loose),
        ):
            kits_left = max(handed * units, left - min(left, alone))
            shipped = kits_left + min(left, alone)
            promised = max(0, rest * units - kits_left) + alone - min(left, alone)
            change = {
                state: gifts.level(sku).get(state, 0) - was.get(state, 0)
                for state in ("available", "committed")
            }
            assert change == {"available": -shipped - promised, "committed": promised}

    law()
    assert is_right(gifts)


@pytest.mark.parametrize("arrival", list(itertools.permutations(range(3))))
def test_one_names_the_order_by_its_number_and_one_by_its_id(gifts, arrival):
    """The warehouse packed two scarves, and the till took one of them back."""

    def say(key, kind, units, number, **more):
        event = StockEvent(
            kind, units, AT, AT, order_number=number, place="downtown", **more
        )
        with applying(gifts.engine) as connection:
            house = read_house(connection)
            told = Told(house.by_key[key], [event], now())
            apply(connection, house, [told], now())

    other = {"sku": SCARF, "order_channel": "web"}
    acts = (
        partial(
            say, "web", kinds.PLACED, 1, "1001", order="77", line="1", sku="gift-1"
        ),
        partial(
            say, "parcels", kinds.SHIPPED, 2, None, order="1001", fact="A", **other
        ),
        partial(say, "till", kinds.RETURNED, 1, None, order="77", fact="B", **other),
    )
    for number in arrival:
        acts[number]()

    assert gifts.level(JACKET) == {"available": 9, "committed": 1}
    assert gifts.level(SCARF) == {"available": 8}
    assert is_right(gifts)
