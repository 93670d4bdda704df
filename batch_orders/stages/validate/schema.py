"""The pandera schemas, and where a frame fails them.

A rule on one column stands here as it is. A rule over several columns, or with a library behind it, comes as a column
of its own that says for each row whether it holds: pandera would otherwise report such a rule once per column.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandera.pandas as pa
from pandera.errors import SchemaErrors

from batch_orders.models import Column
from batch_orders.stages.validate.places import COUNTRIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pandas as pd

    from batch_orders.models import Catalog

# pandera keeps every failure of a call in memory, so it sees no more than this many rows at once.
_CHUNK = 5_000


def row_schema(catalog: Catalog, must_hold: Iterable[str]) -> pa.DataFrameSchema:
    """What each row's own cells must be. A cell may be blank unless every row needs it: others have its order's value.

    A check's `error` is the name of its rule; `must_hold` are the rules that come as a column of their own.
    """
    return pa.DataFrameSchema(
        {
            Column.EMAIL.value: pa.Column(str, _filled("email required")),
            Column.PRODUCT_TITLE.value: pa.Column(
                str,
                [_filled("title required"), pa.Check.isin(["", *catalog.stock], error="title")],
            ),
            Column.QUANTITY.value: pa.Column(
                str,
                [_filled("quantity required"), pa.Check.str_matches(r"(?:[1-9][0-9]{0,8})?\Z", error="quantity")],
            ),
            Column.SHIPPING_COUNTRY.value: pa.Column(str, pa.Check.isin(["", *sorted(COUNTRIES)], error="country")),
            Column.EXPEDITE_SHIPPING.value: pa.Column(
                str, pa.Check.isin(["", *catalog.shipping_options], error="option")
            ),
            Column.IS_SIGNATURE_REQUIRED.value: pa.Column(str, pa.Check.isin(["", "yes", "no"], error="boolean")),
            **{name: _holds(name) for name in must_hold},
        }
    )


def order_schema(must_hold: Iterable[str]) -> pa.DataFrameSchema:
    """What each order must be: all its rules are over several rows, so each is a column of its own."""
    return pa.DataFrameSchema({name: _holds(name) for name in must_hold})


def _filled(rule: str) -> pa.Check:
    return pa.Check.ne("", error=rule)


def _holds(rule: str) -> pa.Column:
    return pa.Column(bool, pa.Check.eq(True, error=rule))


def failures(schema: pa.DataFrameSchema, frame: pd.DataFrame) -> Iterator[tuple[int, str]]:
    """Each (position, rule) where the frame fails. The frame has a RangeIndex.

    Rows and columns that fail nothing never reach pandera: the same checks, as masks over whole columns, tell first.
    """
    passed = {name: _passes(column, frame[name]) for name, column in schema.columns.items()}
    failing = [name for name, mask in passed.items() if not mask.all()]
    if not failing:
        return
    wrong = frame.loc[~np.logical_and.reduce([passed[name] for name in failing]), failing]
    narrowed = pa.DataFrameSchema({name: schema.columns[name] for name in failing})
    for start in range(0, len(wrong), _CHUNK):
        try:
            narrowed.validate(wrong.iloc[start : start + _CHUNK], lazy=True)
        except SchemaErrors as errors:
            cases = errors.failure_cases
            if cases["index"].isna().any():
                raise  # the frame is not what the schema is about: a bug, and no row's fault
            yield from zip(cases["index"].astype(int).tolist(), cases["check"].tolist(), strict=True)


def _passes(column: pa.Column, values: pd.Series) -> np.ndarray:
    passed: np.ndarray = np.ones(len(values), dtype=bool)
    for check in column.checks:
        passed &= check(values).check_output.to_numpy(dtype=bool)
    return passed
