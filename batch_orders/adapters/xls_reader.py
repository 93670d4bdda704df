"""Reading old Excel workbooks (.xls, BIFF) with xlrd, which knows their formats, merged areas and hidden rows."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import xlrd
from openpyxl.utils.datetime import CALENDAR_MAC_1904, CALENDAR_WINDOWS_1900
from xlrd.biffh import error_text_from_code

from batch_orders.adapters.workbook_sheets import (
    GENERAL,
    Area,
    Found,
    Grid,
    TooManyRowsError,
    number,
    rows_of,
    table_of,
)
from batch_orders.adapters.xls_screen import PasswordError, screened
from batch_orders.errors import SheetError
from batch_orders.messages import sheets as messages
from batch_orders.models import Cell

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from pathlib import Path

    from batch_orders.adapters.sheet_parts import Table
    from batch_orders.models import Limits

# xlrd keeps every row down to the last of a sheet, also blank ones. This many times the rows that may hold something.
_WITH_BLANK_ONES = 4


def read_table(path: Path, stream: bytes, sheet_name: str | None, limits: Limits) -> Table:
    """The cells of the sheet that is asked for, else of the one with orders; `stream` is the workbook's, out of OLE2.

    SheetError as `choose`, and for a password; whatever xlrd raises, or ValueError, where it is broken.
    """
    try:
        safe = screened(stream)
    except PasswordError:
        raise SheetError(messages.password_protected(path), hint=messages.take_password_off()) from None
    # What xlrd warns of (odd code pages, say) it would print.
    book = xlrd.open_workbook(
        file_contents=safe, formatting_info=True, on_demand=True, ragged_rows=True, logfile=io.StringIO()
    )
    loaded = _Loaded(book, limits)
    return table_of(path, [_Sheet(title, loaded) for title in book.sheet_names()], sheet_name, limits)


class _Loaded:
    """The one sheet that is in memory."""

    def __init__(self, book: Any, limits: Limits) -> None:  # noqa: ANN401 - xlrd has no types
        self.book = book
        self.limits = limits
        self._title: str | None = None
        self._rows_left = _WITH_BLANK_ONES * limits.rows

    def sheet(self, title: str) -> Any:  # noqa: ANN401 - as above
        """The sheet of this name as xlrd has it, in place of the last one."""
        if title != self._title:
            if self._title is not None:
                self.book.unload_sheet(self._title)
            found = self.book.sheet_by_name(title)
            self._title = title
            self._rows_left -= found.nrows
            if self._rows_left < 0:
                raise TooManyRowsError
        return self.book.sheet_by_name(title)


class _Sheet:
    """One sheet, loaded when it is looked at."""

    def __init__(self, title: str, loaded: _Loaded) -> None:
        self.title = title
        self._loaded = loaded

    @property
    def is_hidden(self) -> bool:
        """Whether no one sees it."""
        return bool(self._loaded.sheet(self.title).visibility)

    def texts(self) -> Generator[tuple[int, Sequence[str]], None, None]:
        """Its rows that hold something."""
        return rows_of(self._cells(), self._loaded.limits)

    def fill(self, grid: Grid) -> None:
        """All of its cells, and what it hides."""
        for found in self._cells():
            grid.add(found)
        sheet = self._loaded.sheet(self.title)
        grid.hidden.rows = {row + 1 for row, info in sheet.rowinfo_map.items() if info.hidden}
        grid.hidden.columns = [(column + 1, column + 1) for column, info in sheet.colinfo_map.items() if info.hidden]
        # xlrd's ends are the first that are not in it.
        grid.hidden.merged = [Area(top + 1, bottom, left + 1, right) for top, bottom, left, right in sheet.merged_cells]

    def _cells(self) -> Iterator[Found]:
        book, sheet = self._loaded.book, self._loaded.sheet(self.title)
        for row in range(sheet.nrows):
            for column, cell in enumerate(sheet.row(row)):
                found = _found(book, cell, Cell(row + 1, column + 1))
                if found is not None:
                    yield found


def _found(book: Any, cell: Any, place: Cell) -> Found | None:  # noqa: ANN401 - as above
    match cell.ctype:
        case xlrd.XL_CELL_TEXT if cell.value:
            return Found(place, cell.value)
        case xlrd.XL_CELL_NUMBER | xlrd.XL_CELL_DATE:
            epoch = CALENDAR_MAC_1904 if book.datemode else CALENDAR_WINDOWS_1900
            return number(place, cell.value, _number_format(book, cell), epoch)
        case xlrd.XL_CELL_BOOLEAN:
            return Found(place, bool(cell.value), _number_format(book, cell))
        case xlrd.XL_CELL_ERROR:
            return Found(place, error_text_from_code.get(cell.value, "#ERROR"), is_error=True)
    return None  # blank, or an empty text


def _number_format(book: Any, cell: Any) -> str:  # noqa: ANN401 - as above
    if cell.xf_index >= len(book.xf_list):  # as xlrd has it where a workbook has hardly any styles
        return GENERAL
    return str(book.format_map[book.xf_list[cell.xf_index].format_key].format_str)
