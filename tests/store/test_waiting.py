"""What waits in the inbox to be applied: found, claimed, written back."""

import re

import sqlalchemy as sa

from app.store.engine import is_sqlite, reading, writing
from app.store.receiving import messages, waiting as store
from app.store.tables import inbox


def stored(engine, count, **values):
    """Messages of one channel; their ids."""
    given = {"channel_id": 1, "body_hash": "h", "received_at": 5, "body": b"sealed"}
    with writing(engine) as connection:
        return [
            connection.execute(
                inbox.insert().values(delivery_id=f"d-{number}", **{**given, **values})
            ).inserted_primary_key[0]
            for number in range(count)
        ]


def test_those_that_have_waited_for_longest_come_first(engine):
    ids = stored(engine, 3)
    stored(engine, 1, lane="fetch", channel_id=2)
    stored(engine, 1, state="applied", channel_id=3)
    with reading(engine) as connection:
        assert store.longest(connection, 2) == ids[:2]
        assert store.longest(connection, 9) == ids


def test_what_is_read_again_lets_everything_else_go_first(engine):
    again = stored(engine, 2, lane=store.AGAIN, received_at=3)
    new = stored(engine, 2, channel_id=2)
    with writing(engine) as connection:
        assert store.longest(connection, 3) == [*new, again[0]]
        assert messages.oldest_waiting(connection) == 5, "it waited long ago"
        claimed = store.claim(connection, [*again, *new])
    assert [one.id for one in claimed] == [*again, *new]
    assert [one.is_read_again for one in claimed] == [True, True, False, False]


def test_what_was_applied_meanwhile_is_not_claimed(engine):
    first, second = stored(engine, 2)
    settled = ("applied", "apply", "order", "{}", None, None, 7, None, first)
    with writing(engine) as connection:
        store.settle(connection, [settled])
    with writing(engine) as connection:
        (claimed,) = store.claim(connection, [first, second])
        done = store.message(connection, first)
    assert (claimed.id, claimed.body, claimed.received_at) == (second, b"sealed", 5)
    assert (done.topic, done.document, done.body) == ("order", "{}", None)


def test_what_waits_is_found_by_an_index_of_its_own(engine):
    words = "EXPLAIN QUERY PLAN" if is_sqlite(engine) else "EXPLAIN"
    query = store._LONGEST.replace("{given}", "10")
    with writing(engine) as connection:
        if not is_sqlite(engine):
            connection.execute(sa.text("SET LOCAL enable_seqscan = off"))
        plan = connection.exec_driver_sql(f"{words} {query}").all()
    assert str(plan).count("ix_inbox_waiting") == 2
    assert not re.search(r"\bSort\b|TEMP B-TREE", str(plan)), plan
