"""A person at a desk: sheets opened, mended and saved as in a spreadsheet, commands typed, what is printed read."""

from __future__ import annotations

import csv
import re
import shlex
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openpyxl

from tests.hostile.server import CLIENT_ID, CLIENT_SECRET, TITLES
from tests.program import Program

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from openpyxl.worksheet.worksheet import Worksheet

    from tests.hostile import HostileHub

MOUSE, MONITOR, LAPTOP = TITLES
LOGIN = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
# One order after the other: the order book is in the sheet's order then.
_SETTINGS = LOGIN | {"rate": "100/s", "concurrency": "1", "patience": "2"}
_RESULTS = re.compile(r"^Results +(.+)$", re.MULTILINE)

# The columns of the template, with what they say of an employee unless a test says otherwise.
_USUAL = {
    "Email": "",
    "First name": "",
    "Last name": "Sample",
    "Phone number": "+1 212 555 0142",
    "Shipping address": "1 Main Street",
    "City": "New York",
    "State / province": "NY",
    "ZIP / postal code": "10001",
    "Country": "US",
    "Product title": "",
    "Quantity": "",
    "Shipping method": "",
    "Signature required": "",
    "Order reference": "",
}
BERLIN = {
    "Phone number": "+49 30 23125 105",
    "City": "Berlin",
    "State / province": "",
    "ZIP / postal code": "10115",
    "Country": "DE",
}
LONDON = {
    "Phone number": "+44 20 7946 0102",
    "City": "London",
    "State / province": "",
    "ZIP / postal code": "SW1A 1AA",
    "Country": "GB",
}


# Sheets -------------------------------------------------------------------------------------------------------------


def row(name: str, title: str = LAPTOP, columns: Mapping[str, str] | None = None, *, pieces: int = 1) -> dict[str, str]:
    """A row for name@example.com; `columns` replaces what its cells usually say."""
    own = {"Email": f"{name}@example.com", "First name": name.title(), "Product title": title, "Quantity": str(pieces)}
    return _USUAL | own | dict(columns or {})


def ordered_before(row: Mapping[str, str], number: str, *, days_ago: int) -> dict[str, str]:
    """The row as a results file of that day has it."""
    then = datetime.now(UTC) - timedelta(days=days_ago)
    return dict(row) | {
        "order_status": "ordered",
        "order_number": number,
        "order_message": "Ordered.",
        "submitted_at": f"{then:%Y-%m-%dT%H:%M:%SZ}",
        "run_id": f"{then:%Y%m%d-%H%M%S}-0a1b2c",
    }


def save(path: Path, rows: Sequence[Mapping[str, str]], *, delimiter: str = ",") -> Path:
    """A new sheet, CSV or workbook by its name, with the columns of its first row."""
    headers = list(rows[0])
    if path.suffix == ".csv":
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.DictWriter(file, headers, delimiter=delimiter)
            writer.writeheader()
            writer.writerows(rows)
        return path
    workbook = openpyxl.Workbook()
    sheet = workbook.worksheets[0]
    sheet.append(headers)
    for row in rows:
        sheet.append([row[header] or None for header in headers])
    workbook.save(path)
    return path


def read(path: Path) -> list[dict[str, str]]:
    """The data rows of a sheet, whose header is its first line."""
    if path.suffix == ".csv":
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))
    return _rows(openpyxl.load_workbook(path).worksheets[0])


@contextmanager
def mending(path: Path) -> Iterator[list[dict[str, str]]]:
    """The sheet's rows, to be changed: cells, further rows, further columns. Saved to the same file in the end."""
    rows = read(path)
    before = [dict(row) for row in rows]
    yield rows
    headers = list(dict.fromkeys(header for row in [*before, *rows] for header in row))
    filled = [dict.fromkeys(headers, "") | row for row in rows]
    if path.suffix == ".csv":
        save(path, filled)
        return
    workbook = openpyxl.load_workbook(path)
    sheet = workbook.worksheets[0]
    for column, header in enumerate(headers, 1):
        sheet.cell(1, column).value = header
        for number, row in enumerate(filled):
            if number >= len(before) or before[number].get(header, "") != row[header]:
                sheet.cell(number + 2, column).value = row[header] or None
    workbook.save(path)


def marks(path: Path) -> dict[tuple[int, str], str]:
    """The comments that a results workbook has at its cells, by position among the rows and header."""
    sheet = openpyxl.load_workbook(path).worksheets[0]
    return {
        (cell.row - 2, str(sheet.cell(1, cell.column).value)): cell.comment.text
        for cells in sheet.iter_rows(min_row=2)
        for cell in cells
        if cell.comment is not None
    }


def statuses(path: Path) -> list[tuple[str, str, str]]:
    """Of each row of a results file: the part of the e-mail before the @, its status, its order number."""
    return [(row["Email"].partition("@")[0], row["order_status"], row["order_number"]) for row in read(path)]


def _rows(sheet: Worksheet) -> list[dict[str, str]]:
    lines = [["" if value is None else str(value) for value in line] for line in sheet.iter_rows(values_only=True)]
    return [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]


# The order book -----------------------------------------------------------------------------------------------------


def order(name: str, *items: tuple[str, int], **fields: Any) -> dict[str, Any]:
    """What Device Hub is sent for a usual employee, items in the order of their titles; `fields` are what differs."""
    usual = {
        "items": [{"product_title": title, "quantity": pieces} for title, pieces in items or [(LAPTOP, 1)]],
        "email": f"{name}@example.com",
        "firstname": name.title(),
        "lastname": "Sample",
        "shipping_address": "1 Main Street",
        "shipping_city": "New York",
        "shipping_state": "NY",
        "shipping_zip": "10001",
        "shipping_country": "US",
        "phone_number": "+12125550142",
        "expedite_shipping": None,
        "is_signature_required": False,
    }
    return usual | fields


# At the desk --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Desk:
    """A folder with sheets, the program with an account of its own, and the Device Hub that it orders at."""

    program: Program
    hub: HostileHub

    @property
    def folder(self) -> Path:
        """Where the sheets are."""
        return self.program.folder

    @property
    def book(self) -> list[Any]:
        """Every order that was placed, as it came."""
        return [dict(call.body) for call in self.hub.placed]

    def type(self, *words: str | Path, exit_code: int = 0) -> str:
        """Type a command; everything that it prints."""
        done = self.program.run(*words)
        text = done.stdout + done.stderr
        assert done.returncode == exit_code, f"exit {done.returncode}: {text}"
        return text

    def submit(self, sheet: Path, *options: str, exit_code: int = 0) -> tuple[str, Path]:
        """Submit a sheet; what is printed, and the results file that it names."""
        text = self.type("submit", sheet, "--yes", *options, exit_code=exit_code)
        (results,) = _RESULTS.findall(text)
        return text, Path(results)

    def with_settings(self, hub: HostileHub | None = None, **settings: str) -> Desk:
        """The same desk with other settings, and perhaps another Device Hub."""
        at = hub or self.hub
        return Desk(Program(self.folder, self.program.settings | {"base_url": at.base_url} | settings), at)


@contextmanager
def at_a_desk(folder: Path, hub: HostileHub, **settings: str) -> Iterator[Desk]:
    """A new account at this Device Hub."""
    with hub:
        desk = Desk(Program(folder, _SETTINGS | {"base_url": hub.base_url} | settings), hub)
        desk.type("init", "--new")
        yield desk


def advised(text: str, *words: str, about: str = "") -> list[str]:
    """The command that a text says to type: the first one with these words in it, after the mention of `about`."""
    for command in re.findall(r"batch-orders ([^`\n]+?)(?:`|  )", text[text.index(about) :]):
        found = shlex.split(command)
        if set(words) <= set(found):
            return found
    raise AssertionError(f"no such command is named: {words}\n{text}")


def release_advised(message: str) -> list[str]:
    """The option that a message says to submit with, to send what looks like a mistake and is none."""
    (found,) = re.findall(r"submit with (--release) ([0-9a-f]{12})\.", message)
    return list(found)
