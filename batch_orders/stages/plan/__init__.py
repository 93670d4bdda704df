"""Plan: orders × findings × what the ledger remembers → decisions, in the contract's order of statuses.

An order that is placed already, with the same contents, is `already_ordered` whatever today's catalog or rules say;
then come `unknown`, `invalid`, `changed`, `held`, `waiting` for its date, and what is left may be sent.
"""

from __future__ import annotations

import dataclasses
import functools
from collections import defaultdict
from typing import TYPE_CHECKING

from batch_orders import identity
from batch_orders.messages import findings as finding_messages
from batch_orders.messages import outcomes
from batch_orders.models import (
    Column,
    Decision,
    Finding,
    FindingCode,
    OrderState,
    Outcome,
    Plan,
    Remark,
    RowStatus,
    Severity,
)
from batch_orders.stages.plan.dates import late_findings, until_their_dates
from batch_orders.stages.plan.guards import LONG_AGO, guard, long_ago, numbers_in_sheet, placed_since, traces_asked_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batch_orders.models import Catalog, Checked, Contents, History, Order, Remembered

__all__ = ["LONG_AGO", "numbers_in_sheet", "placed_since", "plan", "standing", "traces_asked_for"]


def plan(
    checked: Checked,
    orders: Sequence[tuple[str | None, Order]],
    loose_lines: tuple[int, ...],
    *,
    remembered: Mapping[str, Remembered],
    history: History,
    catalog: Catalog,
    retry_rejected: bool,
    released: frozenset[str] = frozenset(),
) -> Plan:
    """What is to happen with each order. `orders` come with their keys (None where there is no ledger).

    `released` are the keys of orders that a person sends on purpose although they look like a mistake.
    """
    errors = _errors_by_row(checked)
    in_doubt = _lines_in_doubt(checked)
    decisions = [
        _unknown_here(order, key, checked)
        if not in_doubt.isdisjoint(order.lines) and key not in remembered
        else _decide(order, key, errors, remembered.get(key) if key else None, checked, retry_rejected=retry_rejected)
        for key, order in orders
    ]
    # A refused order, too, is held first if it looks like a mistake: it is not to be sent again until that is cleared.
    still_open = [p for p, d in enumerate(decisions) if d.settled is None or d.settled.status is RowStatus.REJECTED]
    doubtful = [p for p, d in enumerate(decisions) if d.settled and d.settled.status is RowStatus.UNKNOWN]
    guarded = guard(checked, orders, loose_lines, history, open_orders=still_open, doubtful=doubtful, released=released)
    for position, messages in guarded.holds.items():
        decisions[position] = _held(decisions[position], " ".join(dict.fromkeys(messages)))
    decisions = until_their_dates(decisions, checked, history)
    placed = [d for d in decisions if d.settled and d.settled.status is RowStatus.ALREADY_ORDERED]
    done = {line for decision in placed for line in decision.order.lines}
    warned = [long_ago(checked, d.order, remembered[d.key], history.now) for d in placed if d.key]
    return Plan(
        decisions=tuple(decisions),
        loose_lines=loose_lines,
        findings=(
            *_still_matter(checked, done),
            *guarded.findings,
            *(finding for finding in warned if finding is not None),
            *late_findings(decisions, checked, history),
            *_shortages(checked, decisions, catalog),
        ),
        released=released,
    )


def _lines_in_doubt(checked: Checked) -> set[int]:
    """The lines of a results file whose rows say `unknown`."""
    if not checked.mapped.told:
        return set()
    return {line for line, (status, _) in enumerate(checked.mapped.history()) if status == RowStatus.UNKNOWN}


def _unknown_here(order: Order, key: str | None, checked: Checked) -> Decision:
    """Another ledger's unknown order stays unknown: a lost ledger is no proof that nothing was placed."""
    message = outcomes.unknown_elsewhere(checked.mapped.on_command_line)
    return Decision(order=order, key=key, settled=Outcome(status=RowStatus.UNKNOWN, message=message))


def _held(decision: Decision, message: str) -> Decision:
    """The order looks like a mistake: rows with errors of their own stay invalid, the others are held for this."""
    held = RowStatus.HELD, (message,)
    rows = decision.blocked or (held,) * len(decision.order.lines)
    blocked = tuple(held if row[0] is RowStatus.HELD else row for row in rows)
    return dataclasses.replace(decision, settled=None, blocked=blocked)


def standing(remembered: Remembered, contents: Contents, *, retry_rejected: bool) -> Outcome | None:
    """How an order that the ledger knows stands for these contents; None where it may be sent (again)."""
    same = remembered.content_hash == identity.content_hash(contents)
    match remembered.state:
        case OrderState.ORDERED if same:
            status, message = RowStatus.ALREADY_ORDERED, outcomes.already_ordered(remembered)
        case OrderState.ORDERED:
            status, message = RowStatus.CHANGED, outcomes.changed(remembered, contents)
        case OrderState.UNKNOWN:
            status, message = RowStatus.UNKNOWN, remembered.message
        case OrderState.REJECTED if same and not retry_rejected:
            status, message = RowStatus.REJECTED, outcomes.rejected_before(remembered.message)
        case _:
            return None
    return remembered.outcome(status, message)


def _decide(
    order: Order,
    key: str | None,
    errors: Mapping[int, tuple[str, ...]],
    remembered: Remembered | None,
    checked: Checked,
    *,
    retry_rejected: bool,
) -> Decision:
    settled = standing(remembered, order.contents, retry_rejected=retry_rejected) if remembered else None
    rows = [checked.mapped.row_number(line) for line in order.lines]
    wrong = [row for row in rows if row in errors]
    if not wrong or (settled is not None and settled.status in {RowStatus.ALREADY_ORDERED, RowStatus.UNKNOWN}):
        return Decision(order=order, key=key, settled=settled)
    fine = (
        (RowStatus.CHANGED, (settled.message,))
        if settled is not None and settled.status is RowStatus.CHANGED
        else (RowStatus.HELD, (outcomes.held(dict.fromkeys(wrong)),))
    )
    blocked = tuple((RowStatus.INVALID, errors[row]) if row in errors else fine for row in rows)
    return Decision(order=order, key=key, blocked=blocked)


def _errors_by_row(checked: Checked) -> dict[int, tuple[str, ...]]:
    """All error messages about each row, by Excel's number of it: an error in a row is all its lines'."""
    found: dict[int, list[str]] = defaultdict(list)
    for finding in checked.findings:
        if finding.severity is Severity.ERROR:
            for number in finding.rows:
                found[number].append(finding.message)
    # Where a mistake goes through a whole column, very many rows say the same: it is held once.
    once = functools.cache(lambda messages: messages)
    return {number: once(tuple(dict.fromkeys(messages))) for number, messages in found.items()}


def _still_matter(checked: Checked, done: set[int]) -> tuple[Finding, ...]:
    """Findings about rows that are ordered already are dropped: nobody need mend them."""
    if not done:
        return checked.findings
    gone = set(checked.mapped.row_numbers(done))
    return tuple(f for f in checked.findings if not f.rows or not gone.issuperset(f.rows))


def _shortages(checked: Checked, decisions: Sequence[Decision], catalog: Catalog) -> tuple[Finding, ...]:
    """Where the orders to be sent ask for more of a title than all warehouses together have."""
    titles = checked.frame[Column.PRODUCT_TITLE].tolist()
    quantities = checked.frame[Column.QUANTITY].tolist()
    asked: dict[str, int] = defaultdict(int)
    lines: dict[str, list[int]] = defaultdict(list)
    for decision in decisions:
        if decision.send:
            for line in decision.order.lines:
                asked[titles[line]] += int(quantities[line])
                lines[titles[line]].append(line)
    stock = catalog.stock
    return tuple(
        _shortage(checked, title, asked[title], stock.get(title, 0), lines[title])
        for title in asked
        if asked[title] > stock.get(title, 0)
    )


def _shortage(checked: Checked, title: str, asked: int, stock: int, lines: Sequence[int]) -> Finding:
    numbers = checked.mapped.row_numbers(lines)
    remark = Remark(
        code=FindingCode.OUT_OF_STOCK,
        severity=Severity.WARNING,
        message=finding_messages.out_of_stock(title, asked, stock, asked - stock, numbers),
        column=Column.PRODUCT_TITLE,
    )
    return checked.mapped.finding(remark, Column.PRODUCT_TITLE, lines)
