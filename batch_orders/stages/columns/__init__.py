"""Map: header names → our columns, by normalised name, a table of synonyms, or a mapping file. Pure.

Where to look next:

    synonyms.py  the table                told.py   what a mapping file says, looked up in the sheet
    headers.py   what a header means      lines.py  rows → lines: joins, constants, translations, item columns
    propose.py   a mapping file for a foreign sheet, guessed and scored
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch_orders.errors import SheetError
from batch_orders.messages import mappings
from batch_orders.messages import sheets as messages
from batch_orders.models import (
    NEEDED,
    RESULT_COLUMNS,
    Cell,
    Column,
    ColumnSource,
    Finding,
    FindingCode,
    Mapped,
    Remark,
    Severity,
)
from batch_orders.stages.columns import lines
from batch_orders.stages.columns.headers import (
    ADDRESS_PART,
    FIRST_LINE,
    LINE_ONE,
    LINES_AFTER,
    NEAR,
    known_column,
    likeness,
    names_item,
    normalised,
    recognise,
    spelling,
)
from batch_orders.stages.columns.told import NOTHING_TOLD, Told, look_up

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from batch_orders.models import MappingFile, Sheet

__all__ = ["known_column", "map_columns", "recognise", "spelling"]

# So many columns that look like items make a sheet with a column for each.
_SEVERAL = 2
_ADDRESS = Column.SHIPPING_ADDRESS
_ITEM_COLUMNS = (Column.PRODUCT_TITLE, Column.QUANTITY)


def map_columns(sheet: Sheet, mapping: MappingFile | None = None) -> Mapped:
    """The sheet as lines, each of our columns with what it is made of.

    SheetError, with every finding at once, where a needed column is missing, two headers mean the same one, part of
    the address would be left behind, or the mapping file does not fit the sheet.
    """
    told = look_up(mapping, sheet) if mapping else NOTHING_TOLD
    found = _found(sheet, told)
    joined = {} if _ADDRESS in told.sources else _address_lines(sheet.headers, found, told)
    sources = dict(told.sources) | {column: tuple(positions) for column, positions in found.items()} | joined
    findings = [*told.findings, *_duplicates(sheet, found), *_beside_items(sheet, found, told)]
    findings += [
        *_parts_left_behind(sheet, sources, told),
        *_missing(sheet, sources, told, mapping.name if mapping else ""),
    ]
    if findings:
        raise SheetError(
            messages.columns_wrong(sheet.path) if mapping is None else mappings.does_not_fit(sheet.path, mapping.name),
            hint=_how_to_name_columns(sheet, sources) if mapping is None else mappings.how_to_fit(mapping.name),
            findings=tuple(dict.fromkeys(findings)),
        )
    results, prefix = _result_columns(sheet.headers)
    made = lines.make(sheet, sources, mapping, told.items, joins=dict.fromkeys(joined, ColumnSource()))
    return Mapped(
        sheet=sheet,
        rows=made.rows,
        sources=made.sources,
        texts=made.texts,
        places=made.places,
        results=results,
        told=results[:2] or _told_columns(sheet.headers),
        prefix=prefix,
        findings=made.findings,
        notes=made.notes,
        mapping=mapping.name if mapping else "",
    )


def _found(sheet: Sheet, told: Told) -> dict[Column, list[int]]:
    """Where our columns stand by their names alone, but for what the mapping file decides."""
    found: dict[Column, list[int]] = {}
    for position, header in enumerate(sheet.headers):
        column = known_column(header)
        if column is not None and column not in told.sources and position not in told.spoken_for:
            found.setdefault(column, []).append(position)
    return found


def _address_lines(
    headers: Sequence[str], found: Mapping[Column, Sequence[int]], told: Told
) -> dict[Column, tuple[int, ...]]:
    """The address where it stands in lines: the first one, joined with a "line 2" and "line 3" where there are any.

    See docs/decisions/0009: what is joined can only be meant so, and what is not joined is never left behind.
    """
    free = {position: normalised(header) for position, header in enumerate(headers) if position not in told.spoken_for}
    whole = list(found.get(_ADDRESS, ()))
    first = whole or [position for position, name in free.items() if name in FIRST_LINE]
    if len(first) != 1:
        return {}
    after = [[position for position, name in free.items() if name in line] for line in LINES_AFTER]
    is_line = bool(whole) or free[first[0]] in LINE_ONE
    if not is_line or any(len(line) > 1 for line in after):
        after = []
    return {_ADDRESS: (first[0], *(position for line in after for position in line))}


def _duplicates(sheet: Sheet, found: Mapping[Column, Sequence[int]]) -> Iterable[Finding]:
    for column, positions in found.items():
        if len(positions) > 1:
            cells = tuple(Cell(sheet.header_row, sheet.first_column + position) for position in positions)
            names = [f"{cell} (“{sheet.headers[position]}”)" for cell, position in zip(cells, positions, strict=True)]
            yield _about_header(
                sheet, FindingCode.DUPLICATE_COLUMN, column, positions, messages.duplicate_column(column, names)
            )


def _beside_items(sheet: Sheet, found: Mapping[Column, Sequence[int]], told: Told) -> Iterable[Finding]:
    """A column of titles or quantities beside item columns: nothing that may be an item is left behind in silence."""
    for column in _ITEM_COLUMNS if told.has_items else ():
        for position in found.get(column, ()):
            message = mappings.beside_items(sheet.headers[position], column)
            yield _about_header(sheet, FindingCode.DUPLICATE_COLUMN, column, [position], message)


def _parts_left_behind(sheet: Sheet, sources: Mapping[Column, Sequence[int]], told: Told) -> Iterable[Finding]:
    """Columns that hold part of an address and belong to no column of ours: a parcel needs the whole."""
    whole = sources.get(_ADDRESS, ())
    parts = {position: header for position, header in enumerate(sheet.headers) if _is_part(header)}
    taken = {position for positions in sources.values() for position in positions} | told.spoken_for
    for position, header in parts.items():
        if position not in taken and any(text.strip() for text in sheet.frame[position]) and whole:
            lines = _mapping_line(sheet.headers[whole[0]], header)
            message = mappings.part_left_behind(header, lines)
            yield _about_header(sheet, FindingCode.MISSING_COLUMN, _ADDRESS, [position], message)


def _is_part(header: str) -> bool:
    name = normalised(header)
    return name in ADDRESS_PART or name in FIRST_LINE or any(name in line for line in LINES_AFTER)


def _mapping_line(first: str, second: str) -> str:
    """The line of a mapping file that joins the two."""
    if any(character.isdigit() for character in second):
        return mappings.join_line(_ADDRESS, [first, second])
    return mappings.join_line(_ADDRESS, [first, second], separator=" ")


def _missing(sheet: Sheet, sources: Mapping[Column, Sequence[int]], told: Told, mapping: str) -> Iterable[Finding]:
    unclaimed = [header for position, header in enumerate(sheet.headers) if position not in told.spoken_for]
    own = [header for header in unclaimed if header.strip() and known_column(header) is None]
    parts = [header for header in own if _is_part(header)]
    for column in NEEDED:
        if column in sources or (told.has_items and column in _ITEM_COLUMNS):
            continue
        if any(finding.column is column for finding in told.findings):
            continue  # it is said already why
        scores = {header: likeness(column, header, sources) for header in own}
        near = sorted((header for header, score in scores.items() if score >= NEAR), key=lambda each: -scores[each])
        message = messages.missing_column(column, near[0] if near else None, mapping)
        if column is _ADDRESS and len(parts) > 1:
            message = mappings.address_in_parts(parts, mappings.join_line(_ADDRESS, parts))
        yield Finding(
            remark=Remark(
                code=FindingCode.MISSING_COLUMN,
                severity=Severity.ERROR,
                message=message,
                column=column,
                suggestions=tuple(near[:1]),
            )
        )


def _how_to_name_columns(sheet: Sheet, sources: Mapping[Column, Sequence[int]]) -> str:
    lacks_items = any(column not in sources for column in _ITEM_COLUMNS)
    if lacks_items and sum(map(names_item, sheet.headers)) >= _SEVERAL:
        return f"{messages.how_to_name_columns()} {mappings.how_to_map(sheet.path)}"
    return messages.how_to_name_columns()


def _about_header(sheet: Sheet, code: FindingCode, column: Column, positions: Sequence[int], message: str) -> Finding:
    return Finding(
        remark=Remark(code=code, severity=Severity.ERROR, message=message, column=column),
        rows=(sheet.header_row,),
        columns=tuple(sheet.first_column + position for position in positions),
    )


def _result_columns(headers: Sequence[str]) -> tuple[tuple[int, ...], str]:
    """The positions of our own five columns, and the prefix that they have, or get."""
    names = [header.strip().casefold() for header in headers]
    for prefix in ("", "bo_"):
        wanted = [prefix + name for name in RESULT_COLUMNS]
        if all(name in names for name in wanted):
            return tuple(names.index(name) for name in wanted), prefix
    return (), "bo_" if any(name in names for name in RESULT_COLUMNS) else ""


def _told_columns(headers: Sequence[str]) -> tuple[int, ...]:
    """The positions of status and order number where others of the five were renamed or taken out; () without both."""
    names = [normalised(header) for header in headers]
    for prefix in ("", "bo_"):
        wanted = [normalised(prefix + name) for name in RESULT_COLUMNS[:2]]
        if all(name in names for name in wanted):
            return tuple(names.index(name) for name in wanted)
    return ()
