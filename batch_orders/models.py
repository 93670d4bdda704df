"""The values that travel through the program: frozen, slotted, keyword-only.

The words are the contract's: a sheet has rows, rows become orders, findings say what is wrong, the ledger remembers.
"""

from __future__ import annotations

import shlex
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date, timedelta
    from pathlib import Path

    import pandas as pd


# The option of a forgotten run that says when it was.
FORGOTTEN_AT: Final = "forgotten_at"


class Column(StrEnum):
    """The columns a sheet can have, by our names."""

    EMAIL = "email"
    FIRSTNAME = "firstname"
    LASTNAME = "lastname"
    PHONE_NUMBER = "phone_number"
    SHIPPING_ADDRESS = "shipping_address"
    SHIPPING_CITY = "shipping_city"
    SHIPPING_STATE = "shipping_state"
    SHIPPING_ZIP = "shipping_zip"
    SHIPPING_COUNTRY = "shipping_country"
    PRODUCT_TITLE = "product_title"
    QUANTITY = "quantity"
    EXPEDITE_SHIPPING = "expedite_shipping"
    IS_SIGNATURE_REQUIRED = "is_signature_required"
    ORDER_REFERENCE = "order_reference"
    START_DATE = "start_date"


# A blank cell in one of these is inherited from the order's other rows.
ONCE_PER_ORDER: tuple[Column, ...] = (
    Column.FIRSTNAME,
    Column.LASTNAME,
    Column.PHONE_NUMBER,
    Column.SHIPPING_ADDRESS,
    Column.SHIPPING_CITY,
    Column.SHIPPING_STATE,
    Column.SHIPPING_ZIP,
    Column.SHIPPING_COUNTRY,
    Column.EXPEDITE_SHIPPING,
    Column.IS_SIGNATURE_REQUIRED,
    Column.START_DATE,
)

# Without these columns no row could be ordered, whatever its country.
NEEDED: tuple[Column, ...] = (
    Column.EMAIL,
    Column.FIRSTNAME,
    Column.LASTNAME,
    Column.PHONE_NUMBER,
    Column.SHIPPING_ADDRESS,
    Column.SHIPPING_CITY,
    Column.SHIPPING_COUNTRY,
    Column.PRODUCT_TITLE,
    Column.QUANTITY,
)

RESULT_COLUMNS: tuple[str, ...] = ("order_status", "order_number", "order_message", "submitted_at", "run_id")


class RowStatus(StrEnum):
    """How a row stands, in the order in which they are decided: the first that holds is the row's."""

    ALREADY_ORDERED = "already_ordered"
    UNKNOWN = "unknown"
    INVALID = "invalid"
    CHANGED = "changed"
    HELD = "held"
    WAITING = "waiting"
    READY = "ready"
    ORDERED = "ordered"
    REJECTED = "rejected"
    NOT_SENT = "not_sent"


class OrderState(StrEnum):
    """How an order stands in the ledger."""

    PLANNED = "planned"
    SENDING = "sending"
    ORDERED = "ordered"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


class Severity(StrEnum):
    """`error` stops the row's order, `warning` lets it go ahead, `repair` says what was safely put right."""

    ERROR = "error"
    WARNING = "warning"
    REPAIR = "repair"


class FindingCode(StrEnum):
    """Stable words for scripts."""

    MISSING_COLUMN = "missing_column"
    DUPLICATE_COLUMN = "duplicate_column"
    REQUIRED = "required"
    EMAIL = "email"
    PHONE = "phone"
    QUANTITY = "quantity"
    BOOLEAN = "boolean"
    DATE = "date"
    COUNTRY = "country"
    STATE = "state"
    ZIP = "zip"
    UNKNOWN_PRODUCT = "unknown_product"
    SHIPPING_OPTION = "shipping_option"
    SIGNATURE_NOT_AVAILABLE = "signature_not_available"
    CONFLICT = "conflict"
    DUPLICATE_ITEM = "duplicate_item"
    NEAR_DUPLICATE = "near_duplicate"
    REPEAT_ITEM = "repeat_item"
    UNKNOWN_HISTORY = "unknown_history"
    ORDERED_LONG_AGO = "ordered_long_ago"
    CELL_ERROR = "cell_error"
    FORMULA_WITHOUT_VALUE = "formula_without_value"
    MERGED_CELLS = "merged_cells"
    HIDDEN_ROW = "hidden_row"
    OUT_OF_STOCK = "out_of_stock"
    LATE = "late"
    REPAIRED = "repaired"


# Their orders are fine in themselves, and held because they look like a mistake.
GUARDS = frozenset({FindingCode.NEAR_DUPLICATE, FindingCode.REPEAT_ITEM, FindingCode.UNKNOWN_HISTORY})


class Cell(NamedTuple):
    """A cell as Excel names it: `row` and `column` count from 1; `str()` gives "F7"."""

    row: int
    column: int

    def __str__(self) -> str:
        letters, rest = "", self.column
        while rest:
            rest, digit = divmod(rest - 1, 26)
            letters = chr(65 + digit) + letters
        return f"{letters}{self.row}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """What findings say, wherever they are: those that say the same share it.

    `suggestions` are ready-to-type values, the best one first (`undecided`: it is hardly better than the second).
    `fact` is the message without its advice, where the advice holds only until the order is sent, and `afterwards` what
    is told instead of the message from then on.
    """

    code: FindingCode
    severity: Severity
    message: str
    column: Column | None = None
    suggestions: tuple[str, ...] = ()
    undecided: bool = False
    fact: str = ""
    afterwards: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something wrong, or worth knowing, about a cell, row, order or sheet: a remark, and where it holds.

    `rows` are Excel's row numbers of every row it is about; in each of them it is shown at the cells in `columns`
    (Excel's numbers, none where the sheet lacks the column), unless its cells are `scattered`.
    """

    remark: Remark
    rows: tuple[int, ...] = ()
    columns: tuple[int, ...] = ()
    scattered: tuple[Cell, ...] = ()

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The cells it is shown at: worked out, since findings may be more than the sheet has rows."""
        return self.scattered or tuple(Cell(row, column) for row in self.rows for column in self.columns)

    @property
    def told(self) -> str:
        """What a person reads of it; scripts get the message, which is the same before and after."""
        return self.remark.afterwards or self.remark.message

    @property
    def code(self) -> FindingCode:
        """The word for scripts."""
        return self.remark.code

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return self.remark.severity

    @property
    def message(self) -> str:
        """What is wrong, and how to mend it."""
        return self.remark.message

    @property
    def column(self) -> Column | None:
        """Which of our columns it is about."""
        return self.remark.column

    @property
    def suggestions(self) -> tuple[str, ...]:
        """Ready-to-type values, the best one first."""
        return self.remark.suggestions

    @property
    def fact(self) -> str:
        """The message without its advice, see Remark."""
        return self.remark.fact


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How large a sheet may be: a quarterly wave is far below, and what is above is a mistake or made to harm.

    `file_size` and `unpacked_size` (all that a workbook's archive holds) are in bytes.
    """

    file_size: int = 20 * 10**6
    unpacked_size: int = 200 * 10**6
    columns: int = 200
    rows: int = 250_000


class SheetKind(StrEnum):
    """What kind of file a sheet came in, by its usual suffix."""

    CSV = "csv"
    XLSX = "xlsx"
    XLS = "xls"
    XLSB = "xlsb"
    ODS = "ods"

    @property
    def results(self) -> SheetKind:
        """What its results are written as: CSV for CSV, and .xlsx for every workbook."""
        return SheetKind.CSV if self is SheetKind.CSV else SheetKind.XLSX


class Value(NamedTuple):
    """What a workbook's cell held where that was not text: the value, and its number format."""

    value: float | bool | datetime
    number_format: str


class Originals(Mapping[tuple[int, int], Value]):
    """What cells held that was not text, by (row, column) position.

    Kept as columns: a dict takes 150 bytes for each cell, where equal values of a column are mostly one object.
    """

    __slots__ = ("_columns",)

    def __init__(self, values: Mapping[tuple[int, int], Value] | None = None) -> None:
        self._columns: dict[int, list[Value | None]] = {}
        for (row, column), value in sorted((values or {}).items(), key=lambda item: item[0]):
            self.put(row, column, [value])

    def put(self, row: int, column: int, values: Sequence[Value | None]) -> None:
        """These stand in the column from this row on, which is below all that it has; None is for a text."""
        cells = self._columns.setdefault(column, [])
        cells.extend([None] * (row - len(cells)))
        cells[row:] = values

    def of_rows(self, rows: Sequence[int]) -> Originals:
        """What is in these rows, by the position of each of them among these."""
        narrowed = Originals()
        for column, cells in self._columns.items():
            length = len(cells)
            narrowed.put(0, column, [cells[row] if row < length else None for row in rows])
        return narrowed

    def in_column(self, column: int) -> Iterator[tuple[int, Value]]:
        """What is in a column: each row's position, and the value."""
        cells = self._columns.get(column, ())
        return ((row, value) for row, value in enumerate(cells) if value is not None)

    def __getitem__(self, place: tuple[int, int]) -> Value:
        row, column = place
        cells = self._columns.get(column, ())
        value = cells[row] if row < len(cells) else None
        if value is None:
            raise KeyError(place)
        return value

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return ((row, column) for column in sorted(self._columns) for row, _ in self.in_column(column))

    def __len__(self) -> int:
        return sum(len(cells) - cells.count(None) for cells in self._columns.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Oddity:
    """Something in the data that a spreadsheet hides: an error, a formula without a value, a merged area, hidden rows.

    `rows` and `columns` are Excel's numbers of what it covers, `columns` being empty where whole rows are; `what` says
    what stands there ("#N/A"), or names the area ("A2:A5", "column C").
    """

    code: FindingCode
    rows: tuple[int, ...]
    columns: tuple[int, ...] = ()
    what: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """The template that a workbook was made from: the day of its catalog, and the titles in its list."""

    catalog_date: date
    titles: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One sheet as it was read: text cells, and where each came from.

    `frame` has one column per sheet column, labelled 0, 1, 2 …, a RangeIndex, and only `str` in it (blank is "");
    the wholly blank rows are gone. `row_numbers[i]` is Excel's number of row i (they ascend); `first_column` Excel's
    number of column 0. `values` holds, by (row, column) position, what a workbook held where it was not text; `above`
    the lines above the header (a title, say), by Excel's row number; `oddities` are what the file hides in these rows;
    `aside` holds, like `above`, the template's example row, which is not among the frame's; `template` is what the
    workbook was made from, where its stamp is still there; `content` is the file as it was read, which may have changed
    since (b"" where nobody will write it anew).
    """

    path: Path
    kind: SheetKind
    sheet_name: str | None
    header_row: int
    headers: tuple[str, ...]
    frame: pd.DataFrame
    row_numbers: Sequence[int]
    first_column: int = 1
    values: Originals = field(default_factory=Originals)
    above: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    delimiter: str = ","
    oddities: tuple[Oddity, ...] = ()
    aside: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    template: Template | None = None
    content: bytes = field(default=b"", repr=False)

    def cell(self, row: int, column: int) -> Cell:
        """The cell at these positions (from 0) of the frame, as Excel names it."""
        return Cell(self.row_numbers[row], self.first_column + column)

    def position(self, number: int) -> int:
        """The position of the row with this number, as Excel shows it."""
        numbers = self.row_numbers
        return numbers.index(number) if isinstance(numbers, range) else bisect_left(numbers, number)

    def text(self, cell: Cell) -> str:
        """What stands in a cell of the data."""
        return str(self.frame.iloc[self.position(cell.row), cell.column - self.first_column])


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnSource:
    """Where a mapping file takes one of our columns from: headers of the sheet (joined, where several), or a constant.

    `separator` stands between joined values that are not blank; `always` is "" where there are headers.
    """

    headers: tuple[str, ...] = ()
    separator: str = ", "
    always: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemColumn:
    """A column of the sheet that holds an item for each row.

    The cell holds its title, or, where `title` names it, how many. `quantity` is the header of the column that says
    how many ("": one). `values` are translations of this column alone.
    """

    header: str
    title: str = ""
    quantity: str = ""
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingFile:
    """How a foreign sheet is read: what a mapping file says. `text` is the file itself, for the ledger to keep.

    `values` translates a column's values; their keys are folded (see `folded`). `ignore` are headers that we would
    take for ours and that are not.
    """

    name: str
    text: str = field(repr=False)
    columns: Mapping[Column, ColumnSource]
    values: Mapping[Column, Mapping[str, str]]
    items: tuple[ItemColumn, ...] = ()
    ignore: tuple[str, ...] = ()

    @property
    def headers(self) -> tuple[str, ...]:
        """Every header of the sheet that the file names."""
        return (*self.needed_headers, *self.ignore)

    @property
    def needed_headers(self) -> tuple[str, ...]:
        """Those that the sheet must have: what is only to be ignored may be absent."""
        named = [header for source in self.columns.values() for header in source.headers]
        named += [header for item in self.items for header in (item.header, item.quantity) if header]
        return tuple(dict.fromkeys(named))

    @staticmethod
    def folded(text: str) -> str:
        """A value as translations match it: without regard to case, and to space around and between words."""
        return " ".join(text.split()).casefold()


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """One guess of a proposed mapping file, with how sure it is (0–100) and the next best (with their scores).

    It is about a column of ours (`headers`, or the constant `always`), about an item column (`is_item`: `title` and
    `quantity` as in ItemColumn; `is_counted` where its cells say how many), or about what a `value` of theirs is called
    by us (`title`: "" where nothing is like it).
    """

    score: int
    column: Column | None = None
    headers: tuple[str, ...] = ()
    separator: str = ", "
    always: str = ""
    is_item: bool = False
    is_counted: bool = False
    quantity: str = ""
    value: str | None = None
    title: str = ""
    alternatives: tuple[tuple[str, int], ...] = ()

    @property
    def applied(self) -> bool:
        """Whether it is sure enough to stand in the file as it is; others stand there as comments."""
        return self.score >= SURE


# From this score on a guess is applied.
SURE = 85


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A mapping file as it is proposed: its guesses, the headers that it has no use for.

    `untranslated` is the number of distinct values beyond those that were looked at.
    """

    guesses: tuple[Guess, ...]
    unused: tuple[str, ...] = ()
    untranslated: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """A sheet whose columns are known, as lines: one for each item, so one for each row unless it holds several.

    `rows` has the position in `sheet.frame` of each line's row. `sources` says which of the sheet's columns
    (positions) each of ours is made of: several where they are joined or hold an item each, none where it is a
    constant. `texts` has a value for each line where that is not just what stands in the one source, and `places` the
    line's own part of the sources where a line is not made of all of them.
    `results` are the positions of our own five result columns in a results file that comes back (else empty), `told`
    those of the first two, status and order number, also where others of the five were taken out;
    `prefix` is "bo_" where the sheet uses one of those names for columns of its own. `findings` are what there is to
    say about how the lines were made, `notes` are sentences on that about the sheet as a whole; `mapping` is the name
    of the mapping file ("" without one).
    """

    sheet: Sheet
    rows: Sequence[int]
    sources: Mapping[Column, tuple[int, ...]]
    texts: Mapping[Column, Sequence[str]] = field(default_factory=dict)
    places: Mapping[Column, Sequence[tuple[int, ...]]] = field(default_factory=dict)
    results: tuple[int, ...] = ()
    told: tuple[int, ...] = ()
    prefix: str = ""
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    mapping: str = ""

    @property
    def on_command_line(self) -> str:
        """The sheet as a command takes it, with its mapping file."""
        name = shlex.quote(self.sheet.path.name)
        return f"{name} --mapping {shlex.quote(self.mapping)}" if self.mapping else name

    def values(self, column: Column) -> list[str]:
        """Our column, a value for each line; blank where the sheet has no such column."""
        if column in self.texts:
            return list(self.texts[column])
        sources = self.sources.get(column, ())
        return self.own_values(sources[0]) if sources else [""] * len(self.rows)

    def own_position(self, column: Column) -> int | None:
        """The position of the sheet's column that is our column as it stands; None where there is no such."""
        sources = self.sources.get(column, ())
        return sources[0] if sources and self.one_line_per_row and column not in self.texts else None

    def own_values(self, position: int) -> list[str]:
        """What stands in the sheet's column at this position, for each line."""
        values: list[str] = self.sheet.frame[position].tolist()
        return values if self.one_line_per_row else [values[row] for row in self.rows]

    def history(self) -> list[tuple[str, str]]:
        """What each line's row says of its own past: its status and order number, in a results file that comes back.

        ("", "") where it says nothing. Without all of our five columns the two may be the person's own, of which only a
        status of ours makes history.
        """
        if not self.told:
            return [("", "")] * len(self.rows)
        statuses, numbers = ([text.strip() for text in self.own_values(position)] for position in self.told)
        said = zip(statuses, numbers, strict=True)
        if self.results:
            return list(said)
        ours = frozenset(RowStatus)
        return [(status, number) if status in ours else ("", "") for status, number in said]

    @property
    def one_line_per_row(self) -> bool:
        """Whether lines and rows are the same."""
        return len(self.rows) == len(self.sheet.row_numbers)

    def row_number(self, line: int) -> int:
        """The number, as Excel shows it, of the line's row."""
        return self.sheet.row_numbers[self.rows[line]]

    def row_numbers(self, lines: Iterable[int]) -> tuple[int, ...]:
        """The numbers of the lines' rows, each once."""
        return tuple(dict.fromkeys(map(self.row_number, lines)))

    def positions(self, lines: tuple[int, ...]) -> tuple[int, ...]:
        """The positions of the lines' rows, each once."""
        return lines if self.one_line_per_row else tuple(dict.fromkeys(self.rows[line] for line in lines))

    def lines_by_number(self) -> dict[int, list[int]]:
        """The lines of each row, by its number."""
        lines: dict[int, list[int]] = {}
        for line, row in enumerate(self.rows):
            lines.setdefault(self.sheet.row_numbers[row], []).append(line)
        return lines

    def cells(self, line: int, column: Column) -> tuple[Cell, ...]:
        """The cells that the line's value comes from; of joined ones those that hold something, or the first."""
        number = self.row_number(line)
        return tuple(Cell(number, place) for place in self.columns(line, column))

    def columns(self, line: int, column: Column) -> tuple[int, ...]:
        """The same as Excel's numbers of the sheet's columns."""
        sources = self.places[column][line] if column in self.places else self.sources.get(column, ())
        if len(sources) > 1:
            row, frame = self.rows[line], self.sheet.frame
            sources = tuple(position for position in sources if str(frame.iloc[row, position]).strip()) or sources[:1]
        return _numbers(self.sheet.first_column, sources)

    def cells_of(self, lines: Iterable[int], column: Column) -> tuple[Cell, ...]:
        """The cells that the lines' values come from, each once."""
        return tuple(dict.fromkeys(cell for line in lines for cell in self.cells(line, column)))

    def finding(self, remark: Remark, column: Column, lines: Sequence[int]) -> Finding:
        """The remark about the cells that these lines' values come from; none where the sheet lacks the column."""
        columns = {self.columns(line, column) for line in lines}
        is_block = len(columns) == 1
        return Finding(
            remark=remark,
            rows=_alone(self.row_number(lines[0])) if len(lines) == 1 else self.row_numbers(lines),
            columns=columns.pop() if is_block else (),
            scattered=() if is_block else self.cells_of(lines, column),
        )

    def lacks_items(self, line: int) -> bool:
        """Whether the line stands for a row whose item columns hold nothing."""
        everywhere = self.sources.get(Column.PRODUCT_TITLE, ())
        is_whole_row = Column.PRODUCT_TITLE in self.places and self.places[Column.PRODUCT_TITLE][line] == everywhere
        return is_whole_row and not self.texts[Column.PRODUCT_TITLE][line]

    def item_headers(self) -> tuple[str, ...]:
        """The headers of the columns that titles come from."""
        return tuple(self.sheet.headers[position] for position in self.sources.get(Column.PRODUCT_TITLE, ()))

    def column_at(self) -> dict[int, Column]:
        """Which of our columns each column of the sheet is used for, by Excel's number."""
        first = self.sheet.first_column
        return {first + position: column for column, sources in self.sources.items() for position in sources}


@lru_cache(maxsize=10_000)
def _alone(row: int) -> tuple[int]:
    """The row as the only one: the same object for all findings about it, which may be several for each row."""
    return (row,)


@lru_cache
def _numbers(first_column: int, positions: tuple[int, ...]) -> tuple[int, ...]:
    """Excel's numbers of the columns at these positions: the same object for all findings that ask for them."""
    return tuple(first_column + position for position in positions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Warehouse:
    """One of Device Hub's warehouses: what it stocks (title → pieces) and how it ships."""

    id: str
    name: str
    shipping_options: tuple[str, ...]
    stock: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """What Device Hub can deliver now."""

    warehouses: tuple[Warehouse, ...]

    @property
    def stock(self) -> dict[str, int]:
        """Pieces by title, over all warehouses: which one ships is the vendor's choice."""
        total: dict[str, int] = {}
        for warehouse in self.warehouses:
            for title, pieces in warehouse.stock.items():
                total[title] = total.get(title, 0) + pieces
        return total

    @property
    def shipping_options(self) -> tuple[str, ...]:
        """Every option that any warehouse offers, in the order first seen."""
        return tuple(dict.fromkeys(option for w in self.warehouses for option in w.shipping_options))


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A sheet after validation.

    `frame` has a row for each line of `mapped` and a column per `Column` (blank where the sheet has none), text only,
    repaired and inherited, plus `employee` and `reference`: the normalised e-mail and order reference
    (see identity.py); `employee` is "" where the e-mail is blank.
    """

    mapped: Mapped
    frame: pd.DataFrame
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What the guards, and the dates, ask of the past, for one sheet.

    `order_ahead` is how long before its start date an order goes (None: at once, whatever its date), `shipping_days`
    how many days each shipping method takes at least, by its name in lower case. `look_alikes` are the orders placed,
    or maybe placed, by identity.py's traces; `known_numbers` those of the sheet's order numbers that the ledger knows,
    each with whose it is.
    """

    now: datetime
    repeat_days: int
    order_ahead: timedelta | None = None
    shipping_days: Mapping[str, int] = field(default_factory=dict)
    look_alikes: Mapping[str, tuple[Remembered, ...]] = field(default_factory=dict)
    known_numbers: Mapping[str, Numbered] = field(default_factory=dict)


class Numbered(NamedTuple):
    """Whose an order number is: the order's key, and its e-mail ("" where that was forgotten)."""

    key: str
    email: str


class LineItem(NamedTuple):
    """A title and a quantity, both as text."""

    product_title: str
    quantity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What is ordered, for whom and where to: everything of an order but its identity, as text.

    Canonical: items sorted, phone as E.164, signature "yes" or "no", no shipping method is "". The values of an
    order that is not valid stand as they are, so that it can still be compared with what was ordered.
    """

    items: tuple[LineItem, ...]
    firstname: str
    lastname: str
    phone_number: str
    shipping_address: str
    shipping_city: str
    shipping_state: str
    shipping_zip: str
    shipping_country: str
    expedite_shipping: str
    is_signature_required: str


# What is known of an order's contents once they are forgotten.
NO_CONTENTS: Final = Contents(
    items=(),
    firstname="",
    lastname="",
    phone_number="",
    shipping_address="",
    shipping_city="",
    shipping_state="",
    shipping_zip="",
    shipping_country="",
    expedite_shipping="",
    is_signature_required="",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Everything one employee gets under one order reference.

    `email` is as the sheet writes it; `employee` and `reference` are normalised and make the identity. `lines`
    are positions in the checked frame.
    """

    email: str
    employee: str
    reference: str
    order_reference: str
    lines: tuple[int, ...]
    contents: Contents


@dataclass(frozen=True, slots=True, kw_only=True)
class PastOrder:
    """An order that a results file says was placed; `row` is its first row's number, "" stands for no sure number.

    Where `unknown`, the file says that nobody knows whether it was placed, and there is no number.
    """

    order: Order
    row: int
    order_number: str
    submitted_at: datetime | None
    unknown: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Whose orders a ledger remembers. `secret` keys the orders' identity and never leaves the ledger."""

    id: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an order stands after a run, for all its rows alike: its status, what to tell, and when it was sent.

    `run_id` is the run that sent it last, which need not be this one.
    """

    status: RowStatus
    message: str
    order_number: str | None = None
    submitted_at: datetime | None = None
    run_id: str | None = None
    attempts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What the ledger knows of one order.

    `busy` says that a run which is alive has it now; `run_id` is the run that sent it last; `submitted_at` when.
    `other_contents` are what the last sheet held, where that is not what was ordered; `last_seen_at` is when a run
    last found the order in a sheet. `queued_by` is the run that has handed it to the workers, until it is sent.
    `forgotten_at` is when its personal data was removed: then `email`, `order_reference` and `contents` are blank.
    """

    key: str
    state: OrderState
    email: str
    order_reference: str
    contents: Contents
    content_hash: str
    order_number: str | None
    message: str
    run_id: str | None
    submitted_at: datetime | None
    attempts: int
    busy: bool
    other_contents: Contents | None = None
    last_seen_at: datetime | None = None
    queued_by: str | None = None
    forgotten_at: datetime | None = None

    def outcome(self, status: RowStatus, message: str) -> Outcome:
        """How the order stands for a sheet's rows, by what the ledger knows of it."""
        return Outcome(
            status=status,
            message=message,
            order_number=self.order_number,
            submitted_at=self.submitted_at,
            run_id=self.run_id,
            attempts=self.attempts,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is to happen with one order.

    `key` is None where there is no ledger to make one. Where `settled` is None the order is to be sent, unless
    `blocked` says for each of its lines, in the order of `order.lines`, why not: (status, messages).
    """

    order: Order
    key: str | None
    settled: Outcome | None = None
    blocked: tuple[tuple[RowStatus, tuple[str, ...]], ...] = ()

    @property
    def send(self) -> bool:
        """Whether the order is to be placed."""
        return self.settled is None and not self.blocked


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The decisions for a whole sheet, and every finding that still matters.

    `loose_lines` are positions of lines that belong to no order (their e-mail is blank); `released` the keys of orders
    that a person sends on purpose although they look like a mistake; `notes` are sentences about the sheet.
    """

    decisions: tuple[Decision, ...]
    loose_lines: tuple[int, ...]
    findings: tuple[Finding, ...]
    released: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()

    @property
    def to_send(self) -> tuple[Decision, ...]:
        """The orders to place, in the sheet's order."""
        return tuple(decision for decision in self.decisions if decision.send)

    @property
    def held_back(self) -> tuple[Decision, ...]:
        """The orders that need a person before they can be placed."""
        fine = {RowStatus.ALREADY_ORDERED, RowStatus.WAITING}
        return tuple(
            decision
            for decision in self.decisions
            if not decision.send and (decision.settled is None or decision.settled.status not in fine)
        )

    @property
    def waiting(self) -> tuple[Decision, ...]:
        """The orders whose date has not come: a later run places them by itself."""
        return tuple(d for d in self.decisions if d.settled is not None and d.settled.status is RowStatus.WAITING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """An order that this run, and no other, may send. `token` is this claim's own.

    `generation` counts how often the order began anew: after a rejection, or when the vendor had cancelled it.
    `queued_by` is the run whose order it is, where this one is a worker's; else "".
    """

    key: str
    order: Order
    run_id: str
    token: str
    generation: int = 0
    queued_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What came of claiming: the orders we have, and those that somebody has or had, as they stand now."""

    ours: tuple[Claim, ...]
    others: Mapping[str, Remembered]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try at sending a claimed order; `number` counts its tries from 1, those included that sent nothing."""

    id: int
    number: int
    claim: Claim


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What Device Hub answered, as far as it could be read.

    `order_number` is "" where there is none; `readable` says that the body was JSON; `message` and `error_code`
    come from either of the documented error shapes; `retry_after` is in seconds.
    """

    status: int
    readable: bool = False
    order_number: str = ""
    message: str = ""
    error_code: str = ""
    retry_after: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known after a call. The gate is the evidence: while it was shut, not one byte of the order left.

    `failure` names what went wrong (exception types, no texts); `token` is the number of the token used.
    """

    gate_opened: bool
    answer: Answer | None = None
    failure: str = ""
    token: int = 0


class Adopted(StrEnum):
    """What came of entering a past order: new to the ledger, known to it, or at odds with what it knows."""

    NEW = "new"
    KNOWN = "known"
    CONFLICT = "conflict"


class Kept(StrEnum):
    """Why an order keeps its personal data: whatever its age, or because something happened to it since the cut-off."""

    UNKNOWN = "unknown"
    IN_HAND = "in_hand"
    CHANGED = "changed"
    LATELY = "lately"


class VerdictKind(StrEnum):
    """What the evidence proves."""

    ORDERED = "ordered"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    NOT_SENT = "not_sent"
    BUSY = "busy"
    FAILING = "failing"
    LOGIN = "login"
    SETTINGS = "settings"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A verdict on an attempt: `message` is for people; `status` is the HTTP status, where there was one.

    `ordered`, `rejected` and `unknown` end the order. All others prove that nothing was sent or applied: `busy`
    (429), `failing` (5xx where the settings say so), `login` (401) and `not_sent` may be tried again; `settings`
    (403, redirects, wrong paths) will not get better by trying.
    """

    kind: VerdictKind
    message: str = ""
    order_number: str = ""
    status: int | None = None
    evidence: str = ""

    @property
    def is_final(self) -> bool:
        """Whether it ends the order."""
        return self.kind in {VerdictKind.ORDERED, VerdictKind.REJECTED, VerdictKind.UNKNOWN}


# The command of a run that is a worker: it has no sheet of its own.
WORKER = "worker"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One run as the ledger keeps it. `sheet` is the input file's bytes, `options` what reading it needs again.

    `ended_at` and `exit_code` are None while the run goes on, and where it died. Of a forgotten run the sheet is empty,
    the input's name blank, and the options say when that was.
    """

    run_id: str
    command: str
    input: Path
    host: str
    started_at: datetime
    sheet: bytes = field(repr=False)
    options: Mapping[str, str | None]
    ended_at: datetime | None = None
    exit_code: int | None = None

    @property
    def forgotten_at(self) -> datetime | None:
        """When its personal data was removed."""
        at = self.options.get(FORGOTTEN_AT)
        return datetime.fromisoformat(at) if at else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgettable:
    """What is older than a cut-off (`before`), and would lose its personal data, or has lost it.

    `orders` are counted by state, `oldest` and `newest` are when the first and the last of them changed last. `kept`
    counts, by reason, the orders that keep theirs; `earlier` is how many had been forgotten already.
    """

    before: datetime
    orders: Mapping[OrderState, int]
    runs: int
    sheets: int
    oldest: datetime | None
    newest: datetime | None
    kept: Mapping[Kept, int]
    earlier: int

    def __bool__(self) -> bool:
        return bool(sum(self.orders.values()) or self.runs or self.sheets)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRow:
    """What the results sheet says of one input row, beside the row itself."""

    status: RowStatus
    order_number: str = ""
    messages: tuple[str, ...] = ()
    submitted_at: datetime | None = None
    run_id: str = ""

    @property
    def message(self) -> str:
        """All of them as one text: put together where it is told, since most rows share the parts and not the whole."""
        return " ".join(self.messages)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderResult:
    """What is said of one order. `rows` are positions in `Report.rows`; `key` is None where there is no ledger."""

    key: str | None
    email: str
    order_reference: str
    rows: tuple[int, ...]
    status: RowStatus
    order_number: str | None
    messages: tuple[str, ...]
    attempts: int
    content_hash: str = ""

    @property
    def message(self) -> str:
        """All of them as one text, as a row's."""
        return " ".join(self.messages)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How a run ended: a result for each row of `mapped.sheet.frame`, in the same order, and the sums.

    `counts` has `rows`, `orders` and every row status; `summary` are (label, text) lines for the summary sheet and
    the terminal; `stopped` says why the run ended early ("" where it did not), and ends with `stop_hint` where there
    is something to do about that; with `is_handed_over` the workers go on; `notes` are the plan's. A `partial` one
    holds only some of the sheet's rows.
    """

    run_id: str | None
    command: str
    mapped: Mapped
    rows: tuple[ResultRow, ...]
    orders: tuple[OrderResult, ...]
    findings: tuple[Finding, ...]
    counts: Mapping[str, int]
    exit_code: int
    summary: tuple[tuple[str, str], ...]
    stopped: str = ""
    stop_hint: str = ""
    is_handed_over: bool = False
    notes: tuple[str, ...] = ()
    partial: bool = False

    @property
    def declined(self) -> bool:
        """Whether the person said no at the question: then there was no run, and nothing was sent or written."""
        return self.command == "submit" and self.run_id is None


def order_id(key: str) -> str:
    """The short name of an order that people and scripts use: the first 12 digits of its key."""
    return key[:12]
