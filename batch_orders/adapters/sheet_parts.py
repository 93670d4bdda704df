"""What the readers of CSV and Excel files share: the raw table, and where the header stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from batch_orders.stages.columns import recognise

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batch_orders.models import Oddity, Template, Value

# Rows, by Excel's numbers, among which the header is looked for: a title block may stand above it.
HEADER_WITHIN: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The cells of one sheet before anything is known of it.

    `rows` are text and may be ragged; `row_numbers` are Excel's; `originals` hold, by position, what was not text;
    `oddities` are what the file hides from the header on. A row that looks blank because of one is not left out.
    """

    rows: Sequence[list[str]]
    row_numbers: Sequence[int]
    name: str | None = None
    originals: Mapping[tuple[int, int], Value] = field(default_factory=dict)
    delimiter: str = ","
    oddities: tuple[Oddity, ...] = ()
    template: Template | None = None


def header_row(table: Table) -> tuple[int, int]:
    """The position of the row with the most known headers, among the first ones, and how many those are.

    (0, 0) where no header is known.
    """
    best, most = 0, 0
    for position, (number, row) in enumerate(zip(table.row_numbers, table.rows, strict=True)):
        if number > HEADER_WITHIN:
            break
        known = recognise(row)
        if known > most:
            best, most = position, known
    return best, most


def is_blank(row: Sequence[str]) -> bool:
    """Whether a row holds nothing but white space."""
    return not any(cell.strip() for cell in row)


def width(row: Sequence[str]) -> int:
    """Cells up to the last that is not blank."""
    for columns in range(len(row), 0, -1):
        if row[columns - 1].strip():
            return columns
    return 0
