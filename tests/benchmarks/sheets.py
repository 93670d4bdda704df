"""Sheets of any size for the benchmarks: made up by a seed, of synthetic people.

Each of the employees has two or three rows, every cell of them filled, as a sheet that comes out of an HR system has.
"""

from __future__ import annotations

import csv
import random
from typing import TYPE_CHECKING

import xlsxwriter

from batch_orders.sandbox.inventory import PRODUCTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEADERS = (
    *("Email", "First name", "Last name", "Phone number", "Shipping address", "City", "State / province"),
    *("ZIP / postal code", "Country", "Product title", "Quantity", "Shipping method", "Signature required"),
    "Order reference",
)
# City, state, the beginning of its postal codes and how many digits follow, country, and the beginning of its phones.
_PLACES = (
    ("New York", "NY", "100", 2, "US", "+1 212 555 "),
    ("Austin", "TX", "787", 2, "US", "+1 512 555 "),
    ("Portland", "OR", "972", 2, "US", "+1 503 555 "),
    ("Chicago", "IL", "606", 2, "US", "+1 312 555 "),
    ("Toronto", "ON", "M5V 3L", 1, "CA", "+1 416 555 "),
    ("Berlin", "", "101", 2, "DE", "+49 30 2312 "),
    ("Lyon", "", "6900", 1, "FR", "+33 1 99 00 "),
    ("Madrid", "Madrid", "280", 2, "ES", "+34 91 312 "),
)
_FIRST_NAMES = ("Ana", "Ben", "Chloé", "David", "Elif", "Femi", "Grace", "Hiro", "Ines", "Jan", "Kofi", "Lena", "Mo")
_SIGNABLE = ("US", "CA")
ROWS_OF_TWO = 5 / 2
WRONG = 0.03


def write_xlsx(path: Path, rows: int, *, wrong: float = WRONG, faults: int = 1) -> Path:
    """A workbook of so many rows; the share `wrong` of them has so many `faults` (at most five)."""
    with xlsxwriter.Workbook(path, {"constant_memory": True, "strings_to_numbers": False}) as workbook:
        sheet = workbook.add_worksheet("New hires")
        for number, values in enumerate(_table(rows, wrong, faults)):
            sheet.write_row(number, 0, values)
    return path


def write_csv(path: Path, rows: int, *, wrong: float = WRONG, faults: int = 1) -> Path:
    """The same as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(_table(rows, wrong, faults))
    return path


def _table(rows: int, wrong: float, faults: int) -> Iterator[list[str | int]]:
    chance = random.Random(rows)  # noqa: S311 - the same sheet each time
    yield list(HEADERS)
    for person, row in _lines(rows, chance):
        if chance.random() < wrong:
            _spoil(row, person, chance, faults)
        yield row


def _lines(rows: int, chance: random.Random) -> Iterator[tuple[int, list[str | int]]]:
    titles = [product.title for product in PRODUCTS]
    made = person = 0
    while made < rows:
        city, state, zip_starts, zip_digits, country, phone = _PLACES[person % len(_PLACES)]
        first = _FIRST_NAMES[person % len(_FIRST_NAMES)]
        about = [
            *(f"{first.casefold().replace('é', 'e')}.muster{person}@example.com", first, f"Muster{person}"),
            *(f"{phone}{person % 10_000:04}", f"{person % 900 + 1} Sample Street", city, state),
            *(f"{zip_starts}{person % 10**zip_digits:0{zip_digits}}", country),
        ]
        signature = "yes" if country in _SIGNABLE and person % 3 == 0 else ""
        shipping = "UPS Ground" if person % 2 else ""
        for title in chance.sample(titles, min(2 + person % 2, rows - made)):
            made += 1
            yield person, [*about, title, 1, shipping, signature, ""]
        person += 1


def _spoil(row: list[str | int], person: int, chance: random.Random, faults: int) -> None:
    """Make so many mistakes in a row, of those that people make."""
    mistakes = [
        (0, f"muster{person}@example,com"),
        (3, "12"),
        (7, "?"),
        (9, f"{row[9]}s"[: 12 + person % 40]),
        (10, "two"),
        (11, "UPS ground express"),
        (12, "perhaps"),
    ]
    for column, value in sorted(chance.sample(mistakes[1:], faults)) if faults > 1 else [chance.choice(mistakes)]:
        row[column] = value
