"""What does not add up is looked at, named, put off and dealt with."""

from playwright.sync_api import expect

from app.domain.instants import now
from tests.builders import JACKET, order, sale


def test_an_unknown_item_is_named_and_what_waited_applies(hub, shop, desk):
    shop.locations("downtown")
    shop.channel("till", mapped={"downtown": "1"}, publish=None)
    shop.channel("market", publish={})
    shop.sku(JACKET, "SCARF")
    shop.count(JACKET, "downtown", 5)
    shop.tell("market", order("1001", JACKET.lower(), 2, at=now()))
    shop.tell("till", sale("T-1", "GHOST", 1, at=now(), location="1"))
    window = desk()
    window.log_in()
    page = window.open("/incidents")

    expect(page.get_by_role("button", name="It is SCARF")).to_have_count(0)
    page.get_by_role("button", name=f"It is {JACKET}").click()

    expect(page.get_by_role("button", name=f"It is {JACKET}")).to_have_count(0)
    expect(page.get_by_text("GHOST", exact=True)).to_be_visible()
    assert shop.level(JACKET, "downtown")["available"] == 3


def test_a_contradiction_is_seen_from_both_sides_put_off_and_dealt_with(
    hub, shop, desk
):
    shop.locations("downtown")
    shop.channel("market", publish={})
    shop.sku(JACKET)
    shop.listing("market", JACKET, "jacket")
    shop.count(JACKET, "downtown", 9)
    at = now()
    shop.tell("market", order("1001", "jacket", 4, at=at, version=7))
    shop.tell("market", order("1001", "jacket", 5, at=at, version=7))
    window = desk()
    window.log_in()
    page = window.open("/incidents")
    page.get_by_role("link", name="1001").first.click()

    expect(page.get_by_role("article", name="Report 1")).to_contain_text("says 4")
    expect(page.get_by_role("article", name="Report 2")).to_contain_text("says 5")
    page.get_by_role("button", name="Put off for").first.click()
    expect(page.get_by_role("heading", name="Nothing needs you")).to_be_visible()
    page.get_by_role("link", name="Put off").click()
    page.get_by_role("link", name="1001").first.click()
    page.get_by_label("What did you do about it?").fill("asked the market: four it is")
    page.get_by_role("button", name="Resolve").click()

    page = window.open("/incidents?state=over")
    expect(page.get_by_text("asked the market: four it is")).to_be_visible()
