"""Filters that are kept, bars that filter, what was sent last, a channel's last day."""

import re

import pytest

from app.domain.budget import Budget
from app.domain.channels import Wish
from app.domain.instants import DAY, HOUR, MINUTE, now
from app.store.engine import writing
from app.store.publishing import attempts, tallies
from app.store.tables import channels, publications
from app.web.pages import charts
from tests.builders import JACKET, sale

WANTED = "/deliveries?state=failed&product=BLUE"


def test_a_filter_is_kept_by_name_for_oneself_and_deleted(anna, person, shop):
    kept = {"name": "jackets", "state": "failed", "product": "BLUE"}
    anna.press("/deliveries/views", kept, on="/account")
    anna.press("/deliveries/views", {"name": "nothing"}, on="/account")

    page = anna.read(WANTED)
    assert re.search(
        r'href="/deliveries\?state=failed&amp;product=BLUE"[^>]*>jackets<', page
    )
    assert "nothing" not in anna.words("/deliveries")
    assert "jackets" not in person("admin").words("/deliveries")

    found = re.search(r"/deliveries/views/\d+/delete", page)
    assert found
    stranger = person("viewer")
    assert stranger.press(found[0], on="/account").status_code == 404
    anna.press(found[0], on="/account")
    assert "jackets" not in anna.words("/deliveries")


def test_bars_say_since_when_and_lead_to_those_rows(anna, shop, engine, deliveries):
    old = deliveries.fail(deliveries.id(JACKET, place="d"))
    deliveries.fail(deliveries.id(JACKET, place="h"))
    with writing(engine) as connection:
        connection.execute(
            publications.update()
            .where(publications.c.id == old)
            .values(wanted_at=now() - 3 * DAY)
        )

    page = anna.read("/deliveries?state=failed")
    links = re.findall(r'<li><a href="(/deliveries\?[^"]*since=[^"]*)" title="1 ', page)

    assert "Retry all 2 that match" in anna.words("/deliveries?state=failed")
    assert len(links) == 2
    rows = anna.read(links[0].replace("&amp;", "&"))
    assert re.findall(r'name="ids" value="(\d+)"', rows) == [str(old)]


def test_what_was_sent_last_is_watched(anna, shop, engine, deliveries):
    row_id = deliveries.id(JACKET, place="d")
    with writing(engine) as connection:
        wish = Wish(row_id, JACKET, "jacket", None, None, 7, 3)
        attempts.begin(connection, 1, "hash", [wish], now())

    assert f"{JACKET} web 7 Sending" in anna.words("/deliveries/tail?channel=web")
    assert "Nothing was sent yet" in anna.words("/deliveries/tail?channel=till")


def test_a_tile_tells_of_the_budget_and_the_last_day(anna, shop, engine, deliveries):
    budget = Budget(left=30, size=40, read_at=now())
    with writing(engine) as connection:
        connection.execute(channels.update().values(budget=budget.written()))
        for ago in (0, 30 * HOUR):
            counts = {tallies.TAKEN: 5, "attempt:unavailable": 1}
            tallies.add(connection, 1, counts, now() - ago)
    deliveries.fail(deliveries.id(JACKET, place="d"))
    deliveries.want(deliveries.id(JACKET, place="h"))

    words = anna.words("/")

    assert "1 failed, 1 waiting" in words
    assert "5 delivered in 24 h" in words
    assert "75 % of its budget left" in words
    assert anna.read("/").count("<rect") == 1


def test_hours_are_forgotten_when_nobody_draws_them(engine, shop):
    at = now()
    with writing(engine) as connection:
        tallies.add(connection, 1, {tallies.TAKEN: 5}, at - 3 * HOUR)
        assert sum(done for done, _ in tallies.hours(connection, at)[1]) == 5
        tallies.forget_hours(connection, at)
        assert tallies.hours(connection, at) == {}


@pytest.mark.parametrize("rows", [{}, {0: 5}, {0: 1, 47 * MINUTE: 3}, {0: 1, DAY: 2}])
def test_a_histogram_has_few_bars_of_one_length_and_loses_no_row(rows):
    bars = charts.histogram(MINUTE, rows)

    assert len(bars) <= charts.BARS
    assert sum(bar.rows for bar in bars) == sum(rows.values())
    assert len({bar.until - bar.since for bar in bars}) <= 1


def test_the_stock_page_draws_what_there_was(anna, shop):
    shop.tell("till", sale("T-1", JACKET, 4, at=now()))

    page = anna.read(f"/stock/{JACKET}")

    assert "available from 0 to 6, on hand from 0 to 6" in page
    drawn = charts.Lines([0, DAY], [10, 6], [10, 8])
    assert drawn.path(drawn.available).startswith("M0 3.0V3.0H300")
