"""A results file is mended and submitted again: what is done stays done, and what was mended is sent."""

from __future__ import annotations

import csv
import re
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from openpyxl import Workbook, load_workbook

from batch_orders.adapters.sheet_reader import read_sheet
from tests import office
from tests.program import Program, RunningHub, sandbox
from tests.workbooks import HEADER_ROW, HEADERS, PAYLOADS, TITLES, lint, rich_workbook

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# openpyxl says what it will not write again.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:openpyxl")

WRONG = "Laptop, any"
TITLE = HEADERS.index("Product title") + 1
MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[RunningHub]:
    """A simulated Device Hub."""
    with sandbox(tmp_path) as running:
        yield running


@pytest.fixture
def program(hub: RunningHub, tmp_path: Path) -> Program:
    """The program with an account of its own at the simulated Device Hub."""
    made = Program(tmp_path, {**hub.login, "ledger": str(tmp_path / "ledger.sqlite"), "rate": "10/s"})
    assert made.run("init", "--new").returncode == 0
    return made


def mended(path: Path, copy: Path) -> Path:
    """The workbook with the wrong titles put right, as a person does it."""
    workbook = load_workbook(path)
    for row in workbook.worksheets[0].iter_rows(min_row=HEADER_ROW + 1):
        cell = row[TITLE - 1]
        if cell.value == WRONG:
            assert cell.comment is not None, "it says what is wrong"
            cell.value = TITLES[0]
    workbook.save(copy)
    return copy


@pytest.mark.parametrize("with_office", [False, True])
def test_mended_and_submitted_again(program: Program, hub: RunningHub, tmp_path: Path, with_office: bool) -> None:
    """Done rows are `already_ordered`, mended rows are sent; whichever program saved the file in between."""
    sheet = rich_workbook(tmp_path / "wave.xlsx", titles=[TITLES[0], TITLES[1], WRONG])
    before = sheet.read_bytes()
    first = program.json("submit", sheet, "--yes", exit_code=4)
    assert (first["counts"]["ordered"], first["counts"]["invalid"]) == (4, 2)
    results = tmp_path / "wave.results.xlsx"
    lint(results.read_bytes())
    assert load_workbook(results).sheetnames[:3] == ["Hires & more", "Summary", "Notes"], "the person's own workbook"
    again = mended(results, tmp_path / "wave.results-mended.xlsx")
    if with_office:
        again = office.resave(again, "xlsx", tmp_path / "office")
    second = program.json("submit", again, "--yes", exit_code=0)
    assert (second["counts"]["already_ordered"], second["counts"]["ordered"]) == (4, 2)
    assert len(hub.orders) == 6
    made = load_workbook(second["results"])
    assert made.sheetnames.count("Summary") == 1
    headers = [cell.value for cell in made.worksheets[0][HEADER_ROW]]
    assert headers.count("order_status") == 1
    comments = [c.comment.text for row in made.worksheets[0].iter_rows() for c in row if c.comment]
    assert not [text for text in comments if text.startswith("Error")]
    third = program.json("submit", second["results"], "--yes", exit_code=0)
    assert third["counts"]["already_ordered"] == 6
    lint((tmp_path / third["results"]).read_bytes())
    assert len(hub.orders) == 6
    assert sheet.read_bytes() == before, "the input is never touched"


def test_a_template_stays_a_template(program: Program, tmp_path: Path) -> None:
    """Its drop-downs, its hidden lists and its stamp are in the results; its example row says what it is."""
    assert program.run("template", "--output", "blank.xlsx").returncode == 0
    workbook = load_workbook(tmp_path / "blank.xlsx")
    data = next(sheet for sheet in workbook.worksheets if sheet.data_validations.dataValidation)
    headers = {str(cell.value): cell.column for row in data.iter_rows() for cell in row if cell.value in HEADERS}
    example = next(row[0].row for row in data.iter_rows(min_row=2) if "example.row" in str([c.value for c in row]))
    person = [
        "p1@example.com",
        "Ana",
        "Lee",
        "+1 212 555 0142",
        "1 Main St",
        "Boston",
        "MA",
        "02139",
        "US",
        TITLES[0],
        1,
    ]
    for header, value in zip(HEADERS[:11], person, strict=True):
        data.cell(example + 1, headers[header]).value = value
    workbook.save(tmp_path / "hires.xlsx")
    done = program.json("submit", "hires.xlsx", "--yes", exit_code=0)
    made = load_workbook(tmp_path / str(done["results"]))
    lint((tmp_path / str(done["results"])).read_bytes())
    assert {sheet.title: sheet.sheet_state for sheet in workbook} | {"Summary": "visible"} == {
        sheet.title: sheet.sheet_state for sheet in made
    }
    results = made[data.title]
    assert [(str(v.sqref), v.formula1) for v in results.data_validations.dataValidation] == [
        (str(v.sqref), v.formula1) for v in data.data_validations.dataValidation
    ]
    assert set(workbook.defined_names) < set(made.defined_names)
    assert "never ordered" in str([cell.value for cell in results[example]][-8:])
    again = program.json("submit", str(done["results"]), "--yes", exit_code=0)
    assert again["counts"]["already_ordered"] == again["counts"]["rows"] == 1


def test_rebuilt_from_the_ledger_it_is_the_same_workbook(program: Program, tmp_path: Path) -> None:
    """The ledger keeps what was read: the results come out as they were, though the person's file is gone."""
    sheet = rich_workbook(tmp_path / "wave.xlsx")
    done = program.json("submit", sheet, "--yes", exit_code=0)
    sheet.unlink()
    program.json("results", done["run_id"], "--output", "again.xlsx", exit_code=0)
    with zipfile.ZipFile(tmp_path / "wave.results.xlsx") as one, zipfile.ZipFile(tmp_path / "again.xlsx") as other:
        # What was put right (marked, with a comment) is not told again of orders that are done.
        kept = [
            name for name in other.namelist() if re.match(r"xl/(worksheets/sheet[13]|charts|media|drawings/d)", name)
        ]
        assert {name: one.read(name) for name in kept} == {name: other.read(name) for name in kept}
        assert {"xl/charts/chart1.xml", "xl/media/image1.png", "xl/worksheets/sheet1.xml"} <= set(kept)
    frames = [read_sheet(tmp_path / name).frame for name in ("wave.results.xlsx", "again.xlsx")]
    assert frames[0].equals(frames[1])
    lint((tmp_path / "again.xlsx").read_bytes())


# --- just the rows that need work -------------------------------------------------------------------------------------


def orders_sheet(kind: str, path: Path) -> Path:
    """Three orders of two rows, name and address on the first of each; the second one's second row is wrong."""
    rows = [HEADERS[:11]]
    for number in range(1, 4):
        whole = [f"p{number}@example.com", "Ana", f"Lee {number}", f"+1 212 555 010{number}", f"{number} Main Street"]
        rows.append([*whole, "Boston", "MA", "02139", "US", TITLES[0], "1"])
        title = WRONG if number == 2 else TITLES[1]
        rows.append([f"p{number}@example.com", *[""] * 8, title, "1"])
    if kind == "csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)
    else:
        workbook = Workbook()
        for row in rows:
            workbook.active.append([cell or None for cell in row])  # type: ignore[union-attr] # a new workbook has one
        workbook.save(path)
    return path


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_failed_only_is_a_sheet_that_can_be_mended_and_submitted(program: Program, tmp_path: Path, kind: str) -> None:
    """Whole orders, so that what only one of their rows says is there; at the numbers that the messages name."""
    sheet = orders_sheet(kind, tmp_path / f"wave.{kind}")
    first = program.json("submit", sheet, "--yes", "--failed-only", exit_code=4)
    assert (first["counts"]["ordered"], first["counts"]["invalid"], first["counts"]["held"]) == (4, 1, 1)
    failed = tmp_path / f"wave.failed.{kind}"
    assert first["failed"] == str(failed)
    assert (tmp_path / f"wave.results.{kind}").exists()
    checked = program.json("check", failed, exit_code=4)
    assert [order["rows"] for order in checked["orders"]] == [[4, 5]]
    assert checked["findings"][0]["cell"] == first["findings"][0]["cell"] == "J5"
    if kind == "csv":
        failed.write_text(failed.read_text(encoding="utf-8-sig").replace(f'"{WRONG}"', TITLES[2]), encoding="utf-8")
    else:
        workbook = load_workbook(failed)
        data = workbook.worksheets[0]
        assert [data.row_dimensions[number].hidden for number in range(1, 6)] == [False, True, True, False, False]
        assert data["J5"].comment.text.startswith("Error")
        data["J5"] = TITLES[2]
        workbook.save(failed)
    second = program.json("submit", failed, "--yes", "--failed-only", exit_code=0)
    assert second["counts"]["ordered"] == second["counts"]["rows"] == 2
    assert second["failed"] is None, "nothing is left to do"
    assert not list(tmp_path.glob("*failed-2*"))


def test_check_writes_only_the_rows_that_need_work(program: Program, tmp_path: Path) -> None:
    """`check --failed-only` alone leaves one file; with `--output` a second one beside it; the terminal names it."""
    sheet = orders_sheet("xlsx", tmp_path / "wave.xlsx")
    document = program.json("check", sheet, "--failed-only", exit_code=4)
    assert (document["results"], document["failed"]) == (None, str(tmp_path / "wave.failed.xlsx"))
    document = program.json("check", sheet, "--failed-only", "--output", "out.results.csv", exit_code=4)
    assert (document["results"], document["failed"]) == ("out.results.csv", "out.failed.csv")
    done = program.run("check", sheet, "--failed-only")
    assert f"Need work        {tmp_path / 'wave.failed-2.xlsx'}" in done.stdout
    assert program.json("check", sheet, exit_code=4)["failed"] is None


# --- formulas ---------------------------------------------------------------------------------------------------------


def formulas_in(path: Path) -> int:
    """Formulas in a workbook's XML, whoever wrote it."""
    with zipfile.ZipFile(path) as archive:
        sheets = [archive.read(name).decode() for name in archive.namelist() if "worksheets/sheet" in name]
    assert sheets
    return sum(sheet.count("<f>") + sheet.count("<f ") + sheet.count(":f>") for sheet in sheets)


@pytest.mark.parametrize("source", ["csv", "xlsx"])
@pytest.mark.parametrize("target", ["csv", "xlsx"])
def test_no_formula_gets_through(tmp_path: Path, source: str, target: str) -> None:
    """Text that a spreadsheet would run comes out of LibreOffice as the same text: in cells, headers and messages."""
    rows: list[list[str]] = [[*HEADERS[:11], "Note", "=1+1"]]
    for number, payload in enumerate(PAYLOADS):
        person = [f"p{number}@example.com", payload, f"Lee {number}", "+1 212 555 0142", payload, "Boston", "MA"]
        rows.append([*person, "02139", "US", TITLES[0] if number % 2 else payload, "1", payload, payload])
    sheet = tmp_path / f"wave.{source}"
    if source == "csv":
        # As a spreadsheet saves such text, or an attacker writes it: without any guard.
        with sheet.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)
    else:
        workbook = Workbook()
        for row in rows:
            workbook.active.append([""] * len(row))  # type: ignore[union-attr] # a new workbook has one
            for column, text in enumerate(row):
                cell = workbook.active.cell(workbook.active.max_row, column + 1)  # type: ignore[union-attr]
                cell.value, cell.data_type = text, "s"
        workbook.save(sheet)
    results = tmp_path / f"out.{target}"
    assert Program(tmp_path).run("check", sheet, "--sandbox", "--output", results).returncode in {3, 4}
    saved = office.resave(results, "xlsx", tmp_path / "office")
    assert formulas_in(saved) == 0
    assert target == "csv" or formulas_in(results) == 0
    shown = [[_text(cell.value) for cell in row] for row in load_workbook(saved).worksheets[0].iter_rows()]
    notes = HEADERS[:11].index("Quantity") + 1
    guarded = [text.removeprefix("'").strip() for row in shown[1:] for text in row[notes : notes + 2]]
    assert guarded == [payload.strip() for payload in PAYLOADS for _ in range(2)]


def _text(value: Any) -> str:
    return "" if value is None else str(value)


_PERSON = ("Ana", "Sample", "+12125550142", "1 Main Street", "New York", "NY", "10001", "US")
_HIDING = ("Email", "First name", "Last name", "Phone number", "Shipping address", "City", "State / province")
_HIDING += ("ZIP / postal code", "Country", "Product title", "Quantity", "Shipping method", "Order reference", "Desk")


def _hiding_sheet(path: Path) -> Path:
    """A sheet with something hidden or broken in nearly every row.

    Row 2 has a formula for its reference whose result nobody saved, rows 3 and 4 share a merged shipping method, row 5
    has an error in it, row 6 is hidden, row 7 has a wrong title, and row 8 nothing but a merged cell of its own.
    """
    workbook = Workbook()
    sheet = workbook.active
    assert sheet is not None
    sheet.append(_HIDING)
    for number in range(2, 9):
        person = (f"Ana{number}", *_PERSON[1:2], f"+1212555014{number}", *_PERSON[3:])
        sheet.append([f"ana{number}@example.com", *person, WRONG if number == 7 else TITLES[0], 1, "", "", "left"])
    sheet["M2"] = '="second"'
    sheet["L3"] = "Overnight"
    sheet.merge_cells("L3:L4")
    sheet["L5"] = "#N/A"
    sheet.row_dimensions[6].hidden = True
    sheet.column_dimensions["N"].hidden = True
    sheet.merge_cells("N7:N8")
    workbook.save(path)
    return path


@pytest.mark.parametrize("output", ["failed", "wave.csv", "plain"])
def test_what_is_hidden_or_broken_stays_so_in_a_file_of_ours(program: Program, tmp_path: Path, output: str) -> None:
    """Nobody has mended it: submitted as it is, no such row is ordered (but what a CSV file cannot hide)."""
    sheet = _hiding_sheet(tmp_path / "wave.xlsx")
    if output == "failed":
        program.json("check", sheet, "--failed-only", exit_code=4)
        made = tmp_path / "wave.failed.xlsx"
    elif output == "plain":
        sheet = office.resave(sheet, "ods", tmp_path / "office")
        made = tmp_path / "made.xlsx"
        program.json("check", sheet, "--output", made, exit_code=4)
    else:
        made = tmp_path / output
        program.json("check", sheet, "--output", made, exit_code=4)
    if made.suffix == ".xlsx":
        assert load_workbook(made).worksheets[0].column_dimensions["N"].hidden
        summary = load_workbook(made)["Summary"]
        assert any("Row 6 is hidden" in str(cell.value) for row in summary.iter_rows() for cell in row)
    document = program.json("check", made, exit_code=4)
    statuses = {row: order["status"] for order in document["orders"] for row in order["rows"]}
    blocked = {2, 4, 5, 6, 7}  # in row 3 stands what stood in the merged cells
    if output == "wave.csv":
        blocked -= {6}
    if output == "plain":
        blocked -= {2}  # LibreOffice has worked the formula out
    assert {row for row, status in statuses.items() if status == "invalid"} == blocked
