"""Sheets as people write, edit, mend and send them in again, and what each says for whoever judges the outcome."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from batch_orders.models import Catalog, Column, Sheet, SheetKind, Warehouse
from tests.builders import make_sheet

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

TITLES = ("Dock", "Mouse", "Screen")
CATALOG = Catalog(
    warehouses=(Warehouse(id="1", name="East", shipping_options=("Ground",), stock=dict.fromkeys(TITLES, 1_000)),)
)


class OrderName(NamedTuple):
    """Which order, for people and the vendor: whose, and their how-manieth."""

    employee: int
    reference: int


# Each in several spellings of one e-mail address or order reference. The last person is the first one under another
# address: what the guards hold back.
EMAILS = (
    ("ana@example.com", "Ana@Example.com", " ana@example.com "),
    ("ben@example.com", "BEN@EXAMPLE.COM", "ben@example.com"),
    ("caz@bücher.example.com", "Caz@xn--bcher-kva.example.com", "CAZ@BÜCHER.example.com"),
    ("a.sample@example.com", "A.Sample@example.com", "a.sample@EXAMPLE.com"),
)
REFERENCES = (("", " ", ""), ("2", "2.0", " 2 "))
_PEOPLE = (("Ana", "0142", "10001"), ("Ben", "0143", "10002"), ("Caz", "0144", "10003"), ("Ana", "0142", "10001"))
ORDERS = tuple(OrderName(e, r) for e in range(len(EMAILS)) for r in range(len(REFERENCES)))

_BY_EMAIL = {email.strip().casefold(): e for e, spellings in enumerate(EMAILS) for email in spellings}
_BY_REFERENCE = {text.strip(): r for r, spellings in enumerate(REFERENCES) for text in spellings}
# An order reference never leaves the house, so the address says for the vendor's book which order it is.
_ADDRESS = re.compile(r"(\d+) Main Street, door (\d)-(\d)\Z")

_COLUMNS = tuple(column for column in Column if column is not Column.START_DATE)
HEADERS = tuple(column.value for column in _COLUMNS)
RESULT_HEADERS = ("order_status", "order_number", "order_message", "submitted_at", "run_id")


def who(email: str) -> int:
    """Whose e-mail address this is."""
    return _BY_EMAIL[email.strip().casefold()]


def named(email: str, reference: str) -> OrderName:
    """The order that a row of a sheet, or of the ledger, is about."""
    return OrderName(who(email), _BY_REFERENCE[reference.strip()])


def addressed(address: str) -> OrderName:
    """The order that goes to this address."""
    found = _ADDRESS.match(address)
    assert found is not None, address
    return OrderName(int(found[2]), int(found[3]))


class Line(NamedTuple):
    """One row: an item for an order, and how its e-mail and reference are spelled."""

    order: OrderName
    title: int
    quantity: str
    spelling: int = 0

    def edited(self, kind: str, value: int) -> Line:
        """The row after somebody has typed in one of its cells."""
        other_order = self.order._replace(reference=1 - self.order.reference)
        return {
            "quantity": self._replace(quantity=str(1 + value % 3)),
            "spoil": self._replace(quantity="many"),
            "title": self._replace(title=value % len(TITLES)),
            "respell": self._replace(spelling=value % 3),
            "reference": self._replace(order=other_order),
        }[kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """A sheet as its writer sees it. `doors` says at which of three doors each order is delivered."""

    lines: tuple[Line, ...]
    doors: Mapping[OrderName, int]

    def edited(self, kind: str, which: int, value: int) -> Paper:
        """The sheet after one edit; `which` row and what to are counted round. The last row is not dropped."""
        lines = list(self.lines)
        position = which % len(lines)
        line = lines[position]
        match kind:
            case "add":
                lines.insert(position, Line(ORDERS[value % len(ORDERS)], value % len(TITLES), "1"))
            case "drop":
                lines = lines[:position] + lines[position + 1 :] or lines
            case "move":
                lines.insert(value % len(lines), lines.pop(position))
            case "address":
                return dataclasses.replace(self, doors={**self.doors, line.order: value % 3})
            case _:
                lines[position] = line.edited(kind, value)
        return dataclasses.replace(self, lines=tuple(lines))

    def mended(self) -> Paper:
        """The sheet after its errors were put right: no bad quantity, no title twice in one order."""
        lines = {(line.order, line.title): line for line in self.lines}
        mended = [line._replace(quantity="1") if line.quantity == "many" else line for line in lines.values()]
        return dataclasses.replace(self, lines=tuple(mended))

    def orders(self) -> set[OrderName]:
        """Every order in the sheet."""
        return {line.order for line in self.lines}

    def is_valid(self, order: OrderName) -> bool:
        """Whether none of the order's rows has an error."""
        mine = [line for line in self.lines if line.order == order]
        titles = Counter(line.title for line in mine)
        return max(titles.values(), default=1) == 1 and all(line.quantity.isdigit() for line in mine)

    def items(self, order: OrderName) -> Counter[tuple[str, int]]:
        """What a valid order asks for."""
        return Counter((TITLES[line.title], int(line.quantity)) for line in self.lines if line.order == order)

    def cells(self) -> list[tuple[str, ...]]:
        """The rows, as texts."""
        return [_cells(_person(line.order, self.doors.get(line.order, 0)) | _item(line)) for line in self.lines]

    def sheet(self) -> Sheet:
        """The file, as the reader gives it."""
        return _sheet(HEADERS, self.cells())


class Results(NamedTuple):
    """A results sheet: the rows it came from, and every row's texts."""

    paper: Paper
    rows: Sequence[tuple[str, ...]]

    def sheet(self) -> Sheet:
        """The file, as the reader gives it."""
        return _sheet(HEADERS + RESULT_HEADERS, self.rows)

    def placed(self) -> dict[OrderName, str]:
        """The orders that it says were placed, in all their rows and with one number."""
        said: dict[OrderName, set[tuple[bool, str]]] = {}
        for row in self.rows:
            cell = dict(zip(HEADERS + RESULT_HEADERS, row, strict=True))
            order = named(cell["email"], cell["order_reference"])
            is_placed = cell["order_status"] in {"ordered", "already_ordered"}
            said.setdefault(order, set()).add((is_placed, cell["order_number"]))
        return {order: found.copy().pop()[1] for order, found in said.items() if len(found) == 1 and (*found,)[0][0]}


def handmade_results(placed: Iterable[tuple[OrderName, str, Mapping[str, Any]]]) -> Results:
    """What a person writes who looks up at the vendor's what was placed: (order, number, body) for each."""
    rows = []
    for order, number, body in placed:
        for item in body["items"]:
            fields = {column: str(body.get(column) or "") for column in _COLUMNS}
            fields |= {Column.PRODUCT_TITLE: item["product_title"], Column.QUANTITY: str(item["quantity"])}
            fields |= {Column.ORDER_REFERENCE: REFERENCES[order.reference][0], Column.IS_SIGNATURE_REQUIRED: "no"}
            rows.append((*_cells(fields), "ordered", number, "", "", ""))
    return Results(Paper(lines=(), doors={}), rows)


def _sheet(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> Sheet:
    return make_sheet(headers, rows, kind=SheetKind.CSV, sheet_name=None, path=Path("hires.csv"))


def _cells(fields: Mapping[Column, str]) -> tuple[str, ...]:
    return tuple(fields.get(column, "") for column in _COLUMNS)


def _person(order: OrderName, door: int) -> dict[Column, str]:
    name, phone, postal_code = _PEOPLE[order.employee]
    return {
        Column.FIRSTNAME: name,
        Column.LASTNAME: "Sample",
        Column.PHONE_NUMBER: f"+1212555{phone}",
        Column.SHIPPING_ADDRESS: f"{door + 1} Main Street, door {order.employee}-{order.reference}",
        Column.SHIPPING_CITY: "New York",
        Column.SHIPPING_STATE: "NY",
        Column.SHIPPING_ZIP: postal_code,
        Column.SHIPPING_COUNTRY: "US",
    }


def _item(line: Line) -> dict[Column, str]:
    return {
        Column.EMAIL: EMAILS[line.order.employee][line.spelling],
        Column.ORDER_REFERENCE: REFERENCES[line.order.reference][line.spelling],
        Column.PRODUCT_TITLE: TITLES[line.title],
        Column.QUANTITY: line.quantity,
    }
