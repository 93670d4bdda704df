"""What people read about mapping files: their mistakes, what does not fit a sheet, and what was put together."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

from batch_orders.messages.findings import quote
from batch_orders.messages.outcomes import COLUMN_NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from batch_orders.models import Cell, Column

_DELETE = "\x7f"
# What a proposal says where a person has to write: no title and no code, so that it is an error as it is.
TITLE_TO_WRITE, CODE_TO_WRITE = "WRITE A TITLE HERE", "WRITE TWO LETTERS HERE"


def toml_text(text: str) -> str:
    """The text as a mapping file writes it, in quotation marks."""
    return json.dumps(text, ensure_ascii=False).replace(_DELETE, "\\u007f")


def toml_list(texts: Sequence[str]) -> str:
    """The texts as a list of a mapping file."""
    return f"[{', '.join(map(toml_text, texts))}]"


def join_line(column: Column, headers: Sequence[str], *, separator: str = ", ") -> str:
    """The line of a mapping file that joins these columns."""
    if separator == ", ":
        return f"{column.value} = {toml_list(headers)}"
    return f"{column.value} = {{ join = {toml_list(headers)}, with = {toml_text(separator)} }}"


# The sheet and the mapping do not fit ---------------------------------------------------------------------------


def does_not_fit(path: Path, mapping: str) -> str:
    """The sheet lacks what the mapping file names."""
    return f"The columns of {path.name} and the mapping file {mapping} do not fit each other. Nothing was sent."


def how_to_fit(mapping: str) -> str:
    """After a mapping file that does not fit."""
    return f"Correct {mapping}, or the sheet's header row, and run the same command again."


def how_to_map(path: Path) -> str:
    """After a sheet that lacks titles or quantities, and has columns that look like items."""
    name = shlex.quote(path.name)
    return f"If the sheet has a column for each item: `batch-orders map {name} --output mapping.toml` proposes how."


def header_missing(mapping: str, key: str, header: str, nearest: str | None) -> str:
    """The sheet has no header that the mapping file names."""
    near = f" The closest header is “{nearest}”." if nearest else ""
    return f"{mapping} ({key}) names the header “{header}”, and the sheet has none like it.{near}"


def header_twice(mapping: str, key: str, header: str, cells: Sequence[Cell]) -> str:
    """The sheet has several headers that are the one which the mapping file names."""
    places = " and ".join(map(str, cells))
    return f"{mapping} ({key}) names the header “{header}”, and the sheet has it more than once ({places}). Rename one."


def beside_items(header: str, column: Column) -> str:
    """A title or quantity column that would be left behind."""
    return (
        f"“{header}” means “{COLUMN_NAMES[column]}”, and the mapping file has [[items]] without it. Add it to the "
        f"items, or, if nothing is to be ordered from it, to the list ignore: {toml_list([header])}."
    )


def part_left_behind(header: str, line: str) -> str:
    """A column that holds part of the address and would not be sent."""
    return (
        f"“{header}” looks like a part of the address that would not be sent. Put the line `{line}` under [columns] in "
        f"a mapping file (--mapping FILE; `batch-orders map` proposes one); or, if it is to be left out, the line "
        f"`ignore = {toml_list([header])}` at its top."
    )


def address_in_parts(parts: Sequence[str], line: str) -> str:
    """The address stands in several columns that no rule joins."""
    names = ", ".join(f"“{part}”" for part in parts)
    return (
        f"The column “Shipping address” is missing; {names} look like parts of it. Put the line `{line}` under "
        "[columns] in a mapping file (--mapping FILE; `batch-orders map` proposes one), or join them in the sheet."
    )


# What was put together ------------------------------------------------------------------------------------------


def joined(cells: Sequence[Cell], text: str) -> str:
    """The lines of an address became one."""
    places = " and ".join(map(str, cells))
    return f"{places} were joined; the value is ‘{' '.join(text.split())}’."


def summed(cells: Sequence[Cell], title: str, total: int) -> str:
    """Item columns of one row hold the same title."""
    places = f"{', '.join(map(str, cells[:-1]))} and {cells[-1]}" if len(cells) > 1 else str(cells[0])
    return f"{places} hold the same title; they were added up to {total} × ‘{' '.join(title.split())}’."


def orders_nothing(text: str, cells: int, headers: Sequence[str]) -> str:
    """A translation makes a text of item columns into nothing."""
    each = [f"“{header}”" for header in headers]
    names = " and ".join(part for part in (", ".join(each[:-1]), each[-1]) if part)
    where = f"{cells:,} cell{'s' if cells != 1 else ''}, column{'s' if len(headers) > 1 else ''} {names}"
    return f"By the mapping file, {quote(text)} ({where}) orders nothing."


def more_order_nothing(number: int) -> str:
    """More of them than are named."""
    return f"By the mapping file, {number:,} more text{'s' if number != 1 else ''} of its item columns order nothing."


def about_line(mapping: str) -> str:
    """The summary's line on the mapping file."""
    return f"{mapping} (submit the results file with the same --mapping)"


def from_mapping(mapping: str) -> str:
    """After a message on a value that stands in no cell."""
    return f"(The value is the constant in the mapping file {mapping}: change it there.)"


def made_by_mapping(mapping: str) -> str:
    """After a message on a value that is not what its cell holds."""
    return f"(The mapping file {mapping} makes this value of the cell: change it there, or the cell.)"


def title_to_write() -> str:
    """A proposal's line was taken in as it was."""
    return f"The mapping file still says “{TITLE_TO_WRITE}”: write a title there (`batch-orders catalog` lists them)."


def no_item(headers: Sequence[str]) -> str:
    """A row whose item columns are all blank."""
    names = ", ".join(f"“{header}”" for header in headers)
    return f"There is nothing to order in this row: {names} are blank, or say none. Fill one in, or delete the row."


# The file itself ------------------------------------------------------------------------------------------------


def wrong(mapping: str, problems: Sequence[str]) -> str:
    """The mapping file has mistakes."""
    return " ".join([f"The mapping file {mapping} is not as it should be. Nothing was sent.", *problems])


def how_to_write() -> str:
    """After a mapping file with mistakes."""
    return "templates/mapping.toml and docs/mapping.md show how it is written; `batch-orders map FILE` proposes one."


def unreadable(mapping: Path, reason: str) -> str:
    """The mapping file cannot be read at all."""
    return f"The mapping file {mapping} cannot be read: {reason}. Nothing was sent."


def exists(mapping: Path) -> str:
    """`map --output` names a file that is there."""
    return f"{mapping} exists already, and no file is overwritten."


def how_to_name_another() -> str:
    """After a file that is there."""
    return "Give --output another name."


def unwritable(mapping: Path, reason: str) -> str:
    """`map --output` cannot write."""
    return f"{mapping} cannot be written: {reason}."


def no_toml(place: str) -> str:
    """The file's syntax is broken."""
    return f"it is no TOML ({place}). Text stands in quotation marks, and each key once"


def too_large() -> str:
    """A mapping file beyond measure."""
    return "it is larger than 1 MB"


def unknown_key(key: str, nearest: str | None) -> str:
    """A key that means nothing."""
    return f"“{key}” means nothing here.{f' Did you mean “{nearest}”?' if nearest else ''}"


def expected(key: str, what: str) -> str:
    """A value of the wrong kind."""
    return f"“{key}” must be {what}."
