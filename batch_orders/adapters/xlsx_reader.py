"""Reading Excel workbooks: openpyxl reads the cells, after a look at the XML for what it would pass over in silence.

Sizes are capped before anything is inflated. Whatever is hidden or broken in the data comes with the table.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import io
import re
import warnings
import zipfile
from bisect import bisect_left, bisect_right
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from openpyxl import load_workbook
from openpyxl.utils import get_column_letter

from batch_orders.adapters import template_stamp
from batch_orders.adapters.sheet_parts import (
    HEADER_WITHIN,
    Table,
    header_row,
    is_blank,
    width,
)
from batch_orders.adapters.xlsx_look import Look, TooManyColumnsError, TooManyRowsError, look
from batch_orders.adapters.xlsx_screen import refuse_bombs, screened
from batch_orders.errors import SheetError
from batch_orders.messages import sheets as messages
from batch_orders.models import Cell, Column, FindingCode, Oddity, Value
from batch_orders.stages.columns import known_column

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence
    from pathlib import Path

    from batch_orders.models import Limits, Template

_WORKBOOK = "xl/workbook.xml"
# Zeros that only a number's format shows: 00000, 00000-0000 (also as Excel writes it, 00000\-0000), [$-409]00000.
_ZEROS = re.compile(r"(?:\[\$-[^\]]*\])?(0{2,}(?:\\?-0+)*)")
# How a character that XML cannot hold is written in a cell (ECMA-376, ST_Xstring), _x000D_ say, and the underscore of a
# text that only looks so, _x005F_x000D_; openpyxl leaves both as they stand. Half a surrogate pair is no character.
_ESCAPED = re.compile(r"_x((?![dD][89a-fA-F])[0-9a-fA-F]{4})_")
# Rows among which a sheet's first one below the header is looked for.
_PEEK_WITHIN = 1_000
# A sheet with fewer known headers than this has them by chance ("Item" in a list of notes) where another has more.
_ENOUGH = 3


class _Peek(NamedTuple):
    """The first rows of a sheet, judged: how many headers are known, and whether it is a sheet of orders."""

    sheet: Any  # openpyxl's read-only worksheet, which its stubs do not tell from others
    known: int
    has_orders: bool
    is_hidden: bool


def is_workbook(content: bytes) -> bool:
    """Whether a zip archive is an Excel workbook."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return _WORKBOOK in archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return False


def read_table(path: Path, content: bytes, sheet_name: str | None, limits: Limits) -> Table:
    """The cells of the sheet that is asked for, else of the one with known headers. SheetError where it cannot be read.

    A table without any known header is given back as it is, for the caller to say so.
    """
    with _damage_told(path):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            refuse_bombs(path, archive, limits)
            _refuse_other_archives(path, archive)
            safe = screened(archive)
        with _opened(safe) as sheets, zipfile.ZipFile(safe) as archive:
            if not sheets:
                raise SheetError(messages.no_sheets(path), hint=messages.save_as())
            sheet = _chosen(path, sheets, limits) if sheet_name is None else _asked_for(path, sheets, sheet_name)
            # openpyxl tells the name of a sheet's part nowhere else.
            with archive.open(sheet._worksheet_path.lstrip("/")) as part:  # noqa: SLF001
                seen = _looked_at(path, part, limits)
            table, errors = _table(sheet, {cell.row for cell in seen.without_value})
            template = _template(sheets)
    return dataclasses.replace(table, oddities=_oddities(table, seen, errors), template=template)


def _looked_at(path: Path, part: IO[bytes], limits: Limits) -> Look:
    try:
        return look(part, limits, extra_rows=HEADER_WITHIN)
    except TooManyRowsError:
        what = messages.more_than(f"{limits.rows:,} rows")
        raise SheetError(messages.too_large(path, what), hint=messages.split_it("max_rows")) from None
    except TooManyColumnsError as error:
        what = messages.more_than(f"{limits.columns:,} columns ({error.cell})")
        raise SheetError(messages.too_large(path, what), hint=messages.split_it("max_columns")) from None


@contextlib.contextmanager
def _damage_told(path: Path) -> Iterator[None]:
    """SheetError instead of whatever zipfile, the XML parser or openpyxl raise over a broken workbook."""
    try:
        yield
    except (SheetError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - openpyxl has no exception of its own: a broken file raises anything
        raise SheetError(messages.damaged(path, type(error).__name__), hint=messages.save_as()) from None


def _refuse_other_archives(path: Path, archive: zipfile.ZipFile) -> None:
    names = archive.namelist()
    if _WORKBOOK not in names:
        raise SheetError(messages.looks_like(path, _kind(names)), hint=messages.save_as())


def _kind(names: Sequence[str]) -> str:
    if "content.xml" in names:
        return "an OpenDocument file (.ods)"
    if "xl/workbook.bin" in names:
        return "a binary workbook (.xlsb)"
    if "word/document.xml" in names:
        return "a Word document"
    if "ppt/presentation.xml" in names:
        return "a presentation"
    if "Index/Document.iwa" in names:
        return "an Apple Numbers file"
    return "a ZIP archive"


@contextlib.contextmanager
def _opened(safe: io.BytesIO) -> Iterator[Sequence[Any]]:
    """The workbook's sheets of cells (not of charts), without openpyxl's warnings of what it does not keep."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"openpyxl\.")
        workbook = load_workbook(safe, read_only=True, data_only=True, keep_links=False)
        try:
            yield [sheet for sheet in workbook.worksheets if hasattr(sheet, "reset_dimensions")]
        finally:
            workbook.close()


def _asked_for(path: Path, sheets: Sequence[Any], name: str) -> Any:  # noqa: ANN401 - openpyxl's read-only sheet
    found = [sheet for sheet in sheets if sheet.title == name]
    found += [sheet for sheet in sheets if sheet.title.casefold() == name.casefold()]
    if not found:
        titles = [sheet.title for sheet in sheets]
        raise SheetError(messages.no_such_sheet(path, name, titles), hint=messages.how_to_choose_sheet())
    if found[0].sheet_state != "visible":
        raise SheetError(messages.hidden_sheet(path, found[0].title), hint=messages.how_to_unhide())
    return found[0]


def _chosen(path: Path, sheets: Sequence[Any], limits: Limits) -> Any:  # noqa: ANN401 - openpyxl's read-only sheet
    """The sheet of orders. SheetError where there are several, or where one is hidden.

    A sheet of orders has the columns that every row needs to say who gets what, and rows below them: a list of
    employees or products, or an empty template, is no rival. Where there is none, the most known headers decide.
    """
    peeks = [_peek(sheet, limits) for sheet in sheets]
    orders = [peek for peek in peeks if peek.has_orders]
    visible = [peek for peek in peeks if not peek.is_hidden]
    hidden = [peek for peek in orders if peek.is_hidden]
    if not any(peek.known for peek in visible):
        hidden = hidden or [peek for peek in peeks if peek.known]
    if hidden:
        raise SheetError(messages.hidden_sheet(path, hidden[0].sheet.title), hint=messages.how_to_unhide())
    if len(orders) > 1:
        names = [peek.sheet.title for peek in orders]
        raise SheetError(messages.choose_sheet(path, names), hint=messages.how_to_choose_sheet())
    # max() takes the first of equals.
    return (orders or [max(visible or peeks, key=lambda peek: peek.known)])[0].sheet


def _peek(sheet: Any, limits: Limits) -> _Peek:  # noqa: ANN401 - openpyxl's read-only sheet
    sheet.reset_dimensions()  # a wrong <dimension> makes openpyxl drop rows silently
    rows: list[list[str]] = []
    has_rows = False
    header = known = 0
    with contextlib.closing(sheet.iter_rows(max_col=limits.columns)) as every_row:
        for number, cells in enumerate(every_row, start=1):
            texts = ["" if cell.value is None else str(cell.value) for cell in cells]
            if number <= HEADER_WITHIN:
                rows.append(texts)
                header, known = header_row(Table(rows=rows, row_numbers=range(1, number + 1)))
                has_rows = any(not is_blank(row) for row in rows[header + 1 :])
            elif has_rows or not known:
                break
            elif number > _PEEK_WITHIN:
                has_rows = True  # nobody knows, so it is not passed over
            else:
                has_rows = not is_blank(texts)
    columns = {known_column(text) for text in rows[header]} if known else set()
    return _Peek(
        sheet=sheet,
        known=known,
        has_orders=has_rows and known >= _ENOUGH and {Column.EMAIL, Column.PRODUCT_TITLE} <= columns,
        is_hidden=sheet.sheet_state != "visible",
    )


def _table(sheet: Any, never_blank: Container[int]) -> tuple[Table, list[tuple[Cell, str]]]:  # noqa: ANN401 - openpyxl's
    """The cells of a sheet, and the errors (#N/A …) among them. Empty rows are left out, but for those named."""
    rows: list[list[str]] = []
    numbers: list[int] = []
    originals: dict[tuple[int, int], Value] = {}
    errors: list[tuple[Cell, str]] = []
    for number, cells in enumerate(sheet.iter_rows(), start=1):
        texts: list[str] = []
        for column, cell in enumerate(cells):
            value = cell.value
            if value is None:
                texts.append("")
            elif isinstance(value, str):
                texts.append(_unescaped(value))
                if cell.data_type == "e":
                    errors.append((Cell(number, column + 1), value))
            else:
                number_format = cell.number_format
                texts.append(_text(value, number_format))
                originals[len(rows), column] = Value(_kept(value), number_format)
        if any(texts) or number in never_blank:
            rows.append(texts)
            numbers.append(number)
    return Table(name=sheet.title, rows=rows, row_numbers=numbers, originals=originals), errors


def _template(sheets: Sequence[Any]) -> Template | None:
    """The stamp of our own template, on its hidden sheet."""
    for sheet in sheets:
        if sheet.title == template_stamp.SHEET and sheet.sheet_state != "visible":
            sheet.reset_dimensions()
            # A catalog has hundreds of titles, and a sheet that is made to harm a million rows.
            return template_stamp.read_stamp(sheet.iter_rows(max_row=_PEEK_WITHIN * 10, max_col=3, values_only=True))
    return None


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text) if "_x" in text else text


def _text(value: object, number_format: str) -> str:
    """A cell that is not text, as text: what it holds, not how it is shown, but for zeros that its format adds."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, dt.datetime):
        return value.date().isoformat() if value.time() == dt.time() else value.isoformat(sep=" ")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int):
        zeros = _ZEROS.fullmatch(number_format) if value >= 0 else None
        return _with_zeros(value, zeros[1].replace("\\", "")) if zeros else str(value)
    return value.isoformat() if isinstance(value, dt.date | dt.time) else str(value)


def _with_zeros(value: int, pattern: str) -> str:
    """2139 in the format 00000 is 02139; 21390001 in 00000-0000 is 02139-0001."""
    digits = str(value).zfill(pattern.count("0"))
    parts: list[str] = []
    for part in reversed(pattern.split("-")[1:]):
        parts.insert(0, digits[-len(part) :])
        digits = digits[: -len(part)]
    return "-".join([digits, *parts])


def _kept(value: Any) -> float | bool | dt.datetime:  # noqa: ANN401 - whatever openpyxl makes of a cell
    """The value as it can be written back: a time is the part of a day that Excel keeps for it.

    A strict workbook's dates have no time of day; everywhere else they have one.
    """
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        value = dt.datetime.combine(value, dt.time())
    if isinstance(value, dt.time):
        value = dt.timedelta(
            hours=value.hour, minutes=value.minute, seconds=value.second, microseconds=value.microsecond
        )
    kept: float | bool | dt.datetime = value / dt.timedelta(days=1) if isinstance(value, dt.timedelta) else value
    return kept


def _oddities(table: Table, seen: Look, errors: Sequence[tuple[Cell, str]]) -> tuple[Oddity, ...]:
    """What is hidden or broken below the header; a title block above may be as it likes."""
    header, known = header_row(table)
    if not known:
        return ()
    rows = table.row_numbers[header + 1 :]
    body = dict(zip(rows, table.rows[header + 1 :], strict=True))
    return (
        *(
            Oddity(code=FindingCode.CELL_ERROR, rows=(cell.row,), columns=(cell.column,), what=text)
            for cell, text in errors
            if cell.row in body
        ),
        *(
            Oddity(code=FindingCode.FORMULA_WITHOUT_VALUE, rows=(cell.row,), columns=(cell.column,))
            for cell in seen.without_value
            if cell.row in body
        ),
        *_merged(seen, body),
        *(Oddity(code=FindingCode.HIDDEN_ROW, rows=(row,)) for row in rows if row in seen.hidden_rows),
        *_hidden_columns(seen, body),
    )


def _merged(seen: Look, body: Mapping[int, Sequence[str]]) -> Iterator[Oddity]:
    numbers = sorted(body)
    for area in seen.merged:
        rows = tuple(numbers[bisect_left(numbers, area.top) : bisect_right(numbers, area.bottom)])
        if rows:
            columns = tuple(range(area.left, area.right + 1))
            yield Oddity(code=FindingCode.MERGED_CELLS, rows=rows, columns=columns, what=area.name)


def _hidden_columns(seen: Look, body: Mapping[int, Sequence[str]]) -> Iterator[Oddity]:
    """Hidden columns that hold anything; people hide everything to the right of their table."""
    columns = max(map(width, body.values()), default=0)
    hidden = {column for first, last in seen.hidden_columns for column in range(first, min(last, columns) + 1)}
    for column in sorted(hidden):
        rows = tuple(row for row, texts in body.items() if column <= len(texts) and texts[column - 1].strip())
        if rows:
            name = f"column {get_column_letter(column)}"
            yield Oddity(code=FindingCode.HIDDEN_ROW, rows=rows, columns=(column,), what=name)
