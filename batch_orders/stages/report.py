"""Report: decisions × outcomes → a result for every row, the sums, and the exit code. Pure; the writer only writes."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections import Counter, defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from batch_orders import identity
from batch_orders.messages import findings as finding_messages
from batch_orders.messages import outcomes, runs
from batch_orders.models import (
    GUARDS,
    Cell,
    Column,
    Finding,
    FindingCode,
    OrderResult,
    OrderState,
    Outcome,
    Remark,
    Report,
    ResultRow,
    RowStatus,
    Severity,
    order_id,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from batch_orders.errors import BatchOrdersError
    from batch_orders.models import Decision, Mapped, Plan, Remembered

_ORDER_OF_STATUSES = {status: rank for rank, status in enumerate(RowStatus)}
_NOTE = "Note"
_NEXT = "What next"
_NEED_A_CHANGE = {RowStatus.INVALID, RowStatus.CHANGED, RowStatus.HELD, RowStatus.REJECTED}
_DONE = {RowStatus.ALREADY_ORDERED, RowStatus.WAITING, RowStatus.READY, RowStatus.ORDERED}
# What reached the vendor, now or before: mending the sheet mends nothing there.
_SENT = {RowStatus.ALREADY_ORDERED, RowStatus.UNKNOWN, RowStatus.CHANGED, RowStatus.ORDERED}
# What an order's rows say as one, and what may have changed since the run: settled by a person, sent by another run.
_AS_ONE = {RowStatus.READY, RowStatus.ORDERED, RowStatus.REJECTED, RowStatus.NOT_SENT, RowStatus.UNKNOWN}
# What has changed only where what is ordered now has the very contents of then.
_MAYBE = {RowStatus.ALREADY_ORDERED, RowStatus.CHANGED, RowStatus.HELD, RowStatus.INVALID, RowStatus.WAITING}

EXIT_DONE, EXIT_NOTHING_VALID, EXIT_NEEDS_A_CHANGE, EXIT_UNKNOWN, EXIT_STOPPED = 0, 3, 4, 5, 6


def report(
    plan: Plan,
    mapped: Mapped,
    *,
    command: str,
    run_id: str | None,
    ended: Mapping[str, Outcome],
    unsent: Outcome,
    about: Sequence[tuple[str, str]],
    stopped: str = "",
    stop_code: int = EXIT_STOPPED,
    what_next: Callable[[int], str] = lambda _: "",
) -> Report:
    """How the run ended.

    `ended` are the outcomes of the orders that were to be sent, by key; those missing there are `unsent`. `about`
    are the summary's first lines (which sheet, which host …); `stop_code` is the exit code where `stopped` says why;
    `what_next` says what a person does after an exit code, where that is not the usual ("").
    """
    rows: list[ResultRow | None] = [None] * len(mapped.sheet.row_numbers)
    results: list[OrderResult] = []
    carried = _numbers_unknown(plan.findings, mapped)
    not_sent = _result_row(unsent, run_id)  # one for all the rows that say it
    for decision in plan.decisions:
        outcome = decision.settled or ended.get(decision.key or "", unsent)
        said = not_sent if outcome is unsent else _result_row(outcome, run_id)
        for line, result in zip(decision.order.lines, _lines_of(decision, said, run_id or ""), strict=True):
            row = mapped.rows[line]
            if row in carried and not result.order_number:
                # Else the results would no longer say that the row was ordered, and submitting them would order again.
                result = dataclasses.replace(result, order_number=carried[row])  # noqa: PLW2901 - with its number
            rows[row] = _folded(rows[row], result)
        results.append(_order_result(decision, outcome, mapped, is_kept=run_id is not None))
    findings = _as_they_stand(plan.findings, rows, mapped)
    with_notes = functools.cache(_with_notes)  # one for all the rows that say the same
    for row, notes in _notes_by_row(findings, mapped).items():
        noted = rows[row]
        rows[row] = noted and with_notes(noted, tuple(notes))
    for row, messages in _loose(plan, mapped):
        number = _number_said(mapped, row)  # whose it is shows when the e-mail is there
        rows[row] = ResultRow(status=RowStatus.INVALID, order_number=number, messages=messages, run_id=run_id or "")
    return _summed_up(
        run_id=run_id,
        command=command,
        mapped=mapped,
        rows=tuple(row for row in rows if row is not None),
        orders=tuple(results),
        findings=findings,
        notes=plan.notes,
        about=about,
        stopped=stopped,
        stop_code=stop_code,
        what_next=what_next,
    )


def _folded(one: ResultRow | None, other: ResultRow) -> ResultRow:
    """Two lines of one row as one: the first status that holds is the row's; what both say is said once."""
    if one is None or one == other:
        return other
    first = min(one, other, key=lambda result: _ORDER_OF_STATUSES[result.status])
    messages = one.messages if one.message == other.message else one.messages + other.messages
    return dataclasses.replace(first, messages=messages)


def _lines_of(decision: Decision, said: ResultRow, run_id: str) -> Sequence[ResultRow]:
    """What each of the order's lines says: the same (`said`), unless it is blocked."""
    if decision.blocked:
        return [ResultRow(status=status, messages=messages, run_id=run_id) for status, messages in decision.blocked]
    return [said] * len(decision.order.lines)


def _result_row(outcome: Outcome, run_id: str | None) -> ResultRow:
    return ResultRow(
        status=outcome.status,
        order_number=outcome.order_number or "",
        messages=(outcome.message,),
        submitted_at=outcome.submitted_at,
        run_id=outcome.run_id or run_id or "",
    )


def _order_result(decision: Decision, outcome: Outcome, mapped: Mapped, *, is_kept: bool) -> OrderResult:
    """What is said of the order; what it holds is told, as a hash, only where the report is kept for later."""
    said = decision.blocked or ((outcome.status, (outcome.message,)),)
    status, messages = min(said, key=lambda each: _ORDER_OF_STATUSES[each[0]])
    return OrderResult(
        key=decision.key,
        email=decision.order.email,
        order_reference=decision.order.order_reference,
        rows=mapped.positions(decision.order.lines),
        status=status,
        order_number=None if decision.blocked else outcome.order_number,
        messages=messages,
        attempts=0 if decision.blocked else outcome.attempts,
        content_hash=identity.content_hash(decision.order.contents) if is_kept else "",
    )


def _loose(plan: Plan, mapped: Mapped) -> Iterable[tuple[int, tuple[str, ...]]]:
    """Rows without an e-mail belong to no order; their findings say so."""
    rows = mapped.positions(plan.loose_lines)
    messages: dict[int, list[str]] = {mapped.sheet.row_numbers[row]: [] for row in rows}
    for finding in plan.findings if rows else ():
        if finding.severity is Severity.ERROR:
            for number in finding.rows:
                if number in messages:
                    messages[number].append(finding.message)
    return zip(rows, (tuple(dict.fromkeys(told)) for told in messages.values()), strict=True)


def _numbers_unknown(findings: Sequence[Finding], mapped: Mapped) -> dict[int, str]:
    """By position, the order numbers of the sheet that the ledger does not know."""
    numbers = {number for f in findings if f.code is FindingCode.UNKNOWN_HISTORY for number in f.rows}
    return {row: _number_said(mapped, row) for row in (mapped.sheet.position(number) for number in sorted(numbers))}


def _number_said(mapped: Mapped, row: int) -> str:
    """The order number that a row of a results file carries; "" where the sheet is none."""
    return str(mapped.sheet.frame.iat[row, mapped.results[1]]).strip() if mapped.results else ""


def _as_they_stand(
    findings: Iterable[Finding], rows: Sequence[ResultRow | None], mapped: Mapped
) -> tuple[Finding, ...]:
    """The findings as they hold after the run: once an order is sent, nobody mends it in the sheet."""

    def told(finding: Finding) -> Finding:
        results = [result for number in finding.rows if (result := rows[mapped.sheet.position(number)]) is not None]
        statuses = {result.status for result in results}
        if not statuses or not statuses <= _SENT:
            return finding
        numbers = dict.fromkeys(result.order_number for result in results if result.order_number)
        message = finding.fact
        if RowStatus.CHANGED not in statuses:
            message = finding_messages.sent_like_this(finding.fact, list(numbers))
        return dataclasses.replace(finding, remark=dataclasses.replace(finding.remark, afterwards=message))

    return tuple(told(finding) if finding.fact else finding for finding in findings)


def _notes_by_row(findings: Sequence[Finding], mapped: Mapped) -> dict[int, list[str]]:
    notes: dict[int, list[str]] = defaultdict(list)
    note = functools.cache("Note: {}".format)  # held once, however many rows have it
    for finding in findings:
        if finding.severity is Severity.WARNING:
            # A merged area may be as long as the sheet: it is told where its value stands.
            about = finding.rows[:1] if finding.code is FindingCode.MERGED_CELLS else finding.rows
            for number in about:
                notes[mapped.sheet.position(number)].append(note(finding.told))
    return notes


def _with_notes(row: ResultRow, notes: tuple[str, ...]) -> ResultRow:
    return dataclasses.replace(row, messages=row.messages + notes)


def _summed_up(
    *,
    run_id: str | None,
    command: str,
    mapped: Mapped,
    rows: tuple[ResultRow, ...],
    orders: tuple[OrderResult, ...],
    findings: tuple[Finding, ...],
    notes: tuple[str, ...],
    about: Sequence[tuple[str, str]],
    stopped: str,
    stop_code: int,
    what_next: Callable[[int], str],
) -> Report:
    statuses = Counter(row.status for row in rows)
    code = exit_code(statuses, stopped=bool(stopped), stop_code=stop_code)
    # What is wrong with a hidden row is said in that row, where nobody sees it.
    hidden = [row for f in findings if f.code is FindingCode.HIDDEN_ROW and not f.columns for row in f.rows]
    counts = {"rows": len(rows), "orders": len(orders)} | {status.value: statuses[status] for status in RowStatus}
    return Report(
        run_id=run_id,
        command=command,
        mapped=mapped,
        rows=rows,
        orders=orders,
        findings=findings,
        counts=counts,
        exit_code=code,
        summary=(
            *about,
            *((_NOTE, note) for note in notes),
            *_status_lines(orders, statuses, _why_held(rows, findings, mapped)),
            *([("Hidden", finding_messages.hidden_rows(hidden))] if hidden else []),
            *([("Stopped early", stopped)] if stopped else []),
            (_NEXT, what_next(code) or _next_step(code, statuses, is_check=command == "check")),
        ),
        stopped=stopped,
        notes=notes,
    )


def _next_step(code: int, statuses: Mapping[RowStatus, int], *, is_check: bool) -> str:
    if code == EXIT_DONE and statuses[RowStatus.WAITING] and not statuses[RowStatus.READY]:
        return runs.next_step_while_waiting()
    return runs.next_step(code, is_check=is_check)


def needing_work(done: Report) -> Report | None:
    """The same report on only those orders that are not done, and on rows of no order; None where there are none.

    Always whole orders: what one row of an order says (name, address) holds for the others too.
    """
    in_orders = {row for order in done.orders for row in order.rows}
    open_orders = [o for o in done.orders if any(done.rows[row].status not in _DONE for row in o.rows)]
    kept = sorted({row for o in open_orders for row in o.rows} | (set(range(len(done.rows))) - in_orders))
    return _part(done, kept, open_orders) if kept else None


def only_order(done: Report, key: str) -> Report | None:
    """The same report on one order alone; None where it has no such order."""
    found = [order for order in done.orders if order.key == key]
    return _part(done, sorted(found[0].rows), found) if found else None


def _part(done: Report, kept: list[int], orders: Sequence[OrderResult]) -> Report:
    """The report on only these rows (positions), and these orders, whose rows are all among them."""
    place = {row: position for position, row in enumerate(kept)}
    sheet = done.mapped.sheet
    part = dataclasses.replace(
        sheet,
        frame=sheet.frame.iloc[kept].reset_index(drop=True),
        row_numbers=tuple(sheet.row_numbers[row] for row in kept),
        aside={},
        values=sheet.values.of_rows(kept),
    )
    return dataclasses.replace(
        done,
        mapped=dataclasses.replace(done.mapped, sheet=part),
        rows=tuple(done.rows[row] for row in kept),
        orders=tuple(dataclasses.replace(o, rows=tuple(place[row] for row in o.rows)) for o in orders),
        partial=True,
    )


def without_results(done: Report, *, hint: str, exit_code: int) -> Report:
    """The same report where its results sheet could not be written: the run did not end well, and `hint` is next."""
    return dataclasses.replace(_with_next(done, hint), exit_code=exit_code)


def refused(done: Report, refusal: BatchOrdersError) -> Report:
    """The report of a check where `submit` would be refused: what looks ready may have been ordered long ago."""
    told = _with_next(done, f"{refusal.message} {refusal.hint}")
    return dataclasses.replace(told, notes=(*done.notes, refusal.message), exit_code=refusal.exit_code)


def marked_in(done: Report, file: str) -> Report:
    """The report of a check whose cells are marked in this file: there they are to be mended."""
    return _with_next(done, runs.next_step_in_copy(done.exit_code, file))


def _with_next(done: Report, what_next: str) -> Report:
    """The same report with something else to do next; where that is "", as it is."""
    summary = tuple((label, what_next or text if label == _NEXT else text) for label, text in done.summary)
    return dataclasses.replace(done, summary=summary)


def exit_code(statuses: Mapping[RowStatus, int], *, stopped: bool, stop_code: int = EXIT_STOPPED) -> int:
    """The contract's exit code for rows that stand like this; where several hold, 5 wins over 6, and 6 over 4."""
    found = {status for status, count in statuses.items() if count}
    if RowStatus.UNKNOWN in found:
        return EXIT_UNKNOWN
    if stopped or RowStatus.NOT_SENT in found:
        return stop_code
    if found <= {RowStatus.INVALID}:
        return EXIT_NOTHING_VALID
    return EXIT_NEEDS_A_CHANGE if found & _NEED_A_CHANGE else EXIT_DONE


def _status_lines(
    orders: Sequence[OrderResult], statuses: Mapping[RowStatus, int], why_held: Sequence[str]
) -> Iterable[tuple[str, str]]:
    by_order = Counter(order.status for order in orders)
    for status in RowStatus:
        if statuses.get(status):
            reasons = why_held if status is RowStatus.HELD else ()
            yield status.value, runs.status_line(status, statuses[status], by_order[status], reasons)


def _why_held(rows: Sequence[ResultRow], findings: Sequence[Finding], mapped: Mapped) -> Sequence[str]:
    """Each reason that holds some row, once."""
    guarded = {number: finding.code for finding in findings if finding.code in GUARDS for number in finding.rows}
    numbers = mapped.sheet.row_numbers
    held = [numbers[row] for row, result in enumerate(rows) if result.status is RowStatus.HELD]
    return list(dict.fromkeys(runs.why_held(guarded.get(number)) for number in held))


# As documents ---------------------------------------------------------------------------------------------------


def document(
    done: Report, *, results: str | None, failed: str | None = None, error: tuple[str, str] | None = None
) -> dict[str, Any]:
    """The run as the contract's `--json` document; `results` and `failed` are the paths of what was written.

    `error` is a message and a hint, where something could not be. Orders and findings are made as they are read, once.
    """
    numbers = done.mapped.sheet.row_numbers
    return {
        "run_id": done.run_id,
        "command": done.command,
        "input": str(done.mapped.sheet.path),
        "results": results,
        "failed": failed,
        "exit_code": done.exit_code,
        "error": _error_document(*error) if error else None,
        "stopped": done.stopped or None,
        "notes": list(done.notes),
        "counts": dict(done.counts),
        "orders": (_order_document(order, numbers) for order in done.orders),
        "findings": map(finding_document, done.findings),
    }


def _order_document(order: OrderResult, numbers: Sequence[int]) -> dict[str, Any]:
    return {
        "order": order_id(order.key) if order.key else None,
        "email": order.email,
        "order_reference": order.order_reference,
        "rows": [numbers[row] for row in order.rows],
        "status": order.status.value,
        "order_number": order.order_number,
        "message": order.message,
        "attempts": order.attempts,
    }


def failure_document(
    *, command: str | None, source: str | None, message: str, hint: str, exit_code: int, findings: Sequence[Finding]
) -> dict[str, Any]:
    """The `--json` document of a command that ended before it had a plan: `error` says why."""
    return {
        "run_id": None,
        "command": command,
        "input": source,
        "results": None,
        "failed": None,
        "exit_code": exit_code,
        "error": _error_document(message, hint),
        "stopped": None,
        "notes": [],
        "counts": {"rows": 0, "orders": 0} | {status.value: 0 for status in RowStatus},
        "orders": [],
        "findings": [finding_document(finding) for finding in findings],
    }


def _error_document(message: str, hint: str) -> dict[str, Any]:
    return {"message": message, "hint": hint or None}


def finding_document(finding: Finding) -> dict[str, Any]:
    """One finding as the contract's `--json` has it: null where it is about more than one row or cell."""
    cells = finding.cells
    return {
        "row": finding.rows[0] if len(finding.rows) == 1 else None,
        "column": finding.column.value if finding.column else None,
        "cell": str(cells[0]) if len(cells) == 1 else None,
        "severity": finding.severity.value,
        "code": finding.code.value,
        "message": finding.message,
        "suggestion": finding.suggestions[0] if finding.suggestions else None,
    }


def freeze(done: Report) -> bytes:
    """Everything of a report but its sheet, to be kept in the ledger."""
    parts = {
        "command": done.command,
        "rows": [[r.status, r.order_number, r.message, r.submitted_at, r.run_id] for r in done.rows],
        "orders": [_frozen_order(order) for order in done.orders],
        "findings": [_frozen_finding(finding) for finding in done.findings],
        "about": [line for line in done.summary if line[0] not in _COMPUTED_LINES],
        "stopped": done.stopped,
        "notes": done.notes,
    }
    return json.dumps(parts, default=lambda time: time.isoformat()).encode()


def _frozen_order(order: OrderResult) -> dict[str, Any]:
    parts = _fields(order)
    del parts["messages"]
    return parts | {"message": order.message}


def _frozen_finding(finding: Finding) -> dict[str, Any]:
    return _fields(finding.remark) | {"rows": finding.rows, "cells": finding.cells}


def _fields(value: OrderResult | Remark) -> dict[str, Any]:
    """As `dataclasses.asdict`, which copies also what nobody can change."""
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


def frozen_keys(frozen: bytes) -> tuple[str, ...]:
    """The keys of the orders in a kept report."""
    return tuple(order["key"] for order in json.loads(frozen)["orders"] if order["key"])


def frozen_stopped(frozen: bytes) -> bool:
    """Whether a kept report's run ended before all its orders had their turn, whatever else became of them."""
    parts = json.loads(frozen)
    return bool(parts["stopped"]) or any(order["status"] == RowStatus.NOT_SENT.value for order in parts["orders"])


def frozen_held(frozen: bytes) -> tuple[OrderResult, ...]:
    """The orders of a kept report that were held because they look like a mistake: a person may release them."""
    parts = json.loads(frozen)
    guards = {FindingCode.NEAR_DUPLICATE.value, FindingCode.REPEAT_ITEM.value}
    told = {n: f["message"] for f in parts["findings"] if f["code"] in guards for n in f["rows"]}
    return tuple(
        _thawed_order(order)
        for order in parts["orders"]
        if order["key"] and order["status"] == RowStatus.HELD.value and order["message"] in told.values()
    )


def frozen_for_people(frozen: bytes, run_id: str, now: Mapping[str, Remembered]) -> tuple[OrderResult, ...]:
    """The orders of a kept report that need a person, and still do by how they stand `now`, by key."""
    needy = {*_NEED_A_CHANGE, RowStatus.UNKNOWN}
    found = []
    for order in map(_thawed_order, json.loads(frozen)["orders"]):
        outcome = _since(order, now.get(order.key or ""), run_id)
        if outcome is not None and outcome.status is not RowStatus.NOT_SENT:
            order = _brought_up(order, outcome)  # noqa: PLW2901 - the same order, as it stands now
        if order.status in needy:
            found.append(order)
    return tuple(found)


_COMPUTED_LINES = {*(status.value for status in RowStatus), "Stopped early", _NEXT, _NOTE}


def thaw(frozen: bytes, mapped: Mapped, *, run_id: str, now: Mapping[str, Remembered]) -> Report:
    """The report of an earlier run with its sheet, brought up to date by how its orders stand `now`, by key."""
    parts = json.loads(frozen)
    rows = [_thawed_row(row) for row in parts["rows"]]
    orders = [_thawed_order(order) for order in parts["orders"]]
    done: set[int] = set()
    for index, order in enumerate(orders):
        outcome = _since(order, now.get(order.key or ""), run_id)
        if outcome is None:
            continue
        for row in order.rows:
            rows[row] = _result_row(outcome, run_id)
            if outcome.status in {RowStatus.ORDERED, RowStatus.ALREADY_ORDERED}:
                done.add(mapped.sheet.row_numbers[row])
        orders[index] = _brought_up(order, outcome)
    findings = map(_thawed_finding, parts["findings"])
    return _summed_up(
        run_id=run_id,
        command=parts["command"],
        mapped=mapped,
        rows=tuple(rows),
        orders=tuple(orders),
        findings=_as_they_stand((f for f in findings if not f.rows or not done.issuperset(f.rows)), rows, mapped),
        notes=tuple(parts.get("notes", ())),  # reports that were kept before there were notes have none
        about=[(label, text) for label, text in parts["about"]],
        stopped=parts["stopped"] if any(row.status is RowStatus.NOT_SENT for row in rows) else "",
        stop_code=EXIT_STOPPED,
        what_next=lambda code: runs.next_step_for_old_run() if code == EXIT_STOPPED else "",
    )


def _since(order: OrderResult, remembered: Remembered | None, run_id: str) -> Outcome | None:
    """What has become of an order since its report was kept; None where that says it as it is.

    Contents that were ordered later, kept or released, count; those that still differ say so as they did.
    """
    if remembered is None or not (
        order.status in _AS_ONE or (order.status in _MAYBE and remembered.content_hash == order.content_hash)
    ):
        return None
    return _outcome_now(remembered, run_id)


def _brought_up(order: OrderResult, outcome: Outcome) -> OrderResult:
    return dataclasses.replace(
        order,
        status=outcome.status,
        messages=(outcome.message,),
        order_number=outcome.order_number,
        attempts=outcome.attempts,
    )


def _outcome_now(remembered: Remembered, run_id: str) -> Outcome:
    """How an order of an earlier run stands, by what the ledger knows today."""
    match remembered.state:
        case OrderState.ORDERED if remembered.run_id != run_id:
            status, message = RowStatus.ALREADY_ORDERED, outcomes.already_ordered(remembered)
        case OrderState.ORDERED | OrderState.REJECTED | OrderState.UNKNOWN:
            status, message = RowStatus(remembered.state.value), remembered.message
        case _:
            waits = remembered.message or (outcomes.queued() if remembered.queued_by else outcomes.left_over())
            status, message = RowStatus.NOT_SENT, outcomes.busy() if remembered.busy else waits
    return remembered.outcome(status, message)


def _thawed_row(parts: Sequence[Any]) -> ResultRow:
    status, number, message, submitted_at, run_id = parts
    return ResultRow(
        status=RowStatus(status),
        order_number=number,
        messages=(message,),
        submitted_at=datetime.fromisoformat(submitted_at).astimezone(UTC) if submitted_at else None,
        run_id=run_id,
    )


def _thawed_order(parts: Mapping[str, Any]) -> OrderResult:
    others = {name: value for name, value in parts.items() if name not in {"rows", "status", "message"}}
    return OrderResult(
        **others, rows=tuple(parts["rows"]), status=RowStatus(parts["status"]), messages=(parts["message"],)
    )


def _thawed_finding(parts: Mapping[str, Any]) -> Finding:
    return Finding(
        remark=Remark(
            code=FindingCode(parts["code"]),
            severity=Severity(parts["severity"]),
            message=parts["message"],
            column=Column(parts["column"]) if parts["column"] else None,
            suggestions=tuple(parts["suggestions"]),
            undecided=parts.get("undecided", False),  # kept reports of an earlier version say nothing of it
            fact=parts.get("fact", ""),  # reports that an older version kept have none
            afterwards=parts.get("afterwards", ""),
        ),
        rows=tuple(parts["rows"]),
        scattered=tuple(Cell(*cell) for cell in parts["cells"]),
    )
