"""The template: what HR gets, filled in as a person would, and what comes of it, also by way of LibreOffice."""

from __future__ import annotations

import datetime as dt
import io
from typing import TYPE_CHECKING, Any

import pytest
from openpyxl import load_workbook

from batch_orders.adapters.sheet_reader import read_sheet
from batch_orders.adapters.template_xlsx import render_template, render_template_csv
from batch_orders.messages.outcomes import COLUMN_NAMES
from batch_orders.messages.template import EXAMPLE_EMAIL
from batch_orders.models import Catalog, Column, Template, Warehouse
from tests import office
from tests.make_templates import MADE_ON, TEMPLATES, sandbox_catalog
from tests.program import Program, RunningHub, sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from openpyxl import Workbook

_DOCK, _MOUSE = "Dell WD22TB4 Thunderbolt Dock", "Logitech MX Master 3S Wireless Mouse"
_LAPTOP = 'Apple MacBook Pro 14" M4 16GB 512GB'
_HEADER = [COLUMN_NAMES[column] for column in Column]
_TODAY = dt.date(2026, 3, 1)

# As somebody types it below the example row: text where the column is text, a number where they type a number.
_FILLED: tuple[dict[Column, Any], ...] = (
    {
        Column.EMAIL: "ana.sample@example.com", Column.FIRSTNAME: "Ana", Column.LASTNAME: "Sample",
        Column.PHONE_NUMBER: "6175550143", Column.SHIPPING_ADDRESS: "12/3", Column.SHIPPING_CITY: "Cambridge",
        Column.SHIPPING_STATE: "MA", Column.SHIPPING_ZIP: "02139", Column.SHIPPING_COUNTRY: "US",
        Column.PRODUCT_TITLE: _LAPTOP, Column.QUANTITY: 1, Column.EXPEDITE_SHIPPING: "Overnight",
        Column.IS_SIGNATURE_REQUIRED: "yes", Column.START_DATE: dt.date(2026, 12, 15),
    },
    {Column.EMAIL: "ana.sample@example.com", Column.PRODUCT_TITLE: _DOCK, Column.QUANTITY: 2},
    {
        Column.EMAIL: "ana.sample@example.com", Column.FIRSTNAME: "Ana", Column.LASTNAME: "Sample",
        Column.PHONE_NUMBER: "6175550143", Column.SHIPPING_ADDRESS: "12/3", Column.SHIPPING_CITY: "Cambridge",
        Column.SHIPPING_STATE: "MA", Column.SHIPPING_ZIP: "02139", Column.SHIPPING_COUNTRY: "US",
        Column.PRODUCT_TITLE: _MOUSE, Column.QUANTITY: 1, Column.ORDER_REFERENCE: "007",
    },
    {
        Column.EMAIL: "nadia.test@example.com", Column.FIRSTNAME: "Nadia", Column.LASTNAME: "Tëst",
        Column.PHONE_NUMBER: "+264 61 555 0101", Column.SHIPPING_ADDRESS: "5 Sample Road",
        Column.SHIPPING_CITY: "Windhoek", Column.SHIPPING_STATE: "Khomas", Column.SHIPPING_ZIP: "10005",
        Column.SHIPPING_COUNTRY: "NA", Column.PRODUCT_TITLE: _DOCK, Column.QUANTITY: 1,
    },
)  # fmt: skip


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    """One simulated Device Hub; each test has its own ledger, and asks what came in from it."""
    with sandbox(tmp_path_factory.mktemp("hub"), "--rate-limit", "1000") as running:
        yield running


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A template as the command writes it."""
    folder = tmp_path_factory.mktemp("template")
    done = Program(folder).json("template", "--sandbox", exit_code=0)
    assert done["template"] == "new-hires-template.xlsx"
    return folder / done["template"]


def _program(folder: Path, hub: RunningHub) -> Program:
    """The program with a ledger of its own."""
    made = Program(folder, {**hub.login, "rate": "100/s", "ledger": str(folder / "ledger.sqlite")})
    assert made.run("init", "--new").returncode == 0
    return made


def _fill(template: Path, filled: Path, rows: Sequence[dict[Column, Any]] = _FILLED) -> Path:
    """Type the rows below the example row, each cell formatted as its column is, and save."""
    workbook = load_workbook(template)
    sheet = workbook.worksheets[0]
    columns = {name.value: name.column for name in sheet[1]}
    for number, row in enumerate(rows, start=3):
        for column, value in row.items():
            cell = sheet.cell(number, columns[COLUMN_NAMES[column]], value)
            cell.number_format = sheet.column_dimensions[cell.column_letter].number_format
    workbook.save(filled)
    return filled


def _ordered(program: Program, hub: RunningHub, sheet: Path) -> list[dict[str, Any]]:
    """Check the sheet, submit it, and give what reached Device Hub, by e-mail and first item."""
    before = len(hub.orders)
    checked = program.json("check", sheet, exit_code=0)
    assert (checked["counts"]["ready"], checked["counts"]["rows"]) == (4, 4)
    done = program.json("submit", sheet, "--yes", exit_code=0)
    assert (done["counts"]["ordered"], done["counts"]["orders"]) == (4, 3)
    assert done["notes"] == ["Row 2 is the template's example row: it was passed over, as it is never ordered."]
    placed = [order["body"] for order in hub.orders[before:]]
    assert all(order["email"] != EXAMPLE_EMAIL for order in placed)
    return sorted(placed, key=lambda order: (order["email"], len(order["items"])))


def _expected() -> list[dict[str, Any]]:
    ana = {
        "email": "ana.sample@example.com", "firstname": "Ana", "lastname": "Sample", "phone_number": "+16175550143",
        "shipping_address": "12/3", "shipping_city": "Cambridge", "shipping_state": "MA", "shipping_zip": "02139",
        "shipping_country": "US",
    }  # fmt: skip
    return [
        {
            **ana,
            "items": [{"product_title": _MOUSE, "quantity": 1}],
            "expedite_shipping": None,
            "is_signature_required": False,
        },
        {
            **ana,
            "items": [{"product_title": _LAPTOP, "quantity": 1}, {"product_title": _DOCK, "quantity": 2}],
            "expedite_shipping": "Overnight",
            "is_signature_required": True,
        },
        {
            "email": "nadia.test@example.com", "firstname": "Nadia", "lastname": "Tëst",
            "phone_number": "+264615550101", "shipping_address": "5 Sample Road", "shipping_city": "Windhoek",
            "shipping_state": "Khomas", "shipping_zip": "10005", "shipping_country": "NA",
            "items": [{"product_title": _DOCK, "quantity": 1}], "expedite_shipping": None,
            "is_signature_required": False,
        },
    ]  # fmt: skip


def _makeup(workbook: Workbook) -> dict[str, Any]:
    """What a workbook gives its reader, in a form that can be compared."""
    data = workbook.worksheets[0]
    rules = {
        str(rule.sqref).partition(":")[0]: (
            rule.type if rule.type != "none" else None, rule.formula1 if rule.type not in {None, "none"} else None,
            rule.promptTitle, rule.prompt, rule.errorStyle or "stop", rule.error, rule.showErrorMessage,
        )
        for rule in data.data_validations.dataValidation
    }  # fmt: skip
    return {
        "sheets": [(sheet.title, sheet.sheet_state) for sheet in workbook.worksheets],
        "first": workbook.active.title if workbook.active else None,
        "names": {name: found.attr_text.replace("'", "") for name, found in workbook.defined_names.items()},
        "cells": [[[cell.value for cell in row] for row in sheet.iter_rows()] for sheet in workbook.worksheets],
        "rules": rules,
        "formats": [cell.number_format.replace("\\", "") for cell in data[2]],
        "columns": [
            (letter, column.number_format.replace("\\", ""), column.width)
            for letter, column in sorted(data.column_dimensions.items())
        ],
    }


def test_filled_in_by_a_person(template: Path, hub: RunningHub, tmp_path: Path) -> None:
    """The right orders, and the example row is none of them."""
    filled = _fill(template, tmp_path / "wave.xlsx")
    assert _ordered(_program(tmp_path, hub), hub, filled) == _expected()


@pytest.mark.timeout(240)
def test_saved_again_by_libreoffice(template: Path, hub: RunningHub, tmp_path: Path) -> None:
    """The same orders, and the drop-downs, names, formats and the hidden sheet with its stamp are all still there."""
    filled = _fill(template, tmp_path / "wave.xlsx")
    saved = office.resave(filled, "xlsx")
    assert _ordered(_program(tmp_path, hub), hub, saved) == _expected()
    before, after = _makeup(load_workbook(filled)), _makeup(load_workbook(saved))
    assert after == before
    assert read_sheet(saved).template == read_sheet(filled).template != None  # noqa: E711 - both, and there


@pytest.mark.timeout(240)
@pytest.mark.parametrize("kind", ["ods", "xls"])
def test_saved_in_another_format_by_libreoffice(template: Path, hub: RunningHub, tmp_path: Path, kind: str) -> None:
    """The same orders, and the stamp is still read."""
    filled = _fill(template, tmp_path / "wave.xlsx")
    saved = office.resave(filled, kind)
    assert _ordered(_program(tmp_path, hub), hub, saved) == _expected()
    assert read_sheet(saved).template == read_sheet(filled).template != None  # noqa: E711 - both, and there


@pytest.mark.timeout(240)
def test_saved_as_csv_by_libreoffice(template: Path, hub: RunningHub, tmp_path: Path) -> None:
    """The same orders: the zeros and the example row come through."""
    saved = office.resave(_fill(template, tmp_path / "wave.xlsx"), "csv")
    assert _ordered(_program(tmp_path, hub), hub, saved) == _expected()


def test_as_it_is_written_it_orders_nothing(template: Path, tmp_path: Path) -> None:
    """Nobody filled it in: exit 3."""
    done = Program(tmp_path).run("submit", template, "--sandbox", "--yes")
    assert (done.returncode, "example row" in done.stderr) == (3, True)


def test_a_title_that_is_gone_since(template: Path, tmp_path: Path) -> None:
    """The sheet's own title is named with its nearest successor; others that are gone are nobody's business."""
    filled = _fill(template, tmp_path / "wave.xlsx")
    with sandbox(tmp_path, "--discontinued", _LAPTOP, "--discontinued", "Apple Magic Mouse") as hub:
        done = _program(tmp_path, hub).json("check", filled, exit_code=4)
    (note,) = (note for note in done["notes"] if "template of" in note)
    (unknown,) = (finding for finding in done["findings"] if finding["code"] == "unknown_product")
    assert f"‘{_LAPTOP}’ (nearest now: ‘{unknown['suggestion']}’)" in note
    assert dt.datetime.now(dt.UTC).date().isoformat()[:7] in note
    assert "Magic Mouse" not in note


def test_no_file_is_overwritten(template: Path) -> None:
    """The next free number; a name that ends in .csv gets CSV, and any other is refused before anything else."""
    program, content = Program(template.parent), template.read_bytes()
    assert program.json("template", "--sandbox", exit_code=0)["template"] == "new-hires-template-2.xlsx"
    assert template.read_bytes() == content
    plain = program.json("template", "--sandbox", "--output", "plain.csv", exit_code=0)["template"]
    first, _ = (template.parent / plain).read_text("utf-8-sig").splitlines()
    assert first.split(",") == _HEADER
    for wrong in ("template.ods", "nowhere/template.xlsx"):
        assert "--output" in program.json("template", "--sandbox", "--output", wrong, exit_code=2)["error"]["hint"]
    left = {path.name for path in template.parent.iterdir() if path.is_file()}
    assert left == {"new-hires-template.xlsx", "new-hires-template-2.xlsx", "plain.csv"}


def test_the_committed_template_is_current() -> None:
    """templates/ holds what the command makes of the sandbox's catalog: `python -m tests.make_templates` renews it."""
    catalog = sandbox_catalog()
    made = load_workbook(io.BytesIO(render_template(catalog, MADE_ON)))
    assert _makeup(load_workbook(TEMPLATES / "new-hires-template.xlsx")) == _makeup(made)
    assert (TEMPLATES / "new-hires-template.csv").read_bytes() == render_template_csv(catalog, MADE_ON)


# What is in it, whatever the catalog ----------------------------------------------------------------------------


def _catalog(titles: Sequence[str], options: Sequence[str] = ("UPS Ground", "Next day, by noon")) -> Catalog:
    stock = dict.fromkeys(titles, 5)
    return Catalog(warehouses=(Warehouse(id="w", name="W", shipping_options=tuple(options), stock=stock),))


def _opened(catalog: Catalog) -> Workbook:
    return load_workbook(io.BytesIO(render_template(catalog, _TODAY)))


def _offered(workbook: Workbook, header: str) -> list[object]:
    """What the drop-down of a column offers, by way of its defined name."""
    data = workbook.worksheets[0]
    (letter,) = (cell.column_letter for cell in data[1] if cell.value == header)
    (rule,) = (rule for rule in data.data_validations.dataValidation if f"{letter}2" in rule.sqref)
    ((title, area),) = workbook.defined_names[rule.formula1].destinations
    return [row[0].value for row in workbook[title][area]]


def test_titles_that_excel_would_trip_over() -> None:
    """Commas, quotes, formulas and numbers are texts in the list, in a person's order; nothing is a formula."""
    titles = ['Monitor 27", 4K', "=HYPERLINK(1)", "10", "apple, red", "Zebra", "'quoted'", "#N/A"]
    workbook = _opened(_catalog(titles))
    assert _offered(workbook, "Product title") == sorted(titles, key=str.casefold)
    assert _offered(workbook, "Shipping method") == ["UPS Ground", "Next day, by noon"]
    assert len(_offered(workbook, "Country")) == 249
    assert "NA" in _offered(workbook, "Country")
    kinds = {cell.data_type for sheet in workbook.worksheets for row in sheet.iter_rows() for cell in row if cell.value}
    assert kinds <= {"s", "n", "d"}


def test_more_titles_than_a_drop_down_shows() -> None:
    """Those beyond are in the stamp, and may be typed: Excel does not complain."""
    titles = [f"Item {number:05}" for number in range(33_000)]
    workbook = _opened(_catalog(titles))
    assert _offered(workbook, "Product title") == titles[:32_767]
    (rule,) = (r for r in workbook.worksheets[0].data_validations.dataValidation if r.formula1 == "batch_orders_titles")
    assert not rule.showErrorMessage


def test_no_shipping_options_at_all() -> None:
    """No drop-down without entries."""
    workbook = _opened(_catalog(["Dock"], options=()))
    rules = {rule.formula1 for rule in workbook.worksheets[0].data_validations.dataValidation}
    assert "batch_orders_shipping" not in rules
    assert "batch_orders_titles" in rules


def test_what_a_person_sees(tmp_path: Path) -> None:
    """The contract's header, whole columns with their formats, messages that Excel accepts, and the stamp."""
    path = tmp_path / "template.xlsx"
    path.write_bytes(render_template(_catalog(["Dock", "Mouse"]), _TODAY))
    workbook = load_workbook(path)
    data, instructions, countries, lists = workbook.worksheets
    assert [cell.value for cell in data[1]] == _HEADER
    assert (data.freeze_panes, data.max_row, workbook.active) == ("B2", 2, data)
    assert (instructions.sheet_state, countries.sheet_state, lists.sheet_state) == ("visible", "visible", "hidden")
    formats = {cell.value: data.column_dimensions[cell.column_letter].number_format for cell in data[1]}
    assert (formats["ZIP / postal code"], formats["Phone number"], formats["Quantity"]) == ("@", "@", "General")
    rules = {rule.promptTitle: rule for rule in data.data_validations.dataValidation}
    assert set(rules) == set(_HEADER)
    for rule in rules.values():
        # Excel calls a workbook damaged whose messages are longer.
        assert len(rule.promptTitle) <= 32
        assert 0 < len(rule.prompt) <= 255
        assert len(rule.error or "") <= 255
        assert str(rule.sqref).endswith("1048576")
    assert (rules["Quantity"].type, rules["Quantity"].operator, rules["Quantity"].formula1) == (
        "whole",
        "greaterThanOrEqual",
        "1",
    )
    assert rules["Signature required"].formula1 == '"yes,no"'
    assert all(word in rules["Signature required"].prompt for word in ("US", "CA"))
    told = {row[0]: row[2] for row in instructions.iter_rows(values_only=True, max_col=3) if row[0] in _HEADER}
    assert list(told) == _HEADER
    assert all(told.values())
    assert read_sheet(path).template == Template(catalog_date=_TODAY, titles=frozenset({"Dock", "Mouse"}))
