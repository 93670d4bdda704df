"""What a rule says about a value, and how that becomes a finding at its cells."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

from batch_orders.messages.mappings import from_mapping, made_by_mapping
from batch_orders.models import Column, Remark, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch_orders.models import Finding, FindingCode, Mapped

# Our columns, as lists of equal length: the value of each line.
Values = dict[Column, list[str]]


class Complaint(NamedTuple):
    """What is wrong with a value, wherever in the sheet it stands; `undecided` and `fact` as in Remark."""

    message: str
    suggestions: tuple[str, ...] = ()
    severity: Severity = Severity.ERROR
    undecided: bool = False
    fact: str = ""

    @classmethod
    def warning(cls, told: tuple[str, str], suggestions: tuple[str, ...] = ()) -> Complaint:
        """A fact, and what to do about it as long as the order is not sent; it goes ahead all the same."""
        return cls(" ".join(told), suggestions, Severity.WARNING, fact=told[0])


def finding(mapped: Mapped, code: FindingCode, column: Column, lines: Sequence[int], complaint: Complaint) -> Finding:
    """The complaint as a finding about these lines; it has no cells where the sheet lacks the column."""
    note = "" if complaint.severity is Severity.REPAIR else _told_by_mapping(mapped, column, lines[0])
    return mapped.finding(_remark(code, column, complaint, note), column, lines)


@functools.lru_cache(maxsize=10_000)
def _remark(code: FindingCode, column: Column, complaint: Complaint, note: str) -> Remark:
    """The same object for all findings that say the same."""
    return Remark(
        code=code,
        severity=complaint.severity,
        message=complaint.message + note,
        column=column,
        suggestions=complaint.suggestions,
        undecided=complaint.undecided,
        fact=complaint.fact and complaint.fact + note,
    )


def _told_by_mapping(mapped: Mapped, column: Column, line: int) -> str:
    """What to add where a value is not what stands in the cell, because the mapping file says so."""
    if not mapped.mapping or column not in mapped.texts:
        return ""
    if not mapped.sources[column]:
        return f" {from_mapping(mapped.mapping)}"
    cells, value = mapped.cells(line, column), mapped.texts[column][line]
    written = [mapped.sheet.text(cell) for cell in cells]
    return f" {made_by_mapping(mapped.mapping)}" if len(written) == 1 and written[0].strip() != value else ""
