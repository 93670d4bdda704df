"""What a rule says about a value, and how that becomes a finding at its cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from batch_orders.models import Column, Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch_orders.models import FindingCode, Mapped

# Our columns, as lists of equal length: the value of each row.
Values = dict[Column, list[str]]


class Complaint(NamedTuple):
    """What is wrong with a value, wherever in the sheet it stands."""

    message: str
    suggestions: tuple[str, ...] = ()
    severity: Severity = Severity.ERROR


def finding(mapped: Mapped, code: FindingCode, column: Column, rows: Sequence[int], complaint: Complaint) -> Finding:
    """The complaint as a finding about these rows (positions); it has no cells where the sheet lacks the column."""
    sheet, position = mapped.sheet, mapped.positions.get(column)
    return Finding(
        code=code,
        severity=complaint.severity,
        message=complaint.message,
        column=column,
        rows=tuple(sheet.row_numbers[row] for row in rows),
        cells=() if position is None else tuple(sheet.cell(row, position) for row in rows),
        suggestions=complaint.suggestions,
    )
