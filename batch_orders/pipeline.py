"""READ FIRST: the whole flow on one page.

    read → map columns → validate → group → plan (`check` ends here) → submit → report

Both commands walk the same way to the plan; `submit` then carries it out. Everything outside comes through ports.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from batch_orders.errors import BatchOrdersError, RunStoppedError, UsageError
from batch_orders.messages import ledgers, mappings, outcomes, runs, template
from batch_orders.models import Catalog, Column, History, Outcome, PastOrder, RowStatus, RunRecord, Warehouse
from batch_orders.sending import Line, SendingPolicy, Stop, send_orders
from batch_orders.stages import report as reporting
from batch_orders.stages.columns import map_columns
from batch_orders.stages.group import group
from batch_orders.stages.plan import numbers_in_sheet, plan, standing, traces_asked_for
from batch_orders.stages.template import gone_titles, set_example_aside
from batch_orders.stages.validate import validate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from batch_orders.models import Contents, Decision, Mapped, MappingFile, Plan, Remembered, Report, Sheet
    from batch_orders.ports import CatalogSource, LedgerPort, Memory, OrderDesk, Pace, Progress, ResultsPlace

# Seconds between two looks at orders that another run has in hand.
_LOOK_AGAIN = 0.5
UNEXPECTED = 1
_PLACED = {RowStatus.ALREADY_ORDERED, RowStatus.CHANGED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """What it takes to judge a sheet. `memory` is None where there is no ledger: then nothing was ordered yet."""

    read_sheet: Callable[[], Sheet]
    catalog: CatalogSource
    memory: Memory | None
    progress: Progress
    stop: Stop
    host: str
    now: datetime
    repeat_days: int
    retry_rejected: bool = False
    released: Sequence[str] = ()
    mapping: MappingFile | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordering:
    """What it takes to carry a plan out. `limit` places at most so many orders now (None: all)."""

    ledger: LedgerPort
    desk: OrderDesk
    pace: Pace
    policy: SendingPolicy
    reserve_results: Callable[[Sheet], AbstractContextManager[ResultsPlace]]
    confirm: Callable[[Plan, Mapped], bool]
    options: Mapping[str, str | None]
    run_id: str
    max_orders: int
    limit: int | None = None


async def check(judging: Judging) -> Report:
    """Validate the sheet against the live catalog and the ledger's memory; send nothing."""
    mapped, planned = await _judge(judging)
    if judging.memory is None:
        judging.progress.note(runs.no_ledger_note())
    return reporting.report(
        planned,
        mapped,
        command="check",
        run_id=None,
        ended={},
        unsent=Outcome(status=RowStatus.READY, message=outcomes.ready()),
        about=_about(mapped, judging.host, has_ledger=judging.memory is not None),
    )


async def submit(judging: Judging, ordering: Ordering) -> tuple[Report, BatchOrdersError | None]:
    """Validate, place the orders, write the results sheet: gives the report, and why the sheet could not be written.

    Raises UsageError, before anything is sent, where the plan would place more orders than `max_orders`. Where the
    person declines, nothing is sent or written.
    """
    mapped, planned = await _judge(judging)
    to_send = planned.to_send[: ordering.limit]
    if len(to_send) > ordering.max_orders:
        raise UsageError(runs.too_many(len(to_send), ordering.max_orders), hint=runs.how_to_allow_more())
    declined = bool(to_send) and not ordering.confirm(planned, mapped)
    if declined:
        judging.stop.because(runs.declined())

    def report(ended: Mapping[str, Outcome]) -> Report:
        return reporting.report(
            planned,
            mapped,
            command="submit",
            run_id=None if declined else ordering.run_id,
            ended={**_beyond_limit(planned, ordering.limit), **ended},
            unsent=Outcome(status=RowStatus.NOT_SENT, message=outcomes.left_over()),
            about=_about(
                mapped, judging.host, has_ledger=True, run=None if declined else (ordering.run_id, judging.now)
            ),
            stopped=_stopped(judging.stop, planned, ordering.limit),
            stop_code=judging.stop.exit_code or RunStoppedError.exit_code,
        )

    if declined:
        return report({}), None
    # A place that cannot be written is found now, while nothing has been sent.
    with ordering.reserve_results(mapped.sheet) as results:
        ordering.ledger.note_contents(_contents_to_note(planned))
        done = await _carry_out(judging, ordering, planned, mapped.sheet, report)
        judging.progress.stage("writing the results")
        try:
            results.write(done)
        except BatchOrdersError as error:
            # The orders are placed: how each of them ended is told all the same.
            return reporting.without_results(done, hint=error.hint, exit_code=error.exit_code), error
        return done, None


def rebuild(
    run: RunRecord,
    frozen: bytes,
    sheet: Sheet,
    remembered: Mapping[str, Remembered],
    *,
    mapping: MappingFile | None = None,
) -> Report:
    """An earlier run's report from what the ledger keeps, with its orders as they stand now."""
    sheet = dataclasses.replace(sheet, path=run.input)
    return reporting.thaw(frozen, _mapped(sheet, mapping), run_id=run.run_id, now=remembered)


def past_orders(sheet: Sheet, mapping: MappingFile | None = None) -> tuple[PastOrder, ...]:
    """The orders that a results file says were placed; UsageError where it is none.

    An order is taken where all its rows say `ordered` or `already_ordered`, with one number; where only some do, its
    number is "", and a person has to look.
    """
    mapped = _mapped(sheet, mapping)
    sheet = mapped.sheet
    if not mapped.results:
        raise UsageError(ledgers.no_results_file(sheet.path), hint=runs.how_to_adopt())
    orders, _ = group(validate(mapped, _own_catalog(mapped)))
    status, number, _, submitted_at, _ = (mapped.own_values(position) for position in mapped.results)
    found = []
    for order in orders:
        placed = [line for line in order.lines if status[line].strip() in {"ordered", "already_ordered"}]
        numbers = {number[line].strip() for line in order.lines}
        said = {status[line].strip() for line in order.lines}
        if said == {"unknown"}:
            line = order.lines[0]
            found.append(
                PastOrder(
                    order=order,
                    row=mapped.row_number(line),
                    order_number="",
                    submitted_at=_instant(submitted_at[line]),
                    unknown=True,
                )
            )
        elif placed:
            agreed = len(placed) == len(order.lines) and len(numbers) == 1
            found.append(
                PastOrder(
                    order=order,
                    row=mapped.row_number(order.lines[0]),
                    order_number=numbers.pop() if agreed else "",
                    submitted_at=_instant(submitted_at[placed[0]]),
                )
            )
    return tuple(found)


def _own_catalog(mapped: Mapped) -> Catalog:
    """The sheet's own titles and options: what was ordered need not be in today's catalog."""
    titles, options = mapped.values(Column.PRODUCT_TITLE), mapped.values(Column.EXPEDITE_SHIPPING)
    stock = {title: 0 for title in titles if title}
    own = Warehouse(id="", name="", shipping_options=tuple({option for option in options if option}), stock=stock)
    return Catalog(warehouses=(own,))


def _instant(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        return None


def keys_in(frozen: bytes) -> tuple[str, ...]:
    """The keys of a kept report's orders."""
    return reporting.frozen_keys(frozen)


async def _judge(judging: Judging) -> tuple[Mapped, Plan]:
    """The sheet and the plan for it: the part that `check` and `submit` share."""
    judging.progress.stage("reading the sheet")
    mapped = _mapped(judging.read_sheet(), judging.mapping)
    judging.progress.stage("fetching the catalog")
    catalog = await _unless_stopped(judging)
    judging.progress.stage("checking every row")
    checked = validate(mapped, catalog)
    grouped, loose_lines = group(checked)
    await asyncio.sleep(0)  # an interrupt that came while the loop stood still is heard now
    if judging.stop:
        raise RunStoppedError(runs.interrupted(), hint=runs.how_to_go_on())
    memory = judging.memory
    orders = [(memory.key(order) if memory else None, order) for order in grouped]
    history = History(now=judging.now, repeat_days=judging.repeat_days)
    if memory:
        history = dataclasses.replace(
            history,
            look_alikes=memory.look_alikes(traces_asked_for(orders)),
            known_numbers=memory.known_numbers(set(numbers_in_sheet(checked).values())),
        )
    planned = plan(
        checked,
        orders,
        loose_lines,
        remembered=memory.recall([key for key, _ in orders if key]) if memory else {},
        history=history,
        catalog=catalog,
        retry_rejected=judging.retry_rejected,
        released=_released(judging.released, [key for key, _ in orders if key]),
    )
    return mapped, dataclasses.replace(planned, notes=tuple(_notes(mapped, planned)))


def _mapped(sheet: Sheet, mapping: MappingFile | None = None) -> Mapped:
    """The sheet with its columns known, and without the template's example row."""
    return set_example_aside(map_columns(sheet, mapping))


def _notes(mapped: Mapped, planned: Plan) -> Iterator[str]:
    """What is worth saying of the sheet as a whole."""
    sheet = mapped.sheet
    if sheet.aside:
        yield template.example_set_aside(sorted(sheet.aside))
    gone = gone_titles(mapped, planned.findings)
    if sheet.template and gone:
        yield template.gone_since(sheet.template.catalog_date, gone)


def _released(names: Sequence[str], keys: Sequence[str]) -> frozenset[str]:
    """The orders that `--release` names; UsageError where the sheet has no such order, or several."""
    released = set()
    for name in names:
        found = [key for key in keys if name and key.startswith(name.lower())]
        if len(found) != 1:
            raise UsageError(runs.cannot_release(name, len(found)), hint=runs.how_to_release())
        released.add(found[0])
    return frozenset(released)


async def _unless_stopped(judging: Judging) -> Catalog:
    """The catalog; an interrupt does not wait for a Device Hub that is away."""
    fetching = asyncio.ensure_future(judging.catalog.fetch_catalog())
    stopping = asyncio.ensure_future(judging.stop.event.wait())
    await asyncio.wait({fetching, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not fetching.done():
        fetching.cancel()
        await asyncio.wait({fetching})
        raise RunStoppedError(runs.interrupted(), hint=runs.how_to_go_on())
    return fetching.result()


async def _carry_out(
    judging: Judging,
    ordering: Ordering,
    planned: Plan,
    sheet: Sheet,
    report: Callable[[Mapping[str, Outcome]], Report],
) -> Report:
    """Place the orders. The ledger knows of the run from before the first to after the last of them."""
    ledger, run_id = ordering.ledger, ordering.run_id
    careful = ledger.begin_run(
        RunRecord(
            run_id=run_id,
            command="submit",
            input=sheet.path,
            host=judging.host,
            started_at=judging.now,
            sheet=sheet.content,
            options=ordering.options,
        )
    )
    try:
        ledger.note_release(run_id, planned.released)
        # Should the process die on the way, the results can be rebuilt from here.
        ledger.save_report(run_id, reporting.freeze(report({})))
        ended = await _place(judging, ordering, planned, careful=careful)
    except BaseException:
        ledger.end_run(run_id, UNEXPECTED)
        raise
    done = report(ended)
    try:
        ledger.save_report(run_id, reporting.freeze(done))
        ledger.end_run(run_id, done.exit_code)
    except BatchOrdersError as error:
        # What was ordered is told all the same: the results sheet may be the only place that has it whole.
        judging.stop.because(error.message, hint=error.hint, exit_code=error.exit_code)
        return report(ended)
    return done


async def _place(judging: Judging, ordering: Ordering, planned: Plan, *, careful: bool) -> Mapping[str, Outcome]:
    """How each order ended, by its key."""
    line = Line(
        desk=ordering.desk,
        journal=ordering.ledger,
        pace=ordering.pace,
        policy=dataclasses.replace(ordering.policy, careful=careful),
        progress=judging.progress,
        stop=judging.stop,
    )
    to_send = planned.to_send[: ordering.limit]
    judging.progress.sending(len(to_send), len(planned.held_back))
    try:
        return await _claim_and_send(judging, ordering, line, to_send)
    finally:
        line.close()


async def _claim_and_send(
    judging: Judging, ordering: Ordering, line: Line, to_send: Sequence[Decision]
) -> Mapping[str, Outcome]:
    """Send what can be claimed; what another live run has in hand is waited for and reported as that leaves it."""
    orders = {decision.key: decision.order for decision in to_send if decision.key is not None}
    pending = list(orders.items())
    ended: dict[str, Outcome] = {}
    seen: object = None
    changed_at = time.monotonic()
    while pending and not line.stop:
        batch = pending
        claims = await line.write(
            lambda batch=batch: ordering.ledger.claim(  # type: ignore[misc] # mypy cannot infer a default's type here
                ordering.run_id, batch, retry_rejected=judging.retry_rejected
            )
        )
        ended |= await send_orders(line, claims.ours)
        for key, remembered in claims.others.items():
            outcome = standing(remembered, orders[key].contents, retry_rejected=False)
            if outcome is not None:
                ended[key] = outcome
                judging.progress.ended(outcome.status.value)
        pending = [(key, order) for key, order in batch if key in claims.others and key not in ended]
        now_seen = [(key, claims.others[key].state, claims.others[key].attempts) for key, _ in pending]
        if claims.ours or now_seen != seen:
            seen, changed_at = now_seen, time.monotonic()
        elif time.monotonic() - changed_at > ordering.policy.patience:
            line.stop.because(runs.others_busy(), hint=runs.how_to_go_on())
        if pending:
            await line.pause(_LOOK_AGAIN)
    return ended


def _contents_to_note(planned: Plan) -> dict[str, Contents | None]:
    """What the sheet holds for orders that are placed: other contents (a person may accept them), or the same."""
    return {
        decision.key: decision.order.contents if decision.settled.status is RowStatus.CHANGED else None
        for decision in planned.decisions
        if decision.key and decision.settled and decision.settled.status in _PLACED
    }


def _beyond_limit(planned: Plan, limit: int | None) -> dict[str, Outcome]:
    if limit is None:
        return {}
    beyond = Outcome(status=RowStatus.NOT_SENT, message=outcomes.beyond_limit())
    return {decision.key: beyond for decision in planned.to_send[limit:] if decision.key is not None}


def _stopped(stop: Stop, planned: Plan, limit: int | None) -> str:
    if stop:
        return " ".join(part for part in (stop.reason, stop.hint) if part)
    if limit is not None and len(planned.to_send) > limit:
        return runs.limit_reached(limit)
    return ""


def _about(
    mapped: Mapped, host: str, *, has_ledger: bool, run: tuple[str, datetime] | None = None
) -> Sequence[tuple[str, str]]:
    sheet = mapped.sheet
    name = f"{sheet.path.name}, sheet “{sheet.sheet_name}”" if sheet.sheet_name else sheet.path.name
    lines = [("Sheet", name)]
    if mapped.mapping:
        lines.append(("Mapping", mappings.about_line(mapped.mapping)))
    lines.append(("Device Hub", host))
    if run is not None:
        lines += [("Run", run[0]), ("Started", f"{run[1]:%Y-%m-%d %H:%M:%S} UTC")]
    if not has_ledger:
        lines.append(("Ledger", runs.no_ledger()))
    return lines
