"""Reading binary Excel workbooks (.xlsb): records of [MS-XLSB] in the parts of a zip archive.

A record is a type (one or two bytes), a length (up to four, seven bits each) and so many bytes. Only the few types
that say what a cell holds, and what is hidden, are looked at.
"""

from __future__ import annotations

import posixpath
import struct
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from openpyxl.styles.numbers import BUILTIN_FORMATS
from openpyxl.utils.datetime import CALENDAR_MAC_1904, CALENDAR_WINDOWS_1900

from batch_orders.adapters.workbook_sheets import (
    GENERAL,
    LAST_COLUMN,
    LAST_ROW,
    MOST_SHEETS,
    Area,
    Found,
    Grid,
    Hidden,
    TooManyRowsError,
    TooManySheetsError,
    number,
    rows_of,
    table_of,
)
from batch_orders.adapters.xml_events import listen
from batch_orders.models import Cell

if TYPE_CHECKING:
    import datetime as dt
    import io
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
    from pathlib import Path

    from batch_orders.adapters.sheet_parts import Table
    from batch_orders.models import Limits

WORKBOOK: Final = "xl/workbook.bin"
_RELATIONS, _STRINGS, _STYLES = "xl/_rels/workbook.bin.rels", "xl/sharedStrings.bin", "xl/styles.bin"

# Types of records, by their names in [MS-XLSB] 2.3.
_ROW_HEADER, _BLANK, _RK, _ERROR, _BOOL, _REAL, _STRING, _SHARED = range(8)
_FORMULA_STRING, _FORMULA_NUMBER, _FORMULA_BOOL, _FORMULA_ERROR = range(8, 12)
# The same as BLANK to SHARED, of the cell after the last one: without its column.
_SHORT_BLANK, _SHORT_SHARED, _SHORT = 12, 18, 11
_SHARED_ITEM, _FORMAT, _XF, _COLUMN, _RICH_STRING = 19, 44, 47, 60, 62
_WORKBOOK_PROPERTIES, _SHEET, _MERGED, _CELL_XFS, _END_CELL_XFS = 153, 156, 176, 617, 618

_ERRORS = {
    0x00: "#NULL!", 0x07: "#DIV/0!", 0x0F: "#VALUE!", 0x17: "#REF!", 0x1D: "#NAME?", 0x24: "#NUM!", 0x2A: "#N/A",
    0x2B: "#GETTING_DATA",
}  # fmt: skip
_RELATION = "http://schemas.openxmlformats.org/package/2006/relationships Relationship"
_TWO_BYTES, _SEVEN_BITS, _LENGTH_BYTES = 0x80, 0x7F, 4
_LONGEST_HEAD = 2 + _LENGTH_BYTES
_PIECE: Final = 2**18
_MOST_TEXTS: Final = 2_000_000
# For each row that the limits allow, on average: far more than a row of orders has.
_RECORDS_A_ROW: Final = 30


@dataclass(slots=True, kw_only=True)
class _Book:
    """What all sheets share: the archive, texts, number formats by style, which day is 1, and how much may be read."""

    archive: zipfile.ZipFile
    limits: Limits
    records_left: int
    texts: Sequence[str] = ()
    formats: Sequence[str] = ()
    epoch: dt.datetime = CALENDAR_WINDOWS_1900

    def records(self, part: str) -> Iterator[tuple[int, bytes]]:
        """The records of a part, if there is such a part: each one's type, and its bytes.

        ValueError or IndexError where the last is cut short, TooManyRowsError where they are too many altogether.
        """
        if part not in self.archive.namelist():
            return
        with self.archive.open(part) as stream:
            buffer, at = stream.read(_PIECE), 0
            while True:
                if len(buffer) - at < _LONGEST_HEAD:
                    buffer, at = buffer[at:] + stream.read(_PIECE), 0
                    if not buffer:
                        return
                self.records_left -= 1
                if self.records_left < 0:
                    raise TooManyRowsError
                kind, length, at = _head(buffer, at)
                end = at + length
                if end > len(buffer):
                    buffer, at, end = buffer[at:] + stream.read(max(_PIECE, end - len(buffer))), 0, length
                    if end > len(buffer):
                        raise ValueError("a record is cut short")
                yield kind, buffer[at:end]
                at = end


def read_table(path: Path, safe: io.BytesIO, sheet_name: str | None, limits: Limits) -> Table:
    """The cells of the sheet that is asked for, else of the one with orders; `safe` is the screened archive.

    SheetError as `choose`; whatever zipfile and the XML parser raise, ValueError or struct.error, where it is broken.
    """
    with zipfile.ZipFile(safe) as archive:
        book = _Book(archive=archive, limits=limits, records_left=limits.rows * _RECORDS_A_ROW)
        sheets = _sheets(book)
        book.texts = _texts(book)
        book.formats = _formats(book)
        return table_of(path, sheets, sheet_name, limits)


class _Sheet:
    """One sheet, in a part of its own."""

    def __init__(self, title: str, part: str, book: _Book, *, is_hidden: bool) -> None:
        self.title = title
        self.is_hidden = is_hidden
        self._part = part
        self._book = book

    def texts(self) -> Generator[tuple[int, Sequence[str]], None, None]:
        """Its rows, as far as they are asked for."""
        return rows_of(self._cells(Hidden()), self._book.limits)

    def fill(self, grid: Grid) -> None:
        """Read the whole of it."""
        for found in self._cells(grid.hidden):
            grid.add(found)

    def _cells(self, hidden: Hidden) -> Iterator[Found]:
        row, column = 0, -1
        for kind, data in self._book.records(self._part):
            if kind == _ROW_HEADER:
                row, column = _row(data, after=row), -1
                if data[11] & 0x10:  # fDyZero: no height
                    hidden.rows.add(row)
            elif kind <= _SHORT_SHARED or kind == _RICH_STRING:
                whole, its_data = _in_full(kind, data, column)
                at, style = struct.unpack_from("<II", its_data)
                if not row or not column < at < LAST_COLUMN:
                    raise ValueError("cells out of order")
                column = at
                if whole != _BLANK:
                    yield self._found(Cell(row, column + 1), whole, its_data, style & 0xFFFFFF)
            else:
                _see(kind, data, hidden, self._book.limits)

    def _found(self, cell: Cell, kind: int, data: bytes, style: int) -> Found:
        formats = self._book.formats
        return _VALUES[kind](cell, data, formats[style] if style < len(formats) else GENERAL, self._book)


def _row(data: bytes, *, after: int) -> int:
    row = int(struct.unpack_from("<I", data)[0]) + 1
    if not after < row <= LAST_ROW:
        raise ValueError("rows out of order")
    return row


def _in_full(kind: int, data: bytes, before: int) -> tuple[int, bytes]:
    """A cell's record with its column: a short one stands for the cell after the last one."""
    if _SHORT_BLANK <= kind <= _SHORT_SHARED:
        return kind - _SHORT, struct.pack("<I", before + 1) + data
    return kind, data


def _see(kind: int, data: bytes, hidden: Hidden, limits: Limits) -> None:
    """What a sheet hides, but for rows."""
    if kind == _COLUMN:
        first, last = struct.unpack_from("<II", data)
        if struct.unpack_from("<H", data, 16)[0] & 1:
            hidden.columns.append((first + 1, last + 1))
    elif kind == _MERGED:
        top, bottom, left, right = struct.unpack_from("<IIII", data)
        hidden.merged.append(Area(top + 1, bottom + 1, left + 1, right + 1))
    if len(hidden.merged) > limits.rows or len(hidden.columns) > LAST_COLUMN:
        raise ValueError("too many of them")


def _head(buffer: bytes, at: int) -> tuple[int, int, int]:
    """A record's type, its length, and where its bytes begin. IndexError where it is cut short."""
    kind, length = buffer[at], buffer[at + 1]
    if not (kind | length) & _TWO_BYTES:  # as most are
        return kind, length, at + 2
    at += 1
    if kind & _TWO_BYTES:
        kind = (kind & _SEVEN_BITS) | (buffer[at] & _SEVEN_BITS) << 7
        at += 1
    length = 0
    for position in range(_LENGTH_BYTES):
        byte = buffer[at]
        at += 1
        length |= (byte & _SEVEN_BITS) << (7 * position)
        if not byte & _TWO_BYTES:
            break
    return kind, length, at


def _text(data: bytes, offset: int) -> tuple[str, int]:
    """A text with its length before it, and where it ends. A missing one has the length 0xFFFFFFFF."""
    (length,) = struct.unpack_from("<I", data, offset)
    offset += 4
    if length == 0xFFFFFFFF:  # noqa: PLR2004 - see above
        return "", offset
    end = offset + 2 * length
    if end > len(data):
        raise ValueError("a text is cut short")
    return data[offset:end].decode("utf-16-le"), end


def _sheets(book: _Book) -> list[_Sheet]:
    """The workbook's sheets of cells (not of charts)."""
    relations = _Relations()
    with book.archive.open(_RELATIONS) as part:
        listen(part, relations)
    sheets = []
    for kind, data in book.records(WORKBOOK):
        if kind == _WORKBOOK_PROPERTIES and data[0] & 1:
            book.epoch = CALENDAR_MAC_1904
        elif kind == _SHEET:
            (state,) = struct.unpack_from("<I", data)
            relation, offset = _text(data, 8)
            title, _ = _text(data, offset)
            part_name = relations.targets.get(relation, "")
            if "/worksheets/" in part_name:
                sheets.append(_Sheet(title, part_name, book, is_hidden=state != 0))
        if len(sheets) > MOST_SHEETS:
            raise TooManySheetsError
    return sheets


class _Relations:
    """Listens to the workbook's relations: which part is meant by which id."""

    def __init__(self) -> None:
        self.targets: dict[str, str] = {}

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == _RELATION:
            target = posixpath.normpath(posixpath.join("/xl", attributes["Target"]))
            self.targets[attributes["Id"]] = target.lstrip("/")

    def text(self, text: str) -> None:
        """Says nothing."""

    def end(self, name: str) -> None:
        """Says nothing."""


def _texts(book: _Book) -> list[str]:
    texts: list[str] = []
    for kind, data in book.records(_STRINGS):
        if kind == _SHARED_ITEM:
            # The byte before each text says whether it is rich or has phonetics, which come after it.
            texts.append(_text(data, 1)[0])
            if len(texts) > _MOST_TEXTS:
                raise ValueError("too many texts")
    return texts


def _formats(book: _Book) -> list[str]:
    """The number format of each style that cells have."""
    known = dict(BUILTIN_FORMATS)
    formats: list[str] = []
    in_cells = False
    for kind, data in book.records(_STYLES):
        if kind == _FORMAT:
            known[struct.unpack_from("<H", data)[0]] = _text(data, 2)[0]
        elif kind in {_CELL_XFS, _END_CELL_XFS}:
            in_cells = kind == _CELL_XFS
        elif kind == _XF and in_cells:
            formats.append(known.get(struct.unpack_from("<H", data, 2)[0], GENERAL))
    return formats


# What a cell holds: its record has its column and style in the first eight bytes --------------------------------------


def _error(cell: Cell, data: bytes, _: str, __: _Book) -> Found:
    return Found(cell, _ERRORS.get(data[8], "#ERROR"), is_error=True)


def _bool(cell: Cell, data: bytes, number_format: str, _: _Book) -> Found:
    return Found(cell, bool(data[8]), number_format)


def _string(cell: Cell, data: bytes, _: str, __: _Book) -> Found:
    return Found(cell, _text(data, 8)[0])


def _rich_string(cell: Cell, data: bytes, _: str, __: _Book) -> Found:
    return Found(cell, _text(data, 9)[0])


def _shared(cell: Cell, data: bytes, _: str, book: _Book) -> Found:
    return Found(cell, book.texts[struct.unpack_from("<I", data, 8)[0]])


def _real(cell: Cell, data: bytes, number_format: str, book: _Book) -> Found:
    return number(cell, struct.unpack_from("<d", data, 8)[0], number_format, book.epoch)


def _rk(cell: Cell, data: bytes, number_format: str, book: _Book) -> Found:
    """A number in four bytes: an integer, or the upper half of a double; perhaps a hundredth of it."""
    (coded,) = struct.unpack_from("<I", data, 8)
    value = float(coded >> 2 if coded < 1 << 31 else (coded >> 2) - (1 << 30))
    if not coded & 2:
        (value,) = struct.unpack("<d", struct.pack("<Q", (coded & 0xFFFFFFFC) << 32))
    return number(cell, value / 100 if coded & 1 else value, number_format, book.epoch)


_VALUES: dict[int, Callable[[Cell, bytes, str, _Book], Found]] = {
    _RK: _rk,
    _ERROR: _error,
    _BOOL: _bool,
    _REAL: _real,
    _STRING: _string,
    _SHARED: _shared,
    _FORMULA_STRING: _string,
    _FORMULA_NUMBER: _real,
    _FORMULA_BOOL: _bool,
    _FORMULA_ERROR: _error,
    _RICH_STRING: _rich_string,
}
