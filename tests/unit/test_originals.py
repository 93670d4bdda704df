"""What cells held that was not text, kept by the column: the same as a dict by position."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from batch_orders.models import Originals, Value

if TYPE_CHECKING:
    from collections.abc import Mapping

_VALUES = st.builds(Value, st.integers() | st.booleans(), st.sampled_from(["General", "0", "00000"]))
_SHEETS = st.dictionaries(st.tuples(st.integers(0, 30), st.integers(0, 5)), _VALUES)


@given(expected=_SHEETS, rows=st.lists(st.integers(0, 40), unique=True).map(sorted))
def test_it_is_what_a_dict_is(expected: Mapping[tuple[int, int], Value], rows: list[int]) -> None:
    """Whole, by the column, and of some of its rows."""
    values = Originals(expected)
    assert values == dict(values.items()) == expected
    assert len(values) == len(expected)
    assert all(values.get((row, column)) == expected.get((row, column)) for row in range(35) for column in range(8))
    for column in range(8):
        assert dict(values.in_column(column)) == {row: value for (row, at), value in expected.items() if at == column}
    place = {row: position for position, row in enumerate(rows)}
    moved = {(place[row], column): value for (row, column), value in expected.items() if row in place}
    assert values.of_rows(rows) == moved
    assert pickle.loads(pickle.dumps(values)) == expected  # noqa: S301 - our own


def test_rows_with_none_between_keep_their_places() -> None:
    """Texts between numbers, and rows without either, move nothing."""
    values = Originals()
    values.put(2, 1, [Value(1, "0"), None, Value(2, "0")])
    values.put(7, 1, [None, Value(3, "0")])
    assert values == {(2, 1): Value(1, "0"), (4, 1): Value(2, "0"), (8, 1): Value(3, "0")}
