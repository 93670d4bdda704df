"""What the readers of CSV files and workbooks share: the raw table, and where the header stands."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import count, zip_longest
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from batch_orders.models import Column, Originals
from batch_orders.stages.columns import known_column, recognise, spelling

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from batch_orders.models import Oddity, Template

# Rows, by Excel's numbers, among which the header is looked for: a title block may stand above it.
HEADER_WITHIN: Final = 20
# A sheet with fewer known headers than this has them by chance ("Item" in a list of notes) where another has more.
_ENOUGH = 3


# Of what one column holds, how much is remembered.
_MOST_REMEMBERED: Final = 10_000
K = TypeVar("K")
V = TypeVar("V")


class FoundOnce(dict[K, V], Generic[K, V]):
    """What a function gives for each key, found once: equal texts of a column are then the same text in memory."""

    def __init__(self, find: Callable[[K], V]) -> None:
        super().__init__()
        self._find = find

    def __missing__(self, key: K) -> V:
        """Find it. Of a column of very many different texts the latest are known, and equal ones stand together."""
        if len(self) >= _MOST_REMEMBERED:
            self.clear()
        found = self[key] = self._find(key)
        return found


class Rows:
    """Rows of texts, kept as columns: a list for each row would take more memory than what stands in it.

    The first ones, among which the header is, keep the lengths that they came with; others are as long as the longest.
    """

    def __init__(self, rows: Sequence[Sequence[str]] = (), as_read: Callable[[str], str] = str) -> None:
        self.columns: list[list[str]] = []
        self._first: list[Sequence[str]] = []
        self._length = 0
        self._as_read = as_read
        self._known: list[FoundOnce[str, str]] = []
        self.extend(rows)

    def extend(self, rows: Sequence[Sequence[str]]) -> None:
        """Put these below, each text as it is to be read."""
        if len(self._first) == self._length < HEADER_WITHIN:
            self._first += [list(map(self._as_read, row)) for row in rows[: HEADER_WITHIN - self._length]]
        columns = list(zip_longest(*rows, fillvalue=""))
        self._known += [FoundOnce(self._as_read) for _ in columns[len(self._known) :]]
        each = zip(self._known, columns, strict=False)
        self.extend_columns(len(rows), [map(known.__getitem__, texts) for known, texts in each])

    def extend_columns(self, rows: int, columns: Sequence[Iterable[str]]) -> None:
        """Put so many rows below, as the columns from the first on that hold anything there."""
        while len(self.columns) < len(columns):
            self.columns.append([""] * self._length)
        for column, texts in zip_longest(self.columns, columns):
            column.extend([""] * rows if texts is None else texts)
        self._length += rows

    def blank(self, first: int) -> set[int]:
        """The positions, from the first on, of rows that hold nothing but white space."""
        blank: Sequence[int] = range(first, self._length)
        for column in self.columns:
            blank = [row for row in blank if not column[row].strip()]
        return set(blank)

    def width(self, first: int) -> int:
        """Cells up to the last that is not blank, in any row from the first on."""
        for columns in range(len(self.columns), 0, -1):
            if any(map(str.strip, self.columns[columns - 1][first:])):
                return columns
        return 0

    def given_away(self) -> Iterator[list[str]]:
        """Each column in turn, which is then forgotten: no two copies of all of them are ever in memory."""
        self._first, self._known, self._length = [], [], 0
        self.columns.reverse()
        while self.columns:
            yield self.columns.pop()

    def row(self, position: int) -> Sequence[str]:
        """The row at this position."""
        if position < len(self._first):
            return self._first[position]
        return [column[position] for column in self.columns]

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Sequence[str]]:
        return map(self.row, range(self._length))


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The cells of one sheet before anything is known of it.

    `rows` are text; `row_numbers` are Excel's; `originals` hold, by position, what was not text;
    `oddities` are what the file hides from the header on. A row that looks blank because of one is not left out.
    """

    rows: Rows
    row_numbers: Sequence[int]
    name: str | None = None
    originals: Originals = field(default_factory=Originals)
    delimiter: str = ","
    oddities: tuple[Oddity, ...] = ()
    template: Template | None = None


# What else than our own columns makes a header row, while a sheet is read. Every reader asks, some of them deep down in
# a workbook, so it is not handed from function to function.
_HEADERS: ContextVar[Collection[str]] = ContextVar("headers", default=())
# More than the columns of any sheet.
_WIDEST = 100_000
_FOREIGN: ContextVar[bool] = ContextVar("foreign", default=False)


@contextmanager
def looking_for(headers: Collection[str], *, foreign: bool = False) -> Iterator[None]:
    """Within the block these headers (a mapping file's) are known too; in a foreign sheet any row may be the header."""
    tokens = _HEADERS.set(headers), _FOREIGN.set(foreign)
    try:
        yield
    finally:
        _HEADERS.reset(tokens[0])
        _FOREIGN.reset(tokens[1])


def header_row(rows: Iterable[Sequence[str]], numbers: Iterable[int] | None = None) -> tuple[int, int]:
    """The position of the row with the most known headers, among the first ones, and how many those are.

    `numbers` are Excel's, where rows are left out. (0, 0) where no header is known. In a foreign sheet where none is,
    it is the first of the widest rows.
    """
    best, most = 0, 0
    also = _HEADERS.get()
    for position, (number, row) in enumerate(zip(numbers or count(1), rows, strict=False)):
        if number > HEADER_WITHIN:
            break
        known = recognise(row, also)
        if _FOREIGN.get():
            filled = sum(1 for cell in row if cell.strip())
            known = known * _WIDEST + (filled if filled > 1 else 0)
        if known > most:
            best, most = position, known
    return best, most


def heads_orders(header: Sequence[str], known: int) -> bool:
    """Whether a header row, `known` of whose headers are known, is that of a sheet of orders.

    It has all headers that are looked for, since a mapping file fits no other sheet; where none are, the columns that
    every row needs to say who gets what.
    """
    if known < _ENOUGH:
        return False
    wanted = {spelling(name) for name in _HEADERS.get()}
    if wanted:
        return wanted <= {spelling(name) for name in header}
    return {Column.EMAIL, Column.PRODUCT_TITLE} <= {known_column(name) for name in header}


def is_blank(row: Sequence[str]) -> bool:
    """Whether a row holds nothing but white space."""
    return not any(cell.strip() for cell in row)


def width(row: Sequence[str]) -> int:
    """Cells up to the last that is not blank."""
    for columns in range(len(row), 0, -1):
        if row[columns - 1].strip():
            return columns
    return 0
