"""Orders from workbooks that are no .xlsx: placed, handed back as .xlsx with every value as it was, and sent again."""

from __future__ import annotations

import datetime as dt
import shutil
from typing import TYPE_CHECKING

import pytest
from openpyxl import load_workbook

from tests import office
from tests.make_cases import CASES
from tests.program import Program, RunningHub, sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# openpyxl says what it will not keep.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:openpyxl")

_TITLE = "Logitech MX Master 3S Wireless Mouse"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[RunningHub]:
    """A simulated Device Hub."""
    with sandbox(tmp_path) as running:
        yield running


@pytest.fixture
def program(hub: RunningHub, tmp_path: Path) -> Program:
    """The program with an account of its own there."""
    made = Program(tmp_path, {**hub.login, "ledger": str(tmp_path / "ledger.sqlite"), "rate": "20/s"})
    assert made.run("init", "--new").returncode == 0
    return made


def _wave(kind: str, folder: Path) -> Path:
    """Six rows, two of them wrong, with a date, numbers and a truth in the person's own columns."""
    case = "xlsb" if kind == "xlsx" else kind
    path = folder / f"wave.{case}"
    shutil.copy(CASES / f"{case}-wave" / f"sheet.{case}", path)
    return path if case == kind else office.resave(path, kind, folder)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("kind", ["xls", "xlsb", "ods", "xlsx"])
def test_submitted_mended_and_submitted_again(program: Program, hub: RunningHub, tmp_path: Path, kind: str) -> None:
    """What was ordered is not ordered again; what was mended in the results is; the input stays as it was."""
    wave = _wave(kind, tmp_path)
    before = wave.read_bytes()
    done = program.json("submit", wave, "--yes", exit_code=4)
    assert (done["counts"]["ordered"], done["counts"]["invalid"]) == (4, 2)
    results = tmp_path / "wave.results.xlsx"
    assert done["results"] == str(results)
    assert (wave.read_bytes(), len(hub.orders)) == (before, 4)

    book = load_workbook(results)
    for sheet in book.worksheets:
        for cells in sheet.iter_rows():
            for cell in cells:
                if cell.value == 1.5 and cell.column_letter == "K":
                    cell.value = 2
                elif cell.value == _TITLE.removesuffix("e"):
                    cell.value = _TITLE
    book.save(results)
    again = program.json("submit", results, "--yes", exit_code=0)
    assert (again["counts"]["already_ordered"], again["counts"]["ordered"]) == (4, 2)
    assert len(hub.orders) == 6
    assert program.json("submit", wave, "--yes", exit_code=4)["counts"]["already_ordered"] == 4


@pytest.mark.timeout(240)
@pytest.mark.parametrize("kind", ["xls", "xlsb", "ods", "xlsx"])
def test_values_come_back_untouched(tmp_path: Path, kind: str) -> None:
    """Dates, numbers and truths are still that, with their formats, in their places; the summary says what is gone."""
    wave = _wave(kind, tmp_path)
    assert Program(tmp_path).run("submit", wave, "--sandbox", "--yes").returncode == 4
    book = load_workbook(tmp_path / "wave.results.xlsx")
    sheet = book["Wave"]
    assert sheet["A1"].value == "New hires, December"
    assert [sheet.cell(3, column).value for column in (1, 8, 12, 13)] == [
        "Email", "ZIP / postal code", "Start date", "Notes",
    ]  # fmt: skip
    date = sheet["L4"]
    assert (date.value, date.is_date) == (dt.datetime(2026, 12, 1), True)  # noqa: DTZ001 - sheets have no zones
    assert date.number_format == ("yyyy-mm-dd" if kind == "ods" else "dd/mm/yyyy")
    assert (sheet["M5"].value, sheet["M5"].data_type) == (1.5, "n")
    assert sheet["M6"].value in (True, "=TRUE()")
    assert (sheet["K4"].value, sheet["D5"].value) in {(1, "12125550142"), (1, 12125550142)}
    assert sheet["H4"].value in ({2139} if kind == "xlsx" else {"02139"})
    told = [row[1] for row in book.worksheets[1].iter_rows(values_only=True) if row[0] == "Layout"]
    assert told == [] if kind == "xlsx" else f"it is an .{kind} file" in told[0]
