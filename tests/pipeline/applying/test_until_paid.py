"""Orders that are held until they are paid: reserved for a while, then committed."""

import itertools

import pytest
import sqlalchemy as sa
from hypothesis import given, settings, strategies as st

from app.domain.errors import ShortOfUnits, UnknownName
from app.domain.instants import HOUR, MINUTE, SECOND, iso, now
from app.pipeline.acts import holding
from app.pipeline.acts.claims import expire_holds
from app.pipeline.configuring.parked import unpark
from app.pipeline.house import read_house
from app.pipeline.proving.audit import differences
from app.pipeline.proving.explaining import explain
from app.pipeline.proving.rehearsal import rehearse
from app.pipeline.repairing.rebuilding import rebuild
from app.store.engine import applying
from app.store.stock.balances import When, stock_of
from app.store.tables import hold_lines, holds, incidents, ledger, lines
from tests.builders import JACKET, cancellation, order, sale, shipment
from tests.pipeline.test_properties import bounded, furnish, hasty, picture, tell_anew

HOLD = {"until_paid": 3600}


@pytest.fixture
def patient(shop):
    """The store's orders are held for an hour until they are paid."""
    shop.channel("web", publish={}, orders=HOLD)
    return shop


def unpaid(number="1001", quantity=3, *, at, version=None):
    return order(number, JACKET, quantity, at=at, version=version) | {"paid": False}


def paid(number="1001", quantity=3, *, at, when):
    return order(number, JACKET, quantity, at=at) | {"paid": True, "version": iso(when)}


def kept(shop):
    with shop.engine.connect() as connection:
        rows = connection.execute(sa.select(holds).order_by(holds.c.id))
        return [(row.state, row.reference) for row in rows]


def moves(shop):
    with shop.engine.connect() as connection:
        query = sa.select(ledger).where(ledger.c.kind != "counted")
        return [
            (row.kind, row.quantity, row.from_state, row.to_state, row.occurred_at)
            for row in connection.execute(query.order_by(ledger.c.id))
        ]


def agrees(shop):
    with shop.engine.connect() as connection:
        found = differences(connection)
        return found + [
            said
            for seed in range(6)
            for said in rehearse(connection, now() + SECOND, seed)
        ]


def seen(shop, at=None):
    with shop.engine.connect() as connection:
        found = stock_of(connection, JACKET, When(now(), at))
        states = ("available", "reserved", "committed")
        return tuple(found[state] for state in states)


def test_an_unpaid_order_is_held_and_a_paid_one_committed(patient):
    at, when = now() - 10 * MINUTE, now() - 5 * MINUTE
    patient.tell("web", unpaid(at=at))
    assert patient.level(JACKET) == {"available": 7, "reserved": 3}
    assert kept(patient) == [("active", "1001")]

    patient.tell("web", paid(at=at, when=when))

    assert patient.level(JACKET) == {"available": 7, "committed": 3}
    assert kept(patient) == [("committed", "1001")]
    assert moves(patient) == [
        ("unpaid", 3, "available", "reserved", at),
        ("paid", 3, "reserved", "committed", when),
    ]
    assert seen(patient, at + MINUTE) == (7, 3, 0)
    assert agrees(patient) == []


def test_an_order_that_is_paid_at_once_is_just_committed(patient):
    at = now() - MINUTE
    patient.tell("web", order("1001", JACKET, 3, at=at))

    assert moves(patient) == [("placed", 3, "available", "committed", at)]
    assert kept(patient) == []


def test_other_channels_do_not_wait(patient):
    patient.tell("till", unpaid(at=now()))

    assert patient.level(JACKET) == {"available": 7, "committed": 3}


def test_a_hold_that_is_over_counts_as_free_before_it_is_swept_up(patient):
    at = now() - 2 * HOUR
    patient.tell("web", unpaid(at=at))
    assert patient.level(JACKET)["reserved"] == 3
    assert seen(patient) == (10, 0, 0)

    expire_holds(patient.engine, now())

    assert patient.level(JACKET) == {"available": 10}
    assert moves(patient)[-1] == ("lapsed", 3, "reserved", "available", at + HOUR)
    assert kept(patient) == [("expired", "1001")]
    assert expire_holds(patient.engine, now()) == set()
    assert agrees(patient) == []


def test_a_claim_ends_the_holds_that_are_over_by_itself(patient):
    patient.tell("web", unpaid(quantity=8, at=now() - 2 * HOUR))
    patient.tell("web", unpaid("1002", quantity=4, at=now() - MINUTE))
    lines_ = [{"sku": JACKET, "quantity": 6}]
    holding.hold(patient.engine, lines_, 600, actor="me", now=now())

    assert patient.level(JACKET) == {"reserved": 10}
    with pytest.raises(ShortOfUnits):
        holding.hold(
            patient.engine,
            [{"sku": JACKET, "quantity": 1}],
            600,
            actor="me",
            now=now(),
        )
    assert agrees(patient) == []


def test_a_late_payment_commits_again_and_is_never_sold_silently(patient):
    at = now() - 2 * HOUR
    patient.tell("web", unpaid(quantity=8, at=at))
    expire_holds(patient.engine, now())
    patient.tell("till", sale("T-1", JACKET, 10, at=at + 90 * MINUTE))

    patient.tell("web", paid(quantity=8, at=at, when=at + 100 * MINUTE))

    assert patient.level(JACKET) == {"available": -8, "committed": 8}
    with patient.engine.connect() as connection:
        kinds = connection.execute(sa.select(incidents.c.kind, incidents.c.units))
        assert kinds.all() == [("oversell", 8)]
    assert seen(patient, at + 80 * MINUTE) == (10, 0, 0)
    assert agrees(patient) == []


def test_a_cancelled_order_lets_go_before_its_time(patient):
    at = now() - MINUTE
    patient.tell("web", unpaid(at=at), cancellation("1001", JACKET, 2, at=at + SECOND))
    assert patient.level(JACKET) == {"available": 9, "reserved": 1}
    patient.tell("web", cancellation("1001", JACKET, 3, at=at + 2 * SECOND))

    assert patient.level(JACKET) == {"available": 10}
    assert kept(patient) == [("released", "1001")]
    assert agrees(patient) == []


def test_what_is_shipped_unpaid_leaves_the_hold(patient):
    at = now() - MINUTE
    patient.tell("web", unpaid(at=at))
    patient.tell("web", shipment("1001", JACKET, 2, at=at + 9, location="downtown"))

    assert patient.level(JACKET) == {"available": 7, "reserved": 1}
    with patient.engine.connect() as connection:
        assert connection.execute(sa.select(hold_lines.c.quantity)).scalars().all() == [
            1
        ]
    assert agrees(patient) == []


def test_an_order_without_a_place_is_held_for_all_its_channel_may_draw_from(patient):
    patient.locations("harbour")
    patient.channel("web", publish={}, orders=HOLD)
    patient.tell("web", unpaid(at=now()))

    with patient.engine.connect() as connection:
        found = stock_of(connection, JACKET, When(now()))
    assert (found["available"], found["reserved"], found["unassigned"]) == (7, 3, 3)
    assert agrees(patient) == []


def test_the_edit_of_a_paid_order_is_no_payment(patient):
    at = now() - HOUR // 2
    patient.tell("web", paid(at=at, when=at + MINUTE))
    patient.tell("web", unpaid(at=at))
    patient.tell("web", paid(quantity=5, at=at, when=at + 5 * MINUTE))

    assert patient.level(JACKET) == {"available": 5, "committed": 5}
    assert seen(patient, at + 2 * MINUTE) == (5, 0, 5)
    assert moves(patient)[-1][0] == "placed"
    assert agrees(patient) == []


def test_why_a_channel_shows_a_number_tells_of_orders_that_are_not_paid(patient):
    at = now() - MINUTE
    patient.listing("web", JACKET, JACKET)
    patient.tell("web", unpaid(at=at))

    with patient.engine.connect() as connection:
        told = explain(connection, JACKET, "web", at=None, now=now())

    [held] = told["holds"]
    assert (held["id"], held["reference"]) == ("web/order/1001/1", "1001")
    assert (held["quantity"], held["expires_at"]) == (3, at + HOUR)
    assert told["numbers"][0]["shown"] == 7


def test_an_orders_hold_ends_by_the_order_alone(patient):
    patient.tell("web", unpaid(at=now()))

    for action in (holding.release, holding.commit):
        with pytest.raises(UnknownName):
            action(patient.engine, "web/order/1001/1", actor="me", now=now())


def test_what_others_say_of_the_order_follows_its_channels_rule(patient):
    patient.channel("wms")
    at = now() - MINUTE
    patient.tell("wms", unpaid(at=at) | {"channel": "web"})
    assert patient.level(JACKET)["reserved"] == 3

    patient.tell("wms", paid(at=at, when=at + SECOND) | {"channel": "web"})

    assert patient.level(JACKET)["committed"] == 3
    assert agrees(patient) == []


def test_a_line_that_waited_for_its_listing_is_held_from_then_on(patient):
    at = now() - MINUTE
    body = unpaid(at=at)
    body["lines"][0]["sku"] = "RED-SCARF"
    patient.tell("web", body)
    patient.sku("RED-SCARF")
    patient.listing("web", "RED-SCARF", "RED-SCARF")
    with applying(patient.engine) as connection:
        unpark(connection, read_house(connection), now())

    assert patient.level("RED-SCARF") == {"available": -3, "reserved": 3}
    assert agrees(patient) == []


def test_when_a_channel_waits_no_more_what_is_told_next_is_committed(patient):
    at = now() - MINUTE
    patient.tell("web", unpaid(at=at), unpaid("1002", at=at))
    patient.channel("web", publish={})
    patient.tell("web", unpaid("1003", quantity=1, at=at))
    assert patient.level(JACKET) == {"available": 3, "reserved": 6, "committed": 1}

    patient.tell("web", paid(at=at, when=at + SECOND))
    patient.tell("web", unpaid("1002", at=at, version=at + 2 * SECOND))

    assert patient.level(JACKET) == {"available": 3, "committed": 7}
    assert agrees(patient) == []


def test_a_rebuild_makes_the_holds_of_orders_anew(patient):
    at = now() - MINUTE
    patient.tell("web", unpaid(at=at), unpaid("1002", at=now() - 2 * HOUR))
    expire_holds(patient.engine, now())
    with applying(patient.engine) as connection:
        connection.execute(lines.delete())
        connection.execute(hold_lines.delete())
        connection.execute(holds.delete())

    rebuild(patient.engine, now())

    assert patient.level(JACKET) == {"available": 7, "reserved": 3}
    assert kept(patient) == [("active", "1001")]
    assert agrees(patient) == []


def test_any_order_of_placed_paid_and_lapsed_leaves_the_same(shop):
    """All 24 arrivals, with the sweep looking in after each."""
    shop.channel("web", publish={}, orders=HOLD)
    at = now() - 2 * HOUR
    told = [
        unpaid(at=at),
        paid(at=at, when=at + 90 * MINUTE),
        paid(at=at, when=at + 95 * MINUTE),
        cancellation("1001", JACKET, 1, at=at + 20 * MINUTE),
    ]
    for number, arrival in enumerate(itertools.permutations(told)):
        name = f"N-{number}"
        shop.count(JACKET, "downtown", 10, at=at - HOUR + number)
        for body in arrival:
            shop.tell("web", body | {"order": name, "id": name})
            expire_holds(shop.engine, now())

    assert shop.level(JACKET) == {"available": 10 - 48, "committed": 48}
    assert agrees(shop) == []


# -- a law -------------------------------------------------------------------------

minutes = st.integers(1, 200)


@st.composite
def stories(draw):
    """Orders that are paid or not, cancelled, shipped; versions never tie."""
    told = []
    for number in range(draw(st.integers(2, 7))):
        kind = draw(st.sampled_from(["order", "order", "cancellation", "shipment"]))
        body = {
            "type": kind,
            "id": draw(st.sampled_from("ab")),
            "order": draw(st.sampled_from(["1001", "1002"])),
            "occurred_at": iso(BEGIN + draw(minutes) * MINUTE),
            "version": iso(BEGIN + draw(minutes) * MINUTE + number * SECOND),
            "lines": [
                {"id": line, "sku": JACKET, "quantity": draw(st.integers(0, 4))}
                for line in draw(st.sampled_from(["1", "2", "12"]))
            ],
        }
        if kind == "order":
            body["occurred_at"] = iso(BEGIN)
            body["paid"] = draw(st.booleans())
        elif kind == "shipment":
            body["location"] = draw(st.sampled_from(["north", "south"]))
        told.append(("web", body))
    again = draw(st.lists(st.sampled_from(told), max_size=3))
    return told, draw(st.permutations(told + again))


BEGIN = now() - 4 * HOUR


def test_any_story_of_payments_in_any_order_leaves_the_same(empty_shop):
    shop = furnish(hasty(empty_shop))
    shop.channel("web", publish={}, ships_from="south", orders=HOLD)

    def told_in(story, batch, sweeps):
        tell_anew(shop, story)
        shop.inbound._batch = batch
        while shop.inbound.run(now()):
            if sweeps:
                expire_holds(shop.engine, now())
        expire_holds(shop.engine, now())
        return picture(shop)

    @settings(bounded, max_examples=30)
    @given(stories(), st.sampled_from([1, 2, 100]), st.integers(0, 9))
    def law(story, batch, seed):
        told, mixed = story
        once = told_in(told, 100, sweeps=False)
        assert told_in(mixed, batch, sweeps=True) == once
        with shop.engine.connect() as connection:
            assert list(rehearse(connection, now() + SECOND, seed)) == []

    law()
