"""Results in the person's own workbook: what they had survives, what we add is right, and it can come back."""

from __future__ import annotations

import dataclasses
import io
import re
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from openpyxl import Workbook, load_workbook
from openpyxl.comments import Comment
from openpyxl.styles import PatternFill
from openpyxl.worksheet.table import Table, TableStyleInfo
from python_calamine import CalamineWorkbook

from batch_orders.adapters import own_workbook
from batch_orders.adapters.own_workbook import UnexpectedLayoutError, package, rows_apart
from batch_orders.adapters.own_workbook.sheet import DataSheet
from batch_orders.adapters.results_writer import reserve
from batch_orders.adapters.results_xlsx import render_xlsx
from batch_orders.adapters.sheet_reader import read_sheet
from batch_orders.models import (
    RESULT_COLUMNS,
    Cell,
    Finding,
    FindingCode,
    Remark,
    ResultRow,
    RowStatus,
    Severity,
)
from batch_orders.stages.columns import map_columns
from tests import office
from tests.builders import SENT_AT, make_report
from tests.workbooks import HEADER_ROW, HEADERS, lint, png, rich_workbook

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from batch_orders.models import Report

# openpyxl says what it will not write again; here it only reads.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:openpyxl")

AUTHOR = "batch-orders"
DATA = "Hires & more"
FIRST = HEADER_ROW + 1
RED, YELLOW, BLUE = "FFFFC7CE", "FFFFEB9C", "FFDDEBF7"
MESSAGE = "=1+1 & <not> a formula; mend “it”. " * 4
# Parts that may differ from the input's; all others have to be the same, byte for byte.
TOUCHED = re.compile(
    r"\[Content_Types\]\.xml|docProps/app\.xml|xl/workbook\.xml|xl/_rels/workbook\.xml\.rels|xl/styles\.xml"
    r"|xl/worksheets/sheet\d+\.xml|xl/worksheets/_rels/sheet2\.xml\.rels|xl/chartsheets/sheet1\.xml"
    r"|xl/comments\d+\.xml|xl/drawings/vmlDrawing\d+\.vml|xl/drawings/drawing\d+\.xml|xl/calcChain\.xml"
)


def report_on(path: Path, findings: Sequence[Finding] = (), *, statuses: Sequence[RowStatus] = ()) -> Report:
    """A report on a file as it is read: a status for each row in turn, and a message with hard characters."""
    mapped = map_columns(read_sheet(path))
    statuses = statuses or list(RowStatus)
    rows = [
        ResultRow(
            status=statuses[row % len(statuses)],
            order_number=f"00{row}" if row % 2 else "",
            messages=(MESSAGE,) if row % 3 else (),
            submitted_at=SENT_AT if row % 2 else None,
            run_id="20261124-1",
        )
        for row in range(len(mapped.sheet.row_numbers))
    ]
    return make_report(mapped, rows, findings=findings, summary=[("Sheet", path.name), ("What next", "=Mend it")])


def found_at(*cells: str, severity: Severity = Severity.ERROR, message: str = "Wrong <&> thing.") -> Finding:
    """A finding at these cells, with a suggestion."""
    places = tuple(Cell(int(re.sub(r"\D", "", cell)), ord(cell[0]) - 64) for cell in cells)
    return Finding(
        remark=Remark(code=FindingCode.EMAIL, severity=severity, message=message, suggestions=("=DE", "AT")),
        scattered=places,
    )


FINDINGS = (
    found_at("B4", "H4"),  # the person's comment is at B4; H4 has a colour and a format of its own
    found_at("C5", severity=Severity.WARNING, message="Careful."),
    found_at("F6", severity=Severity.REPAIR, message="Put right."),
)


def own(path: Path, findings: Sequence[Finding] = FINDINGS, **changes: Any) -> Path:
    """The results of a workbook, in it."""
    content = own_workbook.render(report_on(path, findings, **changes))
    lint(content)
    stem = re.sub(r"\.results(-\d+)?$", "", path.stem)
    free = (path.with_name(f"{stem}.results-{number}.xlsx") for number in range(1, 99))
    made = next(name for name in free if not name.exists())
    made.write_bytes(content)
    return made


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workbook with everything in it."""
    return rich_workbook(tmp_path_factory.mktemp("rich") / "wave.xlsx")


@pytest.fixture(scope="module", params=["as Excel writes it", "saved by LibreOffice", "saved by openpyxl"])
def given(request: pytest.FixtureRequest, rich: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same workbook from three programs."""
    folder = tmp_path_factory.mktemp("given")
    if "LibreOffice" in request.param:
        return office.resave(rich, "xlsx", folder)
    copy = folder / "wave.xlsx"
    if "openpyxl" in request.param:
        workbook = load_workbook(rich)
        workbook[DATA]._images = []  # it would need one more library for these
        workbook.save(copy)
    else:
        copy.write_bytes(rich.read_bytes())
    return copy


@pytest.fixture(scope="module")
def results(given: Path) -> Path:
    """Its results."""
    return own(given)


def sheets_of(path: Path) -> dict[str, Any]:
    """The sheets of cells as openpyxl reads them."""
    return {sheet.title: sheet for sheet in load_workbook(path, rich_text=False).worksheets}


def shape(cell: Any, *, fill: bool = True) -> tuple[Any, ...]:
    """A cell's value, type and look."""
    colour = (cell.fill.fill_type, cell.fill.start_color.rgb) if fill else ()
    style = (cell.number_format, str(cell.font), str(cell.border), str(cell.alignment), str(cell.protection))
    link = cell.hyperlink.target if cell.hyperlink else None
    return (cell.value, cell.data_type, *style, *colour, link)


def colour(cell: Any) -> str | None:
    """The cell's colour, None where it has none."""
    return cell.fill.start_color.rgb if cell.fill.fill_type == "solid" else None


def grid(path: Path, sheet: str) -> list[list[Any]]:
    """A sheet as calamine reads it, from its first cell on."""
    return CalamineWorkbook.from_path(str(path)).get_sheet_by_name(sheet).to_python(skip_empty_area=False)


# --- what the person had ----------------------------------------------------------------------------------------------


def test_every_cell_of_theirs_is_as_it_was(given: Path, results: Path) -> None:
    """Values, types, formats, fonts, borders and formulas, on every sheet; marked cells differ in colour alone."""
    before, after = sheets_of(given), sheets_of(results)
    marked = {"B4", "H4", "C5", "F6"}
    compared = 0
    for title, sheet in before.items():
        for row in sheet.iter_rows():
            for cell in row:
                plain = title != DATA or cell.coordinate not in marked
                assert shape(cell, fill=plain) == shape(after[title][cell.coordinate], fill=plain), cell.coordinate
                compared += 1
    assert compared > 100


def test_another_reader_sees_the_same(given: Path, results: Path) -> None:
    """Calamine, which shares no code with openpyxl, reads the person's cells as before, on every sheet."""
    for title in CalamineWorkbook.from_path(str(given)).sheet_names:
        before, after = grid(given, title), grid(results, title)
        assert [row[: len(line)] for row, line in zip(after, before, strict=True)] == before


def test_everything_around_the_cells_survives(given: Path, results: Path) -> None:
    """Widths, heights, merged cells, panes, filters, drop-downs, conditional formats, print settings, names."""
    before, after = sheets_of(given), sheets_of(results)
    assert list(after) == [DATA, "Summary", *(title for title in before if title != DATA)]
    assert after["Lists"].sheet_state == "hidden"
    for title, old in before.items():
        new = after[title]
        assert old.merged_cells.ranges == new.merged_cells.ranges
        assert old.freeze_panes == new.freeze_panes
        assert str(old.conditional_formatting)
        assert [(str(rule.sqref), [r.type for r in rule.rules]) for rule in old.conditional_formatting] == [
            (str(rule.sqref), [r.type for r in rule.rules]) for rule in new.conditional_formatting
        ]
        assert [(str(v.sqref), v.formula1) for v in old.data_validations.dataValidation] == [
            (str(v.sqref), v.formula1) for v in new.data_validations.dataValidation
        ]
        assert (old.print_area, old.print_title_rows) == (new.print_area, new.print_title_rows)
        assert old.oddHeader.center.text == new.oddHeader.center.text
        for letter, dimension in old.column_dimensions.items():
            if len(letter) == 1 and letter <= "O":
                assert (dimension.width, dimension.hidden) == (
                    new.column_dimensions[letter].width,
                    new.column_dimensions[letter].hidden,
                )
    heights = [before[DATA].row_dimensions[4].height, after[DATA].row_dimensions[4].height]
    assert heights == [31.5, 31.5]
    assert after[DATA].data_validations.dataValidation[0].formula1 == "Teams"
    for title, sheet in before.items():
        assert {name: n.attr_text for name, n in sheet.defined_names.items() if name[0] != "_"} == {
            name: n.attr_text for name, n in after[title].defined_names.items() if name[0] != "_"
        }
    assert "Here" in after["Notes"].defined_names
    assert after["Notes"].defined_names["Here"].attr_text == "Notes!$A$1"


def test_all_other_parts_are_the_same_byte_for_byte(rich: Path, tmp_path: Path) -> None:
    """Charts, pictures, shared strings, themes, sparklines and the comments of other sheets."""
    rich = _copied(rich, tmp_path)
    with zipfile.ZipFile(rich) as old, zipfile.ZipFile(own(rich)) as new:
        kept = [name for name in old.namelist() if not TOUCHED.fullmatch(name)]
        assert {name: old.read(name) for name in kept} == {name: new.read(name) for name in kept}
        assert {"xl/charts/chart1.xml", "xl/charts/chart2.xml", "xl/media/image1.png"} <= set(kept)
        assert new.read("xl/media/image1.png") == png()
        sheet = new.read("xl/worksheets/sheet2.xml").decode()
        assert re.findall(r"<extLst>.*</extLst>", sheet) == re.findall(
            r"<extLst>.*</extLst>", old.read("xl/worksheets/sheet2.xml").decode()
        )
        assert "sparkline" in sheet
        comments = [new.read(name).decode() for name in ("xl/comments1.xml", "xl/comments2.xml")]
    assert "Not on the data sheet." in comments[0]
    assert AUTHOR not in comments[0]


def test_pictures_and_charts_make_room(rich: Path, results: Path, tmp_path: Path) -> None:
    """What stood right of the data stands right of our columns: nothing hides them."""
    made = own(_copied(rich, tmp_path))
    columns = []
    for path in (rich, made):
        with zipfile.ZipFile(path) as archive:
            drawing = archive.read("xl/drawings/drawing1.xml").decode()
        columns.append([int(column) for column in re.findall(r"<xdr:from><xdr:col>(\d+)", drawing)])
    assert columns[0] == [17, 16]
    assert columns[1] == [22, 21]
    assert results.exists()


# --- what we add ------------------------------------------------------------------------------------------------------


def test_our_cells_are_the_same_as_in_a_plain_workbook(given: Path, results: Path) -> None:
    """Both ways of writing give the same texts in our columns, comments and colours, and the same rows to a reader."""
    plain = given.with_name("plain.xlsx")
    plain.write_bytes(render_xlsx(report_on(given, FINDINGS)))
    sheets = [map_columns(read_sheet(path)) for path in (results, plain)]
    assert sheets[0].sheet.headers == sheets[1].sheet.headers == (*HEADERS, *RESULT_COLUMNS)
    assert sheets[0].sheet.row_numbers == sheets[1].sheet.row_numbers
    frames = [mapped.sheet.frame.map(lambda text: text.replace("\r", "")) for mapped in sheets]
    assert frames[0].equals(frames[1])
    assert frames[0][len(HEADERS) + 2].tolist().count(MESSAGE) > 0
    own_cells, plain_cells = sheets_of(results)[DATA], load_workbook(plain).worksheets[0]
    for row in own_cells.iter_rows(min_row=FIRST, min_col=len(HEADERS) + 1):
        for cell in row:
            other = plain_cells[cell.coordinate]
            assert (cell.value or "") == (other.value or "")
            if not cell.value:
                continue
            assert cell.data_type == "s"
            assert colour(cell) == (colour(other) and "FF" + colour(other)[2:])  # type: ignore[index]
            assert cell.number_format == "@"
    for name in ("C5", "F6", "H4"):
        assert own_cells[name].comment.text == plain_cells[name].comment.text
        assert colour(own_cells[name])[2:] == colour(plain_cells[name])[2:]  # type: ignore[index]


def test_marks_and_comments(results: Path) -> None:
    """The colour of the worst finding; suggestions in the comment; a person's comment stays, with ours behind it."""
    sheet = sheets_of(results)[DATA]
    assert [colour(sheet[name]) for name in ("B4", "H4", "C5", "F6")] == [RED, RED, YELLOW, BLUE]
    assert colour(sheet["H5"]) == "FFC6EFCE", "the person's own colour"
    assert sheet["H4"].number_format == "00000"
    told = {cell.coordinate: cell.comment.text for row in sheet.iter_rows() for cell in row if cell.comment}
    assert set(told) == {"B4", "E5", "H4", "C5", "F6"}
    assert told["H4"] == "Error: Wrong <&> thing.\nSuggestions: =DE; AT"
    assert told["E5"].endswith("Second floor.")
    assert re.search(
        r"She prefers Anna\.\n\nbatch-orders:\nError: Wrong <&> thing\.\nSuggestions: =DE; AT$", told["B4"]
    )
    assert sheet["H4"].comment.author == AUTHOR
    assert sheet.auto_filter.ref == f"A{HEADER_ROW}:T9", "the filter reaches over our columns"
    assert not any(sheet.column_dimensions[letter].hidden for letter in "PQRST"), "what was hidden there is shown"
    assert sheet.column_dimensions["R"].width == 60


def test_the_data_is_first_and_alone_active(results: Path) -> None:
    """What is typed while two sheets are selected goes into both."""
    workbook = load_workbook(results)
    assert workbook.active.title == DATA
    with zipfile.ZipFile(results) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist() if "sheets/sheet" in name}
    selected = [name for name, part in parts.items() if re.search(r'tabSelected="(1|true)"', part)]
    assert len(selected) == 1
    assert 'r="A9"' in parts[selected[0]], "it is the data sheet"
    summary = workbook["Summary"]
    assert [[cell.value for cell in row] for row in summary.iter_rows()][-1] == ["What next", "=Mend it"]


# --- LibreOffice ------------------------------------------------------------------------------------------------------


def test_libreoffice_opens_it(given: Path, results: Path, tmp_path: Path) -> None:
    """Opened and saved again, every cell of every sheet is there; no formula came in; comments are in place."""
    saved = office.resave(results, "xlsx", tmp_path)
    for title in CalamineWorkbook.from_path(str(results)).sheet_names:
        before, after = (_without_calculated(grid(path, title)) for path in (results, saved))
        assert title == "Notes" or _trimmed(after) == _trimmed(before), title
    formulas = [_formulas(path) for path in (given, results, saved)]
    assert formulas[0] == formulas[1] == formulas[2]
    told = {c.coordinate for row in sheets_of(saved)[DATA].iter_rows() for c in row if c.comment}
    assert told == {"B4", "E5", "H4", "C5", "F6"}
    with zipfile.ZipFile(saved) as archive, zipfile.ZipFile(given) as input_:
        for kind in ("xl/charts/chart", "xl/media/"):
            assert _count(archive, kind) == _count(input_, kind)


@pytest.mark.parametrize("program", ["none", "LibreOffice", "openpyxl"])
def test_five_generations(rich: Path, tmp_path: Path, program: str) -> None:
    """Results of results of results: nothing piles up, marks go with their findings, the person's things stay."""
    path = _copied(rich, tmp_path)
    sizes: list[tuple[int, ...]] = []
    for generation in range(5):
        findings = FINDINGS if generation % 2 == 0 else [found_at("A5")]
        made = own(path, findings)
        path = made
        if program == "LibreOffice":
            path = office.resave(made, "xlsx", tmp_path / f"{generation}")
        elif program == "openpyxl":
            workbook = load_workbook(made)
            workbook[DATA]._images = []
            workbook.save(path := tmp_path / f"openpyxl-{generation}.xlsx")
        sheet = sheets_of(made)[DATA]
        told = {c.coordinate: c.comment.text for row in sheet.iter_rows() for c in row if c.comment}
        marked = {"B4", "H4", "C5", "F6"} if generation % 2 == 0 else {"A5"}
        assert set(told) == marked | {"B4", "E5"}
        assert told["B4"].count("She prefers Anna.") == 1
        assert ("Error" in told["B4"]) == (generation % 2 == 0)
        assert {c.coordinate for row in sheet["A4:O9"] for c in row if colour(c) in {RED, YELLOW, BLUE}} == marked
        if program != "LibreOffice":
            assert (colour(sheet["H4"]) == "FFC6EFCE") == (generation % 2 == 1), "the person's colour is back"
        assert [cell.value for cell in sheet[HEADER_ROW]][: len(HEADERS) + 6] == [*HEADERS, *RESULT_COLUMNS]
        workbook = load_workbook(made)
        assert workbook.sheetnames == [DATA, "Summary", "Notes", "Lists", "Figures"]
        sizes.append((len(workbook._fills), len(workbook._cell_styles), len(workbook._borders)))
    assert sizes[4] == sizes[2], "formats do not pile up"


def _trimmed(rows: list[list[Any]]) -> list[list[Any]]:
    """Without what is blank at the ends of rows, and below them."""
    lines = [list(row) for row in rows]
    for line in lines:
        while line and line[-1] == "":
            line.pop()
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _without_calculated(rows: list[list[Any]]) -> list[list[Any]]:
    """Without the column of formulas, whose values openpyxl forgets and LibreOffice works out."""
    calculated = HEADERS.index("Cost centre")
    return [row[:calculated] + row[calculated + 1 :] for row in rows]


def _formulas(path: Path) -> int:
    sheets = load_workbook(path).worksheets
    found = [c.value for sheet in sheets for row in sheet.iter_rows() for c in row if c.data_type == "f"]
    return len([formula for formula in found if formula not in {"=TRUE()", "=FALSE()"}])  # LibreOffice's yes and no


def _count(archive: zipfile.ZipFile, prefix: str) -> int:
    return sum(name.startswith(prefix) for name in archive.namelist())


def _copied(path: Path, folder: Path) -> Path:
    copy = folder / "wave.xlsx"
    copy.write_bytes(path.read_bytes())
    return copy


# --- odd layouts ------------------------------------------------------------------------------------------------------


def edited(path: Path, folder: Path, **changes: Callable[[str], str] | None) -> Path:
    """The workbook with some parts changed or, where None, left out ("__" stands for "/", "_1" for nothing)."""
    edits = {_part(name): change for name, change in changes.items()}
    copy = folder / f"odd-{len(list(folder.iterdir()))}.xlsx"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(copy, "w", zipfile.ZIP_DEFLATED) as new:
        assert set(edits) <= set(old.namelist())
        for name in old.namelist():
            content, change = old.read(name), edits.get(name, str)
            if name in edits and change is None:
                continue
            changed = change(content.decode()) if name in edits and change else content
            assert name not in edits or changed != content.decode(), "the change took place"
            new.writestr(name, changed)
    return copy


def _part(name: str) -> str:
    return {
        "sheet": "xl/worksheets/sheet2.xml",
        "workbook": "xl/workbook.xml",
        "types": "[Content_Types].xml",
        "styles": "xl/styles.xml",
        "comments": "xl/comments2.xml",
        "boxes": "xl/drawings/vmlDrawing2.vml",
        "sheet_rels": "xl/worksheets/_rels/sheet2.xml.rels",
        "workbook_rels": "xl/_rels/workbook.xml.rels",
        "app": "docProps/app.xml",
    }[name]


def prefixed(text: str) -> str:
    """The same XML with a prefix for every element of the main namespace, as .NET programs write it."""
    text = text.replace('xmlns="http://schemas.openxml', 'xmlns:x="http://schemas.openxml', 1)
    return re.sub(r"<(/?)(\w+)(?=[\s/>])", r"<\1x:\2", text)


ODD_BUT_FINE: dict[str, dict[str, Callable[[str], str] | None]] = {
    "every element has a prefix": {"sheet": prefixed, "styles": prefixed, "workbook": prefixed, "comments": prefixed},
    "single quotes": {"sheet": lambda s: re.sub(r' (r|s|t)="([^"]*)"', r" \1='\2'", s)},
    "line breaks between rows and cells": {"sheet": lambda s: s.replace("<row ", "\n <row ").replace("<c ", "\n  <c ")},
    "no dimension": {"sheet": lambda s: re.sub(r"<dimension[^>]*/>", "", s)},
    "a wrong dimension": {"sheet": lambda s: re.sub(r"<dimension[^>]*/>", '<dimension ref="A1"/>', s)},
    "no columns' widths": {"sheet": lambda s: re.sub(r"<cols>.*</cols>", "", s)},
    "no view": {"sheet": lambda s: re.sub(r"<sheetViews>.*</sheetViews>", "", s)},
    "no filter": {"sheet": lambda s: re.sub(r"<autoFilter[^>]*/>", "", s)},
    "no spans": {"sheet": lambda s: re.sub(r' spans="[^"]*"', "", s)},
    "blank formatted cells where the results go": {
        "sheet": lambda s: re.sub(
            r'(<row r="4".*?)</row>', r'\1<c r="P4" s="1"/><c r="R4" s="2"/><c r="Z4" s="1"/></row>', s
        )
    },
    "no properties": {
        "app": None,
        "types": lambda s: re.sub(r'<Override PartName="/docProps/app.xml"[^>]*/>', "", s),
    },
    "no names": {"workbook": lambda s: re.sub(r"<definedNames>.*</definedNames>", "", s)},
    "a byte order mark": {"sheet": lambda s: "\ufeff" + s},
}


@pytest.mark.parametrize("oddity", ODD_BUT_FINE)
def test_layouts_that_are_unusual_but_fine(rich: Path, tmp_path: Path, oddity: str) -> None:
    """Other programs write other XML: the results are the same, whatever it looks like."""
    path = edited(rich, tmp_path, **ODD_BUT_FINE[oddity])
    made = own(path)
    usual = own(_copied(rich, tmp_path))
    assert read_sheet(made).frame.equals(read_sheet(usual).frame)
    odd, normal = sheets_of(made)[DATA], sheets_of(usual)[DATA]
    for row in normal["A1:T9"]:
        for cell in row:
            assert (cell.value, colour(cell)) == (odd[cell.coordinate].value, colour(odd[cell.coordinate]))
            assert (cell.comment is None) == (odd[cell.coordinate].comment is None)
    again = own(made, [])
    assert {c.coordinate for row in sheets_of(again)[DATA].iter_rows() for c in row if c.comment} == {"B4", "E5"}


def _with_part(name: str) -> Callable[[str], str]:
    return lambda text: text.replace("</Types>", f'<Override PartName="/{name}" ContentType="a/b"/></Types>')


TOO_ODD: dict[str, dict[str, Callable[[str], str] | None]] = {
    "Strict OOXML": {"workbook": lambda s: s.replace("<workbook ", '<workbook conformance="strict" ')},
    "threaded comments": {
        "sheet_rels": lambda s: s.replace(
            "</Relationships>",
            '<Relationship Id="rId77" Type="http://schemas.microsoft.com/office/2017/10/relationships/threadedComment" '
            'Target="../comments2.xml"/></Relationships>',
        )
    },
    "merged cells": {
        "sheet": lambda s: s.replace("<mergeCells count", '<mergeCells x="1" count').replace(
            "</mergeCells>", '<mergeCell ref="Q5:R6"/></mergeCells>'
        )
    },
    "an XML comment": {"sheet": lambda s: s.replace("<sheetData>", "<!-- </row> --><sheetData>")},
    "a CDATA section": {"sheet": lambda s: s.replace("<sheetData>", "<sheetData><![CDATA[<row>]]>")},
    "cells without a place": {"sheet": lambda s: re.sub(r'<c r="[A-Z]+6"', "<c", s)},
    "rows without a number": {"sheet": lambda s: re.sub(r'<row r="9"', "<row", s)},
    "a format that is not there": {"sheet": lambda s: re.sub(r'<c r="C5"( s="\d+")?', '<c r="C5" s="999"', s)},
    "a name of a sheet that is not there": {"workbook": lambda s: s.replace('localSheetId="0"', 'localSheetId="44"')},
    "comments without boxes": {"boxes": lambda s: re.sub(r"<v:shape .*?</v:shape>", "", s, count=1, flags=re.DOTALL)},
    "a formula where the results go": {
        "sheet": lambda s: re.sub(r'(<c r="O9".*?</c>)</row>', r'\1<c r="Q9"><f>1+1</f></c></row>', s)
    },
    "a macro sheet": {
        "workbook_rels": lambda s: s.replace(
            'http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1',
            'http://schemas.microsoft.com/office/2006/relationships/xlMacrosheet" Target="worksheets/sheet1',
        )
    },
}


@pytest.mark.parametrize("oddity", TOO_ODD)
def test_what_is_not_understood_is_left_to_the_library(rich: Path, tmp_path: Path, oddity: str) -> None:
    """No guess: a plain workbook with the person's rows, whose summary says why."""
    path = edited(rich, tmp_path, **TOO_ODD[oddity])
    report = report_on(rich, FINDINGS)
    report = dataclasses.replace(
        report,
        mapped=dataclasses.replace(
            report.mapped, sheet=dataclasses.replace(report.mapped.sheet, content=path.read_bytes())
        ),
    )
    with pytest.raises(UnexpectedLayoutError):
        own_workbook.render(report)
    with reserve(tmp_path / "out.xlsx") as place:
        made = place.write(report)
    lint(made.read_bytes())
    workbook = load_workbook(made)
    assert workbook.sheetnames == [DATA, "Summary"]
    label, text = [cell.value for cell in list(workbook["Summary"].iter_rows())[-1]]
    assert (label, "plain workbook" in text) == ("Layout", True)
    assert [cell.value for cell in workbook[DATA][FIRST]][:3] == ["p1@example.com", "Ana", "Lee 1"]


def test_a_bug_costs_nobody_their_results(rich: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong while the person's own workbook is edited, a plain one is written."""

    def broken(_: object) -> bytes:
        raise ZeroDivisionError

    monkeypatch.setattr(own_workbook, "render", broken)
    with reserve(tmp_path / "out.xlsx") as place:
        made = place.write(report_on(rich))
    assert load_workbook(made).sheetnames == [DATA, "Summary"]


@pytest.mark.parametrize("came_back", [False, True])
@pytest.mark.parametrize("way", ["in small pieces", "cell by cell"])
def test_the_quick_way_comes_to_the_same(
    given: Path, results: Path, monkeypatch: pytest.MonkeyPatch, way: str, came_back: bool
) -> None:
    """Wherever a large sheet is cut, and whether a row's cells are looked at one by one or not."""
    findings = (*FINDINGS, found_at("B4", "A5", "C7", severity=Severity.WARNING), found_at("I6", "J7", "K8"))
    report = report_on(results if came_back else given, findings)
    quick = parts_in(own_workbook.render(report))
    if way == "in small pieces":
        monkeypatch.setattr(rows_apart, "_PIECE", 11)
        monkeypatch.setattr(package, "_BLOCK", 1)
    else:
        monkeypatch.setattr(DataSheet, "_before_ours", lambda *_: None)
    assert parts_in(own_workbook.render(report)) == quick


def parts_in(content: bytes) -> dict[str, bytes]:
    """What a workbook holds."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize("signed", [True, False])
def test_macros_go_and_signed_workbooks_are_left_alone(tmp_path: Path, signed: bool) -> None:
    """Results are .xlsx: no macro is left in them. A signature would no longer hold."""
    path = rich_workbook(tmp_path / "wave.xlsm", macros=True)
    if signed:
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("_xmlsignatures/sig1.xml", "<a/>")
        with pytest.raises(UnexpectedLayoutError, match="signature"):
            own(path)
        return
    made = own(path)
    with zipfile.ZipFile(made) as archive:
        assert not [name for name in archive.namelist() if "vba" in name.lower()]
        types = archive.read("[Content_Types].xml").decode()
        assert "vba" not in types
        assert "macroEnabled" not in types
        assert "vba" not in archive.read("xl/_rels/workbook.xml.rels").decode()
    assert _trimmed(grid(office.resave(made, "xlsx", tmp_path / "office"), DATA)) == _trimmed(grid(made, DATA))


def test_the_list_of_calculated_cells_goes(rich: Path, tmp_path: Path) -> None:
    """Excel rebuilds it; one that names a cell without a formula makes it offer a repair."""
    typed = '<Override PartName="/xl/calcChain.xml" ContentType="a/b"/></Types>'
    relation = '<Relationship Id="rId88" Type="http://x/calcChain" Target="calcChain.xml"/></Relationships>'
    path = edited(
        rich,
        tmp_path,
        types=lambda s: s.replace("</Types>", typed),
        workbook_rels=lambda s: s.replace("</Relationships>", relation),
    )
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("xl/calcChain.xml", "<calcChain/>")
    lint(path.read_bytes())
    with zipfile.ZipFile(own(path)) as archive:
        assert "xl/calcChain.xml" not in archive.namelist()


def test_a_table_stays_a_table(tmp_path: Path) -> None:
    """Our columns stand beside it; its own filter is left as it is."""
    path = tmp_path / "table.xlsx"
    workbook = Workbook()
    sheet = workbook.active
    sheet.title = 'It\'s "odd" <&>'
    sheet.append(HEADERS[:11])
    for number in range(1, 4):
        sheet.append(
            [
                f"p{number}@example.com",
                "Ana",
                "Lee",
                "+1 212 555 0142",
                "1 Main St",
                "Boston",
                "MA",
                "02139",
                "US",
                "Mouse",
                1,
            ]
        )
    sheet.add_table(Table(displayName="Hires", ref="A1:K4", tableStyleInfo=TableStyleInfo(name="TableStyleMedium9")))
    sheet["B2"].fill = PatternFill("solid", start_color="FFFFC7CE")
    sheet["C2"].comment = Comment("Mine", "Hana")
    workbook.save(path)
    made = own(path, [found_at("C2", "A3")])
    after = load_workbook(made)[sheet.title]
    assert after.tables["Hires"].ref == "A1:K4"
    assert after.auto_filter.ref is None
    assert [cell.value for cell in after[1]][-5:] == list(RESULT_COLUMNS)
    again = load_workbook(own(made, []))[sheet.title]
    assert colour(again["B2"]) == "FFFFC7CE", "the person's own colour, though it is one of ours"
    assert colour(again["A3"]) is None
    assert again["C2"].comment.text == "Mine"
    assert again.tables["Hires"].ref == "A1:K4"
