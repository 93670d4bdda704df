"""The template's example row through the program: never ordered, never silent, and there when the sheet comes back."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import pytest
from openpyxl import Workbook, load_workbook

from batch_orders.messages.outcomes import COLUMN_NAMES
from batch_orders.messages.template import EXAMPLE
from batch_orders.models import Column
from tests.program import Program, RunningHub, sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_TITLE = "Dell WD22TB4 Thunderbolt Dock"
_HEADERS = [COLUMN_NAMES[column] for column in (*EXAMPLE, Column.PRODUCT_TITLE)]
_EXAMPLE = [*EXAMPLE.values(), _TITLE]
_ANA = ["ana@example.com", "Ana", "Sample", *_EXAMPLE[3:4], "12 Main Street", *_EXAMPLE[5:]]
_BO = ["bo@example.com", "Bo", "Sample", *_EXAMPLE[3:4], "14 Main Street", *_EXAMPLE[5:]]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    """One simulated Device Hub; each test has its own ledger, and asks what came in from it."""
    with sandbox(tmp_path_factory.mktemp("hub"), "--rate-limit", "1000") as running:
        yield running


@pytest.fixture
def program(tmp_path: Path, hub: RunningHub) -> Program:
    """The program with a ledger of its own."""
    made = Program(tmp_path, {**hub.login, "rate": "100/s", "ledger": str(tmp_path / "ledger.sqlite")})
    assert made.run("init", "--new").returncode == 0
    return made


def _csv(path: Path, rows: list[list[str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([_HEADERS, *rows])
    return path


def _xlsx(path: Path, rows: list[list[str]]) -> Path:
    workbook = Workbook()
    for row in [_HEADERS, *rows]:
        workbook.worksheets[0].append(row)
    workbook.save(path)
    return path


def _rows(path: Path) -> list[list[str]]:
    if path.suffix == ".csv":
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.reader(file))
    sheet = load_workbook(path).worksheets[0]
    return [["" if value is None else str(value) for value in row] for row in sheet.iter_rows(values_only=True)]


@pytest.mark.parametrize("make", [_csv, _xlsx])
def test_it_comes_back_with_its_reason(program: Program, hub: RunningHub, make: object) -> None:
    """First and last of the rows: two orders, a note, no status beside it; and the results are a valid input again."""
    before = len(hub.orders)
    sheet = make(program.folder / f"wave.{make.__name__.strip('_')}", [_EXAMPLE, _ANA, _BO, _EXAMPLE])  # type: ignore[operator, attr-defined]
    done = program.json("submit", sheet, "--yes", exit_code=0)
    assert (done["counts"]["rows"], done["counts"]["ordered"], len(hub.orders) - before) == (2, 2, 2)
    assert [order["rows"] for order in done["orders"]] == [[3], [4]]
    assert done["notes"] == [
        "Rows 2, 5 hold the template's example row: they were passed over, as it is never ordered."
    ]
    results = _rows(program.folder / done["results"])
    assert [row[0] for row in results] == ["Email", _EXAMPLE[0], "ana@example.com", "bo@example.com", _EXAMPLE[0]]
    for row in (results[1], results[4]):
        assert row[: len(_EXAMPLE)] == _EXAMPLE
        assert row[-5:] == ["", "", "The template's example row: it is never ordered.", "", ""]
    again = program.json("submit", done["results"], "--yes", exit_code=0)
    assert (again["counts"]["rows"], again["counts"]["already_ordered"], len(hub.orders) - before) == (2, 2, 2)
    rebuilt = program.json("results", done["run_id"], "--output", "again.csv", exit_code=0)
    assert (rebuilt["counts"]["ordered"], rebuilt["notes"]) == (2, done["notes"])


def test_alone_it_is_exit_3(program: Program, hub: RunningHub) -> None:
    """A template that nobody filled in orders nothing, and says why."""
    before = len(hub.orders)
    sheet = _csv(program.folder / "blank.csv", [_EXAMPLE])
    for command in (["check", sheet], ["submit", sheet, "--yes"]):
        done = program.run(*command, "--json")
        assert done.returncode == 3
        assert "example row" in json.loads(done.stdout)["error"]["message"]
    assert len(hub.orders) == before


def test_beside_invalid_rows_it_is_no_valid_one(program: Program) -> None:
    """Every row of the sheet is invalid: the example does not count as one that is not."""
    sheet = _csv(program.folder / "wave.csv", [_EXAMPLE, [*_ANA[:-1], "No such thing at all"]])
    assert program.json("submit", sheet, "--yes", exit_code=3)["counts"]["invalid"] == 1
