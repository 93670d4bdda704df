"""The text of every finding about a cell, an order or the stock: what is wrong, and how to mend it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch_orders.characters import visible
from batch_orders.messages.outcomes import COLUMN_NAMES
from batch_orders.models import Column

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from batch_orders.models import Cell

_LONGEST_QUOTE = 60
# More values, cells or rows than this are counted, not listed.
MOST_LISTED = 8


def quote(text: str) -> str:
    """A cell's value as a message shows it: on one line, 60 characters at most."""
    shown = " ".join(visible(text).split())
    return f"‘{shown if len(shown) <= _LONGEST_QUOTE else shown[: _LONGEST_QUOTE - 1] + '…'}’"


def _listed(things: Sequence[str], last: str = "and", *, count: int | None = None) -> str:
    """The things as a sentence has them ("a, b and c"); a long list is cut. `count`: where these are but the first."""
    count = len(things) if count is None else count
    if count > MOST_LISTED:
        return f"{', '.join(things[:MOST_LISTED])} and {count - MOST_LISTED:,} more"
    return f" {last} ".join(part for part in (", ".join(things[:-1]), *things[-1:]) if part)


def _did_you_mean(suggestions: Sequence[str]) -> str:
    return f" Did you mean {_listed([quote(text) for text in suggestions], 'or')}?" if suggestions else ""


def _name(column: Column) -> str:
    return f"“{COLUMN_NAMES[column]}”"


# Cells ----------------------------------------------------------------------------------------------------------


def required(column: Column) -> str:
    """A value that every row needs is blank."""
    if column is Column.EMAIL:
        return "The e-mail address is missing: it says whose order this row belongs to. Fill it in, on every row."
    return f"{_name(column)} is blank. Fill it in, on every row."


def no_order() -> str:
    """A row without a person and an item."""
    return (
        "This row looks like a total or a note, not an order: delete it, or fill in the e-mail address, item and "
        "quantity."
    )


def required_once(column: Column, *, has_column: bool, where: str = "") -> str:
    """A value that an order needs is blank in all its rows; `where` is the country that needs it."""
    needed = f"{_name(column)} is needed for {where}, and" if where else f"{_name(column)} is needed, and"
    if not has_column:
        return f"{needed} the sheet has no such column. Add the column and fill it in, in any row of this order."
    return f"{needed} it is blank in every row of this order. Fill it in, in any one of them."


def state_missing(where: str, *, has_column: bool) -> tuple[str, str]:
    """A country that uses states, but neither US nor CA: the fact, and what to do before the order is sent."""
    lack = "it is blank in this order" if has_column else "the sheet has no such column"
    return (
        f"Addresses in {where} usually have a state or province, and {lack}.",
        f"The order goes ahead without; fill in {_name(Column.SHIPPING_STATE)} if there is one.",
    )


def repaired(before: str, after: str) -> str:
    """A value was safely put right."""
    if quote(before) == quote(after):
        what = "Spaces or line breaks" if visible(before) == before else "Invisible characters"
        return f"{what} that do not belong there were taken out; the value is {quote(after)}."
    return f"{quote(before)} was read as {quote(after)}."


def invisible(name: str, suggestions: Sequence[str]) -> str:
    """A character that nobody sees; `name` is Unicode's."""
    mend = f" Type the value anew: {quote(suggestions[0])}." if suggestions else " Empty the cell."
    return f"The cell has an invisible character in it ({name}), which can make one text look like another.{mend}"


def zeros_of_the_format(text: str) -> str:
    """A ZIP code typed as a number."""
    return f"The cell holds a number; it was read as {quote(text)}, with the zeros that the cell's format shows."


def cell_error(what: str, *, is_ours: bool) -> str:
    """A cell that holds an error."""
    go_on = "Put a value in its place." if is_ours else "The order goes ahead: nothing is taken from this column."
    return f"The cell holds the error {what or 'of a formula'}. {go_on}"


def formula_without_value(*, is_ours: bool) -> str:
    """A formula whose result the file does not hold."""
    if not is_ours:
        return "The formula's result is not in the file. The order goes ahead: nothing is taken from this column."
    return (
        "The formula's result is not in the file, so what it comes to is not known. Open the workbook in Excel or "
        "LibreOffice and save it, or type the value."
    )


def merged_cells(area: str, *, is_ours: bool) -> str:
    """A merged area: all its cells but the first are blank."""
    go_on = "Unmerge them and fill in each of them." if is_ours else "The order goes ahead without this column."
    return f"The cells {area} are merged, so only the first of them holds a value. {go_on}"


def hidden_row() -> str:
    """A row that is hidden, by hand or by a filter."""
    return "The row is hidden, and nothing hidden is ordered. Unhide it (and clear the filter), or delete it."


def hidden_rows(rows: Sequence[int]) -> str:
    """The hidden rows, for whoever reads only the summary."""
    are = f"Row {rows[0]} is" if len(rows) == 1 else f"Rows {_listed(list(map(str, rows)))} are"
    return f"{are} hidden and not ordered: unhide what is hidden to see what stands there."


def hidden_column(what: str, *, is_needed: bool) -> str:
    """A column of ours that is hidden; without a needed one no row could be ordered."""
    return f"The {what} is hidden, and nothing hidden is ordered. Unhide it{'' if is_needed else ', or delete it'}."


def email(value: str, reason: str, suggestions: Sequence[str]) -> str:
    """Not an e-mail address; `reason` is a sentence."""
    mend = _did_you_mean(suggestions) or " Write one address, like ana.sample@example.com."
    return f"{quote(value)} is not an e-mail address. {reason}{mend}"


def phone_not_a_number(value: str) -> str:
    """No digits to dial, or text around them."""
    return f"{quote(value)} is not a phone number. Write one number, best with + and its country code."


def phone_two_numbers(value: str) -> str:
    """A second number behind the first, which would go out as its extension."""
    return f"{quote(value)} looks like two phone numbers. Keep one of them."


def phone_shortened(value: str) -> str:
    """The spreadsheet turned a long number into 4.9E+11."""
    return (
        f"{quote(value)} is a phone number that the spreadsheet has shortened; its last digits are lost. "
        "Format the cell as text and type the number again."
    )


def phone_too_short(value: str, where: str) -> str:
    """Too few digits, or no area code."""
    return (
        f"{quote(value)} is too short for a phone number{_in(where)}: is the area code missing? "
        "Write the whole number, best with + and its country code."
    )


def phone_impossible(value: str, where: str, suggestions: Sequence[str]) -> str:
    """Too many digits, or a length that no number there has."""
    mend = _did_you_mean(suggestions) or " Check its digits; write a number of another country with + in front."
    return f"{quote(value)} is not a possible phone number{_in(where)}: it has too many digits, or too few.{mend}"


def phone_unknown_country_code(value: str) -> str:
    """A number that starts like +999."""
    return f"{quote(value)} starts with a country code that does not exist. Check the digits after the +."


def phone_needs_plus(value: str, where: str) -> str:
    """A country without a numbering plan of its own."""
    return f"{where} has no phone numbers of its own: write {quote(value)} with + and a country code in front."


def _in(where: str) -> str:
    return f" in {where}" if where else ""


def quantity(value: str, suggestions: Sequence[str]) -> str:
    """Not a whole number of 1 or more."""
    mend = _did_you_mean(suggestions) or " Write digits only, such as 1 or 12."
    return f"{quote(value)} is not a quantity: it must be a whole number of 1 or more.{mend}"


def quantity_too_large(value: str) -> str:
    """More digits than any order has."""
    return f"{quote(value)} is too large for a quantity: it can have nine digits at most. Check the number."


def boolean(value: str) -> str:
    """Neither yes nor no."""
    return f"{quote(value)} is neither yes nor no. Write yes or no; blank means no."


def no_date(value: str, suggestions: Sequence[str]) -> str:
    """A start date that is none."""
    return f"{quote(value)} is not a date.{_did_you_mean(suggestions)} Write it as 2026-12-01 (year, month, day)."


def ambiguous_date(value: str, days: Sequence[str]) -> str:
    """A start date that is another day for an American than for a European."""
    return f"{quote(value)} can be {_listed(days, 'or')}: write it as year, month, day."


def late(method: str, days: int, start: str, sent: str) -> tuple[str, str]:
    """An order that cannot be there when its employee begins: the fact, and what to do before it is sent."""
    by = f"by {quote(method)}" if method else "without a shipping method"
    takes = "a day" if days == 1 else f"{days} days"
    return (
        f"Sent on {sent} {by} (at least {takes}), this cannot arrive by the start date {start}.",
        "The order goes ahead; choose a faster shipping method if there is one, or tell the employee.",
    )


def country(value: str, suggestions: Sequence[str]) -> str:
    """Not ISO 3166-1 alpha-2; the suggestions are codes."""
    mend = _did_you_mean(suggestions) or " Write the two letters of the country, such as US, CA or DE."
    return f"{quote(value)} is not a two-letter country code (ISO 3166).{mend}"


def state(value: str, where: str, suggestions: Sequence[str]) -> str:
    """US and CA: no such state or province."""
    mend = _did_you_mean(suggestions) or " Write its two letters, or check the country."
    return f"{quote(value)} is not a state or province of {where}.{mend}"


def state_unusual(value: str, where: str, suggestions: Sequence[str]) -> tuple[str, str]:
    """Elsewhere: not in the country's list. The fact, and what becomes of it."""
    return (
        f"{quote(value)} is not among the states or provinces known for {where}.{_did_you_mean(suggestions)}",
        "The order goes ahead with it as it is.",
    )


def zip_code(value: str, where: str, examples: Sequence[str], suggestions: Sequence[str]) -> str:
    """US and CA: not of the country's form."""
    like = f" They look like {_listed(examples, 'or')}." if examples else ""
    return f"{quote(value)} is not a ZIP / postal code of {where}.{_did_you_mean(suggestions) or like}"


def zip_unusual(value: str, where: str, examples: Sequence[str], suggestions: Sequence[str]) -> tuple[str, str]:
    """Elsewhere: not of the country's form, as far as is known. The fact, and what becomes of it."""
    like = f" (codes there look like {_listed(examples, 'or')})" if examples else ""
    return (
        f"{quote(value)} does not look like a postal code of {where}{like}.{_did_you_mean(suggestions)}",
        "The order goes ahead with it as it is.",
    )


def zip_nowhere(value: str, where: str) -> str:
    """The right form, but the code of no state."""
    return f"{quote(value)} looks like a ZIP / postal code, but no state or province of {where} has it. Check it."


def zip_of_another_state(value: str, state_name: str, owners: Sequence[str]) -> tuple[str, str]:
    """The code belongs to other states than the row's: the fact, and what to do before the order is sent."""
    fact = f"the code belongs to {_listed(owners, 'or')}, and the row says {state_name}."
    return (
        f"The ZIP / postal code {quote(value)} and the state do not fit: {fact}",
        "The order goes ahead with both; mend the one that is wrong.",
    )


def sent_like_this(fact: str, order_numbers: Sequence[str]) -> str:
    """What was worth a look before the order was sent, when it has been."""
    which = f" of order {_listed(order_numbers)}" if order_numbers else ""
    return (
        f"{fact} The order was sent like this. If it is wrong, have the address{which} corrected by the vendor: "
        "mending the sheet does not."
    )


def unknown_product(value: str, suggestions: Sequence[str]) -> str:
    """Not exactly one of the catalog's titles."""
    mend = _did_you_mean(suggestions) or " `batch-orders catalog` lists today's titles."
    return f"{quote(value)} is not a title of Device Hub's catalog (it must match to the letter).{mend}"


def shipping_option(value: str, options: Sequence[str], suggestions: Sequence[str]) -> str:
    """Not exactly one of the warehouses' options."""
    there = f" Options: {_listed([quote(option) for option in options])}." if options else ""
    return (
        f"{quote(value)} is not a shipping method of Device Hub (it must match to the letter)."
        f"{_did_you_mean(suggestions) or there} Blank leaves the choice to Device Hub."
    )


def signature_not_available(where: str) -> str:
    """A signature asked for outside US and CA."""
    return f"A signature on delivery can be had in US and CA only, not in {where}. Write no, or leave it blank."


# Orders ---------------------------------------------------------------------------------------------------------


def conflict(column: Column, cells: Mapping[str, Cell], references: Sequence[str]) -> str:
    """Two values for one thing in one order; `cells` has the first cell of each value.

    For names, `references` are order references that would tell the people apart.
    """
    says = _listed([f"{cell} says {quote(value)}" for value, cell in cells.items()])
    differ = f"The rows of this order do not agree on {_name(column)}: {says}."
    keep = "keep the right one in every row of the order (or in one row, and leave the others blank)."
    if column in {Column.FIRSTNAME, Column.LASTNAME}:
        such_as = f", such as {_listed([quote(text) for text in references])}" if references else ""
        return (
            f"{differ} Do two people share this e-mail address? Then give each of them a reference of their own "
            f"in the column {_name(Column.ORDER_REFERENCE)}{such_as}. If it is one person, {keep}"
        )
    return f"{differ} If it is one order, {keep} If not, tell the orders apart by {_name(Column.ORDER_REFERENCE)}."


def duplicate_item(title: str, cells: Sequence[Cell]) -> str:
    """The same title more than once in one order."""
    times = "twice" if len(cells) == 2 else f"{len(cells)} times"  # noqa: PLR2004 - "twice" is two
    return (
        f"{quote(title)} is in this order {times} ({_listed([str(cell) for cell in cells])}). Add the quantities up "
        f"in one row; if these are separate orders, tell them apart by {_name(Column.ORDER_REFERENCE)}."
    )


# The sheet ------------------------------------------------------------------------------------------------------


def out_of_stock(title: str, asked: int, stock: int, short: int, rows: Sequence[int]) -> str:
    """The sheet asks for more of a title than all warehouses have; `rows` are Excel's numbers."""
    which = f"row {rows[0]}" if len(rows) == 1 else f"rows {_listed([str(row) for row in rows])}"
    return (
        f"The sheet asks for {asked:,} of {quote(title)} ({which}), and Device Hub has {stock:,}: {short:,} too few. "
        "The orders are sent all the same; Device Hub may refuse some of them."
    )


def lacks_columns(path: Path) -> str:
    """Every row's country needs a column that the sheet does not have."""
    return f"Every row of {path.name} ships to a country that needs a column which the sheet lacks. Nothing was sent."


# Guards ---------------------------------------------------------------------------------------------------------


_NOT_KNOWN_YET = (
    "Whether that one was placed is not known: settle it first, and take the rows out only if it was and no second one "
    "is wanted."
)


def near_duplicate_of_placed(email: str, order_number: str | None, *, is_unknown: bool) -> str:
    """The same person, it seems, was ordered for under another e-mail address ("" where that was forgotten)."""
    number = f" (order {order_number})" if order_number else ""
    whom = f"as {email}{number}" if email else f"before{number}, as somebody whose e-mail address was removed"
    if is_unknown:
        return (
            f"This looks like the person for whom an order was sent {whom}: same name with the same postal code or "
            f"phone, or the same mailbox. {_NOT_KNOWN_YET}"
        )
    return (
        f"This looks like the person who was ordered for {whom}: same name with the same postal code or "
        "phone, or the same mailbox. If it is the same person, take the rows out."
    )


def number_of_another(email: str, order_number: str) -> str:
    """A results row carries the number of an order under another e-mail address ("" where that was forgotten)."""
    whom = email or "another e-mail address, which was removed"
    return (
        f"This row carries the order number {quote(order_number)}, and that was ordered for {whom}. If it is the same "
        "person under a new address, take the row out; if somebody else is to get this, clear the row's result columns."
    )


def near_duplicate_in_sheet(rows: Sequence[int], count: int) -> str:
    """The same person, it seems, stands in the sheet again: in so many rows, of which these are the first."""
    where = "row" if count == 1 else "rows"
    return (
        f"This looks like the person of {where} {_listed([str(row) for row in rows], count=count)}, under another "
        "e-mail address: same name with the same postal code or phone, or the same mailbox. If it is one person, keep "
        "one address."
    )


def repeat_of_placed(title: str, order_number: str | None, *, is_unknown: bool) -> str:
    """The same title for the same person under another reference, lately."""
    if is_unknown:
        return f"{quote(title)} was sent for this employee lately, under another order reference. {_NOT_KNOWN_YET}"
    number = f" (order {order_number})" if order_number else ""
    return (
        f"{quote(title)} was ordered for this employee lately, under another order reference{number}. If no second one "
        "is wanted, take the row out."
    )


def repeat_in_sheet(title: str, row: int) -> str:
    """The same title for the same person under two references of one sheet."""
    return (
        f"{quote(title)} stands in this sheet for this employee under another order reference too (row {row}). If no "
        "second one is wanted, take one row out."
    )


def how_to_release(order: str | None) -> str:
    """How to send an order that looks like a mistake and is none; `order` is its id, where there is a ledger."""
    return f"If it is right as it is, submit with --release {order or 'and its id'}."


def unknown_history(order_number: str, file: str) -> str:
    """The sheet says that the row was ordered, and the ledger does not know of it."""
    says = f"carries the order number {quote(order_number)}" if order_number else "says that it was ordered"
    return (
        f"This row {says}, and this ledger does not know it: was it ordered "
        "with another ledger? Nothing is sent for it. Use that ledger, or enter what the file says was ordered with "
        f"`batch-orders ledger adopt {file}`; if it was never really ordered (a sandbox run, say), clear the result "
        "columns."
    )


def ordered_long_ago(placed: datetime, order_number: str) -> str:
    """Placed so long ago that it may be a rehire."""
    return (
        f"This was ordered on {placed:%Y-%m-%d} already (order {order_number}), and no sheet has had it for months. "
        "If the employee was hired again and needs it once more, give the rows an order reference."
    )
