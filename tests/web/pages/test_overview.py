"""What is wrong, what it means for which products, and what to press."""

import re

import pytest
import sqlalchemy as sa

from adapters.signatures import StandardWebhooks
from app.domain.errors import GiveUp, InvalidSignature
from app.domain.instants import HOUR, MINUTE, now
from app.pipeline.publishing.marking import mark_all
from app.store.configuration import channels as channel_store
from app.store.engine import writing
from app.store.tables import audit_log, channels
from app.store.watching import alerts, rounds
from tests.builders import JACKET, SECRET, order, returned, sale
from tests.web.pages.conftest import text_of

WEB_SKU = "jacket-on-the-web"


def sell_at_the_till(shop, quantity: int) -> None:
    shop.tell("till", sale("t-1", JACKET, quantity, at=now(), location="1"))


def test_a_quiet_day_is_said_in_one_sentence(anna, deliveries):
    words = anna.words("/")

    assert "Every channel shows the right number" in words
    assert "none each went out in time" in words
    assert "Everything is delivered." in anna.words("/deliveries")


def test_an_empty_hub_says_how_to_begin(anna):
    words = anna.words("/")

    assert "No channel is connected yet" in words
    assert "onecount load channels.toml" in words


def test_a_failed_delivery_shows_what_is_shown_and_what_should_be(
    anna, shop, deliveries
):
    sell_at_the_till(shop, 8)
    deliveries.fail(deliveries.id(JACKET, place="d"), "web answered 503: too busy")

    words = anna.words("/")

    assert "Units may be sold twice" in words
    assert "8 units are shown or promised, but not there: BLUE-JACKET-M" in words
    assert "shows 10 → and should show 2 8 too many" in words
    assert "The channel was down or too busy web answered 503: too busy" in words


def test_a_held_channel_is_tried_again_by_one_press(anna, deliveries, woken):
    held = {"tripped_at": now(), "held_until": now() + HOUR}
    with writing(deliveries.shop.engine) as connection:
        where = channels.c.key == "web"
        connection.execute(channels.update().where(where).values(held))
    deliveries.want(deliveries.id(JACKET, place="d"))
    page = anna.read("/")
    assert "none but what failed or is held" in text_of(page)
    (way,) = re.findall(r'action="(/channels/web/[a-z]+)"', page)

    done = anna.press(way)

    assert "Too many calls failed" in page
    assert "Try now : web: held" in text_of(page)
    assert "web is sent its newest numbers again" in done.text
    woken("outbound:web")
    assert 'href="/channels/web"' in anna.read("/deliveries?channel=web")


def test_a_channel_that_shows_too_little_costs_no_alarm(anna, shop, deliveries):
    row_id = deliveries.id(JACKET, place="d")
    deliveries.all_settled(shows=4)
    deliveries.fail(row_id)

    words = anna.words("/")

    assert "Units may be sold twice" not in words
    assert "none of them offers too much" in words
    assert "At risk" not in words
    assert "shows 4 → and should show 10" in anna.words("/deliveries")


def test_an_oversold_product_is_named_first(anna, shop, deliveries):
    shop.tell("web", order("1001", WEB_SKU, 12, at=now()))
    deliveries.all_settled()

    words = anna.words("/")

    assert "BLUE-JACKET-M is promised 2 times too often" in words


def test_incidents_of_a_kind_are_one_thing_to_do(anna, shop, deliveries):
    shop.sku("SCARF")
    for sku in (JACKET, "SCARF"):
        told = returned(sku, sku, 1, at=now(), location="1")
        shop.tell("till", told)
    deliveries.all_settled()

    words = anna.words("/")

    assert "1 thing needs you" in words
    assert (
        "BLUE-JACKET-M, SCARF Show them : More came back than was shipped: 2" in words
    )


def test_a_channel_whose_webhooks_are_refused_needs_somebody(anna, shop, deliveries):
    of_another = StandardWebhooks().sign(b"other", SECRET, now(), "msg_1")
    for _ in range(3):
        with pytest.raises(InvalidSignature):
            shop.receiver.receive("till", of_another, b"{}", None, now())

    page = anna.read("/")

    assert "1 thing needs you" in text_of(page)
    assert "till: its webhooks are refused 3 came and none was taken in" in text_of(
        page
    )
    assert 'href="/channels/till">Open its page' in page

    shop.tell("till", {"type": "onecount.test"})
    assert "Nothing needs you." in anna.words("/")


def test_one_press_sends_it_again(anna, shop, deliveries, woken):
    row_id = deliveries.fail(deliveries.id(JACKET, place="d"))

    answer = anna.press("/deliveries/retry", {"one": row_id})

    assert "1 number is being sent again" in answer.text
    assert deliveries.row(row_id)["failed_at"] is None
    woken("outbound:web")


def test_every_press_is_written_down_with_the_name(anna, engine, deliveries):
    row_id = deliveries.fail(deliveries.id(JACKET, place="d"))

    anna.press("/deliveries/retry", {"one": row_id})

    with engine.connect() as connection:
        pressed = sa.select(audit_log).where(audit_log.c.action != "log in")
        deed = connection.execute(pressed).one()
    assert (deed.actor, deed.action) == (anna.email, "retry")
    assert deed.subject == f"publication {row_id}"


def test_all_of_a_channel_that_failed_lead_to_a_plan(anna, person, shop, deliveries):
    for place in "dh":
        deliveries.fail(deliveries.id(JACKET, place=place))

    page = anna.read("/")

    assert 'href="/deliveries/plan?state=failed&amp;channel=web">Retry 2 …' in page
    assert "Retry 2" not in person("viewer").words("/")


def test_one_delivery_is_discarded_until_stock_changes(anna, shop, deliveries):
    row_id = deliveries.fail(deliveries.id(JACKET, place="d"))

    anna.press("/deliveries/discard", {"one": row_id})
    discarded = anna.words("/deliveries?state=discarded")
    sell_at_the_till(shop, 1)
    mark_all(shop.engine, now())

    assert JACKET in discarded
    assert deliveries.row(row_id)["discarded_at"] is None


def test_the_list_can_be_narrowed_by_channel_state_and_name(anna, shop, deliveries):
    shop.sku("SCARF")
    shop.listing("web", "SCARF", "scarf")
    deliveries.all_settled()
    deliveries.fail(deliveries.id("SCARF", place="d"))
    deliveries.want(deliveries.id(JACKET, place="d"))

    def listed(query: str) -> set[str]:
        rows = anna.read(f"/deliveries?{query}").partition('id="deliveries"')[2]
        return {sku for sku in (JACKET, "SCARF") if f">{sku}</a>" in rows}

    assert listed("") == {JACKET, "SCARF"}
    assert listed("state=failed") == {"SCARF"}
    assert listed("product=jack") == listed(f"sku={JACKET}") == {JACKET}
    assert listed("sku=jack") == set()
    assert listed("channel=till") == set()
    assert listed("state=nonsense&product=%25") == set()


def test_pages_follow_each_other_without_a_gap_or_a_repeat(anna, shop, deliveries):
    names = [f"TEE-{n:03}" for n in range(60)]
    shop.sku(*names)
    for name in names:
        shop.listing("web", name, name)
    first = anna.read("/deliveries?product=TEE")
    cursor = first.partition("cursor=")[2].partition("&")[0].partition("#")[0]
    second = anna.read(f"/deliveries?product=TEE&cursor={cursor}")

    def ids(page: str) -> set[str]:
        return {part.partition('"')[0] for part in page.split('name="ids" value="')[2:]}

    assert len(ids(first)) == 50
    assert len(ids(first) | ids(second)) == 100
    assert not ids(first) & ids(second)


def test_a_viewer_reads_everything_and_can_press_nothing(person, deliveries):
    otto = person("viewer")
    row_id = deliveries.fail(deliveries.id(JACKET, place="d"))

    page = otto.read("/deliveries")
    answer = otto.press("/deliveries/retry", {"one": row_id})

    assert "The channel was down" in page
    assert "formaction" not in page
    assert answer.status_code == 403
    assert "You may look" in answer.text
    assert deliveries.row(row_id)["failed_at"] is not None


def test_names_and_error_texts_cannot_become_part_of_the_page(anna, shop, deliveries):
    evil = "<script>alert(1)</script>\"'"
    shop.sku(evil)
    shop.listing("web", evil, "evil")
    row_id = deliveries.fail(deliveries.id(evil, place="d"), f"said {evil}", GiveUp)

    pages = [
        anna.read(path)
        for path in ("/", "/deliveries", f"/deliveries/{row_id}", "/stock")
    ]

    for page in pages:
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)" in page


def test_a_channel_that_refuses_our_credentials_has_its_own_line(
    anna, engine, deliveries
):
    with writing(engine) as connection:
        channel_store.pause(connection, "web", "credentials refused", now())

    words = anna.words("/")

    assert "web: credentials refused" in words
    assert (
        "Renew the secret on its page or in its file, then resume the channel." in words
    )


def test_a_channel_that_is_down_says_since_when_it_costs_what(
    anna, shop, engine, deliveries
):
    sell_at_the_till(shop, 4)
    deliveries.want(deliveries.id(JACKET, place="d"))
    with writing(engine) as connection:
        connection.execute(channels.update().values(failures=2, last_error="no route"))
        connection.execute(
            sa.text("UPDATE publications SET wanted_at = :at"),
            {"at": now() - 5 * MINUTE},
        )

    words = anna.words("/")

    assert "web: not answering" in words
    assert "It offers 4 units that should not be sold: BLUE-JACKET-M" in words
    assert "no route" in words


def test_a_number_sent_a_moment_ago_alarms_nobody(anna, shop, deliveries):
    sell_at_the_till(shop, 1)

    words = anna.words("/")

    assert "number is on the way" in words or "numbers are on the way" in words
    assert "Units may be sold twice" not in words


def test_unread_webhooks_stand_among_what_needs_a_person(anna, shop, deliveries):
    shop.tell("web", order("1", "never heard of", 1, at=now()), b"{nonsense")

    words = anna.words("/")

    assert "1 webhook waits for a name we do not know" in words
    assert "1 webhook could not be read" in words


def test_no_page_holds_a_script_or_a_style_of_its_own(anna, deliveries):
    deliveries.fail(deliveries.id(JACKET, place="d"))
    for path in ("/", "/stock", f"/stock/{JACKET}", "/channels", "/inbox", "/nope"):
        page = anna.get(path).text
        assert "<style" not in page
        assert " style=" not in page
        assert "<script>" not in page
        assert " onclick=" not in page
        assert "https://" not in page.replace("https://www.w3.org", "")


def test_a_wrong_clock_is_said_wherever_people_look(anna, shop, client, deliveries):
    def told(ahead: int) -> dict[str, int]:
        return {"clock_ahead": ahead, "clock_told_at": now()}

    with writing(shop.engine) as connection:
        connection.execute(channels.update().values(**told(HOUR)))
        [alert] = alerts.trouble(connection, now(), MINUTE).values()
    ready = client.get("/readyz")

    assert alert == "This machine's clock is 60 min behind the channels' clocks"
    assert alert in anna.words("/")
    assert ready.status_code == 200
    assert ready.json["clock"] == alert

    with writing(shop.engine) as connection:
        one = channels.update().where(channels.c.key == "till")
        connection.execute(one.values(**told(0)))
    assert "clock" not in client.get("/readyz").json, "it is web's that is wrong"
    assert "clock" not in anna.words("/")


def test_a_silent_scheduler_is_told(anna, shop, deliveries, monkeypatch):
    assert "scheduler" not in anna.words("/")
    monkeypatch.setattr(rounds, "SILENT", 1)
    with writing(shop.engine) as connection:
        rounds.over(connection)

    assert "The scheduler is silent" in anna.words("/")
