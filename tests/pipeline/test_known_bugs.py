"""Faults that well-known stock systems had, each as the story that shows it.

Beside each the place where it was reported. None of them may happen here.
"""

import random
import threading
import time
from dataclasses import replace

import pytest
import sqlalchemy as sa

from app.domain.errors import ShortOfUnits
from app.domain.instants import DAY, HOUR, MINUTE, SECOND, iso, now
from app.pipeline.acts import holding, transferring
from app.pipeline.proving.audit import differences
from app.pipeline.publish import Publisher
from app.store.stock import balances
from app.store.tables import incidents, ledger, publications
from tests.builders import JACKET, Shop, cancellation, order, returned, sale, shipment

SCARF = "RED-SCARF"
TRIES = 3


def hold(shop: Shop, *quantities: int, sku: str = JACKET, **values):
    lines = [{"sku": sku, "quantity": quantity} for quantity in quantities]
    return holding.hold(shop.engine, lines, 900, actor="test", now=now(), **values)


def is_right(shop: Shop) -> bool:
    with shop.engine.connect() as connection:
        return differences(connection) == []


def at_once(*actions):
    """Do all of it at the same time; what each of them answered or raised."""
    together = threading.Barrier(len(actions), timeout=30)
    answers: list[object] = [None] * len(actions)

    def act(number: int) -> None:
        together.wait()
        try:
            answers[number] = actions[number]()
        except ShortOfUnits as error:
            answers[number] = error

    threads = [threading.Thread(target=act, args=(n,)) for n in range(len(actions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


@pytest.fixture
def push(web, settings):
    quick = replace(
        settings, retry_base_seconds=0.001, retry_cap_seconds=0.001, retry_limit=TRIES
    )
    publisher = Publisher(web.engine, web.vault, quick)

    def all_due() -> None:
        while publisher.push_due("web"):
            pass

    return all_due


# -- claims ---------------------------------------------------------------------


def test_many_buyers_of_few_units_get_just_those(shop):
    """saleor #543, oscar #2102, odoo #32857: the lock is taken, the read is not."""
    answers = at_once(*[lambda: hold(shop, 1)] * 16)

    refused = [one for one in answers if isinstance(one, ShortOfUnits)]
    assert len(refused) == 6
    assert shop.level(JACKET) == {"reserved": 10}
    assert is_right(shop)


def test_one_sku_on_two_lines_is_asked_for_as_a_sum(shop):
    """medusa #16502, vendure #2702, InvenTree #7285: each line is checked alone."""
    with pytest.raises(ShortOfUnits):
        hold(shop, 6, 6)
    hold(shop, 5, 5)
    assert shop.level(JACKET) == {"reserved": 10}


def test_units_are_not_taken_by_holds_and_transfers_at_once(shop):
    """InvenTree #12478: three subsystems each give the same unit away."""
    shop.locations("harbour")
    lines = [{"sku": JACKET, "quantity": 7}]

    def move():
        return transferring.transfer(
            shop.engine, "downtown", "harbour", lines, actor="test", now=now()
        )

    answers = at_once(lambda: hold(shop, 7), move)

    assert sum(isinstance(one, ShortOfUnits) for one in answers) == 1
    assert is_right(shop)


def test_a_hold_takes_no_more_than_each_place_has(shop):
    """vendure #4030: taking from several places returns more than was asked."""
    shop.locations("harbour")
    shop.count(JACKET, "harbour", 4)

    hold(shop, 12)

    places = [shop.level(JACKET, place) for place in ("downtown", "harbour")]
    assert sum(place["reserved"] for place in places) == 12
    assert all(place.get("available", 0) >= 0 for place in places)


def test_what_is_reserved_is_what_live_holds_hold(shop):
    """odoo #62139: the two drift apart for years; one shop repairs by cron."""
    first, second = hold(shop, 3), hold(shop, 4)
    holding.release(shop.engine, first["id"], actor="test", now=now())
    holding.release(shop.engine, first["id"], actor="test", now=now())
    assert shop.level(JACKET) == {"available": 6, "reserved": 4}

    holding.commit(shop.engine, second["id"], "web", "9", actor="test", now=now())
    assert shop.level(JACKET) == {"available": 6, "committed": 4}
    assert is_right(shop)


def test_a_stale_hold_makes_no_second_order_payable(shop):
    """woocommerce #67354: a shopper's own expired hold is looked through."""
    mine = holding.hold(
        shop.engine,
        [{"sku": JACKET, "quantity": 10}],
        1,
        actor="test",
        now=now() - 5 * SECOND,
    )
    theirs = hold(shop, 10)

    with pytest.raises(Exception, match="expired"):
        holding.commit(shop.engine, mine["id"], "web", "1", actor="test", now=now())
    holding.commit(shop.engine, theirs["id"], "web", "2", actor="test", now=now())
    assert shop.level(JACKET) == {"committed": 10}


def test_many_skus_in_any_order_do_not_wait_for_each_other_for_ever(shop):
    """erpnext #31035, #36835: deadlocks even between different items."""
    names = [f"SKU-{number}" for number in range(6)]
    shop.sku(*names)
    for name in names:
        shop.count(name, "downtown", 100)

    def buy(seed: int):
        chosen = random.Random(seed).sample(names, 4)
        lines = [{"sku": name, "quantity": 1} for name in chosen]
        for _ in range(5):
            holding.hold(shop.engine, lines, 900, actor="test", now=now())

    at_once(*[lambda seed=seed: buy(seed) for seed in range(8)])

    taken = sum(shop.level(name).get("reserved", 0) for name in names)
    assert taken == 8 * 5 * 4
    assert is_right(shop)


# -- the same fact by several ways ----------------------------------------------


def test_a_sale_told_by_two_topics_takes_one_unit(shop):
    """woocommerce #14790, #38786: webhook and thank-you page both reduce stock."""
    at = now() - MINUTE
    placed, sent = order("7", JACKET, 1, at=at), shipment("7", JACKET, 1, at=at + 1)
    shop.tell("web", placed, sent, placed, sent)

    assert shop.level(JACKET) == {"available": 9}


def test_what_is_paid_before_it_is_created_counts_once(shop):
    """frappe ecommerce_integrations #425: `paid` overtakes `create`."""
    at = now() - MINUTE
    shop.tell("web", shipment("7", JACKET, 2, at=at + 2 * SECOND))
    shop.tell("web", order("7", JACKET, 2, at=at))

    assert shop.level(JACKET) == {"available": 8}


def test_cancelled_and_refunded_comes_back_once(shop):
    """woocommerce #27504, PrestaShop #42612: restocked by each of the two."""
    at = now() - HOUR
    shop.tell("web", order("7", JACKET, 3, at=at))
    shop.tell("web", cancellation("7", JACKET, 3, at=at + SECOND))
    shop.tell("web", returned("7", JACKET, 3, at=at + 2 * SECOND, location="downtown"))

    assert shop.level(JACKET) == {"available": 10}


def test_one_returned_unit_is_one_unit_whoever_tells_of_it(shop):
    """magento inventory #1246: a credit memo and a return compensate twice."""
    at = now() - HOUR
    shop.tell("web", shipment("7", JACKET, 1, at=at, location="downtown"))
    back = returned("7", JACKET, 1, at=at + SECOND, location="downtown")
    shop.tell("web", back)
    shop.tell("till", {**back, "channel": "web", "id": "counter-1"})
    shop.tell("web", back)

    assert shop.level(JACKET) == {"available": 10}


# -- counts ---------------------------------------------------------------------


def test_what_happened_before_a_count_does_not_change_it_later(shop):
    """erpnext #54640, #29128: a back-dated change overwrites the stocktake."""
    counted_at = now() - HOUR
    shop.count(JACKET, "downtown", 7, at=counted_at)
    shop.tell("till", sale("late", JACKET, 2, at=counted_at - MINUTE))

    assert shop.level(JACKET) == {"available": 7}
    with shop.engine.connect() as connection:
        then = balances.When(now(), at=counted_at)
        assert balances.stock_of(connection, JACKET, then)["on_hand"] == 7


def test_a_count_keyed_in_late_leaves_what_was_sold_since(shop):
    """msupply mobile #638: a count applied as a difference from an old snapshot."""
    counted_at = now() - HOUR
    shop.tell("till", sale("1", JACKET, 2, at=counted_at + MINUTE))
    shop.count(JACKET, "downtown", 20, at=counted_at)

    assert shop.level(JACKET) == {"available": 18}


def test_a_late_event_writes_a_handful_of_rows_however_long_the_ledger(shop):
    """erpnext #35546, #26625: balances follow the ledger hours later."""
    shop.sku(SCARF)
    shop.count(SCARF, "downtown", 500, at=now() - DAY)
    for number in range(60):
        shop.tell("till", sale(str(number), SCARF, 1, at=now() - HOUR))

    def entries() -> int:
        with shop.engine.connect() as connection:
            return connection.execute(
                sa.select(sa.func.count()).select_from(ledger)
            ).scalar_one()

    before = entries()
    shop.tell("till", sale("late", SCARF, 1, at=now() - 2 * DAY))

    assert entries() - before == 2
    assert shop.level(SCARF) == {"available": 440}


# -- places ---------------------------------------------------------------------


def test_a_place_below_zero_eats_no_other_place_s_units(web, push, channel):
    """saleor #17170: a negative warehouse takes units off another's number."""
    web.locations("harbour")
    web.count(JACKET, "harbour", 3)
    web.tell("till", sale("1", JACKET, 9, at=now(), location="downtown"))
    push()

    assert channel.shows() == {"jacket-1": 3}
    assert web.level(JACKET, "downtown") == {"available": -4}


# -- publishing -----------------------------------------------------------------


def test_five_four_five_tells_the_second_five(web, push, channel):
    """openlinker #2285: a key made from the number swallows it for a week."""
    push()
    at = now() - MINUTE
    web.tell("till", sale("1", JACKET, 1, at=at))
    push()
    web.tell("till", {**sale("1", JACKET, 0, at=at), "version": at + 1})
    push()

    assert [row["available"] for row in channel.rows] == [5, 4, 5]


def test_accepted_is_not_applied_until_the_channel_says_so(web, push, channel):
    """openlinker #2621, samba-wave #400: a false success is never sent again."""
    push()
    web.tell(
        "web",
        {
            "type": "observation",
            "id": "o-1",
            "occurred_at": iso(now() + SECOND),
            "lines": [{"id": "1", "sku": "jacket-1", "quantity": 9}],
        },
    )
    with web.engine.connect() as connection:
        row = connection.execute(sa.select(publications)).mappings().one()

    assert (row["accepted"], row["observed"]) == (5, 9)
    assert row["wanted_version"] > row["accepted_version"], "it is looked at again"


def test_a_promise_is_not_shown_as_free(web, push, channel):
    """ecommerce_integrations #289: reserved is left out, 80 of 51 are sold."""
    hold(web, 2)
    web.tell("web", order("1", JACKET, 2, at=now()))
    push()

    assert channel.shows() == {"jacket-1": 1}


def test_a_blank_is_not_a_zero(shop):
    """woocommerce-square #19: a meaningless zero wipes the shop's stock."""
    for quantity in (None, "", []):
        shop.tell(
            "till",
            {
                "type": "count",
                "id": "c-1",
                "occurred_at": iso(now()),
                "lines": [{"id": "1", "sku": JACKET, "quantity": quantity}],
            },
        )

    assert {state for state, _ in shop.messages()} == {"buried"}
    assert shop.level(JACKET) == {"available": 10}


def test_a_channel_that_refuses_is_not_asked_for_ever(web, push, channel):
    """woocommerce-square #185, Eshopbox #333: a corrective loop without an end."""
    channel.status = 500
    for _ in range(5 * TRIES):
        push()
        time.sleep(0.002)

    with web.engine.connect() as connection:
        row = connection.execute(sa.select(publications)).mappings().one()
    assert row["failed_at"] is not None, "a person is asked"
    assert len(channel.ids) == row["attempts"] == TRIES


def test_one_word_against_another_waits_for_a_person(shop):
    """Same version, other quantity: none of the studied systems notices."""
    at = now() - MINUTE
    shop.tell("till", sale("1", JACKET, 1, at=at))
    shop.tell("till", sale("1", JACKET, 4, at=at))

    assert shop.level(JACKET) == {"available": 9}
    with shop.engine.connect() as connection:
        kinds = connection.execute(sa.select(incidents.c.kind)).scalars().all()
    assert kinds == ["contradiction"]
