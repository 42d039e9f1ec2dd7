"""Which rows of a channel go next: by lane, by exposure, within the call budget."""

import time

import pytest
import sqlalchemy as sa

from app.domain.budget import BULK, FIRST, RETRY, Budget
from app.domain.instants import MINUTE, SECOND, now
from app.pipeline.house import HouseKeeper
from app.pipeline.publishing.marking import mark_all
from app.pipeline.publishing.turns import Turns
from app.store.engine import writing
from app.store.publishing import due, retries
from app.store.tables import publications
from tests.builders import Shop, sale

LIMIT = 2
WANTED = publications.c.accepted_version + 100


@pytest.fixture
def store(empty_shop) -> Shop:
    """A store that shows ten of each of eight items, and took all of it."""
    shop = empty_shop
    shop.locations("downtown")
    shop.channel("web", publish={})
    shop.channel("till")
    for number in range(8):
        sku = f"SKU-{number}"
        shop.sku(sku)
        shop.listing("web", sku, f"item-{number}")
        shop.count(sku, "downtown", 10)
    mark_all(shop.engine, now())
    everything(
        shop,
        accepted=10,
        accepted_at=1,
        accepted_version=publications.c.wanted_version,
    )
    return shop


def everything(shop: Shop, *ids: int, **values) -> None:
    query = publications.update().values(**values)
    if ids:
        query = query.where(publications.c.id.in_(ids))
    with writing(shop.engine) as connection:
        connection.execute(query)


def sold(shop: Shop, **units: int) -> None:
    """Units that the till sold, by item."""
    for name, quantity in units.items():
        number = name.removeprefix("item")
        told = sale(f"T-{number}-{quantity}", f"SKU-{number}", quantity, at=now())
        shop.tell("till", told)
    mark_all(shop.engine, now())


def turns(shop: Shop) -> Turns:
    return Turns(shop.engine, HouseKeeper())


def taken(turn) -> list[int]:
    """The items of a turn's rows."""
    return [row["id"] - 1 for row in turn.rows]


def test_the_greatest_exposure_goes_first(store):
    sold(store, item0=1, item1=2, item3=7, item5=4)

    turn = turns(store).next(1, LIMIT, None, now())

    assert turn.lane == FIRST
    assert taken(turn) == [3, 5]


def test_of_equal_exposure_the_longest_wanted_goes_first(store):
    sold(store, item6=2)
    sold(store, item2=2)
    sold(store, item4=2)

    assert taken(turns(store).next(1, LIMIT, None, now())) == [6, 2]


def test_what_fits_into_one_call_is_not_ranked(store):
    sold(store, item0=1, item1=2)

    assert set(taken(turns(store).next(1, 8, None, now()))) == {0, 1}
    with store.engine.connect() as connection:
        ranks = connection.execute(sa.select(publications.c.exposure)).scalars().all()
    assert max(ranks) < 0, "a channel that keeps up pays nothing for it"


def test_a_sale_overtakes_bulk_work_that_nobody_ranked_yet(store):
    everything(store, wanted_version=WANTED, exposure=-2, wanted_at=1)
    sold(store, item7=1)

    with store.engine.connect() as connection:
        assert due.due(connection, 1, FIRST, 1, now())[0]["id"] == 8
        assert due.unranked_in(connection, 1, FIRST, 1)[0]["id"] == 8


def test_first_deliveries_are_not_stuck_behind_retries_or_bulk_work(store):
    everything(store, wanted_version=WANTED)
    everything(store, 1, 2, 3, 4, attempts=1, next_attempt_at=now() - MINUTE)
    everything(store, 5, 6, next_attempt_at=1)
    mine = turns(store)

    lanes = [mine.next(1, LIMIT, None, now()).lane for _ in range(6)]

    assert lanes[:2] == [FIRST, FIRST]
    assert lanes.count(FIRST) == 4
    assert lanes.count(RETRY) == lanes.count(BULK) == 1, "but all get their turn"


def test_a_lane_that_is_empty_gives_its_turn_away(store):
    everything(store, 5, 6, wanted_version=WANTED, next_attempt_at=1)
    mine = turns(store)
    assert [mine.next(1, LIMIT, None, now()).lane for _ in range(3)] == [BULK] * 3


def test_retries_wait_for_their_time(store):
    everything(
        store, 1, wanted_version=WANTED, attempts=1, next_attempt_at=now() + MINUTE
    )
    assert not turns(store).next(1, LIMIT, None, now()).rows


def test_many_rows_that_a_person_sets_off_are_bulk_work(store, monkeypatch):
    monkeypatch.setattr(retries, "MANY", 3)
    with writing(store.engine) as connection:
        retries.arm(connection, [1, 2, 3])
        retries.arm(connection, [4])

    mine = turns(store)
    assert taken(mine.next(1, LIMIT, None, now())) == [3]
    with store.engine.connect() as connection:
        assert len(due.due(connection, 1, BULK, 10, now())) == 3

    sold(store, item1=1)
    with store.engine.connect() as connection:
        first = due.due(connection, 1, FIRST, 10, now())
    assert {row["id"] for row in first} == {2, 4}, "what is sold leaves the bulk"


def test_rows_that_keep_failing_are_parted_from_each_other(store):
    tried = {"wanted_version": WANTED, "next_attempt_at": now() - MINUTE}
    everything(store, 1, 2, 3, 4, 5, 6, attempts=6, **tried)
    everything(store, 7, 8, attempts=1, **tried)

    assert len(turns(store).next(1, 8, None, now()).rows) == 2


def bucket(left: float) -> Budget:
    return Budget(left, 100, now(), rate=10, cost=5)


def test_the_last_of_a_budget_is_for_first_deliveries(store):
    everything(store, 1, 2, wanted_version=WANTED, next_attempt_at=1)
    mine = turns(store)
    assert mine.next(1, LIMIT, bucket(60), now()).wait == 0
    assert mine.next(1, LIMIT, bucket(40), now()).wait == pytest.approx(1.5, abs=0.2)

    sold(store, item7=3)
    for _ in range(6):
        turn = mine.next(1, LIMIT, bucket(40), now())
        assert (turn.lane, turn.wait) == (FIRST, 0)
    assert mine.next(1, LIMIT, bucket(4), now()).wait > 0


def test_a_bucket_fills_and_a_window_opens_again():
    at = now()
    filling = Budget(0, 100, at, rate=10, cost=10)
    assert filling.at(at + 2 * SECOND) == 20
    assert filling.wait(FIRST, at) == pytest.approx(1.5)
    assert filling.wait(FIRST, at + 2 * SECOND) == 0

    window = Budget(0, 40, at, resets_at=at + 30 * SECOND)
    assert window.wait(FIRST, at) == 30
    assert window.wait(BULK, at + 30 * SECOND) == 0
    assert Budget.of(window.written()) == window
    assert Budget.of(None) is None


# -- a hundred thousand ---------------------------------------------------------------


def fill(shop: Shop, count: int) -> None:
    """So many listings that want to be told."""
    numbers = (
        f"WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n "
        f"WHERE i < {999 + count}) "
    )
    with writing(shop.engine) as connection:
        for statement in (
            "INSERT INTO skus (id, sku) {n} SELECT i, 'S-' || i FROM n",
            (
                "INSERT INTO listings (id, channel_id, sku_id, external_id) "
                "{n} SELECT i, 1, i, 'x-' || i FROM n"
            ),
            (
                "INSERT INTO publications (id, channel_id, listing_id, sku_id, "
                "wanted_version, wanted_at, exposure, accepted, accepted_at) "
                "{n} SELECT i, 1, i, i, 1, i, i - i / 50 * 50, 5, 1 FROM n"
            ),
        ):
            with_, _, rest = statement.partition("{n}")
            connection.exec_driver_sql(f"{with_} {numbers} {rest}")
    with shop.engine.connect().execution_options(
        isolation_level="AUTOCOMMIT"
    ) as connection:
        connection.exec_driver_sql("ANALYZE")


def quickest(shop: Shop, lane: str) -> float:
    times = []
    for _ in range(9):
        with shop.engine.connect() as connection:
            began = time.perf_counter()
            rows = due.due(connection, 1, lane, 100, now())
            times.append(time.perf_counter() - began)
            assert len(rows) == 100
    return min(times)


def test_a_claim_costs_the_same_however_much_is_wanted(empty_shop):
    shop = empty_shop
    shop.locations("downtown")
    shop.channel("web", publish={})
    fill(shop, 1000)
    few = quickest(shop, FIRST)
    with writing(shop.engine) as connection:
        for table in ("publications", "listings", "skus"):
            connection.exec_driver_sql(f"DELETE FROM {table}")
    fill(shop, 100_000)

    many = quickest(shop, FIRST)
    assert many < 5 * few
    with shop.engine.connect() as connection:
        best = due.due(connection, 1, FIRST, 100, now())
    assert {row["exposure"] for row in best} == {49}
    assert "ix_publications_due" in plan(shop)
    assert "Sort" not in plan(shop)
    assert "TEMP B-TREE" not in plan(shop)

    everything(shop, attempts=1, next_attempt_at=publications.c.wanted_at)
    assert quickest(shop, RETRY) < 20 * few, "reads ten batches to choose one"


def plan(shop: Shop) -> str:
    """How the database goes about a claim: the very statement, explained."""
    asked: list[tuple[str, object]] = []

    def hear(connection, cursor, statement, parameters, context, many):
        asked.append((statement, parameters))

    word = "EXPLAIN QUERY PLAN" if shop.engine.name == "sqlite" else "EXPLAIN"
    with shop.engine.connect() as connection:
        sa.event.listen(connection, "before_cursor_execute", hear)
        due.due(connection, 1, FIRST, 100, now())
        sa.event.remove(connection, "before_cursor_execute", hear)
        statement, parameters = asked[-1]
        said = connection.exec_driver_sql(f"{word} {statement}", parameters).all()
    return "\n".join(str(tuple(row)) for row in said)
