"""What a spreadsheet hides, as findings: nothing hidden or broken is ever ordered, or passed over in silence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch_orders.messages import findings as messages
from batch_orders.models import NEEDED, Cell, Finding, FindingCode, Remark, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from batch_orders.models import Column, Mapped, Oddity


def odd_findings(mapped: Mapped) -> Iterator[Finding]:
    """A finding for each oddity: an error where it touches a column that is ordered from, else a warning.

    What is hidden in a column of the person's own is theirs to hide.
    """
    ours = mapped.column_at()
    for oddity in mapped.sheet.oddities:
        touched = [ours[column] for column in oddity.columns if column in ours]
        is_ours = bool(touched) or not oddity.columns
        if is_ours or oddity.code is not FindingCode.HIDDEN_ROW:
            yield _finding(oddity, touched[0] if touched else None, is_ours=is_ours)


def without_echoes(findings: Iterable[Finding], odd: Iterable[Finding]) -> Iterator[Finding]:
    """The findings but those about a cell whose oddity is told already: that it is blank, say."""
    told = {
        (row, finding.column)
        for finding in odd
        if finding.severity is Severity.ERROR and finding.column
        for row in finding.rows
    }
    return (f for f in findings if f.column is None or len(f.rows) != 1 or (f.rows[0], f.column) not in told)


def _finding(oddity: Oddity, column: Column | None, *, is_ours: bool) -> Finding:
    return Finding(
        remark=Remark(
            code=oddity.code,
            severity=Severity.ERROR if is_ours else Severity.WARNING,
            message=_message(oddity, is_ours=is_ours, is_needed=column in NEEDED),
            column=column,
        ),
        rows=oddity.rows,
        columns=oddity.columns,
        # Of merged cells the only one that is there.
        scattered=(Cell(oddity.rows[0], oddity.columns[0]),) if oddity.code is FindingCode.MERGED_CELLS else (),
    )


def _message(oddity: Oddity, *, is_ours: bool, is_needed: bool) -> str:
    match oddity.code:
        case FindingCode.CELL_ERROR:
            return messages.cell_error(oddity.what, is_ours=is_ours)
        case FindingCode.FORMULA_WITHOUT_VALUE:
            return messages.formula_without_value(is_ours=is_ours)
        case FindingCode.MERGED_CELLS:
            return messages.merged_cells(oddity.what, is_ours=is_ours)
        case _:
            told = messages.hidden_column(oddity.what, is_needed=is_needed)
            return told if oddity.columns else messages.hidden_row()
