"""What a person reads on the terminal: the plan before it is carried out, and how a run went."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from batch_orders.messages import forgetting, ledgers
from batch_orders.messages.outcomes import COLUMN_NAMES, changed
from batch_orders.messages.runs import count
from batch_orders.models import GUARDS, FindingCode, OrderState, RowStatus, Severity, order_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from batch_orders.models import Catalog, Decision, Finding, Mapped, OrderResult, Plan, Remembered, Report, RunRecord

# More findings than this are not listed on the terminal: the results sheet has them all.
_MOST_FINDINGS = 30
# Cells that are named where many have the same finding.
_MOST_PLACES = 5
_WIDTH = 16
# Orders in these states have no finding at a cell: their message is told by itself.
_TOLD_BY_ORDER = {RowStatus.CHANGED, RowStatus.REJECTED, RowStatus.UNKNOWN}


def plan_text(plan: Plan, mapped: Mapped, *, host: str, limit: int | None, check: str) -> str:
    """What will be ordered, for whom and where, and what is held back; `check` is the command that shows it all."""
    to_send = plan.to_send[:limit]
    items = sum(int(item.quantity) for d in to_send for item in d.order.contents.items)
    countries = Counter(d.order.contents.shipping_country for d in to_send)
    places = ", ".join(f"{country} ({number})" for country, number in countries.most_common())
    lines = [
        f"{mapped.sheet.path.name}: {count(len(mapped.sheet.row_numbers), 'row')}",
        f"  To be placed now: {count(len(to_send), 'order')}, {count(items, 'item')}, to {places}",
    ]
    if limit is not None and len(plan.to_send) > limit:
        lines.append(f"  Left for the next run (--limit): {count(len(plan.to_send) - limit, 'order')}")
    if plan.waiting:
        lines.append(f"  Waiting for their date: {count(len(plan.waiting), 'order')}")
    done = len(plan.decisions) - len(plan.to_send) - len(plan.held_back) - len(plan.waiting)
    if done:
        lines.append(f"  Ordered already: {count(done, 'order')}")
    if plan.held_back or plan.loose_lines:
        lines.append(f"  Not to be sent: {_not_to_be_sent(plan)}, because of:")
        lines += [f"    {line}" for line in _finding_lines(_errors(plan.findings), most=10, all_of_them=f"`{check}`")]
        lines += [
            f"    ‖ {_rows_named(mapped.row_numbers(decision.order.lines))} {decision.order.email}: "
            f"{decision.settled.message}"
            for decision in plan.held_back
            if decision.settled is not None
        ]
    warnings = [f for f in plan.findings if f.severity is Severity.WARNING]
    if warnings or plan.notes:
        lines.append("  Worth knowing:")
        lines += [f"    {note}" for note in plan.notes]
        lines += [f"    {line}" for line in _finding_lines(warnings, most=10, all_of_them=f"`{check}`")]
    lines.append(f"  Sent to: {host}")
    return "\n".join(lines)


def _not_to_be_sent(plan: Plan) -> str:
    """How many orders, and how many of them for which reason."""
    kinds = Counter(map(_kind, plan.held_back))
    told = ", ".join(
        f"{kinds[kind]:,} {kind}" for kind in dict.fromkeys(["with errors", "held", *kinds]) if kinds[kind]
    )
    orders = count(len(plan.held_back), "order") + (f" ({told})" if told else "")
    return orders + (f", {count(len(plan.loose_lines), 'row')} without an e-mail address" if plan.loose_lines else "")


def _kind(decision: Decision) -> str:
    if decision.settled is not None:
        return decision.settled.status.value
    return "with errors" if any(status is RowStatus.INVALID for status, _ in decision.blocked) else "held"


def question(orders: int, host: str) -> str:
    """The question before the first order."""
    return f"Place {count(orders, 'order')} at {host}?"


def report_text(report: Report, results: Path | None, failed: Path | None = None, *, check: str = "") -> str:
    """How a run went; `check` is the command that writes a copy with everything, where no file was written."""
    if report.declined:  # the plan, just above, has told everything
        return "\n".join(["", *(f"{label:<{_WIDTH}} {text}" for label, text in report.summary[-2:])])
    lines = [""]
    shown = [f for f in report.findings if f.severity is not Severity.REPAIR]
    if shown:
        all_of_them = results.name if results else f"`{check}`"
        lines += [*_finding_lines(shown, most=_MOST_FINDINGS, all_of_them=all_of_them), ""]
    numbers = report.mapped.sheet.row_numbers
    lines += [
        f"{'?' if order.status is RowStatus.UNKNOWN else '‖'} {_rows_named([numbers[row] for row in order.rows])} "
        f"{order.email}: {order.message}"
        for order in report.orders
        if order.status in _TOLD_BY_ORDER
    ]
    repairs = len(report.findings) - len(shown)
    if repairs:
        where = f"{results.name} shows them" if results else "a copy written with --output shows them"
        lines += [f"{count(repairs, 'value')} safely put right (spaces, upper case …); {where}.", ""]
    lines += [f"{label:<{_WIDTH}} {text}" for label, text in report.summary]
    if results is not None:
        lines.append(f"{'Results':<{_WIDTH}} {results}")
    if failed is not None:
        lines.append(f"{'Need work':<{_WIDTH}} {failed}")
    return "\n".join(lines)


def findings_text(findings: Sequence[Finding]) -> str:
    """Findings about a sheet that could not be read."""
    return "\n".join(f"  {finding.message}{_suggestion(finding)}" for finding in findings)


def catalog_text(catalog: Catalog) -> str:
    """Titles with their stock, and shipping options."""
    lines = []
    for warehouse in catalog.warehouses:
        lines.append(f"{warehouse.name or warehouse.id} (ships by {', '.join(warehouse.shipping_options) or '–'})")
        lines += [f"  {pieces:>6}  {title}" for title, pieces in sorted(warehouse.stock.items())]
    lines.append(
        f"{count(len(catalog.stock), 'title')} in {count(len(catalog.warehouses), 'warehouse')}; "
        f"shipping options: {', '.join(catalog.shipping_options)}"
    )
    return "\n".join(lines)


def status_text(
    runs: Sequence[tuple[RunRecord, bool]],
    waiting: Sequence[tuple[Remembered, Sequence[str]]],
    counts: Mapping[str, int],
    *,
    again: Sequence[tuple[Remembered, RunRecord | None]] = (),
    queue: str = "",
) -> str:
    """What the ledger knows: sums, the queue, what waits for a person (with the evidence), the latest runs.

    Each run comes with whether its process is alive. `again` are the orders that wait for their sheet to be sent once
    more, each with the run that sent it.
    """
    found = [f"{number} {ledgers.state(OrderState(state))}" for state, number in counts.items() if number]
    lines = ["Orders: " + (", ".join(found) or "none yet"), *([queue] if queue else [])]
    if waiting:
        lines.append("")
        lines.append("Waiting for a person:")
        lines += [line for order, evidence in waiting for line in _waiting_lines(order, evidence)]
    if again:
        lines += [
            "",
            "Sent before, and sent AGAIN by the next run with their sheet (submit it, or put it into the inbox):",
        ]
        lines += [line for order, run in again for line in _again_lines(order, run)]
    lines.append("")
    lines.append("Runs, newest first:" if runs else "No runs yet.")
    lines += [f"  {run_line(run, is_alive=is_alive)}" for run, is_alive in runs]
    return "\n".join(lines)


def run_line(run: RunRecord, *, is_alive: bool) -> str:
    """One run in a line."""
    unended = "is running" if is_alive else "was cut off (run the same command again: it goes on)"
    ended = f"exit {run.exit_code}" if run.exit_code is not None else unended
    return f"{run.run_id}  {run.started_at:%Y-%m-%d %H:%M} UTC  {run.command} {forgetting.sheet_of(run)}  {ended}"


def run_text(
    run: RunRecord, orders: Sequence[Remembered], needy: Sequence[OrderResult], *, is_alive: bool, has_report: bool
) -> str:
    """One run, the orders that it sent, and those of its sheet that need a person."""
    lines = [run_line(run, is_alive=is_alive), *(line for order in orders for line in _order_lines(order))]
    told = {order.key for order in orders}
    others = [line for result in needy if result.key not in told for line in _needy_lines(result)]
    if others:
        lines += ["", "Waiting for a person:", *others]
    if has_report:
        lines += ["", f"`batch-orders results {run.run_id}` writes out every row of its sheet."]
    return "\n".join(lines)


def _needy_lines(result: OrderResult) -> Iterable[str]:
    reference = f", reference {result.order_reference}" if result.order_reference else ""
    name = order_id(result.key) if result.key else "(no id)"
    yield f"  {name}  {result.status.value}  {result.email}{reference}"
    yield f"      {result.message}"


def _waiting_lines(order: Remembered, evidence: Sequence[str]) -> Iterable[str]:
    yield from _order_lines(order)
    name = order_id(order.key)
    contents = order.other_contents if order.forgotten_at and order.other_contents else order.contents
    place = [contents.shipping_address, contents.shipping_city, contents.shipping_state, contents.shipping_zip]
    yield f"      to {contents.firstname} {contents.lastname}, " + ", ".join(
        part for part in (*place, contents.shipping_country) if part
    )
    yield from (f"      • {line}" for line in evidence)
    if order.other_contents is not None:
        yield f"      {changed(order, order.other_contents)}"
        yield f"      → batch-orders settle {name} --keep   (the new contents are right, and nothing is to be sent)"
        yield f"      → batch-orders settle {name} --cancelled   (the vendor cancelled it: order it again)"
        yield "      → or submit a sheet with what was ordered   (where this one was wrong: that clears it too)"
    elif order.state is OrderState.UNKNOWN:
        yield f"      → batch-orders settle {name} --placed NUMBER   (Device Hub has it, under this number)"
        yield f"      → batch-orders settle {name} --not-placed   (Device Hub does not have it: the next run sends it)"
    else:
        yield "      → change the row and submit again, or submit with --retry-rejected"


def _again_lines(order: Remembered, run: RunRecord | None) -> Iterable[str]:
    yield from _order_lines(order)
    if run is not None:
        yield f"      from the sheet {forgetting.sheet_of(run)} (run {run.run_id})"


def _order_lines(order: Remembered) -> Iterable[str]:
    reference = f", reference {order.order_reference}" if order.order_reference else ""
    when = f", sent {order.submitted_at:%Y-%m-%d %H:%M:%S} UTC" if order.submitted_at else ""
    number = f" {order.order_number}" if order.order_number else ""
    is_changed = order.state is OrderState.ORDERED and order.other_contents is not None
    head = RowStatus.CHANGED.value if is_changed else order.state.value
    yield f"  {order_id(order.key)}  {head}{number}  {forgetting.whose(order)}{reference}{when}"
    items = ", ".join(f"{item.quantity} × {item.product_title}" for item in order.contents.items)
    yield f"      {forgetting.contents_gone() if order.forgotten_at else items}"
    if order.message and not is_changed:
        yield f"      {order.message}"


def _rows_named(numbers: Sequence[int]) -> str:
    return f"row {numbers[0]}" if len(numbers) == 1 else f"rows {', '.join(map(str, numbers))}"


def _errors(findings: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.severity is Severity.ERROR]


def _finding_lines(findings: Sequence[Finding], *, most: int, all_of_them: str) -> Iterable[str]:
    """A line for each finding; those that say the same in one column of other rows share one."""
    alike: dict[object, list[Finding]] = {}
    for finding in findings:
        alike.setdefault((finding.code, finding.column, finding.told, finding.suggestions), []).append(finding)
    groups = list(alike.values())
    for group in groups[:most]:
        finding = group[0]
        column = f" {COLUMN_NAMES[finding.column]}" if finding.column else ""
        mark = "!" if finding.severity is Severity.WARNING else "‖" if finding.code in GUARDS else "✕"
        yield f"{mark} {_places(group)}{column}: {finding.told}{_suggestion(finding)}"
    if len(groups) > most:
        left = sum(map(len, groups[most:]))
        yield f"… and {left} more: {all_of_them} shows all"


def _places(alike: Sequence[Finding]) -> str:
    """Where findings are that say the same: the first few of them."""
    places = [str(f.cells[0]) if f.cells else f"row {f.rows[0]}" if f.rows else "sheet" for f in alike]
    more = len(places) - _MOST_PLACES
    return ", ".join(places) if more <= 1 else f"{', '.join(places[:_MOST_PLACES])} and {more} more"


def _suggestion(finding: Finding) -> str:
    if finding.code is FindingCode.CONFLICT:
        return ""  # its suggestions are order references, not values for the cell
    if finding.remark.undecided:
        return ""  # the message names them all, and none is better than the next
    return f" → {finding.suggestions[0]}" if finding.suggestions else ""
