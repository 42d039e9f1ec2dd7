"""Excel workbooks: the first sheet of one read as lines of text, and one written.

A workbook is a compressed archive, so its size says nothing: how much is in it is
looked at before it is unpacked.
"""

import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from datetime import date, datetime
from typing import IO, Any, Final

from openpyxl import Workbook, load_workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.utils.exceptions import InvalidFileException

from app.domain.errors import BadConfiguration

MAGIC: Final = b"PK\x03\x04"
"""How every workbook begins."""
MOST_BYTES: Final = 64 * 1024 * 1024
"""Of an unpacked workbook: far more than its most lines need."""
MOST_LINES: Final = 20_000
"""A longer list is better off as CSV, which costs a tenth to read."""
MOST_COLUMNS: Final = 200
_EXACT: Final = 10**15
"""Excel keeps fifteen digits of a number; those after them are zeros."""
_UNREADABLE: Final = "cannot be read as an Excel workbook; save it again, or as CSV"
_BROKEN: Final = (
    zipfile.BadZipFile,
    InvalidFileException,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    IndexError,
    SyntaxError,  # what the parser of XML raises
    EOFError,
    NotImplementedError,
)


class LostDigits(BadConfiguration):
    """A number that is too long for a spreadsheet: its last digits are gone."""


def read_workbook(content: bytes) -> list[tuple[int, list[str]]]:
    """The first sheet's lines that are not blank, by number, each cell as text.

    A formula is what it came to when the file was saved. Raises BadConfiguration.
    """
    _check_size(content)
    try:
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        try:
            return list(_lines(book))
        finally:
            book.close()
    except _BROKEN as error:
        raise BadConfiguration(_UNREADABLE) from error


def _check_size(content: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(one.file_size for one in archive.infolist())
    except _BROKEN as error:
        raise BadConfiguration(_UNREADABLE) from error
    if size > MOST_BYTES:
        raise BadConfiguration(
            f"unpacks to {size // 1024**2} MB; {MOST_BYTES // 1024**2} are the most"
        )


def _lines(book: Any) -> Iterator[tuple[int, list[str]]]:
    if not book.worksheets:
        raise BadConfiguration("has no sheet with cells")
    # What a file claims of its size is not believed: it may claim a million lines.
    book.worksheets[0].reset_dimensions()
    rows = book.worksheets[0].iter_rows(values_only=True, max_col=MOST_COLUMNS)
    for number, row in enumerate(rows, 1):
        if number > MOST_LINES:
            raise BadConfiguration(
                f"has more than {MOST_LINES:,} lines; save it as CSV"
            )
        cells = [_text(value, number) for value in row]
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            yield number, cells


def _text(value: object, line: int) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float) and value.is_integer():
        if abs(value) >= _EXACT:
            raise LostDigits(
                f"line {line}: {value:.0f} has lost its last digits in the "
                "spreadsheet; format the column as text and enter it again"
            )
        return str(int(value))
    if isinstance(value, date | datetime):
        return value.isoformat()
    return str(value).strip()


def write_workbook(
    out: IO[bytes], columns: Sequence[str], lines: Iterable[Sequence[object]]
) -> int:
    """Write a workbook that `read_workbook` reads; return how many lines it has.

    Text stays text, so that no SKU is taken for a number, a date or a formula.
    """
    book, count = Workbook(write_only=True), 0
    sheet = book.create_sheet("Onecount")
    sheet.freeze_panes = "A2"
    # Left open by an error, it writes its end once more to a file that is closed.
    with closing(sheet):
        sheet.append([_cell(sheet, name) for name in columns])
        for line in lines:
            sheet.append([_cell(sheet, value) for value in line])
            count += 1
    book.save(out)
    return count


def _cell(sheet: Any, value: object) -> Any:
    if not isinstance(value, str):
        return value
    cell = WriteOnlyCell(sheet, value)
    cell.data_type, cell.number_format = "s", "@"
    return cell
