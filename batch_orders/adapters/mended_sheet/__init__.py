"""A person's sheet with some cells changed, as the bytes of a file that is otherwise as it was.

A CSV file keeps its encoding, delimiter and line ends; a workbook is edited in place, as results are written into it.
Where a workbook's layout is not understood, openpyxl saves it again, and where that would change what is read, as for
.xls, .xlsb and .ods, a plain .xlsx workbook has the same cells at the same places.

The law: the file, read again as the first one was, has the same headers, rows and texts, but for the changed cells.
"""

from __future__ import annotations

import dataclasses
import zipfile
from typing import TYPE_CHECKING, NamedTuple

from batch_orders.adapters.mended_sheet.anew import saved_again, written_plainly
from batch_orders.adapters.mended_sheet.figures import figures_of
from batch_orders.adapters.mended_sheet.in_csv import mended_csv
from batch_orders.adapters.mended_sheet.in_workbook import mended_in_place
from batch_orders.adapters.mended_sheet.texts import held
from batch_orders.adapters.own_workbook.markup import UnexpectedLayoutError
from batch_orders.adapters.sheet_parts import is_blank
from batch_orders.adapters.sheet_reader import read_sheet
from batch_orders.errors import SheetError
from batch_orders.models import Cell, FindingCode, Limits, SheetKind

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from batch_orders.models import Sheet

__all__ = ["Mended", "held", "mended"]

# The file was small enough once: it is read again only to compare.
_NO_LIMITS = Limits(file_size=10**10, unpacked_size=10**10)
_BROKEN = frozenset({FindingCode.CELL_ERROR, FindingCode.FORMULA_WITHOUT_VALUE})


class Mended(NamedTuple):
    """The file with the changed cells: what kind it is, its bytes, and the encoding to read it with (None: Unicode)."""

    kind: SheetKind
    content: bytes
    encoding: str | None = None


def mended(
    sheet: Sheet, cells: Mapping[Cell, str], *, encoding: str | None = None, counts: Collection[int] = ()
) -> Mended:
    """The sheet's file with these cells changed to these texts, or to what a file holds of them (see `held`).

    `sheet` is as `read_sheet` gave it, with this `encoding`. An xlsx or csv stays what it is; other workbooks become
    .xlsx. `counts` are the columns (Excel's numbers) that say how many: there a whole number is a number in a workbook,
    where it is among numbers. ValueError where a cell is not one of the sheet's rows and columns, or a text is too long
    for a cell.
    """
    _require_inside(sheet, cells)
    texts = {cell: held(text) for cell, text in cells.items()}
    if sheet.kind is SheetKind.CSV:
        changes: dict[int, dict[int, str]] = {}
        for cell, text in texts.items():
            changes.setdefault(cell.row, {})[cell.column - sheet.first_column] = text
        content, encoding = mended_csv(sheet, changes, encoding)
        return Mended(SheetKind.CSV, content, encoding)
    return Mended(SheetKind.XLSX, _mended_workbook(sheet, texts, figures_of(sheet, texts, counts)))


def _require_inside(sheet: Sheet, cells: Mapping[Cell, str]) -> None:
    rows = set(sheet.row_numbers)
    columns = range(sheet.first_column, sheet.first_column + len(sheet.headers))
    for cell in cells:
        if cell.row not in rows or cell.column not in columns:
            raise ValueError(f"{cell} is none of the sheet's cells")


def _mended_workbook(sheet: Sheet, cells: Mapping[Cell, str], figures: Collection[Cell]) -> bytes:
    if sheet.kind is not SheetKind.XLSX:
        return written_plainly(sheet, cells, figures)
    try:
        return mended_in_place(sheet, cells, figures)
    except (UnexpectedLayoutError, ValueError, KeyError, zipfile.BadZipFile):
        pass
    try:
        content = saved_again(sheet, cells, figures)
    except Exception:  # noqa: BLE001 - openpyxl raises anything over a workbook that it does not understand
        return written_plainly(sheet, cells, figures)
    return content if _reads_as(content, sheet, cells) else written_plainly(sheet, cells, figures)


def _reads_as(content: bytes, sheet: Sheet, cells: Mapping[Cell, str]) -> bool:
    """Whether a workbook obeys the law; and what was an error, or a formula without a value, has to be told again."""
    limits = dataclasses.replace(_NO_LIMITS, rows=len(sheet.row_numbers), columns=len(sheet.headers))
    try:
        read = read_sheet(
            sheet.path, sheet_name=sheet.sheet_name, headers=sheet.headers, limits=limits, content=content
        )
    except SheetError:
        return False
    wanted = _rows(sheet)
    for cell, text in cells.items():
        wanted[cell.row][cell.column - sheet.first_column] = text
    same_rows = _without_blank(_rows(read)) == _without_blank(wanted)
    return read.headers == sheet.headers and same_rows and _broken(read, cells) == _broken(sheet, cells)


def _rows(sheet: Sheet) -> dict[int, list[str]]:
    return dict(zip(sheet.row_numbers, sheet.frame.to_numpy().tolist(), strict=True))


def _without_blank(rows: Mapping[int, list[str]]) -> dict[int, list[str]]:
    return {number: row for number, row in rows.items() if not is_blank(row)}


def _broken(sheet: Sheet, cells: Mapping[Cell, str]) -> set[Cell]:
    """The cells with an error or without a value, but for these."""
    found = (oddity for oddity in sheet.oddities if oddity.code in _BROKEN)
    return {Cell(oddity.rows[0], oddity.columns[0]) for oddity in found} - cells.keys()
