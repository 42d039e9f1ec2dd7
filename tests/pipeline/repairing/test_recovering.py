"""After a restore: what channels did and were told since is found out first."""

from app.domain.instants import HOUR, MINUTE, now
from app.pipeline.repairing.recovering import recover
from app.store.engine import writing
from app.store.tables import publications
from tests.builders import JACKET, sale
from tests.pipeline.test_channels_that_sell import (
    ITEM,
    PLACE,
    control,
    is_right,
    sell,
    trade,
)
from tests.pipeline.watching.test_polling import change, poller, told

__all__ = ["poller", "trade"]


def test_nothing_is_published_before_it_is_known_what_happened(
    trade, poller, eventually
):
    trade.settle(eventually, 5)
    poller.poll_due("web")
    sell(trade, 2, shipped=True, place=PLACE)
    trade.shop.tell("till", sale("T-1", JACKET, 1, at=now()))
    change(trade, orders_read_at=now() + HOUR)

    found = recover(trade.shop.engine, now() - HOUR, "test", now())

    assert (found.numbers, found.polled, found.unpolled) == (1, ["web"], ["till"])
    assert trade.row()["unsure"]
    assert not trade.publisher.push_due("web"), "4 would sell two of them twice"
    assert trade.shows() == 3

    poller.poll_due("web")
    assert trade.shop.level(JACKET) == {"available": 2}, "applied by then"
    assert "outbound:web" in poller.woken
    trade.settle(eventually, 2)
    assert not trade.row()["unsure"]
    assert is_right(trade)


def test_a_forgotten_write_does_not_win_over_ours(trade, poller, eventually):
    trade.settle(eventually, 5)
    with trade.shop.engine.connect() as connection:
        backup = connection.execute(publications.select()).mappings().one()
    for number in range(3):  # what the database will not know of
        trade.shop.tell("till", sale(f"T-{number}", JACKET, 1, at=now()))
        trade.settle(eventually, 4 - number)
    control(trade.url, "edit", item=ITEM, place=PLACE, quantity=9)
    with writing(trade.shop.engine) as connection:
        connection.execute(publications.update().values(dict(backup)))

    recover(trade.shop.engine, now() - MINUTE, "test", now())
    poller.poll_due("web")

    trade.settle(eventually, 2)


def test_a_right_number_is_read_back_and_not_sent_again(trade, poller, eventually):
    trade.settle(eventually, 5)
    sent = trade.attempts()

    recover(trade.shop.engine, now() - HOUR, "test", now())
    poller.poll_due("web")
    trade.settle(eventually, 5)

    assert not trade.row()["unsure"]
    assert trade.attempts() == sent


def test_what_cannot_be_read_holds_up_nothing_for_ever(trade, poller, eventually):
    trade.settle(eventually, 5)
    recover(trade.shop.engine, now() - HOUR, "test", now())
    bad = {"webhook": ["hush"], "access_token": ["another"]}
    change(trade, secrets=trade.shop.vault.seal_json(bad))

    poller.poll_due("web")

    assert told(trade)["poll_from"] is None
