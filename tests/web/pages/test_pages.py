"""Stock, channels, the inbox, one delivery, and addresses that lead nowhere."""

import re

import pytest
import sqlalchemy as sa

from app.domain.instants import MINUTE, now
from app.pipeline.configuring.listings import map_listing
from app.pipeline.configuring.recipes import set_recipe
from app.procfile import ROOT
from app.store.configuration.channels import touch
from app.store.engine import writing
from app.store.tables import channels, push_attempt_items, push_attempts
from tests.builders import JACKET, cancellation, order, returned, sale, shipment

WEB_SKU = "jacket-on-the-web"


# -- stock ---------------------------------------------------------------------


def test_a_product_is_found_by_a_part_of_its_name(anna, shop):
    shop.sku("SCARF")

    assert JACKET in anna.words("/stock?q=jack")
    assert "SCARF" not in anna.words("/stock?q=jack")
    assert "No product matches" in anna.words("/stock?q=nothing+like+it")


def test_a_product_shows_its_levels_its_channels_and_what_happened(
    anna, shop, deliveries
):
    shop.tell("till", sale("T-7", JACKET, 3, at=now(), location="1"))

    words = anna.words(f"/stock/{JACKET}")

    assert "downtown 7 7 0 0 0 0 0" in words
    assert "3 handed over, order T-7 downtown till" in words
    assert "Counted: 10 more than thought" in words
    assert "shows 10 → and should show 7 3 too many" in words


def test_what_another_source_tells_again_is_one_line(anna, shop):
    shop.channel("parcels")
    with writing(shop.engine) as connection:
        trusted = channels.update().values(authority='{"shipped": "parcels"}')
        connection.execute(trusted.where(channels.c.key == "web"))
        touch(connection, now())
    began = now() - 9 * MINUTE
    shop.tell("web", order("1001", WEB_SKU, 2, at=began))
    shop.tell("web", shipment("1001", WEB_SKU, 2, at=began + MINUTE, location="d"))
    told = shipment("1001", JACKET, 2, at=began + 2 * MINUTE, location="downtown")
    shop.tell("parcels", {**told, "id": "P-1", "channel": "web"})

    words = anna.words(f"/stock/{JACKET}")

    again = "2 handed over, order 1001 told again, with another time downtown parcels"
    assert f"– {again}" in words
    assert "2 handed over, order 1001 downtown web" in words
    assert "not shipped after all" not in words


def test_a_product_says_which_channels_list_it_and_only_listen(anna, shop):
    shop.sku("SCARF")
    assert "Say which item it is there with a spreadsheet of listings" in anna.words(
        "/stock/SCARF"
    )

    shop.listing("till", "SCARF", "scarf")
    words = anna.words("/stock/SCARF")

    assert "Listing it, and shown nothing until you publish to them: till" in words
    assert "No channel shows this product" not in words
    assert "Listing it" not in anna.words(f"/stock/{JACKET}")


def test_a_number_that_is_on_its_way_just_now_is_no_alarm(anna, shop, deliveries):
    alarm = "3 units too many on offer"
    shop.tell("till", sale("T-1", JACKET, 3, at=now(), location="1"))
    row_id = deliveries.id(JACKET, place="d")

    deliveries.want(row_id)
    assert alarm not in anna.words(f"/stock/{JACKET}")

    deliveries.fail(row_id)
    assert alarm in anna.words(f"/stock/{JACKET}")


def test_the_ledger_tells_an_order_in_the_words_of_the_shop(anna, shop):
    at = now() - MINUTE
    shop.tell("web", order("1001", WEB_SKU, 2, at=at))
    shop.tell("web", cancellation("1001", WEB_SKU, 1, at=at + 1))
    shop.tell("web", shipment("1001", WEB_SKU, 1, at=at + 2, location="d"))
    shop.tell("web", returned("1001", WEB_SKU, 1, at=at + 3, location="d"))

    words = anna.words(f"/stock/{JACKET}")

    assert "2 sold, promised to order 1001" in words
    assert "1 cancelled, order 1001" in words
    assert "1 handed over, order 1001" in words
    assert "1 came back, sellable again, order 1001" in words


def test_oversold_stands_on_top_in_plain_words(anna, shop):
    shop.tell("web", order("1001", WEB_SKU, 13, at=now()))

    words = anna.words(f"/stock/{JACKET}")

    assert "Oversold by 3 units." in words
    assert "oversold" in anna.words("/stock")


def test_a_code_with_a_slash_has_its_page(anna, shop):
    shop.sku("TEE/XL 2")

    assert "TEE/XL 2" in anna.words("/stock/TEE/XL%202")


def test_old_entries_are_a_page_further(anna, shop):
    at = now() - 30 * MINUTE
    for number in range(60):
        shop.tell("till", sale(f"T-{number}", JACKET, 1, at=at + number, location="1"))

    first = anna.read(f"/stock/{JACKET}")
    cursor = first.partition("cursor=")[2].partition('"')[0]
    second = anna.words(f"/stock/{JACKET}?cursor={cursor}")

    assert "order T-59" in first
    assert "order T-5 " not in first
    assert "order T-5 " in second


def test_a_kit_shows_what_happened_to_its_components(anna, shop):
    shop.sku("GIFT-BOX")
    set_recipe(shop.engine, "GIFT-BOX", {JACKET: 2}, now=now())
    shop.tell("till", sale("T-8", "GIFT-BOX", 1, at=now(), location="1"))

    words = anna.words("/stock/GIFT-BOX")

    assert f"2 handed over, order T-8 of {JACKET} downtown till" in words
    assert f"A kit, put together of 2 × {JACKET}" in words
    assert "Nothing has happened" not in words


# -- channels --------------------------------------------------------------------


def test_a_channel_shows_its_webhook_address(anna, shop, settings):
    assert f'value="{settings.public_url}/webhooks/web"' in anna.read("/channels")


def test_a_paused_channel_says_why_and_goes_on_when_told(anna, shop, woken, engine):
    paused = anna.press("/channels/web/pause", {"reason": "stock-taking"})
    resumed = anna.press("/channels/web/resume")

    assert "stock-taking" in paused.text
    assert "is sent its newest numbers again" in resumed.text
    woken("outbound:web")
    with engine.connect() as connection:
        rows = connection.execute(sa.select(channels.c.paused_at)).scalars().all()
    assert rows == [None, None]


def test_a_viewer_cannot_pause(person, shop):
    otto = person("viewer")

    assert (
        "Pause<"
        not in otto.read("/channels")
        .partition("<main")[2]
        .replace("data-pause", "")
        .partition("<footer")[0]
    )
    assert otto.press("/channels/web/pause").status_code == 403


def test_a_channel_that_is_not_there_cannot_be_paused(anna, shop):
    assert anna.press("/channels/ghost/pause").status_code == 404


def test_refused_webhooks_are_told_with_a_hint(anna, shop, client):
    client.post("/webhooks/web", data=b"{}", headers={"webhook-id": "1"})
    client.post(
        "/webhooks/web",
        data=b"{}",
        headers={
            "webhook-id": "1",
            "webhook-timestamp": str(now() // 1_000_000),
            "webhook-signature": "v1,AAAA",
        },
    )

    words = anna.words("/channels")

    assert "1 webhook refused, without a header" in words
    assert "1 webhook refused, with a signature that none of our secrets made" in words


# -- the inbox ------------------------------------------------------------------


def test_a_parked_webhook_is_in_stock_once_its_sku_is_named(anna, shop):
    shop.tell("web", order("1001", "gloves-9", 2, at=now()))
    shop.sku("GLOVES-9")
    asked = anna.words("/inbox")

    form = {"channel": "web", "external_id": "gloves-9", "sku": "GLOVES-9"}
    answer = anna.press("/inbox/name", form)

    assert "which SKU gloves-9 is on web" in asked
    assert "It tells of 2 units ordered." in asked
    assert "gloves-9 on web is GLOVES-9 from now on" in answer.text
    assert shop.level("GLOVES-9") == {"available": -2, "committed": 2}
    assert "Nothing waits for a name" in anna.words("/inbox?state=parked")


def test_what_is_no_stock_asks_nobody_until_it_is_stock_after_all(anna, shop):
    shop.tell("web", order("1001", "engraving", 2, at=now()))
    for page in ("/inbox", "/incidents"):
        assert "It is not stock : engraving on web" in anna.words(page)

    form = {"channel": "web", "item": "engraving"}
    answer = anna.press("/inbox/not-stock", form)

    assert "engraving on web is not stock" in answer.text
    assert "Nothing waits for a name" in anna.words("/inbox?state=parked")
    assert "engraving is not stock" in anna.words("/inbox?state=ignored")
    assert "It is stock : engraving" in anna.words("/channels/web")
    answer = anna.press("/channels/web/stock", {"item": "engraving"})
    assert "waits in the inbox for its SKU" in answer.text
    assert "which SKU engraving is on web" in anna.words("/inbox")
    assert "engraving" not in anna.words("/channels/web")


def test_what_is_mapped_is_stock(anna, shop):
    map_listing(shop.engine, "web", JACKET, "j-1", now=now())
    answer = anna.press("/inbox/not-stock", {"channel": "web", "item": "j-1"})

    assert f"is {JACKET} on web; map it to another SKU instead" in answer.text


def test_a_sku_nobody_knows_is_not_made_up(anna, shop):
    shop.tell("web", order("1001", "gloves-9", 2, at=now()))

    form = {"channel": "web", "external_id": "gloves-9", "sku": "GLOVS"}
    answer = anna.press("/inbox/name", form)

    assert "there is no SKU" in answer.text
    assert shop.messages()[-1][0] == "parked"


def test_a_buried_webhook_tells_why_and_is_read_again_when_told(anna, shop, woken):
    body = order("1", WEB_SKU, 1, at=now())
    body["lines"][0]["quantity"] = -2
    shop.tell("web", body)
    told = anna.words("/inbox?state=buried")

    answer = anna.press("/inbox/replay", {"one": 1})

    assert "lines[0].quantity" in told
    assert "1 message is being read again" in answer.text
    assert shop.messages()[0][0] == "waiting"
    woken("inbound")


def test_what_means_nothing_here_is_dismissed_and_can_be_brought_back(anna, shop):
    shop.tell("till", b"nonsense", sale("T", "nobody", 1, at=now()))

    nothing = anna.press("/inbox/dismiss", {})
    one = anna.press("/inbox/dismiss", {"one": 1})
    ticked = anna.press("/inbox/dismiss", {"id": [2]})

    assert "Nothing was selected" in nothing.text
    assert "1 message dismissed" in one.text
    assert "1 message dismissed" in ticked.text
    assert "Every webhook could be read" in anna.words("/inbox?state=buried")
    assert "Nothing waits for a name" in anna.words("/inbox?state=parked")
    assert anna.words("/inbox?state=ignored").count("by operator@") == 2
    anna.press("/inbox/replay", {"id": [1, 2]})
    shop.apply()
    assert [state for state, _ in shop.messages()] == ["buried", "parked"]


def test_what_is_kept_of_a_webhook_is_shown_and_harmless(anna, shop):
    shop.tell("web", order("<img src=x onerror=alert(1)>", "ghost", 1, at=now()))

    page = anna.read("/inbox")

    assert "<img src=x" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page


def test_an_unmapped_location_says_where_to_add_it(anna, shop):
    shop.tell("till", sale("1", JACKET, 1, at=now(), location="9"))

    assert "till speaks of a location 9 that is not mapped" in anna.words("/inbox")


@pytest.mark.parametrize("state", ["parked", "buried", "waiting", "applied", "ignored"])
def test_an_empty_inbox_says_what_would_stand_there(anna, state):
    assert '<section class="card empty">' in anna.read(f"/inbox?state={state}")


# -- one delivery ------------------------------------------------------------------


def test_a_delivery_tells_every_attempt_newest_first(anna, shop, engine, deliveries):
    row_id = deliveries.id(JACKET, place="d")
    with writing(engine) as connection:
        for number, result, error in ((9, "retry", "answered 503"), (4, "sending", "")):
            attempt = connection.execute(
                push_attempts.insert()
                .values(
                    channel_id=deliveries.row(row_id)["channel_id"],
                    key="k",
                    variables_hash="h",
                    started_at=now(),
                    result=result,
                    error=error or None,
                )
                .returning(push_attempts.c.id)
            ).scalar_one()
            connection.execute(
                push_attempt_items.insert().values(
                    attempt_id=attempt, publication_id=row_id, number=number, version=1
                )
            )

    words = anna.words(f"/deliveries/{row_id}")

    assert words.index("sent 4") < words.index("sent 9")
    assert "Did not work sent 9" in words
    assert "answered 503" in words


def test_a_delivery_never_tried_says_when_it_will_be(anna, deliveries):
    assert "No attempt yet" in anna.words(f"/deliveries/{deliveries.id(JACKET)}")


# -- nowhere ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/nope", "/stock/no-such-sku", "/deliveries/999", "/deliveries/9999999999"]
)
def test_what_is_not_there_says_so_and_leads_on(anna, path):
    answer = anna.get(path)

    assert answer.status_code == 404
    assert "There is nothing here" in answer.text
    assert 'href="/stock"' in answer.text


def test_a_button_s_address_opened_by_hand_says_so(anna):
    answer = anna.get("/deliveries/retry")

    assert answer.status_code == 405
    assert "belongs to a button" in answer.text


def test_numbers_no_database_holds_are_no_crash(anna):
    huge = "9" * 40
    for path in (
        f"/deliveries/{huge}",
        f"/deliveries?open={huge}&since=9999-99-99T00:00&until={huge}",
        f"/stock/{JACKET}?at={huge}",
    ):
        assert anna.get(path).status_code in (200, 404), path


@pytest.mark.parametrize("cursor", ["nonsense", "%C2%B2", "WzFd", "WyJ4Il0"])
def test_a_page_that_is_no_page_of_this_list_says_so(anna, shop, cursor):
    """The last ones would be pages of a list by ids, and by SKUs."""
    refused = anna.get(f"/deliveries?cursor={cursor}")

    assert refused.status_code == 422
    assert "cannot be done as it was asked" in refused.text


def test_a_field_that_takes_only_some_texts_says_which():
    """A browser's own words are that a format is requested, not which."""
    fields = [
        tag
        for path in sorted((ROOT / "app/web/templates").glob("*.html"))
        for tag in re.findall(r"<input [^>]*pattern=[^>]*>", path.read_text())
    ]

    assert len(fields) > 4
    assert [tag for tag in fields if "title=" not in tag] == []
