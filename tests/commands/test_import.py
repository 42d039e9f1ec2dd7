"""`onecount import`: spreadsheets come in, and bad lines are told by number."""

import pytest

from app.domain.instants import SECOND, iso, now
from app.pipeline.configuring.naming import add_alias
from tests.builders import JACKET, sale


@pytest.fixture
def shop(hub):
    """Two locations and a listening till."""
    hub.locations("downtown", "depot")
    hub.channel("till", mapped={"downtown": "1"}, publish={})
    return hub


@pytest.fixture
def counted(onecount, write, shop):
    """Import counts given as lines; return the answer."""

    def load(*lines: str, yes: bool = False, dry: bool = False):
        text = "\n".join(["sku,location,quantity,counted_at,was", *lines])
        more = ["--yes"] * yes + ["--dry-run"] * dry
        return onecount("import", "counts", write("counts.csv", text), *more)

    return load


def test_skus_come_in_and_change_by_their_code(onecount, write, ask) -> None:
    first = onecount(
        "import", "skus", write("a.csv", "sku,name,barcode\nA-1,Jacket,400\nA-2,,\n")
    )
    again = onecount("import", "skus", write("a.csv", "sku,name\nA-1,Blue jacket\n"))

    assert (first.exit_code, again.exit_code) == (0, 0)
    assert "2 SKUs loaded." in first.output
    assert ask("SELECT sku, name, barcode FROM skus") == [
        ("A-1", "Blue jacket", "400"),
        ("A-2", "", None),
    ]


def test_a_bad_line_is_named_and_the_rest_still_loads(onecount, write, ask) -> None:
    text = 'sku,name,barcode\nA,"Two\nlines",\n,No code,\nB,x,1,2\n\nC,"Big ""C""",\n'
    answer = onecount("import", "skus", write("a.csv", text))

    assert answer.exit_code == 1
    assert "line 2: name" in answer.output
    assert "line 4: sku is blank" in answer.output
    assert "line 5: has 4 values" in answer.output
    assert "1 SKUs loaded." in answer.output
    assert ask("SELECT sku, name FROM skus") == [("C", 'Big "C"')]


def test_a_sku_that_a_file_names_twice_is_one(onecount, write, ask) -> None:
    text = "sku,name,barcode\nA,Jacket,1\nB,x,\nA,Jacket,1\nB,y,\n"
    path = write("a.csv", text)
    planned = onecount("import", "skus", path, "--dry-run")
    answer = onecount("import", "skus", path)

    for said in (planned, answer):
        assert said.exit_code == 1
        words = "line 5: B is in line 3 already, with another name or barcode"
        assert words in said.output
    assert "2 changes" in planned.output
    assert "2 SKUs loaded." in answer.output
    assert ask("SELECT sku, name FROM skus") == [("A", "Jacket"), ("B", "x")]


def test_a_quote_that_nothing_closes_names_where_it_opens(onecount, write, ask) -> None:
    text = 'sku,name,barcode\nA,x,\nB,"open,\nC,z,\n'
    answer = onecount("import", "skus", write("a.csv", text))

    assert answer.exit_code == 1
    assert "line 3: opens a quote" in answer.output
    assert ask("SELECT sku FROM skus") == [("A",), ("C",)]


@pytest.mark.parametrize("separator", [";", "\t"])
def test_columns_may_be_separated_as_spreadsheets_do(
    onecount, write, ask, separator: str
) -> None:
    """A spreadsheet's own comma separator depends on the country of who saves it."""
    lines = ("sku,name,barcode", "A,Big,1", 'B,"in ""two"" parts",2', 'C,"open,')
    text = "\n".join(lines).replace(",", separator)
    answer = onecount("import", "skus", write("a.csv", f"{text}\n"))

    assert "line 4: opens a quote" in answer.output
    found = ask("SELECT sku, name, barcode FROM skus ORDER BY sku")
    assert found == [("A", "Big", "1"), ("B", 'in "two" parts', "2")]


def test_a_byte_order_mark_is_no_part_of_the_first_column(onecount, write) -> None:
    answer = onecount(
        "import",
        "skus",
        write("a.csv", "sku,name,barcode\r\nÄ,ä,\r\n".encode("utf-8-sig")),
    )

    assert answer.exit_code == 0, answer.output


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sku,name\nA,caf\xe9\n".encode("latin-1"), "line 2, byte 6: 0xE9 (é in"),
        ("sku,name\nA,x\n".encode("utf-16"), "is UTF-16"),
        (b"PK\x03\x04rest", "cannot be read as an Excel workbook"),
        (b"", "is empty"),
        (b"SKU,name\nA,B\n", "unknown column 'SKU'; did you mean 'sku'?"),
        (b"name,barcode\nA,B\n", "no column 'sku'"),
        (b"sku,name,name\nA,B,C\n", "the column 'name' is there twice"),
    ],
)
def test_a_file_of_another_kind_is_refused_in_words(
    onecount, write, ask, text: bytes, words: str
) -> None:
    answer = onecount("import", "skus", write("a.csv", text))

    assert answer.exit_code == 1
    assert words in answer.output
    assert ask("SELECT count(*) FROM skus") == [(0,)]


def test_listings_come_in_and_are_published(onecount, write, shop, ask) -> None:
    shop.sku(JACKET)
    text = (
        "channel,sku,external_id,external_parent_id\n"
        f"till,{JACKET},808950810,49148385\n"
        f"tlil,{JACKET},1,\ntill,NOPE,2,\ntill,{JACKET},,\n"
        f"till,{JACKET},gid://shopify/InventoryItem/7,\n"
    )
    answer = onecount("import", "listings", write("l.csv", text))

    assert answer.exit_code == 1
    for words in (
        "line 3: there is no channel 'tlil'; known: till",
        "line 4: there is no SKU 'NOPE'",
        "line 5: external_id is blank",
        "line 6: gid://shopify/InventoryItem/7 is a gid; write the plain id, 7",
        "1 listings loaded.",
    ):
        assert words in answer.output
    assert ask("SELECT external_id, external_parent_id FROM listings") == [
        ("808950810", "49148385")
    ]
    assert ask("SELECT count(*) FROM publications") == [(1,)]


def test_a_sale_that_waited_for_its_listing_applies_by_itself(
    onecount, write, shop
) -> None:
    shop.tell("till", sale("1", JACKET, 1, at=now()))
    assert shop.messages()[0][0] == "parked"

    onecount("import", "skus", write("a.csv", f"sku\n{JACKET}\n"))

    assert shop.messages()[0][0] == "applied"
    assert shop.level(JACKET, "downtown") == {"available": -1}


def test_first_counts_are_free_and_set_what_is_there(counted, shop) -> None:
    shop.sku(JACKET)
    answer = counted(f"{JACKET},downtown,12,", f"{JACKET},depot,0,")

    assert answer.exit_code == 0, answer.output
    assert shop.level(JACKET) == {"available": 12}


def test_a_count_of_yesterday_keeps_what_was_sold_since(counted, shop) -> None:
    shop.sku(JACKET)
    shop.tell("till", sale("1", JACKET, 2, at=now() - 60 * SECOND))

    counted(f"{JACKET},downtown,12,{iso(now() - 3600 * SECOND)}")

    assert shop.level(JACKET) == {"available": 10}


def test_the_count_of_a_whole_shop_comes_in(counted, shop, ask) -> None:
    shop.sku(*(f"S-{number:04}" for number in range(5_000)))
    lines = [f"S-{number:04},downtown,{number % 7}," for number in range(5_000)]

    answer = counted(*lines)

    assert answer.exit_code == 0, answer.output
    assert "5000 counts loaded" in answer.output.replace(",", "")
    assert ask("SELECT count(*), sum(available) FROM stock_levels") == [
        (5_000, sum(number % 7 for number in range(5_000)))
    ]


def test_the_same_file_of_counts_twice_changes_stock_once(counted, shop, ask) -> None:
    shop.sku(JACKET)
    line = f"{JACKET},downtown,12,2026-11-01T10:00:00+01:00"
    counted(line)
    again = counted(line)

    assert again.exit_code == 0
    assert "1 counts loaded (1 known already)" in again.output
    assert ask("SELECT count(*) FROM ledger") == [(1,)]
    assert ask("SELECT count(*) FROM stock_events") == [(1,)]


def test_a_corrected_file_corrects_the_count(counted, shop) -> None:
    shop.sku(JACKET)
    counted(f"{JACKET},downtown,12,2026-11-01T10:00:00Z")
    counted(f"{JACKET},downtown,11,2026-11-01T10:00:00Z", yes=True)

    assert shop.level(JACKET) == {"available": 11}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (f"{JACKET},downtown,,", "quantity is blank, and blank is not zero"),
        (f"{JACKET},downtown,-1,", "'-1' is not a whole number"),
        (f"{JACKET},downtown,1.5,", "'1.5' is not a whole number"),
        (
            f"{JACKET},downtown,99999999999999,",
            "is not a whole number from 0 to 2147483647",
        ),
        (f"{JACKET},attic,1,", "there is no location 'attic'; known: depot, downt"),
        ("NOPE,downtown,1,", "there is no SKU 'NOPE'"),
        (f"{JACKET},downtown,1,yesterday", "'yesterday' is not a time"),
        (f"{JACKET},downtown,1,2026-11-01T10:00:00", "names no time zone"),
        (f"{JACKET},downtown,1,2099-11-01T10:00:00Z", "is in the future"),
        (f"{JACKET},depot,6,", "counts the same again as line 2"),
    ],
)
def test_a_count_that_cannot_be_is_named(counted, shop, line: str, words: str) -> None:
    shop.sku(JACKET)
    answer = counted(f"{JACKET},depot,5,", line)

    assert answer.exit_code == 1
    assert "line 3: " in answer.output
    assert words in answer.output
    assert shop.level(JACKET) == {"available": 5}


@pytest.mark.parametrize("dry", [False, True])
def test_a_count_by_another_name_of_its_sku_is_named(counted, shop, dry) -> None:
    shop.sku(JACKET)
    add_alias(shop.engine, JACKET, "OLD-JACKET", now=now())

    answer = counted(f"{JACKET},depot,5,", "OLD-JACKET,depot,9,", dry=dry)

    assert answer.exit_code == 1
    assert f"line 3: counts the same again as line 2, where it is called {JACKET}" in (
        answer.output
    )
    assert shop.level(JACKET) == ({} if dry else {"available": 5})


def test_a_file_that_would_empty_the_shop_asks_first(counted, shop) -> None:
    skus = [f"SKU-{number}" for number in range(10)]
    shop.sku(*skus)
    counted(*(f"{sku},downtown,5," for sku in skus))

    few = counted(*(f"{sku},downtown,4," for sku in skus[:3]))
    untouched = counted(*(f"{sku},downtown,7,,7" for sku in skus))
    many = counted(*(f"{sku},downtown,0," for sku in skus[:4]))

    assert few.exit_code == 0, few.output
    assert untouched.exit_code == 0, untouched.output
    assert many.exit_code == 1
    assert "would change 4 of the 10 SKUs counted so far (40 %), 4 of them to 0" in (
        many.output
    )
    assert shop.level(skus[0]) == {"available": 4}

    assert counted(*(f"{s},downtown,0," for s in skus[:4]), yes=True).exit_code == 0
    assert shop.level(skus[0]) == {}


def test_a_first_count_of_another_place_is_free(counted, shop) -> None:
    shop.sku(JACKET)
    counted(f"{JACKET},downtown,5,")

    assert counted(f"{JACKET},depot,7,").exit_code == 0
    assert shop.level(JACKET) == {"available": 12}


def test_a_count_that_agrees_with_sales_since_changes_nothing(counted, shop) -> None:
    shop.sku(JACKET)
    counted(f"{JACKET},downtown,5,2026-11-01T10:00:00Z")
    shop.tell("till", sale("1", JACKET, 2, at=now()))

    answer = counted(f"{JACKET},downtown,5,2026-11-02T10:00:00Z")

    assert answer.exit_code == 0, answer.output
    assert shop.level(JACKET) == {"available": 3}


def test_a_long_file_is_loaded_in_pieces(counted, shop, ask) -> None:
    skus = [f"SKU-{number}" for number in range(250)]
    shop.sku(*skus)
    answer = counted(*(f"{s},downtown,1," for s in skus), "NOPE,downtown,1,")

    assert "line 252: there is no SKU 'NOPE'" in answer.output
    assert "250 counts loaded." in answer.output
    assert ask("SELECT sum(available) FROM stock_levels") == [(250,)]


def test_recipes_come_in_by_kit_whatever_the_order_of_lines(
    onecount, write, ask, shop
) -> None:
    shop.sku("A", "B")
    text = "kit,component,quantity\nGIFT,SIX,2\nSIX,A,6\nGIFT,B,1\n"

    dry = onecount("import", "recipes", write("kits.csv", text), "--dry-run")
    assert "line 3: SIX, is made of: nothing -> 6 A" in dry.output
    assert ask("SELECT count(*) FROM recipes") == [(0,)]
    answer = onecount("import", "recipes", write("kits.csv", text))
    again = onecount("import", "recipes", write("kits.csv", text))

    assert (answer.exit_code, again.exit_code) == (0, 0), answer.output
    assert "2 kits loaded." in answer.output
    assert "2 kits loaded (2 known already)." in again.output
    assert ask(
        "SELECT k.sku, c.sku, p.quantity FROM kit_parts p JOIN skus k ON k.id = p.kit_id "
        "JOIN skus c ON c.id = p.sku_id ORDER BY k.sku, c.sku"
    ) == [("GIFT", "A", 12), ("GIFT", "B", 1), ("SIX", "A", 6)]


def test_a_bad_line_of_a_recipe_spoils_its_kit_and_no_other(
    onecount, write, ask, shop
) -> None:
    shop.sku("A", "B")
    lines = ["GOOD,A,1", "BAD,A,1", "BAD,B,1.5", "LOST,NO-SUCH,1", "SELF,SELF,1"]
    text = "\n".join(["kit,component,quantity", *lines, "TWICE,A,1", "TWICE,A,2"])

    answer = onecount("import", "recipes", write("kits.csv", text))

    assert answer.exit_code == 1
    assert "1 kits loaded." in answer.output
    for words in (
        "line 3: its kit is left out for another bad line",
        "line 4: quantity '1.5' is not a whole number from 1 to 1000000",
        "line 5: there is no SKU 'NO-SUCH'",
        "line 6: there is no SKU 'SELF'",
        "line 8: A is named twice for TWICE",
    ):
        assert words in answer.output
    assert ask("SELECT count(*) FROM recipes") == [(1,)]


def test_counts_of_kits_are_refused_by_line(onecount, counted, write, shop) -> None:
    shop.sku("A")
    onecount(
        "import", "recipes", write("kits.csv", "kit,component,quantity\nSIX,A,6\n")
    )

    answer = counted("SIX,depot,3,", "A,depot,7,")

    assert answer.exit_code == 1
    assert "line 2: SIX is a kit: count its components" in answer.output
    assert shop.level("A") == {"available": 7}


# -- looked at first, and only once ---------------------------------------------


def test_a_dry_run_shows_each_change_and_makes_none(counted, onecount, write, shop):
    shop.sku(JACKET)
    counted(f"{JACKET},downtown,12,")
    text = f"sku,location,quantity,was\n{JACKET},downtown,9,12\nGHOST,downtown,1,\n"

    said = onecount("import", "counts", write("c.csv", text), "--dry-run")

    assert said.exit_code == 1
    assert f"line 2: {JACKET} at downtown, on hand: 12 -> 9" in said.output
    assert "line 3: there is no SKU 'GHOST'" in said.output
    assert "1 changes, 0 lines change nothing. This was a dry run." in said.output
    assert shop.level(JACKET) == {"available": 12}
    names = write("s.csv", f"sku,name\n{JACKET},Jacket\n")
    assert (
        "name: nothing -> Jacket"
        in onecount("import", "skus", names, "--dry-run").output
    )


def test_a_line_based_on_an_old_number_changes_nothing(counted, onecount, write, shop):
    shop.sku(JACKET)
    counted(f"{JACKET},downtown,12,")
    text = f"sku,location,quantity,was\n{JACKET},downtown,9,11\n"

    said = onecount("import", "counts", write("c.csv", text), "--yes")

    assert f"line 2: {JACKET} at downtown is 12 by now, not 11" in said.output
    assert shop.level(JACKET) == {"available": 12}


def test_a_file_of_adjustments_happens_once(counted, onecount, write, shop):
    shop.sku(JACKET)
    counted(f"{JACKET},downtown,12,")
    text = (
        "sku,location,change,reason,to\n"
        f"{JACKET},downtown,-2,moths,damaged\n{JACKET},downtown,1,twice,\n"
        f"{JACKET},depot,some,found,\n{JACKET},depot,,,\n"
        f"{JACKET},depot,{10**20:032},found,\n"
    )
    path = write("a.csv", text)

    first = onecount("import", "adjustments", path)
    again = onecount("import", "adjustments", path)

    assert "line 3: adjusts the same place as line 2" in first.output
    assert "line 4: change 'some' is not a whole number" in first.output
    assert "00' is not a whole number like 3 or -2, at most 2147483647" in first.output
    assert "1 adjustments loaded." in first.output
    assert "(1 known already)" in again.output
    assert shop.level(JACKET) == {"available": 10, "damaged": 2}


def test_a_workbook_goes_out_and_comes_back(counted, onecount, shop, tmp_path):
    shop.sku(JACKET)
    counted(f"{JACKET},downtown,12,")
    path = str(tmp_path / "counts.xlsx")

    assert "1 lines written" in onecount("export", "counts", path).output
    back = onecount("import", "counts", path)

    assert back.exit_code == 0, back.output
    assert "1 counts loaded (1 known already)." in back.output


def test_files_that_came_in_are_in_the_audit_log(counted, onecount, noted, write):
    onecount("import", "skus", write("a.csv", "sku,name\nA-1,\n,x\nA-2,\n"))
    onecount("import", "skus", "--dry-run", write("b.csv", "sku\nB-1\n"))
    counted("A-1,downtown,4,,")

    counts, skus = noted()
    told = {"lines": 2, "left out": 1}
    assert skus == ("command line", "let in skus", "a.csv", told)
    assert counts[1:] == ("let in counts", "counts.csv", {"lines": 1, "left out": 0})
