"""Rows of one order: they share what is needed once, and must not contradict each other."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from batch_orders import identity
from batch_orders.messages import findings as messages
from batch_orders.models import NEEDED, ONCE_PER_ORDER, Column, FindingCode
from batch_orders.stages.validate.complaints import Complaint, Values, finding
from batch_orders.stages.validate.places import STRICT, country_name, effective_country, postal_rules
from batch_orders.stages.validate.schema import failures, order_schema
from batch_orders.stages.validate.texts import each

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

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

    Orders are numbered by first appearance; a row without an e-mail belongs to none. `rows` are the rows of all orders,
    order after order and ascending in each, and `order_of` the order of each of them; `bounds` is where in these each
    order starts, and where the last one ends.
    """

    employees: list[str]
    references: list[str]
    rows: np.ndarray
    order_of: np.ndarray
    bounds: np.ndarray

    @property
    def starts(self) -> np.ndarray:
        """Where in `rows` each order starts."""
        return self.bounds[:-1]

    def rows_of(self, order: int) -> Rows:
        """The order's rows."""
        return tuple(self.rows[self.bounds[order] : self.bounds[order + 1]].tolist())


def grouped(own: Values) -> Grouped:
    """The rows' identities, and the orders that they make."""
    employees = each(identity.normalise_email, own[Column.EMAIL])
    references = each(identity.normalise_reference, own[Column.ORDER_REFERENCE])
    number_of: dict[tuple[str, str], int] = {}
    keys = zip(employees, references, strict=True)
    numbers = np.array([number_of.setdefault(key, len(number_of)) if key[0] else -1 for key in keys], dtype=np.int32)
    rows = np.argsort(numbers, kind="stable")[np.count_nonzero(numbers < 0) :]
    return Grouped(
        employees=employees,
        references=references,
        rows=rows,
        order_of=numbers[rows],
        bounds=np.searchsorted(numbers[rows], np.arange(len(number_of) + 1)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What the rows of each order share of one column.

    For each order `has_value` says whether some row has a value, and `agrees` whether all that have one have the same.
    `inherited` is the column with its blank cells filled in from their order, where that has one value and no other.
    """

    has_value: np.ndarray
    agrees: np.ndarray
    inherited: list[str]


def shared(values: list[str], grouping: Grouped) -> Shared:
    """All orders at once, whatever their number."""
    texts, numbers = _numbered(values, grouping)
    lowest = np.minimum.reduceat(np.where(numbers, numbers, len(texts)), grouping.starts)
    highest = np.maximum.reduceat(numbers, grouping.starts)
    has_value, agrees = highest > 0, lowest >= highest
    takes = (has_value & agrees)[grouping.order_of] & (numbers == 0)
    inherited = list(values) if takes.any() else values
    given = highest[grouping.order_of[takes]]
    for row, number in zip(grouping.rows[takes].tolist(), given.tolist(), strict=True):
        inherited[row] = texts[number]
    return Shared(has_value=has_value, agrees=agrees, inherited=inherited)


def differ(values: list[str], grouping: Grouped) -> np.ndarray:
    """Whether no two rows of the order have the same value, for each order."""
    texts, numbers = _numbered(values, grouping)
    pairs = grouping.order_of[numbers > 0].astype(np.int64) * len(texts) + numbers[numbers > 0]
    pairs.sort()
    differ = np.ones(len(grouping.starts), dtype=bool)
    differ[pairs[1:][pairs[1:] == pairs[:-1]] // len(texts)] = False
    return differ


def _numbered(values: Sequence[str], grouping: Grouped) -> tuple[list[str], np.ndarray]:
    """The distinct texts, of which "" is the first, and the number of each of the orders' rows among them."""
    number_of = {"": 0}
    numbers = [number_of.setdefault(value, len(number_of)) for value in values]
    return list(number_of), np.array(numbers, dtype=np.int32)[grouping.rows]


def with_inheritance(own: Values, columns: Mapping[Column, Shared]) -> Values:
    """Every row with what it has from its order."""
    return own | {column: shared.inherited for column, shared in columns.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """A rule on orders: for which of them it holds, and what to say where it does not."""

    holds: np.ndarray
    tell: Callable[[Rows], Iterator[Finding]]


def order_findings(
    mapped: Mapped,
    grouping: Grouped,
    columns: Mapping[Column, Shared],
    *,
    own: Values,
    countries: Sequence[str],
    dates: bool,
) -> Iterator[Finding]:
    """The findings about whole orders; `countries` are those that each row's rules go by."""
    view = _Orders(mapped, grouping, columns, own=own, countries=countries)
    rules = {
        **{f"one {column.value}": view.agreement(column) for column in (ONCE_PER_ORDER if dates else _COMPARED)},
        **{f"has {column.value}": view.presence(column) for column in _NEEDED_ONCE},
        "has shipping_state": view.state_where_needed(),
        "has shipping_zip": view.zip_where_needed(),
        "titles differ": view.titles_differ(),
    }
    frame = pd.DataFrame({name: rule.holds for name, rule in rules.items()})
    for order, name in failures(order_schema(rules), frame):
        yield from rules[name].tell(grouping.rows_of(order))


class _Orders:
    """The rules on orders, over the rows' own cells."""

    def __init__(
        self,
        mapped: Mapped,
        grouping: Grouped,
        columns: Mapping[Column, Shared],
        *,
        own: Values,
        countries: Sequence[str],
    ) -> None:
        self._mapped = mapped
        self._grouping = grouping
        self._columns = columns
        self._own = own
        self._countries = countries

    def agreement(self, column: Column) -> _Rule:
        """The rows that have a value have the same one; a country's name and its code are the same country."""
        values, agrees = self._own[column], self._columns[column].agrees
        if column is Column.SHIPPING_COUNTRY and not agrees.all():
            codes = each(lambda value: effective_country(value) or value, values)
            agrees = shared(codes, self._grouping).agrees

        def tell(rows: Rows) -> Iterator[Finding]:
            holding = [row for row in rows if values[row]]
            first: dict[str, int] = {}
            for row in holding:
                first.setdefault(values[row], row)
            cells = {value: self._mapped.cells(row, column)[0] for value, row in first.items()}
            references = self._references(rows) if column in _NAMES else ()
            complaint = Complaint(messages.conflict(column, cells, references), references)
            yield finding(self._mapped, FindingCode.CONFLICT, column, holding, complaint)

        return _Rule(holds=agrees, tell=tell)

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

        def tell(rows: Rows) -> Iterator[Finding]:
            message = messages.required_once(column, has_column=column in self._mapped.sources)
            yield self._at_first_row(FindingCode.REQUIRED, column, rows, Complaint(message))

        return _Rule(holds=self._columns[column].has_value, tell=tell)

    def zip_where_needed(self) -> _Rule:
        """Some row has a postal code, if the order's country requires one."""

        def tell(rows: Rows) -> Iterator[Finding]:
            where = country_name(self._countries[rows[0]])
            has_column = Column.SHIPPING_ZIP in self._mapped.sources
            message = messages.required_once(Column.SHIPPING_ZIP, has_column=has_column, where=where)
            yield self._at_first_row(FindingCode.ZIP, Column.SHIPPING_ZIP, rows, Complaint(message))

        return _Rule(holds=self._columns[Column.SHIPPING_ZIP].has_value | ~self._all_in(needs_zip), tell=tell)

    def state_where_needed(self) -> _Rule:
        """Some row has a state, if the order's country uses states: an error in US and CA, else a warning."""

        def tell(rows: Rows) -> Iterator[Finding]:
            country = self._countries[rows[0]]
            where, has_column = country_name(country), Column.SHIPPING_STATE in self._mapped.sources
            if country in STRICT:
                complaint = Complaint(messages.required_once(Column.SHIPPING_STATE, has_column=has_column, where=where))
            else:
                complaint = Complaint.warning(messages.state_missing(where, has_column=has_column))
            yield self._at_first_row(FindingCode.STATE, Column.SHIPPING_STATE, rows, complaint)

        return _Rule(holds=self._columns[Column.SHIPPING_STATE].has_value | ~self._all_in(needs_state), tell=tell)

    def _all_in(self, needed: Callable[[str], bool]) -> np.ndarray:
        """Whether it is needed in each order's country, or in each one if its rows do not agree."""
        those = {country for country in set(self._countries) if needed(country)}
        is_in = np.array([country in those for country in self._countries])
        return np.logical_and.reduceat(is_in[self._grouping.rows], self._grouping.starts)

    def _at_first_row(self, code: FindingCode, column: Column, rows: Rows, complaint: Complaint) -> Finding:
        return finding(self._mapped, code, column, rows[:1], complaint)

    def titles_differ(self) -> _Rule:
        """No title is in the order twice."""
        titles = self._own[Column.PRODUCT_TITLE]

        def tell(rows: Rows) -> Iterator[Finding]:
            at: Mapping[str, list[int]] = defaultdict(list)
            for row in rows:
                at[titles[row]].append(row)
            for title, places in at.items():
                if title and len(places) > 1:
                    cells = self._mapped.cells_of(places, Column.PRODUCT_TITLE)
                    complaint = Complaint(messages.duplicate_item(title, cells))
                    yield finding(self._mapped, FindingCode.DUPLICATE_ITEM, Column.PRODUCT_TITLE, places, complaint)

        return _Rule(holds=differ(titles, self._grouping), tell=tell)


def needs_zip(country: str) -> bool:
    """Whether the country requires a postal code."""
    return postal_rules(country).needs_zip


def needs_state(country: str) -> bool:
    """Whether the country's addresses need one of its states."""
    return postal_rules(country).needs_state
