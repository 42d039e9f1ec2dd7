"""A spreadsheet goes out, comes back changed, is looked at, let in and undone."""

from playwright.sync_api import expect

from tests.builders import JACKET


def test_counts_go_out_come_back_and_are_undone(hub, shop, desk):
    shop.locations("downtown")
    shop.sku(JACKET, "SCARF", "HAT")
    for sku, units in ((JACKET, 5), ("SCARF", 7), ("HAT", 9)):
        shop.count(sku, "downtown", units)
    window = desk()
    window.log_in()
    page = window.open("/sheets")
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Counts as CSV").click()
    sheet = downloading.value.path().read_text()
    assert sheet.count(f"{JACKET},downtown,5") == 1
    sheet = sheet.replace(f"{JACKET},downtown,5", f"{JACKET},downtown,4")
    sheet = sheet.replace("SCARF,downtown,7", "SCARF,downtown,some")

    page.get_by_label("It holds").select_option("Counts")
    told = {"name": "back.csv", "mimeType": "text/csv", "buffer": sheet.encode()}
    page.get_by_label("File, CSV or Excel").set_input_files(told)
    page.get_by_role("button", name="Show what it changes").click()
    expect(page.get_by_role("heading", name="It changes 1 thing")).to_be_visible()
    expect(page.get_by_text("'some' is not a whole number")).to_be_visible()
    assert shop.level(JACKET) == {"available": 5}
    page.get_by_label("1 SKU of 3 counted so far would change").check()
    page.get_by_role("button", name="Let it in").click()

    expect(page.get_by_text("1 line taken")).to_be_visible()
    assert shop.level(JACKET) == {"available": 4}
    page.get_by_role("button", name="Undo all of it").click()
    expect(page.get_by_text("It was let in").filter(has_text="undone")).to_be_visible()
    assert shop.level(JACKET) == {"available": 5}
    assert shop.level("SCARF") == {"available": 7}
