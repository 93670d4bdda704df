"""What the readers of CSV files and workbooks share: the raw table, and where the header stands."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from batch_orders.models import Column
from batch_orders.stages.columns import known_column, recognise, spelling

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from batch_orders.models import Oddity, Template, Value

# Rows, by Excel's numbers, among which the header is looked for: a title block may stand above it.
HEADER_WITHIN: Final = 20
# A sheet with fewer known headers than this has them by chance ("Item" in a list of notes) where another has more.
_ENOUGH = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The cells of one sheet before anything is known of it.

    `rows` are text and may be ragged; `row_numbers` are Excel's; `originals` hold, by position, what was not text;
    `oddities` are what the file hides from the header on. A row that looks blank because of one is not left out.
    """

    rows: Sequence[Sequence[str]]
    row_numbers: Sequence[int]
    name: str | None = None
    originals: Mapping[tuple[int, int], Value] = field(default_factory=dict)
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


def header_row(table: Table) -> tuple[int, int]:
    """The position of the row with the most known headers, among the first ones, and how many those are.

    (0, 0) where no header is known. In a foreign sheet where none is, it is the first of the widest rows.
    """
    best, most = 0, 0
    also = _HEADERS.get()
    for position, (number, row) in enumerate(zip(table.row_numbers, table.rows, strict=True)):
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
