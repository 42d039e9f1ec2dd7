"""Spreadsheets as files: workbooks, and what Shopify, Square and WooCommerce write."""

import gc
import io
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from openpyxl import Workbook

from app.domain.errors import BadConfiguration
from app.pipeline.spreadsheets.sheet import COUNTS, SKUS, read_sheet
from app.pipeline.spreadsheets.workbook import read_workbook, write_workbook


def workbook(*rows: list[Any]) -> bytes:
    book, out = Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(out)
    return out.getvalue()


def bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * 65 * 1024 * 1024)
    return out.getvalue()


def test_a_workbook_is_read_as_it_is_meant():
    content = workbook(
        ["sku", "location", "quantity"],
        ["00123", " downtown ", 8],
        [],
        [4711.0, "downtown", "=1+1"],
    )

    sheet = read_sheet(content, COUNTS, COUNTS[:3])

    assert [
        (row.line, *(row.values[name] for name in COUNTS[:3])) for row in sheet.rows
    ] == [
        (2, "00123", "downtown", "8"),
        # A formula that was never worked out has no number: blank is not zero.
        (4, "4711", "downtown", ""),
    ]


def test_a_workbook_whose_lines_break_off_is_left_without_noise():
    def lines() -> Iterator[list[str]]:
        yield ["A"]
        raise OSError("the database does not answer")

    with pytest.raises(OSError, match="does not answer"):
        write_workbook(io.BytesIO(), ["sku"], lines())
    gc.collect()  # what is thrown away there complains there: a warning, so an error


def test_what_is_written_to_a_workbook_stays_text():
    out = io.BytesIO()
    write_workbook(out, ["sku", "name"], [("00123", "=1+1"), ("1E5", "@SUM(A1)")])

    assert read_workbook(out.getvalue()) == [
        (1, ["sku", "name"]),
        (2, ["00123", "=1+1"]),
        (3, ["1E5", "@SUM(A1)"]),
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04nonsense", "cannot be read as an Excel workbook"),
        (workbook(["sku"])[:900], "cannot be read as an Excel workbook"),
        (bomb(), "unpacks to 65 MB; 64 are the most"),
        (workbook(["sku", "name"], [1.5e17, "x"]), "line 2: .* lost its last digits"),
        (workbook(), "is empty"),
    ],
    ids=["no archive", "cut off", "bomb", "lost digits", "empty"],
)
def test_a_workbook_that_cannot_be_trusted_is_refused(content, words):
    with pytest.raises(BadConfiguration, match=words):
        read_sheet(content, SKUS, SKUS[:1])


SHOPIFY = (
    "\ufeffHandle,Title,SKU,HS Code,COO,Location,Bin name,Incoming (not editable),"
    "Committed (not editable),On hand (current),On hand (new)"
)
SQUARE = (
    "Token,Item Name,SKU,GTIN,Current Quantity Downtown,New Quantity Downtown,"
    "Current Quantity Harbour,New Quantity Harbour"
)
WOO = 'ID,Type,SKU,"GTIN, UPC, EAN, or ISBN",Name,In stock?,Stock,Parent'


@pytest.mark.parametrize(
    ("source", "lines", "counted"),
    [
        (
            "Shopify's inventory",
            (
                SHOPIFY,
                "a,A,A-1,,,Downtown,,0,0,10,7",
                "b,B,B-1,,,Downtown,,0,0,4,",
                "b,B,B-1,,,Harbour,,0,0,not stocked,not stocked",
            ),
            [(2, "A-1", "Downtown", "7", "10")],
        ),
        (
            "Shopify's inventory",
            (SHOPIFY, "a,A,A-1,,,Downtown,,0,0,10,", "b,B,B-1,,,Harbour,,0,0,-2,"),
            [(2, "A-1", "Downtown", "10", ""), (3, "B-1", "Harbour", "-2", "")],
        ),
        (
            "Square's item library",
            (SQUARE, "T,A,A-1,400,10,7,3,2", "T,B,B-1,,4,,,5"),
            [
                (2, "A-1", "Downtown", "7", "10"),
                (2, "A-1", "Harbour", "2", "3"),
                (3, "B-1", "Harbour", "5", ""),
            ],
        ),
        (
            "WooCommerce's products",
            (WOO, "1,simple,A-1,400,A,1,7,", "2,variable,,,B,1,,", "3,simple,C,,C,1,,"),
            [(2, "A-1", "", "7", "")],
        ),
    ],
    ids=["Shopify edited", "Shopify as exported", "Square", "WooCommerce"],
)
def test_counts_of_other_programs_are_read_as_ours(source, lines, counted):
    sheet = read_sheet("\r\n".join(lines).encode(), COUNTS, COUNTS[:3])

    assert sheet.source == source
    names = ("sku", "location", "quantity", "was")
    found = [(row.line, *(row.values[name] for name in names)) for row in sheet.rows]
    assert found == counted


def test_names_of_other_programs_are_read_once_each():
    lines = (SQUARE, "T,Jacket,A-1,400,10,7,3,2", "T,Jacket,A-1,400,1,,,", "T,X,,,,,,")

    sheet = read_sheet("\n".join(lines).encode(), SKUS, SKUS[:1])

    assert [dict(row.values) for row in sheet.rows] == [
        {"sku": "A-1", "name": "Jacket", "barcode": "400"}
    ]
