"""What is shown but not there comes first, with how soon that costs a sale."""

import re

import pytest

from app.domain.instants import DAY, MINUTE, now
from app.pipeline.proving.explaining import explain
from app.store.engine import writing
from app.store.tables import publications
from tests.builders import JACKET, order, sale
from tests.web.pages.conftest import text_of

WEB_SKU = "jacket-on-the-web"


def at_risk(page: str) -> str:
    return text_of(page.partition('id="at-risk"')[2].partition("</section>")[0])


def sell(shop, units: int) -> None:
    shop.tell("till", sale("T-1", JACKET, units, at=now(), location="1"))


@pytest.mark.parametrize("state", ["failed", "waiting"])
def test_a_number_that_is_too_high_stands_first_with_its_exposure(
    anna, shop, deliveries, state
):
    sell(shop, 8)
    row_id = deliveries.id(JACKET, place="d")
    late = now() - MINUTE
    deliveries.fail(row_id) if state == "failed" else deliveries.want(row_id, late)

    told = at_risk(anna.read("/"))

    assert "BLUE-JACKET-M web downtown shows 10 → and should show 2 8 too many" in told
    assert "none this week not soon" in told
    assert "Push now" in told


def test_a_number_on_its_way_just_now_is_no_risk_yet(anna, shop, deliveries):
    sell(shop, 8)
    deliveries.want(deliveries.id(JACKET, place="d"))

    page = anna.read("/")

    assert 'id="at-risk"' not in page
    assert "Units at risk 0" in text_of(page)


def test_the_pace_of_a_channel_says_when_it_sells_one_too_many(anna, shop, deliveries):
    at = now() - 2 * DAY
    for number in range(7):
        shop.tell("web", order(f"10{number}", WEB_SKU, 1, at=at + number))
    deliveries.all_settled()
    sell(shop, 2)
    deliveries.fail(deliveries.id(JACKET, place="d"))

    told = at_risk(anna.read("/"))

    assert re.search(r"should show 1 2 too many 1\.0 2 days", told), told


def test_a_cancelled_order_slows_the_pace(anna, shop, deliveries):
    from tests.builders import cancellation

    at = now() - DAY
    shop.tell("web", order("1001", WEB_SKU, 7, at=at))
    shop.tell("web", cancellation("1001", WEB_SKU, 7, at=at + 1))
    deliveries.all_settled()
    sell(shop, 8)
    deliveries.fail(deliveries.id(JACKET, place="d"))

    assert "none this week" in at_risk(anna.read("/"))


def test_nothing_is_at_risk_when_channels_show_too_little(anna, shop, deliveries):
    deliveries.all_settled(shows=1)
    deliveries.fail(deliveries.id(JACKET, place="d"))

    assert 'id="at-risk"' not in anna.read("/")


def test_a_channel_can_be_let_show_0_and_the_number_again(
    anna, shop, deliveries, woken
):
    sell(shop, 8)
    row_id = deliveries.fail(deliveries.id(JACKET, place="d"))

    answer = anna.press("/deliveries/show-nothing", {"one": row_id})
    shown = shows(shop)
    anna.press("/deliveries/show-again", {"one": row_id})

    assert "BLUE-JACKET-M is shown as 0 on web" in answer.text
    assert shown == 0
    assert deliveries.row(row_id)["failed_at"] is None, "it is tried again at once"
    woken("outbound:web")
    assert shows(shop) == 2


def test_showing_0_keeps_what_else_the_listing_says(anna, shop, api, deliveries):
    told = {"channel": "web", "sku": JACKET, "external_id": WEB_SKU}
    api.post("/listings", {**told, "policy": {"buffer": 3}})
    row_id = deliveries.id(JACKET, place="d")

    anna.press("/deliveries/show-nothing", {"one": row_id})
    anna.press("/deliveries/show-again", {"one": row_id})

    assert shows(shop) == 7


def test_a_viewer_cannot_change_what_is_shown(person, shop, deliveries):
    otto = person("viewer")
    row_id = deliveries.id(JACKET, place="d")

    assert otto.press("/deliveries/show-nothing", {"one": row_id}).status_code == 403
    assert shows(shop) == 10


def test_the_strip_counts_what_does_not_add_up(anna, shop, deliveries):
    shop.tell("web", order("1001", WEB_SKU, 12, at=now()))

    assert "Open incidents 1" in anna.words("/")


def test_what_was_just_tried_in_vain_is_a_risk_in_the_headline_too(
    anna, engine, deliveries
):
    row_id = deliveries.id(JACKET, place="d")
    deliveries.all_settled(shows=14)
    deliveries.want(row_id)
    with writing(engine) as connection:
        tried = publications.update().where(publications.c.id == row_id)
        connection.execute(tried.values(attempts=1, next_attempt_at=now() + MINUTE))

    words = anna.words("/")

    assert "Units may be sold twice" in words
    assert "Units at risk 4" in words


def shows(shop) -> int:
    with shop.engine.connect() as connection:
        found = explain(connection, JACKET, "web", at=None, now=now())
    assert found is not None
    return sum(one["shown"] for one in found["numbers"])


def test_what_is_missing_at_one_place_and_free_at_another_is_said(
    anna, shop, deliveries
):
    sold = sale("t-1", JACKET, 11, at=now(), location="1")
    shop.tell("till", sold)
    assert "missing where" not in anna.words("/")
    shop.count(JACKET, "harbour", 4)

    words = anna.words("/")

    assert "1 more is missing where it is promised, but free elsewhere" in words
