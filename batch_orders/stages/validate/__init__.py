"""Validate: a sheet whose columns are known → its rows, repaired and complete, and every finding in one pass.

A bad row is data, never an exception: it comes out with its findings. Pure; where to look next:

    repair.py   what can mean only one thing is put right          rules.py    the rules on one value
    oddities.py what a spreadsheet hides                            example.py  what is left of the template's example
    invisible.py characters that nobody sees
    orders.py   rows that share an order, and the rules on orders   places.py   countries, states, postal codes
    rows.py     the rules on rows                                   schema.py   the pandera schemas
    asides.py   rows that are a total or a note                      dates.py    start dates
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import pandas as pd
from rapidfuzz import fuzz

from batch_orders.errors import SheetError
from batch_orders.messages import findings as messages
from batch_orders.messages import sheets as sheet_messages
from batch_orders.messages.outcomes import COLUMN_NAMES
from batch_orders.models import ONCE_PER_ORDER, Checked, Column, Finding, FindingCode, Remark, Severity
from batch_orders.stages.validate.asides import aside_findings, asides, but_about
from batch_orders.stages.validate.example import example_findings
from batch_orders.stages.validate.invisible import invisible_findings
from batch_orders.stages.validate.oddities import odd_findings, without_echoes
from batch_orders.stages.validate.orders import (
    grouped,
    needs_zip,
    order_findings,
    shared,
    with_inheritance,
)
from batch_orders.stages.validate.places import STRICT, effective_country
from batch_orders.stages.validate.repair import repair, repair_findings, repair_places, restore_zips, take
from batch_orders.stages.validate.rows import row_findings
from batch_orders.stages.validate.texts import fold

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from batch_orders.models import Catalog, Mapped
    from batch_orders.stages.validate.complaints import Values
    from batch_orders.stages.validate.orders import Grouped
    from batch_orders.stages.validate.repair import Phones

__all__ = ["validate"]

_NEAR_HEADER = 65
_COLUMN_RANK = {column: rank for rank, column in enumerate(Column)}
_CODE_RANK = {code: rank for rank, code in enumerate(FindingCode)}


def validate(mapped: Mapped, catalog: Catalog, *, dates: bool = False) -> Checked:
    """Every row, repaired and with what it inherits from its order, and all that is wrong with the sheet.

    `dates` says that start dates are looked at. SheetError where the sheet lacks the column for postal codes (or
    states) and every country in it needs one: then no row could be ordered.
    """
    raw = take(mapped)
    own = repair(raw, catalog, dates=dates)
    grouping = grouped(own)
    countries = _countries(own, grouping)
    phones: Phones = {}
    own = repair_places(own, countries, phones)
    unreadable = {key: complaint for key, (_, complaint) in phones.items() if complaint}
    own = restore_zips(mapped, own, shared(own[Column.SHIPPING_STATE], grouping).inherited, countries)
    columns = {column: shared(own[column], grouping) for column in ONCE_PER_ORDER}
    # Inherited from a row whose country cannot be told, a value is put right by the country of the row that has it now.
    whole = repair_places(with_inheritance(own, columns), countries, phones)
    _refuse_lacking_columns(mapped, countries)
    odd = [*odd_findings(mapped), *invisible_findings(mapped, raw, own, catalog)]
    found = (
        *repair_findings(mapped, raw, own),
        *row_findings(mapped, catalog, own=own, whole=whole, countries=countries, phones=unreadable, dates=dates),
        *order_findings(mapped, grouping, columns, own=own, countries=countries, dates=dates),
        *example_findings(mapped, own),
    )
    no_orders = asides(mapped, own, catalog)
    findings = [*but_about((*mapped.findings, *without_echoes(found, odd)), no_orders), *odd]
    findings += without_echoes(aside_findings(mapped, no_orders), odd)
    return Checked(mapped=mapped, frame=_frame(mapped, raw, whole, grouping), findings=_in_order(findings))


def _countries(own: Values, grouping: Grouped) -> list[str]:
    """The country that each row's rules go by; "" where the order has none, or one that cannot be told."""
    values = shared(own[Column.SHIPPING_COUNTRY], grouping).inherited
    known = {value: effective_country(value) for value in set(values)}
    return [known[value] for value in values]


def _frame(mapped: Mapped, raw: Values, whole: Values, grouping: Grouped) -> pd.DataFrame:
    """The checked rows, as models.Checked describes them; a column that is just the sheet's is not copied."""

    def texts(column: Column, values: list[str]) -> pd.Series[str]:
        position = mapped.own_position(column) if values is raw[column] else None
        return pd.Series(values, dtype=str) if position is None else mapped.sheet.frame[position]

    signature = Column.IS_SIGNATURE_REQUIRED
    answered = whole | {signature: [answer or "no" for answer in whole[signature]]}
    columns = {column.value: texts(column, values) for column, values in answered.items()}
    columns["employee"] = pd.Series(grouping.employees, dtype=str)
    columns["reference"] = pd.Series(grouping.references, dtype=str)
    return pd.DataFrame(columns, copy=False)


def _in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """As a person reads the sheet: row by row, and from our first column to the last."""

    def place(finding: Finding) -> tuple[int, int, str]:
        return _COLUMN_RANK[finding.column] if finding.column else -1, _CODE_RANK[finding.code], finding.message

    by_row: dict[int, list[Finding]] = defaultdict(list)
    for finding in findings:
        by_row[finding.rows[0] if finding.rows else 0].append(finding)
    # What is wrong with a row is found at each of its lines.
    return tuple(each for row in sorted(by_row) for each in dict.fromkeys(sorted(by_row[row], key=place)))


def _refuse_lacking_columns(mapped: Mapped, countries: Sequence[str]) -> None:
    found = {country for country in countries if country}
    needed_everywhere = {
        Column.SHIPPING_STATE: bool(found) and found.issubset(STRICT),
        Column.SHIPPING_ZIP: bool(found) and all(needs_zip(country) for country in found),
    }
    lacking = [column for column, needed in needed_everywhere.items() if needed and column not in mapped.sources]
    if lacking:
        raise SheetError(
            messages.lacks_columns(mapped.sheet.path),
            hint=sheet_messages.how_to_name_columns(),
            findings=tuple(_missing_columns(mapped, lacking)),
        )


def _missing_columns(mapped: Mapped, lacking: Sequence[Column]) -> Iterator[Finding]:
    known = {position for sources in mapped.sources.values() for position in sources}
    others = [header for position, header in enumerate(mapped.sheet.headers) if position not in known and fold(header)]
    for column in lacking:
        names = [fold(name) for name in (column.value, COLUMN_NAMES[column], *COLUMN_NAMES[column].split("/"))]
        scores = {header: max(fuzz.ratio(fold(header), name) for name in names) for header in others}
        nearest = max(scores, key=lambda header: scores[header], default=None)
        near = nearest if nearest is not None and scores[nearest] >= _NEAR_HEADER else None
        yield Finding(
            remark=Remark(
                code=FindingCode.MISSING_COLUMN,
                severity=Severity.ERROR,
                message=sheet_messages.missing_column(column, near, mapped.mapping),
                column=column,
                suggestions=(near,) if near else (),
            )
        )
