"""Files made to harm in other formats than .xlsx: refused with their reason, or read, within 10 s and 512 MB."""

from __future__ import annotations

import struct
import zipfile
from typing import TYPE_CHECKING

import pytest
from xlrd.compdoc import CompDoc

from tests import ole2
from tests.functional.test_hostile_files import read_in_a_child
from tests.make_cases import CASES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

_KINDS = ("xls", "xlsb", "ods")


def _case(kind: str) -> Path:
    return CASES / f"{kind}-wave" / f"sheet.{kind}"


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_cut_short(tmp_path: Path, kind: str, share: float) -> None:
    """A download that broke off."""
    content = _case(kind).read_bytes()
    path = tmp_path / f"wave.{kind}"
    path.write_bytes(content[: int(len(content) * share)])
    assert "damaged" in read_in_a_child(path)["said"]


def _changed(path: Path, case: Path, part: str, mark: bytes, pieces: Iterable[bytes]) -> Path:
    """The case with these pieces before a mark in one of its parts."""
    with zipfile.ZipFile(case) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    before, found, after = contents.pop(part).rpartition(mark)
    assert found
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
        with archive.open(part, "w", force_zip64=True) as changed:
            changed.write(before)
            for piece in pieces:
                changed.write(piece)
            changed.write(found + after)
    return path


# OpenDocument --------------------------------------------------------------------------------------------------------

_CELL = "<table:table-cell{}><text:p>x</text:p></table:table-cell>"
_NUMBER = '<table:table-cell office:value-type="float" office:value="1.5"{}><text:p>2</text:p></table:table-cell>'
_ROWS, _COLUMNS = ' table:number-rows-repeated="{}"', ' table:number-columns-repeated="{}"'


def _row(cells: str, rows: int = 1) -> bytes:
    return f"<table:table-row{_ROWS.format(rows)}>{cells}</table:table-row>".encode()


def _repeated(cell: str, columns: int) -> str:
    return cell.format(_COLUMNS.format(columns))


def _sheets(count: int) -> list[bytes]:
    body = _row(_repeated(_NUMBER, 200), 1000)
    return [
        b"</table:table>",
        *(b'<table:table table:name="s%d">%s</table:table>' % (number, body) for number in range(count)),
        b'<table:table table:name="last">',
    ]


@pytest.mark.parametrize(
    ("pieces", "says"),
    [
        (lambda: [_row(_CELL.format(""), 1_048_576)], "250,000 rows"),
        (lambda: [_row(_CELL.format(""), 10**30)], "250,000 rows"),
        (lambda: [_row(_CELL.format(""), 0)], "damaged"),
        (lambda: [_row(_repeated(_CELL, 16_384))], "200 columns (GS"),
        (lambda: [_row(_repeated(_CELL, 10**30))], "200 columns (GS"),
        (lambda: [_row(_repeated(_NUMBER, 200), 200_000)], "damaged"),
        (lambda: [_row(_repeated(_NUMBER, 200), 5_000)] * 10_000, "damaged"),
        (lambda: [_row("", 1_048_000)], ""),
        (lambda: _sheets(300), ""),
        (lambda: _sheets(2_000), "500 sheets"),
        (lambda: [b"<table:table-row/>" * 10**5] * 100, "250,000 rows"),
        (lambda: [b"<table:table-row>", b"<table:table-cell/>" * 10**6, b"</table:table-row>"], "damaged"),
        (lambda: [_row(_CELL.format("")) * 1_000] * 300, "250,000 rows"),
        (lambda: [b"<table:table-column/>" * 10**6], "damaged"),
        (lambda: [_row(_CELL.format(' table:number-rows-spanned="200000"')) * 10_000], "damaged"),
        (lambda: [_row(f'<table:table-cell><text:p><text:s text:c="{10**9}"/></text:p></table:table-cell>')], ""),
        (lambda: [b"<table:table-row><table:table-cell><text:p>", *[b"a" * 2**20] * 100], "damaged"),
        (lambda: [b"<x/>" * 10**6] * 20, "250,000 rows"),
        (lambda: [b"<x>" * 2**20, b"</x>" * 2**20], "damaged"),
    ],
)
def test_sheets_of_opendocument(tmp_path: Path, pieces: Callable[[], Iterable[bytes]], says: str) -> None:
    """A small file can say a great deal."""
    path = _changed(tmp_path / "wave.ods", _case("ods"), "content.xml", b"</table:table>", pieces())
    said = read_in_a_child(path)
    assert says in said["said"], said
    assert bool(said["rows"]) == (not says)


@pytest.mark.parametrize("part", ["content.xml", "styles.xml"])
@pytest.mark.parametrize(
    "document_type",
    [
        '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>',
        '<!DOCTYPE x SYSTEM "file:///etc/passwd">',
    ],
)
def test_document_types(tmp_path: Path, part: str, document_type: str) -> None:
    """Laughs by the billion, and files from elsewhere, begin with one."""
    path = _changed(tmp_path / "wave.ods", _case("ods"), part, b"<office:document-", [document_type.encode()])
    assert "damaged" in read_in_a_child(path)["said"]


@pytest.mark.parametrize("kind", ["xlsb", "ods"])
def test_zip_bombs(tmp_path: Path, kind: str) -> None:
    """Refused by what the archive's list of contents says."""
    path = tmp_path / f"wave.{kind}"
    path.write_bytes(_case(kind).read_bytes())
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive, archive.open("Pictures/x", "w") as part:
        for _ in range(300):
            part.write(bytes(10**6))
    assert "unpacks to 300 MB" in read_in_a_child(path)["said"]


# Binary Excel --------------------------------------------------------------------------------------------------------

_END_OF_ROWS = bytes([0x92, 0x01, 0])


def _record(kind: int, data: bytes) -> bytes:
    assert len(data) < 128 * 128
    head = bytes([kind]) if kind < 128 else bytes([kind & 0x7F | 0x80, kind >> 7])
    return head + bytes([len(data) & 0x7F | 0x80, len(data) >> 7]) + data


def _row_at(row: int) -> bytes:
    return _record(0, struct.pack("<IIHBBB", row, 0, 0, 0, 0, 0) + bytes(8))


def _number_at(column: int) -> bytes:
    return _record(5, struct.pack("<IId", column, 0, 1.0))


_BLANK = _record(1, struct.pack("<II", 0, 0))


@pytest.mark.parametrize(
    ("pieces", "says", "rows"),
    [
        (lambda: [_row_at(1_048_575), _number_at(0)], "", 7),
        (lambda: [_row_at(1_048_576), _number_at(0)], "damaged", 0),
        (lambda: [_row_at(2**32 - 1), _number_at(0)], "damaged", 0),
        (lambda: [_row_at(1), _number_at(0)], "damaged", 0),
        (lambda: [_row_at(100), _number_at(16_383)], "200 columns (XFD101)", 0),
        (lambda: [_row_at(100), _number_at(2**32 - 1)], "damaged", 0),
        (lambda: [_row_at(100), _record(7, struct.pack("<III", 0, 0, 2**31))], "damaged", 0),
        (lambda: [_row_at(100), _record(6, struct.pack("<III", 0, 0, 2**31))], "damaged", 0),
        (lambda: (_row_at(row) + _BLANK for row in range(100, 1_048_576)), "", 6),
        (lambda: (_row_at(row) + _number_at(0) for row in range(100, 300_000)), "250,000 rows", 0),
        (lambda: [_record(200, b"") * 10**6] * 12, "250,000 rows", 0),
        (lambda: [_record(176, struct.pack("<IIII", 3, 9, 0, 12)) * 10**5] * 3, "damaged", 0),
        (lambda: [_record(176, struct.pack("<IIII", 3, 9, 0, 12)) * 10], "damaged", 0),
        (lambda: [bytes([0xC8, 0x01, 0xFF, 0xFF, 0xFF, 0x7F])], "damaged", 0),
    ],
)
def test_sheets_of_binary_excel(tmp_path: Path, pieces: Callable[[], Iterable[bytes]], says: str, rows: int) -> None:
    """Records at the end of the earth, out of order, without end, or cut short."""
    part = "xl/worksheets/sheet2.bin"
    said = read_in_a_child(_changed(tmp_path / "wave.xlsb", _case("xlsb"), part, _END_OF_ROWS, pieces()))
    assert says in said["said"], said
    assert said["rows"] == rows


# Old Excel -----------------------------------------------------------------------------------------------------------


def _biff(kind: int, data: bytes) -> bytes:
    return struct.pack("<HH", kind, len(data)) + data


_BOF, _EOF = _biff(0x809, struct.pack("<HHHHII", 0x600, 0x10, 0, 0, 0, 6)), _biff(0x0A, b"")
_GLOBALS = _biff(0x809, struct.pack("<HHHHII", 0x600, 5, 0, 0, 0, 6))
_LAST = _biff(0x203, struct.pack("<HHHd", 65_535, 255, 0, 1.0))
_LINK = _biff(0x1B8, struct.pack("<HHHH", 0, 65_535, 0, 255) + bytes(32))
_FLOOD = 19_000_000


def _old(path: Path, *sheets: bytes, globals_: bytes = b"", at: int | None = None) -> Path:
    """A workbook of these sheets' records; each begins where it does, or all of them at one place."""
    listed = [_biff(0x85, struct.pack("<IBBBB5s", 0, 0, 0, 5, 0, b"%05d" % number)) for number in range(len(sheets))]
    begin = len(_GLOBALS) + sum(map(len, listed)) + len(globals_) + len(_EOF)
    bodies = [_BOF + body + _EOF for body in sheets]
    for number, body in enumerate(bodies):
        where = begin if at is None else at
        listed[number] = listed[number][:4] + struct.pack("<I", where) + listed[number][8:]
        begin += len(body)
    path.write_bytes(ole2.document({"Workbook": b"".join([_GLOBALS, *listed, globals_, _EOF, *bodies])}))
    return path


def _wave_and(more: bytes) -> bytes:
    """Records of a small sheet of orders, with more of them before."""
    cells = [["Email", "Product title", "Quantity"], ["ana@example.com", "Mouse", "1"]]
    texts = b"".join(
        _biff(0x204, struct.pack("<HHHHB", row, column, 0, len(text), 0) + text.encode())
        for row, line in enumerate(cells)
        for column, text in enumerate(line)
    )
    return more + texts


_STYLES = _biff(0x31, struct.pack("<HHHHHBBBBB", 200, 0, 0, 400, 0, 0, 0, 0, 0, 0)) + _biff(0xE0, bytes(20))


@pytest.mark.parametrize(
    ("sheets", "says"),
    [
        (lambda: [_wave_and(b"")], ""),
        (lambda: [_wave_and(_LINK * 1_000)], ""),
        (lambda: [_wave_and(_biff(0xBE, struct.pack("<HH", 9, 0) + bytes(512) + b"\xff\0") * (_FLOOD // 524))], ""),
        (lambda: [_wave_and(_biff(0x99, b"") * (_FLOOD // 4))], "damaged"),
        (lambda: [_wave_and(_biff(0x203, struct.pack("<HHHd", 9, 9, 0, 1.0)) * (_FLOOD // 18))], ""),
        (lambda: [_wave_and(_biff(0x7D, struct.pack("<HHHHHH", 0, 255, 9, 0, 0, 0)) * (_FLOOD // 16))], "damaged"),
        (lambda: [_wave_and(_LAST)], "200 columns (IV65536)"),
        (lambda: [_wave_and(b""), *[_LAST] * 400], "250,000 rows"),
        (lambda: [_wave_and(b""), *[b""] * 2_000], "500 sheets"),
        (lambda: [_wave_and(_biff(0x203, b""))], "damaged"),
    ],
)
def test_old_workbooks(tmp_path: Path, sheets: Callable[[], list[bytes]], says: str) -> None:
    """Links over everything, floods of blanks, and rows down to the last, in each of hundreds of sheets."""
    said = read_in_a_child(_old(tmp_path / "wave.xls", *sheets(), globals_=_STYLES))
    assert says in said["said"], said
    assert bool(said["rows"]) == (not says)


@pytest.mark.parametrize("count", [2**31, 100])
def test_texts_that_are_not_there(tmp_path: Path, count: int) -> None:
    """A list of texts that says it has more than there are."""
    texts = _biff(0xFC, struct.pack("<II", count, count) + b"\x01\0\0a")
    assert "damaged" in read_in_a_child(_old(tmp_path / "wave.xls", _wave_and(b""), globals_=_STYLES + texts))["said"]


def test_sheets_that_are_one(tmp_path: Path) -> None:
    """Hundreds of names for one sheet would be read hundreds of times."""
    assert "damaged" in read_in_a_child(_old(tmp_path / "wave.xls", *[_wave_and(b"")] * 400, at=0))["said"]


@pytest.mark.parametrize("where", [44, 48, 68, 76, 512, 1_024 + 68, 1_024 + 76])
def test_archives_that_go_round_in_circles(tmp_path: Path, where: int) -> None:
    """Sectors, tables or folders that lead back to themselves, or out of the file."""
    content = _case("xls").read_bytes()
    assert CompDoc(content).locate_named_stream("Workbook")[2]
    for number in (0, 1, 2, 2**31 - 1, 2**32 - 5):
        path = tmp_path / "wave.xls"
        path.write_bytes(content[:where] + struct.pack("<I", number) + content[where + 4 :])
        read_in_a_child(path)
