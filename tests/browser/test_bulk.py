"""Many deliveries at once, from the filter to the audit log, while a channel is broken
and after it recovered."""

import json
import re

from playwright.sync_api import expect

from app.queues import Wakes

SKUS = ("SCARF", "GLOVES", "HAT")


def a_shop_with_three_listings(shop, push_url: str) -> None:
    shop.locations("downtown")
    shop.channel("market", publish={}, settings={"push_url": push_url})
    shop.sku(*SKUS)
    for units, sku in enumerate(SKUS, start=1):
        shop.listing("market", sku, sku.lower())
        shop.count(sku, "downtown", units)


def wake(settings) -> None:
    wakes = Wakes(settings.redis_url)
    wakes.wake("outbound:market")
    wakes.redis.close()


def test_what_failed_is_chosen_planned_sent_watched_and_written_down(
    run, hub, shop, endpoint, desk, settings, eventually
):
    a_shop_with_three_listings(shop, endpoint.url)
    endpoint.status, endpoint.text = 500, '{"error": "our shelf fell over"}'
    run("workers.run", "outbound")
    run("workers.run", "scheduler")
    wake(settings)
    window = desk(timezone_id="Asia/Tokyo")
    window.log_in()

    # All that match a filter, while the channel is still broken.
    page = window.open("/deliveries?channel=market")
    every = page.get_by_role("link", name=re.compile("Retry all 3 that match"))
    expect(
        page.get_by_role("row").filter(has_text="our shelf fell over")
    ).to_have_count(3, timeout=20_000)
    page.get_by_label("State").select_option("Failed")
    page.get_by_text("By status, attempts, order or time").click()
    page.get_by_label("Wanted from").fill("2026-01-02T09:00")
    page.get_by_role("button", name="Filter").click()
    expect(page).to_have_url(re.compile("since=2026-01-02T00%3A00"))
    expect(page.get_by_label("Wanted from")).to_have_value("2026-01-02T09:00")
    every.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Send 3 numbers again?")
    page.get_by_role("button", name="Send them again").click()
    expect(page.get_by_text("Finished")).to_be_visible(timeout=20_000)
    expect(page.get_by_text("Failed again", exact=True)).to_be_visible()

    # Those that are ticked, once it has recovered.
    endpoint.status, endpoint.text = 200, "{}"
    page.get_by_role("link", name="See what failed again").click()
    page.get_by_role("checkbox", name="Select every row").check()
    page.get_by_role("checkbox", name="Select HAT on market").uncheck()
    page.get_by_role("button", name="Retry selected").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Send 2 numbers again?")
    page.get_by_role("button", name="Send them again").click()

    expect(page.get_by_text("2 ticked rows")).to_be_visible()
    bar = page.get_by_role("progressbar")
    expect(bar).to_have_attribute("value", "1.0000", timeout=20_000)
    expect(page.get_by_text("Finished")).to_be_visible()
    told = [(one["sku"], one["available"]) for one in _last(endpoint)]
    assert sorted(told) == [("GLOVES", 2), ("SCARF", 1)]
    page = window.open("/audit?q=run")
    for deed in ("retry run 2", "retry finished run 2", "retry finished run 1"):
        expect(page.get_by_role("main")).to_contain_text(deed)


def _last(endpoint) -> list[dict]:
    return json.loads(endpoint.pushes[-1])["data"]
