"""A sheet with some cells changed: read again, it is the same but for these, whatever kind of file it is."""

from __future__ import annotations

import csv
import dataclasses
import io
import re
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook
from openpyxl.worksheet.formula import ArrayFormula

from batch_orders.adapters import own_workbook
from batch_orders.adapters.mended_sheet import Mended, held, mended
from batch_orders.adapters.mended_sheet.anew import saved_again, written_plainly
from batch_orders.adapters.mended_sheet.figures import figures_of
from batch_orders.adapters.mended_sheet.in_workbook import mended_in_place
from batch_orders.adapters.sheet_reader import ERRORS, read_sheet
from batch_orders.errors import SheetError
from batch_orders.models import Cell, FindingCode, ResultRow, RowStatus, SheetKind
from batch_orders.stages.columns import map_columns
from tests import make_cases, office
from tests.builders import make_report
from tests.program import SAMPLES
from tests.workbooks import HEADER_ROW, HEADERS, PAYLOADS, lint, rich_workbook

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from batch_orders.models import Sheet

# openpyxl says what it will not write again.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:openpyxl")

FIXTURES = Path(__file__).parent.parent / "fixtures"
_SUFFIXES = {f".{kind}" for kind in SheetKind}
_SHEETS = sorted(
    path for folder in (make_cases.CASES, SAMPLES, FIXTURES) for path in folder.rglob("*.*") if path.suffix in _SUFFIXES
)
HEAD = ["Email", "Product title", "Quantity"]
ANA = ["ana@example.com", "Apple Magic Mouse", "1"]
BOB = ["bob@example.com", "Apple Magic Keyboard", "2"]
HARD = '=1+1 & <x> "quoted"; a,b\t|\n_x0041_ Köln 東京 '


def rows_of(sheet: Sheet) -> dict[int, list[str]]:
    """The rows by their numbers; those in which nothing can be read are left out."""
    rows = dict(zip(sheet.row_numbers, sheet.frame.to_numpy().tolist(), strict=True))
    return {number: row for number, row in rows.items() if any(text.strip() for text in row)}


def above(sheet: Sheet) -> dict[int, str]:
    """The lines above the header, without blank cells at their ends."""
    return {number: "\n".join(line).rstrip("\n") for number, line in sheet.above.items()}


def odd(sheet: Sheet, cells: Mapping[Cell, str]) -> set[tuple[Any, ...]]:
    """What is told of the file but for merged areas, and for these cells and the rows that they stand in."""
    alone = {FindingCode.CELL_ERROR, FindingCode.FORMULA_WITHOUT_VALUE}
    rows = {cell.row for cell in cells}
    found = set()
    for oddity in sheet.oddities:
        if oddity.code in alone and Cell(oddity.rows[0], oddity.columns[0]) not in cells:
            found.add((oddity.code, oddity.rows, oddity.columns))
        elif oddity.code is FindingCode.HIDDEN_ROW and set(oddity.rows) - rows:
            found.add((oddity.code, tuple(set(oddity.rows) - rows), oddity.columns))
    return found


def obeys(sheet: Sheet, cells: Mapping[Cell, str], made: Mended) -> Sheet:
    """The law, checked; the sheet as it is read again."""
    read = read_sheet(
        sheet.path, sheet_name=sheet.sheet_name, encoding=made.encoding, headers=sheet.headers, content=made.content
    )
    assert (read.kind, read.headers, read.header_row) == (made.kind, sheet.headers, sheet.header_row)
    assert above(read) == above(sheet)
    assert read.sheet_name == sheet.sheet_name
    wanted = dict(zip(sheet.row_numbers, sheet.frame.to_numpy().tolist(), strict=True))
    for cell, text in cells.items():
        wanted[cell.row][cell.column - sheet.first_column] = held(text)
    assert rows_of(read) == {number: row for number, row in wanted.items() if any(text.strip() for text in row)}
    assert odd(read, cells) == odd(sheet, cells)
    errors = {Cell(o.rows[0], o.columns[0]) for o in read.oddities if o.code is FindingCode.CELL_ERROR}
    # Somebody may type one.
    assert all(held(cells[cell]) in ERRORS for cell in errors & cells.keys())
    return read


def from_rows(rows: list[list[Any]], change: Callable[[Any], None] | None = None) -> Sheet:
    """A workbook of these rows, read."""
    workbook = Workbook()
    sheet: Any = workbook.active
    for row in rows:
        sheet.append(row)
    if change:
        change(sheet)
    buffer = io.BytesIO()
    workbook.save(buffer)
    return read_sheet(Path("wave.xlsx"), content=buffer.getvalue())


def part_of(content: bytes, name: str) -> str:
    """A part's text."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read(name).decode()


def edited(content: bytes, part: str, change: Callable[[str], str]) -> bytes:
    """The workbook with one part changed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(old.read(name).decode()) if name == part else old.read(name))
    return buffer.getvalue()


# --- every sheet there is ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", _SHEETS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_sheet_obeys(path: Path) -> None:
    """The first row all at once, each column alone, and cells emptied; nothing else changes."""
    try:
        sheet = read_sheet(path)
    except SheetError:
        pytest.skip("refused by the reader")
    first = [sheet.cell(0, column) for column in range(len(sheet.headers))]
    last = [sheet.cell(len(sheet.row_numbers) - 1, column) for column in range(len(sheet.headers))]
    emptied = {**dict.fromkeys(last, ""), last[0]: "left"}
    changes = [dict.fromkeys(first, HARD), emptied, *({cell: "mended"} for cell in last)]
    for cells in [*changes, {cell: f"new {cell}" for cell in (*first, *last)}]:
        obeys(sheet, cells, mended(sheet, cells))


@pytest.mark.parametrize("path", _SHEETS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_workbook_written_anew_obeys(path: Path) -> None:
    """Both ways round a layout that is not understood: by openpyxl, and plainly."""
    try:
        sheet = read_sheet(path)
    except SheetError:
        pytest.skip("refused by the reader")
    cells = {sheet.cell(0, column): f"{HARD}{column}" for column in range(len(sheet.headers))}
    if sheet.kind is not SheetKind.CSV:
        obeys(sheet, cells, Mended(SheetKind.XLSX, written_plainly(sheet, cells)))
    if sheet.kind is SheetKind.XLSX:
        obeys(sheet, cells, Mended(SheetKind.XLSX, saved_again(sheet, cells)))


@pytest.mark.parametrize("cell", [Cell(1, 1), Cell(4, 1), Cell(2, 4), Cell(2, 0), Cell(99, 1)])
def test_only_cells_of_the_data(cell: Cell) -> None:
    """The header, blank rows, and what is right of the table are nobody's to change."""
    content = b"Email,Product title,Quantity\na@example.com,Mouse,1\nb@example.com,Mouse,1\n\nc@example.com,Mouse,1\n"
    with pytest.raises(ValueError, match="none of the sheet's cells"):
        mended(read_sheet(Path("wave.csv"), content=content), {cell: "x"})


def test_a_text_that_no_cell_can_hold() -> None:
    """It is refused, never shortened; what XML forbids is replaced visibly."""
    sheet = from_rows([HEAD, ANA])
    with pytest.raises(ValueError, match="longer than a cell"):
        mended(sheet, {Cell(2, 1): "x" * 32_768})
    obeys(sheet, {Cell(2, 1): "x" * 32_767}, mended(sheet, {Cell(2, 1): "x" * 32_767}))
    assert held("a\0b\r\nc\ud800") == "a\ufffdb\nc\ufffd"


# --- CSV --------------------------------------------------------------------------------------------------------------

_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["", "=1+1", "'=x", "''", '"', '""', "a,b", "a;b", "line\nbreak", "+1 212 555 0142", " spaced ", "#N/A", "\ttab"]
)


@settings(deadline=None, max_examples=150)
@given(
    rows=st.lists(st.lists(_TEXT, min_size=1, max_size=3), min_size=1, max_size=5),
    end=st.sampled_from(["\r\n", "\n", "\r"]),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    last_end=st.booleans(),
    separator=st.booleans(),
    changes=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2), _TEXT), max_size=6),
)
def test_any_csv_obeys(  # noqa: PLR0917 - one for each thing that varies
    rows: list[list[str]],
    end: str,
    delimiter: str,
    encoding: str,
    quoting: int,
    last_end: bool,
    separator: bool,
    changes: list[tuple[int, int, str]],
) -> None:
    """And every row without a change stands there byte for byte."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter=delimiter, lineterminator=end, quoting=quoting)  # type: ignore[arg-type]
    writer.writerows([HEAD, ANA, *rows])
    text = (f"sep={delimiter}{end}" if separator else "") + buffer.getvalue()
    text = text if last_end else text.removesuffix(end)
    sheet = read_sheet(Path("wave.csv"), content=text.encode(encoding))
    cells = {sheet.cell(row % len(sheet.row_numbers), column % len(sheet.headers)): new for row, column, new in changes}
    made = mended(sheet, cells)
    obeys(sheet, cells, made)
    if not cells:
        assert made.content == sheet.content


def test_a_csv_file_keeps_everything_else() -> None:
    """Line ends of all kinds, quotation marks, guards, blank lines, a short row that grows, lines in a cell."""
    text = (
        'sep=;\r\n"A title"\r\n\r\nEmail;Product title;Quantity\n"ana@example.com";\'=x;"1"\r\n'
        'bob@example.com\r\r\ncy@example.com;"two\nlines";3'
    )
    sheet = read_sheet(Path("wave.csv"), content=text.encode())
    cells = {Cell(4, 3): "7", Cell(5, 2): "a;b", Cell(7, 1): "=d"}
    made = mended(sheet, cells)
    assert made.content.decode() == (
        'sep=;\r\n"A title"\r\n\r\nEmail;Product title;Quantity\n"ana@example.com";\'=x;"7"\r\n'
        'bob@example.com;"a;b"\r\r\n\'=d;"two\nlines";3'
    )
    obeys(sheet, cells, made)


def test_an_encoding_is_kept_where_it_has_the_text() -> None:
    """Else the file becomes UTF-8 with a mark, which is read without being told."""
    content = "Email,Product title,City\nana@example.com,Mouse,Köln\n".encode("cp1252")
    sheet = read_sheet(Path("wave.csv"), content=content, encoding="cp1252")
    kept = mended(sheet, {Cell(2, 2): "Größe"}, encoding="cp1252")
    assert kept == (SheetKind.CSV, content.replace(b"Mouse", b"Gr\xf6\xdfe"), "cp1252")
    for text in ("東京", "Łódź"):
        made = mended(sheet, {Cell(2, 2): text}, encoding="cp1252")
        assert made.encoding is None
        assert made.content.startswith(b"\xef\xbb\xbf")
        obeys(sheet, {Cell(2, 2): text}, made)


def test_a_text_that_would_make_the_encoding_look_wrong() -> None:
    """“Ã¶” in cp1252 is UTF-8 by its bytes, and such a file is refused where it is said to be cp1252."""
    sheet = read_sheet(Path("wave.csv"), content=b"Email,Product title\nana@example.com,Mouse\n", encoding="cp1252")
    made = mended(sheet, {Cell(2, 2): "KÃ¶ln"}, encoding="cp1252")
    obeys(sheet, {Cell(2, 2): "KÃ¶ln"}, made)


def test_utf16_without_a_mark_stays_so() -> None:
    """Also where only a mapping file's headers showed that it is UTF-16."""
    content = "Arbeitsmail,Sache\nana@example.com,Maus\n".encode("utf-16-le")
    sheet = read_sheet(Path("wave.csv"), content=content, headers=("Arbeitsmail", "Sache"))
    made = mended(sheet, {Cell(2, 2): "東京"})
    assert made.content == "Arbeitsmail,Sache\nana@example.com,東京\n".encode("utf-16-le")


# --- XLSX -------------------------------------------------------------------------------------------------------------

_VALUE = _TEXT | st.integers(-(10**6), 10**6) | st.booleans() | st.none() | st.sampled_from(["=1+1", "#N/A", "=NA()"])


@settings(deadline=None, max_examples=60)
@given(
    rows=st.lists(st.lists(_VALUE, min_size=1, max_size=3), min_size=1, max_size=5),
    changes=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2), _TEXT), max_size=6),
)
def test_any_workbook_obeys(rows: list[list[Any]], changes: list[tuple[int, int, str]]) -> None:
    """All three ways of writing it."""
    clean = [[held(value) if isinstance(value, str) else value for value in row] for row in rows]
    clean = [[re.sub("[\ufffd]", "?", v) if isinstance(v, str) else v for v in row] for row in clean]
    sheet = from_rows([["Wave"], [], HEAD, ANA, *clean])
    cells = {
        sheet.cell(row % len(sheet.row_numbers), column % len(sheet.headers)): held(new) for row, column, new in changes
    }
    for write in (mended_in_place, saved_again, written_plainly):
        content = write(sheet, cells)
        lint(content)
        obeys(sheet, cells, Mended(SheetKind.XLSX, content))


def test_a_rich_workbook_keeps_everything_else(tmp_path: Path) -> None:
    """Only the sheet's part, and what tells of formulas, differ; the cell keeps its format, whatever it was."""
    sheet = read_sheet(rich_workbook(tmp_path / "wave.xlsx", macros=True))
    cells = {sheet.cell(1, column): f"{column}: {PAYLOADS[0]}" for column in range(len(HEADERS))}
    made = mended(sheet, cells)
    lint(made.content)
    obeys(sheet, cells, made)
    touched = re.compile(r"\[Content_Types\]\.xml|xl/workbook\.xml|xl/_rels/workbook.xml.rels|xl/calcChain\.xml")
    with zipfile.ZipFile(sheet.path) as old, zipfile.ZipFile(io.BytesIO(made.content)) as new:
        differ = {name for name in old.namelist() if name not in new.namelist() or old.read(name) != new.read(name)}
        assert "xl/vbaProject.bin" in new.namelist()
    assert len([name for name in differ if not touched.fullmatch(name)]) == 1
    before, after = (load_workbook(file)[sheet.sheet_name] for file in (sheet.path, io.BytesIO(made.content)))
    for row in before.iter_rows():
        for cell in row:
            other = after[cell.coordinate]
            assert (cell.number_format, str(cell.font), str(cell.fill), str(cell.border)) == (
                other.number_format, str(other.font), str(other.fill), str(other.border),
            )  # fmt: skip
            if Cell(cell.row, cell.column) not in cells:
                assert (cell.value, cell.data_type) == (other.value, other.data_type)
    assert after.cell(HEADER_ROW + 2, 1).data_type == "s"


def test_results_that_come_back_are_mended(tmp_path: Path) -> None:
    """A results file, marks and all, is edited in place like any other."""
    mapped = map_columns(read_sheet(rich_workbook(tmp_path / "wave.xlsx")))
    rows = [
        ResultRow(status=RowStatus.INVALID, order_number="", messages=("Wrong.",), submitted_at=None, run_id="1")
        for _ in mapped.sheet.row_numbers
    ]
    results = own_workbook.render(make_report(mapped, rows, findings=[], summary=[("Sheet", "wave")]))
    sheet = read_sheet(tmp_path / "wave.results.xlsx", content=results)
    cells = {sheet.cell(0, column): HARD for column in range(len(sheet.headers))}
    content = mended_in_place(sheet, {cell: held(text) for cell, text in cells.items()})
    lint(content)
    obeys(sheet, cells, Mended(SheetKind.XLSX, content))


def test_errors_and_formulas_without_a_value_are_mended() -> None:
    """The oddity is gone where the cell was mended, and stays where it was not; other formulas are worked out anew."""
    sheet = from_rows([HEAD, [*ANA[:2], "#N/A"], [*BOB[:2], "=1+1"], ["cy@example.com", "#REF!", "=2+2"]])
    cells = {Cell(2, 3): "1", Cell(3, 3): "2"}
    made = mended(sheet, cells)
    read = obeys(sheet, cells, made)
    assert {(o.code, o.rows, o.columns) for o in read.oddities} == {
        (FindingCode.CELL_ERROR, (4,), (2,)),
        (FindingCode.FORMULA_WITHOUT_VALUE, (4,), (3,)),
    }
    assert "fullCalcOnLoad" in part_of(made.content, "xl/workbook.xml")


def test_a_merged_area_is_split_where_it_would_hide_a_text() -> None:
    """Its first cell is changed without that, and so are others that are emptied."""

    def merge(sheet: Any) -> None:
        sheet.merge_cells("B2:B3")
        sheet.merge_cells("A2:A3")

    sheet = from_rows([HEAD, ANA, ["", "", "3"]], merge)
    kept = {Cell(2, 1): "new@example.com", Cell(3, 1): ""}
    for write in (mended_in_place, saved_again, written_plainly):
        read = obeys(sheet, kept, Mended(SheetKind.XLSX, write(sheet, kept)))
        assert {oddity.what for oddity in read.oddities} == {"A2:A3", "B2:B3"}
        read = obeys(sheet, {Cell(3, 2): "x"}, Mended(SheetKind.XLSX, write(sheet, {Cell(3, 2): "x"})))
        assert {oddity.what for oddity in read.oddities} == {"A2:A3"}


def test_a_cell_that_was_not_there_has_its_columns_format() -> None:
    """The row's, where that has one."""

    def formats(sheet: Any) -> None:
        sheet.column_dimensions["C"].number_format = "@"

    sheet = from_rows([HEAD, ANA, ["bob@example.com"]], formats)
    made = mended(sheet, {Cell(3, 3): "007"})
    assert load_workbook(io.BytesIO(made.content)).active["C3"].number_format == "@"


def _array(sheet: Any) -> None:
    sheet["C2"] = ArrayFormula("C2:C3", "=A2:A3")
    sheet["C3"] = 5


@pytest.mark.parametrize("cell", [Cell(2, 3), Cell(3, 3)])
def test_a_formula_that_fills_several_cells(cell: Cell) -> None:
    """It would fill the mended cell again: values take its place."""
    sheet = from_rows([HEAD, ANA, BOB], _array)
    content = edited(
        sheet.content, "xl/worksheets/sheet1.xml", lambda text: re.sub(r"(C2:C3.*?)<v */>", r"\1<v>4</v>", text)
    )
    sheet = read_sheet(Path("wave.xlsx"), content=content)
    assert sheet.text(Cell(2, 3)) == "4"
    with pytest.raises(own_workbook.UnexpectedLayoutError, match="several cells"):
        mended_in_place(sheet, {cell: "9"})
    made = mended(sheet, {cell: "9"})
    obeys(sheet, {cell: "9"}, made)
    assert load_workbook(io.BytesIO(made.content)).active["C3"].data_type != "f"


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("xl/worksheets/sheet1.xml", lambda text: text.replace("<sheetData>", "<!-- by hand --><sheetData>")),
        ("xl/worksheets/sheet1.xml", lambda text: re.sub(r'(<c) r="[A-Z]+\d+"', r"\1", text)),
        ("xl/workbook.xml", lambda text: text.replace("<workbook ", '<workbook conformance="strict" ')),
    ],
)
def test_a_layout_that_is_not_understood(part: str, change: Callable[[str], str]) -> None:
    """Somebody else writes it, and the law holds."""
    content = edited(from_rows([["Title"], HEAD, ANA, [], BOB]).content, part, change)
    sheet = read_sheet(Path("wave.xlsx"), content=content)
    cells = {Cell(5, 3): HARD}
    with pytest.raises(own_workbook.UnexpectedLayoutError):
        mended_in_place(sheet, cells)
    obeys(sheet, cells, mended(sheet, cells))


@pytest.mark.parametrize("macros", [False, True])
def test_a_signed_workbook_is_saved_again(tmp_path: Path, macros: bool) -> None:
    """A signature would be broken by any edit, so it goes; the sheets, macros and charts are still there."""
    path = rich_workbook(tmp_path / "wave.xlsx", macros=macros)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("_xmlsignatures/sig1.xml", "<Signature/>")
    sheet = read_sheet(path)
    cells = {sheet.cell(0, column): f"new {column}" for column in range(len(HEADERS))}
    made = mended(sheet, cells)
    obeys(sheet, cells, made)
    with zipfile.ZipFile(io.BytesIO(made.content)) as archive:
        names = archive.namelist()
    assert ("xl/vbaProject.bin" in names) is macros
    assert {"xl/charts/chart1.xml", "xl/worksheets/sheet3.xml"} <= set(names)
    assert not [name for name in names if "signature" in name]


def test_a_workbook_that_openpyxl_would_change_is_written_plainly() -> None:
    """It drops what stands beneath a merged area, which is read here: nothing of the data is lost."""

    def cover(text: str) -> str:
        return text.replace(
            "</sheetData>", '</sheetData><mergeCells count="1"><mergeCell ref="B2:B3"/></mergeCells><!---->'
        )

    content = edited(from_rows([HEAD, ANA, BOB]).content, "xl/worksheets/sheet1.xml", cover)
    sheet = read_sheet(Path("wave.xlsx"), content=content)
    assert sheet.text(Cell(3, 2)) == BOB[1]
    cells = {Cell(2, 1): "new@example.com"}
    made = mended(sheet, cells)
    assert made.content != saved_again(sheet, cells)
    obeys(sheet, cells, made)


def test_mended_again_and_again() -> None:
    """A file that was mended is a sheet like any other; cells may be emptied and filled again, in any kind of file."""
    for sheet in (from_rows([HEAD, ANA, BOB]), read_sheet(FIXTURES / "odd.xls")):
        mine = sheet
        for text in (HARD, "", "x", "", " y"):
            cells = {mine.cell(0, column): text for column in range(1, 3)}
            mine = obeys(mine, cells, mended(mine, cells))


def test_characters_that_only_an_escape_can_hold() -> None:
    """Texts that look like escapes, and control characters of cells that nobody touched, come back as they were."""
    sheet = from_rows([HEAD, ["ana@example.com", "_x0001_ _x005F_x0041_ _x000D_", 1], BOB])
    assert sheet.text(Cell(2, 2)) == "\x01 _x0041_ \r"
    for write in (mended_in_place, saved_again, written_plainly):
        cells = {Cell(3, 2): "_x0041_x0042_ _xD800_ _"}
        obeys(sheet, cells, Mended(SheetKind.XLSX, write(sheet, cells)))


def test_other_workbooks_keep_values_and_what_was_hidden() -> None:
    """Of an .ods, .xls or .xlsb: numbers and dates with their formats; errors, hidden rows and columns."""
    for name in ("odd.ods", "odd.xls", "odd.xlsb"):
        sheet = read_sheet(FIXTURES / name)
        made = mended(sheet, {sheet.cell(0, 0): "new@example.com"})
        lint(made.content)
        read = obeys(sheet, {sheet.cell(0, 0): "new@example.com"}, made)
        lost = {place: value for place, value in sheet.values.items() if read.values.get(place) != value}
        assert not {place: value for place, value in lost.items() if place != (0, 0)}, name


# --- quantities that are numbers --------------------------------------------------------------------------------------

_COUNTS = frozenset({3})


def _made(sheet: Sheet, cells: Mapping[Cell, str]) -> dict[str, Any]:
    """The sheet with these cells mended, where its third column says how many: what openpyxl finds, each way round."""
    figures = figures_of(sheet, cells, _COUNTS)
    found = {}
    for write in (mended_in_place, saved_again, written_plainly):
        content = write(sheet, cells, figures)
        lint(content)
        obeys(sheet, cells, Mended(SheetKind.XLSX, content))
        found[write.__name__] = load_workbook(io.BytesIO(content))[sheet.sheet_name or ""]
    assert mended(sheet, cells, counts=_COUNTS).content == mended_in_place(sheet, cells, figures)
    return found


@pytest.mark.parametrize("others", ["General", "0", "#,##0", "0.00"])
def test_a_quantity_among_numbers_is_a_number(others: str) -> None:
    """Also in a cell that was a text, or not there; the cell keeps its format, and is read as the same text."""

    def formats(sheet: Any) -> None:
        for row in range(2, 6):
            sheet.cell(row, 3).number_format = others

    rows = [[*ANA[:2], 1], [*BOB[:2], "two"], ["cy@example.com", "Mouse", 3], ["dee@example.com", "Mouse"]]
    sheet = from_rows([HEAD, *rows], formats)
    cells = {Cell(3, 3): "2", Cell(5, 3): "40"}
    for name, made in _made(sheet, cells).items():
        assert [(made[place].value, made[place].data_type) for place in ("C3", "C5")] == [(2, "n"), (40, "n")], name
        assert name == "written_plainly" or made["C3"].number_format == others


def test_a_quantity_that_was_a_number_stays_one() -> None:
    """However the others in its column were typed."""
    sheet = from_rows([HEAD, [*ANA[:2], 1.5], [*BOB[:2], "two"]])
    for name, made in _made(sheet, {Cell(2, 3): "2", Cell(3, 3): "3"}).items():
        assert [made[place].value for place in ("C2", "C3")] == [2, "3"], name


@pytest.mark.parametrize(
    "text",
    ["007", "1e3", "2.0", " 2", "2 ", "+2", "-2", "1,000", "1.000", "٣", "2²", "0x2", "1" * 16, "TRUE", "=2", ""],
)
def test_what_would_be_read_otherwise_stays_a_text(text: str) -> None:
    """A zero in front, an exponent, more digits than Excel keeps, and whatever else is no plain whole number."""
    sheet = from_rows([HEAD, [*ANA[:2], 1], [*BOB[:2], 2]])
    for name, made in _made(sheet, {Cell(2, 3): text}).items():
        assert made["C2"].value == (text or None), name
    assert _made(sheet, {Cell(2, 3): "9" * 15})["mended_in_place"]["C2"].value == int("9" * 15)


@pytest.mark.parametrize("kind", ["@", "00000", "yyyy-mm-dd", "0%", "0.00E+00", '0" pieces"', "[h]:mm"])
def test_a_format_that_shows_something_else_keeps_the_text(kind: str) -> None:
    """Where the cell itself, or all others in its column, have such a format."""

    def own(sheet: Any) -> None:
        sheet["C2"].number_format = kind

    def others(sheet: Any) -> None:
        sheet["C3"].number_format = kind

    for change in (own, others):
        sheet = from_rows([HEAD, [*ANA[:2], "x"], [*BOB[:2], 45_000]], change)
        for name, made in _made(sheet, {Cell(2, 3): "2"}).items():
            assert name == "written_plainly" or made["C2"].value == "2", (name, change)


def test_only_quantities_become_numbers() -> None:
    """A column of numbers that says something else (a phone number, a postal code) is text where it is mended."""
    head = [*HEAD, "Phone number", "Order reference"]
    sheet = from_rows([head, [*ANA[:2], 1, 12125550142, 1], [*BOB[:2], 2, 12125550143, 2]])
    cells = {Cell(2, 3): "3", Cell(2, 4): "12125550144", Cell(2, 5): "7"}
    for name, made in _made(sheet, cells).items():
        assert [made.cell(2, column).value for column in (3, 4, 5)] == [3, "12125550144", "7"], name


@pytest.mark.parametrize("others", [[True], ["2"], [], ["=1+1"], ["#N/A"]])
def test_a_column_that_is_no_numbers(others: list[Any]) -> None:
    """Texts, a yes, an error or nothing at all beside it say nothing of numbers."""
    sheet = from_rows([HEAD, [*ANA[:2], "one"], *([*BOB[:2], value] for value in others)])
    for name, made in _made(sheet, {Cell(2, 3): "1"}).items():
        assert made["C2"].value == "1", name


def test_libreoffice_sums_what_was_mended(tmp_path: Path) -> None:
    """A formula over the quantities counts the mended ones."""

    def total(sheet: Any) -> None:
        sheet["E1"] = "=SUM(C2:C4)"

    sheet = from_rows([HEAD, [*ANA[:2], 1], [*BOB[:2], "two"], ["cy@example.com", "Mouse", 3]], total)
    path = tmp_path / "wave.xlsx"
    path.write_bytes(mended(sheet, {Cell(3, 3): "20"}, counts=_COUNTS).content)
    saved = load_workbook(office.resave(path, "xlsx"), data_only=True)
    assert saved.worksheets[0]["E1"].value == 24


def test_libreoffice_opens_it(tmp_path: Path) -> None:
    """And reads the same rows."""
    sheet = read_sheet(rich_workbook(tmp_path / "wave.xlsx"))
    cells = {sheet.cell(0, column): f"new {column}" for column in range(len(HEADERS))}
    made = dataclasses.replace(sheet, content=mended(sheet, cells).content)
    path = tmp_path / "mended.xlsx"
    path.write_bytes(made.content)
    with tempfile.TemporaryDirectory() as folder:
        again = read_sheet(office.resave(path, "xlsx", Path(folder)), sheet_name=sheet.sheet_name)
    first = again.frame.iloc[0].tolist()
    assert first == [f"new {column}" for column in range(len(HEADERS))]
