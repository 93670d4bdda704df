"""Cells of a workbook changed in its XML: everything else in it stays, as it does when results are added to it.

A cell that is changed becomes a text (or, as `figures` says, a number) and keeps its format; a formula in it goes, and
other formulas are worked out anew when Excel opens the file. A cell that a merged area hides shows its text: the area
is split.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from openpyxl.utils import get_column_letter

from batch_orders.adapters.mended_sheet.figures import plain_styles
from batch_orders.adapters.mended_sheet.texts import as_written
from batch_orders.adapters.own_workbook.book import WORKBOOK, Book, parts_of
from batch_orders.adapters.own_workbook.markup import (
    Element,
    Root,
    UnexpectedLayoutError,
    attributes_of,
    children,
    inner,
    with_attributes,
)
from batch_orders.adapters.own_workbook.package import Package
from batch_orders.adapters.own_workbook.sheet_part import (
    SheetPart,
    boundaries,
    inline_cell,
    row_style,
    with_edits,
)
from batch_orders.models import Cell

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from batch_orders.models import Sheet

_STYLES: Final = "xl/styles.xml"
_FORMULA = re.compile(rb"<(?:\w+:)?f[\s>/]")
# Formulas that stand in one cell and fill others.
_FILLS_OTHERS: Final = frozenset({"array", "dataTable"})


def mended_in_place(sheet: Sheet, cells: Mapping[Cell, str], figures: Collection[Cell] = ()) -> bytes:
    """The workbook that the sheet was read from, with these cells changed, and those of `figures` to numbers.

    UnexpectedLayoutError where it is odd.
    """
    package = Package(sheet.content)
    if any(name.startswith("_xmlsignatures/") for name in package.names):
        raise UnexpectedLayoutError("a digital signature")
    book = Book(package.text(WORKBOOK))
    part = parts_of(book.sheets, package)[book.find(sheet.sheet_name or "")]
    has_formulas = any(
        name.startswith("xl/worksheets/") and _FORMULA.search(package.read(name)) for name in package.names
    )
    plain = plain_styles(package.text(_STYLES)) if figures and _STYLES in package else frozenset()
    package.put(part, _MendedPart(package.text(part), figures, plain).render(cells))
    package.drop_related(WORKBOOK, "calcChain")
    if has_formulas:
        package.put(WORKBOOK, _to_be_worked_out(package.text(WORKBOOK)))
    return package.packed()


def _to_be_worked_out(workbook: str) -> str:
    """The workbook's own part, asking for every formula's value; one that says nothing of them is asked for anyway."""
    for element in Root.of(workbook, "workbook").children():
        if element.name.rpartition(":")[2] == "calcPr":
            tag, rest = _split(workbook[element.start : element.end])
            return with_edits(workbook, [(element.start, element.end, with_attributes(tag, fullCalcOnLoad="1") + rest)])
    return workbook


class _MendedPart(SheetPart):
    """The sheet's XML with some cells changed: those of `figures` to numbers, where their format is one of `plain`."""

    def __init__(self, text: str, figures: Collection[Cell], plain: Collection[int]) -> None:
        super().__init__(text)
        self._figures = figures
        self._plain = plain

    def render(self, cells: Mapping[Cell, str]) -> str:
        """The whole part."""
        text = self._root.text
        edits = []
        for element in self._elements:
            name = self._local(element)
            if name == "sheetData":
                begin, end = inner(text, element)
                self._refuse_filled(begin, end, cells)
                edits.append((begin, end, "".join(self._mended_rows(begin, end, cells))))
            elif name == "mergeCells":
                edits.append((element.start, element.end, self._merged(element, cells)))
        return with_edits(text, edits)

    def _mended_rows(self, begin: int, end: int, cells: Mapping[Cell, str]) -> Iterator[str]:
        changes: dict[int, dict[int, str]] = {}
        for cell, text in cells.items():
            changes.setdefault(cell.row, {})[cell.column] = text

        def edit(tag: re.Match[str], number: int, body: str) -> str | None:
            changed = changes.pop(number, None)
            return None if changed is None else self._mended_row(tag, number, body, changed)

        yield from self._edited_rows([self._root.text[begin:end]], edit)
        if changes:
            raise UnexpectedLayoutError("a row is missing")

    def _mended_row(self, tag: re.Match[str], number: int, body: str, changed: Mapping[int, str]) -> str:
        there = self._cells(number, body)
        opening = f"<{self._p}row{tag[1]}>"
        if not changed.keys() <= there.keys():
            opening = with_attributes(opening, spans=None)
        usual = row_style(tag[1])
        for column, text in changed.items():
            if column in there:
                there[column] = self._mended_cell(number, column, there[column], text)
            elif text:
                style = usual or self._column_style(column)
                there[column] = self._written(number, column, text, style)
        return f"{opening}{''.join(there[column] for column in sorted(there))}</{self._p}row>"

    def _mended_cell(self, number: int, column: int, cell: str, text: str) -> str:
        opening, rest = _split(cell)
        self._refuse_master(rest)
        style = int(attributes_of(opening).get("s", "0"))
        if not text:
            return f'<{self._p}c r="{_place(number, column)}" s="{style}"/>'
        return self._written(number, column, text, style)

    def _written(self, number: int, column: int, text: str, style: int) -> str:
        place = _place(number, column)
        if Cell(number, column) in self._figures and style in self._plain:
            return f'<{self._p}c r="{place}" s="{style}"><{self._p}v>{text}</{self._p}v></{self._p}c>'
        return inline_cell(self._p, place, as_written(text), style)

    def _refuse_master(self, contents: str) -> None:
        """UnexpectedLayoutError where other cells have their formula from this one."""
        formula = re.search(rf"<{self._p}f((?:\s[^>]*)?)>", contents)
        found = attributes_of(formula[1]) if formula else {}
        if "ref" in found:
            raise UnexpectedLayoutError("a formula of several cells")

    def _refuse_filled(self, begin: int, end: int, cells: Mapping[Cell, str]) -> None:
        """UnexpectedLayoutError where a formula that stands elsewhere would fill one of the cells again."""
        for formula in re.finditer(rf"<{self._p}f(\s[^>]*)>", self._root.text[begin:end]):
            found = attributes_of(formula[1])
            if found.get("t") in _FILLS_OTHERS:
                left, top, right, bottom = boundaries(found.get("ref", ""))
                if any(left <= cell.column <= right and top <= cell.row <= bottom for cell in cells):
                    raise UnexpectedLayoutError("a formula of several cells")

    def _merged(self, element: Element, cells: Mapping[Cell, str]) -> str:
        """The merged areas that are left."""
        text = self._root.text
        areas = [
            (attributes_of(area.attributes).get("ref", ""), text[area.start : area.end])
            for area in children(text, *inner(text, element))
        ]
        kept = [area for name, area in areas if not hides(name, cells)]
        if not kept:
            return ""
        return f'<{self._p}mergeCells count="{len(kept)}">{"".join(kept)}</{self._p}mergeCells>'


def hides(area: str, cells: Mapping[Cell, str]) -> bool:
    """Whether a merged area shows another cell in the place of one of these that holds something."""
    left, top, right, bottom = boundaries(area)
    return any(
        text and left <= cell.column <= right and top <= cell.row <= bottom and (cell.row, cell.column) != (top, left)
        for cell, text in cells.items()
    )


def _place(number: int, column: int) -> str:
    return f"{get_column_letter(column)}{number}"


def _split(element: str) -> tuple[str, str]:
    """An element's opening tag, and all the rest of it."""
    end = element.index(">") + 1
    return element[:end].lstrip(), element[end:]
