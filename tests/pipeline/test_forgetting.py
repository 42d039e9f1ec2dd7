"""Old messages go; what they meant, and what waits for a person, stays."""

import dataclasses

import sqlalchemy as sa

from app.domain.instants import DAY, MINUTE, now
from app.store.engine import writing
from config.settings import Settings
from tests.builders import JACKET, Shop, order, sale
from workers import scheduled
from workers.hands import make


def count(shop: Shop, table: str) -> int:
    with shop.engine.connect() as connection:
        return connection.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one()


def prune(settings: Settings) -> None:
    mine = make(settings)
    scheduled.prune(mine)
    mine.wakes.redis.close()
    mine.engine.dispose()


def test_old_messages_go_and_what_they_meant_stays(shop: Shop, settings: Settings):
    at = now() - MINUTE
    shop.tell("web", order("1001", JACKET, 2, at=at))
    shop.tell("till", sale("T-1", JACKET, 1, at=at), b"{")
    shop.tell("web", order("1003", "NOBODY-KNOWS", 1, at=at))
    with writing(shop.engine) as connection:
        old = {"old": now() - 91 * DAY}
        connection.execute(
            sa.text("UPDATE inbox SET received_at = :old, settled_at = :old"), old
        )
    before = shop.level(JACKET), count(shop, "stock_events")

    prune(dataclasses.replace(settings, inbox_days=92))
    assert count(shop, "inbox") == 4

    prune(settings)
    assert [state for state, _ in shop.messages()] == ["buried", "parked"]
    assert (shop.level(JACKET), count(shop, "stock_events")) == before


def test_a_message_whose_body_is_gone_is_buried_and_says_so(shop: Shop):
    shop.tell("till", b"{")
    with writing(shop.engine) as connection:
        gone = "UPDATE inbox SET state = 'waiting', body = NULL, document = NULL"
        connection.execute(sa.text(gone))

    shop.apply()

    ((state, error),) = shop.messages()
    assert state == "buried"
    assert error == "its body is not kept any more; have it sent again"
