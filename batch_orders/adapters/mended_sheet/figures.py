"""Which mended cells of a workbook become numbers: quantities among numbers, so that a formula counts them too.

Everything else stays the text that was typed: a phone number, a postal code or a reference is none to count with.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from openpyxl.styles.numbers import BUILTIN_FORMATS

from batch_orders.adapters.own_workbook.markup import Root, attributes_of, children, inner
from batch_orders.adapters.workbook_sheets import GENERAL

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from batch_orders.models import Cell, Sheet

# A number is read back as just this text: no zero in front, no sign, no exponent, and no more digits than Excel keeps.
_WHOLE: Final = re.compile(r"0|[1-9][0-9]{0,14}")
# Formats that show a number as one: 0, #,##0.00, #,##0_);[Red](#,##0). Not those that add zeros, dates, percents, text.
_PLAIN: Final = re.compile(rf"{GENERAL}|(?:#|#,##)?0(?:\.0+)?(?:_.)?(?:;[^%@]*)?")


def figures_of(sheet: Sheet, cells: Mapping[Cell, str], counts: Collection[int]) -> frozenset[Cell]:
    """Those of the mended cells, by what they hold now, that are written as numbers where their format is plain.

    In the columns `counts` (Excel's numbers): a whole number, where a number stood, or all else in the column is one.
    """
    whole = {cell for cell, text in cells.items() if cell.column in counts and _WHOLE.fullmatch(text)}
    places = dict(zip(sheet.row_numbers, range(len(sheet.row_numbers)), strict=True))
    among = {column: _is_among_numbers(sheet, column, cells) for column in {cell.column for cell in whole}}
    return frozenset(
        cell
        for cell in whole
        if among[cell.column] or _is_number(sheet, places[cell.row], cell.column - sheet.first_column)
    )


def _is_among_numbers(sheet: Sheet, column: int, cells: Mapping[Cell, str]) -> bool:
    """Whether what stands in a column beside the mended cells is numbers; where there is nothing, nobody knows."""
    position = column - sheet.first_column
    mended = {cell.row for cell in cells if cell.column == column}
    others = [
        row
        for row, (number, text) in enumerate(zip(sheet.row_numbers, sheet.frame[position], strict=True))
        if text.strip() and number not in mended
    ]
    return bool(others) and all(_is_number(sheet, row, position) for row in others)


def _is_number(sheet: Sheet, row: int, position: int) -> bool:
    found = sheet.values.get((row, position))
    if found is None or isinstance(found.value, bool):
        return False
    return isinstance(found.value, int | float) and is_plain(found.number_format)


def is_plain(number_format: str) -> bool:
    """Whether a format shows a number as it is, and a number in it is read as its digits."""
    return bool(_PLAIN.fullmatch(number_format))


def plain_styles(styles: str) -> frozenset[int]:
    """The cell formats (by the number that cells call them by) whose number format is plain; `styles` is the part."""
    sections = {element.name.rpartition(":")[2]: element for element in Root.of(styles, "styleSheet").children()}
    if "cellXfs" not in sections:
        return frozenset()
    formats = dict(BUILTIN_FORMATS)
    if "numFmts" in sections:
        for item in children(styles, *inner(styles, sections["numFmts"])):
            found = attributes_of(item.attributes)
            formats[int(found["numFmtId"])] = found["formatCode"]
    items = children(styles, *inner(styles, sections["cellXfs"]))
    kinds = [int(attributes_of(item.attributes).get("numFmtId", "0")) for item in items]
    return frozenset(number for number, kind in enumerate(kinds) if is_plain(formats.get(kind, "")))
