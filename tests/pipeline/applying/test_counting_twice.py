"""Two counts of one place at one time: which one counts, and when nobody can say."""

import itertools

import pytest
import sqlalchemy as sa

from app.domain.instants import DAY, MINUTE, iso, now
from app.pipeline.proving.audit import differences
from app.pipeline.repairing.replaying import replay
from app.store.tables import incidents, stock_events
from tests.builders import JACKET

BEGIN = now() - 2 * DAY
AT = iso(BEGIN)


@pytest.fixture
def shop(empty_shop):
    shop = empty_shop
    shop.locations("downtown")
    shop.channel("till")
    shop.sku(JACKET)
    return shop


def counted(quantity, *, key="S-1", **more):
    return {
        "type": "count",
        "id": key,
        "occurred_at": AT,
        "version": 1,
        "location": "downtown",
        "lines": [{"id": "1", "sku": JACKET, "quantity": quantity}],
    } | more


def verdicts(shop):
    """Of the webhooks' counts, as they are kept for ever: (target, verdict)."""
    query = sa.select(stock_events).where(stock_events.c.inbox_id.is_not(None))
    with shop.engine.connect() as connection:
        assert differences(connection) == []
        rows = connection.execute(query.order_by(stock_events.c.id)).all()
    return [(row.target, row.verdict) for row in rows]


def contradictions(shop):
    with shop.engine.connect() as connection:
        rows = connection.execute(sa.select(incidents)).all()
    assert {row.kind for row in rows} <= {"contradiction"}
    return [row.message for row in rows]


@pytest.mark.parametrize("batch", [1, 100])
def test_one_counter_who_says_two_numbers_is_shown_to_a_person(shop, batch):
    shop.inbound._batch = batch
    shop.tell("till", counted(7), counted(8))

    assert shop.level(JACKET) == {"available": 7}
    assert verdicts(shop) == [(7, "posted"), (8, "quarantined")]
    [message] = contradictions(shop)
    assert "said 7 before and 8 now" in message
    assert JACKET in message
    assert "a person must decide" in message


def test_a_quarantined_count_is_told_on_its_message(shop):
    shop.tell("till", counted(7), counted(8))

    (_, first), (state, second) = shop.messages()
    assert (first, state) == (None, "applied")
    assert "said 7 before and 8 now" in second


@pytest.mark.parametrize("batch", [1, 100])
def test_the_same_count_again_is_a_duplicate(shop, batch):
    shop.inbound._batch = batch
    shop.tell("till", counted(7), counted(7))
    shop.tell("till", counted(7))
    replay(shop.engine, filter={"channel": "till"})
    shop.apply()

    assert shop.level(JACKET) == {"available": 7}
    assert verdicts(shop) == [(7, "posted")]
    assert contradictions(shop) == []


def test_a_contradiction_told_again_is_one_incident(shop):
    shop.tell("till", counted(7), counted(8), counted(8), counted(7))

    assert verdicts(shop) == [(7, "posted"), (8, "quarantined")]
    assert len(contradictions(shop)) == 1


def test_a_higher_version_settles_what_two_numbers_left_open(shop):
    shop.tell("till", counted(7), counted(8), counted(9, version=2), counted(6))

    assert shop.level(JACKET) == {"available": 9}
    assert [word for _, word in verdicts(shop)] == [
        "posted",
        "quarantined",
        "posted",
        "superseded",
    ]


@pytest.mark.parametrize("batch", [1, 100])
def test_of_two_counters_the_same_one_wins_in_any_order(shop, batch):
    shop.inbound._batch = batch
    for minute, told in enumerate(
        itertools.permutations([("A", 4), ("B", 9), ("C", 6)])
    ):
        at = iso(BEGIN + minute * MINUTE)
        shop.tell("till", *(counted(n, key=key, occurred_at=at) for key, n in told))

        assert shop.level(JACKET) == {"available": 6}
    assert contradictions(shop) == []


@pytest.mark.parametrize("batch", [1, 100])
@pytest.mark.parametrize(
    "told", [[("A", 4), ("A", 5), ("B", 9)], [("A", 4), ("B", 9), ("A", 5)]]
)
def test_a_counter_who_loses_may_contradict_himself_all_the_same(shop, batch, told):
    shop.inbound._batch = batch
    shop.tell("till", *(counted(n, key=key) for key, n in told))
    # What was said first is no contradiction because of what was said in between.
    shop.tell("till", counted(5, key="A"), counted(4, key="A"))

    assert shop.level(JACKET) == {"available": 9}
    assert (5, "quarantined") in verdicts(shop)
    [message] = contradictions(shop)
    assert "said 4 before and 5 now" in message


def test_the_same_number_at_another_place_or_time_is_another_count(shop):
    shop.locations("uptown")
    shop.tell("till", counted(7), counted(3, location="uptown"))
    later = iso(BEGIN + MINUTE)
    shop.tell("till", counted(5, occurred_at=later))

    assert shop.level(JACKET, "downtown") == {"available": 5}
    assert shop.level(JACKET, "uptown") == {"available": 3}
    assert contradictions(shop) == []


def test_a_count_that_waited_for_its_sku_may_contradict_too(shop):
    from app.pipeline.configuring.listings import map_listing

    body = [
        counted(n, lines=[{"id": "1", "sku": "scarf", "quantity": n}]) for n in (4, 5)
    ]
    shop.tell("till", *body)
    shop.sku("RED-SCARF")
    map_listing(shop.engine, "till", "RED-SCARF", "scarf", now=now())

    assert shop.level("RED-SCARF") == {"available": 4}
    assert verdicts(shop) == [(4, "posted"), (5, "quarantined")]
    assert len(contradictions(shop)) == 1
