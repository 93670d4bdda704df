"""The words of the template: its example row, and what is said of sheets that were made from it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from batch_orders.models import Column

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

# The example row is known by its e-mail, wherever the row is moved or copied: no mailbox can have a name under
# ".invalid" (RFC 2606). Nor can its last name and address be anybody's: a row that has kept one of them is an error.
EXAMPLE_EMAIL = "example.row@batch-orders.invalid"
EXAMPLE: Mapping[Column, str] = MappingProxyType(
    {
        Column.EMAIL: EXAMPLE_EMAIL,
        Column.FIRSTNAME: "Example",
        Column.LASTNAME: "Row (never ordered)",
        Column.PHONE_NUMBER: "+1 617 555 0142",
        Column.SHIPPING_ADDRESS: "1 Example Street (never ordered)",
        Column.SHIPPING_CITY: "Cambridge",
        Column.SHIPPING_STATE: "MA",
        Column.SHIPPING_ZIP: "02139",
        Column.SHIPPING_COUNTRY: "US",
        Column.QUANTITY: "1",
        Column.IS_SIGNATURE_REQUIRED: "no",
    }
)

_MOST_LISTED = 8


def example_row() -> str:
    """What the results say beside the example row."""
    return "The template's example row: it is never ordered."


def example_set_aside(rows: Sequence[int]) -> str:
    """The example row stood among the others; the numbers are Excel's."""
    if len(rows) == 1:
        return f"Row {rows[0]} is the template's example row: it was passed over, as it is never ordered."
    shown = ", ".join(map(str, rows[:_MOST_LISTED]))
    more = f" and {len(rows) - _MOST_LISTED:,} more" if len(rows) > _MOST_LISTED else ""
    return f"Rows {shown}{more} hold the template's example row: they were passed over, as it is never ordered."


def only_example(path: Path) -> str:
    """A template that nobody has filled in."""
    return f"{path.name} has no rows but the template's example row, which is never ordered. Nothing was sent."


def how_to_fill_in() -> str:
    """After a sheet that holds the example row alone."""
    return "Write your rows below the example row (it can stay or go), save the file, and run the same command again."


def example_left() -> str:
    """A value of the example row in a row that is somebody's own."""
    return "This is still the template's example. Write the employee's own, or delete the row."
