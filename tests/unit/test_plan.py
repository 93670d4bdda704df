"""The plan: statuses are decided in the contract's order, and the first that holds is the row's."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest

from batch_orders import identity
from batch_orders.models import (
    Catalog,
    History,
    Order,
    OrderState,
    Outcome,
    Plan,
    Remembered,
    RowStatus,
    Warehouse,
)
from batch_orders.stages.columns import map_columns
from batch_orders.stages.group import group
from batch_orders.stages.plan import plan
from batch_orders.stages.report import exit_code, report
from batch_orders.stages.validate import validate
from tests.builders import make_sheet

_NOW = datetime(2026, 11, 24, tzinfo=UTC)
_CATALOG = Catalog(warehouses=(Warehouse(id="w", name="", shipping_options=(), stock={"Mouse": 1, "Dock": 5}),))
_HEADERS = (
    "Email", "First name", "Last name", "Phone", "Address", "City", "Country", "ZIP", "Product title", "Qty",
)  # fmt: skip


def _row(title: str, quantity: str = "1") -> tuple[str, ...]:
    return ("ana@example.com", "Ana", "Sample", "+4930231250", "Weg 1", "Berlin", "DE", "10115", title, quantity)


def _plan(
    *rows: tuple[str, ...],
    state: OrderState | None = None,
    held: tuple[tuple[str, ...], ...] | None = None,
    retry: bool = False,
) -> list[RowStatus]:
    """The rows' statuses; the ledger has the order in `state` with the rows `held` (None: the same)."""
    planned, order = _planned(*rows, state=state, held=held, retry=retry)
    mapped = map_columns(make_sheet(_HEADERS, rows))
    unsent = Outcome(status=RowStatus.READY, message="")
    done = report(planned, mapped, command="check", run_id=None, ended={}, unsent=unsent, about=())
    assert len(done.orders) == 1
    assert order.lines == tuple(range(len(rows)))
    return [row.status for row in done.rows]


def _planned(
    *rows: tuple[str, ...],
    state: OrderState | None,
    held: tuple[tuple[str, ...], ...] | None,
    retry: bool,
) -> tuple[Plan, Order]:
    checked = validate(map_columns(make_sheet(_HEADERS, rows)), _CATALOG)
    (order,), loose = group(checked)
    before = validate(map_columns(make_sheet(_HEADERS, held)), _CATALOG) if held else checked
    contents = group(before)[0][0].contents
    remembered = Remembered(
        key="k",
        state=state or OrderState.PLANNED,
        email=order.email,
        order_reference="",
        contents=contents,
        content_hash=identity.content_hash(contents),
        order_number="1001" if state is OrderState.ORDERED else None,
        message="before",
        run_id="r0",
        submitted_at=_NOW,
        attempts=1,
        busy=False,
    )
    planned = plan(
        checked,
        [("k", order)],
        loose,
        remembered={"k": remembered} if state else {},
        history=History(now=_NOW, repeat_days=90),
        catalog=_CATALOG,
        retry_rejected=retry,
    )
    return planned, order


_MOUSE, _DOCK, _GONE = _row("Mouse"), _row("Dock"), _row("Discontinued")
_INVALID, _HELD, _CHANGED, _READY = RowStatus.INVALID, RowStatus.HELD, RowStatus.CHANGED, RowStatus.READY


def test_a_new_order_is_ready() -> None:
    """Nothing is known of it, and nothing is wrong."""
    assert _plan(_MOUSE, _DOCK) == [_READY, _READY]
    assert _plan(_MOUSE, state=OrderState.PLANNED) == [_READY]


def test_one_bad_row_holds_its_order() -> None:
    """Nobody gets half a desk by accident."""
    assert _plan(_MOUSE, _GONE) == [_HELD, _INVALID]


def test_already_ordered_wins_over_everything() -> None:
    """Today's catalog no longer matters to what was placed, and nothing need be mended."""
    assert _plan(_MOUSE, _GONE, state=OrderState.ORDERED) == [RowStatus.ALREADY_ORDERED] * 2
    planned, _ = _planned(_MOUSE, _GONE, state=OrderState.ORDERED, held=None, retry=False)
    assert planned.findings == ()


def test_unknown_wins_over_invalid_and_changed() -> None:
    """Whatever the sheet says now, a person must settle it first."""
    assert _plan(_GONE, state=OrderState.UNKNOWN) == [RowStatus.UNKNOWN]
    assert _plan(_DOCK, state=OrderState.UNKNOWN, held=(_MOUSE,)) == [RowStatus.UNKNOWN]


def test_invalid_wins_over_changed_and_changed_over_held() -> None:
    """A row with an error is invalid; the fine ones of a changed order are changed."""
    assert _plan(_DOCK, state=OrderState.ORDERED, held=(_MOUSE,)) == [_CHANGED]
    assert _plan(_DOCK, _GONE, state=OrderState.ORDERED, held=(_MOUSE,)) == [_CHANGED, _INVALID]


def test_rejected_until_changed_or_asked_for() -> None:
    """The same contents wait; other ones, or --retry-rejected, are sent."""
    assert _plan(_MOUSE, state=OrderState.REJECTED) == [RowStatus.REJECTED]
    assert _plan(_MOUSE, state=OrderState.REJECTED, retry=True) == [_READY]
    assert _plan(_DOCK, state=OrderState.REJECTED, held=(_MOUSE,)) == [_READY]
    assert _plan(_GONE, state=OrderState.REJECTED) == [_INVALID]


def test_stock_counts_only_what_would_be_sent() -> None:
    """Two mice asked for and one there is a warning; mice that are ordered already take nothing."""
    planned, _ = _planned(_row("Mouse", "2"), state=None, held=None, retry=False)
    assert [finding.code.value for finding in planned.findings] == ["out_of_stock"]
    planned, _ = _planned(_row("Mouse", "2"), state=OrderState.ORDERED, held=None, retry=False)
    assert planned.findings == ()


@pytest.mark.parametrize(
    ("statuses", "stopped", "code"),
    [
        ({"ordered", "already_ordered", "waiting"}, False, 0),
        ({"ready"}, False, 0),
        ({"invalid"}, False, 3),
        ({"invalid", "held"}, False, 4),
        ({"ordered", "invalid"}, False, 4),
        ({"changed"}, False, 4),
        ({"rejected", "ordered"}, False, 4),
        ({"not_sent", "invalid"}, False, 6),
        ({"ordered"}, True, 6),
        ({"unknown", "not_sent", "invalid"}, True, 5),
    ],
)
def test_exit_codes(statuses: set[str], stopped: bool, code: int) -> None:
    """Where several hold, 5 wins over 6, and 6 over 4."""
    assert exit_code(dict.fromkeys(map(RowStatus, statuses), 1), stopped=stopped) == code


def test_contents_that_disagree_never_look_ordered() -> None:
    """An order whose rows contradict each other has contents that no sent order has."""
    rows = (_MOUSE, (*_DOCK[:5], "Hamburg", *_DOCK[6:]))
    planned, order = _planned(*rows, state=None, held=None, retry=False)
    assert planned.to_send == ()
    either = dataclasses.replace(order.contents, shipping_city="Berlin")
    assert identity.content_hash(order.contents) != identity.content_hash(either)


def test_rows_that_say_the_same_are_one_object() -> None:
    """A long sheet would hold the same result for each of its rows; with the same note too."""
    rows = [(f"e{number}@example.com", f"Name{number}", *_MOUSE[2:]) for number in range(4)]
    rows.append(("last@example.com", "Last", *_DOCK[2:]))
    mapped = map_columns(make_sheet(_HEADERS, rows))
    checked = validate(mapped, _CATALOG)
    grouped, loose = group(checked)
    planned = plan(
        checked,
        [(None, order) for order in grouped],
        loose,
        remembered={},
        history=History(now=_NOW, repeat_days=90),
        catalog=_CATALOG,
        retry_rejected=False,
    )
    unsent = Outcome(status=RowStatus.READY, message="Ready.")
    kept, told = (
        report(planned, mapped, command="check", run_id=run_id, ended={}, unsent=unsent, about=())
        for run_id in ("r1", None)
    )
    assert len({id(row) for row in told.rows[:4]}) == len({id(row) for row in kept.rows[:4]}) == 1
    assert told.rows[0].message.startswith("Ready. Note: The sheet asks for 4 of ")
    assert told.rows[4].message == "Ready."
    # Only what is kept is ever compared with what the ledger has later.
    assert [order.content_hash for order in told.orders] == [""] * 5
    assert [order.content_hash for order in kept.orders] == [identity.content_hash(o.contents) for o in grouped]
