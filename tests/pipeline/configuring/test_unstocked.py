"""What is not stock moves nothing, until somebody says that it is."""

import pytest
import sqlalchemy as sa

from app.domain.errors import BadConfiguration, UnknownName
from app.domain.instants import MINUTE, now
from app.pipeline.configuring.listings import map_listing
from app.pipeline.configuring.unstocked import leave_out, take_in
from app.pipeline.proving.audit import differences
from app.pipeline.proving.rehearsal import rehearse
from app.pipeline.repairing.replaying import replay
from app.store.tables import stock_events
from tests.builders import JACKET, order, sale, shipment

WRAP = "GIFT-WRAP"


def is_right(shop):
    with shop.engine.connect() as connection:
        return differences(connection) == [] == list(rehearse(connection, now(), 3))


def verdicts(shop, item=WRAP):
    query = sa.select(stock_events.c.verdict, stock_events.c.waits_for).where(
        stock_events.c.details.contains(item)
    )
    with shop.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(query)]


def test_its_lines_move_nothing_and_wait_for_nobody(shop):
    shop.tell("till", sale("T", WRAP, 2, at=now() - MINUTE))
    leave_out(shop.engine, "till", WRAP, now=now())
    shop.tell("till", sale("U", WRAP, 1, at=now()))

    assert shop.messages() == [("ignored", f"{WRAP} is not stock")] * 2
    assert verdicts(shop) == [("not stock", f"sku:till:{WRAP}")] * 2
    assert shop.level(JACKET) == {"available": 10}
    assert is_right(shop)


def test_the_other_lines_of_its_message_are_in_the_stock(shop):
    leave_out(shop.engine, "till", WRAP, now=now())
    leave_out(shop.engine, "till", WRAP, now=now())
    both = sale("T", WRAP, 2, at=now())
    jacket = sale("T", JACKET, 1, at=now())["lines"][0] | {"id": "2"}
    shop.tell("till", both | {"lines": [*both["lines"], jacket]})

    assert shop.messages() == [("applied", f"{WRAP} is not stock")]
    assert shop.level(JACKET) == {"available": 9}
    assert is_right(shop)


def test_it_is_so_on_that_channel_alone(shop):
    leave_out(shop.engine, "web", WRAP, now=now())
    shop.tell("till", sale("T", WRAP, 2, at=now()))

    assert shop.messages() == [("parked", f"unknown sku {WRAP}")]


def test_once_it_is_mapped_all_that_was_told_applies(shop):
    shop.sku("WRAP-1")
    shop.tell("till", sale("T", WRAP, 2, at=now() - MINUTE))
    leave_out(shop.engine, "till", WRAP, now=now())
    shop.tell("till", sale("U", WRAP, 1, at=now()))

    map_listing(shop.engine, "till", "WRAP-1", WRAP, now=now())

    assert shop.messages() == [("applied", None)] * 2
    assert shop.level("WRAP-1") == {"available": -3}
    assert [verdict for verdict, _ in verdicts(shop)] == ["posted"] * 2
    shop.tell("till", sale("V", WRAP, 1, at=now()))
    assert shop.level("WRAP-1") == {"available": -4}
    assert is_right(shop)


def test_taken_in_again_it_waits_for_its_sku(shop):
    leave_out(shop.engine, "till", WRAP, now=now())
    shop.tell("till", sale("T", WRAP, 2, at=now() - MINUTE))

    take_in(shop.engine, "till", WRAP, now=now())
    take_in(shop.engine, "till", WRAP, now=now())
    shop.tell("till", sale("U", WRAP, 1, at=now()))

    assert shop.messages() == [("parked", f"unknown sku {WRAP}")] * 2


def test_a_line_that_moved_units_before_stays_what_it_was(shop):
    shop.sku(WRAP)
    shop.tell("web", order("7", WRAP, 3, at=now() - MINUTE))
    leave_out(shop.engine, "web", WRAP, now=now())
    shop.tell("web", order("7", WRAP, 2, at=now()))
    shop.tell("web", order("8", WRAP, 1, at=now()))

    assert shop.level(WRAP) == {"available": -2, "committed": 2}
    assert shop.messages()[-1] == ("ignored", f"{WRAP} is not stock")
    assert is_right(shop)


def test_reading_it_again_changes_nothing(shop):
    leave_out(shop.engine, "web", WRAP, now=now())
    shop.tell("web", order("7", WRAP, 3, at=now()))
    shop.tell("web", shipment("7", WRAP, 1, at=now()))
    before = verdicts(shop)

    assert replay(shop.engine) == 2
    shop.apply()

    assert verdicts(shop) == before
    assert shop.messages() == [("ignored", f"{WRAP} is not stock")] * 2


def test_a_line_that_waits_for_more_says_what_it_waits_for_now(shop):
    shop.locations("harbour")
    shop.sku("WRAP-1")
    shop.tell("till", sale("T", WRAP, 2, at=now()))
    assert shop.messages() == [("parked", f"unknown sku {WRAP}")]

    map_listing(shop.engine, "till", "WRAP-1", WRAP, now=now())

    assert shop.messages() == [("parked", "unknown location (none named)")]


def test_an_item_that_is_mapped_is_stock(shop):
    map_listing(shop.engine, "web", JACKET, "j-1", "j", now=now())

    for item in ("j-1", "j"):
        with pytest.raises(BadConfiguration, match=f"is {JACKET} on web"):
            leave_out(shop.engine, "web", item, now=now())
    for act in (leave_out, take_in):
        with pytest.raises(UnknownName):
            act(shop.engine, "nobody", WRAP, now=now())
