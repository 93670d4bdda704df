"""What a spreadsheet hides is told at its cell, and is never ordered or passed over in silence."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from batch_orders.models import Catalog, Checked, Column, FindingCode, Oddity, Severity, Warehouse
from batch_orders.stages.validate import validate
from tests.builders import make_mapped, make_sheet

if TYPE_CHECKING:
    from batch_orders.models import Finding

_CATALOG = Catalog(warehouses=(Warehouse(id="1", name="One", shipping_options=(), stock={"Dock": 9}),))
_ROW = {
    "email": "ana.sample@example.com", "firstname": "Ana", "lastname": "Sample", "phone_number": "+1 212 555 0142",
    "shipping_address": "1 Main Street", "shipping_city": "New York", "shipping_state": "NY", "shipping_zip": "10001",
    "shipping_country": "US", "product_title": "Dock", "quantity": "1", "Manager": "Ben",
}  # fmt: skip
_HEADERS = list(_ROW)
_OURS = {name: number for number, name in enumerate(_HEADERS, start=1)}
_OWN = _OURS["Manager"]


def _check(*oddities: Oddity, **changes: str) -> Checked:
    """Rows 2 and 3: two employees."""
    rows = [_ROW | changes, _ROW | {"email": "ben.sample@example.com", "firstname": "Ben"}]
    sheet = make_sheet(_HEADERS, [list(row.values()) for row in rows])
    return validate(make_mapped(dataclasses.replace(sheet, oddities=oddities)), _CATALOG)


def _odd(code: str, column: int | None = None, rows: tuple[int, ...] = (2,), what: str = "") -> Oddity:
    return Oddity(code=FindingCode(code), rows=rows, columns=(column,) if column else (), what=what)


def _told(finding: Finding) -> tuple[str, str, tuple[int, ...], list[str], str | None]:
    cells = [str(cell) for cell in finding.cells]
    return finding.code.value, finding.severity.value, finding.rows, cells, finding.column and finding.column.value


@pytest.mark.parametrize(
    ("code", "what", "told"),
    [
        ("cell_error", "#N/A", "the error #N/A"),
        ("formula_without_value", "", "save it"),
        ("merged_cells", "K2:K3", "K2:K3 are merged"),
        ("hidden_row", "column K", "column K is hidden"),
    ],
)
def test_in_a_column_of_ours(code: str, what: str, told: str) -> None:
    """An error at the cell, which says what to do."""
    (finding,) = _check(_odd(code, _OURS["quantity"], what=what)).findings
    assert _told(finding) == (code, "error", (2,), ["K2"], "quantity")
    assert told in finding.message


@pytest.mark.parametrize("code", ["cell_error", "formula_without_value", "merged_cells"])
def test_in_a_column_of_the_persons_own(code: str) -> None:
    """Nothing is ordered from it, so the order goes ahead; it is told all the same."""
    (finding,) = _check(_odd(code, _OWN, what="L2:L3")).findings
    assert _told(finding) == (code, "warning", (2,), ["L2"], None)
    assert "goes ahead" in finding.message


def test_a_hidden_column_of_the_persons_own() -> None:
    """Is theirs to hide."""
    assert _check(_odd("hidden_row", _OWN, what="column L")).findings == ()


@pytest.mark.parametrize(("column", "told"), [("email", "Unhide it."), ("shipping_zip", "Unhide it, or delete it.")])
def test_a_hidden_column_of_ours(column: str, told: str) -> None:
    """Without a needed one nothing could be ordered, so it is not to be deleted."""
    (finding,) = _check(_odd("hidden_row", _OURS[column], what="column A")).findings
    assert finding.message.endswith(told)


def test_a_hidden_row() -> None:
    """Is not ordered, whatever it holds."""
    (finding,) = _check(_odd("hidden_row")).findings
    assert _told(finding) == ("hidden_row", "error", (2,), [], None)


def test_a_merged_area_is_about_all_its_rows() -> None:
    """One finding, at the only cell of it that there is."""
    (finding,) = _check(_odd("merged_cells", _OURS["firstname"], rows=(2, 3), what="B2:B3")).findings
    assert _told(finding) == ("merged_cells", "error", (2, 3), ["B2"], "firstname")


@pytest.mark.parametrize("value", ["", "#N/A"])
def test_what_follows_from_an_oddity_is_not_told_again(value: str) -> None:
    """That the cell is blank, or no number, says nothing new; another column's fault does."""
    checked = _check(_odd("cell_error", _OURS["quantity"], what="#N/A"), quantity=value, shipping_country="XX")
    assert [f.code.value for f in checked.findings if f.severity is Severity.ERROR] == ["country", "cell_error"]


def test_an_oddity_in_a_blank_email() -> None:
    """The row has no order then; its finding still says why."""
    (finding,) = _check(_odd("formula_without_value", _OURS["email"]), email="").findings
    assert finding.column is Column.EMAIL
    assert finding.rows == (2,)
