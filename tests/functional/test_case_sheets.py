"""The sheets of tests/cases: as `make_cases` makes them, and read as an independent reader reads them, cell by cell."""

from __future__ import annotations

import csv
import datetime as dt
import io
from typing import TYPE_CHECKING, Any

import pytest
from python_calamine import load_workbook

from batch_orders.adapters.encodings import utf16_without_mark
from batch_orders.adapters.sheet_reader import read_sheet
from batch_orders.errors import SheetError
from batch_orders.models import Sheet, SheetKind
from tests import make_cases
from tests.program import SAMPLES

if TYPE_CHECKING:
    from pathlib import Path

_FOLDERS = (make_cases.CASES, SAMPLES)
# calamine passes over the short records of .xlsb; test_other_workbooks.py has LibreOffice read one instead.
_SUFFIXES = {f".{kind}" for kind in SheetKind if kind is not SheetKind.XLSB}
_SHEETS = sorted(path for folder in _FOLDERS for path in folder.rglob("*.*") if path.suffix in _SUFFIXES)


@pytest.mark.parametrize("name", sorted(make_cases.cases()))
def test_made_cases_are_current(name: str) -> None:
    """What stands in the folder is what is made today: the same text, or the same cells."""
    made = make_cases.cases()[name]
    there = (make_cases.CASES / name).read_bytes()
    if made != there:
        assert name.endswith(".xlsx")  # another version of zlib may pack otherwise
        assert _rows_of_workbook(io.BytesIO(made), None) == _rows_of_workbook(io.BytesIO(there), None)


@pytest.mark.parametrize("path", _SHEETS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_an_independent_reader_agrees(path: Path) -> None:
    """Every cell below the header, and every row's number; what is refused here is read by nobody."""
    try:
        sheet = read_sheet(path)
    except SheetError:
        return
    is_text = sheet.kind is SheetKind.CSV
    theirs = _rows_of_text(path, sheet) if is_text else _rows_of_workbook(path, sheet.sheet_name)
    ours = dict(zip(sheet.row_numbers, sheet.frame.itertuples(index=False, name=None), strict=True))
    below = {number: row for number, row in theirs.items() if number > sheet.header_row and any(row)}
    assert set(ours) == set(below)
    for number, row in ours.items():
        padded = [*below[number], *[""] * len(row)][: len(row)]
        assert [_plain(cell) for cell in row] == [_plain(cell) for cell in padded]
    assert [header for header in sheet.headers if header] == [cell for cell in theirs[sheet.header_row] if cell]


def _rows_of_text(path: Path, sheet: Sheet) -> dict[int, list[str]]:
    """By number, the rows as Python's csv reads them."""
    content = path.read_bytes()
    text = content.decode(utf16_without_mark(content) or "utf-8-sig" if b"\0" in content else "utf-8-sig")
    if text.startswith("sep="):
        text = text.partition("\n")[2]
    return dict(enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=sheet.delimiter), start=1))


def _rows_of_workbook(file: Any, name: str | None) -> dict[int, list[str]]:
    """By number, the rows as calamine reads them."""
    with load_workbook(file) as book:
        sheet = book.get_sheet_by_name(name or book.sheet_names[0])
        rows = sheet.to_python(skip_empty_area=False)
    return {number: [_text(cell) for cell in row] for number, row in enumerate(rows, start=1)}


def _text(cell: object) -> str:
    if isinstance(cell, bool):
        return str(cell).upper()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, dt.datetime) and cell.time() == dt.time():
        return cell.date().isoformat()
    return cell.isoformat() if isinstance(cell, dt.date | dt.time) else str(cell)


def _plain(cell: str) -> str:
    """A cell apart from zeros that only a number's format shows, which calamine does not know of."""
    return cell.lstrip("0") if cell.isdigit() else cell
