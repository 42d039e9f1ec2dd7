"""Levels: made when first needed, changed by increments, never below what can be."""

import threading

import pytest
import sqlalchemy as sa

from app.store.engine import writing
from app.store.stock import levels
from app.store.tables import stock_levels


def level(engine, spot):
    with writing(engine) as connection:
        return levels.lock(connection, [spot])[spot]


def units(engine, spot):
    """How many units are in each state there."""
    id_ = level(engine, spot).id
    with engine.connect() as connection:
        return levels.all_quantities(connection, [id_])[id_]


def test_a_level_is_made_once_and_starts_at_nothing(engine, places):
    (sku, _), (place, _) = places
    first, again = level(engine, (sku, place)), level(engine, (sku, place))

    assert first.id == again.id
    assert set(units(engine, (sku, place)).values()) == {0}
    assert first.counted_at is None


def test_increments_add_up_and_may_sell_what_is_not_there(engine, places):
    (sku, _), (place, _) = places
    id_ = level(engine, (sku, place)).id
    for change in ({"available": 5, "supplier": -5}, {"available": -7, "customer": 7}):
        with writing(engine) as connection:
            levels.add(connection, {id_: change})

    found = units(engine, (sku, place))
    assert {s: found[s] for s in ("available", "supplier", "customer")} == {
        "available": -2,
        "supplier": -5,
        "customer": 7,
    }


@pytest.mark.parametrize("state", ["reserved", "committed", "inspection", "damaged"])
def test_what_is_physically_there_is_never_less_than_nothing(engine, places, state):
    (sku, _), (place, _) = places
    id_ = level(engine, (sku, place)).id
    with pytest.raises(sa.exc.IntegrityError), writing(engine) as connection:
        levels.add(connection, {id_: {state: -1, "available": 1}})
    assert units(engine, (sku, place))["available"] == 0


def test_writers_in_any_order_of_skus_neither_lose_units_nor_wait_for_ever(
    engine, places
):
    names, (place, _) = places
    spots = [(sku, place) for sku in names]
    together = threading.Barrier(4, timeout=20)

    def write(order: list[tuple[int, int]]) -> None:
        together.wait()
        for _ in range(10):
            with writing(engine) as connection:
                locked = levels.lock(connection, order)
                changes = {locked[spot].id: {"available": 1} for spot in order}
                levels.add(connection, changes)

    threads = [
        threading.Thread(target=write, args=(spots[:: 1 if n % 2 else -1],))
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with engine.connect() as connection:
        found = connection.execute(sa.select(stock_levels.c.available)).scalars().all()
    assert found == [40, 40]
