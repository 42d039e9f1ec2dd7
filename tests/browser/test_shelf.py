"""At the shelf with a phone: the scanner is a keyboard that ends with Enter."""

import re

from playwright.sync_api import expect

from app.domain.instants import MINUTE, now
from app.pipeline.configuring.listings import add_sku
from app.store.engine import writing
from app.store.people import people
from tests.browser.axe import violations
from tests.browser.conftest import PASSWORD
from tests.builders import JACKET, returned, sale

BARCODE = "4006381333931"
PHONE = {"width": 360, "height": 740, "has_touch": True, "is_mobile": True}


def a_shelf(shop) -> None:
    shop.locations("downtown")
    shop.channel("till", mapped={"downtown": "1"}, publish=None)
    shop.channel("market", publish={}, settings={"push_url": "http://127.0.0.1:9/push"})
    with writing(shop.engine) as connection:
        add_sku(connection, JACKET, "Blue jacket", BARCODE)
        add_sku(connection, "SCARF", "Red scarf")
    shop.listing("market", JACKET, "jacket")
    shop.count(JACKET, "downtown", 5)


def test_a_shelf_is_counted_by_scanning(hub, shop, desk):
    a_shelf(shop)
    window = desk(**PHONE)
    window.log_in()
    page = window.open("/counting")
    page.get_by_role("button", name="Begin").tap()

    for code in (BARCODE, BARCODE, "SCARF", BARCODE):
        expect(page.get_by_label("SKU or barcode")).to_be_focused()
        page.keyboard.type(code)
        with page.expect_navigation():
            page.keyboard.press("Enter")
    row = page.get_by_role("row").filter(has_text=JACKET)
    expect(row).to_contain_text("3")
    assert violations(page) == []
    page.get_by_role("button", name="Send this count").tap()

    expect(page.get_by_text("2 SKUs counted at downtown: 2 differed")).to_be_visible()
    assert shop.level(JACKET) == {"available": 3}
    assert shop.level("SCARF") == {"available": 1}


def scanned(page, *codes: str) -> None:
    for code in codes:
        page.get_by_label("SKU or barcode").fill(code)
        with page.expect_navigation():
            page.keyboard.press("Enter")


def test_a_count_outlives_the_login_it_was_begun_with(hub, shop, desk):
    a_shelf(shop)
    window = desk()
    window.log_in()
    scanned(window.open("/counting?location=downtown"), BARCODE, BARCODE)
    window.page.context.clear_cookies()
    scanned(window.page, "SCARF")
    expect(window.page.get_by_text("This page was open for too long")).to_be_visible()

    window.log_in()
    page = window.open("/counting?location=downtown")
    assert violations(page) == []
    page.get_by_role("button", name="Go on with it").click()
    row = page.get_by_role("row").filter
    expect(row(has_text=JACKET)).to_contain_text("2")
    expect(row(has_text="SCARF")).to_contain_text("1")
    page.get_by_role("button", name="Send this count").click()

    expect(page.get_by_text("2 SKUs counted at downtown: 2 differed")).to_be_visible()
    assert shop.level(JACKET) == {"available": 2}
    page = window.open("/counting?location=downtown")
    expect(page.get_by_role("button", name="Go on with it")).to_be_hidden()


def test_what_was_counted_is_kept_for_nobody_else(hub, shop, desk):
    a_shelf(shop)
    with writing(shop.engine) as connection:
        people.create_user(connection, "bo@blue-jacket.example", PASSWORD, "operator")
    window = desk()
    window.log_in()
    page = window.open("/counting?location=downtown")
    again, kept = (
        page.get_by_role("button", name="Go on with it"),
        "sessionStorage.length",
    )
    scanned(page, BARCODE)
    assert page.evaluate(kept) == 1
    page.get_by_role("button", name="Log out").click()
    assert page.evaluate(kept) == 0, "who logs out is done"

    window.log_in()
    scanned(window.open("/counting?location=downtown"), BARCODE)
    page.context.clear_cookies()
    window.log_in("bo@blue-jacket.example")
    assert page.evaluate(kept) == 0
    window.open("/counting?location=downtown")
    expect(again).to_be_hidden()


def test_what_came_back_is_judged_by_scanning(hub, shop, desk):
    a_shelf(shop)
    shop.tell("till", sale("T-9", JACKET, 3, at=now() - MINUTE, location="1"))
    shop.tell("till", returned("T-9", JACKET, 2, at=now(), location="1", to="inspect"))
    window = desk(**PHONE)
    window.log_in()
    page = window.open("/inspections")

    expect(page.get_by_label("Scan or type")).to_be_focused()
    page.keyboard.type(BARCODE)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Sellable")).to_be_focused()
    page.get_by_role("button", name="Damaged").tap()

    expect(page.get_by_text(f"1 unit of {JACKET} is damaged.")).to_be_visible()
    expect(page.get_by_label("Scan or type")).to_be_focused()
    assert shop.level(JACKET) == {"available": 2, "inspection": 1, "damaged": 1}


def test_stock_is_adjusted_after_seeing_what_it_changes_and_undone(hub, shop, desk):
    a_shelf(shop)
    window = desk()
    window.log_in()
    page = window.open(f"/stock/{JACKET}")
    page.get_by_role("link", name="Adjust").click()
    page.get_by_label("Change, such as").fill("-2")
    page.get_by_label("Why").fill("eaten by moths")
    page.get_by_role("button", name="See what it changes").click()

    market = page.get_by_role("row").filter(has_text="market")
    expect(market).to_contain_text(re.compile("from 5.*to 3"))
    assert violations(page) == []
    assert shop.level(JACKET) == {"available": 5}
    page.get_by_role("button", name="Adjust").click()
    expect(page.get_by_text("eaten by moths")).to_be_visible()
    assert shop.level(JACKET) == {"available": 3}
    page.locator(".undo summary").click()
    page.get_by_label("is undone").fill("no moths after all")
    page.get_by_role("button", name="Undo it").click()

    expect(page.get_by_text("no moths after all")).to_be_visible()
    assert shop.level(JACKET) == {"available": 5}


def test_whoever_goes_back_after_sending_is_offered_nothing_again(hub, shop, desk):
    a_shelf(shop)
    window = desk()
    window.log_in()
    page = window.open("/counting?location=downtown")
    scanned(page, BARCODE, BARCODE)
    page.get_by_role("button", name="Send this count").click()
    expect(page.get_by_text("1 SKU counted at downtown")).to_be_visible()

    for _ in range(2):
        page.go_back()
    page.get_by_role("link", name="Another location").click()
    page.get_by_role("button", name="Begin").click()
    expect(page.get_by_label("SKU or barcode")).to_be_visible()
    expect(page.get_by_role("button", name="Go on with it")).to_be_hidden()

    for _ in range(2):
        page.go_back()
    page.get_by_role("button", name="Send this count").click()
    expect(page.get_by_text("1 SKU counted at downtown")).to_be_visible()
    assert shop.level(JACKET) == {"available": 2}, "an older count, sent later"
    page.get_by_role("link", name="Another location").click()
    page.get_by_role("button", name="Begin").click()
    expect(page.get_by_label("SKU or barcode")).to_be_visible()
    expect(page.get_by_role("button", name="Go on with it")).to_be_hidden()
