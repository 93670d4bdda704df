"""Files made to harm: each is refused with its reason, or read, by a process that keeps within 10 s and 512 MB."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from openpyxl import Workbook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

# Seconds of processor time: the machine may be busy with other things.
_MOST_SECONDS = 10
_MOST_MEGABYTES = 512
_HEAD = ["Email", "Product title", "Quantity"]
_ROW = ["ana@example.com", "Apple Magic Mouse", 1]
_SHEET, _STRINGS, _STYLES = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/styles.xml"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"

# What a reading process tells: how it ended, and what it took.
_READ = """
import json, resource, sys
from pathlib import Path
from batch_orders.adapters.sheet_reader import read_sheet
from batch_orders.errors import SheetError
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
resource.setrlimit(resource.RLIMIT_AS, (3 * 2**30, 3 * 2**30))
try:
    said, rows = "", len(read_sheet(Path(sys.argv[1])).frame)
except SheetError as error:
    said, rows = error.message, 0
used = resource.getrusage(resource.RUSAGE_SELF)
seconds = used.ru_utime + used.ru_stime
# ru_maxrss would count the process that started this one.
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(json.dumps({"said": said, "rows": rows, "seconds": seconds, "megabytes": int(peak.split()[1]) / 1024}))
"""


def read_in_a_child(path: Path) -> dict[str, Any]:
    """How reading a file ends, and what it takes; a crash, an uncaught error or a hang fails the test."""
    command = [sys.executable, "-W", "error", "-c", _READ, str(path)]
    # What counts a test run's lines would take three times as long as the reading itself.
    untraced = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False, env=untraced)
    assert done.returncode == 0, done.stderr[-2000:]
    said: dict[str, Any] = json.loads(done.stdout)
    assert said["seconds"] < _MOST_SECONDS
    assert said["megabytes"] < _MOST_MEGABYTES
    return said


def workbook(path: Path, **parts: tuple[str, Iterable[bytes]]) -> Path:
    """A workbook with one row, and these pieces put before a mark in some of its parts."""
    made = Workbook()
    sheet = made.active
    assert sheet is not None
    for row in (_HEAD, _ROW):
        sheet.append(row)
    made.save(path)
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    places = {"sheet": _SHEET, "styles": _STYLES, "book": "xl/workbook.xml"}
    changes = {places[name]: change for name, change in parts.items()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            mark, pieces = changes.get(name, ("", ()))
            before, found, after = content.partition(mark.encode()) if mark else (content, b"", b"")
            assert not mark or found
            with archive.open(name, "w", force_zip64=True) as part:
                part.write(before)
                for piece in pieces:
                    part.write(piece)
                part.write(found + after)
    return path


def _cells(rows: range, *letters: bytes, inside: bytes = b"") -> Iterable[bytes]:
    for row in rows:
        number = b"%d" % row
        cells = b"".join(b'<c r="%s%s" s="0">%s</c>' % (letter, number, inside) for letter in letters)
        yield b'<row r="%s" s="0" customFormat="1">%s</row>' % (number, cells)


_END = "</sheetData>"
_BELOW = range(3, 1_048_577)


def _million_styled_rows() -> tuple[str, Iterable[bytes]]:
    return _END, (b'<row r="%d" s="0" customFormat="1"/>' % row for row in _BELOW)


def _million_styled_cells() -> tuple[str, Iterable[bytes]]:
    return _END, (b'<row r="%d"><c r="A%d" s="0"/><c r="C%d" s="0"/></row>' % (row, row, row) for row in _BELOW)


def _blank_values_far_right() -> tuple[str, Iterable[bytes]]:
    return _END, _cells(range(3, 200_000), b"XFD", inside=b"<v> </v>")


@pytest.mark.parametrize(
    "below",
    [
        _million_styled_rows,
        _million_styled_cells,
        lambda: (_END, _cells(range(3, 600_000), b"A", b"C", inside=b"<v></v>")),
        lambda: (_END, [b'<row r="1048576"><c r="XFD1048576" s="0"/></row>']),
    ],
)
def test_empty_cells_cost_little(tmp_path: Path, below: Callable[[], tuple[str, Iterable[bytes]]]) -> None:
    """What holds nothing but a style is no row, however much of it there is."""
    assert read_in_a_child(workbook(tmp_path / "wave.xlsx", sheet=below()))["rows"] == 1


@pytest.mark.parametrize(
    ("part", "change", "says"),
    [
        ("sheet", lambda: (_END, [b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>']), "XFD1048576"),
        ("sheet", _blank_values_far_right, "damaged"),
        ("sheet", lambda: (_END, [b'<row r="99999999999"><c r="A99999999999"><v>1</v></c></row>']), "damaged"),
        ("sheet", lambda: (_END, _cells(range(3, 400_000), b"A", inside=b"<v>1</v>")), "250,000 rows"),
        ("sheet", lambda: (_END, [b"<x>" * 2**20, b"</x>" * 2**20]), "damaged"),
        ("sheet", lambda: (_END, [b'<row r="3"><c r="A3" t="inlineStr"><is><t>', *[b"a" * 2**20] * 100]), "damaged"),
        ("sheet", lambda: (_END, [b'<row r="3" ', *(b'a%d="1" ' % n for n in range(10**6)), b"/>"]), "damaged"),
        ("sheet", lambda: (_END, [b'<row r="3">', *[b'<c r="A3"><v>1</v></c>'] * 10**6, b"</row>"]), "damaged"),
        (
            "sheet",
            lambda: ("</worksheet>", [b"<mergeCells>", *[b'<mergeCell ref="A1:B9"/>'] * 10**6, b"</mergeCells>"]),
            "damaged",
        ),
        ("styles", lambda: ("</cellXfs>", [b"<xf/>"] * 4 * 10**6), "styles.xml"),
        ("book", lambda: ("</sheets>", [b'<sheet name="a" sheetId="9" r:id="rId1"/>'] * 10**6), "workbook.xml"),
    ],
)
def test_parts_that_grow_beyond_measure(
    tmp_path: Path, part: str, change: Callable[[], tuple[str, Iterable[bytes]]], says: str
) -> None:
    """Are refused while they are read, not afterwards."""
    assert says in read_in_a_child(workbook(tmp_path / "wave.xlsx", **{part: change()}))["said"]


def test_a_million_texts(tmp_path: Path) -> None:
    """Texts that stand in a part of their own are counted too."""
    path = workbook(tmp_path / "wave.xlsx")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive, archive.open(_STRINGS, "w") as part:
        part.write(f'<sst xmlns="{_MAIN}">'.encode())
        for _ in range(100):
            part.write(b"<si/>" * 10**5)
        part.write(b"</sst>")
    assert "damaged" in read_in_a_child(path)["said"]


@pytest.mark.parametrize("parts", [1, 100])
def test_zip_bombs(tmp_path: Path, parts: int) -> None:
    """Refused by what the archive's list of contents says."""
    path = workbook(tmp_path / "wave.xlsx")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        for number in range(parts):
            with archive.open(f"xl/media/{number}.bin", "w") as part:
                for _ in range(300 // parts):
                    part.write(bytes(10**6))
    assert "unpacks to 300 MB" in read_in_a_child(path)["said"]


def test_an_archive_of_very_many_parts(tmp_path: Path) -> None:
    """However small they are."""
    path = workbook(tmp_path / "wave.xlsx")
    with zipfile.ZipFile(path, "a") as archive:
        for number in range(5_000):
            archive.writestr(f"xl/media/{number}", b"")
    assert "parts" in read_in_a_child(path)["said"]


def test_an_archive_that_lies_about_its_size(tmp_path: Path) -> None:
    """A part that is larger than its list of contents says ends there."""
    path = workbook(tmp_path / "wave.xlsx")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive, archive.open("xl/media/x", "w") as part:
        for _ in range(300):
            part.write(bytes(10**6))
    content = path.read_bytes().replace((300 * 10**6).to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    path.write_bytes(content)
    assert "damaged" in read_in_a_child(path)["said"]


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_unusual_compression(tmp_path: Path, method: int) -> None:
    """No spreadsheet uses these, and they can ask for gigabytes."""
    path = workbook(tmp_path / "wave.xlsx")
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    assert "damaged" in read_in_a_child(path)["said"]


@pytest.mark.parametrize(
    "document_type",
    [
        '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>',
        '<!DOCTYPE x SYSTEM "file:///etc/passwd">',
    ],
)
@pytest.mark.parametrize(("part", "mark"), [("sheet", "<worksheet"), ("book", "<workbook"), ("styles", "<styleSheet")])
def test_document_types(tmp_path: Path, document_type: str, part: str, mark: str) -> None:
    """Laughs by the billion, and files from elsewhere, begin with one."""
    changed: dict[str, Any] = {part: (mark, [document_type.encode()])}
    assert "damaged" in read_in_a_child(workbook(tmp_path / "wave.xlsx", **changed))["said"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"Email,Qty\n" + b"\n" * 19_000_000, "no rows"),
        (b"Email,Qty\n" + b"," * 19_000_000, "no rows"),
        (b"," * 19_000_000 + b"\nEmail,Qty\na@example.com,1\n", ""),
        (b"Email,Qty\na@example.com,1\n" + b"x," * 9_000_000, "200 columns"),
        (b"Email,Qty\n" + b"x\n" * 9_000_000, "250,000 rows"),
        (b"Email,Qty\n" + b'"\n' * 9_000_001, "quotation mark"),
        (b"Email,Qty\n" + b'a,"b' * 4_000_000, "quotation mark"),
        (b"Email,Qty\na@example.com," + b"x" * 19_000_000, ""),
        (b"Email,Qty\n" + b"\xff" * 19_000_000, "not UTF-8"),
        (b"Email,Qty\n" + "ü,".encode("cp1252") * 9_000_000, "not UTF-8"),
        (b"\0" * 19_000_000, "NUL character in line 1"),
    ],
)
def test_text_made_to_exhaust(tmp_path: Path, content: bytes, says: str) -> None:
    """Rows, columns, quotation marks and letters without end."""
    path = tmp_path / "wave.csv"
    path.write_bytes(content)
    said = read_in_a_child(path)
    assert says in said["said"]
    assert bool(said["rows"]) == (not says)
