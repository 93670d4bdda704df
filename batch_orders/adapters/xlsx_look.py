"""A look at a worksheet's XML for what openpyxl's read-only cells pass over in silence.

That is: formulas without a value, merged cells, hidden rows and columns, and rows or cells in the wrong order (which
openpyxl drops). A document type, and with it every entity, is refused; so is, at once, what is larger than the limits.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from openpyxl.utils import coordinate_to_tuple, range_boundaries

from batch_orders.adapters.sheet_parts import HEADER_WITHIN
from batch_orders.adapters.workbook_sheets import (
    LAST_COLUMN,
    LAST_ROW,
    Area,
    Hidden,
    TooManyColumnsError,
    TooManyRowsError,
)
from batch_orders.adapters.xml_events import listen
from batch_orders.models import Cell

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batch_orders.models import Limits

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main "
_ROW, _CELL, _VALUE, _FORMULA, _INLINE = (_MAIN + tag for tag in ("row", "c", "v", "f", "is"))
_COLUMN, _MERGE = (_MAIN + tag for tag in ("col", "mergeCell"))
_TRUE = frozenset({"1", "true"})


def look(stream: IO[bytes], limits: Limits) -> Hidden:
    """Everything odd in a worksheet, but for errors, which are cells like others.

    ValueError, TypeError, KeyError or the XML parser's error where it is broken; TooManyRowsError (beyond some for a
    title block and the header) or TooManyColumnsError where it is too large.
    """
    eye = _Eye(limits.rows + HEADER_WITHIN, limits.columns)
    listen(stream, eye)
    return eye.seen


class _Eye:
    """What the parser calls, in the order of the document."""

    def __init__(self, most_rows: int, most_columns: int) -> None:
        self.seen = Hidden()
        self._most_rows, self._most_columns = most_rows, most_columns
        self._row = self._column = self._full_rows = 0
        self._holds_something = self._row_holds = False
        self._is_text = self._in_value = self._has_value = self._is_formula = False

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == _CELL:
            self._begin_cell(attributes)
        elif name == _VALUE:
            self._in_value = True
        elif name == _FORMULA:
            self._is_formula = self._holds_something = True
        elif name == _INLINE:
            self._holds_something = True
        elif name == _ROW:
            self._begin_row(attributes)
        elif name == _COLUMN and _is_hidden(attributes, "width"):
            self.seen.columns.append((int(attributes["min"]), int(attributes["max"])))
            self._refuse_more_than(LAST_COLUMN, len(self.seen.columns))
        elif name == _MERGE:
            self.seen.merged.append(_area(attributes["ref"]))
            self._refuse_more_than(self._most_rows, len(self.seen.merged))

    def text(self, text: str) -> None:
        if self._in_value and text:
            self._has_value = self._holds_something = True

    def end(self, name: str) -> None:
        if name == _VALUE:
            self._in_value = False
        elif name == _CELL:
            self._end_cell()
        elif name == _ROW and self._row_holds:
            self._full_rows += 1
            if self._full_rows > self._most_rows:
                raise TooManyRowsError

    def _begin_row(self, attributes: Mapping[str, str]) -> None:
        row = int(float(attributes.get("r", self._row + 1)))
        if not self._row < row <= LAST_ROW:
            raise ValueError("rows out of order")
        self._row, self._column, self._row_holds = row, 0, False
        if _is_hidden(attributes, "ht"):
            self.seen.rows.add(row)

    def _begin_cell(self, attributes: Mapping[str, str]) -> None:
        reference = attributes.get("r")
        row, column = coordinate_to_tuple(reference) if reference else (self._row, self._column + 1)
        if row != self._row or not self._column < column <= LAST_COLUMN:
            raise ValueError("cells out of order")
        self._column = column
        self._is_text = attributes.get("t") == "str"
        self._holds_something = self._has_value = self._is_formula = False

    def _end_cell(self) -> None:
        cell = Cell(self._row, self._column)
        # A formula that comes to an empty text has t="str"; openpyxl and others write an empty <v> for "not known".
        if self._is_formula and not self._has_value and not self._is_text:
            self.seen.without_value.append(cell)
        if self._holds_something:
            self._row_holds = True
            if self._column > self._most_columns:
                raise TooManyColumnsError(cell)

    @staticmethod
    def _refuse_more_than(most: int, count: int) -> None:
        if count > most:
            raise ValueError("too many of them")


def _is_hidden(attributes: Mapping[str, str], size: str) -> bool:
    """Whether nobody sees a row or a column: it says so, or it is of no height or width."""
    return attributes.get("hidden") in _TRUE or float(attributes.get(size, "1")) == 0


def _area(name: str) -> Area:
    left, top, right, bottom = range_boundaries(name)
    if left is None or top is None or right is None or bottom is None:
        raise ValueError("not an area of cells")
    return Area(top=top, bottom=bottom, left=left, right=right)
