"""Rows that are no orders: a total below the table, or a note. They get one finding, and are never passed over."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from batch_orders.messages import findings as messages
from batch_orders.models import Column, FindingCode
from batch_orders.stages.validate.complaints import Complaint, Values, finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from batch_orders.models import Catalog, Finding, Mapped

# A note fills a cell or two of ours, a total perhaps many.
_MOST_CELLS = 3
_TOTAL = re.compile(
    r"(?:grand |sub[ -]?)?totals?|total général|sum|summe|gesamt(?:summe|zahl)?|insgesamt|zwischensumme|somme|"
    r"suma(?: total)?|soma|razem|ogółem|łącznie|(?:sub)?totaal"
)
_AFTER_TOTAL = re.compile(r"\s*(?:[:=(].*|[0-9.,\s]*)", re.DOTALL)
# An address, or what was meant for one; a sentence that names one is a note.
_MEANT_AS_ADDRESS = re.compile(r"(?:\S+\s)?\S*@\s?\S*|\S+\.[^\W\d_]{2,}")


def asides(mapped: Mapped, own: Values, catalog: Catalog) -> Mapping[int, Sequence[int]]:
    """The lines of each row that looks like a total or a note, by the row's number."""
    emails = own[Column.EMAIL]
    judged = {text: _MEANT_AS_ADDRESS.fullmatch(text) is None for text in set(emails)}
    if not any(judged[text] for text in emails):
        return {}
    cells = _Cells(mapped)
    return {
        number: lines
        for number, lines in mapped.lines_by_number().items()
        if judged[emails[lines[0]]] and _is_aside(cells, own, lines, catalog)
    }


def aside_findings(mapped: Mapped, found: Mapping[int, Sequence[int]]) -> Iterator[Finding]:
    """An error at the e-mail cell of each of them."""
    for lines in found.values():
        yield finding(mapped, FindingCode.REQUIRED, Column.EMAIL, lines[:1], Complaint(messages.no_order()))


def but_about(findings: Iterable[Finding], rows: Mapping[int, Sequence[int]]) -> Iterator[Finding]:
    """The findings but those that are about these rows alone."""
    return (each for each in findings if not each.rows or not all(row in rows for row in each.rows))


class _Cells:
    """The texts of the sheet's rows: all of them, and those in columns of ours."""

    def __init__(self, mapped: Mapped) -> None:
        frame = mapped.sheet.frame
        self._rows = mapped.rows
        self._all = [frame[position].tolist() for position in frame.columns]
        self._ours = sorted({position for sources in mapped.sources.values() for position in sources})

    def everything(self, line: int) -> list[str]:
        """What stands in the line's row, in whatever column."""
        return [texts[self._rows[line]] for texts in self._all]

    def filled(self, line: int) -> int:
        """How many cells of ours hold something."""
        return sum(bool(self._all[position][self._rows[line]].strip()) for position in self._ours)


def _is_aside(cells: _Cells, own: Values, lines: Sequence[int], catalog: Catalog) -> bool:
    first = lines[0]
    names = own[Column.FIRSTNAME][first], own[Column.LASTNAME][first]
    if own[Column.SHIPPING_ADDRESS][first] or all(names):
        return False
    if any(map(_is_total, cells.everything(first))):
        return True
    # A note may stand in the column of first names; a row with nothing else is nobody's.
    most = 1 if any(names) else _MOST_CELLS
    return cells.filled(first) <= most and not _has_item(own, lines, catalog)


def _has_item(own: Values, lines: Sequence[int], catalog: Catalog) -> bool:
    """Whether the row says what somebody is to get: then only whose it is was forgotten."""
    stock = catalog.stock
    items = [(own[Column.PRODUCT_TITLE][line], own[Column.QUANTITY][line]) for line in lines]
    return any(title in stock or (title and quantity) for title, quantity in items)


def _is_total(text: str) -> bool:
    plain = text.strip().casefold()
    word = _TOTAL.match(plain)
    return word is not None and _AFTER_TOTAL.fullmatch(plain, word.end()) is not None
