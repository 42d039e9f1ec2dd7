"""A person says that messages mean nothing here; their senders tell them anew."""

import pytest
import sqlalchemy as sa

from app.domain.instants import MINUTE, now
from app.pipeline.configuring.listings import map_listing
from app.pipeline.configuring.parked import drop_outdated
from app.pipeline.proving.audit import differences
from app.pipeline.proving.rehearsal import rehearse
from app.pipeline.repairing.dismissing import dismiss
from app.pipeline.repairing.replaying import replay
from app.store.engine import writing
from app.store.tables import inbox, stock_events
from tests.builders import JACKET, sale

TYPO = "BLUE-JACKT-M"


def is_right(shop):
    with shop.engine.connect() as connection:
        return differences(connection) == [] == list(rehearse(connection, now(), 3))


def states(shop):
    return [state for state, _ in shop.messages()]


def verdicts(shop):
    with shop.engine.connect() as connection:
        query = sa.select(stock_events.c.verdict).where(
            stock_events.c.inbox_id.is_not(None)
        )
        return connection.scalars(query.order_by(stock_events.c.id)).all()


def dismissed(shop, **wanted):
    return dismiss(shop.engine, **wanted, actor="ada", now=now())


def named(shop):
    shop.sku(TYPO)
    map_listing(shop.engine, "till", TYPO, TYPO, now=now())


def two_lines(number, at):
    first = sale(number, JACKET, 1, at=at)
    other = sale(number, TYPO, 2, at=at)["lines"][0] | {"id": "2"}
    return first | {"lines": [*first["lines"], other]}


def test_a_parked_line_waits_no_more_and_what_was_taken_stays(shop):
    shop.tell("till", sale("T", TYPO, 1, at=now()))
    shop.tell("till", two_lines("U", now()))

    assert dismissed(shop, filter={"state": "parked"}) == 2

    assert states(shop) == ["ignored", "applied"]
    assert shop.messages()[0] == ("ignored", f"unknown sku {TYPO}")
    named(shop)
    assert shop.level(TYPO) == {}
    assert shop.level(JACKET) == {"available": 9}
    assert dismissed(shop) == 0, "twice is once"
    assert is_right(shop)


def test_read_again_it_waits_as_before(shop):
    shop.tell("till", sale("T", TYPO, 1, at=now()))
    dismissed(shop)

    assert replay(shop.engine) == 0, "everything is not asked for what is dismissed"
    assert replay(shop.engine, filter={"state": "ignored"}) == 1
    shop.apply()

    assert states(shop) == ["parked"]
    assert verdicts(shop) == ["parked"]
    named(shop)
    assert shop.level(TYPO) == {"available": -1}
    assert states(shop) == ["applied"]
    assert is_right(shop)


def test_told_again_it_is_known_to_mean_nothing(shop):
    at = now()
    shop.tell("till", sale("T", TYPO, 1, at=at))
    dismissed(shop)

    shop.tell("till", sale("T", TYPO, 1, at=at))
    assert states(shop) == ["ignored", "applied"]
    shop.tell("till", sale("T", TYPO, 2, at=at))
    assert states(shop) == ["ignored", "applied", "parked"], "that is news"


def test_a_buried_message_keeps_its_reason(shop):
    shop.tell("till", sale("T", JACKET, 1, at=now()) | {"lines": 7})
    ((_, why),) = shop.messages()

    assert dismissed(shop, ids=[1]) == 1

    assert shop.messages() == [("ignored", why)]
    with shop.engine.connect() as connection:
        assert connection.scalars(sa.select(inbox.c.dismissed_by)).all() == ["ada"]
    assert replay(shop.engine, [1]) == 1
    shop.apply()
    assert shop.messages() == [("buried", why)]


@pytest.mark.parametrize("state", ["applied", "waiting"])
def test_what_waits_for_nobody_is_not_dismissed(shop, state):
    shop.tell("till", sale("T", JACKET, 1, at=now()))
    with writing(shop.engine) as connection:
        connection.execute(inbox.update().values(state=state))

    assert dismissed(shop) == dismissed(shop, ids=[1]) == 0
    assert states(shop) == [state]


def test_what_its_sender_told_anew_waits_no_more(shop):
    shop.tell("till", sale("T", TYPO, 1, at=now() - MINUTE))
    shop.tell("till", two_lines("U", now() - MINUTE))
    drop_outdated(shop.engine, now())
    assert states(shop) == ["parked", "parked"]

    shop.tell("till", sale("T", JACKET, 1, at=now()))
    drop_outdated(shop.engine, now())

    assert states(shop) == ["applied", "parked", "applied"]
    named(shop)
    assert shop.level(TYPO) == {"available": -2}
    assert shop.level(JACKET) == {"available": 8}
    assert is_right(shop)


def test_two_reports_of_one_version_are_a_person_s_to_judge(shop):
    at = now() - MINUTE
    shop.tell("till", sale("T", TYPO, 1, at=at))
    shop.tell("till", sale("T", JACKET, 1, at=at))

    drop_outdated(shop.engine, now())

    assert states(shop) == ["parked", "applied"]
