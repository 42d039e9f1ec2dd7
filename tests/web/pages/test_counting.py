"""A shelf is counted with a scanner: line by line, each with its time, sent as one."""

import re
from typing import Any

import pytest

from app.domain.instants import MINUTE, now
from app.pipeline.configuring.listings import add_sku
from app.store.engine import writing
from app.web.api.facts import MOST_LINES
from tests.builders import JACKET, sale
from tests.web.pages.conftest import text_of


@pytest.fixture
def shelf(shop, engine):
    with writing(engine) as connection:
        add_sku(connection, JACKET, "Blue jacket", "4006381333931")
        add_sku(connection, "SCARF")
    return shop


def carried(page: str) -> dict[str, Any]:

    found: dict[str, Any] = {"location": "downtown"}
    part = page.partition('action="/counting"')[2].partition("</form>")[0]
    for name, value in re.findall(r'name="([^"]+)" value="([^"]*)"', part):
        if name.startswith("line_"):
            found.setdefault(name, []).append(value)
        else:
            found[name] = value
    return found


def scan(anna, page: str, code: str, quantity: str = "") -> str:
    form = {**carried(page), "code": code, "quantity": quantity}
    return anna.press("/counting/lines", form).text


def test_a_count_begins_with_the_location(anna, shelf):
    assert "Which location do you count?" in anna.words("/counting")
    assert "Counting at downtown" in anna.words("/counting?location=downtown")


def test_scans_add_up_and_a_typed_number_is_the_whole(anna, shelf):
    page = scan(anna, "", "4006381333931")
    page = scan(anna, page, JACKET)
    scanned = text_of(page)
    page = scan(anna, page, "SCARF", "12")
    page = scan(anna, page, "SCARF", "7")

    assert "BLUE-JACKET-M Blue jacket: 2" in scanned
    assert carried(page)["line_sku"] == ["SCARF", JACKET]
    assert carried(page)["line_quantity"] == ["7", "2"]
    assert shelf.level(JACKET) == {"available": 10}, "nothing is kept before it is sent"


def test_the_count_is_posted_once_and_says_what_differed(anna, shelf):
    page = scan(anna, scan(anna, "", JACKET, "8"), "SCARF", "0")
    form = carried(page)

    answer = anna.press("/counting", form)
    anna.press("/counting", form)

    assert "2 SKUs counted at downtown: 1 differed" in answer.text
    assert shelf.level(JACKET) == {"available": 8}
    assert anna.words(f"/stock/{JACKET}").count("Counted: 2 fewer than thought") == 1


def test_what_is_sold_after_a_line_was_counted_is_set_off(anna, shelf):
    form = carried(scan(anna, "", JACKET, "10"))
    form["line_at"] = [str(now() - 10 * MINUTE)]
    shelf.tell("till", sale("T-1", JACKET, 3, at=now() - MINUTE, location="1"))

    anna.press("/counting", form)

    assert shelf.level(JACKET) == {"available": 7}


def test_what_the_browser_kept_is_taken_up_again(anna, shelf):
    form = carried(scan(anna, "", JACKET, "8"))

    page = anna.press("/counting/lines", form)

    assert page.status_code == 200
    assert carried(page.text)["line_quantity"] == ["8"]
    sent = anna.press("/counting", form)
    assert f'data-sent="{form["once"]}"' in sent.text, "it is kept no longer"


def test_a_line_can_be_taken_off(anna, shelf):
    page = scan(anna, scan(anna, "", JACKET), "SCARF")

    page = anna.press("/counting/lines", {**carried(page), "remove": JACKET}).text

    assert carried(page)["line_sku"] == ["SCARF"]


@pytest.mark.parametrize(
    ("code", "quantity", "said"),
    [
        ("GHOST", "", "Nothing is known as “GHOST”"),
        ("", "", "Nothing is known as"),
        (JACKET, "-1", "“-1” is no whole number"),
        ("O'Neill", "", "Nothing is known as “O&#39;Neill”"),
        (JACKET, "9" * 10, "9999999999 is too many: up to 1,000,000,000 units"),
        (JACKET, "9" * 30, "is too many: up to 1,000,000,000 units"),
        (JACKET, "²", "is no whole number"),
    ],
)
def test_a_wrong_scan_says_so_and_keeps_the_lines(anna, shelf, code, quantity, said):
    page = scan(anna, scan(anna, "", "SCARF"), code, quantity)

    assert said in page
    assert carried(page)["line_sku"] == ["SCARF"]


def test_a_full_count_takes_no_other_sku_and_keeps_every_line(anna, shelf):
    skus = [JACKET, *(f"SKU-{number}" for number in range(MOST_LINES - 1))]
    form = {
        "location": "downtown",
        "line_sku": skus,
        "line_quantity": ["1"] * MOST_LINES,
        "line_at": [str(now() - MINUTE)] * MOST_LINES,
    }

    full = anna.press("/counting/lines", {**form, "code": "SCARF"})
    known = anna.press("/counting/lines", {**form, "code": JACKET}).text

    assert full.status_code == 422
    assert "SCARF is not counted: one count holds 500 SKUs." in full.text
    assert carried(full.text)["line_sku"] == skus
    assert carried(known)["line_quantity"] == ["2", *["1"] * (MOST_LINES - 1)]


def test_an_empty_count_and_another_location_are_refused(anna, shelf):
    assert "Which location" in anna.press("/counting", {"location": "moon"}).text
    empty = anna.press("/counting", {"location": "downtown"})
    assert "Scan something first" in empty.text
    form = {**carried(scan(anna, "", JACKET, "1")), "location": "moon"}
    anna.press("/counting", form)
    assert shelf.level(JACKET) == {"available": 10}


def test_a_viewer_counts_nothing(person, shelf):
    otto = person("viewer")

    assert otto.get("/counting").status_code == 403
    assert otto.press("/counting/lines", {"code": JACKET}).status_code == 403
    assert otto.press("/counting", {"location": "downtown"}).status_code == 403
    assert "Counting" not in otto.words("/")
