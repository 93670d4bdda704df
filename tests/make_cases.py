"""Makes the sheets of `tests/cases` that no text editor can: workbooks, odd encodings, files that are no sheets.

    python -m tests.make_cases

Deterministic: the same bytes each time (with the same versions of openpyxl and zlib). What the program must say of
them stands beside them (`tests/functional/test_cases.py`).
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openpyxl import Workbook
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from tests.make_samples import timeless

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

CASES = Path(__file__).parent / "cases"
HEADER = [
    "Email", "First name", "Last name", "Phone number", "Shipping address", "City", "State / province",
    "ZIP / postal code", "Country", "Product title", "Quantity", "Notes",
]  # fmt: skip
MOUSE = "Logitech MX Master 3S Wireless Mouse"
SHEET_PART = "xl/worksheets/sheet1.xml"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def row(letter: str, **values: Any) -> list[Any]:
    """A good row for the employee of this letter, but for some values by the first word of their header."""
    good: list[Any] = [
        f"{letter}@example.com", letter.upper(), "Sample", "+1 212 555 0142", "1 Main Street", "New York", "NY",
        "10001", "US", MOUSE, 1, "",
    ]  # fmt: skip
    places = {header.split(" ")[0].lower(): place for place, header in enumerate(HEADER)}
    for name, value in values.items():
        good[places[name]] = value
    return good


def text(rows: Sequence[Sequence[Any]], delimiter: str = ",") -> str:
    """The rows below the header, as CSV."""
    made = io.StringIO(newline="")
    csv.writer(made, delimiter=delimiter, lineterminator="\n").writerows([HEADER, *rows])
    return made.getvalue()


def workbook(
    rows: Sequence[Sequence[Any]], *, more: Mapping[str, Sequence[Sequence[Any]]] | None = None, mac: bool = False
) -> bytes:
    """A workbook with a sheet "Wave" of these rows, and more sheets by name. A value (number, format) has a format."""
    made = Workbook()
    made.remove(made.worksheets[0])
    if mac:
        made.epoch = CALENDAR_MAC_1904
    for name, its_rows in {"Wave": rows, **(more or {})}.items():
        sheet = made.create_sheet(name)
        for number, its_row in enumerate(its_rows, start=1):
            for place, value in enumerate(its_row, start=1):
                cell = sheet.cell(number, place)
                cell.value, shown = value if isinstance(value, tuple) else (value, None)
                cell.number_format = shown or cell.number_format
    buffer = io.BytesIO()
    made.save(buffer)
    return timeless(buffer.getvalue())


def changed(content: bytes, **changes: Callable[[str], str]) -> bytes:
    """The workbook with the XML of its "sheet" or "book", or of "all" parts, changed; a new part where it has none."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    places = {"sheet": SHEET_PART, "book": "xl/workbook.xml", "types": "[Content_Types].xml"}
    places["strings"] = "xl/sharedStrings.xml"
    places["rels"] = "xl/_rels/workbook.xml.rels"
    for name, change in changes.items():
        for part in list(parts) if name == "all" else [places[name]]:
            parts[part] = change(parts.get(part, ""))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), part, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def strict(content: bytes) -> bytes:
    """As Excel saves a "Strict Open XML Spreadsheet": other namespaces."""
    usual, other = "http://schemas.openxmlformats.org/", "http://purl.oclc.org/ooxml/"

    def rename(xml: str) -> str:
        for kind in ("officeDocument/2006/relationships", "spreadsheetml/2006/main"):
            xml = xml.replace(usual + kind, other + kind.replace("2006/", ""))
        return xml.replace("<workbook ", '<workbook conformance="strict" ')

    return changed(content, all=rename)


def with_rich_texts(content: bytes) -> bytes:
    """Three first names as Excel has them in other ways: in pieces, with their pronunciation, and escaped."""
    rich = [
        '<si><r><t>Ana</t></r><r><rPr><b/></rPr><t xml:space="preserve"> Mar\u00eda</t></r></si>',
        '<si><t>\u592a\u90ce</t><rPh sb="0" eb="2"><t>\u30bf\u30ed\u30a6</t></rPh><phoneticPr fontId="0"/></si>',
        "<si><t>_x0041_na</t></si>",
    ]

    def point(xml: str) -> str:
        for number, place in enumerate(("B2", "B3", "B4")):
            cell = f'<c r="{place}" t="s"><v>{number}</v></c>'
            xml, hits = re.subn(rf'<c r="{place}"[^>]*>.*?</c>', cell, xml)
            assert hits == 1
        return xml

    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    override = f'<Override PartName="/xl/sharedStrings.xml" ContentType="{kind}"/></Types>'

    def add_type(xml: str) -> str:
        return xml if "sharedStrings+xml" in xml else xml.replace("</Types>", override)

    return changed(
        content,
        sheet=point,
        strings=lambda _: f'<sst xmlns="{_MAIN}">{"".join(rich)}</sst>',
        types=add_type,
    )


def cases() -> dict[str, bytes]:
    """Each case's sheet, by folder and name."""
    day = dt.datetime(2026, 12, 1)  # noqa: DTZ001 - a spreadsheet's dates know no zone
    good = [row("a"), row("b")]
    two = [HEADER, *good]
    corner = '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
    plain = workbook(two)
    hidden = [
        row("a", email="a\u200b@example.com"),
        row("b", email="b@example.com\u202e"),
        row("c", first="C\u2066"),
        row("d", product=f"{MOUSE}\u200e"),
        row("e", phone="\u202a+1 212 555 0142\u202c"),
        row("f", first="\u0645\u06cc\u200c\u0631"),
        row("a", product="Logitech MX Keys \u2013 Fran\u00e7ais (AZERTY)"),
    ]
    damage = [
        row("a", phone="1.2125550142E+10"),
        row("b", phone="1.21E+10"),
        row("c", phone="12125550142.0"),
        row("d", email="\u201cd@example.com\u201d", quantity="\uff12"),
        row("e", zip="2139", state="MA"),
        row("f", city="\u00a0New\u00a0York ", notes="2026-12-01"),
        row("g", email="\uff47@example.com", zip="\uff11\uff10\uff10\uff10\uff11"),
    ]
    namibia = row("n", phone="+264 61 555 0123", country="NA", state="NA", city="Windhoek", zip="10001")
    numbers = [
        row("a", zip=2139, state="MA"),
        row("b", zip=(2139, "00000"), state="MA"),
        row("c", zip=2139, state="NY"),
        row("d", zip=21390001, state="MA", phone=12125550142),
        row("e", phone=1.2125550142e10, quantity=2.0, notes=(day, "dd/mm/yyyy")),
        row("f", quantity=1.5, notes=True),
        row("g", notes=(dt.time(9, 30), "hh:mm")),
    ]
    return {
        "csv-cp1252/sheet.csv": text([row("a", first="J\u00fcrgen", city="K\u00f6ln")]).encode("cp1252"),
        "csv-utf16/sheet.csv": text([row("a", city="\u0141\u00f3d\u017a")], ";").encode("utf-16-le"),
        "csv-separator-line/sheet.csv": ("sep=|\n" + text(good, "|")).encode(),
        "csv-quoted-newline/sheet.csv": text([row("a", shipping="1 Main Street\nApt 4"), row("b")]).encode(),
        "csv-carriage-returns/sheet.csv": text(good).replace("\n", "\r").encode(),
        "csv-longer-row/sheet.csv": text([row("a"), row("b", notes="x")])
        .replace("b@example.com,B", "b@example.com,B,Jr")
        .encode(),
        "csv-shorter-row/sheet.csv": text([row("a"), row("b")[:9]]).encode(),
        "csv-unclosed-quote/sheet.csv": text(good).replace("b@example.com", '"b@example.com').encode(),
        "csv-nul/sheet.csv": text(good).replace("b@example.com", "b\0@example.com").encode(),
        "csv-invisible/sheet.csv": text(hidden).encode("utf-8-sig"),
        "csv-excel-damage/sheet.csv": text(damage).encode("utf-8-sig"),
        "csv-namibia/sheet.csv": text([namibia]).encode(),
        "renamed-pdf/sheet.xlsx": b"%PDF-1.7\n1 0 obj\n",
        "renamed-web-page/sheet.xls": b"<html><table><tr><td>Email</td></tr></table></html>",
        "renamed-text/sheet.xlsx": text(good).encode(),
        "xlsx-numbers/sheet.xlsx": workbook([HEADER, *numbers]),
        "xlsx-strict/sheet.xlsx": strict(workbook([HEADER, *numbers[:4]])),
        "xlsx-1904/sheet.xlsx": workbook([HEADER, row("a", notes=(day, "yyyy-mm-dd"))], mac=True),
        "xlsx-rich-text/sheet.xlsx": with_rich_texts(workbook([HEADER, *good, row("c")])),
        "xlsx-title-block/sheet.xlsx": workbook([["New hires, December"], [], [], HEADER, *good, [], row("c")]),
        "xlsx-wrong-dimension/sheet.xlsx": changed(
            plain, sheet=lambda xml: re.sub(r'<dimension ref="[^"]*"', '<dimension ref="A1:A2"', xml)
        ),
        "xlsx-two-sheets/sheet.xlsx": workbook(two, more={"Wave 2": two, "Products": [["Product"], [MOUSE]]}),
        "xlsx-far-corner/sheet.xlsx": changed(plain, sheet=lambda xml: xml.replace("</sheetData>", corner)),
        "xlsx-entities/sheet.xlsx": changed(
            plain, sheet=lambda xml: xml.replace("<worksheet", '<!DOCTYPE x [<!ENTITY a "b">]><worksheet', 1)
        ),
    }


if __name__ == "__main__":
    for _name, _content in cases().items():
        (CASES / _name).parent.mkdir(exist_ok=True)
        (CASES / _name).write_bytes(_content)
