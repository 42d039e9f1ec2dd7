"""Spreadsheets: read, their lines by number and what is wrong with them; and written.

CSV in UTF-8 (separated by commas, semicolons or tabs) or an Excel workbook, with our own columns or those of a program that
`dialects` knows.
"""

import csv
import difflib
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TextIO

from app.domain.errors import BadConfiguration
from app.pipeline.configuring.toml import line_of, text_problem
from app.pipeline.spreadsheets.dialects import Dialect, recognised
from app.pipeline.spreadsheets.workbook import MAGIC, read_workbook

SKUS: Final = ("sku", "name", "barcode")
COUNTS: Final = ("sku", "location", "quantity", "counted_at", "was")

_MARKS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


class Problem(NamedTuple):
    """What is wrong with one line."""

    line: int
    words: str


class Row(NamedTuple):
    """One line that can be read; every column is there, "" where it is blank."""

    line: int
    values: Mapping[str, str]


@dataclass(slots=True)
class Sheet:
    """All lines of a file below its header."""

    rows: list[Row] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    source: str = ""
    """Whose columns it has, when they are not ours."""


def read_sheet(
    text: bytes, columns: Sequence[str], required: Sequence[str] = ()
) -> Sheet:
    """Read a file whose first line names its columns, in any order.

    Columns that are not `required` may be left out. Raises BadConfiguration for what
    makes every line unreadable: another encoding, other columns.
    """
    sheet = Sheet()
    lines = _workbook(text) if text.startswith(MAGIC) else _csv(text, sheet)
    first = next(lines, None)
    if first is None:
        raise BadConfiguration(f"is empty; its first line is {','.join(columns)}")
    line, header = first
    dialect = None if set(required or columns) <= set(header) else recognised(header)
    if dialect is not None and columns in (SKUS, COUNTS):
        _take_theirs(sheet, dialect, header, lines, columns)
        return sheet
    header = _header(header, line, columns, required or columns)
    for line, cells in lines:
        _take(sheet, line, header, cells, columns)
    if columns == SKUS:
        _each_once(sheet)
    return sheet


def _each_once(sheet: Sheet) -> None:
    """A SKU's second line is left out; one that says something else is named."""
    first: dict[str, Row] = {}
    for row in sheet.rows:
        sku = row.values["sku"]
        # What is blank is named one by one.
        known = first.setdefault(sku or f"\n{row.line}", row)
        if known.values != row.values:
            words = (
                f"{sku} is in line {known.line} already, with another name or barcode"
            )
            sheet.problems.append(Problem(row.line, words))
    sheet.rows = list(first.values())


def _take_theirs(
    sheet: Sheet,
    dialect: Dialect,
    header: Sequence[str],
    lines: Iterable[tuple[int, list[str]]],
    columns: Sequence[str],
) -> None:
    """Take the lines of another program's file as ours."""
    sheet.source = dialect.title
    told = [(line, dict(zip(header, cells, strict=False))) for line, cells in lines]
    read = dialect.skus if columns == SKUS else dialect.counts
    for line, given in read(told):
        _keep(sheet, line, given, columns)


def _workbook(content: bytes) -> Iterator[tuple[int, list[str]]]:
    for line, cells in read_workbook(content):
        yield line, [_plain(cell) for cell in cells]


def _csv(text: bytes, sheet: Sheet) -> Iterator[tuple[int, list[str]]]:
    return _cells(io.StringIO(_decoded(text), newline="").readlines(), sheet)


def _cells(lines: Sequence[str], sheet: Sheet) -> Iterator[tuple[int, list[str]]]:
    """The cells of each line that can be read and is not blank, with its number."""
    start, separator = 0, _separator(lines)
    reader = csv.reader(lines, delimiter=separator, strict=True)
    while True:
        line = start + reader.line_num + 1
        try:
            cells = [_plain(cell.strip()) for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error as error:
            sheet.problems.append(Problem(line, _unreadable(error)))
            # A quote that nothing closes has swallowed lines: begin again below it.
            start = line
            reader = csv.reader(lines[line:], delimiter=separator, strict=True)
            continue
        if any(cells):
            yield line, cells


def _separator(lines: Sequence[str]) -> str:
    """What stands between the names of the columns: spreadsheets write a semicolon
    where people write a comma in numbers, and a tab when they are pasted."""
    header = next((line for line in lines if line.strip()), "")
    return max(",;\t", key=header.count)


_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_sheet(
    out: TextIO, columns: Sequence[str], lines: Iterable[Sequence[object]]
) -> int:
    """Write a file that `read_sheet` reads; return how many lines it has.

    Text that a spreadsheet would take for a formula is written with an apostrophe
    before it: https://owasp.org/www-community/attacks/CSV_Injection
    """
    writer, count = csv.writer(out, lineterminator="\n"), 0
    writer.writerow(columns)
    for line in lines:
        writer.writerow([_harmless(cell) for cell in line])
        count += 1
    return count


def _harmless(cell: object) -> object:
    is_formula = isinstance(cell, str) and cell.startswith(_FORMULA)
    return f"'{cell}" if is_formula else cell


def _plain(cell: str) -> str:
    """A cell without the apostrophe that `write_sheet` put before it."""
    return cell[1:] if cell[:1] == "'" and cell[1:].startswith(_FORMULA) else cell


def _take(
    sheet: Sheet,
    line: int,
    header: Sequence[str],
    cells: Sequence[str],
    columns: Sequence[str],
) -> None:
    if len(cells) > len(header) and any(cells[len(header) :]):
        words = f"has {len(cells)} values, the first line names {len(header)} columns"
        sheet.problems.append(Problem(line, words))
        return
    _keep(sheet, line, dict(zip(header, cells, strict=False)), columns)


def _keep(
    sheet: Sheet, line: int, given: Mapping[str, str], columns: Sequence[str]
) -> None:
    for name, cell in given.items():
        if cell and (problem := text_problem(cell)):
            sheet.problems.append(Problem(line, f"{name} {problem}"))
            return
    values = {name: given.get(name, "") for name in columns}
    sheet.rows.append(Row(line, values))


def _decoded(text: bytes) -> str:
    for mark, name in _MARKS.items():
        if text.startswith(mark):
            raise BadConfiguration(f"is {name}; save it as CSV in UTF-8")
    if b"\0" in text:
        raise BadConfiguration(
            "is neither text nor a workbook; save it as CSV in UTF-8, or as .xlsx"
        )
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = line_of(text, error.start)
        place = error.start - text.rfind(b"\n", 0, error.start)
        byte = text[error.start : error.start + 1]
        likely = byte.decode("cp1252", "replace")
        guess = f" ({likely} in Windows-1252)" if likely.isprintable() else ""
        raise BadConfiguration(
            f"line {line}, byte {place}: 0x{byte.hex().upper()}{guess} is not UTF-8; "
            "save the file as CSV in UTF-8 and load it again"
        ) from error


def _unreadable(error: csv.Error) -> str:
    words = str(error)
    if "unexpected end of data" in words or "field larger" in words:
        return "opens a quote that nothing closes"
    return f"cannot be read: {words}"


def _header(
    cells: list[str], line: int, columns: Sequence[str], required: Sequence[str]
) -> list[str]:
    expected = ",".join(columns)
    for name in cells:
        if name and name not in columns:
            near = difflib.get_close_matches(name.lower(), columns, n=1)
            meant = f"did you mean {near[0]!r}?" if near else f"known: {expected}"
            raise BadConfiguration(f"line {line}: unknown column {name!r}; {meant}")
        if name and cells.count(name) > 1:
            raise BadConfiguration(f"line {line}: the column {name!r} is there twice")
    missing = [name for name in required if name not in cells]
    if missing:
        raise BadConfiguration(
            f"line {line}: no column {missing[0]!r}; the first line is {expected}"
        )
    while cells and not cells[-1]:
        cells.pop()
    return cells
