"""Sheets made from our template: its example row is set aside, and titles that are gone since are named. Pure."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from batch_orders.errors import SheetError
from batch_orders.messages import template as messages
from batch_orders.models import Column, FindingCode

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

    from batch_orders.models import Finding, Mapped, Oddity, Sheet

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
    return _without_rows(mapped, found)


def gone_titles(mapped: Mapped, findings: Iterable[Finding]) -> list[tuple[str, str]]:
    """The sheet's titles that its template offered and the catalog no longer has, each with the nearest now, or ""."""
    template = mapped.sheet.template
    if template is None:
        return []
    titles, lines = mapped.values(Column.PRODUCT_TITLE), mapped.lines_by_number()
    gone: dict[str, str] = {}
    for finding in findings:
        if finding.code is FindingCode.UNKNOWN_PRODUCT:
            for line in lines[finding.rows[0]]:
                title = titles[line].strip()
                if title in template.titles and mapped.cells(line, Column.PRODUCT_TITLE) == finding.cells:
                    gone[title] = next(iter(finding.suggestions), "")
    return list(gone.items())


def _examples(mapped: Mapped) -> Sequence[int]:
    """The positions of the rows that are the example."""
    emails = mapped.values(Column.EMAIL)
    marked = [line for line, email in enumerate(emails) if _same(email, messages.EXAMPLE_EMAIL)]
    if not marked:
        return []
    whose = {column: mapped.values(column) for column in _WHOSE if column in mapped.sources}
    untouched = (line for line in marked if _is_untouched({column: texts[line] for column, texts in whose.items()}))
    return list(dict.fromkeys(mapped.rows[line] for line in untouched))


def _is_untouched(values: Mapping[Column, str]) -> bool:
    return all(not text.strip() or _same(text, messages.EXAMPLE[column]) for column, text in values.items())


def _same(text: str, example: str) -> bool:
    return " ".join(text.split()).casefold() == example.casefold()


def _without_rows(mapped: Mapped, rows: Sequence[int]) -> Mapped:
    """The sheet and its lines without these rows (positions)."""
    gone = set(rows)
    lines = [line for line, row in enumerate(mapped.rows) if row not in gone]
    kept = [row for row in range(len(mapped.sheet.row_numbers)) if row not in gone]
    new_row = {row: position for position, row in enumerate(kept)}
    numbers = {mapped.sheet.row_numbers[row] for row in rows}
    return dataclasses.replace(
        mapped,
        sheet=_without(mapped.sheet, rows),
        rows=[new_row[mapped.rows[line]] for line in lines],
        texts={column: [texts[line] for line in lines] for column, texts in mapped.texts.items()},
        places={column: [places[line] for line in lines] for column, places in mapped.places.items()},
        findings=tuple(finding for finding in mapped.findings if not numbers.intersection(finding.rows)),
    )


def _without(sheet: Sheet, rows: Sequence[int]) -> Sheet:
    """The sheet without these rows (positions), which then stand in `aside`."""
    gone = set(rows)
    kept = [row for row in range(len(sheet.row_numbers)) if row not in gone]
    numbers = tuple(sheet.row_numbers[row] for row in kept)
    return dataclasses.replace(
        sheet,
        frame=sheet.frame.iloc[kept].reset_index(drop=True),
        row_numbers=numbers,
        values=sheet.values.of_rows(kept),
        oddities=tuple(_narrowed(sheet.oddities, set(numbers))),
        aside={sheet.row_numbers[row]: tuple(sheet.frame.iloc[row].tolist()) for row in rows},
    )


def _narrowed(oddities: Iterable[Oddity], numbers: Container[int]) -> Iterable[Oddity]:
    """The oddities as far as they touch the rows that stay."""
    for oddity in oddities:
        rows = tuple(row for row in oddity.rows if row in numbers)
        if rows:
            yield dataclasses.replace(oddity, rows=rows)
