"""A channel's number that was taken into the stock is a checkpoint in its clock."""

import itertools
import time

import pytest
import sqlalchemy as sa

from app.domain import drift, events as kinds
from app.domain.events import StockEvent
from app.domain.instants import MINUTE, SECOND, now
from app.pipeline.acts import reversing
from app.pipeline.apply import apply
from app.pipeline.applying.told import Told
from app.pipeline.house import read_house
from app.pipeline.proving.rehearsal import rehearse
from app.pipeline.publishing import adopting, disputes
from app.pipeline.repairing.rebuilding import rebuild
from app.pipeline.watching import healing
from app.store.engine import applying
from app.store.tables import adoptions, ledger, publications
from app.store.watching import drifts
from tests.builders import JACKET
from tests.pipeline.test_channels_that_sell import ITEM, PLACE, is_right, trade
from tests.pipeline.watching.test_comparing import compare, comparer, edit, policy

__all__ = ["compare", "comparer", "trade"]

numbers = itertools.count(1)


@pytest.fixture
def adopt(trade, compare, eventually):
    """Let the channel's number be edited, and taken; return until when it counts."""

    def run(number: int) -> int:
        time.sleep(1.1)  # providers' clocks tell seconds apart
        policy(trade, drift.ADOPT)
        edit(trade, number)
        # What is on its way to us still may be compared first.
        eventually(
            lambda: [one[2:] for one in compare()] == [(drift.EDITED, drift.TAKE)]
        )
        trade.settle(eventually, number)
        with trade.shop.engine.connect() as connection:
            return connection.scalar(sa.select(publications.c.adopted_until))

    return run


def sold(
    trade, at: int, units: int = 1, order: str = "", version: int = 0, item: str = ITEM
) -> str:
    """The channel tells of an order that was placed then."""
    order = order or f"order-{next(numbers)}"
    more = {"version": version or at, "external_id": item}
    tell(trade, "web", kinds.PLACED, units, at, order, **more)
    return order


def tell(
    trade, channel: str, kind: str, units: int, at: int, order: str, **more
) -> None:
    """A channel tells something of a line of an order of the web store's."""
    own = {"external_id": ITEM}
    others = {"sku": JACKET, "order_channel": "web"}
    more = {"version": at} | (own if channel == "web" else others) | more
    event = StockEvent(kind, units, at, order=order, line="1", **more)
    with applying(trade.shop.engine) as connection:
        house = read_house(connection)
        told = Told(house.by_key[channel], [event], now())
        apply(connection, house, [told], now())


def is_same_in_any_order(trade) -> bool:
    with trade.shop.engine.connect() as connection:
        return [list(rehearse(connection, now(), seed)) for seed in range(3)] == [
            []
        ] * 3


def test_its_sale_from_before_that_is_told_late_counts_once(trade, adopt, eventually):
    trade.settle(eventually, 5)
    until = adopt(8)

    sold(trade, until - MINUTE, 2)

    assert trade.shop.level(JACKET) == {"available": 8, "committed": 2}
    trade.settle(eventually, 8)
    assert is_right(trade)
    assert is_same_in_any_order(trade)


def test_the_same_sale_told_in_time_leads_to_the_same(trade, adopt, eventually):
    trade.settle(eventually, 5)
    sold(trade, now() - MINUTE, 2)
    trade.settle(eventually, 3)

    adopt(8)

    assert trade.shop.level(JACKET) == {"available": 8, "committed": 2}
    assert is_same_in_any_order(trade)


def test_its_sale_from_after_that_is_one_more(trade, adopt, eventually):
    trade.settle(eventually, 5)
    adopt(8)

    sold(trade, now())

    assert trade.shop.level(JACKET) == {"available": 7, "committed": 1}


@pytest.mark.parametrize("placed", [2, 0])
def test_an_order_that_is_changed_afterwards_changes_the_number(
    trade, adopt, eventually, placed
):
    """What it took before is in the number; what it gives back comes after it."""
    trade.settle(eventually, 5)
    at = now() - MINUTE
    order = sold(trade, at, 3)
    trade.settle(eventually, 2)
    adopt(4)

    sold(trade, at, placed, order, version=now())

    left = {"committed": placed} if placed else {}
    assert trade.shop.level(JACKET) == {"available": 7 - placed} | left
    assert is_same_in_any_order(trade)


def test_an_order_that_is_taken_up_again_afterwards_changes_the_number(
    trade, adopt, eventually
):
    trade.settle(eventually, 5)
    at = now() - MINUTE
    order = sold(trade, at, 3)
    sold(trade, at, 0, order, version=at + SECOND)
    trade.settle(eventually, 5)
    adopt(8)

    sold(trade, at, 2, order, version=now())

    assert trade.shop.level(JACKET) == {"available": 6, "committed": 2}
    assert is_same_in_any_order(trade)


def test_what_an_order_gives_back_is_believed_to_be_shown(trade, eventually):
    """Else it would be taken for an edit by hand."""
    trade.settle(eventually, 5)
    at = now() - MINUTE
    order = sold(trade, at, 3)
    trade.settle(eventually, 2)

    sold(trade, at, 1, order, version=now())

    assert trade.row()["believed"] == 4


def test_a_return_from_before_is_inside_whenever_its_paper_was_changed(
    trade, adopt, eventually
):
    trade.settle(eventually, 5)
    at = now() - MINUTE
    order = sold(trade, at, 3)
    back = {"fact": "1", "place": PLACE, "disposition": "sellable"}
    tell(trade, "web", kinds.SHIPPED, 3, at + SECOND, order, fact="1", place=PLACE)
    trade.settle(eventually, 2)
    until = adopt(4)

    tell(trade, "web", kinds.RETURNED, 1, until - SECOND, order, version=now(), **back)

    assert trade.shop.level(JACKET) == {"available": 4}
    assert is_same_in_any_order(trade)


def test_what_others_did_before_its_sale_was_told_is_not_inside(
    trade, adopt, eventually
):
    """A return at the till downtown waits until the sale is known."""
    trade.settle(eventually, 5)
    until = adopt(8)
    back = {"fact": "1", "place": "downtown", "disposition": "sellable"}
    tell(trade, "till", kinds.RETURNED, 1, until - SECOND, "T-1", **back)

    sold_at = until - MINUTE
    tell(trade, "web", kinds.SHIPPED, 1, sold_at, "T-1", fact="1", place=PLACE)

    assert trade.shop.level(JACKET) == {"available": 9}
    assert trade.row()["believed"] == 8
    assert is_same_in_any_order(trade)


def test_what_another_shipped_before_the_order_was_told_was_in_it(trade, eventually):
    trade.settle(eventually, 5)
    left = {"fact": "1", "place": "downtown"}
    at = now()
    tell(trade, "till", kinds.SHIPPED, 2, at + 1, "O-1", **left)

    sold(trade, at, 2, "O-1")

    assert trade.shop.level(JACKET) == {"available": 3}
    assert trade.row()["believed"] == 3


def test_what_is_told_late_belongs_to_the_first_that_had_it_inside(
    trade, adopt, eventually
):
    trade.settle(eventually, 5)
    first = adopt(8)
    second = adopt(10)

    sold(trade, first - MINUTE)
    sold(trade, second)

    assert trade.shop.level(JACKET) == {"available": 10, "committed": 2}
    assert is_same_in_any_order(trade)


def test_what_was_called_a_mistake_stays_one(trade, adopt, eventually):
    trade.settle(eventually, 5)
    until = adopt(8)
    with trade.shop.engine.connect() as connection:
        newest = sa.select(sa.func.max(ledger.c.id)).where(ledger.c.kind == "adjusted")
        entry = connection.scalar(newest)
    reversing.reverse(trade.shop.engine, entry, "a slip", actor="ada", now=now())

    sold(trade, until - MINUTE)

    assert trade.shop.level(JACKET) == {"available": 4, "committed": 1}
    assert is_same_in_any_order(trade)


def test_what_is_told_while_it_is_taken_counts_once(
    trade, compare, eventually, monkeypatch
):
    trade.settle(eventually, 5)
    time.sleep(1.1)
    policy(trade, drift.ADOPT)
    edit(trade, 8)

    def late(*given) -> None:
        sold(trade, now() - MINUTE, 2)
        sold(trade, now(), 1)
        adopting.adopt(*given)

    monkeypatch.setattr(healing, "adopt", late)
    assert compare() == [(8, 5, drift.EDITED, drift.TAKE)]

    assert trade.shop.level(JACKET) == {"available": 7, "committed": 3}
    assert trade.row()["believed"] == 7
    assert is_same_in_any_order(trade)


@pytest.fixture
def meanwhile(trade, compare, monkeypatch):
    """Let the channel's number be edited, and taken; `act` just before it is."""

    def run(number: int, act) -> None:
        def late(*given) -> None:
            act()
            adopting.adopt(*given)

        time.sleep(1.1)
        policy(trade, drift.ADOPT)
        edit(trade, number)
        with monkeypatch.context() as patched:
            patched.setattr(healing, "adopt", late)
            assert [one[2:] for one in compare()] == [(drift.EDITED, drift.TAKE)]

    return run


def test_what_is_told_then_of_before_an_earlier_one_is_inside_that_one(
    trade, adopt, meanwhile, eventually
):
    trade.settle(eventually, 5)
    until = adopt(8)

    meanwhile(10, lambda: sold(trade, until - MINUTE, 2))

    assert trade.shop.level(JACKET) == {"available": 10, "committed": 2}
    assert trade.row()["believed"] == 10
    assert is_same_in_any_order(trade)


def test_a_number_that_a_person_takes_is_one_too(trade, compare, eventually):
    trade.settle(eventually, 5)
    time.sleep(1.1)
    policy(trade, drift.ASK)
    edit(trade, 8)
    assert compare() == [(8, 5, drift.EDITED, drift.WAIT)]
    with trade.shop.engine.connect() as connection:
        [one] = drifts.page(connection, limit=10)
    disputes.decide(trade.shop.engine, one["id"], "theirs", actor="ada", now=now())

    sold(trade, one["found_at"] - MINUTE)

    assert trade.shop.level(JACKET) == {"available": 8, "committed": 1}
    assert is_same_in_any_order(trade)


def test_an_order_that_is_changed_while_a_person_is_asked_explains_nothing(
    trade, compare, eventually
):
    trade.settle(eventually, 5)
    at = now() - MINUTE
    order = sold(trade, at, 3)
    trade.settle(eventually, 2)
    policy(trade, drift.ASK)
    edit(trade, 4)
    assert compare() == [(4, 2, drift.EDITED, drift.WAIT)]

    sold(trade, at, 2, order, version=now())
    assert trade.row()["disputed"] == 2
    with trade.shop.engine.connect() as connection:
        [one] = drifts.page(connection, limit=10)
    disputes.decide(trade.shop.engine, one["id"], "theirs", actor="ada", now=now())

    assert trade.shop.level(JACKET) == {"available": 5, "committed": 2}
    assert is_same_in_any_order(trade)


def test_nothing_is_taken_while_a_person_is_asked(trade, compare, eventually):
    trade.settle(eventually, 5)
    policy(trade, drift.ADOPT)
    edit(trade, 0)
    assert compare() == [(0, 5, drift.EDITED, drift.WAIT)]
    trade.settle(eventually, 0)
    edit(trade, 1)

    assert [one[3] for one in compare()] == [drift.WAIT]
    assert trade.shop.level(JACKET) == {"available": 5}
    trade.settle(eventually, 1)
    edit(trade, 2)

    assert [one[3] for one in compare(policy=drift.ADOPT)] == [drift.TAKE]
    assert trade.shop.level(JACKET) == {"available": 2}
    trade.settle(eventually, 2)


def test_it_holds_after_all_was_made_anew(trade, adopt, eventually):
    trade.settle(eventually, 5)
    until = adopt(8)
    rebuild(trade.shop.engine, now())

    sold(trade, until - MINUTE)

    assert trade.shop.level(JACKET) == {"available": 8, "committed": 1}


@pytest.mark.parametrize("step", ["end", "write_down"])
def test_a_kill_leaves_it_taken_and_believed_or_neither(
    trade, compare, eventually, monkeypatch, step
):
    """Else it would be taken a second time."""
    trade.settle(eventually, 5)
    policy(trade, drift.ADOPT)
    edit(trade, 8)

    class Killed(BaseException):
        pass

    def killed(*_given) -> None:
        raise Killed

    monkeypatch.setattr(healing.asking, step, killed)
    with pytest.raises(Killed):
        compare()
    monkeypatch.undo()
    compare()
    trade.settle(eventually, 8)

    assert trade.shop.level(JACKET) == {"available": 8}
    with trade.shop.engine.connect() as connection:
        assert len(connection.execute(sa.select(adoptions)).all()) == 1
