"""Makes `sample_inputs/new-hires.xlsx` from `new-hires.csv`: the same wave as HR would keep it in Excel.

    python -m tests.make_samples

Deterministic: the same rows give the same bytes (with the same versions of openpyxl and zlib).
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from openpyxl import Workbook
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

SAMPLES = Path(__file__).resolve().parents[1] / "sample_inputs"
HEADER_ROW = 4
# This ZIP was typed as a number into cells that show five digits, as Excel's own "Zip Code" format does.
NUMBER_ZIP = "02139"
COST_CENTRES = (4200, 4310, 4325.5)
_NOTES = {1: "Buddy: see team page", 9: "Desk by the window", 30: "=> second desk at home", 44: "+1 monitor later?"}
_FIXED = "2026-11-02T09:00:00Z"


def make_workbook(rows: list[list[str]]) -> bytes:
    """The wave (its header first) as a formatted workbook, with a title, two columns more and a second sheet."""
    workbook = Workbook()
    sheet = workbook.active
    assert sheet is not None
    sheet.title = "New hires"
    header, *people = rows
    _title(sheet, len(header) + 2)
    _header(sheet, ["Cost centre", *header, "Notes"])
    for number, row in enumerate(people):
        for column, value in enumerate([COST_CENTRES[number % 3], *row, _NOTES.get(number, "")], start=1):
            _fill(sheet, HEADER_ROW + 1 + number, column, value, ("Cost centre", *header, "Notes")[column - 1])
    sheet.auto_filter.ref = f"A{HEADER_ROW}:{get_column_letter(len(header) + 2)}{HEADER_ROW + len(people)}"
    about = workbook.create_sheet("Read me")
    about.append(["How this sheet works"])
    about.append(["One row per item. Repeat the e-mail; name, phone and address may be blank from the second row on."])
    buffer = io.BytesIO()
    workbook.save(buffer)
    return timeless(buffer.getvalue())


def _title(sheet: Worksheet, width: int) -> None:
    sheet["A1"] = "New hires, December wave"
    sheet["A1"].font = Font(size=16, bold=True)
    sheet.merge_cells(start_row=1, start_column=1, end_row=1, end_column=width)
    sheet["A2"] = "Questions: people-ops@example.com"


def _header(sheet: Worksheet, names: list[str]) -> None:
    for column, name in enumerate(names, start=1):
        cell = sheet.cell(HEADER_ROW, column, name)
        cell.font = Font(bold=True, color="FFFFFF")
        cell.fill = PatternFill("solid", start_color="1F4E78")
        cell.alignment = Alignment(wrap_text=True, vertical="center")
        sheet.column_dimensions[get_column_letter(column)].width = max(12, len(name) + 4)
    sheet.freeze_panes = f"A{HEADER_ROW + 1}"


def _fill(sheet: Worksheet, row: int, column: int, value: str | float, header: str) -> None:
    cell = sheet.cell(row, column)
    if header == "Quantity" and value:
        cell.value = int(value)
    elif header == "Start date" and value:
        cell.value = datetime.fromisoformat(str(value))
        cell.number_format = "dd/mm/yyyy"
    elif header == "ZIP / postal code" and value == NUMBER_ZIP:
        cell.value = int(value)
        cell.number_format = "00000"
    elif value != "":
        cell.value = value
        if isinstance(value, str):
            cell.data_type = "s"  # a note that starts with "=" is still a note
            cell.number_format = "@"


def timeless(content: bytes) -> bytes:
    """The same workbook without the moment of its making."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as made, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in made.namelist():
            part = made.read(name)
            if name == "docProps/core.xml":
                part = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", _FIXED.encode(), part)
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), part, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def wave() -> list[list[str]]:
    """The rows of `new-hires.csv`, its header first."""
    with (SAMPLES / "new-hires.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


if __name__ == "__main__":
    (SAMPLES / "new-hires.xlsx").write_bytes(make_workbook(wave()))
