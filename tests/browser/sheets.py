"""Sheets for the page: a wave of new hires, with a few cells that need a person."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import openpyxl

from tests.program import SAMPLES

if TYPE_CHECKING:
    from pathlib import Path

# The first three people of the wave.
ANA, BEN, CHLOE = "ana.alvarez@example.com", "ben.carter@example.com", "chloe.dubois@example.com"

# By row number and column: what a hurried person typed.
_SLIPS = {
    (5, "Product title"): "Logitech MX Master 3S Wireles Mouse",
    (12, "Country"): "Germany",
    (20, "Quantity"): "1.5",
    (33, "Phone number"): "12",
}


def wave(folder: Path, *, people: int | None = None, slips: bool = False) -> Path:
    """The sample wave as a file: its first people, and with a few slips where it is to be mended."""
    with (SAMPLES / "new-hires.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    if slips:
        for (number, column), text in _SLIPS.items():
            rows[number - 2][column] = text
    emails = list(dict.fromkeys(row["Email"] for row in rows))[:people]
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(row for row in rows if row["Email"] in emails)
    path = folder / ("Q4-hires.csv" if slips else "new-hires.csv")
    path.write_text(out.getvalue(), encoding="utf-8", newline="")
    return path


def a_week_later(sheet: Path) -> Path:
    """The sheet a week later: two orders changed, one person has the same again, and somebody is new."""
    with sheet.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["Quantity"] = "5" if row["Email"] in {ANA, CHLOE} else row["Quantity"]
        row["Order reference"] = "again" if row["Email"] == BEN else row["Order reference"]
    rows.append(rows[0] | {"Email": "new.hire@example.com", "First name": "New", "Last name": "Hire"})
    path = sheet.with_name("next.csv")
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def misspelt(folder: Path) -> Path:
    """The sample workbook with one title misspelt in three rows."""
    workbook = openpyxl.load_workbook(SAMPLES / "new-hires.xlsx")
    sheet = workbook.worksheets[0]
    titles = [cell for row in sheet.iter_rows() for cell in row if cell.value == "Dell WD22TB4 Thunderbolt Dock"]
    for cell in titles[:3]:
        cell.value = "Dell WD22TB4 Thunderbold Dock"
    path = folder / "Q4-hires.xlsx"
    workbook.save(path)
    return path
