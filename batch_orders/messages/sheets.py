"""What people read about a sheet that cannot be read, and how to mend it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch_orders.messages.mappings import toml_text
from batch_orders.messages.outcomes import COLUMN_NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from batch_orders.models import Column

_MOST_SHOWN = 5
_LONGEST_QUOTE = 40


def columns_wrong(path: Path) -> str:
    """Columns are missing or double."""
    return f"The columns of {path.name} are not as they must be. Nothing was sent."


def how_to_name_columns() -> str:
    """After missing or double columns."""
    return "Mend the header row and run the same command again."


def missing_column(column: Column, nearest: str | None, mapping: str = "") -> str:
    """A needed column is absent; `mapping` is the mapping file's name, where there is one."""
    missing = f"The column “{COLUMN_NAMES[column]}” is missing."
    if not nearest:
        return missing
    mend = "rename it if that is the one"
    if mapping:
        line = f"{column.value} = {toml_text(nearest)}"
        mend = f"if that is the one, add the line `{line}` under [columns] in {mapping}"
    return f"{missing} The closest header is “{nearest}”: {mend}."


def duplicate_column(column: Column, cells: Sequence[str]) -> str:
    """Two headers mean the same column."""
    return f"{' and '.join(cells)} both mean “{COLUMN_NAMES[column]}”. Keep one and rename or delete the other."


def not_there(path: Path) -> str:
    """No such file."""
    return f"There is no file {path}. Nothing was sent."


def check_the_name() -> str:
    """After a file that is not there, or may not be read."""
    return "Check the name and the folder, and whether you may read the file."


def is_folder(path: Path) -> str:
    """A folder was given."""
    return f"{path} is a folder, not a sheet. Nothing was sent."


def name_a_file() -> str:
    """After a folder, or something else that is no file."""
    return "Name one file: a workbook (.xlsx, .xls, .xlsb or .ods) or a CSV file."


def no_regular_file() -> str:
    """Why a pipe or a device is not read."""
    return "not a regular file"


def unreadable(path: Path, reason: str) -> str:
    """The operating system refuses."""
    return f"{path} cannot be read ({reason}). Nothing was sent."


def looks_like(path: Path, what: str) -> str:
    """Another kind of file."""
    return f"{path.name} cannot be read: it is {what}. Nothing was sent."


def save_as() -> str:
    """How to get a file that can be read."""
    return "Open it in Excel or LibreOffice and save it as an Excel workbook (.xlsx) or as CSV UTF-8."


def named_like_a_workbook(path: Path) -> str:
    """Text under a workbook's name."""
    return f"{path.name} is named like a workbook, but is not a workbook. Nothing was sent."


def rename_or_save() -> str:
    """After a wrong suffix."""
    return "If it is CSV, rename it to end in .csv; else open it in the program it came from and save it as .xlsx."


def workbook_named_like_text(path: Path) -> str:
    """A workbook under a CSV file's name."""
    return f"{path.name} is a workbook, but is not named like one. Nothing was sent."


def rename_to(suffix: str) -> str:
    """After a wrong suffix."""
    return f"Rename it to end in {suffix} and run the same command again."


def password_protected(path: Path) -> str:
    """A workbook that is encrypted as a whole."""
    return f"{path.name} is password-protected. Nothing was sent."


def take_password_off() -> str:
    """After an encrypted workbook."""
    return (
        "Open it, take the password off (in Excel: File > Info > Protect Workbook; in LibreOffice: save it under "
        "another name, without “Save with password”), and save it."
    )


def damaged(path: Path, reason: str) -> str:
    """Broken zip or XML; `reason` is for whoever looks into it."""
    return f"{path.name} is damaged: its contents cannot be read as a workbook ({reason}). Nothing was sent."


def no_sheets(path: Path) -> str:
    """A workbook without any sheet of cells."""
    return f"{path.name} holds no sheet of cells. Nothing was sent."


def too_large(path: Path, what: str) -> str:
    """A limit is passed."""
    return f"{path.name} is too large: {what}. Nothing was sent."


def more_than(limit: str) -> str:
    """Which limit is passed."""
    return f"more than {limit}"


def unpacks_to(inflated: int, parts: int) -> str:
    """A workbook that grows beyond measure; `inflated` is in bytes."""
    return f"it unpacks to {size(inflated)} in {parts:,} parts"


def part_unpacks_to(part: str, inflated: int) -> str:
    """One part of a workbook, which has no reason to grow; `inflated` is in bytes."""
    return f"its part {part} unpacks to {size(inflated)}"


def save_anew() -> str:
    """After a part that has grown beyond measure (styles, say)."""
    return "Copy the cells into a new workbook (Paste Special > Values), and save that as .xlsx."


def size(limit: int) -> str:
    """A number of bytes as people say it."""
    for unit, worth in (("GB", 10**9), ("MB", 10**6), ("KB", 10**3)):
        if limit >= worth:
            return f"{limit / worth:.4g} {unit}"
    return f"{limit} bytes"


def split_it(setting: str) -> str:
    """After a limit, which this setting raises."""
    return (
        "Delete what is not needed (also empty formatted rows and columns), or split the sheet. "
        f"If all of it is needed, raise the setting {setting}."
    )


def not_utf8(path: Path, line: int) -> str:
    """Undecodable text."""
    return f"{path.name} is not UTF-8 (first in line {line}), and its encoding is not guessed. Nothing was sent."


def name_encoding(previews: Sequence[tuple[str, str]] = ()) -> str:
    """After undecodable text; `previews` are the likeliest encodings, each with what its first odd cells would read."""
    if not previews:
        return "Save it as “CSV UTF-8”, or say its encoding: --encoding cp1252 is usual for older Excel files."
    lines = [f"  --encoding {name}: {cells}" for name, cells in previews]
    return "\n".join(
        ["Save it as “CSV UTF-8”, or add the encoding under which its first odd cells read right:", *lines]
    )


def wrong_encoding(path: Path, encoding: str, line: int) -> str:
    """The given encoding does not fit."""
    return f"{path.name} cannot be read as {encoding} (first in line {line}). Nothing was sent."


def garbled(path: Path, encoding: str, right: str, wrong: str) -> str:
    """The given encoding fits every byte, and what it makes of them nobody wrote."""
    return f"{path.name} is UTF-8: read as {encoding}, “{right}” would become “{wrong}”. Nothing was sent."


def leave_encoding_out() -> str:
    """After a UTF-8 file that was said to be something else."""
    return "Run the same command without --encoding."


def no_such_encoding(encoding: str) -> str:
    """--encoding names nothing."""
    return f"There is no encoding named {encoding}. Nothing was sent."


def nul(path: Path, line: int) -> str:
    """A NUL character in text."""
    return f"{path.name} holds a NUL character in line {line}: it is no text file, or damaged. Nothing was sent."


def broken_csv(path: Path, line: int) -> str:
    """An unclosed quote, or a field beyond all measure."""
    return f"{path.name} cannot be read: a quotation mark is not closed, from line {line} on. Nothing was sent."


def longer_rows(path: Path, rows: Sequence[int], columns: int, delimiter: str) -> str:
    """Rows with more cells than the header has."""
    shown = ", ".join(map(str, rows[:_MOST_SHOWN])) + (" and others" if len(rows) > _MOST_SHOWN else "")
    one = len(rows) == 1
    return (
        f"{path.name} cannot be read: row{'' if one else 's'} {shown} {'has' if one else 'have'} more cells than the "
        f"header, which has {columns}: {_delimiter(delimiter)} within a cell moves all that follows. Nothing was sent."
    )


def mend_longer_rows(delimiter: str) -> str:
    """After rows that are too long."""
    return f"Put the cell that has {_delimiter(delimiter)} in it in quotation marks, or name the last columns too."


def _delimiter(delimiter: str) -> str:
    return {",": "a comma", ";": "a semicolon", "\t": "a tab"}.get(delimiter, f"“{delimiter}”")


def mend_quote() -> str:
    """After an unclosed quote."""
    return "Close the quotation mark (or delete it) and run the same command again."


def no_header(path: Path, first: Sequence[str]) -> str:
    """No known header in the first rows; `first` is the first row that holds anything."""
    seen = ", ".join(f"“{_shortened(text)}”" for text in first[:_MOST_SHOWN]) or "nothing"
    return f"{path.name} has no header that is known; its first row says {seen}. Nothing was sent."


def expected_headers() -> str:
    """After an unknown header."""
    return f"One row must name the columns: {', '.join(COLUMN_NAMES.values())}."


def no_rows(path: Path) -> str:
    """A header and nothing below it."""
    return f"{path.name} has a header, but no rows below it. Nothing was sent."


def fill_it() -> str:
    """After no rows."""
    return "Is it the right file, and the right sheet of it?"


def no_such_sheet(path: Path, name: str, names: Sequence[str]) -> str:
    """--sheet names nothing."""
    return f"{path.name} has no sheet “{name}”; it has {', '.join(f'“{n}”' for n in names)}. Nothing was sent."


def choose_sheet(path: Path, names: Sequence[str]) -> str:
    """Two sheets with known headers."""
    return f"{path.name} has more than one sheet of orders: {', '.join(f'“{n}”' for n in names)}. Nothing was sent."


def how_to_choose_sheet() -> str:
    """After several sheets."""
    return "Say which one with --sheet NAME."


def hidden_sheet(path: Path, name: str) -> str:
    """The only sheet with known headers is hidden."""
    return f"The sheet “{name}” of {path.name} is hidden. Nothing hidden is ordered; nothing was sent."


def how_to_unhide() -> str:
    """After a hidden sheet."""
    return "Unhide the sheet, or delete it; or say with --sheet NAME which visible sheet is meant."


def _shortened(text: str) -> str:
    # What cannot be printed could turn the whole message round.
    line = "".join(character if character.isprintable() else "\ufffd" for character in " ".join(text.split()))
    return line if len(line) <= _LONGEST_QUOTE else line[: _LONGEST_QUOTE - 1] + "…"
