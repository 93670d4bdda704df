"""Workbooks that are no .xlsx: old Excel (.xls), binary Excel (.xlsb) and OpenDocument (.ods)."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import random
import struct
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import openpyxl
import pytest

from batch_orders.adapters.sheet_reader import read_sheet
from batch_orders.errors import SheetError
from batch_orders.models import SheetKind, Template, Value
from tests import office, ole2
from tests.make_cases import CASES

if TYPE_CHECKING:
    from batch_orders.models import Sheet

# Written by SheetJS (see make_workbooks.js there), so by nobody whose reader is tested here.
_FIXTURES = Path(__file__).parents[1] / "fixtures"
_NAMES = ["ana", "ben", "cho", "dan", "eve"]
_HEAD = (
    "Email", "First name", "Last name", "Phone", "Address", "City", "State", "ZIP", "Country", "Product", "Qty",
    "Notes", "Start",
)  # fmt: skip


def _column(sheet: Sheet, name: str) -> list[str]:
    return list(sheet.frame[sheet.headers.index(name)])


def _odd(sheet: Sheet) -> set[tuple[str, tuple[int, ...], tuple[int, ...], str]]:
    return {(o.code.value, o.rows, o.columns, o.what) for o in sheet.oddities}


@pytest.mark.parametrize("kind", ["xls", "xlsb", "ods"])
def test_cells_are_read(kind: str) -> None:
    """What a cell holds, as text; the title above the header and the other sheet do not matter."""
    sheet = read_sheet(_FIXTURES / f"odd.{kind}")
    assert (sheet.kind, sheet.sheet_name, sheet.header_row) == (SheetKind(kind), "Wave", 2)
    assert sheet.headers == _HEAD
    assert tuple(sheet.row_numbers) == (3, 4, 5, 6, 7)
    assert sheet.above[1][0] == "New hires"
    assert _column(sheet, "Email") == [f"{name}@example.com" for name in _NAMES]
    assert _column(sheet, "Last name") == ["Sämple"] * 5
    assert _column(sheet, "Notes") == ["漢字 “x”", "TRUE", "1.25", "", "3"]
    assert _column(sheet, "Start") == ["2026-11-24"] * 5
    if kind != "ods":  # where SheetJS hides no sheets; test_template.py has LibreOffice do that
        assert sheet.template == Template(catalog_date=dt.date(2026, 11, 24), titles=frozenset({"Dock", "Mouse"}))
    date = sheet.values[0, 12]
    assert (date.value, date.number_format) == (dt.datetime(2026, 11, 24), "yyyy-mm-dd")  # noqa: DTZ001 - sheets have no zones


@pytest.mark.parametrize("kind", ["xls", "xlsb"])
def test_zeros_that_only_the_format_shows(kind: str) -> None:
    """A ZIP code typed as a number."""
    sheet = read_sheet(_FIXTURES / f"odd.{kind}")
    assert _column(sheet, "ZIP") == ["02139"] * 5
    assert sheet.values[0, 7] == Value(2139.0, "00000")


def test_what_a_binary_workbook_hides() -> None:
    """Errors, merged cells, hidden rows and columns."""
    assert _odd(read_sheet(_FIXTURES / "odd.xlsb")) == {
        ("cell_error", (4,), (11,), "#N/A"),
        ("merged_cells", (5, 6), (2,), "B5:B6"),
        ("hidden_row", (7,), (), ""),
        ("hidden_row", (3, 4, 5, 7), (12,), "column L"),
    }


def _wave(path: Path) -> Path:
    """A workbook with all that can be hidden."""
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.title = "Wave"
    sheet.append(["New hires"])
    sheet.append(_HEAD)
    notes = ["漢字 “x”", True, 1.25, dt.time(9, 30), "=1+2"]
    for row, (name, note) in enumerate(zip(_NAMES, notes, strict=True), start=3):
        address = "1 Main  Street\nApt 2"
        person = [f"{name}@example.com", name, "Sämple", "+1 212 555 0142", address, "Boston", "MA", 2139, "US"]
        sheet.append([*person, "Dock", 2, note, dt.date(2026, 11, 24)])
        sheet.cell(row, 8).number_format = "00000"
    sheet["K4"].value = "=NA()"
    sheet.merge_cells("B5:B6")
    sheet.row_dimensions[7].hidden = True
    sheet.column_dimensions["L"].hidden = True
    book.create_sheet("About").append(["notes"])
    book["About"].sheet_state = "hidden"
    book.save(path)
    return path


@pytest.mark.parametrize("kind", ["xls", "ods"])
def test_as_libreoffice_writes_them(tmp_path: Path, kind: str) -> None:
    """The same cells as the .xlsx that it was made from, and everything that is hidden."""
    sheet = read_sheet(office.resave(_wave(tmp_path / "wave.xlsx"), kind))
    assert _column(sheet, "ZIP") == ["02139"] * 5
    assert _column(sheet, "Qty") == ["2", "#N/A", "2", "2", "2"]
    assert _column(sheet, "Address") == ["1 Main  Street\nApt 2"] * 5
    truth = "TRUE" if kind == "xls" else "1"  # LibreOffice has no cells of true and false in .ods
    assert _column(sheet, "Notes") == ["漢字 “x”", truth, "1.25", "09:30:00", "3"]
    assert _odd(sheet) == {
        ("cell_error", (4,), (11,), "#N/A"),
        ("merged_cells", (5, 6), (2,), "B5:B6"),
        ("hidden_row", (7,), (), ""),
        ("hidden_row", (3, 4, 5, 6, 7), (12,), "column L"),
    }


@pytest.mark.timeout(240)
def test_a_binary_workbook_as_libreoffice_reads_it(tmp_path: Path) -> None:
    """Cell by cell and number by number, from an .xlsx that it saves."""
    path = CASES / "xlsb-wave" / "sheet.xlsb"
    ours, theirs = read_sheet(path), read_sheet(office.resave(path, "xlsx", tmp_path))
    assert ours.frame.equals(theirs.frame)
    assert (ours.headers, ours.row_numbers, ours.above) == (theirs.headers, theirs.row_numbers, theirs.above)
    assert {place: value.value for place, value in ours.values.items()} == {
        place: value.value for place, value in theirs.values.items()
    }


# Damage -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["xls", "xlsb", "ods"])
@pytest.mark.parametrize("seed", range(3))
def test_damaged_files_are_refused(tmp_path: Path, kind: str, seed: int) -> None:
    """Cut short, or with bytes changed anywhere: read, or refused with a reason; never anything else."""
    chance = random.Random(seed)  # noqa: S311 - a seed makes it repeatable
    whole = (_FIXTURES / f"odd.{kind}").read_bytes()
    path = tmp_path / f"damaged.{kind}"
    for _ in range(60):
        content = bytearray(whole)
        for _ in range(chance.randrange(1, 30)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        path.write_bytes(content[: chance.randrange(1, len(content))] if chance.random() < 0.3 else content)
        _read_or_refuse(path)


@pytest.mark.parametrize("kind", ["xlsb", "ods"])
def test_damaged_parts_are_refused(tmp_path: Path, kind: str) -> None:
    """The archive is whole, and what is in it is not."""
    chance = random.Random(7)  # noqa: S311 - as above
    with zipfile.ZipFile(_FIXTURES / f"odd.{kind}") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    looked_at = [name for name in parts if name.endswith((".bin", "content.xml", "styles.xml", ".rels"))]
    for number in range(150):
        name = looked_at[number % len(looked_at)]
        part = bytearray(parts[name])
        for _ in range(chance.randrange(1, 4)):
            part[chance.randrange(len(part))] = chance.randrange(256)
        _read_or_refuse(_archive(tmp_path / f"damaged.{kind}", parts | {name: bytes(part)}))


def _read_or_refuse(path: Path) -> None:
    with contextlib.suppress(SheetError):
        read_sheet(path)


def _archive(path: Path, parts: dict[str, bytes]) -> Path:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    path.write_bytes(buffer.getvalue())
    return path


_NS = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{space}:1.0"'
    for name, space in (("office", "office"), ("table", "table"), ("text", "text"), ("style", "style"))
)


def _ods(path: Path, rows: str, *, before: str = "") -> Path:
    """A spreadsheet of one sheet with these rows below the header."""
    head = "".join(f"<table:table-cell><text:p>{name}</text:p></table:table-cell>" for name in _HEAD)
    content = (
        f"<?xml version='1.0'?>{before}<office:document-content {_NS}><office:body><office:spreadsheet>"
        f'<table:table table:name="Wave"><table:table-row>{head}</table:table-row>{rows}</table:table>'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    kind = b"application/vnd.oasis.opendocument.spreadsheet"
    return _archive(path, {"mimetype": kind, "content.xml": content.encode()})


def _texts(*texts: str) -> str:
    return "".join(f"<table:table-cell><text:p>{text}</text:p></table:table-cell>" for text in texts)


def test_rows_that_repeat(tmp_path: Path) -> None:
    """Written once with a count; the empty rest of a sheet is a million rows of nothing."""
    row = f'<table:table-row table:number-rows-repeated="3">{_texts("ana@example.com", "Ana")}</table:table-row>'
    rest = '<table:table-row table:number-rows-repeated="1048570"><table:table-cell'
    rest += ' table:number-columns-repeated="16384"/></table:table-row>'
    sheet = read_sheet(_ods(tmp_path / "a.ods", row + rest))
    assert tuple(sheet.row_numbers) == (2, 3, 4)
    assert _column(sheet, "First name") == ["Ana"] * 3


_MANY_COLUMNS = '<table:table-cell table:number-columns-repeated="16384"><text:p>x</text:p></table:table-cell>'


@pytest.mark.parametrize(
    "rows",
    [
        f'<table:table-row table:number-rows-repeated="1000000">{_texts("ana@example.com")}</table:table-row>',
        f"<table:table-row>{_texts('ana@example.com')}{_MANY_COLUMNS}</table:table-row>",
    ],
)
def test_more_than_anybody_needs(tmp_path: Path, rows: str) -> None:
    """A small file that says a great deal."""
    with pytest.raises(SheetError):
        read_sheet(_ods(tmp_path / "a.ods", rows))


def test_entities_are_refused(tmp_path: Path) -> None:
    """Billion laughs, and files of this machine."""
    for entity in ('<!ENTITY a "x">', '<!ENTITY a SYSTEM "file:///etc/hostname">'):
        row = f"<table:table-row>{_texts('&amp;a;')}</table:table-row>"
        with pytest.raises(SheetError):
            read_sheet(_ods(tmp_path / "a.ods", row, before=f"<!DOCTYPE x [{entity}]>"))


def test_a_formula_without_a_value(tmp_path: Path) -> None:
    """Looks blank, and is not."""
    cell = '<table:table-cell table:formula="of:=1+1"/>'
    row = f"<table:table-row>{_texts('ana@example.com')}{cell}</table:table-row>"
    assert _odd(read_sheet(_ods(tmp_path / "a.ods", row))) == {("formula_without_value", (2,), (2,), "")}


def test_notes_and_spaces(tmp_path: Path) -> None:
    """A note is no part of its cell; spaces, tabs and line ends are."""
    cell = (
        "<table:table-cell><office:annotation><text:p>a note</text:p></office:annotation>"
        '<text:p>A<text:s text:c="2"/>B<text:tab/><text:span>C<text:line-break/>D</text:span></text:p>'
        "<text:p>E</text:p></table:table-cell>"
    )
    row = f"<table:table-row>{_texts('ana@example.com')}{cell}</table:table-row>"
    assert _column(read_sheet(_ods(tmp_path / "a.ods", row)), "First name") == ["A  B\tC\nD\nE"]


def test_a_password(tmp_path: Path) -> None:
    """Said, for each format that can have one; secret.xlsx is encrypted by msoffcrypto-tool."""
    encrypted = {"mimetype": b"application/vnd.oasis.opendocument.spreadsheet", "content.xml": b"\x00\x01"}
    encrypted["META-INF/manifest.xml"] = b"<manifest:encryption-data/>"
    beginning = struct.pack("<HHHHIII", 0x809, 16, 0x600, 5, 0, 0, 0)
    old = beginning + struct.pack("<HHHH", 0x2F, 4, 0, 0) + random.Random(1).randbytes(500)  # noqa: S311 - as above
    (tmp_path / "a.xls").write_bytes(ole2.document({"Workbook": old}))
    ods = _archive(tmp_path / "a.ods", encrypted)
    for path in (ods, _FIXTURES / "secret.xlsx", tmp_path / "a.xls"):
        with pytest.raises(SheetError, match="is password-protected"):
            read_sheet(path)


@pytest.mark.parametrize(
    ("streams", "said"),
    [
        ({"WordDocument": b"x" * 5_000, "1Table": b""}, "it is a Word document"),
        ({"__properties_version1.0": b"x", "__substg1.0_0037001F": b"Workbook"}, "it is an Outlook message"),
        ({"PowerPoint Document": b"x"}, "it is a presentation"),
        ({"CONTENTS": "EncryptedPackage Workbook".encode("utf-16-le")}, "no workbook"),
    ],
)
def test_other_old_files(tmp_path: Path, streams: dict[str, bytes], said: str) -> None:
    """Are told by their streams' names, and not by what stands anywhere in them."""
    path = tmp_path / "a.xls"
    path.write_bytes(ole2.document(streams))
    with pytest.raises(SheetError, match=said):
        read_sheet(path)


@pytest.mark.parametrize("kind", ["xls", "xlsb", "ods"])
def test_a_workbook_named_like_text(tmp_path: Path, kind: str) -> None:
    """Told as what it is."""
    path = tmp_path / "wave.csv"
    path.write_bytes((_FIXTURES / f"odd.{kind}").read_bytes())
    with pytest.raises(SheetError, match="is a workbook") as refused:
        read_sheet(path)
    assert f".{kind}" in str(refused.value.hint)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.odt", {"mimetype": b"application/vnd.oasis.opendocument.text", "content.xml": b"<x/>"}, "no spreadsheet"),
        ("a.ods", {"mimetype": b"application/vnd.oasis.opendocument.spreadsheet", "content.xml": b"<x/>"}, "no sheet"),
    ],
)
def test_other_documents(tmp_path: Path, name: str, content: dict[str, bytes], said: str) -> None:
    """Say what they are."""
    with pytest.raises(SheetError, match=said):
        read_sheet(_archive(tmp_path / name, content))
