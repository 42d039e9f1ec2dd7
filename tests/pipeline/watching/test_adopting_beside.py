"""Numbers taken over beside other listings and kits, and by clocks that differ."""

import time

import pytest
import sqlalchemy as sa

from adapters.sandbox.orders import Item, set_clock
from app.domain import drift
from app.domain.instants import MINUTE, now
from app.pipeline.configuring.listings import save_listing
from app.pipeline.configuring.recipes import set_recipe
from app.pipeline.publishing import adopting, disputes
from app.pipeline.watching import healing
from app.store.engine import writing
from app.store.tables import publications
from app.store.watching import drifts
from tests.adapters.sandboxes import control
from tests.builders import JACKET, sale
from tests.pipeline.publishing.test_answering import believed
from tests.pipeline.test_channels_that_sell import ITEM, PLACE, is_right, sell, trade
from tests.pipeline.watching.test_adopting import is_same_in_any_order, sold
from tests.pipeline.watching.test_comparing import compare, comparer, edit, policy

__all__ = ["compare", "comparer", "trade"]

OTHER = "808950811"


def listed(trade, sku: str) -> None:
    """The channel has another item of this SKU."""
    trade.sandbox.items[OTHER] = Item(OTHER, sku, "49148386", sku)
    trade.sandbox.stock[OTHER] = {PLACE: 5}
    trade.shop.listing("web", sku, OTHER)
    with writing(trade.shop.engine) as connection:
        save_listing(connection, "web", sku, OTHER, "49148386")


def settle(trade, eventually) -> None:
    """Work until nothing is wanted any more."""

    def right() -> bool:
        trade.work()
        with trade.shop.engine.connect() as connection:
            rows = connection.execute(sa.select(publications)).all()
        return all(row.wanted_version == row.accepted_version for row in rows)

    eventually(right)
    time.sleep(1.1)  # providers' clocks tell seconds apart


def meanwhile(monkeypatch, told) -> None:
    """Just before a number is taken, something else is told."""

    def late(*given) -> None:
        told()
        adopting.adopt(*given)

    monkeypatch.setattr(healing, "adopt", late)


def test_what_two_listings_show_alike_has_the_late_sales_of_both_inside(
    trade, comparer, eventually
):
    listed(trade, JACKET)
    settle(trade, eventually)
    policy(trade, drift.ADOPT)
    edit(trade, 8)
    control(trade.url, "weather", drop=1)
    control(trade.url, "edit", item=OTHER, place=PLACE, quantity=8)
    found = comparer.page("web", 0).found
    assert [one.done for one in found] == [drift.TAKE, drift.TAKE]
    assert trade.shop.level(JACKET) == {"available": 8}

    sold(trade, now() - MINUTE, 2, item=OTHER)

    assert trade.shop.level(JACKET) == {"available": 8, "committed": 2}
    assert is_right(trade)
    assert is_same_in_any_order(trade)


@pytest.mark.parametrize("sku", [JACKET, "SET"], ids=["another listing", "a kit"])
def test_what_sells_the_same_units_meanwhile_is_not_in_the_number(
    trade, comparer, eventually, monkeypatch, sku
):
    """The channel counts them by themselves."""
    if sku != JACKET:
        trade.shop.sku(sku)
        set_recipe(trade.shop.engine, sku, {JACKET: 1}, now=now())
    listed(trade, sku)
    settle(trade, eventually)
    policy(trade, drift.ADOPT)
    edit(trade, 8)
    meanwhile(monkeypatch, lambda: sold(trade, now() - MINUTE, 2, item=OTHER))

    comparer.page("web", 0)

    assert trade.shop.level(JACKET) == {"available": 6, "committed": 2}
    assert believed(trade.shop)[ITEM] == 8
    assert is_same_in_any_order(trade)


@pytest.mark.parametrize("placed", [3, 0])
def test_an_order_that_is_changed_meanwhile_changes_both_numbers(
    trade, compare, eventually, monkeypatch, placed
):
    trade.settle(eventually, 5)
    at = now() - MINUTE
    order = sold(trade, at, 1)
    trade.settle(eventually, 4)
    time.sleep(1.1)
    policy(trade, drift.ADOPT)
    edit(trade, 8)
    changed = (trade, at, placed, order)
    meanwhile(monkeypatch, lambda: sold(*changed, version=now()))

    assert compare() == [(8, 4, drift.EDITED, drift.TAKE)]

    assert trade.shop.level(JACKET)["available"] == 9 - placed
    assert trade.row()["believed"] == 9 - placed
    assert is_same_in_any_order(trade)


def wins(trade, number: int) -> bool:
    """Whether what is sold elsewhere now is what the channel shows next."""
    trade.shop.tell("till", sale("T-1", JACKET, 1, at=now()))
    trade.work()
    return trade.shows() == number == trade.row()["accepted"]


@pytest.mark.parametrize(("word", "left"), [(drift.ADOPT, 7), (drift.ASK, 4)])
def test_ours_wins_over_the_edit_that_was_read_when_it_changes(
    trade, compare, eventually, word, left
):
    """Ordered by time stamps, it would be taken for older than the edit, and more than
    there is would stay on sale."""
    trade.settle(eventually, 5)
    policy(trade, word)
    edit(trade, 8)
    compare()
    trade.work()

    assert wins(trade, left)


def found(trade) -> int:
    with trade.shop.engine.connect() as connection:
        return len(drifts.page(connection, limit=10))


@pytest.mark.parametrize("trade", ["square"], indirect=True)
@pytest.mark.parametrize(("word", "left"), [(drift.ADOPT, 7), (drift.ASK, 4)])
def test_the_same_where_it_was_read_before_a_number_went_out(
    trade, eventually, word, left
):
    trade.settle(eventually, 5)
    policy(trade, word)
    edit(trade, 8)
    with writing(trade.shop.engine) as connection:
        wanted = publications.c.wanted_version + 1
        lost = publications.update().values(unsure=True, wanted_version=wanted)
        connection.execute(lost)
    eventually(lambda: trade.work() or found(trade) == 1)

    assert wins(trade, left)


@pytest.fixture(params=[600, 40, -40, -600])
def elsewhere(request, trade, eventually):
    """The channel's clock is so many seconds ahead of ours."""
    control(trade.url, "weather", ahead=request.param)
    trade.settle(eventually, 5)
    time.sleep(1.1)
    control(trade.url, "weather", ahead=request.param, drop=1)
    control(trade.url, "edit", item=ITEM, place=PLACE, quantity=8)
    control(trade.url, "weather", ahead=request.param)
    yield
    set_clock(0)


def test_what_is_sold_after_a_number_was_taken_is_one_more_by_any_clock(
    trade, elsewhere, compare, eventually
):
    policy(trade, drift.ADOPT)
    assert compare() == [(8, 5, drift.EDITED, drift.TAKE)]
    trade.settle(eventually, 8)
    time.sleep(1.1)

    order = sell(trade)
    eventually(lambda: trade.work() or "committed" in trade.shop.level(JACKET))
    assert trade.shop.level(JACKET) == {"available": 7, "committed": 1}

    time.sleep(1.1)
    control(trade.url, "cancel", order=order["order"])
    eventually(lambda: trade.work() or "committed" not in trade.shop.level(JACKET))
    assert trade.shop.level(JACKET) == {"available": 8}
    trade.settle(eventually, 8)
    assert is_right(trade)


def test_what_is_sold_while_a_person_is_asked_is_one_more_by_any_clock(
    trade, elsewhere, compare, eventually
):
    policy(trade, drift.ASK)
    assert compare() == [(8, 5, drift.EDITED, drift.WAIT)]
    time.sleep(1.1)
    sell(trade)
    eventually(lambda: trade.work() or "committed" in trade.shop.level(JACKET))
    assert trade.row()["disputed"] == 3

    with trade.shop.engine.connect() as connection:
        [one] = drifts.page(connection, limit=10, state=drifts.WAITS)
    disputes.decide(trade.shop.engine, one["id"], "theirs", actor="ada", now=now())

    assert trade.shop.level(JACKET) == {"available": 7, "committed": 1}
