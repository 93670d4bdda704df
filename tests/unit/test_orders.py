"""What the rows of an order share is worked out for all orders at once: the same as looking at each one's rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from batch_orders.models import Checked, Column
from batch_orders.stages.group import group
from batch_orders.stages.validate.orders import differ, grouped, shared
from tests.builders import make_mapped, make_sheet

if TYPE_CHECKING:
    from collections.abc import Sequence

_TEXTS = st.sampled_from(["", "Ana", "Ben", "Zoë"])
_ROWS = st.lists(st.tuples(st.sampled_from(["", "a@example.com", "b@example.com", "c@example.com"]), _TEXTS))


@given(_ROWS)
def test_what_an_order_shares(rows: Sequence[tuple[str, str]]) -> None:
    """Whether it has a value, one value and no value twice; and what its blank cells inherit."""
    emails, values = [email for email, _ in rows], [value for _, value in rows]
    own = {column: [""] * len(rows) for column in Column} | {Column.EMAIL: emails, Column.FIRSTNAME: values}
    grouping = grouped(own)
    told = shared(values, grouping)
    orders = [grouping.rows_of(order) for order in range(len(grouping.starts))]
    by_email = {each: [row for row, email in enumerate(emails) if email == each] for each in dict.fromkeys(emails)}
    by_email.pop("", None)
    assert [list(each) for each in orders] == list(by_email.values())
    found = [[values[row] for row in each if values[row]] for each in orders]
    assert told.has_value.tolist() == [bool(each) for each in found]
    assert told.agrees.tolist() == [len(set(each)) <= 1 for each in found]
    assert differ(values, grouping).tolist() == [len(set(each)) == len(each) for each in found]
    expected = list(values)
    for each, said in zip(orders, found, strict=True):
        for row in each:
            expected[row] = said[0] if len(set(said)) == 1 else values[row]
    assert told.inherited == expected


@given(_ROWS)
def test_what_an_order_holds(rows: Sequence[tuple[str, str]]) -> None:
    """One value, or all of them in the rows' order where they do not agree."""
    import pandas as pd  # noqa: PLC0415 - only here

    emails, values = [email for email, _ in rows], [value for _, value in rows]
    blank = {column.value: [""] * len(rows) for column in Column}
    texts = blank | {"email": emails, "employee": emails, "reference": blank["email"], "firstname": values}
    mapped = make_mapped(make_sheet([], []))
    orders, loose = group(Checked(mapped=mapped, frame=pd.DataFrame(texts, dtype=str), findings=()))
    assert loose == tuple(row for row, email in enumerate(emails) if not email)
    assert [order.email for order in orders] == [email for email in dict.fromkeys(emails) if email]
    for order in orders:
        assert order.lines == tuple(row for row, email in enumerate(emails) if email == order.email)
        assert order.contents.firstname == "\x00".join(dict.fromkeys(values[line] for line in order.lines))
        assert order.contents.lastname == ""
