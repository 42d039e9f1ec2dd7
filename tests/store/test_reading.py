"""Balances, history and deliveries, as the store reads them."""

from functools import partial

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings, strategies as st

from app.domain.instants import HOUR, MINUTE, now
from app.domain.states import ON_HAND, STATES
from app.store.engine import writing
from app.store.keyset import every
from app.store.publishing import deliveries
from app.store.stock import aliases, balances, history
from app.store.stock.balances import When
from app.store.tables import (
    ledger,
    locations,
    publications,
    skus,
    stock_levels,
)
from tests.builders import JACKET, Shop


@pytest.fixture
def shop(engine):
    shop = Shop(engine)
    yield shop
    shop.receiver.close()


MOVES = st.lists(
    st.tuples(
        st.sampled_from(STATES),
        st.sampled_from(STATES),
        st.sampled_from([0, 1]),
        st.integers(1, 5),
        st.integers(0, 5),
        st.integers(0, 5),
    ),
    max_size=12,
)


@given(moves=MOVES, at=st.integers(0, 5), known_at=st.integers(0, 5))
@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_the_past_is_the_sum_of_its_entries(engine, moves, at, known_at):
    with writing(engine) as connection:
        for table in (ledger, stock_levels, skus, locations):
            connection.execute(table.delete())
        connection.execute(skus.insert().values(id=1, sku="A"))
        connection.execute(locations.insert().values(id=1, code="x"))
        connection.execute(locations.insert().values(id=2, code="y"))
        for from_state, to_state, place, quantity, occurred, recorded in moves:
            connection.execute(
                ledger.insert().values(
                    sku_id=1,
                    kind="test",
                    quantity=quantity,
                    from_state=from_state,
                    from_location_id=1 + place,
                    to_state=to_state,
                    to_location_id=1,
                    occurred_at=occurred,
                    recorded_at=recorded,
                    event_id=0,
                )
            )
        told = balances.stock_of(connection, "A", When(9, at, known_at))

    expected = dict.fromkeys(STATES, 0)
    for from_state, to_state, _, quantity, occurred, recorded in moves:
        if occurred <= at and recorded <= known_at:
            expected[from_state] -= quantity
            expected[to_state] += quantity
    assert told["on_hand"] == sum(expected[state] for state in ON_HAND)
    for state in balances.SHOWN:
        assert told[state] == expected[state]
        assert told[state] == sum(spot[state] for spot in told["locations"])


def test_now_and_the_ledger_up_to_now_agree(shop, engine):
    shop.locations("downtown")
    shop.sku(JACKET)
    shop.count(JACKET, "downtown", 7)

    with engine.connect() as connection:
        levels = balances.stock_of(connection, JACKET, When(now()))
        summed = balances.stock_of(connection, JACKET, When(now(), at=now()))

    assert levels == summed


def test_entries_of_one_instant_are_paged_without_loss(shop, engine):
    shop.locations("downtown")
    shop.sku(JACKET)
    with writing(engine) as connection:
        sku_id = aliases.sku_id(connection, JACKET)
        place = connection.execute(sa.select(locations.c.id)).scalar_one()
        for number in range(5):
            connection.execute(
                ledger.insert().values(
                    sku_id=sku_id,
                    kind="test",
                    quantity=1,
                    from_state="supplier",
                    from_location_id=place,
                    to_state="available",
                    to_location_id=place,
                    occurred_at=number // 4,
                    recorded_at=0,
                    event_id=0,
                )
            )
        page = partial(history.page, connection, sku_id, limit=2)
        seen = [row["id"] for row in every(page)]

    assert len(seen) == len(set(seen)) == 5


def test_the_oldest_due_delivery_leaves_out_what_must_wait(shop, engine):
    shop.locations("downtown")
    shop.sku(JACKET)
    shop.channel("web", publish={})
    shop.listing("web", JACKET, "w")
    at = now()

    def oldest(**values):
        with writing(engine) as connection:
            connection.execute(publications.update().values(**values))
            return deliveries.oldest_due(connection, at)

    assert oldest(wanted_at=at - HOUR, next_attempt_at=0) == at - HOUR
    assert oldest(next_attempt_at=at - MINUTE, attempts=2) == at - MINUTE
    assert oldest(next_attempt_at=at + MINUTE) is None
    assert oldest(next_attempt_at=0, failed_at=at) is None
    assert oldest(failed_at=None, accepted_version=10**6, wanted_version=10**6) is None


def test_a_discarded_delivery_says_so(shop, engine):
    shop.locations("downtown")
    shop.sku(JACKET)
    shop.channel("web", publish={})
    shop.listing("web", JACKET, "w")
    with writing(engine) as connection:
        connection.execute(publications.update().values(discarded_at=1, failed_at=1))
        [row] = deliveries.page(connection, deliveries.Filter(), now=now(), limit=9)

    assert row["state"] == "discarded"


def test_several_locations_at_one_place_are_all_named(shop, engine):
    shop.locations("north", "south")
    shop.channel("web", mapped={"north": "1", "south": "1"}, publish={})

    with engine.connect() as connection:
        assert list(deliveries.places(connection).values()) == ["north,south"]
