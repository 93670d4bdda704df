"""What the readers of workbooks share, whatever the format: which sheet is meant, and what it hides.

A cell that is not text becomes text here, in one way for all of them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import functools
import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from itertools import chain, groupby, islice
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, Protocol, TypeVar

from openpyxl.styles.numbers import is_date_format
from openpyxl.utils import get_column_letter
from openpyxl.utils.datetime import from_excel

from batch_orders.adapters import template_stamp
from batch_orders.adapters.sheet_parts import HEADER_WITHIN, Rows, Table, header_row, heads_orders, is_blank
from batch_orders.errors import SheetError
from batch_orders.messages import sheets as messages
from batch_orders.models import Cell, FindingCode, Oddity, Originals, Value

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence
    from pathlib import Path

    from batch_orders.models import Limits, Template

S = TypeVar("S", bound="Listed")

GENERAL: Final = "General"
# What Excel's sheets can have.
LAST_ROW: Final = 1_048_576
LAST_COLUMN: Final = 16_384
# More sheets than anybody has; each costs something to look at.
MOST_SHEETS: Final = 500
# Zeros that only a number's format shows: 00000, 00000-0000 (also as Excel writes it, 00000\-0000), [$-409]00000.
_ZEROS = re.compile(r"(?:\[\$-[^\]]*\])?(0{2,}(?:\\?-0+)*)")
# Rows among which a sheet's first one below the header is looked for.
_PEEK_WITHIN = 1_000
# A workbook has few formats, each of them in very many cells.
_is_date_format = functools.lru_cache(maxsize=1_000)(is_date_format)
# A catalog has hundreds of titles, and a sheet that is made to harm a million rows.
STAMP_WITHIN: Final = 10_000


class TooManyRowsError(Exception):
    """More rows hold something than the limits allow."""


class TooManyColumnsError(Exception):
    """A cell further right than the limits allow holds something."""

    def __init__(self, cell: Cell) -> None:
        super().__init__()
        self.cell = cell


class TooManySheetsError(Exception):
    """More sheets than anybody has."""


class Area(NamedTuple):
    """A merged area: its first and last rows and columns, from 1."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def name(self) -> str:
        """As Excel writes it ("A2:B3")."""
        return f"{Cell(self.top, self.left)}:{Cell(self.bottom, self.right)}"


@dataclass(slots=True, kw_only=True)
class Hidden:
    """What a sheet hides. Rows and columns count from 1; `errors` come with what they say ("#N/A")."""

    errors: list[tuple[Cell, str]] = field(default_factory=list)
    without_value: list[Cell] = field(default_factory=list)
    merged: list[Area] = field(default_factory=list)
    rows: set[int] = field(default_factory=set)
    columns: list[tuple[int, int]] = field(default_factory=list)


class Listed(Protocol):
    """One of a workbook's sheets, of which nothing need be read yet."""

    @property
    def title(self) -> str:
        """Its name."""

    @property
    def is_hidden(self) -> bool:
        """Whether no one sees it."""

    def texts(self) -> Generator[tuple[int, Sequence[str]], None, None]:
        """Its rows as texts, from the top, each with Excel's number; blank ones may be left out."""


class Found(NamedTuple):
    """A cell that holds something: a text, number, bool, date, time or length of time, and its number format.

    `is_error` says that the text is one ("#N/A"), `lacks_value` that it is a formula whose result is not in the file.
    """

    cell: Cell
    value: Any
    number_format: str = GENERAL
    is_error: bool = False
    lacks_value: bool = False


class GridSheet(Listed, Protocol):
    """A sheet that a `Grid` can be filled from."""

    def fill(self, grid: Grid) -> None:
        """Put every cell into the grid, and what is hidden."""


class Grid:
    """A sheet in the making: cells come row by row. TooManyRowsError or TooManyColumnsError beyond the limits."""

    def __init__(self, limits: Limits) -> None:
        self.hidden = Hidden()
        self._most_rows = limits.rows + HEADER_WITHIN
        self._most_columns = limits.columns
        self._rows: list[list[str]] = []
        self._numbers: list[int] = []
        self._originals = Originals()

    def add(self, found: Found) -> None:
        """Put something in a cell. ValueError where its row is before the last one."""
        cell, value = found.cell, found.value
        if not self._numbers or self._numbers[-1] != cell.row:
            self._begin_row(cell.row)
        if cell.column > self._most_columns:
            raise TooManyColumnsError(cell)
        row = self._rows[-1]
        row.extend([""] * (cell.column - len(row)))
        if isinstance(value, str):
            row[cell.column - 1] = value
        else:
            row[cell.column - 1] = as_text(value, found.number_format)
            original = Value(kept(value), found.number_format)
            self._originals.put(len(self._rows) - 1, cell.column - 1, [original])
        if found.is_error:
            self.hidden.errors.append((cell, value if isinstance(value, str) else "#####"))
        if found.lacks_value:
            self.hidden.without_value.append(cell)

    def _begin_row(self, number: int) -> None:
        if self._numbers and self._numbers[-1] > number:
            raise ValueError("rows out of order")
        self._rows.append([])
        self._numbers.append(number)
        if len(self._rows) > self._most_rows:
            raise TooManyRowsError

    def table(self, title: str) -> Table:
        """The sheet as it is now."""
        return Table(name=title, rows=Rows(self._rows), row_numbers=self._numbers, originals=self._originals)


@contextlib.contextmanager
def damage_told(path: Path, limits: Limits) -> Iterator[None]:
    """SheetError instead of whatever zipfile, xlrd, the XML parser or openpyxl raise over a broken workbook."""
    try:
        yield
    except (SheetError, MemoryError):
        raise
    except TooManyRowsError:
        what = messages.more_than(f"{limits.rows:,} rows")
        raise SheetError(messages.too_large(path, what), hint=messages.split_it("max_rows")) from None
    except TooManyColumnsError as error:
        what = messages.more_than(f"{limits.columns:,} columns ({error.cell})")
        raise SheetError(messages.too_large(path, what), hint=messages.split_it("max_columns")) from None
    except TooManySheetsError:
        what = messages.more_than(f"{MOST_SHEETS} sheets")
        raise SheetError(messages.too_large(path, what), hint=messages.save_anew()) from None
    except Exception as error:  # noqa: BLE001 - none of them has an exception of its own: a broken file raises anything
        raise SheetError(messages.damaged(path, type(error).__name__), hint=messages.save_as()) from None


def table_of(path: Path, sheets: Sequence[GridSheet], asked_for: str | None, limits: Limits) -> Table:
    """The table of the sheet that is meant, with what it hides; SheetError as `choose`."""
    sheet = choose(path, sheets, asked_for)
    grid = Grid(limits)
    sheet.fill(grid)
    return completed(grid.table(sheet.title), grid.hidden, sheets)


def completed(table: Table, hidden: Hidden, sheets: Sequence[Listed]) -> Table:
    """The table with what its sheet hides, and the stamp of our template."""
    return dataclasses.replace(table, oddities=_oddities(table, hidden), template=_template(sheets))


# Which sheet ----------------------------------------------------------------------------------------------------------


class _Peek(NamedTuple, Generic[S]):
    """The first rows of a sheet, judged: how many headers are known, and whether it is a sheet of orders."""

    sheet: S
    known: int
    has_orders: bool


def choose(path: Path, sheets: Sequence[S], asked_for: str | None) -> S:
    """Which sheet is meant: the one that is asked for, else the one with orders.

    SheetError where there is no sheet, no such one, or where it is hidden; and where several have orders. A list of
    employees or products, or an empty template, is no rival. Where none has orders, the most known headers decide.
    """
    if not sheets:
        raise SheetError(messages.no_sheets(path), hint=messages.save_as())
    if asked_for is not None:
        return _asked_for(path, sheets, asked_for)
    if len(sheets) > MOST_SHEETS:
        raise TooManySheetsError
    peeks = [_peek(sheet) for sheet in sheets]
    orders = [peek for peek in peeks if peek.has_orders]
    visible = [peek for peek in peeks if not peek.sheet.is_hidden]
    hidden = [peek for peek in orders if peek.sheet.is_hidden]
    if not any(peek.known for peek in visible):
        hidden = hidden or [peek for peek in peeks if peek.known]
    if hidden:
        others = tuple(peek.sheet.title for peek in visible if peek.known)
        message = messages.hidden_sheet(path, hidden[0].sheet.title)
        raise SheetError(message, hint=messages.how_to_unhide(), sheets=others)
    if len(orders) > 1:
        names = [peek.sheet.title for peek in orders]
        raise SheetError(messages.choose_sheet(path, names), hint=messages.how_to_choose_sheet(), sheets=tuple(names))
    # max() takes the first of equals.
    return (orders or [max(visible or peeks, key=lambda peek: peek.known)])[0].sheet


def _asked_for(path: Path, sheets: Sequence[S], name: str) -> S:
    found = [sheet for sheet in sheets if sheet.title == name]
    found += [sheet for sheet in sheets if sheet.title.casefold() == name.casefold()]
    if not found:
        titles = [sheet.title for sheet in sheets]
        raise SheetError(messages.no_such_sheet(path, name, titles), hint=messages.how_to_choose_sheet())
    if found[0].is_hidden:
        raise SheetError(messages.hidden_sheet(path, found[0].title), hint=messages.how_to_unhide())
    return found[0]


def _peek(sheet: S) -> _Peek[S]:
    rows: list[Sequence[str]] = []
    numbers: list[int] = []
    with contextlib.closing(sheet.texts()) as every_row:
        below: list[tuple[int, Sequence[str]]] = []
        for number, texts in every_row:
            if number > HEADER_WITHIN:
                below = [(number, texts)]
                break
            rows.append(texts)
            numbers.append(number)
        header, known = header_row(rows, numbers)
        if not known:
            return _Peek(sheet, 0, has_orders=False)
        has_rows = any(not is_blank(row) for row in rows[header + 1 :]) or any(
            # Further down nobody knows, so it is not passed over.
            number > _PEEK_WITHIN or not is_blank(texts)
            for number, texts in chain(below, every_row)
        )
    return _Peek(sheet, known, has_orders=has_rows and heads_orders(rows[header], known))


def _template(sheets: Iterable[Listed]) -> Template | None:
    """The stamp of our own template, on its hidden sheet."""
    for sheet in sheets:
        if sheet.title == template_stamp.SHEET and sheet.is_hidden:
            with contextlib.closing(sheet.texts()) as rows:
                return template_stamp.read_stamp(islice(_with_blank_ones(rows), STAMP_WITHIN))
    return None


def _with_blank_ones(rows: Iterable[tuple[int, Sequence[str]]]) -> Iterator[Sequence[str]]:
    """Every row from the first on, also those that were left out because they are blank."""
    last = 0
    for number, texts in rows:
        for _ in range(last + 1, number):
            yield ()
        yield texts
        last = number


def rows_of(cells: Iterable[Found], limits: Limits) -> Generator[tuple[int, Sequence[str]], None, None]:
    """The rows that cells make, as texts, each with its number; what is beyond the last column is left out."""
    for number, its_cells in groupby(cells, key=lambda found: found.cell.row):
        texts: list[str] = []
        for found in its_cells:
            if found.cell.column <= limits.columns:
                texts.extend([""] * (found.cell.column - len(texts)))
                is_text = isinstance(found.value, str)
                texts[found.cell.column - 1] = found.value if is_text else as_text(found.value, found.number_format)
        yield number, texts


# What it hides --------------------------------------------------------------------------------------------------------


def _oddities(table: Table, hidden: Hidden) -> tuple[Oddity, ...]:
    """What is hidden or broken below the header; a title block above may be as it likes."""
    header, known = header_row(table.rows, table.row_numbers)
    if not known or hidden == Hidden():
        return ()
    numbers = table.row_numbers[header + 1 :]
    body = frozenset(numbers)
    columns = table.rows.width(header)
    return (
        *(
            Oddity(code=FindingCode.CELL_ERROR, rows=(cell.row,), columns=(cell.column,), what=text)
            for cell, text in hidden.errors
            if cell.row in body
        ),
        *(
            Oddity(code=FindingCode.FORMULA_WITHOUT_VALUE, rows=(cell.row,), columns=(cell.column,))
            for cell in hidden.without_value
            if cell.row in body
        ),
        *_merged(hidden, sorted(body), columns),
        *(Oddity(code=FindingCode.HIDDEN_ROW, rows=(row,)) for row in numbers if row in hidden.rows),
        *_hidden_columns(hidden, table, header + 1, columns),
    )


def _merged(hidden: Hidden, numbers: Sequence[int], columns: int) -> Iterator[Oddity]:
    """Merged areas in these rows. ValueError where they must lie upon one another, which no program writes."""
    covered = 0
    across: dict[tuple[int, int], tuple[int, ...]] = {}  # one tuple for all of a width: there may be very many areas
    for area in hidden.merged:
        rows = tuple(numbers[bisect_left(numbers, area.top) : bisect_right(numbers, area.bottom)])
        if not rows or area.left > columns:
            continue
        span = area.left, min(area.right, columns)
        covered += len(rows) * (span[1] - span[0] + 1)
        if covered > len(numbers) * columns:
            raise ValueError("merged areas upon one another")
        across.setdefault(span, tuple(range(span[0], span[1] + 1)))
        yield Oddity(code=FindingCode.MERGED_CELLS, rows=rows, columns=across[span], what=area.name)


def _hidden_columns(hidden: Hidden, table: Table, first: int, columns: int) -> Iterator[Oddity]:
    """Hidden columns that hold anything; people hide everything to the right of their table."""
    found = {column for first, last in hidden.columns for column in range(first, min(last, columns) + 1)}
    for column in sorted(found):
        texts = table.rows.columns[column - 1]
        rows = tuple(table.row_numbers[row] for row in range(first, len(texts)) if texts[row].strip())
        if rows:
            name = f"column {get_column_letter(column)}"
            yield Oddity(code=FindingCode.HIDDEN_ROW, rows=rows, columns=(column,), what=name)


# What a cell holds ----------------------------------------------------------------------------------------------------


def number(cell: Cell, value: float, number_format: str, epoch: dt.datetime) -> Found:
    """A cell with a number: a date or time where the format says so; `epoch` is the day before Excel's first."""
    if not _is_date_format(number_format):
        return Found(cell, value, number_format)
    try:
        return Found(cell, from_excel(value, epoch), number_format)
    except (ValueError, OverflowError):
        return Found(cell, value, number_format, is_error=True)  # Excel shows ##### where a date is none


def as_text(value: object, number_format: str) -> str:
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


def kept(value: Any) -> float | bool | dt.datetime:  # noqa: ANN401 - whatever a reader makes of a cell
    """The value as it can be written back: a time is the part of a day that Excel keeps for it.

    A strict workbook's dates have no time of day; everywhere else they have one.
    """
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        value = dt.datetime.combine(value, dt.time())
    if isinstance(value, dt.time):
        value = dt.timedelta(
            hours=value.hour, minutes=value.minute, seconds=value.second, microseconds=value.microsecond
        )
    found: float | bool | dt.datetime = value / dt.timedelta(days=1) if isinstance(value, dt.timedelta) else value
    return found
