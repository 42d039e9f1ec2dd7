"""The webhook of an edit gets lost: the next poll asks which numbers changed, too."""

import pytest

from adapters.sandbox.shopify_admin import Bucket
from app.domain import drift
from app.domain.errors import CredentialsRefused, RetryLater
from app.domain.instants import HOUR, MINUTE, now
from app.pipeline.watching import noticing, polling
from app.pipeline.watching.polling import Poller
from app.store.configuration.channels import touch
from app.store.engine import writing
from app.store.tables import channels, inbox, ledger, publications
from tests.adapters.sandboxes import control
from tests.builders import JACKET, sale
from tests.pipeline.publishing.test_answering import age, edit, is_known
from tests.pipeline.test_channels_that_sell import PLACE, Trade, is_right, sell, trade
from tests.pipeline.watching.test_polling import change, count, poller, problems, told

__all__ = ["poller", "trade"]


def edited(trade: Trade, eventually, quantity: int, **values) -> None:
    """Somebody sets the number there by hand, and its webhook gets lost."""
    trade.settle(eventually, 5)
    with writing(trade.shop.engine) as connection:
        web = channels.update().where(channels.c.key == "web")
        connection.execute(web.values(values or {"drift": drift.OVERRIDE}))
        touch(connection, now())
        # Ours was accepted a while ago: clocks that tick seconds tell the two apart.
        names = ("believed_at", "accepted_at", "observed_at")
        before = dict.fromkeys(names, now() - MINUTE)
        connection.execute(publications.update().values(before))
    trade.shop.deaf = True
    edit(trade, quantity)


def poll(trade: Trade, poller: Poller) -> polling.Polled:
    change(trade, poll_due_at=0)
    polled = poller.poll_due("web")
    trade.shop.apply()
    return polled


def failing(trade: Trade, monkeypatch, error: Exception) -> None:
    def shown_since(self, since):
        yield []
        raise error

    kind = polling.adapters.get(trade.provider)
    monkeypatch.setattr(kind, "shown_since", shown_since)


# -- what is news ------------------------------------------------------------------


def test_an_edit_nobody_told_of_is_seen_and_published_over(trade, poller, eventually):
    edited(trade, eventually, 4)
    before = count(trade, inbox), count(trade, ledger)

    assert poll(trade, poller).noticed == 1

    row = trade.row()
    assert (row["observed"], row["believed"]) == (4, 5)
    assert row["doubt_at"] == row["observed_at"], "dated by its own clock"
    assert row["doubt_at"] <= now()
    assert (count(trade, inbox), count(trade, ledger)) == (before[0] + 1, before[1])
    eventually(lambda: age(trade) or trade.shows() == 5)
    assert is_known(trade, drift.PUBLISH)
    assert is_right(trade)


def test_it_is_adopted_where_that_is_the_policy(trade, poller, eventually):
    edited(trade, eventually, 8, drift=drift.ADOPT)

    assert poll(trade, poller).noticed == 1

    eventually(lambda: is_known(trade, drift.TAKE))
    trade.settle(eventually, 8)
    assert trade.shop.level(JACKET) == {"available": 8}
    assert is_right(trade)


def test_a_person_is_asked_where_that_is_the_policy(trade, poller, eventually):
    edited(trade, eventually, 4, drift=drift.ASK)

    assert poll(trade, poller).noticed == 1

    eventually(lambda: is_known(trade, drift.WAIT))
    assert trade.shows() == 4
    stored = count(trade, inbox)
    assert poll(trade, poller) == polling.NOTHING, "who was asked knows"
    assert count(trade, inbox) == stored


def test_numbers_read_again_cost_no_row(trade, poller, eventually):
    edited(trade, eventually, 4)
    assert poll(trade, poller).noticed == 1
    stored = count(trade, inbox)

    for _ in range(3):
        assert poll(trade, poller) == polling.NOTHING
    eventually(lambda: age(trade) or trade.shows() == 5)
    assert poll(trade, poller) == polling.NOTHING, "ours again"

    assert count(trade, inbox) == stored


def test_what_a_webhook_told_costs_no_row(trade, poller, eventually):
    edited(trade, eventually, 5)
    trade.shop.deaf = False
    edit(trade, 4)
    eventually(lambda: trade.shop.apply() or trade.row()["observed"] == 4)
    stored = count(trade, inbox)

    assert poll(trade, poller) == polling.NOTHING

    assert count(trade, inbox) == stored


def test_an_echo_makes_no_entry_and_no_push(trade, poller, eventually):
    trade.settle(eventually, 5)
    trade.shop.tell("till", sale("T-1", JACKET, 2, at=now()))
    trade.settle(eventually, 3)
    before = count(trade, inbox), count(trade, ledger), trade.attempts()

    assert poll(trade, poller) == polling.NOTHING
    trade.work()

    assert (count(trade, inbox), count(trade, ledger), trade.attempts()) == before


def test_its_own_sale_is_counted_first_and_explains_the_number(
    trade, poller, eventually
):
    edited(trade, eventually, 5)
    sell(trade, 2, shipped=True, place=PLACE)

    assert poll(trade, poller) == polling.Polled(stored=1)

    assert trade.shop.level(JACKET) == {"available": 3}
    assert trade.row()["doubt_at"] is None


def test_an_item_that_we_do_not_list_is_passed_over(trade, poller, eventually):
    edited(trade, eventually, 5)
    trade.sandbox.items["77"] = next(iter(trade.sandbox.items.values()))
    control(trade.url, "edit", item="77", place=PLACE, quantity=9)

    assert poll(trade, poller) == polling.NOTHING


def test_a_channel_that_only_listens_is_not_asked(trade, poller, eventually):
    edited(trade, eventually, 4, publish=None)

    assert poll(trade, poller) == polling.NOTHING
    assert told(trade)["numbers_read_at"] is None


# -- when it does not work ---------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "said"),
    [(CredentialsRefused("no"), "may read its numbers"), (RetryLater("away"), "")],
    ids=["refused", "away"],
)
def test_numbers_that_cannot_be_read_keep_no_order_from_being_read(
    trade, poller, eventually, monkeypatch, error, said
):
    edited(trade, eventually, 5)
    sell(trade, 1, shipped=True, place=PLACE)
    failing(trade, monkeypatch, error)

    assert poll(trade, poller) == polling.Polled(stored=1)

    assert trade.shop.level(JACKET) == {"available": 4}
    row = told(trade)
    assert (row["reads_failed"], row["numbers_read_at"]) == (0, None)
    assert row["orders_read_at"] is not None
    assert row["poll_due_at"] > now()
    assert [said in words for words in problems(trade)] == ([True] if said else [])

    monkeypatch.undo()
    edit(trade, 3)
    assert poll(trade, poller).noticed == 1
    assert problems(trade) == []


def test_what_cannot_be_read_for_long_is_told(trade, poller, eventually, monkeypatch):
    trade.settle(eventually, 5)
    failing(trade, monkeypatch, RetryLater("away"))
    change(trade, numbers_read_at=now() - 2 * HOUR)

    poll(trade, poller)

    [words] = problems(trade)
    assert "cannot be asked which of its numbers changed" in words
    assert told(trade)["numbers_read_at"] < now() - HOUR, "read from there next time"


def test_an_adapter_that_fails_leaves_the_rest_to_the_comparison(
    trade, poller, eventually, monkeypatch
):
    trade.settle(eventually, 5)
    failing(trade, monkeypatch, KeyError("oops"))

    poll(trade, poller)

    assert "our adapter failed (KeyError)" in problems(trade)[0]
    assert told(trade)["numbers_read_at"] is not None


def test_numbers_are_read_in_turns_and_orders_come_first(
    trade, poller, eventually, monkeypatch
):
    edited(trade, eventually, 5)
    kind, asked = polling.adapters.get(trade.provider), []
    really = kind.shown_since

    def in_pages(self, since):
        asked.append(since)
        yield []
        yield from really(self, since)

    monkeypatch.setattr(kind, "shown_since", in_pages)
    monkeypatch.setattr(noticing, "TURN_SECONDS", 0)

    assert poll(trade, poller) == polling.Polled(more=True)
    assert told(trade)["poll_due_at"] <= now(), "at once, whoever comes"
    sell(trade, 1, shipped=True, place=PLACE)
    assert poller.poll_due("web").stored == 1
    assert told(trade)["numbers_read_at"] is None
    while poller.poll_due("web").more:
        pass

    assert told(trade)["numbers_read_at"] is not None
    assert len(asked) == 1, "the worker that began goes on with its list"


@pytest.mark.parametrize("trade", ["shopify"], indirect=True)
def test_the_last_of_a_call_budget_is_not_spent_on_it(trade, poller, eventually):
    edited(trade, eventually, 4)
    trade.sandbox.admin.bucket = Bucket(1000, rate=200)
    assert trade.sandbox.admin.bucket.take(900)

    assert poll(trade, poller) == polling.NOTHING
    row = told(trade)
    assert row["numbers_read_at"] is None
    assert now() < row["poll_due_at"] < now() + MINUTE, "once it is large enough"
    eventually(lambda: poll(trade, poller).noticed == 1)
