"""A channel's numbers are read and held against ours; differences are explained first."""

import json
import time
from dataclasses import replace

import pytest
import sqlalchemy as sa

import adapters
from app.domain import drift
from app.domain.errors import CredentialsRefused
from app.domain.instants import HOUR, now
from app.pipeline.publishing import disputes
from app.pipeline.watching.comparing import Comparer
from app.store.configuration import channels as channel_store
from app.store.engine import writing
from app.store.tables import channels, incidents, policies
from app.store.watching import drifts
from tests.adapters.sandboxes import control
from tests.builders import JACKET, sale
from tests.pipeline.test_channels_that_sell import ITEM, PLACE, is_right, sell, trade

__all__ = ["trade"]


@pytest.fixture
def comparer(trade, settings):
    return Comparer(trade.shop.engine, trade.publisher, settings)


@pytest.fixture
def compare(trade, comparer):
    def run(**how):
        page = comparer.page("web", 0, **how)
        assert page.compared == 1
        return [(one.theirs, one.ours, one.cause, one.done) for one in page.found]

    return run


def edit(trade, number: int) -> None:
    """Somebody changes the number there, and nobody tells us."""
    control(trade.url, "weather", drop=1)
    control(trade.url, "edit", item=ITEM, place=PLACE, quantity=number)
    control(trade.url, "weather")


def policy(trade, word: str) -> None:
    with writing(trade.shop.engine) as connection:
        connection.execute(channels.update().values(drift=word))


def asked(trade) -> list[sa.Row]:
    query = sa.select(incidents).where(
        incidents.c.kind == "drift", incidents.c.closed_at.is_(None)
    )
    with trade.shop.engine.connect() as connection:
        return connection.execute(query).all()


def test_nothing_is_found_and_nothing_done_where_all_is_right(
    trade, compare, eventually
):
    trade.settle(eventually, 5)
    sent = trade.attempts()

    assert compare() == []
    trade.work()
    assert trade.attempts() == sent
    assert asked(trade) == []


def test_ours_is_published_over_an_edit(trade, compare, eventually):
    trade.settle(eventually, 5)
    edit(trade, 9)

    assert compare() == [(9, 5, drift.EDITED, drift.PUBLISH)]
    trade.settle(eventually, 5)

    assert compare() == []
    assert trade.shop.level(JACKET) == {"available": 5}
    with trade.shop.engine.connect() as connection:
        [row] = drifts.page(connection, limit=10, channel="web")
    assert (row["sku"], row["theirs"], row["ours"], row["done"]) == (
        *(JACKET, 9, 5),
        drift.PUBLISH,
    )


def test_an_adapter_that_fails_ends_no_worker(trade, settings, eventually, monkeypatch):
    def broken(*_given):
        raise KeyError("oops")

    trade.settle(eventually, 5)
    kind = adapters.get(trade.provider)
    monkeypatch.setattr(kind, "read", broken)
    always = replace(settings, compare_hours=1e-9)
    assert not Comparer(trade.shop.engine, trade.publisher, always).step("web")

    query = sa.select(channels.c.reads_failed).where(channels.c.key == "web")
    with trade.shop.engine.connect() as connection:
        assert connection.scalar(query) == 1


def test_a_refusal_of_credentials_that_were_replaced_pauses_nothing(
    trade, settings, eventually, monkeypatch
):
    trade.settle(eventually, 5)

    def refused(*_: object) -> None:
        with writing(trade.shop.engine) as connection:
            new = trade.shop.vault, "web", "access_token", "new"
            channel_store.add_secret(connection, *new, now())
        raise CredentialsRefused("401")

    monkeypatch.setattr(adapters.get(trade.provider), "read", refused)
    daily = replace(settings, compare_hours=1e-9)
    Comparer(trade.shop.engine, trade.publisher, daily).step("web")

    with trade.shop.engine.connect() as connection:
        assert channel_store.row(connection, "web")["paused_at"] is None
        assert connection.execute(sa.select(incidents)).all() == []


def test_only_looking_does_nothing(trade, compare, eventually):
    trade.settle(eventually, 5)
    edit(trade, 9)

    assert compare(heal=False) == [(9, 5, drift.EDITED, drift.PUBLISH)]
    trade.work()

    assert trade.shows() == 9
    with trade.shop.engine.connect() as connection:
        assert drifts.page(connection, limit=10) == []


def test_theirs_is_taken_where_the_policy_says_so(trade, compare, eventually):
    trade.settle(eventually, 5)
    policy(trade, drift.ADOPT)
    edit(trade, 8)

    assert compare() == [(8, 5, drift.EDITED, drift.TAKE)]
    trade.settle(eventually, 8)

    assert trade.shop.level(JACKET) == {"available": 8}
    assert compare() == []
    assert is_right(trade)


def test_a_person_is_asked_with_both_numbers(trade, compare, eventually):
    trade.settle(eventually, 5)
    policy(trade, drift.ASK)
    edit(trade, 9)

    assert compare() == [(9, 5, drift.EDITED, drift.WAIT)]
    [incident] = asked(trade)
    assert "shows 9" in incident.message
    assert "ours is 5" in incident.message
    assert json.loads(incident.details)["cause"] == drift.EDITED

    trade.settle(eventually, 5)  # the smaller one, until somebody decides
    assert compare() == []
    assert len(asked(trade)) == 1
    assert disputes.decide_all(trade.shop.engine, "web", "ours", "ada", now()) == 1
    trade.settle(eventually, 5)
    assert compare() == []
    assert asked(trade) == []


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_what_is_raised_again_and_again_is_lowered_again(trade, settings, eventually):
    trade.settle(eventually, 5)
    once = replace(settings, heals_a_day=1)
    comparer = Comparer(trade.shop.engine, trade.publisher, once)
    for done in (drift.PUBLISH, drift.WAIT, drift.WAIT):
        edit(trade, 9)
        assert [one.done for one in comparer.page("web", 0).found] == [done]
        trade.settle(eventually, 5)
    assert len(asked(trade)) == 1


def test_nothing_at_all_waits_for_a_person(trade, compare, eventually):
    trade.settle(eventually, 5)
    edit(trade, 0)

    assert compare() == [(0, 5, drift.EDITED, drift.WAIT)]
    assert len(asked(trade)) == 1


def test_a_number_that_was_confirmed_and_not_taken_is_sent_again(
    trade, compare, eventually
):
    trade.settle(eventually, 5)
    compare()
    control(trade.url, "weather", lie=True)
    trade.shop.tell("till", sale("T-1", JACKET, 2, at=now()))
    eventually(lambda: trade.work() or trade.row()["accepted"] == 3)
    assert trade.shows() == 5
    control(trade.url, "weather")

    assert compare() == [(5, 3, drift.FALSE_SUCCESS, drift.PUBLISH)]
    trade.settle(eventually, 3)


def test_an_order_whose_webhook_was_lost_is_read_and_applied(
    trade, compare, eventually
):
    trade.settle(eventually, 5)
    # Shopify's clock ticks whole seconds: this sale must be told from our last write.
    time.sleep(1.1)
    control(trade.url, "weather", drop=1)
    sell(trade, 2)
    control(trade.url, "weather")

    assert compare() == [(3, 3, drift.LOST_EVENT, drift.NOTHING)]
    assert trade.shop.level(JACKET) == {"available": 3, "committed": 2}
    trade.settle(eventually, 3)
    assert is_right(trade)


def test_it_goes_page_by_page_and_remembers_how_far_it_is(trade, settings, eventually):
    trade.settle(eventually, 5)
    edit(trade, 9)
    always = replace(settings, compare_hours=1e-9)
    comparer = Comparer(trade.shop.engine, trade.publisher, always)

    assert comparer.step("web")
    assert not comparer.step("web")

    with trade.shop.engine.connect() as connection:
        row = connection.execute(
            sa.select(channels).where(channels.c.key == "web")
        ).one()
    assert row.compared_to == 0
    assert row.compared_at is not None
    trade.settle(eventually, 5)
    rarely = Comparer(trade.shop.engine, trade.publisher, settings)
    assert not rarely.step("web")


@pytest.mark.parametrize("trade", ["shopify"], indirect=True)
def test_a_configuration_that_is_loaded_every_hour_puts_no_comparison_off(
    trade, comparer, eventually
):
    trade.settle(eventually, 5)
    edit(trade, 9)
    assert not comparer.step("web"), "it has just begun to publish"
    with writing(trade.shop.engine) as connection:
        since = policies.c.changed_at - 7 * HOUR
        connection.execute(policies.update().values(changed_at=since))
        channel_store.touch(connection, now())

    comparer.step("web")

    with trade.shop.engine.connect() as connection:
        assert len(drifts.page(connection, limit=10)) == 1


@pytest.mark.parametrize("trade", ["shopify"], indirect=True)
def test_an_item_that_no_stock_is_kept_of_says_what_is_to_be_done(
    trade, compare, eventually
):
    trade.settle(eventually, 5)
    trade.sandbox.untracked.add(ITEM)

    assert compare() == [(None, 5, drift.MAPPING, drift.WAIT)]
    [incident] = asked(trade)
    assert f"keep stock of {ITEM} there, or correct the listing" in incident.message
    assert "take" not in incident.message.lower(), "there are no two to choose from"

    trade.sandbox.untracked.clear()
    assert compare() == []
    assert asked(trade) == []
