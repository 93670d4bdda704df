"""Results as a workbook: the data sheet first, its marked cells saying what is wrong, then a summary.

Never a formula: every text is written as text, whatever it starts with. Text that would turn into a formula or a
number when a person edits its cell is kept from that too: by the text format on postal codes and phones, else by
`quotePrefix`. What is hidden stays hidden, and what is broken stays an error: nobody has mended it yet. What XML or
Excel cannot hold is changed visibly, never silently: characters that XML forbids become U+FFFD, texts over Excel's
32,767 characters end in "… (shortened)"; line ends become LF.

While a workbook is being made, openpyxl keeps its sheets in files of its own (0600) in the system's temporary folder.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Literal

from openpyxl import Workbook
from openpyxl.comments import Comment
from openpyxl.utils import get_column_letter, quote_sheetname
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet.properties import PageSetupProperties

from batch_orders.adapters import results_layout
from batch_orders.adapters.results_style import (
    COMMENT_WIDTH,
    FINDING_FILLS,
    HEADER,
    LABEL,
    OUR_HEADER,
    STATUS_FILLS,
    SUMMARY_NAME,
    SUMMARY_WIDTHS,
    TEXT_FORMAT,
    Look,
    Looks,
    comment_height,
    data_sheet_name,
    fits,
    longest_line,
    row_height,
    summary_sheet_name,
    xlsx_text,
)
from batch_orders.models import RESULT_COLUMNS, Column, FindingCode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from openpyxl.cell import Cell as SheetCell
    from openpyxl.worksheet.worksheet import Worksheet

    from batch_orders.models import Finding, Mapped, Report, ResultRow

_AUTHOR = "batch-orders"
_TEXT_COLUMNS = (Column.SHIPPING_ZIP, Column.PHONE_NUMBER)
_NARROWEST, _WIDEST, _WIDEST_MESSAGE, _FILTER_BUTTON = 8, 40, 60, 4


def render_xlsx(report: Report, more: Sequence[tuple[str, str]] = ()) -> bytes:
    """The whole results file. Every row, and the header, keeps the number that it had in the input.

    `more` are lines for the summary beside the report's own.
    """
    workbook = Workbook(write_only=True)
    workbook.properties.creator = _AUTHOR
    data = workbook.create_sheet(data_sheet_name(report.mapped.sheet.sheet_name))
    summary = workbook.create_sheet(summary_sheet_name(data.title))
    _DataSheet(data, report).write()
    _write_summary(summary, (*report.summary, *more))
    place = f"{quote_sheetname(summary.title)}!$A$1"
    workbook.defined_names.add(DefinedName(SUMMARY_NAME, attr_text=place, hidden=True))
    buffer = io.BytesIO()
    workbook.save(buffer)
    return buffer.getvalue()


class _DataSheet:
    """The input's rows with their results, styled and marked. Positions count from 0 and are the output's."""

    def __init__(self, worksheet: Worksheet, report: Report) -> None:
        self._worksheet = worksheet
        self._looks = Looks(worksheet)
        self._mapped = report.mapped
        self._values = report.mapped.sheet.values
        self._results = report.rows
        self._is_partial = report.partial
        self._headers = results_layout.headers(report.mapped)
        self._rows = list(results_layout.rows(report))
        self._kept = results_layout.kept_positions(report.mapped)
        self._message = len(self._kept) + RESULT_COLUMNS.index("order_message")
        self._marks = _marks(report)
        self._text_columns = _text_columns(report.mapped)
        hidden = [oddity for oddity in report.mapped.sheet.oddities if oddity.code is FindingCode.HIDDEN_ROW]
        self._hidden_rows = {row for oddity in hidden if not oddity.columns for row in oddity.rows}
        columns = results_layout.output_columns(report.mapped)
        self._hidden_columns = {columns.get(column) for oddity in hidden for column in oddity.columns}

    def write(self) -> None:
        """Everything, top to bottom: openpyxl wants what stands above the rows before the first of them."""
        self._lay_out()
        for line in results_layout.lines_above(self._mapped):
            self._worksheet.append([self._looks.text(text) for text in line])
        theirs = len(self._kept)
        looks = [HEADER] * theirs + [OUR_HEADER] * len(RESULT_COLUMNS)
        self._worksheet.append([self._looks.text(*header) for header in zip(self._headers, looks, strict=True)])
        between = results_layout.lines_before(self._mapped)
        for row, (texts, result, lines) in enumerate(zip(self._rows, self._results, between, strict=True)):
            own_number = self._mapped.sheet.row_numbers[row]
            first = own_number - len(lines)
            for number, line in enumerate(lines, start=first):
                if self._is_partial:
                    self._worksheet.row_dimensions[number].hidden = True  # what is left out is no long way to scroll
                self._append_line(line)
            cells = [self._their_cell(row, column, texts[column]) for column in range(theirs)]
            self._set_height(row, texts)
            if own_number in self._hidden_rows:
                self._worksheet.row_dimensions[own_number].hidden = True
            self._worksheet.append(cells + self._our_cells(texts[theirs:], result))
        for line in results_layout.lines_below(self._mapped):
            self._append_line(line)

    def _append_line(self, line: Sequence[str]) -> None:
        """A line that is no row: blank, or the template's example."""
        texts = Look(number_format=TEXT_FORMAT)
        look = [texts if column in self._text_columns else None for column in range(len(line))]
        self._worksheet.append([self._looks.text(*cell) for cell in zip(line, look, strict=True)])

    def _lay_out(self) -> None:
        sheet = self._worksheet
        _prepare_page(sheet, "landscape")
        sheet.sheet_view.tabSelected = True
        first = self._mapped.sheet.header_row
        last = (first, *self._mapped.sheet.row_numbers)[-1]
        sheet.freeze_panes = f"A{first + 1}"
        sheet.print_title_rows = f"{first}:{first}"
        sheet.auto_filter.ref = f"A{first}:{get_column_letter(len(self._headers))}{last}"
        for column, header in enumerate(self._headers):
            dimension = sheet.column_dimensions[get_column_letter(column + 1)]
            widest = _WIDEST_MESSAGE if column == self._message else _WIDEST
            content = max((longest_line(row[column]) for row in self._rows), default=0) + 2
            dimension.width = min(max(content, longest_line(header) + _FILTER_BUTTON, _NARROWEST), widest)
            if column in self._hidden_columns:
                dimension.hidden = True
            if column in self._text_columns:
                # a postal code that is typed into a new row below keeps its zeros too
                dimension.number_format = TEXT_FORMAT

    def _set_height(self, row: int, texts: Sequence[str]) -> None:
        """Let the row show its message, and the texts with line breaks."""
        message = row_height(texts[self._message], _WIDEST_MESSAGE)
        others = [row_height(text, _WIDEST) for text in texts if "\n" in text]
        height = max((height for height in [message, *others] if height), default=None)
        if height:
            self._worksheet.row_dimensions[self._mapped.sheet.row_numbers[row]].height = height

    def _their_cell(self, row: int, column: int, text: str) -> SheetCell:
        """A cell of the person's own: as it came, and marked with its findings."""
        findings = self._marks.get((row, column), ())
        look = Look(fill=FINDING_FILLS[findings[0].severity] if findings else "", wrap="\n" in text)
        value = self._values.get((row, self._kept[column]))
        if column in self._text_columns:
            cell = self._looks.text(text, look._replace(number_format=TEXT_FORMAT))
        elif value is not None and fits(value):
            cell = self._looks.cell(look._replace(number_format=value.number_format))
            cell.value = value.value
        else:
            cell = self._looks.text(text, look)
        if findings:
            cell.comment = _comment(findings)
        return cell

    def _our_cells(self, texts: Sequence[str], result: ResultRow) -> list[SheetCell]:
        looks = {
            "order_status": Look(fill=STATUS_FILLS[result.status], indented=True),
            "order_message": Look(wrap=True),
        }
        return [self._looks.text(text, looks.get(name)) for name, text in zip(RESULT_COLUMNS, texts, strict=True)]


def _write_summary(worksheet: Worksheet, lines: Sequence[tuple[str, str]]) -> None:
    _prepare_page(worksheet, "portrait")
    for letter, width in SUMMARY_WIDTHS.items():
        worksheet.column_dimensions[letter].width = width
    looks = Looks(worksheet)
    for row, (label, text) in enumerate(lines, start=1):
        height = row_height(text, SUMMARY_WIDTHS["B"])
        if height:
            worksheet.row_dimensions[row].height = height
        worksheet.append([looks.text(label, LABEL), looks.text(text, Look(wrap=True))])


def _prepare_page(worksheet: Worksheet, orientation: Literal["portrait", "landscape"]) -> None:
    """Print as wide as the paper and as many pages long as it takes."""
    worksheet.page_setup.orientation = orientation
    worksheet.page_setup.fitToHeight = 0
    worksheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)


def _text_columns(mapped: Mapped) -> frozenset[int]:
    """Where postal codes and phones stand in the output."""
    places = {position: column for column, position in enumerate(results_layout.kept_positions(mapped))}
    found = (position for column in _TEXT_COLUMNS for position in mapped.sources.get(column, ()))
    return frozenset(places[position] for position in found if position in places)


def _marks(report: Report) -> Mapping[tuple[int, int], Sequence[Finding]]:
    """The findings of each cell by (row, column) in the output, the worst first."""
    sheet, columns = report.mapped.sheet, results_layout.output_columns(report.mapped)
    return {
        (sheet.position(cell.row), columns[cell.column]): findings
        for cell, findings in results_layout.findings_by_cell(report).items()
        if cell.column in columns
    }


def _comment(findings: Sequence[Finding]) -> Comment:
    text = xlsx_text(results_layout.comment_text(findings))
    return Comment(text, _AUTHOR, width=COMMENT_WIDTH, height=comment_height(text))
