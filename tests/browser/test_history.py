"""The browser's Back: what a form was answered with is there again, until log-out."""

import re

import pytest
from playwright.sync_api import Error, Page, expect

from tests.browser.test_shelf import a_shelf
from tests.builders import JACKET


def asked(window, change: str) -> Page:
    """The form to adjust the jacket, sent."""
    page = window.open(f"/change/adjust?sku={JACKET}")
    page.get_by_label("Change, such as").fill(change)
    page.get_by_label("Why").fill("eaten by moths")
    page.get_by_role("button", name="See what it changes").click()
    return page


def test_back_shows_what_a_form_was_answered_with_and_sends_nothing_again(
    hub, shop, desk
):
    a_shelf(shop)
    window = desk()
    window.log_in()
    page = asked(window, "none")
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_role("link", name="Counting").click()
    page.go_back()
    expect(page.get_by_role("alert")).to_be_visible()

    page.get_by_label("Change, such as").fill("-2")
    page.get_by_role("button", name="See what it changes").click()
    page.get_by_role("button", name="Adjust").click()
    expect(page.get_by_text("Adjust: done")).to_be_visible()
    page.go_back()
    expect(page.get_by_text(re.compile("from 5.*to 3")).first).to_be_visible()
    page.get_by_role("button", name="Adjust").click()

    expect(page.get_by_text("Adjust: done")).to_be_visible()
    assert shop.level(JACKET) == {"available": 3}, "pressed twice, it happens once"


def test_after_the_log_out_back_shows_nothing(hub, shop, desk):
    a_shelf(shop)
    window = desk()
    window.log_in()
    page = asked(window, "-2")
    expect(page.get_by_role("button", name="Adjust")).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_label("Password")).to_be_visible()

    with pytest.raises(Error, match="ERR_CACHE_MISS"):
        page.go_back()
