"""`order_ahead`: orders wait for their date, go by themselves in a later run, and say where shipping cannot make it."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.orders import TITLE
from tests.program import Program

if TYPE_CHECKING:
    from pathlib import Path

_HEADERS = (
    "Email,First name,Last name,Phone number,Address,City,State,ZIP,Country,Product title,Quantity,Shipping method,"
    "Start date"
)


def _in(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).date().isoformat()


def _row(name: str, start: str, *, method: str = "", title: str = TITLE) -> str:
    address = f"+1 212 555 0142,1 Main Street,New York,NY,10001,US,{title},1"
    return f"{name}@example.com,Ana,{name.title()},{address},{method},{start}"


def _sheet(folder: Path, *rows: str) -> Path:
    path = folder / "hires.csv"
    path.write_text("\n".join([_HEADERS, *rows]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Orders go three weeks ahead."""
    return Program(tmp_path, {"order_ahead": "21 days"})


def _submit(program: Program, sheet: Path, exit_code: int = 0) -> dict[str, str]:
    """By person, the order's status."""
    arguments = ("submit", sheet, "--sandbox", "--ledger", "try.sqlite", "--yes")
    document = program.json(*arguments, exit_code=exit_code)
    return {order["email"].partition("@")[0]: order["status"] for order in document["orders"]}


def test_orders_wait_for_their_date_and_then_go_by_themselves(tmp_path: Path, program: Program) -> None:
    """Far off: waiting, with the day; near, past or blank: at once. All of it is exit code 0."""
    sheet = _sheet(
        tmp_path,
        _row("far", _in(40)),
        _row("near", _in(20)),
        _row("past", _in(-3)),
        _row("blank", ""),
        _row("edge", _in(21)),
    )
    assert _submit(program, sheet) == {
        "far": "waiting", "near": "ordered", "past": "ordered", "blank": "ordered", "edge": "ordered",
    }  # fmt: skip
    with (tmp_path / "hires.results.csv").open(encoding="utf-8-sig", newline="") as file:
        far = next(csv.DictReader(file))
    assert _in(19) in far["order_message"]
    assert _in(40) in far["order_message"]
    nearer = Program(tmp_path, {"order_ahead": "60 days"})
    statuses = _submit(nearer, tmp_path / "hires.results.csv")
    assert statuses.pop("far") == "ordered"
    assert set(statuses.values()) == {"already_ordered"}


def test_whoever_waits_is_told_to_come_back(tmp_path: Path, program: Program) -> None:
    """Nothing happens to a row that waits unless its sheet is submitted again."""
    sheet = _sheet(tmp_path, _row("far", _in(40)))
    for command in (("check",), ("submit", "--yes")):
        told = program.run(*command, sheet, "--sandbox")
        assert told.returncode == 0
        assert "Submit the sheet again then" in " ".join((told.stdout + told.stderr).split())


def test_without_the_setting_a_start_date_means_nothing(tmp_path: Path) -> None:
    """No row waits, and no date is looked at."""
    sheet = _sheet(tmp_path, _row("far", _in(400)), _row("odd", "whenever"))
    assert set(_submit(Program(tmp_path), sheet).values()) == {"ordered"}


def test_dates_that_are_none_or_could_be_two_are_errors(tmp_path: Path, program: Program) -> None:
    """Each at its cell; a rewritten one is told."""
    sheet = _sheet(tmp_path, _row("odd", "whenever"), _row("two", "03/04/2031"), _row("dots", "24.12.2031"))
    document = program.json("check", sheet, "--sandbox", exit_code=4)
    found = {finding["cell"]: (finding["code"], finding["suggestion"]) for finding in document["findings"]}
    assert found == {"M2": ("date", None), "M3": ("date", "2031-04-03"), "M4": ("repaired", None)}
    assert document["counts"]["waiting"] == 1


def test_two_start_dates_of_one_order_are_a_conflict(tmp_path: Path, program: Program) -> None:
    """But two spellings of one day are not."""
    other = "Logitech MX Master 3S Wireless Mouse"
    rows = (_row("two", _in(30)), _row("two", _in(31), title=other))
    document = program.json("check", _sheet(tmp_path, *rows), "--sandbox", exit_code=3)
    assert {finding["code"] for finding in document["findings"]} == {"conflict"}
    rows = (_row("one", "2031-12-24"), _row("one", "24 December 2031", title=other))
    assert program.json("check", _sheet(tmp_path, *rows), "--sandbox", exit_code=0)["counts"]["waiting"] == 2


def test_late_where_shipping_cannot_make_it(tmp_path: Path) -> None:
    """A warning: the order goes ahead. How long a method takes is the settings' to say."""
    program = Program(tmp_path, {"order_ahead": "21 days", "shipping_days": "UPS Ground=5"})
    sheet = _sheet(
        tmp_path,
        _row("today", _in(0), method="Overnight"),
        _row("ground", _in(4), method="UPS Ground"),
        _row("fine", _in(6), method="UPS Ground"),
        _row("overnight", _in(2), method="Overnight"),
    )
    document = program.json("check", sheet, "--sandbox", exit_code=0)
    late = [finding["row"] for finding in document["findings"] if finding["code"] == "late"]
    assert late == [2, 3]
    assert {finding["severity"] for finding in document["findings"]} == {"warning"}


def test_the_plan_says_how_many_wait(tmp_path: Path, program: Program) -> None:
    """They are none of those that need a person."""
    done = program.run("check", _sheet(tmp_path, _row("far", _in(40))), "--sandbox")
    assert done.returncode == 0
    assert "1 row (1 order): the date has not come" in done.stdout
