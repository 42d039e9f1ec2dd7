"""Rebuilding: what follows from stock events is made anew, and the ledger kept."""

import pytest
import sqlalchemy as sa
from hypothesis import given, settings, strategies as st

from app.domain.errors import NotRebuilt
from app.domain.instants import HOUR, MINUTE, now
from app.pipeline.acts import holding
from app.pipeline.proving import sealing
from app.pipeline.proving.audit import differences
from app.pipeline.proving.rehearsal import rehearse
from app.pipeline.repairing.rebuilding import rebuild
from app.store.engine import applying
from app.store.tables import (
    checkpoints,
    ledger,
    lines,
    publications,
    stock_events,
    stock_levels,
)
from tests.builders import JACKET, cancellation, order, returned, sale, shipment
from tests.pipeline.test_properties import (
    any_story,
    bounded,
    furnish,
    hasty,
    picture,
    told_in,
)


def before() -> int:
    """After what the shop counted when it opened, whenever the test began."""
    return now() - HOUR // 2


@pytest.fixture
def busy(shop):
    at = before() + MINUTE
    shop.locations("harbour")
    shop.tell("web", order("1", JACKET, 3, at=at))
    shop.tell("web", shipment("1", JACKET, 2, at=at + MINUTE, location="downtown"))
    shop.tell("web", returned("1", JACKET, 1, at=at + HOUR // 4, location="downtown"))
    shop.tell("web", order("2", JACKET, 2, at=at), cancellation("2", JACKET, 1, at=at))
    shop.tell("till", sale("T", JACKET, 1, at=at, location="downtown"))
    shop.count(JACKET, "downtown", 9, at=at + HOUR // 2)
    held = [{"sku": JACKET, "quantity": 2, "location": "downtown"}]
    holding.hold(shop.engine, held, 600, actor="test", now=now())
    return shop


def spoil(shop, *statements):
    with applying(shop.engine) as connection:
        for statement in statements:
            connection.execute(statement)


def rows(shop, table):
    with shop.engine.connect() as connection:
        columns = [column for column in table.c if column.name != "id"]
        return sorted(map(repr, connection.execute(sa.select(*columns))))


def agrees(shop):
    with shop.engine.connect() as connection:
        return differences(connection) == [] == list(rehearse(connection, now(), 3))


def test_where_nothing_is_wrong_nothing_is_changed(busy):
    tables = (lines, checkpoints, stock_levels, ledger, stock_events, publications)
    before = [rows(busy, table) for table in tables]

    done = rebuild(busy.engine, now())

    assert (done.before, done.levels, done.after) == ([], [], [])
    assert (done.entries, done.wanted, done.lanes) == (0, 0, set())
    assert [rows(busy, table) for table in tables] == before


def test_everything_that_follows_from_stock_events_is_made_anew(busy):
    kept = (lines, checkpoints, stock_levels)
    before = [rows(busy, table) for table in kept]
    zero = {c.name: 0 for c in stock_levels.c[3:-1]} | {"counted_at": None}
    spoil(
        busy,
        lines.delete(),
        checkpoints.delete(),
        stock_levels.update().values(**zero),
    )

    done = rebuild(busy.engine, now())

    assert [rows(busy, table) for table in kept] == before
    assert done.before
    assert done.levels
    assert done.entries == 0, "the ledger was right"
    assert done.wanted == 2
    assert done.lanes == {"outbound:web", "outbound:till"}
    assert agrees(busy)


def test_a_ledger_that_says_something_else_gets_entries_and_keeps_its_own(busy):
    """Somebody changed an entry, and the level with it: no sum can tell."""
    right = busy.level(JACKET)
    old = rows(busy, ledger)
    with busy.engine.connect() as connection:
        wrong = connection.execute(
            sa.select(ledger).where(ledger.c.kind == "shipped").limit(1)
        ).one()
    more = {"available": stock_levels.c.available - 4}
    spoil(
        busy,
        ledger.update().where(ledger.c.id == wrong.id).values(quantity=6),
        stock_levels.update()
        .where(stock_levels.c.location_id == wrong.from_location_id)
        .values(customer=stock_levels.c.customer + 4, **more),
    )
    spoiled = rows(busy, ledger)
    assert spoiled != old

    done = rebuild(busy.engine, now())

    assert busy.level(JACKET) == right
    assert set(spoiled) < set(rows(busy, ledger)), "what is written stays"
    with busy.engine.connect() as connection:
        added = connection.execute(
            sa.select(ledger).where(ledger.c.kind == "rebuilt")
        ).all()
    assert [(row.quantity, row.occurred_at) for row in added] == [
        (4, wrong.occurred_at)
    ]
    assert all(row.reason for row in added)
    assert done.entries == 1
    assert done.wanted == 2
    assert agrees(busy)
    assert rebuild(busy.engine, now()).entries == 0


def test_what_stock_events_cannot_mend_is_still_said(busy):
    sealing.seal(busy.engine, now() + MINUTE)
    spoil(busy, ledger.update().where(ledger.c.id == 1).values(actor="nobody"))

    done = rebuild(busy.engine, now())

    assert len(done.after) == 1
    assert "sealed" in done.after[0]


def test_it_refuses_while_somebody_applies(busy, monkeypatch):
    monkeypatch.setattr("app.store.engine.AT_ONCE", 0.2)
    before = rows(busy, lines)
    with applying(busy.engine), pytest.raises(NotRebuilt, match="stop the workers"):
        rebuild(busy.engine, now())

    assert rows(busy, lines) == before


def test_what_is_told_afterwards_goes_on_from_there(busy):
    busy.tell("web", order("3", JACKET, 1, at=before()))
    rebuild(busy.engine, now())
    busy.tell("web", cancellation("3", JACKET, 1, at=now()))
    busy.count(JACKET, "downtown", 5, at=before() + 2 * MINUTE)

    assert agrees(busy)


def test_a_rebuild_after_any_set_of_events_changes_nothing(empty_shop):
    shop = furnish(hasty(empty_shop))

    @settings(bounded, max_examples=25)
    @given(any_story, st.sampled_from([1, 100]))
    def law(story, batch):
        _, mixed = story
        before = told_in(shop, mixed, batch)
        done = rebuild(shop.engine, now())
        assert (done.levels, done.entries) == ([], 0)
        assert picture(shop) == before

    law()


def test_other_rules_are_for_old_lines_too_once_it_is_rebuilt(shop):
    shop.locations("harbour")
    shop.channel("web", publish={}, ships_from="downtown")
    shop.tell("web", order("1", JACKET, 2, at=before()))
    shop.tell("web", shipment("1", JACKET, 2, at=before() + MINUTE))
    shop.channel("web", publish={}, ships_from="harbour")
    assert not agrees(shop)

    done = rebuild(shop.engine, now())

    assert done.entries == 2
    assert shop.level(JACKET, "harbour") == {"available": -2}
    assert agrees(shop)
