"""Sheets made from our template: its example row is set aside, and titles that are gone since are named. Pure."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from batch_orders.errors import SheetError
from batch_orders.messages import template as messages
from batch_orders.models import Column, FindingCode

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

    from batch_orders.models import Finding, Mapped, Oddity, Sheet, Value

# Whose row it is. Where one of these is not the example's, somebody has begun to make the row their own: then it stays,
# and its e-mail is told as wrong. (A country, say, may be changed by whoever only tries the drop-downs.)
_WHOSE = (Column.FIRSTNAME, Column.LASTNAME, Column.SHIPPING_ADDRESS, Column.SHIPPING_CITY)


def set_example_aside(mapped: Mapped) -> Mapped:
    """The sheet without the example row, however often it was copied; `sheet.aside` has it.

    SheetError where no other row is left.
    """
    found = _examples(mapped)
    if not found:
        return mapped
    sheet = mapped.sheet
    if len(found) == len(sheet.row_numbers):
        raise SheetError(messages.only_example(sheet.path), hint=messages.how_to_fill_in())
    return dataclasses.replace(mapped, sheet=_without(sheet, found))


def gone_titles(mapped: Mapped, findings: Iterable[Finding]) -> list[tuple[str, str]]:
    """The sheet's titles that its template offered and the catalog no longer has, each with the nearest now, or ""."""
    sheet, at = mapped.sheet, mapped.positions.get(Column.PRODUCT_TITLE)
    if sheet.template is None or at is None:
        return []
    titles = dict(zip(sheet.row_numbers, sheet.frame[at].tolist(), strict=True))
    gone: dict[str, str] = {}
    for finding in findings:
        if finding.code is FindingCode.UNKNOWN_PRODUCT:
            title = titles[finding.rows[0]].strip()
            if title in sheet.template.titles:
                gone[title] = next(iter(finding.suggestions), "")
    return list(gone.items())


def _examples(mapped: Mapped) -> Sequence[int]:
    """The positions of the rows that are the example."""
    emails = mapped.sheet.frame[mapped.positions[Column.EMAIL]].tolist()
    marked = [row for row, email in enumerate(emails) if _same(email, messages.EXAMPLE_EMAIL)]
    whose = {column: mapped.positions[column] for column in _WHOSE if column in mapped.positions}
    texts = {row: mapped.sheet.frame.iloc[row].tolist() for row in marked}
    return [row for row in marked if _is_untouched({column: texts[row][at] for column, at in whose.items()})]


def _is_untouched(values: Mapping[Column, str]) -> bool:
    return all(not text.strip() or _same(text, messages.EXAMPLE[column]) for column, text in values.items())


def _same(text: str, example: str) -> bool:
    return " ".join(text.split()).casefold() == example.casefold()


def _without(sheet: Sheet, rows: Sequence[int]) -> Sheet:
    """The sheet without these rows (positions), which then stand in `aside`."""
    gone = set(rows)
    kept = [row for row in range(len(sheet.row_numbers)) if row not in gone]
    numbers = tuple(sheet.row_numbers[row] for row in kept)
    return dataclasses.replace(
        sheet,
        frame=sheet.frame.iloc[kept].reset_index(drop=True),
        row_numbers=numbers,
        values=_moved(sheet.values, {row: position for position, row in enumerate(kept)}),
        oddities=tuple(_narrowed(sheet.oddities, set(numbers))),
        aside={sheet.row_numbers[row]: tuple(sheet.frame.iloc[row].tolist()) for row in rows},
    )


def _moved(values: Mapping[tuple[int, int], Value], new_row: Mapping[int, int]) -> dict[tuple[int, int], Value]:
    return {(new_row[row], column): value for (row, column), value in values.items() if row in new_row}


def _narrowed(oddities: Iterable[Oddity], numbers: Container[int]) -> Iterable[Oddity]:
    """The oddities as far as they touch the rows that stay."""
    for oddity in oddities:
        rows = tuple(row for row in oddity.rows if row in numbers)
        if rows:
            yield dataclasses.replace(oddity, rows=rows)
