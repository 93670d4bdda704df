"""Tell: what somebody has to be told of how a run ended, and what may be told. Pure."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from batch_orders.models import Column, FindingCode, RowStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch_orders.models import Mapped, Report

_NEEDS_SOMEBODY = frozenset(
    {
        RowStatus.INVALID,
        RowStatus.HELD,
        RowStatus.CHANGED,
        RowStatus.REJECTED,
        RowStatus.UNKNOWN,
        RowStatus.NOT_SENT,
    }
)
# A shorter part of a name would be found in nearly every word.
_SHORTEST = 3
_WORDS = re.compile(r"[^\W_]+")


def needs_a_person(exit_code: int, report: Report | None) -> bool:
    """Whether somebody has to do something, or look at the one warning that no later run repeats."""
    return exit_code != 0 or (report is not None and ordered_long_ago(report))


def ordered_long_ago(report: Report) -> bool:
    """Whether a row counts as ordered by a very old order: somebody hired again would go without."""
    return any(finding.code is FindingCode.ORDERED_LONG_AGO for finding in report.findings)


def names_somebody(file_name: str, mapped: Mapped) -> bool:
    """Whether somebody in the sheet may be recognised by the name of its file ("offer-Ana-Lopez.xlsx").

    It rather says yes once too often: a part of a name within another word counts.
    """
    told = _folded(file_name)
    words = set(_WORDS.findall(told))
    return any(name in words or (len(name) >= _SHORTEST and name in told) for name in _names(mapped))


def rows_in_need(report: Report) -> Iterator[tuple[int, str, str]]:
    """Each row that is not ordered and should be: its number, its order's e-mail ("" without one) and its message."""
    emails = {row: order.email for order in report.orders for row in order.rows}
    numbers = report.mapped.sheet.row_numbers
    for position, row in enumerate(report.rows):
        if row.status in _NEEDS_SOMEBODY:
            yield numbers[position], emails.get(position, ""), row.message


def _names(mapped: Mapped) -> set[str]:
    """The parts of everybody's names and mailboxes, folded; single letters and numbers tell nobody apart."""
    texts = {text for column in (Column.FIRSTNAME, Column.LASTNAME) for text in mapped.values(column)}
    texts |= {email.partition("@")[0] for email in mapped.values(Column.EMAIL)}
    words = {word for text in texts for word in _WORDS.findall(_folded(text))}
    return {word for word in words if len(word) > 1 and not word.isdigit()}


def _folded(text: str) -> str:
    """Without case and accents."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in parts if not unicodedata.combining(character))
