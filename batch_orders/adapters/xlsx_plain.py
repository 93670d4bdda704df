"""Reading the XML of a plain worksheet at once, where openpyxl would build an object for each tag of it.

Plain is what Excel, LibreOffice, Google and the usual libraries write: every row and cell says where it stands, and
nothing else stands in between. Most rows of a sheet are written alike, and many of them are read at once (xlsx_usual).
Whatever is not plain (a prefix, a comment, rich text, a cell in an unusual form) is given back as None for openpyxl,
which is exact, to read; what is read here is what openpyxl would have read (docs/decisions/0019).
"""

from __future__ import annotations

import io
import operator
import re
from dataclasses import dataclass, field
from functools import partial
from itertools import compress, pairwise
from typing import IO, TYPE_CHECKING, Final, Protocol, TypeVar

from openpyxl.utils import column_index_from_string
from openpyxl.worksheet._reader import WorkSheetParser

from batch_orders.adapters.sheet_parts import HEADER_WITHIN, FoundOnce, Rows
from batch_orders.adapters.workbook_sheets import LAST_ROW, Hidden, as_text, kept
from batch_orders.adapters.xlsx_look import look
from batch_orders.adapters.xlsx_usual import Usual
from batch_orders.models import Cell, Originals, Value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batch_orders.adapters.xlsx_usual import UsualRows
    from batch_orders.models import Limits

T = TypeVar("T")

# The first piece shows how the rows are written.
_FIRST_PIECE: Final = 2**16
_PIECE: Final = 2**20
_MOST_BEFORE_ROWS: Final = 8 * _PIECE
# Of the different columns that rows have, how many are remembered.
_MOST_KNOWN: Final = 10_000
_MAIN: Final = b'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_BEGIN, _END = b"<sheetData>", b"</sheetData>"
_ATTRIBUTES = r'(?: [A-Za-z][\w:.]*="[^"<>&]*")*'
_ROW = re.compile(rf' r="([1-9][0-9]{{0,6}})"({_ATTRIBUTES})(?: ?/>|>(.*)</row>)', re.DOTALL)
_ROW_ATTRIBUTES = re.compile(_ATTRIBUTES)
_HIDDEN = re.compile(r' (?:hidden="(?:1|true)|ht="0+(?:\.0*)?)"')
# Column, row, style, kind, formula, value, and text of its own. Splitting by it shows whether anything stands between.
_CELL = re.compile(
    r'<c r="([A-Z]{1,3})([1-9][0-9]{0,6})"(?: s="([0-9]{1,6})")?(?: t="(s|n|str|b|e|inlineStr)")?(?: ?/>|>(?:'
    rf"(<f{_ATTRIBUTES}(?: ?/>|>[^<>]*</f>))?(?:<v>([^<>]*)</v>|<v ?/>)?"
    r'|<is><t(?: xml:space="preserve")?>([^<>]*)</t></is>)</c>)'
)
_GROUPS: Final = 8
_NUMBERS = frozenset({None, "n", "b"})
_TEXT = re.compile(r'<si><t(?: xml:space="preserve")?(?: ?/>|>([^<>]*)</t>)</si>')
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?")
_REFERENCE = re.compile(r"&(?:#x([0-9A-Fa-f]{1,6})|#([0-9]{1,7})|(amp|lt|gt|quot|apos));")
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_IN_XML = re.compile("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# Bytes and characters that XML cannot hold.
_CONTROLS = bytes(set(range(0x20)) - {0x09, 0x0A, 0x0D})
_NO_XML = ("\ufffe", "\uffff")
_CDATA_END = b"]]>"
# How a character that XML cannot hold is written in a cell (ECMA-376, ST_Xstring), _x000D_ say, and the underscore of a
# text that only looks so, _x005F_x000D_; openpyxl leaves both as they stand. Half a surrogate pair is no character.
_ESCAPED = re.compile(r"_x((?![dD][89a-fA-F])[0-9a-fA-F]{4})_")


class _NotPlainError(Exception):
    """Something that openpyxl had better read."""


@dataclass(slots=True, kw_only=True)
class PlainSheet:
    """The rows of a sheet that hold something, as `Table` has them, and what is hidden."""

    rows: Rows = field(default_factory=Rows)
    row_numbers: list[int] = field(default_factory=list)
    originals: Originals = field(default_factory=Originals)
    hidden: Hidden = field(default_factory=Hidden)


def unescaped(text: str) -> str:
    """A cell's text with the characters that XML cannot hold."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text) if "_x" in text else text


def plain_texts(part: bytes) -> list[str] | None:
    """The texts that a workbook's cells share, as openpyxl gives them; None where one of them is not plain."""
    try:
        head, sst, rest = _readable(part).partition("<si>")
        body, _, tail = (sst + rest).rpartition("</sst>")
        _require(re.fullmatch(rf"(?:<\?xml[^<>]*\?>)?\s*<sst{_ATTRIBUTES}>", head) and _MAIN.decode() in head)
        _require(not tail.strip())
        pieces = _TEXT.split(body)
        _require(not "".join(pieces[::2]).strip())
        # openpyxl drops this marker, wherever it stands.
        return [_resolved(text or "").replace("x005F_", "") for text in pieces[1::2]]
    except (_NotPlainError, ValueError):
        return None


class Typed(Protocol):
    """What a cell with a number or a yes/no holds."""

    def __call__(self, text: str, *, is_bool: bool, style: int) -> tuple[object, str]:
        """Its value (a date, where the style says so) and its number format."""


def plain_sheet(part: IO[bytes], texts: Sequence[str], typed: Typed, limits: Limits) -> PlainSheet | None:
    """The cells of a worksheet; None where it is not plain, is broken, or is larger than the limits.

    `texts` are those that the workbook's cells share.
    """
    reader = _Reader(texts, typed, limits)
    try:
        around = reader.read(part)
        # What stands beside the rows is little; these two know every way to write it, and what is broken in it.
        beside = look(io.BytesIO(around), limits)
        for _ in WorkSheetParser(io.BytesIO(around), []).parse():
            pass
    except Exception:  # noqa: BLE001 - whatever it is, the exact reader says it better
        return None
    reader.sheet.hidden.merged, reader.sheet.hidden.columns = beside.merged, beside.columns
    return reader.sheet


class _Reader:
    """Fills a `PlainSheet`, row by row."""

    def __init__(self, texts: Sequence[str], typed: Typed, limits: Limits) -> None:
        self.sheet = PlainSheet()
        self._most_rows, self._most_columns = limits.rows + HEADER_WITHIN, limits.columns
        self._last_row = self._full_rows = 0
        self._columns: dict[tuple[str, ...], tuple[int, ...]] = {}
        self._usual = Usual()
        self._unusual_rows: list[list[str]] = []
        # Neither knows this reader: else all that it holds would be in memory until garbage is collected.
        self._texts_in = FoundOnce(partial(_texts_of, texts))
        self._numbers_in = FoundOnce(partial(_numbers_of, typed))

    def read(self, part: IO[bytes]) -> bytes:
        """Take in every row; gives the part without its rows."""
        buffer = part.read(_FIRST_PIECE)
        while _BEGIN not in buffer:
            buffer += _more(part)
            _require(len(buffer) < _MOST_BEFORE_ROWS)
        head, _, buffer = buffer.partition(_BEGIN)
        _require(_MAIN in head and _is_utf8(head))
        while _END not in buffer:
            cut = max(buffer.rfind(b"<row "), 0)
            self._take_in(buffer[:cut])
            buffer = buffer[cut:] + _more(part)
        rows, _, tail = buffer.partition(_END)
        self._take_in(rows)
        return head + b"<sheetData/>" + tail + part.read()

    def _take_in(self, xml: bytes) -> None:
        text = _readable(xml)
        if self._last_row < HEADER_WITHIN:  # whose rows keep their lengths
            self._one_by_one(text)
            return
        for rows, others in self._usual.split(text):
            if rows.numbers:
                self._at_once(rows)
            self._one_by_one(others)

    def _at_once(self, rows: UsualRows) -> None:
        numbers = list(map(int, rows.numbers))
        _require(all(map(operator.lt, (self._last_row, *numbers), (*numbers, LAST_ROW + 1))))
        self._last_row = numbers[-1]
        self._full_rows += len(numbers)
        _require(self._full_rows <= self._most_rows)
        for attributes in set(rows.attributes):
            _require(_ROW_ATTRIBUTES.fullmatch(attributes))
            if _HIDDEN.search(attributes):
                hidden = zip(numbers, rows.attributes, strict=True)
                self.sheet.hidden.rows.update(number for number, its in hidden if its == attributes)
        texts: dict[int, Sequence[str]] = {}
        values: dict[int, Sequence[Value | None]] = {}
        for way, cells in rows.cells:
            if not any(cells):
                continue  # none, or without a text
            if way.kind in _NUMBERS:
                found = list(map(self._numbers_in[way.kind, way.style].__getitem__, cells))
                values[way.column] = _merged(values.get(way.column), [value for _, value in found])
                its_texts = [text for text, _ in found]
            else:
                its_texts = list(map(self._texts_in[way.column, way.kind].__getitem__, cells))
            texts[way.column] = _merged(texts.get(way.column), its_texts)
        if not any(map(all, texts.values())):
            holds = list(map(any, zip(*texts.values(), strict=True)))
            numbers = list(compress(numbers, holds))
            texts = {column: list(compress(each, holds)) for column, each in texts.items()}
            values = {column: list(compress(each, holds)) for column, each in values.items()}
        self._put(numbers, texts, values)

    def _put(
        self,
        numbers: Sequence[int],
        texts: Mapping[int, Sequence[str]],
        values: Mapping[int, Sequence[Value | None]],
    ) -> None:
        sheet, blank = self.sheet, [""] * len(numbers)
        for column, its_values in values.items():
            sheet.originals.put(len(sheet.rows), column - 1, its_values)
        columns = range(1, max(texts, default=0) + 1)
        sheet.rows.extend_columns(len(numbers), [texts.get(column, blank) for column in columns])
        sheet.row_numbers += numbers

    def _one_by_one(self, xml: str) -> None:
        before, *rows = xml.split("<row")
        _require(not before.strip())
        for row in rows:
            match = _ROW.fullmatch(row.rstrip())
            if match is None:
                raise _NotPlainError
            self._row(match[1], match[2], match[3] or "")
        self.sheet.rows.extend(self._unusual_rows)
        self._unusual_rows = []

    def _row(self, number: str, attributes: str, xml: str) -> None:
        """One row: each of its cells says where it is, and nothing stands between them."""
        row = int(number)
        _require(self._last_row < row <= LAST_ROW)
        self._last_row = row
        if attributes and _HIDDEN.search(attributes):
            self.sheet.hidden.rows.add(row)
        parts = _CELL.split(xml)
        _require(not any(parts[::_GROUPS]) and parts[2::_GROUPS].count(number) == len(parts) // _GROUPS)
        letters = tuple(parts[1::_GROUPS])
        if letters:
            self._cells(row, self._columns.get(letters) or self._placed(letters), parts)

    def _placed(self, letters: tuple[str, ...]) -> tuple[int, ...]:
        """The numbers of these columns, which nearly every row has."""
        columns = tuple(column_index_from_string(each) for each in letters)
        _require(all(before < after for before, after in pairwise(columns)) and columns[-1] <= self._most_columns)
        if len(self._columns) < _MOST_KNOWN:
            self._columns[letters] = columns
        return columns

    def _cells(self, row: int, columns: Sequence[int], parts: Sequence[str]) -> None:
        sheet = self.sheet
        texts = [""] * columns[-1]
        holds = lacks_value = False
        each = zip(columns, *(parts[group::_GROUPS] for group in range(3, _GROUPS)), strict=True)
        for column, style, kind, formula, value, own in each:
            if value or own is not None:
                texts[column - 1] = self._text(Cell(row, column), kind, style, value, own)
                holds = True
            if formula:
                _resolved(formula)
                holds = True
                if not value and kind != "str":
                    sheet.hidden.without_value.append(Cell(row, column))
                    lacks_value = True
        self._full_rows += holds
        _require(self._full_rows <= self._most_rows)
        if lacks_value or any(texts):
            self._unusual_rows.append(texts)
            sheet.row_numbers.append(row)

    def _text(self, cell: Cell, kind: str | None, style: str | None, value: str | None, own: str | None) -> str:
        """What stands in a cell, in whichever way it is written."""
        _require((own is not None) == (kind == "inlineStr"))
        if kind == "e":
            error = _resolved(value or "")
            self.sheet.hidden.errors.append((cell, error))
            return unescaped(error)
        self._usual.learn(cell.column, style, kind)
        if kind not in _NUMBERS:
            return self._texts_in[cell.column, kind][value if own is None else own]
        text, original = self._numbers_in[kind, style][value]
        assert original is not None  # noqa: S101 - for the type checker: there is a value
        self.sheet.originals.put(len(self.sheet.row_numbers), cell.column - 1, [original])
        return text


def _texts_of(shared: Sequence[str], column: tuple[int, str | None]) -> FoundOnce[str | None, str]:
    """How texts of one kind are read; each column has its own, as most of its texts are in no other."""
    if column[1] == "s":
        return FoundOnce(lambda index: _shared(shared, int(index)) if index else "")
    return FoundOnce(lambda text: unescaped(_resolved(text)) if text else "")


def _shared(texts: Sequence[str], index: int) -> str:
    _require(index >= 0)
    return unescaped(texts[index])


def _numbers_of(typed: Typed, how: tuple[str | None, str | None]) -> FoundOnce[str | None, tuple[str, Value | None]]:
    """How numbers of one kind and style are read."""
    kind, style = how

    def read(value: str | None) -> tuple[str, Value | None]:
        if not value:
            return "", None
        _require(_NUMBER.fullmatch(value))
        found, number_format = typed(value, is_bool=kind == "b", style=int(style or 0))
        return as_text(found, number_format), Value(kept(found), number_format)

    return FoundOnce(read)


def _merged(one: Sequence[T] | None, other: Sequence[T]) -> Sequence[T]:
    """What a column's cells hold that are written in several ways, each cell in one of them."""
    return other if one is None else [a or b for a, b in zip(one, other, strict=True)]


def _require(condition: object) -> None:
    if not condition:
        raise _NotPlainError


def _more(part: IO[bytes]) -> bytes:
    piece = part.read(_PIECE)
    _require(piece)
    return piece


def _is_utf8(head: bytes) -> bool:
    """Whether the part is UTF-8, as XML is unless it says otherwise in its first line."""
    declaration = re.match(rb"\s*<\?xml([^<>]*)\?>\s*", head)
    encoding = re.search(rb"encoding\s*=\s*[\"']([^\"']*)", declaration[1]) if declaration else None
    begins = head[declaration.end() :] if declaration else head
    return (encoding is None or encoding[1].lower() == b"utf-8") and begins.startswith(b"<worksheet ")


def _readable(xml: bytes) -> str:
    """A piece of a part as text, its lines' ends as XML reads them; refused where XML cannot hold what is in it."""
    _require(len(xml.translate(None, _CONTROLS)) == len(xml))
    _require(b"]" not in xml or _CDATA_END not in xml)
    if b"\r" in xml:
        xml = xml.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    text = xml.decode()
    _require(not any(each in text for each in _NO_XML))
    return text


def _resolved(text: str) -> str:
    """The text with its references resolved; none may be unknown."""
    if "&" not in text:
        return text
    found, count = _REFERENCE.subn(_referred, text)
    _require(count == text.count("&"))
    return found


def _referred(match: re.Match[str]) -> str:
    if match[3]:
        return _ENTITIES[match[3]]
    character = chr(int(match[1], 16) if match[1] else int(match[2]))
    _require(_IN_XML.match(character))
    return character
