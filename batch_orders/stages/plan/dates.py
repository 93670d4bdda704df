"""Orders with a start date: they wait until it is near enough, and a warning says where shipping cannot make it."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from batch_orders.messages import findings as messages
from batch_orders.messages import outcomes
from batch_orders.models import Column, Finding, FindingCode, Outcome, Remark, RowStatus, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from batch_orders.models import Checked, Decision, History, Order

# Whatever carries a parcel, it is not there on the day it leaves.
_AT_LEAST = 1


def until_their_dates(decisions: Sequence[Decision], checked: Checked, history: History) -> list[Decision]:
    """The decisions; where one was to send (also what was refused before) and its date is too far off, to wait."""
    if history.order_ahead is None:
        return list(decisions)
    starts = checked.frame[Column.START_DATE].tolist()
    return [_until_its_date(decision, starts, history.now, history.order_ahead) for decision in decisions]


def _until_its_date(decision: Decision, starts: Sequence[str], now: datetime, ahead: timedelta) -> Decision:
    is_open = decision.send or (decision.settled is not None and decision.settled.status is RowStatus.REJECTED)
    start = _start(starts, decision.order) if is_open else None
    if start is None:
        return decision
    goes_at = _goes_at(start, ahead)
    if now >= goes_at:
        return decision
    message = outcomes.waits_for_its_date(goes_at.date().isoformat(), start.isoformat())
    return dataclasses.replace(decision, settled=Outcome(status=RowStatus.WAITING, message=message))


def late_findings(decisions: Iterable[Decision], checked: Checked, history: History) -> Iterator[Finding]:
    """A warning for each order, to be sent now or on its day, that cannot arrive by its start date."""
    if history.order_ahead is None:
        return
    starts = checked.frame[Column.START_DATE].tolist()
    for decision in decisions:
        is_waiting = decision.settled is not None and decision.settled.status is RowStatus.WAITING
        start = _start(starts, decision.order) if decision.send or is_waiting else None
        if start is None:
            continue
        sent = max(history.now, _goes_at(start, history.order_ahead)).date()
        method = decision.order.contents.expedite_shipping
        days = max(_AT_LEAST, history.shipping_days.get(method.casefold(), _AT_LEAST))
        if sent + timedelta(days=days) > start:
            yield _late(checked, decision.order.lines, messages.late(method, days, start.isoformat(), sent.isoformat()))


def _start(starts: Sequence[str], order: Order) -> date | None:
    """The order's start date; None where it has none."""
    text = starts[order.lines[0]]
    return date.fromisoformat(text) if text else None


def _goes_at(start: date, ahead: timedelta) -> datetime:
    """When an order for this start date may go; days begin in UTC, as everything in the ledger does."""
    try:
        return datetime.combine(start, time(), UTC) - ahead
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


def _late(checked: Checked, lines: Sequence[int], told: tuple[str, str]) -> Finding:
    column = Column.START_DATE
    remark = Remark(
        code=FindingCode.LATE, severity=Severity.WARNING, message=" ".join(told), column=column, fact=told[0]
    )
    return checked.mapped.finding(remark, column, lines)
