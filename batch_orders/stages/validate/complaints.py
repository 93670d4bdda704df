"""What a rule says about a value, and how that becomes a finding at its cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from batch_orders.messages.mappings import from_mapping
from batch_orders.models import Column, Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch_orders.models import FindingCode, Mapped

# Our columns, as lists of equal length: the value of each line.
Values = dict[Column, list[str]]


class Complaint(NamedTuple):
    """What is wrong with a value, wherever in the sheet it stands."""

    message: str
    suggestions: tuple[str, ...] = ()
    severity: Severity = Severity.ERROR


def finding(mapped: Mapped, code: FindingCode, column: Column, lines: Sequence[int], complaint: Complaint) -> Finding:
    """The complaint as a finding about these lines; it has no cells where the sheet lacks the column."""
    return Finding(
        code=code,
        severity=complaint.severity,
        message=complaint.message + _constant(mapped, column),
        column=column,
        rows=mapped.row_numbers(lines),
        cells=mapped.cells_of(lines, column),
        suggestions=complaint.suggestions,
    )


def _constant(mapped: Mapped, column: Column) -> str:
    """What to add where the value stands in the mapping file, and so in no cell."""
    is_constant = column in mapped.sources and not mapped.sources[column]
    return f" {from_mapping(mapped.mapping)}" if is_constant and mapped.mapping else ""
