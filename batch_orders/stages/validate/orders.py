"""Rows of one order: they share what is needed once, and must not contradict each other."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from batch_orders import identity
from batch_orders.messages import findings as messages
from batch_orders.models import NEEDED, ONCE_PER_ORDER, Column, FindingCode
from batch_orders.stages.validate.complaints import Complaint, Values, finding
from batch_orders.stages.validate.places import STRICT, country_name, postal_rules
from batch_orders.stages.validate.schema import failures, order_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from batch_orders.models import Finding, Mapped

_NAMES = (Column.FIRSTNAME, Column.LASTNAME)
# Where start dates mean nothing, one day may be written in many ways: it is inherited, and not compared.
_COMPARED = tuple(column for column in ONCE_PER_ORDER if column is not Column.START_DATE)
_NEEDED_ONCE = tuple(column for column in ONCE_PER_ORDER if column in NEEDED)

# One order: the positions of its rows, ascending.
Rows = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouped:
    """Which order each row belongs to: by employee and reference, both normalised (see identity.py).

    `orders` has the rows of each, by first appearance; a row without an e-mail belongs to none.
    """

    employees: list[str]
    references: list[str]
    orders: tuple[Rows, ...]


def grouped(own: Values) -> Grouped:
    """The rows' identities, and the orders that they make."""
    employee_of = {text: identity.normalise_email(text) for text in set(own[Column.EMAIL])}
    reference_of = {text: identity.normalise_reference(text) for text in set(own[Column.ORDER_REFERENCE])}
    employees = [employee_of[text] for text in own[Column.EMAIL]]
    references = [reference_of[text] for text in own[Column.ORDER_REFERENCE]]
    members: dict[tuple[str, str], list[int]] = {}
    for row, key in enumerate(zip(employees, references, strict=True)):
        if key[0]:
            members.setdefault(key, []).append(row)
    return Grouped(employees=employees, references=references, orders=tuple(map(tuple, members.values())))


def inherited(values: Sequence[str], orders: Iterable[Rows]) -> list[str]:
    """The column with its blank cells filled in from their order, where that has one value and no other."""
    filled = list(values)
    for rows in orders:
        if len(rows) > 1:
            found = {values[row] for row in rows} - {""}
            if len(found) == 1:
                (value,) = found
                for row in rows:
                    filled[row] = value
    return filled


def with_inheritance(own: Values, orders: Sequence[Rows]) -> Values:
    """Every row with what it has from its order."""
    return own | {column: inherited(own[column], orders) for column in ONCE_PER_ORDER}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """A rule on an order: whether it holds, and what to say where it does not."""

    holds: Callable[[Rows], bool]
    tell: Callable[[Rows], Iterator[Finding]]


def order_findings(
    mapped: Mapped, grouping: Grouped, *, own: Values, countries: Sequence[str], dates: bool
) -> Iterator[Finding]:
    """The findings about whole orders; `countries` are those that each row's rules go by."""
    view = _Orders(mapped, own, countries)
    rules = {
        **{f"one {column.value}": view.agreement(column) for column in (ONCE_PER_ORDER if dates else _COMPARED)},
        **{f"has {column.value}": view.presence(column) for column in _NEEDED_ONCE},
        "has shipping_state": view.state_where_needed(),
        "has shipping_zip": view.zip_where_needed(),
        "titles differ": view.titles_differ(),
    }
    orders = grouping.orders
    frame = pd.DataFrame({name: [rule.holds(rows) for rows in orders] for name, rule in rules.items()}, dtype=bool)
    for order, name in failures(order_schema(rules), frame):
        yield from rules[name].tell(orders[order])


class _Orders:
    """The rules on orders, over the rows' own cells."""

    def __init__(self, mapped: Mapped, own: Values, countries: Sequence[str]) -> None:
        self._mapped = mapped
        self._own = own
        self._countries = countries

    def agreement(self, column: Column) -> _Rule:
        """The rows that have a value have the same one."""
        values = self._own[column]

        def holds(rows: Rows) -> bool:
            return len(rows) == 1 or len({values[row] for row in rows} - {""}) <= 1

        def tell(rows: Rows) -> Iterator[Finding]:
            holding = [row for row in rows if values[row]]
            first: dict[str, int] = {}
            for row in holding:
                first.setdefault(values[row], row)
            cells = {value: self._mapped.cells(row, column)[0] for value, row in first.items()}
            references = self._references(rows) if column in _NAMES else ()
            complaint = Complaint(messages.conflict(column, cells, references), references)
            yield finding(self._mapped, FindingCode.CONFLICT, column, holding, complaint)

        return _Rule(holds=holds, tell=tell)

    def _references(self, rows: Rows) -> tuple[str, ...]:
        """Order references that would tell the order's people apart: their first names, else their last names."""
        for column in _NAMES:
            found = [identity.normalise_reference(self._own[column][row]) for row in rows]
            distinct = tuple(dict.fromkeys(name.replace(" ", "-") for name in found if name))
            if len(distinct) > 1:
                return distinct
        return ()

    def presence(self, column: Column) -> _Rule:
        """Some row of the order has the value."""
        values = self._own[column]

        def tell(rows: Rows) -> Iterator[Finding]:
            message = messages.required_once(column, has_column=column in self._mapped.sources)
            yield self._at_first_row(FindingCode.REQUIRED, column, rows, Complaint(message))

        return _Rule(holds=lambda rows: any(values[row] for row in rows), tell=tell)

    def zip_where_needed(self) -> _Rule:
        """Some row has a postal code, if the order's country requires one."""
        values = self._own[Column.SHIPPING_ZIP]

        def tell(rows: Rows) -> Iterator[Finding]:
            where = country_name(self._countries[rows[0]])
            has_column = Column.SHIPPING_ZIP in self._mapped.sources
            message = messages.required_once(Column.SHIPPING_ZIP, has_column=has_column, where=where)
            yield self._at_first_row(FindingCode.ZIP, Column.SHIPPING_ZIP, rows, Complaint(message))

        return _Rule(
            holds=lambda rows: any(values[row] for row in rows) or not self._all_in(rows, needs_zip), tell=tell
        )

    def state_where_needed(self) -> _Rule:
        """Some row has a state, if the order's country uses states: an error in US and CA, else a warning."""
        values = self._own[Column.SHIPPING_STATE]

        def tell(rows: Rows) -> Iterator[Finding]:
            country = self._countries[rows[0]]
            where, has_column = country_name(country), Column.SHIPPING_STATE in self._mapped.sources
            if country in STRICT:
                complaint = Complaint(messages.required_once(Column.SHIPPING_STATE, has_column=has_column, where=where))
            else:
                complaint = Complaint.warning(messages.state_missing(where, has_column=has_column))
            yield self._at_first_row(FindingCode.STATE, Column.SHIPPING_STATE, rows, complaint)

        return _Rule(
            holds=lambda rows: any(values[row] for row in rows) or not self._all_in(rows, needs_state), tell=tell
        )

    def _all_in(self, rows: Rows, needed: Callable[[str], bool]) -> bool:
        """Whether it is needed in the order's country, or in each one if its rows do not agree."""
        return all(needed(self._countries[row]) for row in rows)

    def _at_first_row(self, code: FindingCode, column: Column, rows: Rows, complaint: Complaint) -> Finding:
        return finding(self._mapped, code, column, rows[:1], complaint)

    def titles_differ(self) -> _Rule:
        """No title is in the order twice."""
        titles = self._own[Column.PRODUCT_TITLE]

        def holds(rows: Rows) -> bool:
            listed = [titles[row] for row in rows if titles[row]]
            return len(set(listed)) == len(listed)

        def tell(rows: Rows) -> Iterator[Finding]:
            at: Mapping[str, list[int]] = defaultdict(list)
            for row in rows:
                at[titles[row]].append(row)
            for title, places in at.items():
                if title and len(places) > 1:
                    cells = self._mapped.cells_of(places, Column.PRODUCT_TITLE)
                    complaint = Complaint(messages.duplicate_item(title, cells))
                    yield finding(self._mapped, FindingCode.DUPLICATE_ITEM, Column.PRODUCT_TITLE, places, complaint)

        return _Rule(holds=holds, tell=tell)


def needs_zip(country: str) -> bool:
    """Whether the country requires a postal code."""
    return postal_rules(country).needs_zip


def needs_state(country: str) -> bool:
    """Whether the country's addresses need one of its states."""
    return postal_rules(country).needs_state
