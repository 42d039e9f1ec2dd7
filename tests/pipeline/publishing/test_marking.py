"""Marking: the ledger read on, channel by channel."""

import pytest
import sqlalchemy as sa

from app.domain.instants import now
from app.pipeline.publishing import marking
from app.store.configuration import channels
from app.store.publishing import deliveries
from app.store.publishing.marks import last_entry
from app.store.tables import channels as table, publications
from tests.builders import JACKET, sale

SHIRT = "WHITE-SHIRT-M"


def channel(shop, key):
    with shop.engine.connect() as connection:
        return channels.row(connection, key)


def wanted(shop, key):
    with shop.engine.connect() as connection:
        return (
            connection.execute(
                sa.select(publications.c.wanted_version)
                .join(table, table.c.id == publications.c.channel_id)
                .where(table.c.key == key)
                .order_by(publications.c.id)
            )
            .scalars()
            .all()
        )


def settle(shop, key):
    """As if the channel had been told everything."""
    marking.mark(shop.engine, channel(shop, key), now())
    with shop.engine.begin() as connection:
        connection.execute(
            publications.update()
            .where(publications.c.channel_id == channel(shop, key)["id"])
            .values(accepted_version=publications.c.wanted_version)
        )


def states(shop, key):
    with shop.engine.connect() as connection:
        looked_at = deliveries.Filter(channel=key)
        rows = deliveries.page(connection, looked_at, now=now(), limit=10)
        return [row["state"] for row in rows]


def sell(shop, number, sku=JACKET):
    shop.tell("till", sale(f"T-{number}", sku, 1, at=now()))


def test_a_change_is_not_settled_before_anybody_has_marked_it(shop):
    settle(shop, "web")
    assert states(shop, "web") == ["settled"]

    sell(shop, 1)
    assert states(shop, "web") == ["waiting"]

    marking.mark(shop.engine, channel(shop, "web"), now())
    assert states(shop, "web") == ["waiting"]


def test_many_changes_are_one_mark_and_the_next_look_finds_nothing(shop):
    settle(shop, "web")
    (before,) = wanted(shop, "web")
    for number in range(5):
        sell(shop, number)

    assert marking.mark(shop.engine, channel(shop, "web"), now())
    assert wanted(shop, "web") == [before + 1]

    assert not marking.mark(shop.engine, channel(shop, "web"), now())
    assert wanted(shop, "web") == [before + 1]


def test_only_what_changed_is_marked(shop):
    shop.sku(SHIRT)
    shop.listing("web", SHIRT, SHIRT)
    shop.count(SHIRT, "downtown", 3)
    settle(shop, "web")
    jacket, shirt = wanted(shop, "web")

    sell(shop, 1, SHIRT)
    marking.mark(shop.engine, channel(shop, "web"), now())

    assert wanted(shop, "web") == [jacket, shirt + 1]
    assert states(shop, "web") == ["settled", "waiting"]


def test_a_long_backlog_is_marked_in_portions(shop, monkeypatch):
    monkeypatch.setattr(marking, "PORTION", 2)
    settle(shop, "web")
    (before,) = wanted(shop, "web")
    for number in range(5):
        sell(shop, number)

    marking.mark(shop.engine, channel(shop, "web"), now())

    assert wanted(shop, "web") == [before + 3]
    with shop.engine.connect() as connection:
        assert channel(shop, "web")["marked_to"] == last_entry(connection)


@pytest.mark.parametrize("portion", [500, 2])
def test_who_writes_next_finds_everything_marked(shop, monkeypatch, portion):
    """Just behind the ledger, or far."""
    monkeypatch.setattr(marking, "PORTION", portion)
    settle(shop, "web")
    (before,) = wanted(shop, "web")
    for number in range(5):
        sell(shop, number)

    with shop.engine.connect() as connection:
        newest = last_entry(connection)
    seen = channel(shop, "web")
    with marking.marked(shop.engine, seen, newest, now()) as connection:
        marked = connection.execute(sa.select(publications.c.wanted_version)).scalars()
        assert max(marked) > before

    assert channel(shop, "web")["marked_to"] == newest
    with marking.marked(shop.engine, channel(shop, "web"), newest, now()):
        pass
    assert channel(shop, "web")["marked_to"] == newest


def test_of_two_who_mark_at_once_one_moves_the_mark(shop):
    settle(shop, "web")
    sell(shop, 1)
    seen = channel(shop, "web")
    sell(shop, 2)

    marking.mark(shop.engine, seen, now())
    (once,) = wanted(shop, "web")
    # The other had read the channel before; it marks again and says nothing new.
    marking.mark(shop.engine, seen, now())

    with shop.engine.connect() as connection:
        assert channel(shop, "web")["marked_to"] == last_entry(connection)
    assert wanted(shop, "web") == [once + 1]
    assert states(shop, "web") == ["waiting"]


def test_all_channels_that_publish_are_marked_and_woken(shop):
    shop.channel("listens", publish=None)
    settle(shop, "web")
    settle(shop, "till")
    sell(shop, 1)

    woken = marking.mark_all(shop.engine, now())

    assert woken == {"outbound:web", "outbound:till"}
    assert states(shop, "web") == states(shop, "till") == ["waiting"]


def test_a_channel_that_begins_to_publish_does_not_read_the_past(shop):
    sell(shop, 1)
    shop.channel("late", publish=None)
    sell(shop, 2)
    shop.channel("late", publish={})

    with shop.engine.connect() as connection:
        assert channel(shop, "late")["marked_to"] == last_entry(connection)


def test_a_channel_that_stopped_publishing_waits_for_nothing(shop):
    settle(shop, "web")
    shop.channel("web", publish=None)
    sell(shop, 1)

    assert states(shop, "web") == ["settled"]
