"""What is wrong with single rows: each problem is told at the cell that holds the value, and once there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from batch_orders.likeness import Titles
from batch_orders.messages import findings as messages
from batch_orders.messages.mappings import no_item
from batch_orders.models import Column, FindingCode
from batch_orders.stages.validate import rules
from batch_orders.stages.validate.complaints import Complaint, Values, finding
from batch_orders.stages.validate.dates import read_date
from batch_orders.stages.validate.schema import failures, row_schema
from batch_orders.stages.validate.texts import Choices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from batch_orders.models import Catalog, Finding, Mapped

# How near (of 100) an option must be to be suggested.
_NEAR = 70

_CHECKED_AS_TEXT = (
    Column.EMAIL,
    Column.PRODUCT_TITLE,
    Column.QUANTITY,
    Column.SHIPPING_COUNTRY,
    Column.EXPEDITE_SHIPPING,
    Column.IS_SIGNATURE_REQUIRED,
)


class _Rule:
    """A rule on the cells of one column, judged by the values of some columns: once per distinct combination."""

    def __init__(
        self, code: FindingCode, column: Column, judge: Callable[..., Complaint | None], *judged_by: Sequence[str]
    ) -> None:
        self.code = code
        self.column = column
        self._judge = judge
        self._judged_by = judged_by
        self._known: dict[tuple[str, ...], Complaint | None] = {}

    def holds(self) -> list[bool]:
        """Whether the rule has nothing to say, for each row."""
        distinct = set(zip(*self._judged_by, strict=True))
        self._known = {key: complaint for key in distinct if (complaint := self._judge(*key)) is not None}
        return [key not in self._known for key in zip(*self._judged_by, strict=True)]

    def complaint(self, row: int) -> Complaint | None:
        """What the rule says about the row at this position."""
        key = tuple([values[row] for values in self._judged_by])
        if key not in self._known:
            self._known[key] = self._judge(*key)
        return self._known[key]


def row_findings(
    mapped: Mapped,
    catalog: Catalog,
    *,
    own: Values,
    whole: Values,
    countries: Sequence[str],
    phones: Mapping[tuple[str, str], Complaint],
    dates: bool,
) -> Iterator[Finding]:
    """The findings about single cells.

    `own` are the rows' own cells, repaired; `whole` has the inherited values too; `countries` the country that each
    row's rules go by; `phones` what is wrong with a (phone, country).
    """
    on_one_column = _rules_on_one_column(catalog, own)
    on_several = _rules_on_several(own, whole, countries, phones)
    if dates:
        judge = _Rule(FindingCode.DATE, Column.START_DATE, lambda text: read_date(text)[1], own[Column.START_DATE])
        on_several["is a date"] = judge
    frame = pd.DataFrame({column.value: own[column] for column in _CHECKED_AS_TEXT}, dtype=str)
    for name, rule in on_several.items():
        frame[name] = rule.holds()
    known = on_one_column | on_several
    for row, name in failures(row_schema(catalog, on_several), frame):
        rule = known[name]
        complaint = rule.complaint(row)
        if rule.code is FindingCode.REQUIRED and rule.column is not Column.EMAIL and mapped.lacks_items(row):
            complaint = Complaint(no_item(mapped.item_headers()))
        if complaint is not None:
            yield finding(mapped, rule.code, rule.column, [row], complaint)


def _rules_on_one_column(catalog: Catalog, own: Values) -> dict[str, _Rule]:
    """What to say where the schema's own checks fail, by their names there."""
    titles = Titles(catalog.stock)
    options = Choices(catalog.shipping_options, cutoff=_NEAR)
    offered = catalog.shipping_options
    code = FindingCode

    def required(column: Column) -> _Rule:
        return _Rule(code.REQUIRED, column, lambda: Complaint(messages.required(column)))

    def rule(code: FindingCode, column: Column, judge: Callable[[str], Complaint]) -> _Rule:
        return _Rule(code, column, judge, own[column])

    return {
        "email required": required(Column.EMAIL),
        "title required": required(Column.PRODUCT_TITLE),
        "quantity required": required(Column.QUANTITY),
        "title": rule(code.UNKNOWN_PRODUCT, Column.PRODUCT_TITLE, lambda text: rules.product_title(text, titles)),
        "quantity": rule(code.QUANTITY, Column.QUANTITY, rules.quantity),
        "country": rule(code.COUNTRY, Column.SHIPPING_COUNTRY, rules.country),
        "option": rule(
            code.SHIPPING_OPTION,
            Column.EXPEDITE_SHIPPING,
            lambda text: rules.shipping_option(text, options, offered),
        ),
        "boolean": rule(code.BOOLEAN, Column.IS_SIGNATURE_REQUIRED, rules.boolean),
    }


def _rules_on_several(
    own: Values, whole: Values, countries: Sequence[str], phones: Mapping[tuple[str, str], Complaint]
) -> dict[str, _Rule]:
    """The rules over several columns, or with a library behind them."""
    email, phone = Column.EMAIL, Column.PHONE_NUMBER
    state, zip_code, signature = Column.SHIPPING_STATE, Column.SHIPPING_ZIP, Column.IS_SIGNATURE_REQUIRED
    return {
        "is an address": _Rule(FindingCode.EMAIL, email, rules.email, own[email]),
        "phone of the country": _Rule(FindingCode.PHONE, phone, lambda *key: phones.get(key), own[phone], countries),
        "state of the country": _Rule(FindingCode.STATE, state, rules.state, own[state], countries),
        "zip of the state": _Rule(FindingCode.ZIP, zip_code, rules.zip_code, own[zip_code], countries, whole[state]),
        "signature available": _Rule(
            FindingCode.SIGNATURE_NOT_AVAILABLE, signature, rules.signature, own[signature], countries
        ),
    }
