"""Units that are promised or sold but not there: a case that opens and closes itself."""

import json

import pytest
import sqlalchemy as sa

from app.domain import events as kinds
from app.domain.events import StockEvent
from app.domain.instants import HOUR, MINUTE, SECOND, now
from app.pipeline.acts import facts, holding
from app.pipeline.acts.claims import expire_holds
from app.pipeline.applying import oversells
from app.store.engine import writing
from app.store.tables import incidents
from app.store.watching import incidents as store
from tests.builders import JACKET, cancellation, order, sale


def cases(shop):
    with shop.engine.connect() as connection:
        query = sa.select(incidents).where(incidents.c.kind == oversells.KIND)
        return connection.execute(query.order_by(incidents.c.id)).all()


def is_open(shop):
    return [row.closed_at is None for row in cases(shop)]


def details(shop):
    return json.loads(cases(shop)[-1].details)


def received(quantity, place="downtown", name="r", kind=kinds.RECEIVED):
    return StockEvent(
        kind,
        quantity,
        now(),
        now(),
        sku=JACKET,
        place=place,
        fact=f"{name}{now()}",
        line="1",
    )


def tell(shop, *events):
    facts.record(shop.engine, events, actor="test", now=now())


def resolve(shop, note="called them"):
    with writing(shop.engine) as connection:
        assert store.resolve(connection, cases(shop)[-1].id, note, "me", now())


def test_the_case_says_which_orders_and_how_many_units(shop):
    at = now() - MINUTE
    shop.tell("web", order("1001", JACKET, 9, at=at))
    assert cases(shop) == []
    shop.tell("web", order("1002", JACKET, 2, at=at + SECOND))
    shop.tell("till", sale("T-1", JACKET, 1, at=at + 2 * SECOND))

    [case] = cases(shop)
    assert case.subject == JACKET
    told = details(shop)
    assert (told["units"], case.units, case.times) == (2, 2, 2)
    assert told["places"] == [
        {"location": "downtown", "channel": None, "available": -2}
    ]
    assert [
        (one["channel"], one["order"], one["units"], one["state"])
        for one in told["orders"]
    ] == [
        ("till", "T-1", 1, "handed over"),
        ("web", "1002", 2, "promised"),
        ("web", "1001", 9, "promised"),
    ]
    assert told["ways_out"] == [
        {"way": "cancel", "channel": "web", "order": "1002", "units": 2}
    ]
    assert "2 more promised or sold" in case.message
    assert "till T-1" in case.message


def test_a_cancelled_order_is_not_told_of_and_may_end_the_case(shop):
    at = now() - MINUTE
    shop.tell("web", order("1001", JACKET, 9, at=at))
    shop.tell("web", order("1002", JACKET, 3, at=at))
    shop.tell("web", cancellation("1002", JACKET, 1, at=at + SECOND))
    assert details(shop)["units"] == 1
    assert details(shop)["orders"][0]["units"] == 2

    shop.tell("web", cancellation("1002", JACKET, 3, at=at + 2 * SECOND))

    assert is_open(shop) == [False]
    assert cases(shop)[0].resolved_at is None


def test_units_that_come_end_the_case_and_the_next_shortage_is_another(shop):
    shop.tell("till", sale("T-1", JACKET, 11, at=now()))
    tell(shop, received(5))
    assert is_open(shop) == [False]

    shop.tell("till", sale("T-2", JACKET, 5, at=now()))

    assert is_open(shop) == [False, True]


def test_a_count_ends_the_case(shop):
    shop.tell("till", sale("T-1", JACKET, 11, at=now() - MINUTE))

    shop.count(JACKET, "downtown", 4, at=now())

    assert is_open(shop) == [False]


def test_what_was_resolved_opens_again_only_when_it_gets_worse(shop):
    shop.tell("till", sale("T-1", JACKET, 12, at=now()))
    resolve(shop)
    assert is_open(shop) == [False]

    tell(shop, received(1))
    shop.tell("till", sale("T-2", JACKET, 1, at=now()))
    assert is_open(shop) == [False]
    shop.tell("till", sale("T-3", JACKET, 1, at=now()))

    assert is_open(shop) == [True]
    [earlier] = details(shop)["resolutions"]
    assert (earlier["resolution"], earlier["resolved_by"]) == ("called them", "me")
    assert cases(shop)[0].resolution is None


def test_what_was_resolved_keeps_its_words_when_it_is_over(shop):
    shop.tell("till", sale("T-1", JACKET, 12, at=now()))
    resolve(shop)
    closed_at = cases(shop)[0].closed_at

    tell(shop, received(5))
    shop.tell("till", sale("T-2", JACKET, 4, at=now()))

    first, second = cases(shop)
    assert (first.resolution, first.closed_at, first.units) == (
        "called them",
        closed_at,
        0,
    )
    assert second.closed_at is None


def test_the_ways_out_name_other_places_and_what_is_on_the_way(shop):
    shop.locations("harbour")
    shop.channel("till", mapped={"downtown": "1"}, publish={})
    shop.count(JACKET, "harbour", 4)
    tell(shop, received(3, "downtown", kind=kinds.EXPECTED))

    shop.tell("till", sale("T-1", JACKET, 12, at=now()))

    assert details(shop)["ways_out"] == [
        {"way": "other_location", "location": "harbour", "units": 4},
        {"way": "on_the_way", "location": "downtown", "units": 3},
    ]


def test_promises_without_a_place_are_short_only_where_nothing_can_serve_them(shop):
    shop.locations("harbour")
    shop.channel("web", mapped={"downtown": "1", "harbour": "2"}, publish={})
    shop.count(JACKET, "harbour", 2)

    shop.tell("web", order("1001", JACKET, 12, at=now()))
    assert cases(shop) == []
    shop.tell("web", order("1002", JACKET, 1, at=now()))

    told = details(shop)
    assert told["units"] == 1
    assert [one["channel"] for one in told["places"]] == ["web"]
    assert told["orders"][0]["order"] == "1002"


def test_units_of_a_hold_that_is_over_are_there(shop):
    lines = [{"sku": JACKET, "quantity": 4}]
    holding.hold(shop.engine, lines, 60, actor="me", now=now() - HOUR)

    shop.tell("till", sale("T-1", JACKET, 8, at=now()))
    assert cases(shop) == []

    expire_holds(shop.engine, now())
    assert cases(shop) == []


def test_what_is_short_beyond_a_hold_that_is_over_is_told(shop):
    lines = [{"sku": JACKET, "quantity": 4}]
    holding.hold(shop.engine, lines, 60, actor="me", now=now() - HOUR)

    shop.tell("till", sale("T-1", JACKET, 12, at=now()))

    assert [state for state, _ in shop.messages()] == ["applied"]
    assert details(shop)["units"] == 2


def test_a_batch_that_leaves_nothing_short_asks_nothing(shop, monkeypatch):
    def fail(*_):
        pytest.fail("asked")

    monkeypatch.setattr(oversells, "judge", fail)

    shop.tell("web", order("1001", JACKET, 10, at=now()))
