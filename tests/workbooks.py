"""A workbook as people make them, with all that has to survive; and a strict look at a workbook's parts."""

from __future__ import annotations

import io
import itertools
import posixpath
import re
import struct
import zipfile
import zlib
from datetime import datetime
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import xlsxwriter
from openpyxl.utils import column_index_from_string

if TYPE_CHECKING:
    from pathlib import Path

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_ORDER = [
    "sheetPr",
    "dimension",
    "sheetViews",
    "sheetFormatPr",
    "cols",
    "sheetData",
    "sheetCalcPr",
    "sheetProtection",
    "protectedRanges",
    "scenarios",
    "autoFilter",
    "sortState",
    "dataConsolidate",
    "customSheetViews",
    "mergeCells",
    "phoneticPr",
    "conditionalFormatting",
    "dataValidations",
    "hyperlinks",
    "printOptions",
    "pageMargins",
    "pageSetup",
    "headerFooter",
    "rowBreaks",
    "colBreaks",
    "customProperties",
    "cellWatches",
    "ignoredErrors",
    "smartTags",
    "drawing",
    "legacyDrawing",
    "legacyDrawingHF",
    "picture",
    "oleObjects",
    "controls",
    "webPublishItems",
    "tableParts",
    "extLst",
]

PAYLOADS = [
    "=1+1",
    "=cmd|' /C calc'!A0",
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(1,2)",
    '=HYPERLINK("http://example.com","x")',
    '=WEBSERVICE("http://example.com")',
    "{=1+1}",
    "\t=1+1",
    "#N/A",
]

HEADERS = [
    "Email", "First name", "Last name", "Phone number", "Shipping address", "City", "State / province",
    "ZIP / postal code", "Country", "Product title", "Quantity", "Start", "Team", "Cost centre", "Contractor",
]  # fmt: skip
HEADER_ROW = 3
TITLES = ['Apple MacBook Air 13" M4 16GB 256GB', "Anker 555 USB-C Hub (8-in-1)", "Apple Magic Mouse"]


def png() -> bytes:
    """A red dot."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    pixels = zlib.compress(b"\x00\xff\x00\x00")
    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def rich_workbook(path: Path, people: int = 6, *, titles: list[str] | None = None, macros: bool = False) -> Path:
    """A sheet of orders with a title above it, on a second sheet, in a workbook with everything that Excel offers."""
    titles = titles or TITLES
    workbook = xlsxwriter.Workbook(path)
    notes = workbook.add_worksheet("Notes")
    data = workbook.add_worksheet("Hires & more")
    lists = workbook.add_worksheet("Lists")
    notes.write_row(0, 0, ["Remember", "the milk"])
    notes.write_formula(1, 0, "='Hires & more'!A4", None, "p1@example.com")
    notes.write_comment("A1", "Not on the data sheet.", {"author": "Hana"})
    lists.write_column(0, 0, ["Ops", "Design"])
    lists.hide()
    chart_sheet = workbook.add_chartsheet("Figures")
    _write_people(workbook, data, titles, people)
    last = HEADER_ROW + people
    data.set_row(HEADER_ROW, 31.5)
    data.set_column("A:A", 27.5)
    data.set_column("H:H", 11, workbook.add_format({"num_format": "@"}))
    data.set_column("N:N", 14.25, None, {"level": 1})
    data.set_column("P:P", None, None, {"hidden": True})
    data.set_column("AH:XFD", 3, None, {"hidden": True})
    data.freeze_panes(HEADER_ROW, 1)
    data.autofilter(HEADER_ROW - 1, 0, last - 1, len(HEADERS) - 1)
    data.conditional_format(
        HEADER_ROW,
        10,
        last - 1,
        10,
        {"type": "cell", "criteria": ">", "value": 3, "format": workbook.add_format({"bold": True})},
    )
    data.conditional_format(HEADER_ROW, 13, last - 1, 13, {"type": "data_bar", "data_bar_2010": True})
    data.data_validation(HEADER_ROW, 12, last - 1, 12, {"validate": "list", "source": "=Teams"})
    data.write_comment(HEADER_ROW, 1, "She prefers Anna.", {"author": "Hana"})
    data.write_comment(HEADER_ROW + 1, 4, "Second floor.", {"author": "Hana"})
    data.write_url(1, 0, "https://example.com/hr", None, "The wiki")
    _draw(workbook, data, chart_sheet, last)
    workbook.define_name("Teams", "=Lists!$A$1:$A$2")
    workbook.define_name("Notes!Here", "=Notes!$A$1")
    workbook.define_name("'Hires & more'!Here", f"='Hires & more'!$A${HEADER_ROW}")
    data.print_area(0, 0, last - 1, len(HEADERS) - 1)
    data.repeat_rows(HEADER_ROW - 1)
    data.set_header("&CWave of spring")
    notes.activate()
    if macros:
        workbook.add_vba_project(io.BytesIO(b"not really"), is_stream=True)
    workbook.close()
    return path


def _write_people(workbook: Any, data: Any, titles: list[str], people: int) -> None:
    """The header and the rows, in formats of many kinds."""
    bold = workbook.add_format({"bold": True, "bg_color": "#FFFF00", "border": 1})
    date = workbook.add_format({"num_format": "dd.mm.yyyy", "font_color": "#0000FF"})
    zeros = workbook.add_format({"num_format": "00000", "bg_color": "#C6EFCE"})
    money = workbook.add_format({"num_format": "#,##0.00 €", "italic": True})
    text = workbook.add_format({"num_format": "@"})
    data.merge_range(0, 0, 0, 4, "New hires of the spring", workbook.add_format({"font_size": 18}))
    data.write_row(HEADER_ROW - 1, 0, HEADERS, bold)
    for number in range(1, people + 1):
        row = HEADER_ROW + number - 1
        data.write_row(row, 0, [f"p{number}@example.com", "Ana", f"Lee {number}"])
        data.write_string(row, 3, f"+1 212 555 01{number:02}", text)
        data.write_row(row, 4, ["1 Main Street", "Boston", "MA"])
        data.write_number(row, 7, 2139, zeros)
        data.write_row(row, 8, ["US", titles[number % len(titles)], 1])
        data.write_datetime(row, 11, datetime(2026, 12, number % 27 + 1), date)  # noqa: DTZ001 - a sheet's dates have no zone
        data.write_string(row, 12, PAYLOADS[number % len(PAYLOADS)])
        data.write_formula(row, 13, f"=K{row + 1}*100.5", money, 100.5)
        data.write_boolean(row, 14, number % 2 == 0)


def _draw(workbook: Any, data: Any, chart_sheet: Any, last: int) -> None:
    """A picture and a chart right of the data, a sparkline in it, a chart on a sheet of its own."""
    data.insert_image("R2", "dot.png", {"image_data": io.BytesIO(png()), "x_scale": 20, "y_scale": 20})
    chart = workbook.add_chart({"type": "column"})
    chart.add_series({"values": f"='Hires & more'!$K${HEADER_ROW + 1}:$K${last}"})
    data.insert_chart("Q5", chart, {"object_position": 3})
    data.add_sparkline(1, 6, {"range": f"K{HEADER_ROW + 1}:K{last}"})
    figures = workbook.add_chart({"type": "line"})
    figures.add_series({"values": f"='Hires & more'!$N${HEADER_ROW + 1}:$N${last}"})
    chart_sheet.set_chart(figures)


def lint(content: bytes) -> None:
    """What makes Excel offer a repair: parts that nobody has or that are missing, wrong order, numbers of nothing."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = archive.namelist()
        assert len({name.casefold() for name in names}) == len(names)
        parts = {name: archive.read(name) for name in names}
    trees = {name: ET.fromstring(part) for name, part in parts.items() if name.endswith((".xml", ".rels"))}  # noqa: S314
    relations = {name: _relations(name, trees) for name in names}
    _lint_types(names, trees["[Content_Types].xml"])
    for name, found in relations.items():
        assert set(found.values()) <= {*names, ""}, f"{name} has parts that are not there"
        for element in trees[name].iter() if name in trees else ():
            wanted = {value for key, value in element.attrib.items() if key in {f"{_R}id", f"{_R}embed"}}
            assert wanted <= set(found), f"{name} names {wanted - set(found)}"
    _lint_workbook(trees["xl/workbook.xml"])
    formats = _lint_styles(trees["xl/styles.xml"])
    for name, tree in trees.items():
        if tree.tag == f"{MAIN}worksheet":
            _lint_sheet(name, tree, formats)
            _lint_comments(relations[name], parts, trees)


def _relations(name: str, trees: dict[str, ET.Element]) -> dict[str, str]:
    folder, _, file = name.rpartition("/")
    tree = trees.get(f"{folder}/_rels/{file}.rels".lstrip("/"))
    found: dict[str, str] = {}
    for relation in tree if tree is not None else ():
        assert relation.get("Id") not in found
        target = relation.get("Target", "")
        joined = posixpath.normpath(posixpath.join(folder, target)) if not target.startswith("/") else target[1:]
        found[relation.get("Id", "")] = "" if relation.get("TargetMode") == "External" else joined
    return found


def _lint_types(names: list[str], tree: ET.Element) -> None:
    overrides = [element.get("PartName", "") for element in tree if element.tag.endswith("Override")]
    defaults = {element.get("Extension", "").lower() for element in tree if element.tag.endswith("Default")}
    assert len(overrides) == len(set(overrides))
    assert {part[1:] for part in overrides} <= set(names), "types of parts that are not there"
    for name in names:
        typed = f"/{name}" in overrides or name.rpartition(".")[2].lower() in defaults
        assert typed or name == "[Content_Types].xml", f"{name} has no type"


def _lint_workbook(tree: ET.Element) -> None:
    sheets = list(tree.iter(f"{MAIN}sheet"))
    for attribute in ("name", "sheetId", f"{_R}id"):
        values = [sheet.get(attribute, "").casefold() for sheet in sheets]
        assert len(set(values)) == len(values), attribute
    seen = set()
    for name in tree.iter(f"{MAIN}definedName"):
        place = name.get("localSheetId")
        assert place is None or int(place) < len(sheets)
        assert (name.get("name"), place) not in seen
        seen.add((name.get("name"), place))


def _lint_styles(tree: ET.Element) -> int:
    sizes = {}
    for kind in ("fonts", "fills", "borders", "cellXfs"):
        section = tree.find(f"{MAIN}{kind}")
        assert section is not None
        sizes[kind] = len(section)
        assert int(section.get("count", len(section))) == len(section), kind
    for xf in tree.iter(f"{MAIN}xf"):
        for attribute, kind in (("fontId", "fonts"), ("fillId", "fills"), ("borderId", "borders")):
            assert int(xf.get(attribute, "0")) < sizes[kind]
    return sizes["cellXfs"]


def _lint_sheet(name: str, tree: ET.Element, formats: int) -> None:
    places = [_ORDER.index(e.tag.removeprefix(MAIN)) for e in tree if e.tag.removeprefix(MAIN) in _ORDER]
    assert places == sorted(places), f"{name}: elements out of order"
    columns = [(int(col.get("min", "")), int(col.get("max", ""))) for col in tree.iter(f"{MAIN}col")]
    assert columns == sorted(columns)
    assert all(left[1] < right[0] for left, right in itertools.pairwise(columns)), f"{name}: {columns}"
    row_number = 0
    for row in tree.iter(f"{MAIN}row"):
        assert int(row.get("r", "")) > row_number
        row_number = int(row.get("r", ""))
        column = 0
        for cell in row:
            letters, digits = re.fullmatch(r"([A-Z]+)(\d+)", cell.get("r", "")).groups()  # type: ignore[union-attr]
            assert int(digits) == row_number
            assert column_index_from_string(letters) > column, f"{name}: {cell.get('r')} out of order"
            column = column_index_from_string(letters)
            assert int(cell.get("s", "0")) < formats


def _lint_comments(relations: dict[str, str], parts: dict[str, bytes], trees: dict[str, ET.Element]) -> None:
    texts = next((part for part in relations.values() if trees.get(part) is not None and "comments" in part), None)
    if texts is None:
        return
    comments = [comment.get("ref", "") for comment in trees[texts].iter(f"{MAIN}comment")]
    assert len(set(comments)) == len(comments)
    authors = len(list(trees[texts].iter(f"{MAIN}author")))
    assert all(int(comment.get("authorId", "")) < authors for comment in trees[texts].iter(f"{MAIN}comment"))
    drawing = parts[next(part for part in relations.values() if part.endswith(".vml"))].decode()
    boxes = re.findall(r"<\w+:Row>(\d+)</\w+:Row>\s*<\w+:Column>(\d+)</\w+:Column>", drawing)
    assert len(boxes) == len(comments), "a box for each comment"
    cells = {(re.sub(r"[A-Z]", "", ref), column_index_from_string(re.sub(r"\d", "", ref))) for ref in comments}
    assert {(str(int(row) + 1), int(column) + 1) for row, column in boxes} == cells
    ET.fromstring(drawing)  # noqa: S314 - our own
