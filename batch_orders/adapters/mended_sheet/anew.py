"""A workbook written anew, where the person's own cannot be edited: by openpyxl, which keeps most of it, or plainly.

A plain workbook has one sheet: every text, number and date at its row and column, what was hidden hidden, and an error
still an error. It is what becomes of .xls, .xlsb and .ods.
"""

from __future__ import annotations

import io
import warnings
import zipfile
from typing import TYPE_CHECKING, Any, Final

from openpyxl import Workbook, load_workbook
from openpyxl.cell.cell import ERROR_CODES
from openpyxl.styles.numbers import is_date_format, is_timedelta_format
from openpyxl.utils import get_column_letter
from openpyxl.utils.datetime import WINDOWS_EPOCH, to_excel

from batch_orders.adapters import template_stamp
from batch_orders.adapters.mended_sheet.figures import is_plain
from batch_orders.adapters.mended_sheet.in_workbook import hides
from batch_orders.adapters.mended_sheet.texts import as_written
from batch_orders.adapters.results_style import HEADER, Look, Looks, data_sheet_name, fits
from batch_orders.adapters.workbook_sheets import as_text
from batch_orders.adapters.workbook_sheets import number as number_in
from batch_orders.adapters.xlsx_screen import screened
from batch_orders.models import Cell, FindingCode

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from openpyxl.cell import Cell as SheetCell

    from batch_orders.models import Sheet, Template, Value

# What stands for an error that Excel has no word for ("Err:502"), and for a formula whose value nobody knows.
_SOME_ERROR: Final = "#VALUE!"
_NO_VALUE: Final = "=NA()"


def saved_again(sheet: Sheet, cells: Mapping[Cell, str], figures: Collection[Cell] = ()) -> bytes:
    """The workbook as openpyxl saves it, with these cells changed (`figures` to numbers); raises what openpyxl raises.

    It would lose the values of formulas: on this sheet they stand instead of the formulas.
    """
    with zipfile.ZipFile(io.BytesIO(sheet.content)) as archive:
        has_macros = any(name.endswith("vbaProject.bin") for name in archive.namelist())
        safe = screened(archive, sheet.content)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"openpyxl\.")
        workbook = load_workbook(safe, keep_vba=has_macros)
        values = load_workbook(safe, data_only=True)
    worksheet: Any = workbook[sheet.sheet_name or ""]
    _put_values(worksheet, values[sheet.sheet_name or ""])
    for area in [str(area) for area in worksheet.merged_cells.ranges]:
        if hides(area, cells):
            worksheet.unmerge_cells(area)
    for cell, text in cells.items():
        place = worksheet.cell(cell.row, cell.column)
        if cell in figures and is_plain(place.number_format):
            place.value = int(text)
        elif text or place.value is not None:
            place.value = as_written(text) or None
            place.data_type = "s" if text else "n"
    return _saved(workbook)


def _put_values(worksheet: Any, values: Any) -> None:  # noqa: ANN401 - openpyxl's stubs know several kinds of sheets
    for row in worksheet.iter_rows():
        for cell in row:
            known = values[cell.coordinate] if cell.data_type == "f" else None
            if known is not None and known.value is not None:
                cell.value = known.value
                cell.data_type = known.data_type


def written_plainly(sheet: Sheet, cells: Mapping[Cell, str], figures: Collection[Cell] = ()) -> bytes:
    """A new workbook with the sheet's texts, and with these cells changed (`figures` to numbers)."""
    workbook = Workbook(write_only=True)
    worksheet = workbook.create_sheet(data_sheet_name(sheet.sheet_name))
    _Plain(worksheet, sheet, cells, figures).write()
    if sheet.template:
        _stamp(workbook, sheet.template)
    return _saved(workbook)


class _Plain:
    """The sheet of a plain workbook."""

    def __init__(
        self,
        worksheet: Any,  # noqa: ANN401 - as above
        sheet: Sheet,
        cells: Mapping[Cell, str],
        figures: Collection[Cell],
    ) -> None:
        self._worksheet = worksheet
        self._looks = Looks(worksheet)
        self._sheet = sheet
        self._cells = cells
        self._figures = figures
        self._next = 1  # the row that is appended next
        self._errors = self._cells_with(FindingCode.CELL_ERROR)
        self._without_value = self._cells_with(FindingCode.FORMULA_WITHOUT_VALUE)

    def _cells_with(self, code: FindingCode) -> dict[Cell, str]:
        found = (oddity for oddity in self._sheet.oddities if oddity.code is code)
        return {Cell(oddity.rows[0], oddity.columns[0]): oddity.what for oddity in found}

    def write(self) -> None:
        """Everything, top to bottom; blank rows keep their places."""
        self._hide()
        before = [None] * (self._sheet.first_column - 1)
        for number, line in self._lines():
            while self._next < number:
                self._worksheet.append([])
                self._next += 1
            self._worksheet.append(before + list(line))
            self._next += 1

    def _lines(self) -> Iterator[tuple[int, Sequence[SheetCell]]]:
        """Every row that holds something, by its number."""
        sheet = self._sheet
        rows = dict(zip(sheet.row_numbers, range(len(sheet.row_numbers)), strict=True))
        texts = sheet.frame.to_numpy().tolist()
        others = {**sheet.above, **sheet.aside, sheet.header_row: sheet.headers}
        for number in sorted({*rows, *others}):
            if number in rows:
                row = rows[number]
                yield number, [self._cell(row, column, text) for column, text in enumerate(texts[row])]
            else:
                look = HEADER if number == sheet.header_row else None
                yield number, [self._text(text, look) for text in others[number]]

    def _cell(self, row: int, column: int, text: str) -> SheetCell:
        cell = self._sheet.cell(row, column)
        value = self._sheet.values.get((row, column))
        if cell in self._figures:
            figure = self._looks.cell(Look())
            figure.value = int(self._cells[cell])
            return figure
        if cell in self._cells:
            return self._text(self._cells[cell])
        if cell in self._without_value:
            return self._raw(_NO_VALUE, "f")
        if value is not None and _comes_back(value, text):
            written = self._looks.cell(Look(number_format=value.number_format))
            written.value = value.value
            return written
        if cell in self._errors:
            return self._raw(text if text in ERROR_CODES else _SOME_ERROR, "e")
        return self._text(text)

    def _text(self, text: str, look: Look | None = None) -> SheetCell:
        return self._looks.text(as_written(text), look or Look(wrap="\n" in text))

    def _raw(self, value: str, kind: str) -> SheetCell:
        cell = self._looks.cell(Look())
        cell.value = value
        cell.data_type = kind
        return cell

    def _hide(self) -> None:
        """Hidden rows and columns, and merged areas, are told again when the sheet is read."""
        for oddity in self._sheet.oddities:
            if oddity.code is FindingCode.HIDDEN_ROW and oddity.columns:
                for column in oddity.columns:
                    self._worksheet.column_dimensions[get_column_letter(column)].hidden = True
            elif oddity.code is FindingCode.HIDDEN_ROW:
                for number in oddity.rows:
                    self._worksheet.row_dimensions[number].hidden = True
            elif oddity.code is FindingCode.MERGED_CELLS and not hides(oddity.what, self._cells):
                self._worksheet.merged_cells.add(oddity.what)


def _comes_back(value: Value, text: str) -> bool:
    """Whether a value, written as it is, is read as this text again."""
    kind = value.number_format
    if not fits(value) or is_timedelta_format(kind):
        return False
    if isinstance(value.value, bool):
        return True
    if isinstance(value.value, int | float):
        serial = value.value
    elif is_date_format(kind):
        serial = to_excel(value.value)  # type: ignore[no-untyped-call] # the stubs leave it out
    else:
        return False
    return as_text(number_in(Cell(1, 1), serial, kind, WINDOWS_EPOCH).value, kind) == text


def _stamp(workbook: Workbook, template: Template) -> None:
    """Say again which template the sheet was made from."""
    lists: Any = workbook.create_sheet(template_stamp.SHEET)
    lists.sheet_state = "hidden"
    looks = Looks(lists)
    lists.append([looks.text(text) for text in template_stamp.stamp(template.catalog_date)])
    for _ in range(2, template_stamp.FIRST_ROW):
        lists.append([])
    for title in sorted(template.titles):
        lists.append([looks.text(as_written(title))])


def _saved(workbook: Workbook) -> bytes:
    buffer = io.BytesIO()
    workbook.save(buffer)
    return buffer.getvalue()
