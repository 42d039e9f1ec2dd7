"""Spreadsheets go out, come back in, are looked at first and can be undone."""

import csv
import io
import re
from typing import Any

import pytest
import sqlalchemy as sa
from openpyxl import Workbook, load_workbook

from app.domain.instants import DAY, SECOND, iso, now
from app.pipeline.configuring.listings import add_sku
from app.pipeline.configuring.recipes import set_recipe
from app.pipeline.spreadsheets import letting
from app.store.engine import writing
from app.store.people import sheets as store
from app.store.stock import balances
from app.store.stock.balances import When
from app.store.tables import listings, skus
from tests.builders import JACKET, sale
from tests.web.pages.conftest import text_of


@pytest.fixture
def shelf(shop, engine):
    with writing(engine) as connection:
        add_sku(connection, "SCARF", "A scarf")
    shop.count("SCARF", "downtown", 4)
    return shop


@pytest.fixture
def bring(person, shelf):
    """Somebody brings a file; returns the page that shows what it would change."""
    people: dict[str, Any] = {}

    def send(kind: str, content: str | bytes, role: str = "operator", **form: str):
        somebody = people.setdefault(role, person(role) if role not in people else None)
        data = content.encode() if isinstance(content, str) else content
        file = (io.BytesIO(data), "stock.csv")
        answer = somebody.press("/sheets", {"kind": kind, "file": file, **form})
        return Brought(somebody, answer)

    return send


class Brought:
    def __init__(self, somebody, answer) -> None:
        self.somebody, self.answer = somebody, answer
        self.says = text_of(answer.text)
        self.path = answer.request.path

    def press(self, what: str, **form: str) -> str:
        return text_of(self.somebody.press(f"{self.path}/{what}", form).text)


def lines(*told: str) -> str:
    return "\n".join(told)


@pytest.mark.parametrize(
    "content",
    [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "sku,name\nSCARF,A".encode("utf-16-le")],
)
def test_another_kind_of_file_is_called_so_and_what_was_chosen_stays(bring, content):
    brought = bring("skus", content, "admin", location="harbour")

    assert "stock.csv is neither text nor a workbook; save it as CSV" in brought.says
    assert '<option value="skus" selected>' in brought.answer.text
    assert "<option selected>harbour</option>" in brought.answer.text


def test_as_many_lines_as_the_page_says_are_taken(bring):
    """Also where each is long: together they are larger than a webhook may be."""
    many = [f"{'LONG-' * 25}{number},downtown,1" for number in range(10_000)]

    brought = bring("counts", lines("sku,location,quantity", *many))

    assert brought.answer.status_code == 200
    assert re.fullmatch(r"/sheets/\d+", brought.path), brought.says


def exported(somebody, what: str) -> list[list[str]]:
    text = somebody.get(f"/sheets/export/{what}.csv").text
    return list(csv.reader(text.splitlines()))


def workbook(*rows: list[Any]) -> bytes:
    book, out = Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(out)
    return out.getvalue()


def test_an_edited_export_changes_only_what_was_edited_and_is_undone(
    person, bring, shelf
):
    table = exported(person("viewer"), "counts")
    assert table[0] == ["sku", "location", "quantity", "counted_at", "was"]
    edited = [[*row[:2], "6", *row[3:]] if row[0] == JACKET else row for row in table]
    shelf.tell("till", sale("T-1", "SCARF", 1, at=now(), location="1"))

    file = bring("counts", lines(*(",".join(row) for row in edited)))

    assert "It changes 1 thing; nothing new in 1 line" in file.says
    assert f"{JACKET} at downtown on hand 10 6" in file.says
    assert shelf.level(JACKET) == {"available": 10}, (
        "nothing happens before it is let in"
    )
    assert "1 line taken, nothing new in 1 line" in file.press("apply", sure="1")
    file.press("apply", sure="1")
    assert shelf.level(JACKET) == {"available": 6}
    shelf.tell("till", sale("T-2", JACKET, 1, at=now(), location="1"))

    assert "undone" in file.press("undo")
    file.press("undo")
    assert shelf.level(JACKET) == {"available": 9}, "what was sold since stays sold"
    assert shelf.level("SCARF") == {"available": 3}


def test_a_number_that_changed_since_it_was_seen_keeps_its_line_out(bring, shelf):
    table = f"sku,location,quantity,was\n{JACKET},downtown,12,9\nSCARF,downtown,5,"

    file = bring("counts", table)
    assert f"{JACKET} at downtown is 10 by now, not 9 as it was" in file.says
    shelf.tell("till", sale("T-1", "SCARF", 1, at=now(), location="1"))
    said = file.press("apply", sure="1")

    assert "0 lines taken" in said
    assert "SCARF at downtown is 3 by now, not 4" in said
    assert shelf.level("SCARF") == {"available": 3}


def test_bad_lines_are_named_and_a_large_change_is_asked_about(bring, shelf):
    table = lines(
        "sku,location,quantity",
        f"{JACKET},downtown,0",
        "GHOST,downtown,1",
        "SCARF,moon,1",
        "SCARF,downtown,many",
    )
    file = bring("counts", table)

    assert "3 there is no SKU 'GHOST'; import it first" in file.says
    assert "4 there is no location 'moon'; known: " in file.says
    assert "5 quantity 'many' is not a whole number" in file.says
    assert "1 of them to 0. That is right." in file.says
    assert "Say first" in file.press("apply")
    assert shelf.level(JACKET) == {"available": 10}
    file.press("apply", sure="1")
    assert shelf.level(JACKET) == {}


def test_adjustments_happen_once_and_are_reversed(bring, shelf):
    table = lines(
        "sku,location,change,reason,to,was",
        f"{JACKET},downtown,-3,moths,damaged,10",
        "SCARF,downtown,2,found,,4",
        "SCARF,harbour,,,,",
    )
    file = bring("adjustments", table)
    assert "SCARF at downtown on hand, found 4 6" in file.says

    file.press("apply")
    file.press("apply")

    assert shelf.level(JACKET) == {"available": 7, "damaged": 3}
    assert shelf.level("SCARF") == {"available": 6}
    again = bring("adjustments", table)
    assert "The very same file was let in" in again.says
    assert "SCARF at downtown is 6 by now, not 4" in again.says
    file.press("undo")
    assert shelf.level(JACKET) == {"available": 10}
    assert shelf.level("SCARF") == {"available": 4}


def test_skus_and_listings_get_back_what_they_had(bring, shelf, engine):
    names = bring("skus", "sku,name\nSCARF,Red scarf\nHAT,A hat\n", "admin")
    assert "SCARF name A scarf Red scarf" in names.says
    assert "HAT new SKU nothing A hat" in names.says
    names.press("apply")
    mapped = bring(
        "listings",
        "channel,sku,external_id\nweb,SCARF,jacket-on-the-web\nweb,HAT,hat-1\n",
        "admin",
    )
    assert "web jacket-on-the-web is BLUE-JACKET-M SCARF" in mapped.says
    mapped.press("apply")
    assert listed(engine) >= {("jacket-on-the-web", "SCARF"), ("hat-1", "HAT")}

    mapped.press("undo")
    names.press("undo")

    assert ("jacket-on-the-web", JACKET) in listed(engine)
    assert "hat-1" not in {one for one, _ in listed(engine)}
    with engine.connect() as connection:
        found = dict(connection.execute(sa.select(skus.c.sku, skus.c.name)).all())
    assert (found["SCARF"], found["HAT"]) == ("A scarf", "A hat")


def test_recipes_go_out_come_in_and_get_back_what_they_had(bring, person, shelf):
    ada = bring("skus", "sku\nBOW\n", "admin")
    ada.press("apply")
    first = bring("recipes", "kit,component,quantity\nPAIR,SCARF,2\n", "admin")
    assert "PAIR is made of nothing 2 SCARF" in first.says
    first.press("apply")
    before = exported(ada.somebody, "recipes")
    assert before == [["kit", "component", "quantity"], ["PAIR", "SCARF", "2"]]
    table = lines(
        "kit,component,quantity",
        "GIFT,PAIR,1",
        "PAIR,SCARF,2",
        "PAIR,BOW,1",
        f"{JACKET},BOW,1",
        "LOST,GHOST,1",
        "BOW,GIFT,1",
    )

    file = bring("recipes", table, "admin")
    assert "PAIR is made of 2 SCARF 1 BOW, 2 SCARF" in file.says
    assert "GIFT is made of nothing 1 PAIR" in file.says
    assert "has units of its own" in file.says
    assert "there is no SKU 'GHOST'" in file.says
    assert "2 lines taken" in file.press("apply")
    assert "undone" in file.press("undo")

    again = bring("recipes", table, "admin")
    assert exported(ada.somebody, "recipes") == before
    assert "a kit cannot hold itself: GIFT" in again.says
    assert bring("recipes", table).answer.status_code == 403


def listed(engine) -> set[tuple[str, str]]:
    query = (
        sa.select(listings.c.external_id, skus.c.sku)
        .join(skus, skus.c.id == listings.c.sku_id)
        .where(listings.c.gone_at.is_(None))
    )
    with engine.connect() as connection:
        return {tuple(row) for row in connection.execute(query)}


def test_an_operator_brings_no_names_and_a_viewer_nothing(bring, person):
    assert bring("skus", "sku\nHAT\n").answer.status_code == 403
    admins = bring("skus", "sku\nHAT\n", "admin").path
    assert (
        bring("counts", "sku,location,quantity\n").somebody.get(admins).status_code
        == 403
    )
    assert bring("counts", "sku\n", "viewer").answer.status_code == 403


def test_a_workbook_goes_out_and_comes_in(person, bring, shelf):
    add = "=1+1"
    with writing(shelf.engine) as connection:
        add_sku(connection, "00123", add)
    otto = person("viewer")
    book = load_workbook(
        io.BytesIO(otto.get("/sheets/export/skus.xlsx").data), read_only=True
    )
    rows = [tuple(row) for row in book.active.iter_rows(values_only=True)]
    assert ("00123", add) in rows
    cell = next(row[1] for row in book.active.iter_rows() if row[0].value == "00123")
    assert cell.data_type == "s", "text, no formula"
    book.close()

    file = bring(
        "counts",
        workbook(
            ["sku", "location", "quantity"],
            [JACKET, "downtown", 8],
            ["SCARF", "downtown", None],
        ),
    )
    assert f"{JACKET} at downtown on hand 10 8" in file.says
    assert "3 quantity is blank, and blank is not zero" in file.says


def test_a_file_that_cannot_be_read_says_why(bring):
    for content, words in (
        (b"", "stock.csv is empty"),
        (b"PK\x03\x04nonsense", "cannot be read as an Excel workbook"),
        (b"sku,location,quantity\n" + b"A,b,1\n" * 10_001, "10,000 are the most"),
    ):
        answer = bring("counts", content)
        assert answer.answer.status_code == 422
        assert words in answer.says


def test_a_file_of_another_program_needs_only_a_location(bring):
    table = (
        'ID,Type,SKU,"GTIN, UPC, EAN, or ISBN",Name,In stock?,Stock,Parent\n'
        f"1,simple,{JACKET},,Jacket,1,7,\n2,variable,,,Scarves,1,,"
    )
    file = bring("counts", table, location="downtown")

    assert "WooCommerce's products" in file.says
    assert f"{JACKET} at downtown on hand 10 7" in file.says
    assert "Left out" not in file.says


def test_a_count_before_a_later_one_is_undone_for_its_own_time(bring, shelf, engine):
    at = now() - DAY
    shelf.count(JACKET, "downtown", 8, at - DAY)

    def on_hand():
        with engine.connect() as connection:
            then = When(now(), at)
            return balances.stock_of(connection, JACKET, then)["on_hand"]

    file = bring(
        "counts",
        lines("sku,location,quantity,counted_at", f"{JACKET},downtown,5,{iso(at)}"),
    )
    assert f"on hand at {iso(at)}, until the next count 8 5" in file.says
    file.press("apply", sure="1")
    assert (on_hand(), shelf.level(JACKET)) == (5, {"available": 10})

    file.press("undo")
    assert (on_hand(), shelf.level(JACKET)) == (8, {"available": 10})


def test_a_long_file_is_let_in_and_undone_in_portions(
    bring, shelf, engine, monkeypatch
):
    monkeypatch.setattr(letting, "PORTION", 2)
    monkeypatch.setattr(letting, "PATIENCE", 0.0)
    monkeypatch.setattr(letting, "TURN", 0.0)
    skus = [f"TEE-{number}" for number in range(5)]
    shelf.sku(*skus)
    rows = [f"{sku},downtown,{units}" for units, sku in enumerate(skus, start=1)]
    file = bring(
        "counts", lines("sku,location,quantity", *rows, f"{skus[0]},downtown,9")
    )

    assert "Being let in: 2 of 6 lines done" in file.press("apply")
    assert [shelf.level(sku) for sku in skus[1:3]] == [{"available": 2}, {}]
    for _ in range(3):
        letting.advance(engine, now(), shelf.bell)
    said = file.somebody.words(file.path)
    assert "5 lines taken, nothing new in 0 lines, 1 line left out" in said
    shelf.tell("till", sale("T-1", skus[0], 1, at=now(), location="1"))

    assert "Being undone: 4 of 6 lines still stand" in file.press("undo")
    assert [shelf.level(sku) for sku in skus[1:]] == [
        *({"available": 2}, {"available": 3}),
        *({"available": 4}, {}),
    ]
    letting.advance(engine, now(), shelf.bell)
    letting.advance(engine, now(), shelf.bell)
    assert "and undone" in file.somebody.words(file.path)
    assert [shelf.level(sku) for sku in skus[1:]] == [{}] * 4
    assert shelf.level(skus[0]) == {"available": -1}, "what was sold stays sold"
    deeds = file.somebody.words("/audit?q=spreadsheet")
    assert "undo counts spreadsheet" in deeds
    assert deeds.count('"lines": 5') == 1


def test_undoing_stops_where_it_cannot_go_on_and_says_why(bring, shelf, engine):
    shelf.sku("TEE", "HAT")
    set_recipe(engine, "PAIR", {"TEE": 2}, now=now())
    file = bring("recipes", "kit,component,quantity\nPAIR,HAT,1\n", "admin")
    file.press("apply")
    at = now()
    set_recipe(engine, "TEE", {"PAIR": 1}, now=at, since=at)

    said = file.press("undo")

    assert "It is not undone: a kit cannot hold itself" in said
    assert "Undoing stopped: a kit cannot hold itself" in said
    assert "1 of 1 line still stand" in said


def test_no_name_in_a_file_is_markup(bring):
    evil = '<img src=x onerror="alert(1)">'
    page = bring(
        "skus", f'sku,name\n"{evil.replace(chr(34), chr(34) * 2)}",{evil}\n', "admin"
    )

    assert "<img src=x" not in page.answer.text
    assert "&lt;img src=x onerror=" in page.answer.text
    assert evil in page.says


def test_what_was_cut_off_is_finished_and_old_files_are_forgotten(bring, shelf, engine):
    file = bring("counts", f"sku,location,quantity\n{JACKET},downtown,8\n")
    sheet_id = int(re.findall(r"\d+", file.path)[0])
    with writing(engine) as connection:
        store.begin(connection, sheet_id, "anna", now() - SECOND)
    assert "Being let in: 0 of 1 line done" in file.somebody.words(file.path)

    letting.advance(engine, now(), shelf.bell)
    assert "1 line taken" in file.somebody.words(file.path)
    assert shelf.level(JACKET) == {"available": 8}

    with writing(engine) as connection:
        store.prune(connection, now() + DAY)
        assert store.one(connection, sheet_id) is None
