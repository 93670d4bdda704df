"""The words of the template: its example row, and what is said of sheets that were made from it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from batch_orders.models import Column

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
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


def gone_since(catalog_date: date, gone: Sequence[tuple[str, str]]) -> str:
    """Titles of the template that the catalog no longer has, each with its nearest successor or ""."""
    listed = ", ".join(f"‘{title}’ (nearest now: ‘{near}’)" if near else f"‘{title}’" for title, near in gone)
    return (
        f"This sheet was made from the template of {catalog_date:%Y-%m-%d}. Gone from the catalog since: {listed}. "
        "`batch-orders template` writes one with today's titles."
    )


def only_example(path: Path) -> str:
    """A template that nobody has filled in."""
    return f"{path.name} has no rows but the template's example row, which is never ordered. Nothing was sent."


def how_to_fill_in() -> str:
    """After a sheet that holds the example row alone."""
    return "Write your rows below the example row (it can stay or go), save the file, and run the same command again."


def example_left() -> str:
    """A value of the example row in a row that is somebody's own."""
    return "This is still the template's example. Write the employee's own, or delete the row."


# The workbook ---------------------------------------------------------------------------------------------------


class Help(NamedTuple):
    """What the template says of a column: whether it is needed, and what to write (an input message is 255 at most)."""

    needed: str
    text: str


_EVERY_ROW, _ONCE, _NO = "on every row", "once per order", "no"

HELP: Mapping[Column, Help] = MappingProxyType(
    {
        Column.EMAIL: Help(
            _EVERY_ROW, "The employee's own e-mail address. It says whose order the row belongs to, so repeat it."
        ),
        Column.FIRSTNAME: Help(_ONCE, "The employee's first name."),
        Column.LASTNAME: Help(_ONCE, "The employee's last name."),
        Column.PHONE_NUMBER: Help(_ONCE, "Where the carrier can call, best with + and the country code."),
        Column.SHIPPING_ADDRESS: Help(_ONCE, "Street and house number, with floor or flat where there is one."),
        Column.SHIPPING_CITY: Help(_ONCE, "City or town."),
        Column.SHIPPING_STATE: Help(
            "once per order: US, CA",
            "The two letters of the state or province, such as MA or ON. Elsewhere, if addresses have one.",
        ),
        Column.SHIPPING_ZIP: Help(
            "once per order, if any", "As it is written on a letter. Zeros in front stay: the column holds text."
        ),
        Column.SHIPPING_COUNTRY: Help(
            _ONCE, "The two letters of the country, such as US or DE. The sheet “Countries” lists them all."
        ),
        Column.PRODUCT_TITLE: Help(
            _EVERY_ROW, "One item from the list, exactly as it stands there. A second item goes on a row of its own."
        ),
        Column.QUANTITY: Help(_EVERY_ROW, "How many of this item: a whole number, 1 or more."),
        Column.EXPEDITE_SHIPPING: Help(_NO, "One from the list. Blank: the vendor's usual way."),
        Column.IS_SIGNATURE_REQUIRED: Help(
            _NO,
            "yes: somebody must sign for the parcel. Only for addresses in the United States (US) and Canada (CA); "
            "elsewhere leave it blank, or write no.",
        ),
        Column.ORDER_REFERENCE: Help(
            _NO,
            "Usually blank. For somebody who has an order already, a word or number here makes the row an additional "
            "order of its own.",
        ),
        Column.START_DATE: Help(
            _NO, "The first working day. It is used only where orders are set up to wait for it; else nothing changes."
        ),
    }
)

DATA_SHEET, INSTRUCTIONS_SHEET, COUNTRIES_SHEET = "New hires", "Instructions", "Countries"
COLUMNS_HEADER = ("Column", "Needed", "What to write")
COUNTRIES_HEADER = ("Write", "For")


def instructions_title() -> str:
    """Above the instructions."""
    return "Equipment for new hires"


def how_to_fill_in_sheet() -> Sequence[str]:
    """The first part of the instructions: one line each."""
    return (
        f"Fill in the sheet “{DATA_SHEET}”: one row for each item that an employee is to get.",
        (
            "Write e-mail, item and quantity on every row. What is needed once per order (name, phone, address) may "
            "stand on any one of the employee's rows: the others take it from there."
        ),
        "The grey example row is never ordered. Leave it or delete it.",
        "More columns of your own are welcome: they come back untouched.",
    )


def what_happens_next() -> Sequence[str]:
    """The last part of the instructions."""
    return (
        (
            "Check: “batch-orders check FILE” compares every row with the vendor's catalog and names each problem with "
            "its cell. Nothing is ordered."
        ),
        "Order: “batch-orders submit FILE” shows what it will order, and asks.",
        (
            "A results file then stands beside yours, with an order number, or the reason why not, on every row. Mend "
            "the marked cells there and submit that file: nothing is ordered twice."
        ),
    )


def made_from(catalog_date: date, titles: int) -> str:
    """The last line of the instructions."""
    return (
        f"The lists hold the {titles:,} titles and the shipping methods of {catalog_date:%Y-%m-%d}. "
        "“batch-orders template” writes one with today's."
    )


def needs(column: Column) -> str:
    """The input message of a column."""
    needed = HELP[column].needed
    return HELP[column].text if needed == _NO else f"Needed {needed}. {HELP[column].text}"


def not_a_title() -> str:
    """Excel's question after a title that is not in the list."""
    return "This is not a title of the catalog that this template was made from. Keep it only if it is a newer one."


def not_a_shipping_method() -> str:
    """Excel's question after a shipping method that is not in the list."""
    return "This is not among the shipping methods that this template knows. Keep it only if it is a newer one."


def not_a_country() -> str:
    """Excel's refusal of a country."""
    return f"Write the two letters of the country; the sheet “{COUNTRIES_SHEET}” lists them all."


def not_a_quantity() -> str:
    """Excel's refusal of a quantity."""
    return "Write a whole number, 1 or more."


def not_yes_or_no() -> str:
    """Excel's refusal of a signature."""
    return "Write yes or no, or leave it blank."


def not_a_date() -> str:
    """Excel's question after a start date that is no date."""
    return "This is not a date, as far as the spreadsheet can tell."


# The command ----------------------------------------------------------------------------------------------------


def written(path: Path, titles: int, options: int) -> str:
    """The template is there; a CSV file has no lists."""
    lists = f"Lists            {titles:,} titles, {options} shipping methods, all countries\n"
    return (
        f"Template         {path}\n{'' if path.suffix.lower() == '.csv' else lists}"
        "What next        Fill it in, then `batch-orders check FILE`: nothing is sent."
    )


def wrong_suffix(path: Path) -> str:
    """--output names another kind of file."""
    return f"The template is written as .xlsx or .csv; {path.name} ends in neither."


def not_writable(folder: Path, reason: str) -> str:
    """The file system takes no file there."""
    return f"The template cannot be written in {folder}: {reason}."


def choose_another_place() -> str:
    """After a place where the template cannot go."""
    return "Choose another place with --output, ending in .xlsx or .csv."
