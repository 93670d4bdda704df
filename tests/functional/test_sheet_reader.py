"""Reading sheets: what was in the file is what is read, cell by cell, or it is refused with place and reason."""

from __future__ import annotations

import csv
import io
import re
import warnings
import zipfile
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook
from openpyxl.worksheet.datavalidation import DataValidation

from batch_orders.adapters import xlsx_reader
from batch_orders.adapters.results_csv import guarded, render_csv
from batch_orders.adapters.results_xlsx import render_xlsx
from batch_orders.adapters.sheet_reader import read_sheet
from batch_orders.errors import SheetError, UsageError
from batch_orders.messages.outcomes import COLUMN_NAMES
from batch_orders.models import NEEDED, RESULT_COLUMNS, FindingCode, Limits, SheetKind, Value
from batch_orders.stages.columns import map_columns
from tests import make_samples
from tests.builders import make_mapped, make_report
from tests.program import SAMPLES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from openpyxl.worksheet.worksheet import Worksheet

    from batch_orders.models import Sheet

_NEEDED: list[Any] = [COLUMN_NAMES[column] for column in NEEDED]
_PERSON: list[Any] = [
    "ana@example.com",
    "Ana",
    "Silva",
    "+1 212 555 0142",
    "1 Main Street",
    "New York",
    "US",
    "Apple Magic Mouse",
]
_HEAD: list[Any] = ["Email", "Product title", "Quantity"]
_ROW: list[Any] = ["ana@example.com", "Apple Magic Mouse", 1]


def cells(sheet: Sheet) -> list[list[str]]:
    """The frame as plain lists."""
    return [list(row) for row in sheet.frame.itertuples(index=False, name=None)]


def refused(path: Path, **options: Any) -> SheetError:
    """The error that reading ends with; it says which file, and that nothing was sent."""
    with pytest.raises(SheetError) as caught:
        read_sheet(path, **options)
    assert caught.value.exit_code == 3
    assert path.name in caught.value.message
    assert "Nothing" in caught.value.message or "nothing" in caught.value.message
    return caught.value


def read_or_refused(path: Path) -> Sheet | None:
    """The sheet, or None where it is refused; any other exception goes through and fails the test."""
    try:
        return read_sheet(path)
    except SheetError:
        return None


def text_file(folder: Path, content: str | bytes, name: str = "wave.csv") -> Path:
    """A file with this content (text as UTF-8, line ends as they are)."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def workbook(folder: Path, rows: Sequence[Sequence[Any]], *, change: Callable[[Worksheet], None] | None = None) -> Path:
    """A workbook of one sheet, "Wave", with these rows, and `change` applied to it."""
    made = Workbook()
    sheet = made.active
    assert sheet is not None
    sheet.title = "Wave"
    for row in rows:
        sheet.append(list(row))
    if change is not None:
        change(sheet)
    path = folder / "wave.xlsx"
    made.save(path)
    return path


def sheets(folder: Path, **rows: Sequence[Sequence[Any]]) -> Path:
    """A workbook with a sheet of each name; one whose name starts with "hidden" is."""
    made = Workbook()
    made.remove(made.worksheets[0])
    for name, its_rows in rows.items():
        sheet = made.create_sheet(name)
        for row in its_rows:
            sheet.append(list(row))
        if name.startswith("hidden"):
            sheet.sheet_state = "hidden"
    path = folder / "wave.xlsx"
    made.save(path)
    return path


def edited(path: Path, part: str, pattern: str, replacement: str) -> Path:
    """The workbook with one part's XML changed, as other programs write it; the change has to hit."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    text, hits = re.subn(pattern, replacement, parts[part].decode(), flags=re.DOTALL)
    assert hits, pattern
    parts[part] = text.encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def with_shared_strings(path: Path) -> Path:
    """The workbook with its texts in a part of their own, as Excel writes them (openpyxl writes them in the cells)."""
    texts: list[str] = []

    def share(cell: re.Match[str]) -> str:
        texts.append(cell[2])
        return f'<c{cell[1]} t="s"><v>{len(texts) - 1}</v></c>'

    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    inline = r'<c((?: [rs]="[^"]*")*) t="inlineStr"><is><t[^>]*>([^<]*)</t></is></c>'
    parts[SHEET_PART] = re.sub(inline, share, parts[SHEET_PART])
    assert texts
    items = "".join(f"<si><t>{text}</t></si>" for text in texts)
    parts[STRINGS_PART] = f'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">{items}</sst>'
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    override = f'<Override PartName="/{STRINGS_PART}" ContentType="{kind}"/></Types>'
    parts[TYPES_PART] = parts[TYPES_PART].replace("</Types>", override)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


SHEET_PART = "xl/worksheets/sheet1.xml"
STRINGS_PART = "xl/sharedStrings.xml"
TYPES_PART = "[Content_Types].xml"


# --- what kind of file ---------------------------------------------------------------------------------------------


def test_missing_file(tmp_path: Path) -> None:
    """Says that it is not there."""
    assert "no file" in refused(tmp_path / "wave.csv").message


def test_a_folder_is_no_sheet(tmp_path: Path) -> None:
    """Nor read as one."""
    assert "folder" in refused(tmp_path).message


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's reason is told (root may read everything, so the refusal is made)."""
    path = text_file(tmp_path, "Email\n")
    monkeypatch.setattr(type(path), "read_bytes", _permission_denied)
    assert "Permission denied" in refused(path).message


def _permission_denied(_path: Path) -> bytes:
    raise PermissionError(13, "Permission denied")


@pytest.mark.parametrize("sample", ["new-hires.csv", "new-hires.xlsx"])
def test_bytes_at_hand_are_read_as_the_file_is(tmp_path: Path, sample: str) -> None:
    """The path is only a name then: no file is there, and the sheet is the same."""
    content = (SAMPLES / sample).read_bytes()
    on_disk = read_sheet(SAMPLES / sample)
    in_memory = read_sheet(tmp_path / sample, content=content)
    assert in_memory.path == tmp_path / sample
    assert (in_memory.kind, in_memory.headers, cells(in_memory)) == (on_disk.kind, on_disk.headers, cells(on_disk))
    assert in_memory.content == content


def test_bytes_at_hand_are_no_larger_than_a_file_may_be(tmp_path: Path) -> None:
    """The limit holds for them too."""
    error = refused(tmp_path / "wave.csv", content=b"Email,Quantity\na@example.com,1\n", limits=Limits(file_size=10))
    assert "max_file_size" in str(error.hint)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf", b" , ,\n"])
def test_an_empty_file(tmp_path: Path, content: bytes) -> None:
    """Has no header."""
    refused(text_file(tmp_path, content))


@pytest.mark.parametrize("name", ["wave.xlsx", "wave.xlsm", "WAVE.XLSX"])
def test_text_named_like_a_workbook(tmp_path: Path, name: str) -> None:
    """Told as what it is not, and what to do if it is CSV."""
    error = refused(text_file(tmp_path, "Email,Quantity\na@example.com,1\n", name))
    assert "is not a workbook" in error.message
    assert "rename" in error.hint


@pytest.mark.parametrize("name", ["wave.csv", "wave.tsv", "wave.txt"])
def test_a_workbook_named_like_text(tmp_path: Path, name: str) -> None:
    """Told as what it is."""
    path = workbook(tmp_path, [_HEAD, _ROW]).rename(tmp_path / name)
    error = refused(path)
    assert "is a workbook" in error.message
    assert ".xlsx" in error.hint


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), "wave.xlsx", "damaged"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), "wave.xls", "damaged"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "wave.csv", "PDF"),
        (b"%PDF-1.7\n", "wave.xlsx", "PDF"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "wave.csv", "picture"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "wave.csv", "picture"),
        (b"\x1f\x8b\x08\x00", "wave.csv", "compressed"),
        (b"7z\xbc\xaf\x27\x1c", "wave.xlsx", "compressed"),
        (b"{\\rtf1 Email}", "wave.csv", "text document"),
        (b"<!DOCTYPE html><table>", "wave.xls", "web page"),
        (b"<html><table>", "wave.xls", "web page"),
        (b"\n<html><table>", "wave.csv", "web page"),
        (b"\x00\x01\x02\xfe\xff\x00", "wave.csv", "not a text file"),
        (b"Email,Quantity\n", "wave.ods", ".ods"),
    ],
)  # fmt: skip
def test_other_kinds_of_files(tmp_path: Path, content: bytes, name: str, says: str) -> None:
    """Each is told by what it looks like, with a way out."""
    error = refused(text_file(tmp_path, content, name))
    assert says in error.message
    assert error.hint


@pytest.mark.parametrize(
    ("part", "name", "says"),
    [
        ("xl/workbook.bin", "wave.xlsb", "damaged"),
        ("content.xml", "wave.ods", "damaged"),
        ("word/document.xml", "wave.docx", "Word"),
        ("something.txt", "wave.zip", "ZIP"),
        ("something.txt", "wave.csv", "ZIP"),
    ],
)
def test_other_kinds_of_archives(tmp_path: Path, part: str, name: str, says: str) -> None:
    """A ZIP archive that is no workbook is told by what is in it."""
    with zipfile.ZipFile(tmp_path / name, "w") as archive:
        archive.writestr(part, "x")
    assert says in refused(tmp_path / name).message


def test_an_empty_archive(tmp_path: Path) -> None:
    """Begins otherwise than a full one, and is no sheet either."""
    with zipfile.ZipFile(tmp_path / "wave.zip", "w"):
        pass
    refused(tmp_path / "wave.zip")


def test_a_macro_workbook_is_read(tmp_path: Path) -> None:
    """.xlsm is a workbook; its macros are not looked at."""
    path = workbook(tmp_path, [_HEAD, _ROW]).rename(tmp_path / "wave.xlsm")
    assert read_sheet(path).kind is SheetKind.XLSX


@pytest.mark.parametrize("name", ["wave.csv", "wave.txt", "wave.tsv", "wave", "wave.export"])
def test_text_under_any_name_is_csv(tmp_path: Path, name: str) -> None:
    """The contents decide."""
    sheet = read_sheet(text_file(tmp_path, "Email\tQty\nana@example.com\t2\n", name))
    assert (sheet.kind, sheet.delimiter, cells(sheet)) == (SheetKind.CSV, "\t", [["ana@example.com", "2"]])


# --- CSV -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_unicode_is_read_by_itself(tmp_path: Path, encoding: str) -> None:
    """UTF-8 with and without BOM, and what carries another BOM."""
    sheet = read_sheet(text_file(tmp_path, "Email,Straße\nana@example.com,Łódź 漢字\n".encode(encoding)))
    assert sheet.headers == ("Email", "Straße")
    assert cells(sheet) == [["ana@example.com", "Łódź 漢字"]]


def test_what_is_not_utf8_is_not_guessed(tmp_path: Path) -> None:
    """The first line that does not fit is named, and --encoding."""
    path = text_file(tmp_path, "Email,City\nana@example.com,Bonn\nben@example.com,Köln\n".encode("cp1252"))
    error = refused(path)
    assert "line 3" in error.message
    assert "--encoding" in error.hint
    assert cells(read_sheet(path, encoding="cp1252"))[1] == ["ben@example.com", "Köln"]


def test_the_line_counts_lone_carriage_returns(tmp_path: Path) -> None:
    """Files of old Macs have those for line ends."""
    assert "line 3" in refused(text_file(tmp_path, b"Email,City\ra@example.com,Bonn\rb@example.com,K\xf6ln\r")).message


def test_an_encoding_that_does_not_fit(tmp_path: Path) -> None:
    """Is refused with the line too."""
    error = refused(text_file(tmp_path, b"Email,City\nana@example.com,K\xf6ln\n"), encoding="ascii")
    assert "ascii" in error.message
    assert "line 2" in error.message


@pytest.mark.parametrize("name", ["no-such", "base64", "rot13", "a\0b"])
@pytest.mark.parametrize("content", [b"", b"Email,Quantity\nana@example.com,1\n"])
def test_an_encoding_that_is_none(tmp_path: Path, name: str, content: bytes) -> None:
    """Is the call's mistake (exit 2), not the sheet's."""
    with pytest.raises(UsageError) as caught:
        read_sheet(text_file(tmp_path, content), encoding=name)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("encoding", ["cp1252", "iso-8859-1", "cp1251", "mac_roman"])
def test_utf8_is_not_garbled(tmp_path: Path, encoding: str) -> None:
    """An encoding that takes any byte would order for “KÃ¶ln”; both readings are shown. ASCII is the same in all."""
    content = "Email,City\nana@example.com,Köln\n".encode()
    error = refused(text_file(tmp_path, content), encoding=encoding)
    assert f"“Köln” would become “{'Köln'.encode().decode(encoding)}”" in error.message
    assert "without --encoding" in error.hint
    plain = text_file(tmp_path, b"Email,City\nana@example.com,Koeln\n")
    assert cells(read_sheet(plain, encoding=encoding)) == [["ana@example.com", "Koeln"]]


@pytest.mark.parametrize(("encoding", "text"), [("undefined", "a"), ("utf-7", "+2AA-"), ("unicode_escape", "\\ud800")])
def test_encodings_that_yield_no_text(tmp_path: Path, encoding: str, text: str) -> None:
    """Half a character is no text, and no codec's own exception comes through."""
    refused(text_file(tmp_path, f"Email,Quantity\n{text},1\n"), encoding=encoding)


def test_a_bom_beats_the_flag(tmp_path: Path) -> None:
    """A file that says that it is UTF-8 is, also where a cron job says --encoding cp1252."""
    path = text_file(tmp_path, "Email,City\nana@example.com,Köln\n".encode("utf-8-sig"))
    assert cells(read_sheet(path, encoding="cp1252")) == [["ana@example.com", "Köln"]]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_the_one_that_yields_headers(tmp_path: Path, delimiter: str) -> None:
    """Whatever else stands in the cells."""
    others = ",;\t|".replace(delimiter, "")
    lines = [["Email", "Product title", "Quantity", "Notes"], ["ana@example.com", "Mouse", "1", others]]
    sheet = read_sheet(text_file(tmp_path, "\n".join(delimiter.join(line) for line in lines)))
    assert sheet.delimiter == delimiter
    assert sheet.headers == tuple(lines[0])
    assert cells(sheet) == [lines[1]]


@pytest.mark.parametrize("first", ["sep=;", "SEP=;", '"sep=;"', "sep=\t", "sep=^"])
def test_excels_first_line(tmp_path: Path, first: str) -> None:
    """`sep=;` decides, and is not a row: Excel does not show it."""
    delimiter = first.strip('"')[4]
    content = f"{first}\r\nEmail{delimiter}City,Town\r\nana@example.com{delimiter}Bonn\r\n"
    sheet = read_sheet(text_file(tmp_path, content))
    assert sheet.delimiter == delimiter
    assert sheet.headers == ("Email", "City,Town")
    assert (sheet.header_row, tuple(sheet.row_numbers)) == (1, (2,))


def test_row_numbers_are_those_that_excel_shows(tmp_path: Path) -> None:
    """A line break in quotes stays in its row; a blank line is a row, and skipped."""
    content = 'Email,Notes\nana@example.com,"two\nlines"\n\n , \nben@example.com,\n'
    sheet = read_sheet(text_file(tmp_path, content))
    assert tuple(sheet.row_numbers) == (2, 5)
    assert cells(sheet) == [["ana@example.com", "two\nlines"], ["ben@example.com", ""]]
    assert str(sheet.cell(1, 0)) == "A5"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends(tmp_path: Path, end: str) -> None:
    """Of Unix, Windows and old Macs."""
    sheet = read_sheet(text_file(tmp_path, end.join(["Email,Qty", "a@example.com,1", "b@example.com,2"])))
    assert cells(sheet) == [["a@example.com", "1"], ["b@example.com", "2"]]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ('Email,Notes\nana@example.com,"never closed\nben@example.com,x\n', 2),
        ('Email,Notes\nana@example.com,"two\nlines"\nben@example.com,"never closed', 4),
        ('Email,Notes\nana@example.com,x\nben@example.com,"27" monitor"\n', 3),
    ],
)
def test_a_quotation_mark_that_is_not_closed(tmp_path: Path, content: str, line: int) -> None:
    """Would swallow rows: refused with the line where it began."""
    assert f"line {line} " in refused(text_file(tmp_path, content)).message


def test_an_unclosed_quotation_mark_in_a_long_file(tmp_path: Path) -> None:
    """However much it would swallow."""
    content = 'Email,Notes\nana@example.com,"never closed\n' + "ben@example.com,x\n" * 100_000
    assert "line 2 " in refused(text_file(tmp_path, content)).message


def test_an_inch_mark_in_a_cell_is_no_quotation_mark(tmp_path: Path) -> None:
    """27" stays 27"."""
    sheet = read_sheet(text_file(tmp_path, 'Email,Product\nana@example.com,Dell 27" QHD Monitor\n'))
    assert cells(sheet)[0][1] == 'Dell 27" QHD Monitor'


def test_nul_characters(tmp_path: Path) -> None:
    """Refused, with the line."""
    assert "line 2" in refused(text_file(tmp_path, b"Email,Qty\nana\0@example.com,1\n")).message


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_bom(tmp_path: Path, encoding: str) -> None:
    """Is read where it is beyond doubt: the header reads in one byte order only."""
    path = text_file(tmp_path, "Email;City\nana@example.com;Łódź\n".encode(encoding))
    assert cells(read_sheet(path)) == [["ana@example.com", "Łódź"]]
    assert "not a text file" in refused(text_file(tmp_path, "Ünbekannt;Größe\n".encode(encoding))).message


@pytest.mark.parametrize(
    ("encoding", "row"),
    [
        ("cp1252", "Jürgen;Köln;Straße 5"),
        ("cp1252", "François;Besançon;Rue de l’Église"),
        ("cp1250", "Łukasz;Łódź;ul. Żwirki 3"),
        ("cp437", "Jürgen;Köln;Straße 5"),
        ("cp850", "João;São Paulo;Rua"),
        ("mac_roman", "José;Málaga;Calle 3"),
        ("iso-8859-15", "Šárka;Cœur;5 €"),
        ("cp1251", "Иван;Москва;улица Ленина"),
        ("cp1253", "Γιώργος;Αθήνα;Οδός"),
        ("cp1254", "Oğuz;İstanbul;Şişli Cad."),
        ("shift_jis", "太郎;東京都;渋谷区"),
        ("gb18030", "李雷;北京;长安街"),
        ("big5", "小明;台北市;信義區"),
    ],
)
def test_a_preview_of_the_likeliest_encodings(tmp_path: Path, encoding: str, row: str) -> None:
    """The first odd cells under a few encodings: the right one stands first, and reads right."""
    path = text_file(tmp_path, f"Email;First name;City;Address\nana@example.com;{row}\n".encode(encoding))
    first, *lines = refused(path).hint.splitlines()
    assert "UTF-8" in first
    assert lines[0] == f"  --encoding {encoding}: {', '.join(cell for cell in row.split(';') if not cell.isascii())}"
    assert 2 <= len(lines) <= 4
    assert len({line.partition(": ")[2] for line in lines}) == len(lines)
    assert cells(read_sheet(path, encoding=encoding))[0][1:] == row.split(";")


def test_a_preview_where_the_asked_for_encoding_does_not_fit(tmp_path: Path) -> None:
    """As helpful; a file whose own mark is wrong has no use for one."""
    content = b"Email,City\nana@example.com,K\xf6ln\n"
    assert "--encoding cp1252: Köln" in refused(text_file(tmp_path, content), encoding="ascii").hint
    assert "--encoding" not in refused(text_file(tmp_path, b"\xef\xbb\xbf" + content)).hint


def test_shorter_rows(tmp_path: Path) -> None:
    """Are filled up with blank cells; so are blank cells beyond the header no cells."""
    sheet = read_sheet(text_file(tmp_path, "Email,Qty,,\na@example.com\nb@example.com,2,,,,,\n"))
    assert sheet.headers == ("Email", "Qty")
    assert cells(sheet) == [["a@example.com", ""], ["b@example.com", "2"]]


def test_longer_rows(tmp_path: Path) -> None:
    """A comma without quotes moves all that follows it: the rows are named, and nothing is read."""
    content = "Email,Address,City\na@example.com,1 Main Street,Bonn\n\nb@example.com,1 Main Street, Apt 4,Bonn\n"
    error = refused(text_file(tmp_path, content))
    assert "row 4 has more cells than the header, which has 3: a comma" in error.message
    assert "quotation marks" in error.hint
    content += "c@example.com,1 Main Street, Apt 4,Bonn\n"
    assert "rows 4, 5 have" in refused(text_file(tmp_path, content)).message
    assert len(read_sheet(text_file(tmp_path, content.replace("Street, Apt", "Street Apt"))).frame) == 3


def test_empty_columns_at_the_end_are_dropped(tmp_path: Path) -> None:
    """A spreadsheet's trailing commas are no columns."""
    sheet = read_sheet(text_file(tmp_path, "Email,,Qty,,\na@example.com,,1,, \n"))
    assert sheet.headers == ("Email", "", "Qty")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("'=1+1", "=1+1"), ("'+x", "+x"), ("'-x", "-x"), ("'@x", "@x"), ("''=x", "'=x"),
        ("'t Hooft", "'t Hooft"), ("=1", "=1"), ("+49 89 123", "+49 89 123"), ("'", "'"), ("''", "''"),
    ],
)  # fmt: skip
def test_the_guard_against_formulas_is_taken_away(tmp_path: Path, written: str, read: str) -> None:
    """One `'` before a character that starts a formula; no other."""
    assert cells(read_sheet(text_file(tmp_path, f"Email,Notes\na@example.com,{written}\n")))[0][1] == read


def test_nothing_is_guessed(tmp_path: Path) -> None:
    """`NA` is Namibia, `02139` keeps its zero, blank is blank, and everything is text."""
    row = ["a@example.com", "NA", "02139", "1.0", "TRUE", "null", "nan", "1e5", "2026-12-01", "", "#N/A", " x "]
    sheet = read_sheet(text_file(tmp_path, "Email" + "," * 11 + "Notes\n".replace("Notes", "N") + ",".join(row) + "\n"))
    assert cells(sheet) == [row]
    assert {type(cell) for cell in cells(sheet)[0]} == {str}
    assert [repr(label) for label in sheet.frame.columns] == [str(position) for position in range(12)]
    assert list(sheet.frame.index) == [0]
    assert not sheet.frame.isna().to_numpy().any()


_CELL_TEXT = st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    rows=st.lists(st.lists(_CELL_TEXT, min_size=3, max_size=3), min_size=1, max_size=6),
    delimiter=st.sampled_from(",;\t|"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    end=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_any_csv_reads_back_cell_by_cell(  # noqa: PLR0917 - one for each thing that varies
    tmp_path: Path, rows: list[list[str]], delimiter: str, quoting: Any, end: str, encoding: str
) -> None:
    """Whatever the delimiter, quoting, line end and encoding."""
    assume(any(cell.strip() for row in rows for cell in row))
    # Python leaves a carriage return unquoted where lines end otherwise: that file means something else.
    assume(quoting == csv.QUOTE_ALL or end != "\n" or not any("\r" in cell for row in rows for cell in row))
    # A row of texts that happen to be our headers would be the header row.
    assume(not any(len({"email", "qty", "city"} & {cell.strip().casefold() for cell in row}) > 1 for row in rows))
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator=end)
    writer.writerows([["Email", "Qty", "City", "Notes"]])
    writer.writerows([[guarded(cell) for cell in row] + ["|"] for row in rows])
    sheet = read_sheet(text_file(tmp_path, text.getvalue().encode(encoding)))
    assert sheet.delimiter == delimiter
    assert cells(sheet) == [[*row, "|"] for row in rows]
    assert tuple(sheet.row_numbers) == tuple(range(2, len(rows) + 2))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=200), st.sampled_from([b"", b"Email,Qty\n", b"PK\x03\x04", b"\xff\xfe", b"sep=;\n"]))
def test_any_bytes_are_a_sheet_or_refused(tmp_path: Path, content: bytes, start: bytes) -> None:
    """Never another exception."""
    path = text_file(tmp_path, start + content)
    sheet = read_or_refused(path)
    assert sheet is None or len(sheet.frame) == len(sheet.row_numbers) > 0


# --- where the header stands ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("above", [0, 1, 5, 19])
def test_a_title_block_above_the_header(tmp_path: Path, above: int) -> None:
    """The header is the row with the most known names among the first twenty."""
    title = ["New hires, see Email"] * above
    sheet = read_sheet(text_file(tmp_path, "\n".join([*title, "Email,Qty,City", "a@example.com,1,Bonn"])))
    assert sheet.header_row == above + 1
    assert tuple(sheet.row_numbers) == (above + 2,)


def test_a_header_further_down_is_not_looked_for(tmp_path: Path) -> None:
    """Blank rows count, as in Excel."""
    assert "header" in refused(text_file(tmp_path, "\n" * 20 + "Email,Qty\na@example.com,1\n")).message
    rows: list[list[Any]] = [*[[]] * 20, _HEAD, _ROW]
    assert "header" in refused(workbook(tmp_path, rows)).message


def test_the_first_of_two_headers_counts(tmp_path: Path) -> None:
    """A repeated header below is data (and then says so, cell by cell)."""
    sheet = read_sheet(text_file(tmp_path, "Email,Qty\nEmail,Qty\na@example.com,1\n"))
    assert (sheet.header_row, tuple(sheet.row_numbers)) == (1, (2, 3))


def test_no_known_header(tmp_path: Path) -> None:
    """What is expected is listed, and what row 1 says is quoted."""
    error = refused(text_file(tmp_path, "Colour,Size\nred,7\n"))
    assert "“Colour”" in error.message
    for name in COLUMN_NAMES.values():
        assert name in error.hint


@pytest.mark.parametrize("below", ["", "\n\n", "\n , ,\n"])
def test_a_header_without_rows(tmp_path: Path, below: str) -> None:
    """Zero orders is never success."""
    assert "no rows" in refused(text_file(tmp_path, "Email,Product,Qty" + below)).message


def test_headers_are_kept_as_they_are(tmp_path: Path) -> None:
    """Spaces, line breaks and all."""
    sheet = read_sheet(text_file(tmp_path, 'Work e-mail ,"Q\nty"\na@example.com,1\n'))
    assert sheet.headers == ("Work e-mail ", "Q\nty")


# --- workbooks -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "number_format", "text"),
    [
        ("02139", "@", "02139"),
        ("NA", "General", "NA"),
        ("#N/A", "General", "#N/A"),
        (" x ", "General", " x "),
        (2, "General", "2"),
        (2.0, "General", "2"),
        (-3, "0", "-3"),
        (2.5, "0", "2.5"),
        (0.1, "General", "0.1"),
        (1e22, "General", "10000000000000000000000"),
        (12125550142, "General", "12125550142"),
        (1.23e10, "0.00E+00", "12300000000"),
        (2139, "00000", "02139"),
        (2139.0, "00000", "02139"),
        (123456, "00000", "123456"),
        (21390001, "00000-0000", "02139-0001"),
        (21390001, "00000\\-0000", "02139-0001"),
        (2139, "[$-409]00000", "02139"),
        (7, "0", "7"),
        (-7, "00000", "-7"),
        (True, "General", "TRUE"),
        (False, "General", "FALSE"),
        (datetime(2026, 12, 1), "dd/mm/yyyy", "2026-12-01"),  # noqa: DTZ001 - a spreadsheet's dates know no zone
        (datetime(2026, 12, 1, 9, 30), "dd/mm/yyyy hh:mm", "2026-12-01 09:30:00"),  # noqa: DTZ001
        (time(9, 30), "hh:mm", "09:30:00"),
    ],
)  # fmt: skip
def test_cells_are_text_without_guessing(tmp_path: Path, value: Any, number_format: str, text: str) -> None:
    """What the cell holds, not how it is shown, but for zeros that only its format shows."""

    def change(sheet: Worksheet) -> None:
        cell = sheet["C2"]
        cell.value = value
        if isinstance(value, str):
            cell.data_type = "s"
        cell.number_format = number_format

    sheet = read_sheet(workbook(tmp_path, [["Email", "Qty", "Notes"], ["a@example.com", "1", None]], change=change))
    assert cells(sheet) == [["a@example.com", "1", text]]
    if isinstance(value, str):
        assert sheet.values == {}
    else:
        assert sheet.values[0, 2].number_format == number_format


def test_values_are_kept_for_writing_back(tmp_path: Path) -> None:
    """By position in the frame, with their formats, skipping blank rows; times as the numbers that Excel keeps."""
    moment = datetime(2026, 12, 1, 9, 30)  # noqa: DTZ001 - a spreadsheet's dates know no zone
    rows: list[list[Any]] = [
        ["Title"],
        [],
        ["Email", "Qty", "Start"],
        ["a@example.com", "1", moment],
        [],
        [None, 2, time(12)],
    ]
    rows += [["b@example.com", True, timedelta(hours=36)]]
    sheet = read_sheet(workbook(tmp_path, rows))
    assert tuple(sheet.row_numbers) == (4, 6, 7)
    values = {place: value.value for place, value in sheet.values.items()}
    assert values == {(0, 2): moment, (1, 1): 2, (1, 2): 0.5, (2, 1): True, (2, 2): 1.5}
    assert all(isinstance(value, Value) for value in sheet.values.values())


def test_a_wrong_dimension_loses_no_rows(tmp_path: Path) -> None:
    """The dimension that openpyxl would believe is not asked."""
    path = workbook(tmp_path, [_HEAD, _ROW, _ROW])
    edited(path, SHEET_PART, r'<dimension ref="[^"]*"', '<dimension ref="A1:A2"')
    for name in (None, "Wave"):
        assert cells(read_sheet(path, sheet_name=name)) == [["ana@example.com", "Apple Magic Mouse", "1"]] * 2


def test_cells_without_references(tmp_path: Path) -> None:
    """Some programs leave out where each cell stands: it follows from the order."""
    path = workbook(tmp_path, [_HEAD, _ROW])
    edited(path, SHEET_PART, r'(<(?:c|row)) r="[^"]*"', r"\1")
    assert cells(read_sheet(path)) == [["ana@example.com", "Apple Magic Mouse", "1"]]


def test_a_carriage_return_as_excel_writes_it(tmp_path: Path) -> None:
    """`_x000D_` in the XML is a line end in the cell."""
    path = workbook(tmp_path, [["Email", "Address"], ["a@example.com", "1 Main Street_x000D_\nApt 2"]])
    assert cells(read_sheet(path))[0][1] == "1 Main Street\r\nApt 2"


def as_strict(path: Path) -> Path:
    """The workbook as Excel saves it as "Strict Open XML Spreadsheet": other namespaces, and dates as ISO 8601."""
    usual, strict = "http://schemas.openxmlformats.org/", "http://purl.oclc.org/ooxml/"
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    for name, text in parts.items():
        for year in ("2006/main", "2006/relationships"):
            text = text.replace(f"{usual}officeDocument/{year}", f"{strict}officeDocument/{year[5:]}")  # noqa: PLW2901
            text = text.replace(f"{usual}spreadsheetml/{year}", f"{strict}spreadsheetml/{year[5:]}")  # noqa: PLW2901
        parts[name] = re.sub(r"<workbook\b", '<workbook conformance="strict"', text)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return path


def test_strict_open_xml(tmp_path: Path) -> None:
    """Excel's "Strict Open XML Spreadsheet" is read like any other; its dates are text in the file."""
    day = datetime(2026, 12, 1)  # noqa: DTZ001 - a spreadsheet's dates know no zone
    rows = [["Email", "Qty", "Start"], ["ana@example.com", 1, day]]
    usual = read_sheet(workbook(tmp_path, rows))
    path = with_shared_strings(workbook(tmp_path, rows))
    edited(path, SHEET_PART, r'<c r="C2"([^>]*?)(?: t="n")?><v>[0-9.]+</v>', r'<c r="C2"\1 t="d"><v>2026-12-01</v>')
    sheet = read_sheet(as_strict(path))
    assert (sheet.headers, cells(sheet)) == (usual.headers, cells(usual))
    assert sheet.values == usual.values
    assert sheet.sheet_name == "Wave"


def test_extensions_do_not_warn(tmp_path: Path) -> None:
    """What openpyxl does not keep is nobody's business here."""

    def change(sheet: Worksheet) -> None:
        validation = DataValidation(type="list", formula1='"yes,no"')
        validation.add("C2:C9")
        sheet.add_data_validation(validation)

    path = workbook(tmp_path, [_HEAD, _ROW], change=change)
    extension = '<extLst><ext uri="{CCE6A557-97BC-4b89-ADB6-D9C93CAAB3DF}"/></extLst></worksheet>'
    edited(path, SHEET_PART, "</worksheet>", extension)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(read_sheet(path).frame) == 1


# --- which sheet ---------------------------------------------------------------------------------------------------

_NOTES = [["How to fill this in"], ["Write one row for each item."]]


def test_the_sheet_with_known_headers(tmp_path: Path) -> None:
    """Wherever it stands; a chance word on another sheet does not count."""
    path = sheets(tmp_path, about=_NOTES, lists=[["Product"], ["Apple Magic Mouse"]], people=[_HEAD, _ROW])
    assert read_sheet(path).sheet_name == "people"


def test_two_sheets_of_orders(tmp_path: Path) -> None:
    """Which one is not guessed: both are named, and --sheet."""
    rows = [_NEEDED, [*_PERSON, 1]]
    path = sheets(tmp_path, wave1=rows, wave2=rows, about=_NOTES)
    error = refused(path)
    assert "“wave1”" in error.message
    assert "“wave2”" in error.message
    assert "about" not in error.message
    assert "--sheet" in error.hint
    assert read_sheet(path, sheet_name="wave2").sheet_name == "wave2"


def test_a_sheet_of_orders_is_not_passed_over_for_a_missing_column(tmp_path: Path) -> None:
    """People on a second sheet whose header lacks one column would silently get nothing."""
    rows = [_NEEDED, [*_PERSON, 1]]
    less = [row[:6] + row[7:] for row in rows]
    assert "“wave2”" in refused(sheets(tmp_path, wave1=rows, wave2=less)).message


def test_a_list_of_employees_is_no_sheet_of_orders(tmp_path: Path) -> None:
    """It knows e-mails and names, and no products."""
    path = sheets(tmp_path, people=[_NEEDED[:7], _PERSON[:7]], orders=[_NEEDED, [*_PERSON, 1]])
    assert read_sheet(path).sheet_name == "orders"


def test_an_empty_copy_is_no_rival(tmp_path: Path) -> None:
    """A template's header without rows below leaves the choice clear."""
    path = sheets(tmp_path, template=[_NEEDED], orders=[_NEEDED, [*_PERSON, 1]])
    assert read_sheet(path).sheet_name == "orders"


@pytest.mark.parametrize("name", ["Wave", "wave", "WAVE"])
def test_a_sheet_by_its_name(tmp_path: Path, name: str) -> None:
    """Exactly, else without regard to case."""
    assert read_sheet(workbook(tmp_path, [_HEAD, _ROW]), sheet_name=name).sheet_name == "Wave"


def test_a_sheet_that_is_not_there(tmp_path: Path) -> None:
    """The names that are there are listed."""
    error = refused(sheets(tmp_path, people=[_HEAD, _ROW], about=_NOTES), sheet_name="wave")
    assert "“people”, “about”" in error.message


def test_a_named_sheet_without_known_headers(tmp_path: Path) -> None:
    """Is not replaced by another."""
    path = sheets(tmp_path, people=[_HEAD, _ROW], about=_NOTES)
    assert "header" in refused(path, sheet_name="about").message


@pytest.mark.parametrize("name", [None, "hidden wave"])
def test_a_hidden_sheet_of_orders(tmp_path: Path, name: str | None) -> None:
    """Nothing hidden is ordered, nor passed over in silence where it is all there is."""
    path = sheets(tmp_path, about=_NOTES, **{"hidden wave": [_HEAD, _ROW]})
    error = refused(path, sheet_name=name)
    assert "“hidden wave”" in error.message
    assert "nhide" in error.hint


def test_a_hidden_sheet_of_orders_beside_a_visible_one(tmp_path: Path) -> None:
    """Told too, unless --sheet says which one is meant; hidden lists are nobody's business."""
    rows = [_NEEDED, [*_PERSON, 1]]
    path = sheets(tmp_path, orders=rows, **{"hidden wave": rows, "hidden lists": [["Product"], ["Mouse"]]})
    assert "“hidden wave”" in refused(path).message
    assert read_sheet(path, sheet_name="orders").sheet_name == "orders"
    path = sheets(tmp_path, orders=rows, **{"hidden lists": [["Product"], ["Mouse"]]})
    assert read_sheet(path).sheet_name == "orders"


_FOREIGN = [["Mail address", "Town", "Laptop", "Notes"], ["a@example.com", "Berlin", "M", ""]]
_MAPPED = ("Mail address", "Town", "Laptop")


def test_a_mapping_files_headers_choose_the_sheet(tmp_path: Path) -> None:
    """The one sheet that has them all is the sheet of orders; one that has some, or our own columns, is no rival."""
    orders = [_NEEDED, [*_PERSON, 1]]
    people = [["Mail address", "Town", "First name", "Last name"], ["a@example.com", "Berlin", "Ana", "Sample"]]
    path = sheets(tmp_path, people=people, orders=orders, wave=_FOREIGN, prices=[["Laptop"], ["M"]])
    assert read_sheet(path, headers=_MAPPED).sheet_name == "wave"
    assert read_sheet(path).sheet_name == "orders"
    assert read_sheet(path, headers=_MAPPED, sheet_name="people").sheet_name == "people"


def test_two_sheets_with_a_mapping_files_headers(tmp_path: Path) -> None:
    """Which one is not guessed."""
    error = refused(sheets(tmp_path, wave=_FOREIGN, wave2=_FOREIGN, people=[_HEAD, _ROW]), headers=_MAPPED)
    assert "“wave”, “wave2”" in error.message
    error = refused(sheets(tmp_path, people=[_HEAD, _ROW], **{"hidden wave": _FOREIGN}), headers=_MAPPED)
    assert "“hidden wave”" in error.message


# --- what a spreadsheet hides --------------------------------------------------------------------------------------

_WIDE: list[list[Any]] = [
    ["Email", "Product title", "Quantity", "Notes"],
    ["a@example.com", "Mouse", 1, "x"],
    ["b@example.com", "Mouse", 1],
]


def odd(path: Path) -> list[tuple[str, tuple[int, ...], tuple[int, ...], str]]:
    """Code, rows, columns and name of all that the file hides."""
    return [(o.code.value, o.rows, o.columns, o.what) for o in read_sheet(path).oddities]


def test_error_cells(tmp_path: Path) -> None:
    """Each with its place and what it says; one above the header does not matter."""

    def change(sheet: Worksheet) -> None:
        for place, error in (("C3", "#N/A"), ("D2", "#REF!"), ("E1", "#NAME?")):
            sheet[place].value, sheet[place].data_type = error, "e"

    found = odd(workbook(tmp_path, _WIDE, change=change))
    assert found == [("cell_error", (2,), (4,), "#REF!"), ("cell_error", (3,), (3,), "#N/A")]


def test_a_date_that_is_none(tmp_path: Path) -> None:
    """A number far beyond the calendar in a date's format is shown as ##### by Excel: an error cell."""

    def change(sheet: Worksheet) -> None:
        sheet["D3"].value = 99999999999
        sheet["D3"].number_format = "yyyy-mm-dd"

    assert [o[:3] for o in odd(workbook(tmp_path, _WIDE, change=change))] == [("cell_error", (3,), (4,))]


def test_formulas_without_a_value(tmp_path: Path) -> None:
    """What they would come to is not known here."""

    def change(sheet: Worksheet) -> None:
        sheet["C3"].value = "=1+1"

    assert odd(workbook(tmp_path, _WIDE, change=change)) == [("formula_without_value", (3,), (3,), "")]


def test_a_row_of_nothing_but_formulas_without_a_value(tmp_path: Path) -> None:
    """Looks blank, and is not: it is a row all the same."""
    path = workbook(tmp_path, [*_WIDE, [], [f"=Other!{letter}4" for letter in "ABCD"]])
    assert {o[:2] for o in odd(path)} == {("formula_without_value", (5,))}
    assert tuple(read_sheet(path).row_numbers) == (2, 3, 5)


def test_formulas_with_a_value(tmp_path: Path) -> None:
    """Are their value; an empty text is one."""
    path = workbook(tmp_path, _WIDE)
    edited(path, SHEET_PART, r'<c r="C3"[^>]*><v>1</v></c>', '<c r="C3"><f>1+1</f><v>2</v></c>')
    edited(path, SHEET_PART, r'(<c r="C3">.*?</c>)', r'\1<c r="D3" t="str"><f>""</f><v></v></c>')
    assert cells(read_sheet(path))[1] == ["b@example.com", "Mouse", "2", ""]
    assert odd(path) == []


@pytest.mark.parametrize(
    ("area", "rows", "columns"),
    [("A2:A3", (2, 3), (1,)), ("A3:B4", (3,), (1, 2)), ("D1:D2", (2,), (4,)), ("A2:D2", (2,), (1, 2, 3, 4))],
)
def test_merged_cells(tmp_path: Path, area: str, rows: tuple[int, ...], columns: tuple[int, ...]) -> None:
    """In the rows they leave cells blank that do not look so."""
    path = workbook(tmp_path, _WIDE, change=lambda sheet: sheet.merge_cells(area))
    assert odd(path) == [("merged_cells", rows, columns, area)]


@pytest.mark.parametrize("area", ["A1:D1", "A1:B2", "C3:D3", "A6:D7", "A8:B9"])
def test_merged_cells_elsewhere(tmp_path: Path, area: str) -> None:
    """A title above, headers, a box below: not data."""
    rows = [["New hires"], [], *_WIDE]
    assert odd(workbook(tmp_path, rows, change=lambda sheet: sheet.merge_cells(area))) == []


def test_hidden_rows(tmp_path: Path) -> None:
    """By hand or by a filter."""

    def change(sheet: Worksheet) -> None:
        sheet.row_dimensions[3].hidden = True

    path = workbook(tmp_path, _WIDE, change=change)
    assert odd(path) == [("hidden_row", (3,), (), "")]
    assert tuple(read_sheet(path).row_numbers) == (2, 3)


@pytest.mark.parametrize("zero", ["0", "0.0"])
def test_rows_and_columns_of_no_size(tmp_path: Path, zero: str) -> None:
    """Nobody sees them either: XlsxWriter hides a column so."""
    path = workbook(tmp_path, _WIDE)
    edited(path, SHEET_PART, '<row r="3"', f'<row r="3" ht="{zero}" customHeight="1"')
    cols = f'<cols><col min="2" max="2" width="{zero}" customWidth="1"/></cols>'
    edited(path, SHEET_PART, "(<cols>.*?</cols>)?<sheetData>", f"{cols}<sheetData>")
    found = [("hidden_row", (3,), (), ""), ("hidden_row", (2, 3), (2,), "column B")]
    assert odd(path) == found
    with patch.object(xlsx_reader, "plain_sheet", lambda *_: None):
        assert odd(path) == found


def test_hidden_rows_elsewhere(tmp_path: Path) -> None:
    """A title, or rows with nothing in them."""

    def change(sheet: Worksheet) -> None:
        sheet["A5"].value = "  "
        for row in (1, 4, 5, 9):
            sheet.row_dimensions[row].hidden = True

    rows = [["New hires"], *_WIDE[:2], [], [], _WIDE[2]]
    assert odd(workbook(tmp_path, rows, change=change)) == []


@pytest.mark.parametrize(("column", "rows"), [("C", (2, 3)), ("D", (2,))])
def test_hidden_columns(tmp_path: Path, column: str, rows: tuple[int, ...]) -> None:
    """Ours, or the person's own, with the rows that hold anything there."""

    def change(sheet: Worksheet) -> None:
        sheet.column_dimensions[column].hidden = True

    assert odd(workbook(tmp_path, _WIDE, change=change)) == [
        ("hidden_row", rows, ("ABCD".index(column) + 1,), f"column {column}")
    ]


def test_hidden_columns_with_nothing_in_them(tmp_path: Path) -> None:
    """People hide everything to the right of their table."""

    def change(sheet: Worksheet) -> None:
        sheet.column_dimensions.group("F", "XFD", hidden=True)

    assert odd(workbook(tmp_path, _WIDE, change=change)) == []


def test_oddities_on_other_sheets_do_not_matter(tmp_path: Path) -> None:
    """Only the sheet that is ordered from is looked at."""
    path = sheets(tmp_path, people=[_HEAD, _ROW], sums=[["Total"], ["=SUM(1,2)"]])
    assert len(read_sheet(path).frame) == 1


# --- hostile and broken files --------------------------------------------------------------------------------------


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    """20 MB are more than any wave."""
    path = text_file(tmp_path, b"Email,Qty\n" + b"a@example.com,1\n" * (Limits().file_size // 16 + 1))
    assert "too large" in refused(path).message


@pytest.mark.parametrize(
    ("limits", "says", "setting"),
    [
        (Limits(file_size=1_000), "more than 1 KB", "max_file_size"),
        (Limits(unpacked_size=2_000), "it unpacks to", "max_unpacked_size"),
        (Limits(columns=2), "more than 2 columns (C1)", "max_columns"),
        (Limits(rows=1), "more than 1 rows", "max_rows"),
    ],
)
def test_limits_are_settings(tmp_path: Path, limits: Limits, says: str, setting: str) -> None:
    """What is larger than the settings allow is refused, with the setting's name."""
    path = workbook(tmp_path, [_HEAD, _ROW, _ROW])
    assert len(read_sheet(path).frame) == 2
    error = refused(path, limits=limits)
    assert says in error.message
    assert setting in error.hint


def test_a_zip_bomb(tmp_path: Path) -> None:
    """Is refused by what its list of contents says, before anything is unpacked."""
    path = workbook(tmp_path, [_HEAD, _ROW])
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive, archive.open("xl/bomb.xml", "w") as part:
        for _ in range(Limits().unpacked_size // 10**7 + 1):
            part.write(bytes(10**7))
    assert "too large" in refused(path).message


def test_too_many_rows(tmp_path: Path) -> None:
    """Rows with something in them; blank ones do not count."""
    rows = "a@example.com,1\n" * (Limits().rows + 1)
    assert "250,000 rows" in refused(text_file(tmp_path, "Email,Qty\n" + rows)).message


def test_too_many_columns(tmp_path: Path) -> None:
    """In text and in workbooks."""
    header = ["Email", "Qty", *[f"extra {n}" for n in range(199)]]
    assert "200 columns" in refused(text_file(tmp_path, ",".join(header) + "\na@example.com,1\n")).message
    assert "200 columns" in refused(workbook(tmp_path, [header, _ROW])).message


def test_a_cell_in_the_last_corner(tmp_path: Path) -> None:
    """XFD1048576: refused where it holds something, and no reason for anything where it does not."""
    corner = '<row r="1048576"><c r="XFD1048576"%s</row></sheetData>'
    path = edited(workbook(tmp_path, [_HEAD, _ROW]), SHEET_PART, "</sheetData>", corner % "><v>1</v></c>")
    assert "XFD1048576" in refused(path).message
    path = edited(workbook(tmp_path, [_HEAD, _ROW]), SHEET_PART, "</sheetData>", corner % "/>")
    assert len(read_sheet(path).frame) == 1


def test_rows_far_down(tmp_path: Path) -> None:
    """Keep their numbers."""
    row = '<row r="900000"><c r="A900000" t="inlineStr"><is><t>b@example.com</t></is></c></row></sheetData>'
    path = edited(workbook(tmp_path, [_HEAD, _ROW]), SHEET_PART, "</sheetData>", row)
    assert tuple(read_sheet(path).row_numbers) == (2, 900000)


@pytest.mark.parametrize("order", [[3, 2], [2, 2]])
def test_rows_out_of_order(tmp_path: Path, order: list[int]) -> None:
    """One of them would be dropped in silence."""
    path = workbook(tmp_path, [_HEAD])
    rows = "".join(
        f'<row r="{n}"><c r="A{n}" t="inlineStr"><is><t>a{place}@example.com</t></is></c></row>'
        for place, n in enumerate(order)
    )
    edited(path, SHEET_PART, "</sheetData>", rows + "</sheetData>")
    assert "damaged" in refused(path).message


@pytest.mark.parametrize("entity", ['<!ENTITY a "b">', '<!ENTITY a SYSTEM "file:///etc/passwd">'])
@pytest.mark.parametrize("part", [SHEET_PART, STRINGS_PART, "xl/workbook.xml", "xl/styles.xml"])
def test_entities_are_refused(tmp_path: Path, entity: str, part: str) -> None:
    """Neither expanded nor fetched."""
    path = with_shared_strings(workbook(tmp_path, [_HEAD, _ROW]))
    edited(path, part, r"(<(?:worksheet|sst|workbook|styleSheet)\b)", f"<!DOCTYPE x [{entity}]>" + r"\1")
    assert "damaged" in refused(path).message


def test_shared_strings(tmp_path: Path) -> None:
    """Texts stand in a part of their own where Excel wrote the workbook."""
    path = with_shared_strings(workbook(tmp_path, [_HEAD, _ROW]))
    assert cells(read_sheet(path)) == [["ana@example.com", "Apple Magic Mouse", "1"]]


@pytest.mark.parametrize(
    ("part", "pattern", "replacement"),
    [
        (SHEET_PART, "</sheetData>.*", ""),
        (SHEET_PART, r'<c r="A2" t="s"><v>\d+', '<c r="A2" t="s"><v>99'),
        (SHEET_PART, "<v>1</v>", "<v>NaN</v>"),
        (SHEET_PART, "<v>1</v>", "<v>1E999</v>"),
        (SHEET_PART, '<c r="A2"', '<c r="!"'),
        (SHEET_PART, '<c r="A2"', '<c s="999" r="A2"'),
        (SHEET_PART, "<v>1</v>", '<v>1</v><is/></c><c r="D2" s="999"><v>1</v>'),
        (SHEET_PART, "</sheetData>", '</sheetData><mergeCells><mergeCell ref="!"/></mergeCells>'),
        (SHEET_PART, "</sheetData>", "</sheetData><mergeCells><mergeCell/></mergeCells>"),
        (SHEET_PART, "<sheetData>", '<cols><col min="x" max="y" hidden="1"/></cols><sheetData>'),
        (SHEET_PART, '<row r="2"', '<row r="two"'),
        ("xl/styles.xml", "<cellXfs.*?</cellXfs>", ""),
        ("xl/workbook.xml", "<sheets>.*?</sheets>", ""),
        ("xl/workbook.xml", ".+", "x"),
        (STRINGS_PART, ".+", ""),
        (STRINGS_PART, "<si>.*</si>", ""),
        (STRINGS_PART, "<si>", "<si><x>"),
        (TYPES_PART, ".+", ""),
        ("xl/_rels/workbook.xml.rels", ".+", "<x/>"),
    ],
)
def test_broken_parts(tmp_path: Path, part: str, pattern: str, replacement: str) -> None:
    """Read or refused, never another exception."""
    path = edited(with_shared_strings(workbook(tmp_path, [_HEAD, _ROW])), part, pattern, replacement)
    read_or_refused(path)


@pytest.mark.parametrize("part", [SHEET_PART, STRINGS_PART, TYPES_PART, "xl/_rels/workbook.xml.rels"])
def test_missing_parts(tmp_path: Path, part: str) -> None:
    """Refused, never another exception."""
    path = with_shared_strings(workbook(tmp_path, [_HEAD, _ROW]))
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist() if name != part}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    refused(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(st.integers(0, 10**6), st.binary(min_size=1, max_size=8), st.booleans())
def test_damaged_archives(tmp_path: Path, where: int, change: bytes, cut: bool) -> None:
    """Bytes changed or cut off anywhere: read or refused, never another exception."""
    content = workbook(tmp_path, [_HEAD, _ROW]).read_bytes()
    where %= len(content)
    content = content[:where] if cut else content[:where] + change + content[where + len(change) :]
    read_or_refused(text_file(tmp_path, content, "damaged.xlsx"))


def test_an_encrypted_archive(tmp_path: Path) -> None:
    """Parts that ask for a password cannot be read."""
    path = workbook(tmp_path, [_HEAD, _ROW])
    content = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        for found in re.finditer(re.escape(mark), bytes(content)):
            content[found.start() + offset] |= 1
    refused(text_file(tmp_path, bytes(content), "locked.xlsx"))


# --- our own results ------------------------------------------------------------------------------------------------


def test_our_own_workbook_reads_back(tmp_path: Path) -> None:
    """Summary, comments, filter and frozen header are no obstacle; every cell of the person's own is there."""
    first = read_sheet(SAMPLES / "new-hires.xlsx")
    path = text_file(tmp_path, render_xlsx(make_report(map_columns(first))), "back.xlsx")
    back = read_sheet(path)
    assert back.sheet_name == first.sheet_name
    assert back.headers == first.headers + RESULT_COLUMNS
    assert [row[:-5] for row in cells(back)] == cells(first)
    assert len(map_columns(back).results) == 5
    numbers = {place: value for place, value in first.values.items() if first.headers[place[1]] == "Cost centre"}
    assert numbers
    assert {place: back.values[place] for place in numbers} == numbers


def test_our_own_csv_reads_back(tmp_path: Path) -> None:
    """Guards, delimiter, accents and line breaks."""
    rows = [["a@example.com", "=1+1", "two\nlines"], ["b@example.com", "'=x", "+49 89 123"]]
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=";").writerows([["Email", "=Notes", "Größe"], *[[guarded(c) for c in r] for r in rows]])
    first = read_sheet(text_file(tmp_path, text.getvalue()))
    back = read_sheet(text_file(tmp_path, render_csv(make_report(make_mapped(first, {}))), "back.csv"))
    assert back.headers == ("Email", "=Notes", "Größe", *RESULT_COLUMNS)
    assert back.delimiter == ";"
    assert [row[:3] for row in cells(back)] == rows


# --- the samples -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "rows", "people", "delimiter"),
    [
        ("new-hires.csv", 60, 25, ","),
        ("new-hires.xlsx", 60, 25, ","),
        ("mixed-errors.csv", 34, 28, ","),
        ("rolling-nightly.csv", 12, 6, ","),
        ("rolling-nightly-next.csv", 14, 8, ","),
        ("europe-semicolon.csv", 16, 8, ";"),
    ],
)
def test_samples_are_read_and_mapped(name: str, rows: int, people: int, delimiter: str) -> None:
    """Each has the people that its README says."""
    mapped = map_columns(read_sheet(SAMPLES / name))
    emails = {email.strip().casefold() for email in mapped.values(NEEDED[0])} - {""}
    assert (len(mapped.sheet.frame), len(emails), mapped.sheet.delimiter) == (rows, people, delimiter)


@pytest.mark.parametrize("name", ["no-header.csv", "headers-only.csv"])
def test_samples_that_cannot_be_read(name: str) -> None:
    """Exit 3 with the reason."""
    refused(SAMPLES / name)


@pytest.mark.parametrize(
    ("name", "code"),
    [("missing-column.csv", FindingCode.MISSING_COLUMN), ("duplicate-column.csv", FindingCode.DUPLICATE_COLUMN)],
)
def test_samples_that_cannot_be_mapped(name: str, code: FindingCode) -> None:
    """Exit 3 with one finding."""
    with pytest.raises(SheetError) as caught:
        map_columns(read_sheet(SAMPLES / name))
    assert [getattr(finding, "code", None) for finding in caught.value.findings] == [code]


def test_every_sample_is_told_of() -> None:
    """The folder's README has a line for each file."""
    told = set(re.findall(r"^\| `([^`]+)`", (SAMPLES / "README.md").read_text(), flags=re.MULTILINE))
    there = {
        path.name
        for path in SAMPLES.iterdir()
        if path.suffix in {".csv", ".xlsx", ".toml"} and ".results" not in path.name
    }
    assert told == there


def test_the_sample_workbook_is_the_csv_wave(tmp_path: Path) -> None:
    """The same people and items, and what `make_samples` makes today."""
    text, book = read_sheet(SAMPLES / "new-hires.csv"), read_sheet(SAMPLES / "new-hires.xlsx")
    assert book.headers[1:-1] == text.headers
    assert [row[1:-1] for row in cells(book)] == cells(text)
    assert (book.header_row, book.sheet_name) == (make_samples.HEADER_ROW, "New hires")
    zips = [place for place, value in book.values.items() if value.number_format == "00000"]
    assert {cells(book)[row][column] for row, column in zips} == {make_samples.NUMBER_ZIP}
    made = read_sheet(text_file(tmp_path, make_samples.make_workbook(make_samples.wave()), "made.xlsx"))
    assert (made.headers, cells(made), made.values) == (book.headers, cells(book), book.values)
    assert load_workbook(SAMPLES / "new-hires.xlsx").sheetnames == ["New hires", "Read me"]


@pytest.mark.parametrize("encoding", ["idna", "punycode", "utf-7", "undefined"])
def test_an_encoding_that_does_not_fit_is_told(tmp_path: Path, encoding: str) -> None:
    """Also one of those that only host names come in."""
    path = tmp_path / "hires.csv"
    path.write_bytes("Email,First name\nana@example.com,Köln\n".encode("cp1252"))
    with pytest.raises(SheetError, match=f"cannot be read as {encoding}"):
        read_sheet(path, encoding=encoding)
