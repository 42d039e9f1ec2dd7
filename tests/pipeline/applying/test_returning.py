"""One unit that comes back is one unit, however many systems tell of it, in any order."""

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings, strategies as st

from app.domain.instants import HOUR, MINUTE, iso, now
from app.store.engine import writing
from app.store.tables import metadata, return_cases
from tests.builders import JACKET, Shop, order, shipment

BEGIN = now() - 5 * HOUR
KEPT = {"locations", "channels", "channel_locations", "skus", "listings"}

bounded = settings(
    phases=[Phase.explicit, Phase.generate],
    max_examples=25,
    suppress_health_check=list(HealthCheck),
)


def back(fact, minute, **more):
    return {
        "type": "return",
        "id": fact,
        "order": "1001",
        "channel": "web",
        "occurred_at": iso(BEGIN + minute * MINUTE),
        "lines": [{"id": "1", "sku": JACKET, "quantity": 1}],
    } | more


SOLD = ("web", order("1001", JACKET, 2, at=BEGIN))
SHIPPED = (
    "web",
    shipment("1001", JACKET, 2, at=BEGIN + MINUTE, location="downtown"),
)
REFUND = ("web", back("refund-1", 10, stage="advised"))
TILL = ("till", back("T-9", 20, location="downtown"))
SCAN = ("parcels", back("scan-1", 30, stage="advised"))
WAREHOUSE = ("wms", back("W-1", 40, location="downtown"))
STORY = (SOLD, SHIPPED, REFUND, TILL, SCAN, WAREHOUSE)


@pytest.fixture
def house(engine):
    shop = Shop(engine)
    shop.locations("downtown")
    for key in ("web", "till", "parcels", "wms"):
        shop.channel(key)
    shop.sku(JACKET)
    yield shop
    shop.receiver.close()


def emptied(shop):
    with writing(shop.engine) as connection:
        for table in reversed(metadata.sorted_tables):
            if table.name not in KEPT:
                connection.execute(table.delete())
    shop.count(JACKET, "downtown", 10, at=BEGIN - MINUTE)
    return shop


def guard(shop, custodian):
    shop.locations("downtown", custodian=custodian)


@given(st.data())
@bounded
@pytest.mark.parametrize("custodian", [None, "wms"])
def test_one_unit_told_by_four_systems_in_any_order_is_one_unit(house, custodian, data):
    shop = emptied(house)
    guard(shop, custodian)
    told = data.draw(
        st.permutations(STORY + tuple(data.draw(st.permutations(STORY))[:3]))
    )

    for channel, body in told:
        shop.tell(channel, body)

    assert shop.level(JACKET) == {"available": 9}
    with shop.engine.connect() as connection:
        [case] = connection.execute(sa.select(return_cases)).all()
    assert (case.advised, case.received, case.sellable) == (1, 1, 1)
    assert case.surplus == 0


@given(st.data())
@bounded
def test_where_a_custodian_is_named_only_its_word_moves_the_unit(house, data):
    shop = emptied(house)
    guard(shop, "wms")
    others = data.draw(st.permutations((SOLD, SHIPPED, REFUND, TILL, SCAN)))

    for channel, body in (*others, TILL):
        shop.tell(channel, body)

    assert shop.level(JACKET) == {"available": 8}
    with shop.engine.connect() as connection:
        [case] = connection.execute(sa.select(return_cases)).all()
    assert (case.advised, case.received) == (1, 0)
    shop.tell(*WAREHOUSE)
    assert shop.level(JACKET) == {"available": 9}


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["till", "wms", "parcels"]),
            st.sampled_from(["A", "B"]),
            st.integers(0, 3),
            st.sampled_from(["sellable", "inspect", "damaged", None]),
        ),
        max_size=6,
    ),
    st.integers(0, 3),
)
@bounded
def test_disposed_never_exceeds_received_nor_received_what_was_shipped(
    house, reports, shipped
):
    shop = emptied(house)
    guard(shop, None)
    shop.tell(*SOLD)
    at = BEGIN + MINUTE
    out = shipment("1001", JACKET, shipped, at=at, location="downtown")
    shop.tell("web", out)

    for minute, (channel, fact, units, disposition) in enumerate(reports, 2):
        where = (
            {"stage": "advised"} if disposition is None else {"location": "downtown"}
        )
        body = back(f"{fact}{minute}", minute, **where)
        body["lines"][0] |= {"quantity": units}
        if disposition is not None:
            body["lines"][0]["disposition"] = disposition
        shop.tell(channel, body)

    level = shop.level(JACKET)
    promised = level.get("committed", 0)
    physically = sum(
        level.get(state, 0) for state in ("available", "inspection", "damaged")
    )
    assert 10 - shipped <= physically + promised <= 10
    with shop.engine.connect() as connection:
        for case in connection.execute(sa.select(return_cases)):
            disposed = case.sellable + case.to_judge + case.damaged
            assert disposed <= min(case.received, shipped)
            assert case.received == disposed + case.surplus
