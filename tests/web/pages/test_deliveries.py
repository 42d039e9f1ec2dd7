"""Every number, by filters in the address; one of them beside the list with its story."""

import re

from app.domain.errors import GiveUp
from app.domain.instants import DAY, now
from app.store.engine import writing
from app.store.tables import publications
from app.web.pages.look import written
from tests.builders import JACKET, order

WEB_SKU = "jacket-on-the-web"


def listed(person, query: str) -> set[str]:
    rows = person.read(f"/deliveries?{query}").partition("<tbody>")[2]
    rows = rows.partition("</tbody>")[0]
    return set(re.findall(r'class="sku" href="[^"]*">([^<]+)</a>', rows))


def test_the_list_can_be_narrowed_by_the_kind_of_error_and_by_time(
    anna, shop, engine, deliveries
):
    shop.sku("SCARF")
    shop.listing("web", "SCARF", "scarf")
    deliveries.fail(deliveries.id("SCARF", place="d"), "gone", GiveUp)
    jacket = deliveries.fail(deliveries.id(JACKET, place="d"))
    with writing(engine) as connection:
        connection.execute(
            publications.update()
            .where(publications.c.id == jacket)
            .values(wanted_at=now() - 3 * DAY)
        )
    yesterday = written(now() - DAY)

    assert listed(anna, "error=GiveUp") == {"SCARF"}
    assert listed(anna, "error=RetryLater") == {JACKET}
    assert listed(anna, f"state=failed&since={yesterday}") == {"SCARF"}
    assert listed(anna, f"state=failed&until={yesterday}") == {JACKET}
    assert listed(anna, "error=nonsense&since=yesterday") == {JACKET, "SCARF"}


def test_the_list_can_be_narrowed_by_status_attempts_and_order(
    anna, shop, engine, deliveries
):
    shop.sku("SCARF", "HAT")
    for sku in ("SCARF", "HAT"):
        shop.listing("web", sku, sku.lower())
    deliveries.all_settled()
    shop.tell("web", order("#7", "scarf", 1, at=now()))
    busy, gone, silent = (
        deliveries.id(sku, place="d") for sku in (JACKET, "SCARF", "HAT")
    )
    deliveries.fail(busy, "answered 503", status=503)
    deliveries.fail(gone, "answered 404", GiveUp, status=404)
    deliveries.fail(silent, "did not answer", status=None)
    with writing(engine) as connection:
        same = publications.c.id == busy
        connection.execute(publications.update().where(same).values(attempts=12))

    assert listed(anna, "code=5xx") == listed(anna, "code=500-503") == {JACKET}
    assert listed(anna, "state=any&code=404") == {"SCARF"}
    assert listed(anna, "error=unreachable") == {"HAT"}
    assert listed(anna, "attempts=2") == listed(anna, "state=any&attempts=2")
    assert listed(anna, "attempts=12") == {JACKET}
    assert listed(anna, "order=7") == listed(anna, "order=%237") == {"SCARF"}
    assert listed(anna, "order=8") == set()
    assert listed(anna, "code=99&attempts=x") == {JACKET, "SCARF", "HAT"}
    page = anna.read("/deliveries?code=4xx&attempts=1&order=7&state=any")
    kept = "/deliveries/plan?state=any&amp;code=400-499&amp;attempts=1&amp;order=7"
    assert kept in page
    assert "Send 1 number again?" in anna.words("/deliveries/plan?code=404&order=%237")


def test_every_state_shows_what_is_delivered_too_page_by_page(anna, shop, deliveries):
    names = [f"TEE-{n:03}" for n in range(30)]
    shop.sku(*names)
    for name in names:
        shop.listing("web", name, name)
    deliveries.all_settled()

    first = anna.read("/deliveries?state=any&product=TEE")
    cursor = re.search(r"cursor=([\w-]+)", first)
    assert cursor
    second = anna.read(f"/deliveries?state=any&product=TEE&cursor={cursor[1]}")

    ids = [
        set(re.findall(r'name="ids" value="(\d+)"', page)) for page in (first, second)
    ]
    assert [len(one) for one in ids] == [50, 10]
    assert not ids[0] & ids[1]


def test_one_row_is_opened_beside_the_list_with_its_story(anna, shop, deliveries):
    shop.tell("web", order("1001", WEB_SKU, 2, at=now()))
    row_id = deliveries.fail(deliveries.id(JACKET, place="d"), "said <no>")

    page = anna.read(f"/deliveries?channel=web&open={row_id}")
    words = anna.words(f"/deliveries?channel=web&open={row_id}")

    assert 'id="story"' in page
    assert 'id="deliveries"' in page
    assert "Webhook order from web: applied" in words
    assert "2 sold, promised to order 1001 (−2 available)" in words
    assert "its signature or token was right" in words
    assert f'href="/deliveries?open={row_id}&amp;channel=web#story"' in page


def test_what_the_channel_was_seen_to_show_is_part_of_the_story(
    anna, shop, engine, deliveries
):
    row_id = deliveries.id(JACKET, place="d")
    with writing(engine) as connection:
        connection.execute(
            publications.update()
            .where(publications.c.id == row_id)
            .values(observed=4, observed_at=now())
        )

    assert "The channel was seen to show 4" in anna.words(f"/deliveries/{row_id}")


def test_a_command_to_copy_holds_no_secret(anna, shop, deliveries, settings):
    row_id = deliveries.id(JACKET, place="d")

    page = anna.read(f"/deliveries/{row_id}")

    command = f"{settings.public_url}/api/v1/stock/{JACKET}/explain?channel=web"
    assert command in page
    assert "Bearer $TOKEN" in page
    assert "whsec_" not in page
    assert "oc_" not in page
