"""A look at a worksheet's XML for what openpyxl's read-only cells pass over in silence.

That is: formulas without a value, merged cells, hidden rows and columns, and rows or cells in the wrong order (which
openpyxl drops). defusedxml refuses document types, and with them entities.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, NamedTuple

from defusedxml.ElementTree import iterparse
from openpyxl.utils import coordinate_to_tuple, range_boundaries

from batch_orders.models import Cell

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_ROW, _CELL, _VALUE, _FORMULA, _INLINE = (f"{_MAIN}{tag}" for tag in ("row", "c", "v", "f", "is"))
_COLUMN, _MERGE, _DATA = (f"{_MAIN}{tag}" for tag in ("col", "mergeCell", "sheetData"))
_TRUE = frozenset({"1", "true"})


class Area(NamedTuple):
    """A merged area: its first and last rows and columns, from 1, and its name ("A2:B3")."""

    top: int
    bottom: int
    left: int
    right: int
    name: str


@dataclass(slots=True, kw_only=True)
class Look:
    """What was seen. Rows and columns count from 1; `rightmost` is the cell furthest right that holds anything."""

    without_value: list[Cell] = field(default_factory=list)
    merged: list[Area] = field(default_factory=list)
    hidden_rows: set[int] = field(default_factory=set)
    hidden_columns: list[tuple[int, int]] = field(default_factory=list)
    rightmost: Cell = field(default_factory=lambda: Cell(1, 1))


def look(stream: IO[bytes]) -> Look:
    """Everything odd in a worksheet. ValueError, TypeError or an XML parser's error where its XML is broken."""
    seen = Look()
    row = 0
    data: Element | None = None
    for event, element in iterparse(stream, events=("start", "end"), forbid_dtd=True):
        tag = element.tag
        if event == "start":
            if tag == _DATA:
                data = element
        elif tag == _ROW:
            row = _look_at_row(element, row, seen)
            if data is not None:
                data.clear()  # what was looked at need not be kept
        elif tag == _COLUMN:
            if element.get("hidden") in _TRUE:
                seen.hidden_columns.append((int(element.attrib["min"]), int(element.attrib["max"])))
        elif tag == _MERGE:
            seen.merged.append(_area(element.attrib["ref"]))
    return seen


def _look_at_row(element: Element, previous: int, seen: Look) -> int:
    """Look at a row and its cells; gives the row's number."""
    row = int(float(element.get("r", previous + 1)))
    if row <= previous:
        raise ValueError("rows out of order")
    if element.get("hidden") in _TRUE:
        seen.hidden_rows.add(row)
    column = 0
    for cell in element:
        reference = cell.get("r")
        cell_row, cell_column = coordinate_to_tuple(reference) if reference else (row, column + 1)
        if (cell_row, cell_column > column) != (row, True):
            raise ValueError("cells out of order")
        column = cell_column
        _look_at_cell(cell, Cell(row, column), seen)
    return row


def _look_at_cell(element: Element, cell: Cell, seen: Look) -> None:
    value = element.findtext(_VALUE)
    is_formula = element.find(_FORMULA) is not None
    # A formula that comes to an empty text has t="str"; openpyxl and others write an empty <v> for "not known".
    if is_formula and not value and element.get("t") != "str":
        seen.without_value.append(cell)
    if (value or is_formula or element.find(_INLINE) is not None) and cell.column > seen.rightmost.column:
        seen.rightmost = cell


def _area(name: str) -> Area:
    left, top, right, bottom = range_boundaries(name)
    if left is None or top is None or right is None or bottom is None:
        raise ValueError("not an area of cells")
    return Area(top=top, bottom=bottom, left=left, right=right, name=name)
