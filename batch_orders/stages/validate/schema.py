"""The pandera schemas, and where a frame fails them.

A rule on one column stands here as it is. A rule over several columns, or with a library behind it, comes as a column
of its own that says for each row whether it holds: pandera would otherwise report such a rule once per column.

The checks are functions of a whole column. Those of pandera's own would do the same, but pandera takes longer to load
than most sheets to check, and where all rows pass there is nothing for it to say.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from batch_orders.models import Column
from batch_orders.stages.validate.places import COUNTRIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import pandas as pd
    import pandera.pandas as pa

    from batch_orders.models import Catalog

# pandera keeps every failure of a call in memory, so it sees no more than this many rows at once.
_CHUNK = 5_000
_QUANTITY = re.compile(r"(?:[1-9][0-9]{0,8})?")


class Check(NamedTuple):
    """A check by the name of its rule: which values of a column pass it."""

    rule: str
    passes: Callable[[pd.Series], pd.Series]


class ColumnSchema(NamedTuple):
    """What a column holds, and must pass."""

    dtype: type
    checks: tuple[Check, ...]


Schema = dict[str, ColumnSchema]


def row_schema(catalog: Catalog, must_hold: Iterable[str]) -> Schema:
    """What each row's own cells must be. A cell may be blank unless every row needs it: others have its order's value.

    `must_hold` are the rules that come as a column of their own.
    """
    return {
        Column.EMAIL.value: _text(_filled("email required")),
        Column.PRODUCT_TITLE.value: _text(_filled("title required"), _one_of("title", catalog.stock)),
        Column.QUANTITY.value: _text(_filled("quantity required"), _matches("quantity", _QUANTITY)),
        Column.SHIPPING_COUNTRY.value: _text(_one_of("country", COUNTRIES)),
        Column.EXPEDITE_SHIPPING.value: _text(_one_of("option", catalog.shipping_options)),
        Column.IS_SIGNATURE_REQUIRED.value: _text(_one_of("boolean", ("yes", "no"))),
        **{name: _holds(name) for name in must_hold},
    }


def order_schema(must_hold: Iterable[str]) -> Schema:
    """What each order must be: all its rules are over several rows, so each is a column of its own."""
    return {name: _holds(name) for name in must_hold}


def _text(*checks: Check) -> ColumnSchema:
    return ColumnSchema(str, checks)


def _holds(rule: str) -> ColumnSchema:
    return ColumnSchema(bool, (Check(rule, lambda values: values == True),))  # noqa: E712 - of each of them


def _filled(rule: str) -> Check:
    return Check(rule, lambda values: values != "")


def _one_of(rule: str, listed: Iterable[str]) -> Check:
    allowed = ["", *listed]
    return Check(rule, lambda values: values.isin(allowed))


def _matches(rule: str, pattern: re.Pattern[str]) -> Check:
    return Check(rule, lambda values: values.isin([text for text in values.unique() if pattern.fullmatch(text)]))


def failures(schema: Schema, frame: pd.DataFrame) -> Iterator[tuple[int, str]]:
    """Each (position, rule) where the frame fails. The frame has a RangeIndex.

    Rows and columns that fail nothing never reach pandera: the same checks, as masks over whole columns, tell first.
    """
    passed = {name: _passes(column.checks, frame[name]) for name, column in schema.items()}
    failing = [name for name, mask in passed.items() if not mask.all()]
    if not failing:
        return
    wrong = frame.loc[~np.logical_and.reduce([passed[name] for name in failing]), failing]
    yield from _told_by_pandera({name: schema[name] for name in failing}, wrong)


def _passes(checks: Iterable[Check], values: pd.Series) -> np.ndarray:
    passed: np.ndarray = np.logical_and.reduce([check.passes(values).to_numpy(dtype=bool) for check in checks])
    return passed


def _told_by_pandera(schema: Mapping[str, ColumnSchema], frame: pd.DataFrame) -> Iterator[tuple[int, str]]:
    from pandera.errors import SchemaErrors  # noqa: PLC0415 - costly

    judge = _for_pandera(schema)
    for start in range(0, len(frame), _CHUNK):
        try:
            judge.validate(frame.iloc[start : start + _CHUNK], lazy=True)
        except SchemaErrors as errors:
            cases = errors.failure_cases
            if cases["index"].isna().any():
                raise  # the frame is not what the schema is about: a bug, and no row's fault
            yield from zip(cases["index"].astype(int).tolist(), cases["check"].tolist(), strict=True)


def _for_pandera(schema: Mapping[str, ColumnSchema]) -> pa.DataFrameSchema:
    import pandera.pandas as pa  # noqa: PLC0415 - costly

    def column(one: ColumnSchema) -> pa.Column:
        return pa.Column(one.dtype, [pa.Check(check.passes, error=check.rule) for check in one.checks])

    return pa.DataFrameSchema({name: column(one) for name, one in schema.items()})
