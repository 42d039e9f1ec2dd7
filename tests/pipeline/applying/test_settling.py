"""Incidents that settle themselves, and those that a person settles for good."""

import json

import pytest
import sqlalchemy as sa

from app.domain import events as kinds
from app.domain.events import StockEvent
from app.domain.instants import HOUR, MINUTE, SECOND, iso, now
from app.pipeline.acts import facts
from app.pipeline.applying import oversells
from app.pipeline.proving.audit import differences
from app.store.engine import writing
from app.store.tables import incidents
from app.store.watching import incidents as store
from tests.builders import JACKET, order, returned, sale, shipment

AT = now() - HOUR // 2


def seen(shop, kind):
    """(open?, note, units that it is about)"""
    query = sa.select(incidents).where(incidents.c.kind == kind)
    with shop.engine.connect() as connection:
        assert differences(connection) == []
        rows = connection.execute(query.order_by(incidents.c.id))
        return [(row.closed_at is None, row.resolution, row.units) for row in rows]


def resolve(shop, kind, note):
    with writing(shop.engine) as connection:
        query = sa.select(incidents.c.id).where(incidents.c.kind == kind)
        [found] = connection.execute(query).scalars()
        assert store.resolve(connection, found, note, "anna", now())


# -- contradictions --------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 100])
def test_a_contradiction_closes_with_a_note_once_a_higher_version_is_told(shop, batch):
    shop.inbound._batch = batch
    shop.tell("web", order("1", JACKET, 2, at=AT), order("1", JACKET, 4, at=AT))
    shop.tell("web", order("2", JACKET, 1, at=AT), order("2", JACKET, 3, at=AT))
    assert [is_open for is_open, _, _ in seen(shop, "contradiction")] == [True, True]

    shop.tell("web", order("1", JACKET, 3, at=AT, version=AT + MINUTE))

    (first, note, _), (second, _, _) = seen(shop, "contradiction")
    assert (first, second) == (False, True)
    assert "a higher version" in note


def test_a_contradicting_count_is_settled_by_a_corrected_one(shop):
    body = {
        "type": "count",
        "id": "S-1",
        "occurred_at": iso(AT),
        "version": 1,
        "location": "downtown",
    }
    for version, units in ((1, 7), (1, 8), (2, 9)):
        line = {"id": "1", "sku": JACKET, "quantity": units}
        shop.tell("till", body | {"version": version, "lines": [line]})

    [(is_open, note, _)] = seen(shop, "contradiction")
    assert not is_open
    assert note


# -- returns ---------------------------------------------------------------------


def back(quantity, minute):
    at = AT + minute * MINUTE
    told = returned("OLD-1", JACKET, quantity, at=AT, location="downtown")
    return told | {"version": at}


def test_a_surplus_that_a_person_dismissed_stays_closed_until_it_grows(shop):
    shop.tell("web", back(1, 1))
    resolve(shop, "surplus_return", "sold before we counted")

    shop.tell("web", back(1, 2))
    assert seen(shop, "surplus_return") == [(False, "sold before we counted", 1)]

    shop.tell("web", back(2, 3))
    assert seen(shop, "surplus_return") == [(True, None, 2)]


def test_a_return_goes_to_the_line_that_was_shipped(shop):
    """Two lines of one SKU; the warehouse names the SKU only."""
    shop.channel("wms")
    body = order("1", JACKET, 2, at=AT)
    body["lines"].append({"id": "2", "sku": JACKET, "quantity": 1})
    shop.tell("web", body)
    parcel = shipment("1", JACKET, 1, at=AT + SECOND, location="downtown")
    parcel["lines"][0]["id"] = "2"
    shop.tell("web", parcel)
    assert shop.level(JACKET) == {"available": 7, "committed": 2}

    again = returned("1", JACKET, 1, at=AT + MINUTE, location="downtown")
    shop.tell("wms", again | {"channel": "web"})

    assert shop.level(JACKET) == {"available": 8, "committed": 2}
    assert seen(shop, "surplus_return") == []


# -- shipments without a location --------------------------------------------------


@pytest.fixture
def wide(shop):
    """The store sells from two locations and ships from the harbour."""
    shop.locations("harbour")
    shop.channel("web", publish={}, ships_from="harbour")
    return shop


def test_where_a_shipment_left_from_is_shown_to_be_assumed(wide):
    wide.tell("web", order("1", JACKET, 2, at=AT))
    wide.tell("web", shipment("1", JACKET, 2, at=AT + SECOND))

    assert wide.level(JACKET, "harbour") == {"available": -2}
    assert seen(wide, "assumed_location") == [(True, None, 2)]

    named = shipment("1", JACKET, 2, at=AT + SECOND, location="downtown")
    wide.tell("web", named | {"version": AT + MINUTE})

    assert wide.level(JACKET) == {"available": 8}
    assert seen(wide, "assumed_location") == [(False, None, 0)]


def test_a_shipment_from_where_its_promise_sits_is_not_assumed(wide):
    wide.tell("web", order("1", JACKET, 2, at=AT) | {"location": "downtown"})
    wide.tell("web", shipment("1", JACKET, 2, at=AT + SECOND))

    assert wide.level(JACKET, "downtown") == {"available": 8}
    assert seen(wide, "assumed_location") == []


def test_a_shop_with_one_location_has_nothing_to_assume(shop):
    shop.tell("web", shipment("1", JACKET, 2, at=AT))

    assert seen(shop, "assumed_location") == []


# -- oversells -----------------------------------------------------------------------


def arrives(shop, units, place):
    event = StockEvent(
        kinds.RECEIVED,
        units,
        now(),
        now(),
        sku=JACKET,
        place=place,
        fact=f"r-{place}",
        line="1",
    )
    facts.record(shop.engine, [event], actor="test", now=now())


def told_now(shop):
    with shop.engine.connect() as connection:
        rows = connection.execute(sa.select(incidents)).mappings().all()
        [row] = oversells.up_to_date(connection, rows, now())
    return json.loads(row["details"])


def test_the_ways_out_are_those_of_the_moment_they_are_read(wide):
    wide.tell("till", sale("T-1", JACKET, 12, at=now(), location="downtown"))
    assert told_now(wide)["ways_out"] == []

    arrives(wide, 5, "harbour")

    assert told_now(wide)["ways_out"] == [
        {"way": "other_location", "location": "harbour", "units": 5}
    ]
    oversells.review(wide.engine, now())
    assert seen(wide, "oversell") == [(True, None, 2)]


def test_a_case_that_is_short_no_more_closes_though_nothing_moved(wide):
    """Where the store may sell from makes the difference, not a change of stock."""
    arrives(wide, 5, "harbour")
    wide.channel("till", mapped={"downtown": "1"}, publish={})
    wide.locations("attic")
    wide.channel("web", mapped={"downtown": "1", "attic": "2"}, publish={})
    wide.tell("web", order("1", JACKET, 12, at=now()))
    oversells.review(wide.engine, now())
    assert seen(wide, "oversell") == [(True, None, 2)]

    wide.channel("web", mapped={"downtown": "1", "harbour": "2"}, publish={})
    assert told_now(wide)["ways_out"] == []
    oversells.review(wide.engine, now())

    assert seen(wide, "oversell") == [(False, None, 0)]
