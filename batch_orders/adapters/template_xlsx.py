"""The template that HR fills in: a workbook whose drop-downs are the live catalog's, or the same header as CSV.

The lists stand on a hidden sheet and are reached through defined names, so that titles may hold commas and quotes, and
be many. The hidden sheet carries a stamp as well (see template_stamp.py): what was in the catalog, and when.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
from typing import TYPE_CHECKING, NamedTuple

import pycountry
from openpyxl import Workbook
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import get_column_letter, quote_sheetname
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.properties import PageSetupProperties

from batch_orders.adapters import template_stamp
from batch_orders.adapters.results_csv import guarded
from batch_orders.adapters.results_style import TEXT_FORMAT, row_height, xlsx_text
from batch_orders.messages import template as messages
from batch_orders.messages.outcomes import COLUMN_NAMES
from batch_orders.models import Column

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from openpyxl.cell import Cell as SheetCell
    from openpyxl.cell import MergedCell
    from openpyxl.worksheet.worksheet import Worksheet

    from batch_orders.models import Catalog

_LAST_ROW = 1_048_576  # of any Excel sheet
# A drop-down shows no more entries than this.
_LONGEST_LIST = 32_767
_EXAMPLE_STARTS_IN = dt.timedelta(days=21)

_DATE_FORMAT = "yyyy-mm-dd"
# Columns where Excel would take what is typed for something else: 02139 for a number, 12/3 for a date, +1 for a sum.
_FORMATS = {
    Column.PHONE_NUMBER: TEXT_FORMAT,
    Column.SHIPPING_ADDRESS: TEXT_FORMAT,
    Column.SHIPPING_ZIP: TEXT_FORMAT,
    Column.PRODUCT_TITLE: TEXT_FORMAT,
    Column.ORDER_REFERENCE: TEXT_FORMAT,
    Column.START_DATE: _DATE_FORMAT,
}
_WIDTHS = {
    Column.EMAIL: 34, Column.FIRSTNAME: 16, Column.LASTNAME: 20, Column.PHONE_NUMBER: 19, Column.SHIPPING_ADDRESS: 34,
    Column.SHIPPING_CITY: 18, Column.SHIPPING_STATE: 17, Column.SHIPPING_ZIP: 18, Column.SHIPPING_COUNTRY: 11,
    Column.PRODUCT_TITLE: 50, Column.QUANTITY: 11, Column.EXPEDITE_SHIPPING: 18, Column.IS_SIGNATURE_REQUIRED: 20,
    Column.ORDER_REFERENCE: 18, Column.START_DATE: 13,
}  # fmt: skip
_INSTRUCTIONS_WIDTHS = (22, 24, 84)
_COUNTRIES_WIDTHS = (9, 50)
_WIDTH = sum(_INSTRUCTIONS_WIDTHS)
# Letters of plain prose to a column's width, which counts in digits.
_NARROW = 1.15

_NEEDED, _OPTIONAL = PatternFill("solid", start_color="CFE0EF"), PatternFill("solid", start_color="EDEDED")
_GREY = Font(name="Calibri", size=11, italic=True, color="7F7F7F")
_BOLD, _TITLE, _PLAIN = (
    Font(name="Calibri", size=size, bold=bold) for size, bold in ((11, True), (16, True), (11, False))
)
_LINE = Border(bottom=Side(style="thin", color="7F7F7F"))
_WRAPPED = Alignment(wrap_text=True, vertical="top")


class _List(NamedTuple):
    """What a drop-down offers: a defined name, and what it stands for."""

    name: str
    entries: Sequence[str]


def render_template(catalog: Catalog, today: dt.date) -> bytes:
    """The whole workbook. `today` is when the catalog was fetched."""
    lists = {
        Column.PRODUCT_TITLE: _List("batch_orders_titles", titles(catalog)),
        Column.EXPEDITE_SHIPPING: _List("batch_orders_shipping", catalog.shipping_options),
        Column.SHIPPING_COUNTRY: _List("batch_orders_countries", [code for code, _ in _countries()]),
    }
    workbook = Workbook()
    workbook.properties.creator = "batch-orders"
    (data,) = workbook.worksheets
    data.title = messages.DATA_SHEET
    _write_data(data, _example(catalog, today), lists)
    _write_instructions(workbook.create_sheet(messages.INSTRUCTIONS_SHEET), today, len(catalog.stock))
    _write_countries(workbook.create_sheet(messages.COUNTRIES_SHEET))
    _write_lists(workbook, list(lists.values()), today)
    buffer = io.BytesIO()
    workbook.save(buffer)
    return buffer.getvalue()


def render_template_csv(catalog: Catalog, today: dt.date) -> bytes:
    """Header and example row as CSV, as a spreadsheet opens it: UTF-8 with BOM."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([COLUMN_NAMES[column] for column in Column])
    example = _example(catalog, today)
    writer.writerow([guarded(str(example.get(column, ""))) for column in Column])
    return text.getvalue().encode("utf-8-sig")


def titles(catalog: Catalog) -> list[str]:
    """Every title, as a person looks for one."""
    return sorted(catalog.stock, key=lambda title: (title.casefold(), title))


def _countries() -> list[tuple[str, str]]:
    """Codes and names, by code."""
    found = [(country.alpha_2, getattr(country, "common_name", country.name)) for country in pycountry.countries]
    return sorted(found)


def _example(catalog: Catalog, today: dt.date) -> dict[Column, str | int | dt.date]:
    example: dict[Column, str | int | dt.date] = {**messages.EXAMPLE}
    example[Column.PRODUCT_TITLE] = titles(catalog)[0]
    example[Column.QUANTITY] = int(messages.EXAMPLE[Column.QUANTITY])
    example[Column.EXPEDITE_SHIPPING] = next(iter(catalog.shipping_options), "")
    example[Column.START_DATE] = today + _EXAMPLE_STARTS_IN
    return example


# The sheet to fill in -------------------------------------------------------------------------------------------


def _write_data(sheet: Worksheet, example: dict[Column, str | int | dt.date], lists: dict[Column, _List]) -> None:
    for position, column in enumerate(Column, start=1):
        dimension = sheet.column_dimensions[get_column_letter(position)]
        dimension.width = _WIDTHS[column]
        # The column itself has the format: rows that nobody has typed yet have no cells.
        dimension.number_format = _FORMATS.get(column, "General")
        header = _put(sheet, 1, position, COLUMN_NAMES[column], _BOLD)
        header.fill = _NEEDED if messages.HELP[column].needed != "no" else _OPTIONAL
        header.border = _LINE
        cell = _put(sheet, 2, position, example.get(column, ""), _GREY)
        cell.number_format = dimension.number_format
        if column is Column.QUANTITY:
            dimension.alignment = cell.alignment = header.alignment = Alignment(horizontal="center")
        sheet.add_data_validation(_validation(column, get_column_letter(position), lists.get(column)))
    sheet.row_dimensions[1].height = 24
    sheet.freeze_panes = "B2"
    sheet.print_title_rows = "1:1"
    _prepare_page(sheet, "landscape")


def _validation(column: Column, letter: str, offered: _List | None) -> DataValidation:
    """What a column's cells may hold, and the message that shows when one is selected."""
    found = _rule(column, offered)
    found.add(f"{letter}2:{letter}{_LAST_ROW}")
    found.promptTitle, found.prompt = COLUMN_NAMES[column], messages.needs(column)
    found.showInputMessage = True
    found.errorTitle = COLUMN_NAMES[column]
    return found


def _rule(column: Column, offered: _List | None) -> DataValidation:
    """Excel's own check. It asks, where a newer catalog could make a value right, and refuses what never can be."""
    match column:
        case Column.PRODUCT_TITLE | Column.EXPEDITE_SHIPPING if offered and offered.entries:
            error = messages.not_a_title() if column is Column.PRODUCT_TITLE else messages.not_a_shipping_method()
            complete = len(offered.entries) <= _LONGEST_LIST  # else what is right need not be in the list
            return _checked(type="list", formula1=offered.name, errorStyle="warning", error=error, complain=complete)
        case Column.SHIPPING_COUNTRY if offered:
            return _checked(type="list", formula1=offered.name, error=messages.not_a_country())
        case Column.QUANTITY:
            return _checked(type="whole", operator="greaterThanOrEqual", formula1="1", error=messages.not_a_quantity())
        case Column.IS_SIGNATURE_REQUIRED:
            return _checked(type="list", formula1='"yes,no"', error=messages.not_yes_or_no())
        case Column.START_DATE:
            first = "36526"  # 2000-01-01
            error = messages.not_a_date()
            return _checked(
                type="date", operator="greaterThanOrEqual", formula1=first, errorStyle="warning", error=error
            )
        case _:
            return DataValidation(allow_blank=True)


def _checked(
    *,
    type: Literal["list", "whole", "date"],  # noqa: A002 - Excel's word
    formula1: str,
    error: str,
    operator: Literal["greaterThanOrEqual"] | None = None,
    errorStyle: Literal["stop", "warning"] = "stop",  # noqa: N803
    complain: bool = True,
) -> DataValidation:
    return DataValidation(
        type=type,
        operator=operator,
        formula1=formula1,
        errorStyle=errorStyle,
        error=error,
        showErrorMessage=complain,
        allow_blank=True,
    )


# The other sheets -----------------------------------------------------------------------------------------------


def _write_instructions(sheet: Worksheet, today: dt.date, known_titles: int) -> None:
    """Calm and short: what to do, what each column means, what happens then."""
    _set_widths(sheet, _INSTRUCTIONS_WIDTHS)
    _put(sheet, 1, 1, messages.instructions_title(), _TITLE)
    row = _write_steps(sheet, 3, "How to fill it in", messages.how_to_fill_in_sheet())
    _write_line(sheet, row, messages.COLUMNS_HEADER, _BOLD, _NEEDED)
    for column in Column:
        row += 1
        needed, text = messages.HELP[column]
        _write_line(sheet, row, (COLUMN_NAMES[column], needed, text), _PLAIN)
        sheet.row_dimensions[row].height = row_height(text, _INSTRUCTIONS_WIDTHS[-1] * _NARROW)
    row = _write_steps(sheet, row + 2, "What happens next", messages.what_happens_next())
    _put(sheet, row, 1, messages.made_from(today, known_titles), _GREY)
    sheet.sheet_view.showGridLines = False
    _prepare_page(sheet, "landscape")


def _write_steps(sheet: Worksheet, row: int, title: str, steps: Sequence[str]) -> int:
    """A heading and numbered lines; the row where the next part begins."""
    _put(sheet, row, 1, title, _BOLD)
    for number, step in enumerate(steps, start=1):
        row += 1
        text = f"{number}.  {step}"
        cell = _put(sheet, row, 1, text, _PLAIN)
        cell.alignment = _WRAPPED
        sheet.merge_cells(start_row=row, end_row=row, start_column=1, end_column=len(_INSTRUCTIONS_WIDTHS))
        sheet.row_dimensions[row].height = row_height(text, _WIDTH * _NARROW)
    return row + 2


def _write_countries(sheet: Worksheet) -> None:
    _set_widths(sheet, _COUNTRIES_WIDTHS)
    _write_line(sheet, 1, messages.COUNTRIES_HEADER, _BOLD, _NEEDED)
    for row, country in enumerate(_countries(), start=2):
        _write_line(sheet, row, country, _PLAIN)
    sheet.freeze_panes = "A2"
    sheet.print_title_rows = "1:1"
    _prepare_page(sheet, "portrait")


def _write_lists(workbook: Workbook, lists: Sequence[_List], today: dt.date) -> None:
    """The hidden sheet: the stamp in its first row, a list in each column below, and their defined names."""
    sheet = workbook.create_sheet(template_stamp.SHEET)
    sheet.sheet_state = "hidden"
    for position, text in enumerate(template_stamp.stamp(today), start=1):
        _put(sheet, 1, position, text, _PLAIN)
    for position, (name, entries) in enumerate(lists, start=1):
        for row, entry in enumerate(entries, start=template_stamp.FIRST_ROW):
            _put(sheet, row, position, entry, _PLAIN)
        letter = get_column_letter(position)
        last = template_stamp.FIRST_ROW + min(max(len(entries), 1), _LONGEST_LIST) - 1
        place = f"{quote_sheetname(sheet.title)}!${letter}${template_stamp.FIRST_ROW}:${letter}${last}"
        workbook.defined_names[name] = DefinedName(name, attr_text=place)


def _write_line(sheet: Worksheet, row: int, texts: Sequence[str], font: Font, fill: PatternFill | None = None) -> None:
    for position, text in enumerate(texts, start=1):
        cell = _put(sheet, row, position, text, font)
        cell.alignment = _WRAPPED
        if fill:
            cell.fill, cell.border = fill, _LINE


def _put(sheet: Worksheet, row: int, column: int, value: str | int | dt.date, font: Font) -> SheetCell | MergedCell:
    """A cell; a text is text, whatever it starts with."""
    cell: SheetCell | MergedCell = sheet.cell(row, column)
    cell.font = font
    if isinstance(value, str):
        if value:
            cell.value = xlsx_text(value)
            cell.data_type = "s"
    else:
        cell.value = value
    return cell


def _set_widths(sheet: Worksheet, widths: Sequence[int]) -> None:
    for position, width in enumerate(widths, start=1):
        sheet.column_dimensions[get_column_letter(position)].width = width


def _prepare_page(sheet: Worksheet, orientation: Literal["portrait", "landscape"]) -> None:
    """Print as wide as the paper and as many pages long as it takes."""
    sheet.page_setup.orientation = orientation
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
