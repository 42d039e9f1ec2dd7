"""A person at the dashboard, from a failure to the number that arrived."""

import json
import re

from playwright.sync_api import expect

from app.domain.instants import DAY, now, to_datetime
from tests.builders import JACKET, order, sale

EVIL = "<img src=x onerror=alert(1)>"


def a_shop_with_one_jacket(shop, push_url: str) -> None:
    shop.locations("downtown")
    shop.channel("till", mapped={"downtown": "1"}, publish=None)
    shop.channel("market", publish={}, settings={"push_url": push_url})
    shop.sku(JACKET)
    shop.listing("market", JACKET, "jacket")
    shop.count(JACKET, "downtown", 3)


def pushed(endpoint) -> list[int]:
    return [json.loads(push)["data"][0]["available"] for push in endpoint.pushes]


def test_a_channel_fails_and_recovers_while_the_page_is_open(
    run, hub, shop, endpoint, desk, redis, settings, eventually
):
    from app.queues import Wakes

    a_shop_with_one_jacket(shop, endpoint.url)
    wakes = Wakes(settings.redis_url)
    run("workers.run", "outbound")
    wakes.wake("outbound:market")
    eventually(lambda: pushed(endpoint) == [3])
    window = desk()
    page = window.log_in()
    title = page.get_by_role("heading", level=1)
    expect(title).to_have_text("Every channel shows the right number", timeout=20_000)

    endpoint.status, endpoint.text = 500, '{"error": "our shelf fell over"}'
    shop.tell("till", sale("T-1", JACKET, 3, at=now(), location="1"))
    wakes.wake("outbound:market")
    eventually(lambda: pushed(endpoint) == [3, 0])
    wakes.redis.close()

    # Nobody presses anything: the page finds out by itself.
    expect(title).to_have_text("Units may be sold twice", timeout=20_000)
    row = page.get_by_role("row").filter(has_text=JACKET)
    expect(row).to_contain_text("3 too many")
    expect(row).to_contain_text("Failed")
    expect(row).to_contain_text("our shelf fell over")
    expect(row).to_contain_text("not soon")

    endpoint.status, endpoint.text = 200, "{}"
    row.get_by_role("button", name="Push now").click()

    expect(page.get_by_role("status").first).to_contain_text("is being sent again")
    eventually(lambda: pushed(endpoint) == [3, 0, 0])
    expect(title).to_have_text("Every channel shows the right number", timeout=20_000)
    expect(page.get_by_role("heading", name="At risk")).to_have_count(0)


def test_the_attempts_tell_the_story_afterwards(
    run, hub, shop, endpoint, desk, settings, eventually
):
    from app.queues import Wakes

    a_shop_with_one_jacket(shop, endpoint.url)
    endpoint.status, endpoint.text = 500, EVIL
    run("workers.run", "outbound")
    wakes = Wakes(settings.redis_url)
    wakes.wake("outbound:market")
    wakes.redis.close()
    eventually(lambda: pushed(endpoint) == [3])

    window = desk()
    window.log_in()
    page = window.open("/deliveries")
    row = page.get_by_role("row").filter(has_text=JACKET)
    expect(row).to_contain_text("Failed", timeout=20_000)
    row.get_by_role("link", name="Failed").click()

    expect(page.get_by_role("complementary")).to_contain_text("on market")
    attempt = page.locator(".timeline li").filter(has_text="sent 3")
    expect(attempt).to_have_count(1)
    expect(attempt).to_contain_text("answered 500")
    expect(attempt).to_contain_text(EVIL)


def test_hostile_names_are_shown_as_text_everywhere(hub, shop, desk, endpoint):
    evil_sku = '"><script>alert(2)</script>'
    a_shop_with_one_jacket(shop, endpoint.url)
    shop.sku(evil_sku)
    shop.listing("market", evil_sku, "evil")
    shop.tell("till", order("</code><script>alert(3)</script>", EVIL, 1, at=now()))

    window = desk()
    window.log_in()
    for path in ("/", "/deliveries", "/incidents", "/stock", "/channels", "/inbox"):
        page = window.open(path)
        page.wait_for_load_state("networkidle")
    window.open("/stock")
    window.page.get_by_role("link", name=evil_sku).click()

    expect(window.page.get_by_role("heading", level=1)).to_have_text(evil_sku)
    assert window.troubles == []


def test_a_form_from_another_page_is_refused(hub, shop, desk):
    window = desk()
    page = window.log_in()

    answer = page.request.post(f"{hub}/channels/market/pause", form={"reason": "x"})

    assert answer.status == 400
    assert "Open the page again" in answer.text()


def test_everything_can_be_read_and_pressed_without_javascript(
    hub, shop, endpoint, desk
):
    a_shop_with_one_jacket(shop, endpoint.url)
    window = desk(java_script_enabled=False)
    page = window.log_in()

    page.get_by_role("link", name="Channels").click()
    page.get_by_label("Why market is paused").fill("stock-taking")
    page.get_by_role("button", name="Pause market").click()
    expect(page.locator("#channel-market")).to_contain_text("stock-taking")
    page.get_by_role("link", name="Deliveries").click()
    expect(page.get_by_role("row").filter(has_text=JACKET)).to_contain_text("Held")
    page.get_by_role("checkbox", name=f"Select {JACKET} on market").check()
    page.get_by_role("button", name="Discard selected").click()
    page.get_by_role("button", name="Discard them").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Discarding: 1 number")


def test_on_a_phone_nothing_is_cut_off_and_the_buttons_can_be_reached(
    hub, shop, endpoint, desk
):
    a_shop_with_one_jacket(shop, endpoint.url)
    window = desk(width=360, height=740, has_touch=True, is_mobile=True)
    page = window.log_in()

    paths = ["/", "/deliveries", "/deliveries?open=1", "/incidents", "/stock"]
    for path in (*paths, f"/stock/{JACKET}", "/channels", "/inbox"):
        window.open(path)
        too_wide = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert too_wide <= 0, path
    window.open("/channels")
    page.get_by_role("button", name="Pause market").tap()
    expect(page.locator("#channel-market")).to_contain_text("Paused")


def test_a_selection_survives_the_refresh(hub, shop, endpoint, desk):
    a_shop_with_one_jacket(shop, endpoint.url)
    window = desk()
    window.log_in()
    page = window.open("/deliveries")
    tick = page.get_by_role("checkbox", name=f"Select {JACKET} on market")
    tick.check()
    expect(page.get_by_text("1 selected")).to_be_visible()

    shop.tell("till", sale("T-1", JACKET, 1, at=now(), location="1"))

    row = page.get_by_role("row").filter(has_text=JACKET)
    expect(row).to_contain_text("and should show 2", timeout=20_000)
    expect(tick).to_be_checked()
    expect(page.get_by_text("1 selected")).to_be_visible()


def test_select_all_ticks_every_row(hub, shop, endpoint, desk):
    a_shop_with_one_jacket(shop, endpoint.url)
    shop.sku("SCARF")
    shop.listing("market", "SCARF", "scarf")
    window = desk()
    window.log_in()
    page = window.open("/deliveries")

    page.get_by_role("checkbox", name="Select every row").check()

    expect(page.get_by_text("2 selected")).to_be_visible()


def test_a_lost_login_is_said_and_the_refresh_stops(hub, shop, endpoint, desk):
    a_shop_with_one_jacket(shop, endpoint.url)
    window = desk()
    window.log_in()
    page = window.open("/deliveries")
    expect(page.locator(".live")).to_contain_text("Live")

    page.context.clear_cookies()

    expect(page.locator(".live")).to_contain_text("login has ended", timeout=20_000)
    expect(page.get_by_role("row").filter(has_text=JACKET)).to_be_visible()


def test_the_keyboard_reaches_the_content_first(hub, shop, desk):
    page = desk().log_in()

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")

    expect(page).to_have_url(re.compile("#main$"))


def test_the_year_is_told_where_it_is_another_one(hub, shop, desk):
    long_ago = now() - 400 * DAY
    shop.locations("downtown")
    shop.channel("till", mapped={"downtown": "1"}, publish=None)
    shop.sku(JACKET)
    shop.count(JACKET, "downtown", 5)
    shop.tell("till", sale("T-1", JACKET, 1, at=long_ago, location="1"))
    window = desk(locale="en-GB")
    window.log_in()

    page = window.open(f"/stock/{JACKET}")

    year = to_datetime(long_ago).year
    rows = page.locator(".ledger tbody tr")
    expect(rows.filter(has_text="T-1").locator("time").first).to_contain_text(str(year))
    expect(rows.filter(has_text="Counted").locator("time").first).not_to_contain_text(
        re.compile(r"\b20\d\d\b")
    )


def test_the_page_is_dark_where_the_system_is(hub, shop, desk):
    window = desk(color_scheme="dark")
    page = window.log_in()

    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == "rgb(15, 20, 26)"
