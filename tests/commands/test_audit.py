"""`onecount audit` and `onecount rebuild`: what they say, and how they end."""

import pytest
import sqlalchemy as sa

from app.domain.instants import HOUR, now
from app.store.engine import applying
from app.store.tables import ledger, lines, stock_events, stock_levels
from tests.builders import JACKET, order, sale


def furnish(hub):
    hub.locations("downtown")
    hub.channel("till")
    hub.sku(JACKET)
    hub.count(JACKET, "downtown", 5, at=now() - HOUR)
    hub.tell("till", sale("T", JACKET, 2, at=now()))


def test_a_difference_is_told_in_words_and_rebuilt(hub, onecount):
    furnish(hub)
    assert onecount("audit").exit_code == 0
    assert "1 SKUs at 1 locations: right." in onecount("audit", "--quick").output
    with applying(hub.engine) as connection:
        connection.execute(stock_levels.update().values(available=sa.literal(4)))

    told = onecount("audit", "--seed", "7")

    assert told.exit_code == 1
    assert f"{JACKET} at downtown: available is 4" in told.output
    assert "told again make it 3" in told.output
    assert "--seed 7" in told.output
    quick = onecount("audit", "--quick").output
    assert "told again" not in quick
    assert quick.endswith("\n2 differences.\n")

    done = onecount("rebuild")

    assert done.exit_code == 0, done.output
    assert "stock events told again: 1 numbers changed" in done.output
    assert hub.level(JACKET) == {"available": 3}
    assert onecount("audit").exit_code == 0


def test_cases_that_say_something_else_are_told_of_and_rebuilt(hub, onecount):
    furnish(hub)
    hub.tell("till", order("1", JACKET, 1, at=now()))
    with applying(hub.engine) as connection:
        spoiled = lines.update().where(lines.c.case_key == "till/order/T")
        connection.execute(spoiled.values(posted="[]"))
        connection.execute(lines.delete().where(lines.c.case_key == "till/order/1"))

    told = onecount("audit")

    assert told.exit_code == 1
    assert "order 1 of till, line 1: it is not known here" in told.output
    assert f"order T of till, line 1: the units of {JACKET} posted from" in told.output
    assert "are 0, all its stock events told again make it 2" in told.output

    done = onecount("rebuild")

    assert done.exit_code == 0, done.output
    assert "Changed: order 1 of till, line 1: it is not known here" in done.output
    assert "0 numbers changed, 0 ledger entries added" in done.output
    assert onecount("audit").exit_code == 0
    hub.tell("till", sale("T", JACKET, 1, at=now()))
    assert onecount("audit").exit_code == 0


def test_one_difference_is_told_as_one(hub, onecount):
    furnish(hub)
    with applying(hub.engine) as connection:
        entry = ledger.update().where(ledger.c.id == 1)
        connection.execute(entry.values(event_id=999))

    assert onecount("audit", "--quick").output.endswith("\n1 difference.\n")


@pytest.mark.parametrize("details", ["{", "[]", '{"colour": "blue"}'])
def test_an_event_that_cannot_be_read_is_named(hub, onecount, details):
    furnish(hub)
    with applying(hub.engine) as connection:
        connection.execute(stock_levels.update().values(available=sa.literal(4)))
        spoiled = stock_events.update().where(stock_events.c.kind == "counted")
        connection.execute(spoiled.values(details=details))

    audited, rebuilt = onecount("audit"), onecount("rebuild")

    assert f"{JACKET} at downtown: available is 4" in audited.output
    for said in (audited, rebuilt):
        assert said.exit_code == 1
        assert "stock event 1 (" in said.output
        assert ") cannot be told again" in said.output


def test_a_rebuild_of_what_is_right_says_so(hub, onecount):
    furnish(hub)

    done = onecount("rebuild")

    assert done.exit_code == 0, done.output
    assert "0 numbers changed, 0 ledger entries added" in done.output
