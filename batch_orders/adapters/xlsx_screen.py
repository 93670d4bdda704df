"""A workbook's archive made safe to read: nothing in it that is there to exhaust the reader, and no empty cells.

Each part is gone through once, in small pieces, and what no spreadsheet writes is refused. Where anything has to be
changed the archive is copied: the names of Strict Open XML become the usual ones (openpyxl knows no others), and cells
and rows that hold nothing but a style are left out: a million of them are common, and take openpyxl minutes.
"""

from __future__ import annotations

import io
import re
import zipfile
from typing import IO, TYPE_CHECKING, Final

import numpy as np

from batch_orders.errors import SheetError
from batch_orders.messages import sheets as messages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from batch_orders.models import Limits

_MOST_ENTRIES: Final = 2_000
# Apart from cells and texts nothing grows with the number of rows.
_MOST_OF_ANOTHER_PART: Final = 10 * 10**6
_MOST_TEXTS: Final = 2_000_000
# Columns, merged cells, conditional formats: all that stands beside a sheet's rows.
_MOST_BESIDE_ROWS: Final = 4 * 10**6
_MOST_CELLS_IN_A_ROW: Final = 20_000
_PIECE: Final = 2**18
# Nothing that Excel writes is nested deeper than a few dozen elements.
_DEEPEST: Final = 1_000
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})

_SHEET = re.compile(r"xl/worksheets/[^/]+\.xml", re.IGNORECASE)
_TEXTS = re.compile(r"xl/sharedStrings\.xml", re.IGNORECASE)
# The sheets of an .ods; sheets and texts of an .xlsb are no XML.
_CONTENT = "content.xml"
_BINARY = re.compile(r"xl/(?:workbook|styles)\.bin")
_ROWS_END = re.compile(rb"</(?:[A-Za-z_][\w.-]*:)?sheetData")
_XML = re.compile(r".*\.(?:xml|rels)", re.IGNORECASE)

_NAME = rb"(?:[A-Za-z_][\w.-]*:)?"
_ATTRIBUTES = rb"(?:\s[^<>]*)?\sr=[^<>]*"
_NOTHING = rb"\s*(?:<%sv(?:/>|></%sv>)\s*)?" % (_NAME, _NAME)
# A cell, then a row, that says where it stands and holds nothing. (Without r= it would be the next one's place.)
_EMPTY_CELL = re.compile(rb"<%sc%s(?:/>|(?<!/)>%s</%sc>)" % (_NAME, _ATTRIBUTES, _NOTHING, _NAME))
_USUAL_EMPTY_CELL = re.compile(rb'<c r="[A-Z]{1,3}[0-9]{1,7}"(?: s="[0-9]{1,6}")?/>')
_EMPTY_ROW = re.compile(rb"<%srow%s(?:/>|(?<!/)>\s*</%srow>)" % (_NAME, _ATTRIBUTES, _NAME))
# A row or cell that is where it is because of the one before.
_UNPLACED = re.compile(rb"<%s(?:row|c)(?=[\s/>])(?![^<>]*\sr=)" % _NAME)

_STRICT: Final = b"http://purl.oclc.org/ooxml/"
_USUAL_NAMES = (
    (_STRICT + b"spreadsheetml/main", b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"),
    (_STRICT + b"drawingml/main", b"http://schemas.openxmlformats.org/drawingml/2006/main"),
    (
        _STRICT + b"officeDocument/relationships/metadata/core-properties",
        b"http://schemas.openxmlformats.org/package/2006/relationships/metadata/core-properties",
    ),
    (
        _STRICT + b"officeDocument/extendedProperties",
        b"http://schemas.openxmlformats.org/officeDocument/2006/extended-properties",
    ),
    (
        _STRICT + b"officeDocument/customProperties",
        b"http://schemas.openxmlformats.org/officeDocument/2006/custom-properties",
    ),
    (_STRICT + b"officeDocument/", b"http://schemas.openxmlformats.org/officeDocument/2006/"),
)


def refuse_bombs(path: Path, archive: zipfile.ZipFile, limits: Limits) -> None:
    """SheetError for an archive that grows beyond measure: its list of contents says so before anything is unpacked."""
    entries = archive.infolist()
    inflated = sum(entry.file_size for entry in entries)
    if len(entries) > _MOST_ENTRIES or inflated > limits.unpacked_size:
        what = messages.unpacks_to(inflated, len(entries))
        raise SheetError(messages.too_large(path, what), hint=messages.split_it("max_unpacked_size"))
    for entry in entries:
        is_read = _XML.fullmatch(entry.filename) or _BINARY.fullmatch(entry.filename)
        if is_read and not _grows(entry.filename) and entry.file_size > _MOST_OF_ANOTHER_PART:
            what = messages.part_unpacks_to(entry.filename, entry.file_size)
            raise SheetError(messages.too_large(path, what), hint=messages.save_anew())


def screened(archive: zipfile.ZipFile, content: bytes) -> io.BytesIO:
    """An archive of which this is the content, as it is or mended.

    ValueError, or zipfile's own errors, where no spreadsheet wrote it.
    """
    names = archive.namelist()
    if len({name.casefold() for name in names}) < len(names):
        raise ValueError("a part is there twice")
    to_mend = {entry.filename for entry in archive.infolist() if _has_to_be_mended(archive, entry)}
    if not to_mend:
        return io.BytesIO(content)
    copy = io.BytesIO()
    with zipfile.ZipFile(copy, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as made:
        for entry in archive.infolist():
            if entry.is_dir():
                continue
            with archive.open(entry) as part, made.open(entry.filename, "w") as copied:
                for piece in _mended(entry.filename, part) if entry.filename in to_mend else _pieces(part):
                    copied.write(piece)
    copy.seek(0)
    return copy


def _has_to_be_mended(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bool:
    """Whether a part cannot be read as it is; ValueError where it cannot be read at all."""
    if entry.compress_type not in _METHODS:
        raise ValueError("an unusual compression")
    if entry.is_dir():
        return False
    with archive.open(entry) as part:
        if not _XML.fullmatch(entry.filename):
            for _ in _pieces(part):  # zipfile looks whether it is whole
                pass
            return False
        is_sheet = _SHEET.fullmatch(entry.filename) is not None
        guard = _Guard(is_sheet=is_sheet, has_texts=_TEXTS.fullmatch(entry.filename) is not None)
        found = False
        for piece in _cut_pieces(part):
            guard.let_pass(piece)
            found = found or _STRICT in piece or (is_sheet and _may_hold_empty(piece))
        return found


def _grows(name: str) -> bool:
    """Whether a part may grow with the number of rows."""
    return name == _CONTENT or _SHEET.fullmatch(name) is not None or _TEXTS.fullmatch(name) is not None


def _pieces(part: IO[bytes]) -> Iterator[bytes]:
    while piece := part.read(_PIECE):
        yield piece


def _cut_pieces(part: IO[bytes]) -> Iterator[bytes]:
    """The pieces of an XML part, cut between rows or tags; ValueError where that cannot be done."""
    rest, silence = b"", 0
    for read in _pieces(part):
        # A tag or a text of this length costs an XML parser the square of it.
        silence = 0 if b"<" in read else silence + 1
        if silence > 1:
            raise ValueError("an endless tag or text")
        piece, rest = _cut(rest + read)
        yield piece
    yield rest


def _mended(name: str, part: IO[bytes]) -> Iterator[bytes]:
    """The pieces of an XML part with the usual names and, where that changes nothing, without empty cells."""
    is_plain, is_strict = _SHEET.fullmatch(name) is not None, False
    for piece in _cut_pieces(part):
        # In CDATA what looks like a cell is somebody's text.
        is_plain = is_plain and b"<![" not in piece and _all_placed(piece)
        is_strict = is_strict or _STRICT in piece
        named = _with_usual_names(piece) if is_strict else piece
        yield _without_empty(named) if is_plain else named


class _Guard:
    """Counts, piece by piece, what a reader would have to keep in memory; ValueError where it is too much."""

    def __init__(self, *, is_sheet: bool, has_texts: bool) -> None:
        self._is_sheet, self._has_texts = is_sheet, has_texts
        self._depth = self._texts = self._cells_in_row = self._beside_rows = 0
        self._has_begun = self._has_ended = False

    def let_pass(self, piece: bytes) -> None:
        self._depth += piece.count(b"<") - 2 * _pairs(piece, b"</") - _pairs(piece, b"/>") - _pairs(piece, b"<?")
        if b"!" in piece:  # of which there are few
            self._depth -= piece.count(b"<!")
            if b"<!DOCTYPE" in piece:
                raise ValueError("a document type")
        if self._has_texts:
            self._texts += piece.count(b"<si")
        if self._is_sheet:
            self._look_at_sheet(piece)
        if (
            self._depth > _DEEPEST
            or self._texts > _MOST_TEXTS
            or self._cells_in_row > _MOST_CELLS_IN_A_ROW
            or self._beside_rows > _MOST_BESIDE_ROWS
        ):
            raise ValueError("too many elements")

    def _look_at_sheet(self, piece: bytes) -> None:
        is_edge = b"sheetData" in piece
        self._has_begun = self._has_begun or is_edge
        if self._has_ended or not self._has_begun:
            self._beside_rows += len(piece)
            return
        last_row = max(piece.rfind(b"<row"), piece.rfind(b":row"))
        if last_row >= 0:
            self._cells_in_row = 0
        self._cells_in_row += piece.count(b"<c ", max(last_row, 0)) + piece.count(b":c ", max(last_row, 0))
        self._has_ended = is_edge and _ROWS_END.search(piece) is not None


def _cut(buffer: bytes) -> tuple[bytes, bytes]:
    """What can be handled now, and what has to wait: preferably whole rows, else whole tags, else nothing."""
    row = buffer.rfind(b"<row")
    end = row if row > 0 else buffer.rfind(b">") + 1
    return (buffer[:end], buffer[end:]) if len(buffer) - end < _PIECE else (buffer, b"")


def _may_hold_empty(xml: bytes) -> bool:
    return not _is_full(xml) and (_EMPTY_CELL.search(xml) is not None or _EMPTY_ROW.search(xml) is not None)


def _is_full(xml: bytes) -> bool:
    """Whether each cell and row ends with what it holds, as counting shows, which is faster than looking at each."""
    values = xml.count(b"v></c>")
    return (
        not _pairs(xml, b"/>")
        and values == xml.count(b"v></")
        and values + xml.count(b"is></c>") == xml.count(b"</c>")
        and xml.count(b"c></row>") == xml.count(b"</row>")
        and (b":" not in xml or (b":c>" not in xml and b":row>" not in xml))
    )


def _pairs(xml: bytes, pair: bytes) -> int:
    """How often these two different bytes stand together: where that is often, or never, bytes.count takes long."""
    octets = np.frombuffer(xml, dtype=np.uint8)
    return int(np.count_nonzero((octets[:-1] == pair[0]) & (octets[1:] == pair[1])))


def _all_placed(xml: bytes) -> bool:
    """Whether each row and cell says where it stands. As Excel writes them, counting shows it, which is faster."""
    begun = xml.count(b"<c") + xml.count(b"<row")
    return begun == xml.count(b"<c r=") + xml.count(b"<row r=") or not _UNPLACED.search(xml)


def _without_empty(xml: bytes) -> bytes:
    xml = _USUAL_EMPTY_CELL.sub(b"", xml)
    return xml if _is_full(xml) else _EMPTY_ROW.sub(b"", _EMPTY_CELL.sub(b"", xml))


def _with_usual_names(xml: bytes) -> bytes:
    for strict, usual in _USUAL_NAMES:
        xml = xml.replace(strict, usual)
    return xml
