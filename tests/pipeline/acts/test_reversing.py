"""A reversal is a stock event like any other: it can be told again from the log."""

import sqlalchemy as sa

from app.domain import events as kinds
from app.domain.events import StockEvent
from app.domain.instants import SECOND, now
from app.pipeline.acts import facts, reversing
from app.pipeline.apply import apply
from app.pipeline.applying.told import Told, event_of
from app.pipeline.house import read_house
from app.pipeline.proving.audit import differences
from app.store.engine import applying
from app.store.tables import ledger, lines, stock_events, stock_levels
from tests.builders import JACKET, sale


def adjusted(change, name):
    return StockEvent(
        kinds.ADJUSTED,
        change,
        now(),
        now(),
        sku=JACKET,
        place="downtown",
        fact=name,
        line="1",
        reason="because",
    )


def tell_all_again(shop):
    """Replay the log into an empty database."""
    with applying(shop.engine) as connection:
        rows = connection.execute(sa.select(stock_events).order_by("id")).all()
        for table in (ledger, lines, stock_levels, stock_events):
            connection.execute(table.delete())
        connection.execute(sa.text("DELETE FROM checkpoints"))
        for row in rows:
            said = [event_of(row)]
            told = Told(row.channel_id, said, row.recorded_at, actor=row.actor)
            apply(connection, read_house(connection), [told], row.recorded_at)


def test_replaying_the_log_gives_the_same_levels(shop):
    for name, change in (("a", -2), ("b", 3)):
        facts.record(shop.engine, [adjusted(change, name)], actor="me", now=now())
    shop.tell("till", sale("T-1", JACKET, 1, at=now() - SECOND))
    with shop.engine.connect() as connection:
        entry = connection.execute(
            sa.select(ledger.c.id).where(ledger.c.quantity == 2)
        ).scalar_one()
    reversing.reverse(shop.engine, entry, "a mistake", actor="me", now=now())
    before = shop.level(JACKET)
    assert before == {"available": 12}

    tell_all_again(shop)

    assert shop.level(JACKET) == before
    with shop.engine.connect() as connection:
        assert differences(connection) == []
        named = connection.execute(
            sa.select(ledger.c.reverses).where(ledger.c.reverses.is_not(None))
        )
        assert len(named.all()) == 1


def test_a_reversal_that_is_told_before_its_mistake_undoes_it_all_the_same(shop):
    mistake = adjusted(-2, "a")
    reversal = StockEvent(
        kinds.REVERSED,
        1,
        mistake.occurred_at,
        mistake.version + 1,
        sku=JACKET,
        line="1",
        fact="api:adjusted:a:1",
        of="a",
        scope=kinds.ADJUSTED,
    )

    facts.record(shop.engine, [reversal, mistake], actor="me", now=now())

    assert shop.level(JACKET) == {"available": 10}
