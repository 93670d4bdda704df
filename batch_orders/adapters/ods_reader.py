"""Reading OpenDocument spreadsheets (.ods), as LibreOffice writes them: one XML part holds all sheets.

It is read twice: first for the names and first rows of all sheets, then for all of the sheet that is meant. Rows and
cells that repeat are written once with a count.
"""

from __future__ import annotations

import datetime as dt
import re
import zipfile
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from batch_orders.adapters import template_stamp
from batch_orders.adapters.ods_styles import OFFICE, TABLE, TEXT, Styles
from batch_orders.adapters.sheet_parts import HEADER_WITHIN, Table, is_blank
from batch_orders.adapters.workbook_sheets import (
    MOST_SHEETS,
    STAMP_WITHIN,
    Area,
    Found,
    Grid,
    TooManyRowsError,
    TooManySheetsError,
    rows_of,
    table_of,
)
from batch_orders.adapters.xml_events import listen
from batch_orders.models import Cell

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
    from pathlib import Path

    from batch_orders.models import Limits

CONTENT: Final = "content.xml"
_SPREADSHEET = b"application/vnd.oasis.opendocument.spreadsheet"
_STYLES, _MANIFEST = "styles.xml", "META-INF/manifest.xml"

_SHEET, _COLUMN, _ROW = (f"{TABLE}{name}" for name in ("table", "table-column", "table-row"))
_CELL, _COVERED = f"{TABLE}table-cell", f"{TABLE}covered-table-cell"
_PARENT = f"{OFFICE}spreadsheet"
_VISIBILITY, _DEFAULT_STYLE = f"{TABLE}visibility", f"{TABLE}default-cell-style-name"
_FORMULA, _KIND = f"{TABLE}formula", f"{OFFICE}value-type"
_PARAGRAPH, _NOTE = f"{TEXT}p", f"{OFFICE}annotation"
_CALC_KIND = "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0 value-type"
_HIDDEN = frozenset({"collapse", "filter"})
# What LibreOffice shows in a cell with an error that Excel has no word for.
_ERROR = re.compile(r"#(?:N/A|REF!|NAME\?|VALUE!|DIV/0!|NUM!|NULL!)|Err:[0-9]{3}")
_DURATION = re.compile(r"PT([0-9]{1,3})H([0-9]{1,2})M([0-9]{1,2})(?:[.,][0-9]+)?S")
_HOURS_A_DAY = 24
# How such values look in the workbook that the results go to: an .ods says it in another way.
_DATE, _DATE_AND_TIME, _TIME, _PERCENT = "yyyy-mm-dd", "yyyy-mm-dd hh:mm:ss", "hh:mm:ss", "0.00%"
# The cells of a row, and all those that are written once and stand for several: nobody has more.
_MOST_IN_A_ROW, _MOST_REPEATED = 20_000, 1_000_000
_MOST_SPACES = 1_000
# For each row that the limits allow, on average; a part of the usual limit's size has no room for more full cells.
_TAGS_A_ROW: Final = 20
# The rows of a sheet, also blank ones: programs write those once with a count.
_LAST_ROW: Final = 1_048_576


class _Cell(NamedTuple):
    """A cell that holds something, as often side by side from a column on."""

    column: int
    times: int
    attributes: Mapping[str, str]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A row, `count` times from a number on, with the cells that hold something."""

    number: int
    count: int
    is_hidden: bool
    style: str | None
    cells: Sequence[_Cell]


def read_table(path: Path, safe: io.BytesIO, sheet_name: str | None, limits: Limits) -> Table:
    """The cells of the sheet that is asked for, else of the one with orders; `safe` is the screened archive.

    SheetError as `choose`; whatever zipfile and the XML parser raise, or ValueError, where it is broken.
    """
    styles = Styles()
    with zipfile.ZipFile(safe) as archive:
        if _STYLES in archive.namelist():
            with archive.open(_STYLES) as part:
                listen(part, styles)
        contents = _Contents(archive, styles, limits)
        with archive.open(CONTENT) as part:
            listen(part, contents)
        return table_of(path, contents.sheets, sheet_name, limits)


def is_spreadsheet(archive: zipfile.ZipFile) -> bool:
    """Whether it is a spreadsheet, and not a text or a drawing."""
    if CONTENT not in archive.namelist():
        return False
    if "mimetype" not in archive.namelist():
        return True
    with archive.open("mimetype") as part:
        return part.read(100).strip().startswith(_SPREADSHEET)


def is_encrypted(archive: zipfile.ZipFile) -> bool:
    """Whether the document needs a password."""
    return _MANIFEST in archive.namelist() and b"encryption-data" in archive.read(_MANIFEST)


class _Sheet:
    """One sheet: its first rows, and how to read the others."""

    def __init__(self, title: str, position: int, contents: _Contents, *, is_hidden: bool, within: int) -> None:
        self.title = title
        self.is_hidden = is_hidden
        self.columns = _Columns()
        self._position = position
        self._contents = contents
        self._first: list[tuple[int, Sequence[str]]] = []
        self._within = within

    def texts(self) -> Generator[tuple[int, Sequence[str]], None, None]:
        """The first rows, and one more."""
        yield from self._first

    def fill(self, grid: Grid) -> None:
        """Read the whole of the sheet."""
        self._contents.read_again(_Filler(self._contents, self._position, grid))

    def keep(self, row: _Row, styles: Styles, limits: Limits) -> None:
        """Remember a row, if it is one of the first, or the first below them that is not blank."""
        for number in range(row.number, row.number + row.count if row.cells else 0):
            if self._first and self._first[-1][0] > self._within:
                break
            texts = next((texts for _, texts in rows_of(_found(row, number, self.columns, styles, limits), limits)), [])
            if number > self._within and is_blank(texts):
                break  # and so are all others like it
            self._first.append((number, texts))


class _Columns:
    """The columns of a sheet: which are hidden, and the style of cells that have none of their own."""

    def __init__(self) -> None:
        self.hidden: list[tuple[int, int]] = []
        self._last: list[int] = []
        self._styles: list[str | None] = []

    def add(self, attributes: Mapping[str, str]) -> None:
        """A column, or several alike."""
        before = self._last[-1] if self._last else 0
        last = before + _count(attributes, "columns")
        if attributes.get(_VISIBILITY) in _HIDDEN:
            self.hidden.append((before + 1, last))
        self._last.append(last)
        self._styles.append(attributes.get(_DEFAULT_STYLE))
        if len(self._last) > _MOST_IN_A_ROW:
            raise ValueError("too many columns")

    def style(self, column: int) -> str | None:
        place = bisect_left(self._last, column)
        return self._styles[place] if place < len(self._styles) else None


class _Listener:
    """Makes rows of the tags of content.xml. What stands in them, below a cell's own text, is passed over."""

    def __init__(self, limits: Limits) -> None:
        self._tags_left = limits.rows * _TAGS_A_ROW
        self._path: list[str] = []
        self._in_sheet = False
        self._row = self._column = 0
        self._cells: list[_Cell] = []
        self._row_attributes: Mapping[str, str] = {}
        self._cell: Mapping[str, str] | None = None
        self._cell_depth = 0
        self._text: list[str] = []
        self._paragraphs = self._in_row = self._rows = 0

    def begin_sheet(self, attributes: Mapping[str, str]) -> None:
        """A sheet begins."""
        raise NotImplementedError

    def see_column(self, attributes: Mapping[str, str]) -> None:
        """A column of it."""
        raise NotImplementedError

    def see_row(self, row: _Row) -> None:
        """A row of it has ended."""
        raise NotImplementedError

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._tags_left -= 1
        if self._tags_left < 0:
            raise TooManyRowsError
        if self._cell is not None:
            self._start_in_cell(name, attributes)
        elif name == _SHEET and self._path and self._path[-1] == _PARENT:
            self._in_sheet, self._row, self._rows = True, 0, 0
            self.begin_sheet(attributes)
        elif self._in_sheet and name == _COLUMN:
            self.see_column(attributes)
        elif self._in_sheet and name == _ROW:
            self._row_attributes, self._cells, self._column, self._in_row = attributes, [], 0, 0
        elif self._in_sheet and name in {_CELL, _COVERED}:
            self._cell, self._cell_depth, self._text, self._paragraphs = attributes, len(self._path), [], 0
        self._path.append(name)

    def text(self, text: str) -> None:
        if self._is_shown():
            self._text.append(text)

    def end(self, name: str) -> None:
        self._path.pop()
        if self._cell is not None:
            if len(self._path) == self._cell_depth:
                self._end_cell(name, self._cell)
        elif name == _ROW and self._in_sheet:
            self._end_row()
        elif name == _SHEET and self._path[-1:] == [_PARENT]:
            self._in_sheet = False

    def _is_shown(self) -> bool:
        """Whether text is the cell's: in a paragraph of its own, and not in a note or a drawing upon it."""
        own = self._path[self._cell_depth + 1 :] if self._cell is not None else []
        return bool(own) and own[0] == _PARAGRAPH and _NOTE not in own

    def _start_in_cell(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == _PARAGRAPH and len(self._path) == self._cell_depth + 1:
            self._text += ["\n"] if self._paragraphs else []
            self._paragraphs += 1
        elif self._is_shown():
            if name == f"{TEXT}s":
                self._text.append(" " * min(int(attributes.get(f"{TEXT}c", "1")), _MOST_SPACES))
            elif name == f"{TEXT}tab":
                self._text.append("\t")
            elif name == f"{TEXT}line-break":
                self._text.append("\n")

    def _end_cell(self, name: str, attributes: Mapping[str, str]) -> None:
        count = _count(attributes, "columns")
        # What stands under a merged cell is not shown by anybody, and is no value.
        holds = self._paragraphs or _FORMULA in attributes or _KIND in attributes or _span(attributes) != (1, 1)
        if name == _CELL and holds:
            self._cells.append(_Cell(self._column + 1, count, attributes, "".join(self._text)))
        self._column += count
        self._in_row += 1
        self._cell = None
        if self._in_row > _MOST_IN_A_ROW:
            raise ValueError("too many cells in a row")

    def _end_row(self) -> None:
        attributes = self._row_attributes
        count = _count(attributes, "rows")
        hidden, style = attributes.get(_VISIBILITY) in _HIDDEN, attributes.get(_DEFAULT_STYLE)
        self.see_row(_Row(number=self._row + 1, count=count, is_hidden=hidden, style=style, cells=self._cells))
        self._row += count
        self._rows += 1
        if self._rows > _LAST_ROW:
            raise TooManyRowsError


class _Contents(_Listener):
    """Lists the sheets, each with its first rows; before them come the styles."""

    def __init__(self, archive: zipfile.ZipFile, styles: Styles, limits: Limits) -> None:
        super().__init__(limits)
        self.sheets: list[_Sheet] = []
        self.styles, self.limits = styles, limits
        self._archive = archive

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if not self.sheets:
            self.styles.start(name, attributes)
        super().start(name, attributes)

    def text(self, text: str) -> None:
        if not self.sheets:
            self.styles.text(text)
        super().text(text)

    def end(self, name: str) -> None:
        if not self.sheets:
            self.styles.end(name)
        super().end(name)

    def begin_sheet(self, attributes: Mapping[str, str]) -> None:
        is_hidden = attributes.get(f"{TABLE}style-name") in self.styles.hidden_tables
        title = attributes.get(f"{TABLE}name", "")
        # The template's stamp has a title in each row.
        has_stamp = is_hidden and title == template_stamp.SHEET and all(sheet.title != title for sheet in self.sheets)
        within = STAMP_WITHIN if has_stamp else HEADER_WITHIN
        self.sheets.append(_Sheet(title, len(self.sheets), self, is_hidden=is_hidden, within=within))
        if len(self.sheets) > MOST_SHEETS:
            raise TooManySheetsError

    def see_column(self, attributes: Mapping[str, str]) -> None:
        self.sheets[-1].columns.add(attributes)

    def see_row(self, row: _Row) -> None:
        self.sheets[-1].keep(row, self.styles, self.limits)

    def read_again(self, listener: _Listener) -> None:
        """Tell it everything once more."""
        with self._archive.open(CONTENT) as part:
            listen(part, listener)


class _Filler(_Listener):
    """Puts the rows of one sheet into its grid."""

    def __init__(self, contents: _Contents, position: int, grid: Grid) -> None:
        super().__init__(contents.limits)
        self._contents = contents
        self._columns = contents.sheets[position].columns
        self._grid = grid
        self._left = position + 1
        self._repeated = 0
        grid.hidden.columns = self._columns.hidden

    def begin_sheet(self, _: Mapping[str, str]) -> None:
        self._left -= 1

    def see_column(self, _: Mapping[str, str]) -> None:
        pass  # known since the first reading

    def see_row(self, row: _Row) -> None:
        if self._left or not row.cells:
            return
        limits = self._contents.limits
        self._repeated += (row.count - 1) * sum(cell.times for cell in row.cells)
        if row.count > limits.rows + HEADER_WITHIN:
            raise TooManyRowsError
        if self._repeated > _MOST_REPEATED:
            raise ValueError("a row is repeated beyond all measure")
        for number in range(row.number, row.number + row.count):
            for found in _found(row, number, self._columns, self._contents.styles, limits):
                self._grid.add(found)
            for cell in row.cells:
                down, right = _span(cell.attributes)
                if (down, right) != (1, 1):
                    area = Area(number, number + down - 1, cell.column, cell.column + right - 1)
                    self._grid.hidden.merged.append(area)
        if row.is_hidden:
            self._grid.hidden.rows.update(range(row.number, row.number + row.count))


def _found(row: _Row, number: int, columns: _Columns, styles: Styles, limits: Limits) -> Iterator[Found]:
    """The cells of a row, up to the first that is beyond the limits."""
    for cell in row.cells:
        last = min(cell.column + cell.times - 1, limits.columns + 1)
        for column in range(cell.column, max(last, cell.column) + 1):
            style = cell.attributes.get(f"{TABLE}style-name") or row.style or columns.style(column)
            yield _value(Cell(number, column), cell, styles.number_format(style))


def _value(place: Cell, cell: _Cell, number_format: str) -> Found:
    attributes, text = cell.attributes, cell.text
    is_formula, kind = _FORMULA in attributes, attributes.get(_KIND)
    if attributes.get(_CALC_KIND) == "error" or (is_formula and _ERROR.fullmatch(text)):
        return Found(place, text, is_error=True)
    if kind is None:
        return Found(place, text, lacks_value=is_formula and not text)
    return _VALUES.get(kind, _string)(place, attributes, text, number_format)


def _string(place: Cell, attributes: Mapping[str, str], text: str, _: str) -> Found:
    return Found(place, attributes.get(f"{OFFICE}string-value", text))


def _number(place: Cell, attributes: Mapping[str, str], _: str, number_format: str) -> Found:
    return Found(place, float(attributes[f"{OFFICE}value"]), number_format)


def _percentage(place: Cell, attributes: Mapping[str, str], _: str, __: str) -> Found:
    return Found(place, float(attributes[f"{OFFICE}value"]), _PERCENT)


def _boolean(place: Cell, attributes: Mapping[str, str], _: str, __: str) -> Found:
    return Found(place, attributes.get(f"{OFFICE}boolean-value") == "true")


def _date(place: Cell, attributes: Mapping[str, str], text: str, _: str) -> Found:
    try:
        value = dt.datetime.fromisoformat(attributes[f"{OFFICE}date-value"]).replace(tzinfo=None)
    except ValueError:  # one before Christ, say: as it is shown
        return Found(place, text)
    return Found(place, value, _DATE if value.time() == dt.time() else _DATE_AND_TIME)


def _time(place: Cell, attributes: Mapping[str, str], text: str, _: str) -> Found:
    match = _DURATION.fullmatch(attributes.get(f"{OFFICE}time-value", ""))
    if match is None or int(match[1]) >= _HOURS_A_DAY:
        return Found(place, text)
    return Found(place, dt.time(int(match[1]), int(match[2]), int(match[3])), _TIME)


_VALUES: dict[str, Callable[[Cell, Mapping[str, str], str, str], Found]] = {
    "float": _number,
    "currency": _number,
    "percentage": _percentage,
    "boolean": _boolean,
    "date": _date,
    "time": _time,
}


def _count(attributes: Mapping[str, str], what: str) -> int:
    """How often a row or cell stands there. ValueError for less than once."""
    count = int(attributes.get(f"{TABLE}number-{what}-repeated", "1"))
    if count < 1:
        raise ValueError("repeated less than once")
    return count


def _span(attributes: Mapping[str, str]) -> tuple[int, int]:
    """How many rows and columns a cell covers."""
    down, right = (int(attributes.get(f"{TABLE}number-{what}-spanned", "1")) for what in ("rows", "columns"))
    return down, right
