"""The template's example row: known wherever it stands, set aside whole, and never mistaken for somebody's row."""

from __future__ import annotations

import dataclasses

import pytest

from batch_orders.errors import SheetError
from batch_orders.messages.template import EXAMPLE, EXAMPLE_EMAIL
from batch_orders.models import Column, FindingCode, Mapped, Oddity, Value
from batch_orders.stages.template import set_example_aside
from tests.builders import make_mapped, make_sheet

_HEADERS = [column.value for column in EXAMPLE]
_EXAMPLE = list(EXAMPLE.values())
_ANA = ["ana@example.com", "Ana", "Sample", "", "1 Main Street", "Cambridge", "MA", "02139", "US", "2", ""]


def _changed(column: Column, text: str) -> list[str]:
    return [text if name == column.value else value for name, value in zip(_HEADERS, _EXAMPLE, strict=True)]


def _aside(*rows: list[str]) -> Mapped:
    return set_example_aside(make_mapped(make_sheet(_HEADERS, rows)))


def test_it_is_set_aside_wherever_it_stands() -> None:
    """Moved, copied, and with whatever a spreadsheet does to it; the others keep their numbers and values."""
    shouted = _changed(Column.EMAIL, f"  {EXAMPLE_EMAIL.upper()} ")
    sheet = make_sheet(
        _HEADERS,
        [_EXAMPLE, _ANA, shouted, ["bo@example.com", *_ANA[1:]], _changed(Column.SHIPPING_ZIP, "2139")],
        row_numbers=[2, 3, 6, 7, 9],
        values={(0, 9): Value(1, "General"), (3, 9): Value(2, "0")},
    )
    hidden = (FindingCode.HIDDEN_ROW, (2,)), (FindingCode.MERGED_CELLS, (6, 7))
    sheet = dataclasses.replace(sheet, oddities=tuple(Oddity(code=code, rows=rows) for code, rows in hidden))
    left = set_example_aside(make_mapped(sheet)).sheet
    assert left.row_numbers == (3, 7)
    assert left.frame[0].tolist() == ["ana@example.com", "bo@example.com"]
    assert list(left.frame.index) == [0, 1]
    assert left.values == {(1, 9): Value(2, "0")}
    assert left.oddities == (Oddity(code=FindingCode.MERGED_CELLS, rows=(7,)),)
    assert left.aside == {2: tuple(_EXAMPLE), 6: tuple(shouted), 9: tuple(_changed(Column.SHIPPING_ZIP, "2139"))}


@pytest.mark.parametrize("column", [Column.PHONE_NUMBER, Column.SHIPPING_COUNTRY, Column.QUANTITY])
def test_trying_the_cells_out_does_not_make_it_an_order(column: Column) -> None:
    """Whoever plays with a drop-down has not named anybody."""
    assert _aside(_changed(column, "7"), _ANA).sheet.row_numbers == (3,)


def test_blank_cells_name_nobody() -> None:
    """The e-mail alone is enough."""
    assert _aside(_ANA, [EXAMPLE_EMAIL, *[""] * 10]).sheet.row_numbers == (2,)


@pytest.mark.parametrize("column", [Column.FIRSTNAME, Column.LASTNAME, Column.SHIPPING_ADDRESS, Column.SHIPPING_CITY])
def test_somebodys_name_or_address_makes_it_their_row(column: Column) -> None:
    """It stays, to be told as an error: passing it over in silence would lose an order."""
    assert _aside(_changed(column, "Ana"), _ANA).sheet.row_numbers == (2, 3)


@pytest.mark.parametrize("email", ["example.row@example.com", "example.row@batch-orders.invalid.example.com", ""])
def test_no_other_address_is_the_example(email: str) -> None:
    """Only the exact one: example.com is where test orders go."""
    assert _aside(_changed(Column.EMAIL, email), _ANA).sheet.row_numbers == (2, 3)


def test_alone_it_is_no_sheet() -> None:
    """Zero orders is never success."""
    with pytest.raises(SheetError, match="example row"):
        _aside(_EXAMPLE, _EXAMPLE)
