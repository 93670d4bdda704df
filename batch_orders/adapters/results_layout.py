"""What a results file holds, whatever its format: the person's columns as they came, then our five."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from batch_orders.messages.template import example_row
from batch_orders.models import RESULT_COLUMNS, FindingCode, Severity

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from batch_orders.models import Cell, Finding, Mapped, Report, ResultRow

    Mark = tuple[Cell, Finding]

_AT_ONCE = 1000  # rows: pandas gives out a column's cells quickly, those of a row slowly
_SEVERITIES = {Severity.ERROR: "Error", Severity.WARNING: "Warning", Severity.REPAIR: "Repaired"}  # the worst first

_BROKEN = {FindingCode.CELL_ERROR, FindingCode.FORMULA_WITHOUT_VALUE, FindingCode.MERGED_CELLS}
# Excel's own word for it.
NO_VALUE = "#N/A"

# What a cell's comment begins with.
COMMENT_BEGINNINGS = tuple(f"{name}: " for name in _SEVERITIES.values())


def kept_positions(mapped: Mapped) -> tuple[int, ...]:
    """The positions in the sheet of the columns that come back: all but our own of an earlier run."""
    dropped = set(mapped.results)
    return tuple(position for position in range(len(mapped.sheet.headers)) if position not in dropped)


def output_columns(mapped: Mapped) -> dict[int, int]:
    """Where each column that comes back stands in the output (from 0), by Excel's number of it in the sheet."""
    first = mapped.sheet.first_column
    return {first + position: column for column, position in enumerate(kept_positions(mapped))}


def headers(mapped: Mapped) -> tuple[str, ...]:
    """The header line: the person's headers as they wrote them, then ours."""
    theirs = tuple(mapped.sheet.headers[position] for position in kept_positions(mapped))
    return theirs + tuple(mapped.prefix + name for name in RESULT_COLUMNS)


def result_texts(row: ResultRow) -> tuple[str, ...]:
    """Our five cells of one row; `submitted_at` (it carries its time zone) as "2026-11-24T09:15:00Z"."""
    submitted_at = f"{row.submitted_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if row.submitted_at else ""
    return (row.status.value, row.order_number, row.message, submitted_at, row.run_id)


def example_texts() -> tuple[str, ...]:
    """Our five cells of the template's example row."""
    return tuple(example_row() if name == "order_message" else "" for name in RESULT_COLUMNS)


def lines_before(mapped: Mapped) -> Iterator[list[tuple[str, ...]]]:
    """For each row of the sheet, the lines before it that are no rows: they stay, so that every row keeps its number.

    They are blank, or the template's example, which says so in our columns.
    """
    before = mapped.sheet.header_row
    for number in mapped.sheet.row_numbers:
        yield [_line(mapped, line) for line in range(before + 1, number)]
        before = number


def lines_below(mapped: Mapped) -> Iterator[tuple[str, ...]]:
    """The lines below the last row, as `lines_before` has them: where the example was sorted to the end."""
    last = (mapped.sheet.header_row, *mapped.sheet.row_numbers)[-1]
    for line in range(last + 1, max(mapped.sheet.aside, default=0) + 1):
        yield _line(mapped, line)


def _line(mapped: Mapped, number: int) -> tuple[str, ...]:
    theirs = mapped.sheet.aside.get(number)
    if theirs is None:
        return ()
    return (*(theirs[position] for position in kept_positions(mapped)), *example_texts())


def lines_above(mapped: Mapped) -> Iterator[tuple[str, ...]]:
    """The lines above the header (a title, say), blank ones included."""
    for number in range(1, mapped.sheet.header_row):
        yield mapped.sheet.above.get(number, ())


def rows(report: Report) -> Iterator[tuple[str, ...]]:
    """Every row, in the sheet's order, as texts beside `headers`; see `broken_cells` for what stands for no text."""
    broken = broken_cells(report.mapped)
    numbers = report.mapped.sheet.row_numbers
    for number, theirs, result in zip(numbers, _their_rows(report.mapped), report.rows, strict=True):
        there = broken.get(number, {})
        texts = tuple(there.get(column, text) for column, text in enumerate(theirs)) if there else theirs
        yield texts + result_texts(result)


def broken_cells(mapped: Mapped) -> Mapping[int, Mapping[int, str]]:
    """By row number and output column, the cells that are ordered from and hold nothing to order by: an error each.

    That is errors, formulas without a value, and what merged cells cover. In a file of its own a blank cell would be
    left of the latter two, and the next run would order without what stood there.
    """
    columns, ours = output_columns(mapped), mapped.column_at()
    broken: dict[int, dict[int, str]] = defaultdict(dict)
    for oddity in mapped.sheet.oddities:
        if oddity.code not in _BROKEN:
            continue
        is_error = oddity.code is FindingCode.CELL_ERROR
        places = [(row, column) for row in oddity.rows for column in oddity.columns if column in ours]
        for row, column in places[1:] if oddity.code is FindingCode.MERGED_CELLS else places:
            if column in columns:
                broken[row][columns[column]] = oddity.what if is_error else NO_VALUE
    return broken


def _their_rows(mapped: Mapped) -> Iterator[tuple[str, ...]]:
    frame = mapped.sheet.frame.iloc[:, list(kept_positions(mapped))]
    for begin in range(0, len(frame), _AT_ONCE):
        columns = (frame.iloc[begin : begin + _AT_ONCE, column].tolist() for column in range(frame.shape[1]))
        yield from zip(*columns, strict=True)


def marks(report: Report, besides: Collection[int] = ()) -> list[Mark]:
    """The findings shown at cells of the report's rows, by cells, the worst first; none in the columns `besides`."""
    rows = set(report.mapped.sheet.row_numbers)
    worst = list(_SEVERITIES)
    shown = [
        (cell, finding)
        for finding in sorted(report.findings, key=lambda finding: worst.index(finding.severity))
        for cell in finding.cells
        if cell.row in rows and cell.column not in besides
    ]
    shown.sort(key=itemgetter(0))
    return shown


def by_cell(marks: Iterable[Mark]) -> Iterator[tuple[Cell, list[Finding]]]:
    """The findings of each cell, as `marks` has them."""
    for cell, group in groupby(marks, itemgetter(0)):
        yield cell, [finding for _, finding in group]


def findings_by_cell(report: Report) -> dict[Cell, list[Finding]]:
    """The findings of each cell, the worst first."""
    return dict(by_cell(marks(report)))


def comment_text(findings: Sequence[Finding]) -> str:
    """What is said at a cell: every finding with its suggestions."""
    return "\n\n".join(dict.fromkeys(map(_told, findings)))


def _told(finding: Finding) -> str:
    told = f"{_SEVERITIES[finding.severity]}: {finding.told}"
    if finding.suggestions:
        label = "Suggestion" if len(finding.suggestions) == 1 else "Suggestions"
        told += f"\n{label}: {'; '.join(finding.suggestions)}"
    return told
