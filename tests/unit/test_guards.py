"""Guards: what is fine in itself and looks like a mistake is held until a person has looked."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_orders import identity
from batch_orders.models import (
    NO_CONTENTS,
    Catalog,
    FindingCode,
    History,
    Numbered,
    OrderState,
    Plan,
    Remembered,
    RowStatus,
    Warehouse,
)
from batch_orders.stages.columns import map_columns
from batch_orders.stages.group import group
from batch_orders.stages.plan import guards, plan, traces_asked_for
from batch_orders.stages.plan.guards import _traces
from batch_orders.stages.plan.people import People
from batch_orders.stages.validate import validate
from tests.builders import make_sheet

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from batch_orders.models import Checked

_NOW = datetime(2026, 11, 24, tzinfo=UTC)
_MOUSE, _DOCK = "Mouse", "Dock"
_CATALOG = Catalog(
    warehouses=(Warehouse(id="w", name="W", shipping_options=("UPS Ground",), stock={_MOUSE: 99, _DOCK: 99}),)
)
_HEADERS = (
    "Email", "First name", "Last name", "Phone number", "Shipping address", "City", "State / province",
    "ZIP / postal code", "Country", "Product title", "Quantity", "Order reference",
)  # fmt: skip


def _row(
    email: str, *, first: str = "Ana", phone: str = "+12125550142", zip_code: str = "10001", title: str = _MOUSE,
    reference: str = "",
) -> tuple[str, ...]:  # fmt: skip
    return (email, first, "Sample", phone, "1 Main", "New York", "NY", zip_code, "US", title, "1", reference)


def _checked(rows: Sequence[tuple[str, ...]], *, results: Sequence[str] = ()) -> Checked:
    headers = _HEADERS + (
        ("order_status", "order_number", "order_message", "submitted_at", "run_id") if results else ()
    )
    whole = [(*row, *(("ordered", results[index], "", "", "") if results else ())) for index, row in enumerate(rows)]
    return validate(map_columns(make_sheet(headers, whole)), _CATALOG)


def _plan(
    rows: Sequence[tuple[str, ...]],
    placed: Iterable[Remembered] = (),
    *,
    released: Iterable[str] = (),
    results: Sequence[str] = (),
    known: Iterable[str] = (),
    repeat_days: int = 90,
    forgotten: bool = False,
) -> Plan:
    """The plan for these rows, with keys that are the employee and reference, and what the ledger has (or had)."""
    checked = _checked(rows, results=results)
    grouped, loose = group(checked)
    orders = [(f"{order.employee}/{order.reference}", order) for order in grouped]
    placed = list(placed)
    left = {
        trace: tuple(
            remembered
            for remembered in placed
            if trace
            in {
                identity.employee_trace(identity.normalise_email(remembered.email)),
                *identity.traces(identity.normalise_email(remembered.email), remembered.contents),
            }
        )
        for trace in traces_asked_for(order for _, order in orders)
    }
    by_trace = {trace: found for trace, found in left.items() if found}
    if forgotten:
        by_trace = {trace: tuple(map(_forgotten, found)) for trace, found in by_trace.items()}
        placed = list(map(_forgotten, placed))
    return plan(
        checked,
        orders,
        loose,
        remembered={remembered.key: remembered for remembered in placed},
        history=History(
            now=_NOW,
            repeat_days=repeat_days,
            look_alikes=by_trace,
            known_numbers=dict.fromkeys(known, Numbered("ana@example.com/", "" if forgotten else "ana@example.com")),
        ),
        catalog=_CATALOG,
        retry_rejected=False,
        released=frozenset(released),
    )


def test_a_rejected_order_that_looks_like_a_mistake_is_held() -> None:
    """Also where nothing was changed: `held` comes before `rejected` in the contract's order."""
    row = _row("private@example.org", title=_DOCK)
    refused = dataclasses.replace(_placed(row), state=OrderState.REJECTED, order_number=None, message="Refused.")
    (alone,) = _plan([row], [refused]).decisions
    assert alone.settled
    assert alone.settled.status is RowStatus.REJECTED
    planned = _plan([row], [refused, _placed(_row("ana@example.com"))])
    assert planned.decisions[0].blocked[0][0] is RowStatus.HELD
    assert _codes(planned) == ["near_duplicate"]


def _placed(row: tuple[str, ...], *, days_ago: int = 10, seen: int | None = None) -> Remembered:
    """An order of this one row, placed so many days ago, and seen by a run so many days ago."""
    (order,), _ = group(_checked([row]))
    when = _NOW - timedelta(days=days_ago)
    return Remembered(
        key=f"{order.employee}/{order.reference}",
        state=OrderState.ORDERED,
        email=order.email,
        order_reference=order.order_reference,
        contents=order.contents,
        content_hash=identity.content_hash(order.contents),
        order_number="1001",
        message="Ordered.",
        run_id="r1",
        submitted_at=when,
        attempts=1,
        busy=False,
        last_seen_at=when if seen is None else _NOW - timedelta(days=seen),
    )


def _forgotten(remembered: Remembered) -> Remembered:
    """The same order without its personal data."""
    return dataclasses.replace(remembered, email="", order_reference="", contents=NO_CONTENTS, forgotten_at=_NOW)


def _codes(planned: Plan) -> list[str]:
    return [finding.code.value for finding in planned.findings]


def _statuses(planned: Plan) -> list[RowStatus]:
    return [
        decision.settled.status if decision.settled else decision.blocked[0][0] if decision.blocked else RowStatus.READY
        for decision in planned.decisions
    ]


@pytest.mark.parametrize(
    "other",
    [
        _row("private@example.org", phone="+13035550199"),  # the same name and postal code
        _row("private@example.org", zip_code="80202"),  # the same name and phone
        _row("ana+desk@example.com", first="A.", phone="+13035550199"),  # the same mailbox
        _row("ANA SAMPLE", phone="+13035550199"),  # an invalid address counts as another one
    ],
)
def test_the_same_person_twice_in_a_sheet(other: tuple[str, ...]) -> None:
    """Both orders are held, and each says which row the other is."""
    planned = _plan([_row("ana@example.com"), other])
    assert _codes(planned).count("near_duplicate") == 2
    assert planned.to_send == ()
    assert _statuses(planned)[0] is RowStatus.HELD


@pytest.mark.parametrize(
    "other",
    [
        _row("ben@example.com", first="Ben"),  # a household shares phone and postal code
        _row("other@example.com", phone="+13035550199", zip_code="80202"),  # a namesake elsewhere
    ],
)
def test_two_people(other: tuple[str, ...]) -> None:
    """A phone shared by different names, or a name alone, is no reason."""
    planned = _plan([_row("ana@example.com"), other])
    assert not {"near_duplicate", "repeat_item"} & set(_codes(planned))
    assert len(planned.to_send) == 2


def test_a_row_without_email_holds_its_namesake() -> None:
    """The row may be the rest of that person's desk."""
    planned = _plan([_row("ana@example.com"), _row("", title=_DOCK)])
    assert _statuses(planned) == [RowStatus.HELD]
    assert "row 3" in planned.decisions[0].blocked[0][1][0]


def test_the_same_person_in_the_ledger() -> None:
    """Only the new order is held; the message names the order that was placed."""
    row = _row("ana@example.com")
    planned = _plan([row, _row("private@example.org", title=_DOCK)], [_placed(row)])
    assert _statuses(planned) == [RowStatus.ALREADY_ORDERED, RowStatus.HELD]
    assert "1001" in planned.decisions[1].blocked[0][1][0]


def test_released_orders_are_sent() -> None:
    """--release sends the named order, and no other."""
    rows = [_row("ana@example.com"), _row("private@example.org")]
    planned = _plan(rows, released=["private@example.org/"])
    assert [decision.order.email for decision in planned.to_send] == ["private@example.org"]


def test_the_same_title_under_another_reference() -> None:
    """Held within repeat_days, sent after them; another title, name or a longer memory is no reason."""
    first, again = _row("ana@example.com"), _row("ana@example.com", reference="second")
    assert _codes(_plan([again], [_placed(first, days_ago=89)])) == ["repeat_item"]
    assert _codes(_plan([again], [_placed(first, days_ago=91)])) == []
    assert _codes(_plan([again], [_placed(first, days_ago=20)], repeat_days=10)) == []
    assert _codes(_plan([_row("ana@example.com", reference="second", title=_DOCK)], [_placed(first)])) == []
    assert _codes(_plan([_row("ana@example.com", reference="ben", first="Ben")], [_placed(first)])) == []


def test_a_look_alike_that_may_not_have_been_placed() -> None:
    """Nobody is told to take rows out for an order that perhaps was never placed."""
    first = _row("ana@example.com")
    unknown = dataclasses.replace(_placed(first), state=OrderState.UNKNOWN, order_number=None)
    for row in (_row("ana@example.com", reference="second"), _row("private@example.org")):
        (finding,) = _plan([row], [unknown]).findings
        assert "settle it first" in finding.message
        assert "was ordered" not in finding.message


def test_the_same_title_under_two_references_of_a_sheet() -> None:
    """Both are held; five hires on a manager's address are five names, and fine."""
    twice = [_row("ana@example.com", reference=reference) for reference in ("one", "two")]
    assert _codes(_plan(twice)) == ["repeat_item", "repeat_item"]
    more = [_row("ana@example.com", title=_DOCK), *twice[:1], _row("ana@example.com", reference="one", title=_DOCK)]
    assert [f"(row {row})" in finding.message for row, finding in zip((4, 2), _plan(more).findings, strict=True)] == [
        True,
        True,
    ]
    hires = [_row("boss@example.com", first=name, reference=name) for name in ("Ida", "Jon", "Kim", "Lea", "Max")]
    assert len(_plan(hires).to_send) == 5


def test_a_number_that_the_ledger_does_not_know() -> None:
    """The row is held, at its cell, with the other rows of its order; a known number is no reason."""
    rows = [_row("ana@example.com"), _row("ana@example.com", title=_DOCK)]
    planned = _plan(rows, results=["77", ""])
    (finding,) = planned.findings
    assert (finding.code, str(finding.cells[0])) == (FindingCode.UNKNOWN_HISTORY, "N2")
    assert [status for status, _ in planned.decisions[0].blocked] == [RowStatus.HELD, RowStatus.HELD]
    assert [status for status, _ in _plan(rows, results=["", ""]).decisions[0].blocked] == [RowStatus.HELD] * 2
    assert len(_plan(rows, results=["77", ""], known=["77"]).to_send) == 1


@pytest.mark.parametrize(
    ("days_ago", "seen", "warned"), [(200, 100, True), (200, 30, False), (170, 170, False), (200, None, True)]
)
def test_ordered_long_ago(days_ago: int, seen: int | None, warned: bool) -> None:
    """A warning for what was placed half a year ago and no run has seen for a quarter; nothing is sent."""
    row = _row("ana@example.com")
    planned = _plan([row], [_placed(row, days_ago=days_ago, seen=seen)])
    assert _codes(planned) == (["ordered_long_ago"] if warned else [])
    assert planned.to_send == ()


def test_a_forgotten_person_under_another_address() -> None:
    """Held still, by the traces that are left; the message has nothing of what was forgotten."""
    planned = _plan([_row("private@example.org")], [_placed(_row("ana@example.com"), days_ago=400)], forgotten=True)
    (finding,) = planned.findings
    assert (finding.code, _statuses(planned)) == (FindingCode.NEAR_DUPLICATE, [RowStatus.HELD])
    assert "order 1001" in finding.message
    assert "example.com" not in finding.message


def test_a_forgotten_employee_s_further_order() -> None:
    """The same address under another reference is nobody's look-alike, and what it repeats is not known any more."""
    placed = _placed(_row("ana@example.com"), days_ago=400)
    assert len(_plan([_row("ana@example.com", reference="2")], [placed], forgotten=True).to_send) == 1


def test_the_number_of_a_forgotten_order() -> None:
    """On a row with another e-mail, name and address it is another's; on its own row it is no reason."""
    married = _row("ana.new@example.com", first="Anna", phone="+12125550199", zip_code="10002")
    planned = _plan([married], results=["77"], known=["77"], forgotten=True)
    assert _codes(planned) == ["near_duplicate"]
    assert "removed" in planned.findings[0].message
    assert len(_plan([_row("ana@example.com")], results=["77"], known=["77"], forgotten=True).to_send) == 1


def test_what_a_changed_forgotten_order_says() -> None:
    """Its number, its day, that the rest is not known any more, and what can be done: no invented difference."""
    placed = _placed(_row("ana@example.com"), days_ago=400)
    (decision,) = _plan([_row("ana@example.com", title=_DOCK)], [placed], forgotten=True).decisions
    assert decision.settled
    assert decision.settled.status is RowStatus.CHANGED
    for part in ("order 1001", "2025-10-20", "removed on 2026-11-24", "order reference", "--keep"):
        assert part in decision.settled.message
    assert "Dock" not in decision.settled.message


def test_invalid_rows_stay_invalid() -> None:
    """A row's own error is told before the suspicion about its order."""
    planned = _plan([_row("ana@example.com"), _row("private@example.org", title="Nothing")])
    assert _statuses(planned) == [RowStatus.HELD, RowStatus.INVALID]


def test_traces_are_blind_to_spelling() -> None:
    """Case, spaces and composition of a name or postal code make no other person."""
    (order,), _ = group(_checked([_row("ana@example.com")]))
    shouted = dataclasses.replace(order.contents, firstname=" ANA", shipping_zip="100 01")
    assert set(identity.traces("x@example.com", shouted)) >= set(identity.traces("x@example.com", order.contents))


_SOME = st.sampled_from


@given(
    people=st.lists(
        st.tuples(
            _SOME(["ana@example.com", "ana+a@example.com", "ben@example.com", "row 3", "row 9"]),
            st.sets(_SOME(["zip:1", "zip:2", "phone:1", "phone:2", "mailbox:ana"]), max_size=3),
        ),
        max_size=30,
    ),
    most=st.integers(1, 5),
)
def test_others_are_what_comparing_each_with_each_finds(people: list[tuple[str, set[str]]], most: int) -> None:
    """The groups that spare comparing each pair lose nobody, count nobody twice and name the first ones."""
    grouped = People(most=most)
    for line, (who, traces) in enumerate(people):
        grouped.add(who, traces, line)
    for who, traces in people:
        each = [line for line, (other, theirs) in enumerate(people) if other != who and traces & theirs]
        assert grouped.others(who, sorted(traces)) == (each[:most], len(each))


_FIRST, _ADDRESSES = (
    ("Ana", " ana", "Ben", ""),
    ("a@example.com", "A+x@example.com", "b@example.com", "+y@b.com", "b", ""),
)


@given(
    st.lists(
        st.builds(_row, _SOME(_ADDRESSES), first=_SOME(_FIRST), zip_code=_SOME(["10001", "10002", ""])), max_size=8
    )
)
def test_only_who_shares_something_need_be_compared(rows: list[tuple[str, ...]]) -> None:
    """The others are told apart by their names and mailboxes alone, and the plan is the same."""
    numbered = [(*row[:-1], str(number)) for number, row in enumerate(rows)] or [_row("a@example.com")]
    everybody = {"_traces_to_compare": lambda orders, *_: {p: _traces(o) for p, (_, o) in enumerate(orders)}}
    planned = _plan(numbered)
    with patch.multiple(guards, **everybody):
        assert _plan(numbered) == planned


def test_a_column_filled_down() -> None:
    """Very many rows of one name are all held, and each says how many others there are."""
    planned = _plan([_row(f"e{number}@example.com") for number in range(3_000)])
    assert set(_statuses(planned)) == {RowStatus.HELD}
    message = planned.decisions[10].blocked[0][1][0]
    assert "rows 2, 3, 4, 5, 6, 7, 8, 9 and 2,991 more" in message
